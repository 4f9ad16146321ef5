/*
 * What the files of arch/aarch64 (and boot/aarch64) share; nobody else includes it.
 */
#ifndef ARCH_AARCH64_A64_H
#define ARCH_AARCH64_A64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/aarch64/layout.h"
#include "arch/aarch64/platform.h"
#include "arch/arch.h"

/* ---- Registers ------------------------------------------------------------------------------- */

/* By its name, or as s3_0_c1_c2_3. */
#define A64_READ(name)                                \
  ({                                                  \
    uint64_t a64_v;                                   \
    __asm__ volatile("mrs %0, " #name : "=r"(a64_v)); \
    a64_v;                                            \
  })
#define A64_WRITE(name, value) \
  __asm__ volatile("msr " #name ", %0" ::"r"((uint64_t)(value)) : "memory")

static inline void a64_isb(void) {
  __asm__ volatile("isb" ::: "memory");
}
/* All memory accesses before it are done; of table entries: the table walks see them. */
static inline void a64_dsb(void) {
  __asm__ volatile("dsb ish" ::: "memory");
}
static inline void a64_dsb_stores(void) {
  __asm__ volatile("dsb ishst" ::: "memory");
}

enum {
  A64_PSTATE_C = 1 << 29,
  A64_PSTATE_MODE = 0xf, /* 0: user mode */
};

/* ---- cpu.c: features and vectors ------------------------------------------------------------- */

struct a64_features {
  bool pan, bti, pauth, rng;
};
extern struct a64_features a64_features;

/* For functions that run while the stack protector's word changes. */
#define A64_NO_STACK_PROTECTOR __attribute__((no_stack_protector))

/* Features and vectors; text must still be writable. */
A64_NO_STACK_PROTECTOR void a64_cpu_init(const struct bootinfo *boot);
/* Turns on what guards the kernel: needs the kernel's own page tables. */
void a64_cpu_protect(void);
/* Random keys for the program's signed pointers, once, when there are random numbers. */
void a64_pauth_init(void);

/* ---- vectors.S, trap.c ----------------------------------------------------------------------- */

extern const char a64_vectors[];
_Noreturn void a64_return_to_user(struct trap_frame *frame); /* with all registers */

/* ---- paging.c: the kernel's page tables ------------------------------------------------------ */

enum {
  A64_PTE_VALID = 1 << 0,
  A64_PTE_TABLE = 1 << 1, /* a table, or on the last level a page; else a large page */
  A64_PTE_DEVICE = 1 << 2,
  A64_PTE_USER = 1 << 6,
  A64_PTE_READ_ONLY = 1 << 7,
  A64_PTE_SHARED = 3 << 8,
  A64_PTE_AF = 1 << 10,
  A64_PTE_NG = 1 << 11, /* the entry is of one address space */
};
#define A64_PTE_GUARDED (1ull << 50)
#define A64_PTE_PXN (1ull << 53)
#define A64_PTE_UXN (1ull << 54)
#define A64_PTE_ADDRESS 0x0000fffffffff000ull

/* boot/aarch64/entry.S: the tables that the machine starts with and keeps. */
extern uint64_t a64_kernel_l0[512], a64_kernel_l1[512], a64_kernel_l2[512], a64_kernel_l3[512];
extern uint64_t a64_boot_l1[512];

/* Where memory is seen before arch_init_early() is through: the GiB of the image, and of the device
 * tree. */
static inline void *a64_boot_va(pa_t pa) {
  return (void *)(uintptr_t)(pa + A64_BOOT_BASE);
}

void a64_paging_init(struct bootinfo *boot);
/* Bits of a leaf entry for ARCH_ protections; the caller adds A64_PTE_TABLE to a page's. */
uint64_t a64_pte_bits(unsigned prot);
/* Forgets the kernel's translation of one page. */
void a64_flush_kernel(uintptr_t va);

/* ---- kva.c: kernel addresses beside the direct map ------------------------------------------- */

/* Until page_init(): where pages for tables come from. NULL: the page allocator. */
void a64_kva_boot(struct bootinfo *boot);
/* Maps physical memory of any kind; NULL: no memory for tables. */
void *a64_kmap(pa_t pa, size_t size, unsigned prot);
/* Ends the latest mapping that a64_kmap made. */
void a64_kunmap_last(void *va, size_t size);
/* Whether a page is mapped at va (any kernel address); for backtraces. */
bool a64_kernel_mapped(uintptr_t va);

/* ---- irq.c, gic*.c --------------------------------------------------------------------------- */

enum { A64_INTID_NONE = 1023, A64_SPI_FIRST = 32, A64_SPI_END = 1020 };

void a64_irq_init(void);
/* Takes an interrupt, from the vectors. */
void a64_irq_dispatch(void);
/* Like arch_irq_connect, for any INTID below 1020. */
errno_t a64_irq_handle(unsigned intid, bool level, irq_handler_t *handler, void *arg);

/* A version of the interrupt controller. */
struct a64_gic {
  unsigned (*acknowledge)(void); /* the INTID, or A64_INTID_NONE and above: nothing pending */
  void (*end)(unsigned intid);
  void (*enable)(unsigned intid, bool level);
  errno_t (*msi_alloc)(irq_handler_t *handler, void *arg, uint32_t device_id, struct arch_msi *msi);
};
/* NULL: it can't be mapped. */
const struct a64_gic *a64_gic2_init(void);
const struct a64_gic *a64_gic3_init(void);
/* What both have: the distributor's registers for shared interrupts. */
void a64_gicd_init(volatile uint8_t *gicd);
unsigned a64_gicd_lines(void); /* INTIDs from A64_SPI_FIRST below this are there */
/* `regs` is the distributor, or for private interrupts of version 3 the redistributor's. */
void a64_gic_enable(volatile uint8_t *regs, unsigned intid, bool level);

/* ---- others ---------------------------------------------------------------------------------- */

extern struct a64_platform a64_platform;

/* platform_fdt.c: fills a64_platform from the device tree. False: it is none. */
bool a64_platform_from_fdt(struct a64_platform *platform, const void *blob, size_t max);
/* Where INTx of a PCI function arrives; 0: not told. pin: 1 to 4. */
unsigned a64_intx_line(unsigned bdf, unsigned pin);

void a64_console_init(void); /* maps the UART */
void a64_timer_init(void);

/* fpu.c */
enum { A64_FPU_BYTES = 528 };
void a64_fpu_switch(struct arch_thread *to); /* makes `to` the registers' owner */
void a64_fpu_start(struct arch_thread *at);  /* gives `at` the initial state */
void a64_fpu_copy(struct arch_thread *to, const struct arch_thread *from);
void a64_fpu_forget(struct arch_thread *at);

/* switch.S */
void a64_switch_stack(uint64_t *save_sp, uint64_t sp);
void a64_thread_trampoline(void);
void a64_fpu_save(void *area);
void a64_fpu_restore(const void *area);

#endif
