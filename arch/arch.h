/*
 * The contract between the neutral code and a machine: all that kernel/, fs/, net/ and
 * drivers/ know of the processor. Each function is implemented once in arch/x86_64 and
 * once in arch/aarch64, with one behaviour.
 *
 * The kernel runs with interrupts off. They are on only in user mode and inside
 * arch_wait_for_interrupt(); so a handler never interrupts kernel code, and no kernel
 * data needs interrupt-safe locks.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "target.h" /* of arch/$(ARCH), or arch/host for units: what the comment below lists */

/*
 * target.h of each architecture provides:
 *
 *   PAGE_SIZE 4096, PAGE_SHIFT 12, ARCH_LARGE_PAGE_SIZE 2 MiB
 *   USER_START, USER_END        addresses that a program may map: [USER_START, USER_END)
 *   ARCH_ELF_MACHINE            e_machine of programs
 *   typedef uint64_t pa_t;      a physical address
 *   void *pa_to_va(pa_t)        the direct map: all RAM, readable and writable, never
 *   pa_t va_to_pa(const void *)   executable; va_to_pa also takes kernel image addresses
 *   struct arch_thread          what a thread's switch needs (defined, not opaque)
 *   struct trap_frame           a user thread's registers as the trap saved them
 *   struct arch_aspace          { pa_t root; … }
 *   struct thread *arch_current(void); void arch_set_current(struct thread *)
 *   uint64_t arch_cycles(void)  a free-running counter
 *   bool arch_has_crc32c(void)  whether there is an instruction for what follows
 *   uint32_t arch_crc32c_word(uint32_t crc, uint64_t word)  CRC-32C (Castagnoli) of 8 more bytes
 *   void arch_dma_wmb(void), arch_dma_rmb(void), arch_dma_mb(void)  between CPU and device
 *   mmio_read8/16/32/64(const volatile void *), mmio_write8/16/32/64(volatile void *, v)
 */

struct bootinfo;
struct thread;

/* ---- Start and end --------------------------------------------------------------------------- */

/* Processor features, kernel page tables (text R-X, rodata R--, data and direct map RW-),
 * trap vectors, the early console. After it log_printf() works. No allocator yet:
 * page-table pages are taken from boot->ram, which it shortens. */
void arch_init_early(struct bootinfo *boot);
/* What stands between a function's arrays and its return address, where the compiler's flags ask
 * for it (kernel/end.c). arch_init_early() makes it random. */
extern uintptr_t __stack_chk_guard;

/* Interrupt controllers, timer calibration, firmware tables. The allocators work. */
void arch_init(const struct bootinfo *boot);

/* How the machine ends. `code` 0–124 program's status, 125 other status, 126 signal, 127
 * panic: reported to the hypervisor where there is a device for it, else power-off. */
_Noreturn void arch_poweroff(unsigned code);

/* ---- Console (early, and at a panic): polled, any context ------------------------------------ */
void arch_console_write(const char *s, size_t n);

/* ---- Page tables ----------------------------------------------------------------------------- */

enum { /* mapping protections, and who may use them */
       ARCH_READ = 1,
       ARCH_WRITE = 2,
       ARCH_EXEC = 4, /* never with ARCH_WRITE */
       ARCH_USER = 8,
       ARCH_DEVICE = 16, /* uncached, kernel only */
       ARCH_LARGE = 32,  /* told of a user page that is part of a large one */
};

/* A user address space's top table, kernel half shared. ENOMEM. */
errno_t arch_aspace_init(struct arch_aspace *as);
/* Frees the tables (not the pages mapped). It must not be the one in use. */
void arch_aspace_free(struct arch_aspace *as);
/* Makes it the processor's; NULL: the kernel alone. */
void arch_aspace_switch(struct arch_aspace *as);
/* Maps one 4 KiB page (or a 2 MiB one where `large`) at user address va, replacing what
 * was there (and its TLB entry). ENOMEM when a table is needed and there is no page. prot with
 * none of READ, WRITE, EXEC: remembered (query and next tell it), but every access faults,
 * arch_user_copy's too. */
errno_t arch_aspace_map(struct arch_aspace *as, uintptr_t va, pa_t pa, unsigned prot, bool large);
/* Forgets the translations of [va, va + size) and flushes the TLB for them. Tables that the
 * range leaves empty may be freed. Large pages go whole: to unmap a part of one, first map one of
 * its small pages, which splits it (ENOMEM). */
void arch_aspace_unmap(struct arch_aspace *as, uintptr_t va, size_t size);
/* What is mapped at va: its page of PAGE_SIZE; false if nothing. Outputs may be NULL. */
bool arch_aspace_query(const struct arch_aspace *as, uintptr_t va, pa_t *pa, unsigned *prot);
/* The first page mapped in [*va, end): its address (page aligned) in *va. False: none. Skips
 * absent tables at once, so that a large empty range costs little. `prot` as given to
 * arch_aspace_map, and ARCH_LARGE; pa and prot may be NULL. */
bool arch_aspace_next(const struct arch_aspace *as, uintptr_t *va, uintptr_t end, pa_t *pa,
                      unsigned *prot);

/* Kernel virtual memory outside the direct map. `arch_kmap_device` maps registers;
 * `arch_kstack_alloc` gives KSTACK_SIZE bytes with an unmapped guard page below, and
 * returns its lowest address, or NULL. */
void *arch_kmap_device(pa_t pa, size_t size);
void *arch_kstack_alloc(void);
void arch_kstack_free(void *stack);

/* Makes instructions written through the direct map at [va, va + size) visible to
 * instruction fetch (nothing to do on x86-64). */
void arch_sync_icache(const void *va, size_t size);

/* ---- User memory ----------------------------------------------------------------------------- */
/* These alone touch user addresses. The caller has checked that the range lies in
 * [USER_START, USER_END). A fault is served by aspace_fault(); if it can't be, they stop.
 * All need the address space of the current thread's process to be the processor's. */

/* Returns the number of bytes NOT copied (0: all). */
size_t arch_user_copy(void *dst, const void *src, size_t n);
/* Atomics on an aligned user word; false: bad address. */
bool arch_user_load32(const uint32_t *uaddr, uint32_t *value);
bool arch_user_store32(uint32_t *uaddr, uint32_t value);
/* *uaddr == *expected ? *uaddr = desired : *expected = *uaddr. `*swapped` says which. */
bool arch_user_cmpxchg32(uint32_t *uaddr, uint32_t *expected, uint32_t desired, bool *swapped);

/* ---- Threads --------------------------------------------------------------------------------- */

/* A thread that starts in kernel code: entry(arg) on the stack, interrupts off. */
void arch_thread_init(struct arch_thread *at, void *kstack, void (*entry)(void *), void *arg);
/* Saves the running thread in `from`, resumes `to` (floating-point state included). The
 * caller has set arch_current() and the address space. Returns when `from` is resumed. */
void arch_thread_switch(struct arch_thread *from, struct arch_thread *to);
/* Frees what arch_thread_init or user mode added (not the stack). */
void arch_thread_destroy(struct arch_thread *at);

/* The first entry into user mode on the current thread's kernel stack. */
struct arch_user_start {
  uintptr_t pc;
  uintptr_t sp;  /* top of the stack, as the reference's 1.4 and 1.5 want it */
  uintptr_t tls; /* address of the TCB (reference 1.4): x86-64 keeps a word pointing to it */
  uint64_t arg0, arg1;
};
/* How many bytes below `top` the thread's start needs for TLS words; arch fills them
 * with user copies: [tcb][x86: pointer to it] … and sets start->sp and start->tls. EFAULT.
 * Some hundred writable bytes stay behind the TCB. */
errno_t arch_user_stack_init(struct arch_user_start *start, uintptr_t low, uintptr_t top);
/* From a system call, too: nothing of the registers before is left. */
_Noreturn void arch_user_enter(const struct arch_user_start *start);

/* Gives `child`, fresh from arch_thread_init(), the current user thread's registers: those that it
 * entered the kernel with, floating point and TLS, and 0 as the result of its system call. The
 * child enters user mode by arch_user_resume(). */
void arch_thread_fork(struct arch_thread *child);
_Noreturn void arch_user_resume(void);
/* What t, a thread forked out of a raw trap, finds in its result registers (reference 1.7). */
void arch_user_set_results(struct thread *t, uint64_t first, uint64_t second);

/* The registers that the current thread entered the kernel with. */
struct trap_frame *arch_user_frame(struct thread *t);
/* The TLS register of the current thread (thread_tcb_set, v0.7). */
void arch_user_set_tls(uintptr_t tls);

/* ---- Interrupts ------------------------------------------------------------------------------ */

typedef void irq_handler_t(void *arg); /* acknowledges its device, marks, wakes; no sleep */

/* A message-signalled interrupt: what a device must write where. ENOSPC: none left. */
struct arch_msi {
  uint64_t address;
  uint32_t data;
};
errno_t arch_msi_alloc(irq_handler_t *handler, void *arg, uint32_t device_id, struct arch_msi *msi);
/* A wired interrupt line: x86 global system interrupt, arm INTID. EINVAL: no such line. */
errno_t arch_irq_connect(unsigned line, bool level, irq_handler_t *handler, void *arg);

/* Sleeps until an interrupt came and its handler has run. May return early. */
void arch_wait_for_interrupt(void);

/* ---- Time and entropy ------------------------------------------------------------------------ */

/* Nanoseconds since boot, never decreasing. */
uint64_t arch_time_ns(void);
/* timer_interrupt() (kernel/timer.h) is called once, not before `deadline_ns`; a later call
 * replaces the former. UINT64_MAX: never. */
void arch_timer_set(uint64_t deadline_ns);
/* Realtime in nanoseconds since 1970 by the machine's clock (read once, at boot); 0: none. */
uint64_t arch_wallclock_ns(void);
/* What the vDSO needs to read the clocks without a trap: copied to its data page. */
struct arch_clock_params {
  uint64_t base_cycles, base_ns, mult;
  uint32_t shift;
  uint32_t usable; /* 0: trap */
};
void arch_clock_params(struct arch_clock_params *p);
/* One word from the processor's random number generator; false: it has none. */
bool arch_random(uint64_t *word);

/* ---- Debugging ------------------------------------------------------------------------------- */

/* Return addresses of the kernel's stack, innermost first, from the caller on. */
size_t arch_backtrace(uintptr_t *pc, size_t max);
/* The same for the user stack behind a trap frame; reads by user copies only. */
size_t arch_user_backtrace(const struct trap_frame *frame, uintptr_t *pc, size_t max);
/* Prints a trap frame's registers to the log, several a line. */
void arch_print_registers(const struct trap_frame *frame);
uintptr_t arch_frame_pc(const struct trap_frame *frame);

/* ---- PCI configuration space ----------------------------------------------------------------- */
/* False when there is no PCI. Offsets beyond 255 need ECAM. Widths 8, 16, 32. */
bool arch_pci_present(void);
uint32_t arch_pci_read(unsigned bdf, unsigned offset, unsigned width);
void arch_pci_write(unsigned bdf, unsigned offset, unsigned width, uint32_t value);
/* Where BARs may be assigned if nobody has (0 size: firmware always does). */
void arch_pci_window(pa_t *start, uint64_t *size);

/* I/O ports, for PCI BARs of that kind. Widths 8, 16, 32. aarch64 maps them to the PCI I/O
 * window; without one, reads give all ones. */
uint32_t arch_io_read(uint16_t port, unsigned width);
void arch_io_write(uint16_t port, unsigned width, uint32_t value);

/* virtio-mmio devices the platform tells of (FDT in memory or in fw_cfg), besides those of
 * the command line: calls found(address, size, line, level) for each. */
void arch_mmio_devices(void (*found)(pa_t base, size_t size, unsigned line, bool level));

/* ---- Called by arch, implemented in kernel/ -------------------------------------------------- */

/* kernel/sys/dispatch.c: a trap of the vDSO. The number and up to 7 arguments; the result goes to
 * the program as an errno. */
errno_t syscall_entry(struct thread *t, uint64_t number, const uint64_t args[7]);
static inline bool syscall_is_raw(uint64_t number) {
  return number - SYSCALL_BASE >= SYSCALL_END - SYSCALL_BASE;
}
/* kernel/sys/raw.c: a trap with any other number, which is a program's own (reference 1.7). An
 * error goes to the program with the carry flag set; else the two results go to its two result
 * registers. The caller presets them with what stands there if the call has no such result. */
errno_t syscall_raw_entry(struct thread *t, uint64_t number, const uint64_t args[7],
                          uint64_t results[2]);

/* kernel/fault.c: a page fault at a user address, from user mode or from a user copy; true
 * if the access can be retried. access: ARCH_READ, ARCH_WRITE or ARCH_EXEC. */
bool fault_page(uintptr_t va, unsigned access);
/* After it said false: the signal that the access deserves, and what to call it. */
signal_t fault_last_signal(void);
const char *fault_last_reason(void);
/* A processor exception of the program: a signal of the reference's section 8.3. `what` names
 * it for the crash report. Does not return to the program. */
void fault_user(struct trap_frame *frame, signal_t sig, const char *what, uintptr_t address);
/* Before every return to user mode after a trap or interrupt: bottom halves, preemption, death.
 * A cheap inline test (kernel/thread.h: thread_work_pending) guards it. */
void thread_return_to_user(void);

#endif
