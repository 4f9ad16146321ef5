/*
 * What arch/arch.h leaves to the machine: aarch64.
 */
#ifndef ARCH_AARCH64_TARGET_H
#define ARCH_AARCH64_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define ARCH_LARGE_PAGE_SIZE (2ul << 20)
#define USER_START 0x10000ul
#define USER_END 0x1000000000000ul
#define ARCH_ELF_MACHINE 183

/* A kernel stack; its top holds the thread's floating-point state. */
#define KSTACK_SIZE ((size_t)A64_KSTACK_BYTES)

typedef uint64_t pa_t;

/* Kernel address minus physical address of the image, which a loader puts anywhere. */
extern uint64_t a64_image_offset;

static inline void *pa_to_va(pa_t pa) {
  return (void *)(uintptr_t)(pa + A64_DIRECT_BASE);
}

/* Of the direct map or the kernel image; not of a kernel stack or a device mapping. */
static inline pa_t va_to_pa(const void *va) {
  uintptr_t v = (uintptr_t)va;
  return v >= A64_KERNEL_BASE ? v - a64_image_offset : v - A64_DIRECT_BASE;
}

struct arch_thread {
  uint64_t sp;     /* while it does not run */
  void *stack_top; /* where a trap frame ends; the floating-point state begins here */
  uint64_t tls;    /* tpidr_el0 of a user thread while it does not run */
  bool user;       /* has entered user mode: has floating-point state and a TLS register */
};

struct trap_frame {
  uint64_t x[31];
  uint64_t sp, pc, pstate;
  uint64_t esr, far;  /* what the processor said of the exception */
  uint64_t record[2]; /* of a trap in the kernel: a frame record for the backtrace */
};

struct arch_aspace {
  pa_t root;           /* the top table, for TTBR0 */
  uint32_t generation; /* in which asid was given; 0: never */
  uint16_t asid;
};

struct thread;

static inline struct thread *arch_current(void) {
  struct thread *t;
  __asm__ volatile("mrs %0, tpidr_el1" : "=r"(t));
  return t;
}

static inline void arch_set_current(struct thread *t) {
  __asm__ volatile("msr tpidr_el1, %0" ::"r"(t) : "memory");
}

static inline uint64_t arch_cycles(void) {
  uint64_t v;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
  return v;
}

extern bool a64_has_crc32c; /* cpu.c */

static inline bool arch_has_crc32c(void) {
  return a64_has_crc32c;
}

static inline uint32_t arch_crc32c_word(uint32_t crc, uint64_t word) {
  __asm__(".arch_extension crc\ncrc32cx %w0, %w0, %1" : "+r"(crc) : "r"(word));
  return crc;
}

static inline void arch_dma_wmb(void) {
  __asm__ volatile("dmb oshst" ::: "memory");
}

static inline void arch_dma_rmb(void) {
  __asm__ volatile("dmb oshld" ::: "memory");
}

static inline void arch_dma_mb(void) {
  __asm__ volatile("dmb osh" ::: "memory");
}

/* Plain loads and stores of one register: a hypervisor emulates no others. A read waits for what
 * the device did before it, a write for all memory writes before it. */
#define A64_MMIO(bits, load, store, width)                                                    \
  static inline uint##bits##_t mmio_read##bits(const volatile void *p) {                      \
    uint##bits##_t v;                                                                         \
    __asm__ volatile(load " %" width "0, [%1]\n\tdmb oshld" : "=r"(v) : "r"(p) : "memory");   \
    return v;                                                                                 \
  }                                                                                           \
  static inline void mmio_write##bits(volatile void *p, uint##bits##_t v) {                   \
    __asm__ volatile("dmb oshst\n\t" store " %" width "0, [%1]" ::"r"(v), "r"(p) : "memory"); \
  }

A64_MMIO(8, "ldrb", "strb", "w")
A64_MMIO(16, "ldrh", "strh", "w")
A64_MMIO(32, "ldr", "str", "w")
A64_MMIO(64, "ldr", "str", "x")

#endif
