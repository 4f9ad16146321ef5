/*
 * What the files of arch/x86_64 (and boot/x86_64) share; nobody else includes it.
 */
#ifndef ARCH_X86_64_X86_H
#define ARCH_X86_64_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

/* ---- Ports ----------------------------------------------------------------------------------- */

static inline void x86_out8(uint16_t port, uint8_t v) {
  __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline void x86_out16(uint16_t port, uint16_t v) {
  __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline void x86_out32(uint16_t port, uint32_t v) {
  __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}
static inline uint8_t x86_in8(uint16_t port) {
  uint8_t v;
  __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
  return v;
}
static inline uint16_t x86_in16(uint16_t port) {
  uint16_t v;
  __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
  return v;
}
static inline uint32_t x86_in32(uint16_t port) {
  uint32_t v;
  __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
  return v;
}

/* ---- Registers ------------------------------------------------------------------------------- */

enum {
  MSR_APIC_BASE = 0x1b,
  MSR_TSC_DEADLINE = 0x6e0,
  MSR_X2APIC = 0x800,
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

static inline uint64_t x86_rdmsr(uint32_t msr) {
  uint32_t lo, hi;
  __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
  return (uint64_t)hi << 32 | lo;
}
static inline void x86_wrmsr(uint32_t msr, uint64_t v) {
  __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

#define X86_READ_CR(n)                                          \
  static inline uint64_t x86_read_cr##n(void) {                 \
    uint64_t v;                                                 \
    __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v)::"memory"); \
    return v;                                                   \
  }
#define X86_WRITE_CR(n)                                      \
  static inline void x86_write_cr##n(uint64_t v) {           \
    __asm__ volatile("mov %0, %%cr" #n ::"r"(v) : "memory"); \
  }
X86_READ_CR(0)
X86_READ_CR(2)
X86_READ_CR(3)
X86_READ_CR(4)
X86_WRITE_CR(0)
X86_WRITE_CR(3)
X86_WRITE_CR(4)

static inline void x86_invlpg(uintptr_t va) {
  __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

struct x86_cpuid {
  uint32_t eax, ebx, ecx, edx;
};
static inline struct x86_cpuid x86_cpuid(uint32_t leaf, uint32_t subleaf) {
  struct x86_cpuid r;
  __asm__ volatile("cpuid"
                   : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                   : "a"(leaf), "c"(subleaf));
  return r;
}

enum {
  X86_RFLAGS_CF = 1 << 0,
  X86_RFLAGS_RESERVED = 1 << 1,
  X86_RFLAGS_TF = 1 << 8,
  X86_RFLAGS_IF = 1 << 9,
  X86_RFLAGS_DF = 1 << 10,
  X86_RFLAGS_NT = 1 << 14,
  X86_RFLAGS_AC = 1 << 18,
};

/* ---- cpu.c: features, descriptor tables ------------------------------------------------------ */

struct x86_features {
  bool smep, smap, umip, xsave, huge_pages, tsc_deadline, rdrand, rdseed, mce;
};
extern struct x86_features x86_features;

struct x86_tss {
  uint32_t reserved0;
  uint64_t rsp0, rsp1, rsp2;
  uint64_t reserved1;
  uint64_t ist[7];
  uint64_t reserved2;
  uint16_t reserved3, iomap_base;
} __attribute__((packed, aligned(4)));

/* A processor's own data, at %gs:0 in the kernel. */
struct x86_cpu {
  struct x86_cpu *self;
  struct thread *current;
  uint64_t user_rsp;             /* scratch of the system call entry */
  void *kernel_rsp;              /* where the current thread's trap frames end */
  struct arch_thread *fpu_owner; /* whose floating-point state the registers hold */
  struct x86_tss tss;
  uint64_t gdt[7];
};

static inline struct x86_cpu *x86_this_cpu(void) {
  return (struct x86_cpu *)X86_PERCPU(uint64_t, X86_CPU_SELF);
}

/* For functions that run while the stack protector's word changes. */
#define X86_NO_STACK_PROTECTOR __attribute__((no_stack_protector))

/* Features, and the descriptor tables and %gs of the boot processor. No page table is touched. */
X86_NO_STACK_PROTECTOR void x86_cpu_init(void);
/* Turns on what guards the kernel: needs the kernel's own page tables. */
void x86_cpu_protect(void);

/* ---- idt.c, entry.S, trap.c ------------------------------------------------------------------ */

void x86_idt_init(void);
void x86_syscall_entry(void);                                /* LSTAR */
_Noreturn void x86_return_to_user(struct trap_frame *frame); /* by IRET, with all registers */

/* ---- paging.c: the kernel's page tables ------------------------------------------------------ */

enum {
  X86_PTE_P = 1 << 0,
  X86_PTE_W = 1 << 1,
  X86_PTE_U = 1 << 2,
  X86_PTE_PWT = 1 << 3,
  X86_PTE_PCD = 1 << 4,
  X86_PTE_A = 1 << 5,
  X86_PTE_D = 1 << 6,
  X86_PTE_LARGE = 1 << 7,
  X86_PTE_G = 1 << 8,
};
#define X86_PTE_NX (1ull << 63)
#define X86_PTE_ADDRESS 0x000ffffffffff000ull

/* boot/x86_64/entry.S: the tables that the machine starts with and keeps. */
extern uint64_t x86_kernel_pml4[512], x86_kernel_pdpt[512], x86_kernel_pd[512];
extern uint64_t x86_kernel_pt[512];

void x86_paging_init(struct bootinfo *boot);

/* Bits of a leaf entry for ARCH_ protections. */
uint64_t x86_pte_bits(unsigned prot);

/* ---- kva.c: kernel addresses beside the direct map ------------------------------------------- */

/* Maps physical memory of any kind; NULL: no memory for tables. */
void *x86_kmap(pa_t pa, size_t size, unsigned prot);
/* Ends the latest mapping that x86_kmap made. */
void x86_kunmap_last(void *va, size_t size);
/* Whether a page is mapped at va (any kernel address); for backtraces. */
bool x86_kernel_mapped(uintptr_t va);
/* Whether va lies in the unmapped page below a kernel stack. */
bool x86_is_stack_guard(uintptr_t va);

/* ---- lapic.c, ioapic.c, irq.c ---------------------------------------------------------------- */

void x86_lapic_init(void);
void x86_lapic_eoi(void);
uint32_t x86_lapic_id(void);
/* The timer. After a change of mode it stands still. */
enum x86_lapic_timer_mode { X86_TIMER_ONE_SHOT, X86_TIMER_PERIODIC, X86_TIMER_DEADLINE };
void x86_lapic_timer_mode(enum x86_lapic_timer_mode mode);
/* Counts `ticks` down, then interrupts; 0 stops it. */
void x86_lapic_timer_start(uint32_t ticks);
uint32_t x86_lapic_timer_count(void);

void x86_ioapic_init(void);
/* Routes a global system interrupt to a vector of this processor. EINVAL: no such line. */
errno_t x86_ioapic_route(unsigned gsi, bool level, bool active_low, unsigned vector);

/* Runs the handlers of a device vector, or the timer's. */
void x86_irq_dispatch(unsigned vector);
/* An interrupt of the ISA bus (0 to 15), wherever the firmware says it arrives. */
errno_t x86_isa_irq_connect(unsigned irq, irq_handler_t *handler, void *arg);

/* ---- timer.c, clock.c ------------------------------------------------------------------------ */

void x86_timer_init(void);
void x86_timer_fired(void);
/* The frequencies, in Hz, of the time-stamp counter and of the LAPIC timer. */
void x86_calibrate(uint64_t *tsc_hz, uint64_t *lapic_hz);

/* ---- acpi.c: what the firmware's tables say -------------------------------------------------- */

#define X86_IOAPICS_MAX 8

struct x86_ioapic_info {
  pa_t pa;
  uint32_t gsi_base;
};
struct x86_isa_irq {
  uint32_t gsi;
  bool level, active_low;
};
struct x86_platform {
  struct x86_ioapic_info ioapic[X86_IOAPICS_MAX];
  unsigned ioapics;
  struct x86_isa_irq isa[16];
  uint16_t pm_timer_port; /* 0: none */
  pa_t ecam_pa;           /* 0: none; of bus ecam_bus_first */
  uint8_t ecam_bus_first, ecam_bus_last;
};
extern struct x86_platform x86_platform;

void x86_acpi_init(const struct bootinfo *boot);
/* Asks the firmware's tables how to power off, and does; returns if that is not to be had. */
void x86_acpi_poweroff(void);

/* ---- others ---------------------------------------------------------------------------------- */

void x86_console_init(void);
/* Realtime of KVM's paravirtual clock; 0: there is none. */
uint64_t x86_kvm_wallclock_ns(void);

void x86_fpu_init(void);
size_t x86_fpu_bytes(void);                  /* of a thread's state, a multiple of 64 */
void x86_fpu_switch(struct arch_thread *to); /* makes `to` the registers' owner */
void x86_fpu_start(struct arch_thread *at);  /* gives `at` the initial state */
void x86_fpu_copy(struct arch_thread *to, const struct arch_thread *from);
void x86_fpu_forget(struct arch_thread *at);

/* fw_cfg's file `name`, up to max bytes of it: number of bytes read; 0: no such file. */
size_t x86_fwcfg_read(const char *name, void *buf, size_t max);

/* platform.c: a PCI bus without firmware, of the device tree; NULL: none. */
struct x86_fdt_pci {
  pa_t ecam_pa;
  uint64_t ecam_bytes;
  pa_t window_pa; /* where BARs may go */
  uint64_t window_bytes;
};
const struct x86_fdt_pci *x86_fdt_pci(void);

/* switch.S */
void x86_switch_stack(uint64_t *save_rsp, uint64_t rsp);
void x86_thread_trampoline(void);

#endif
