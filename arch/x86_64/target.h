/*
 * What arch/arch.h leaves to the machine: x86-64.
 */
#ifndef ARCH_X86_64_TARGET_H
#define ARCH_X86_64_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define ARCH_LARGE_PAGE_SIZE (2ul << 20)
#define USER_START 0x10000ul
/* The last page of the lower half stays empty: so SYSRET's address is always canonical. */
#define USER_END 0x7ffffffff000ul
#define ARCH_ELF_MACHINE 62

/* A kernel stack; its top holds the thread's floating-point state. */
#ifdef DEBUG
#define KSTACK_SIZE 16384ul
#else
#define KSTACK_SIZE 8192ul
#endif

typedef uint64_t pa_t;

static inline void *pa_to_va(pa_t pa) {
  return (void *)(uintptr_t)(pa + X86_DIRECT_BASE);
}

/* Of the direct map or the kernel image; not of a kernel stack or a device mapping. */
static inline pa_t va_to_pa(const void *va) {
  uintptr_t v = (uintptr_t)va;
  return v >= X86_KERNEL_BASE ? v - X86_KERNEL_BASE : v - X86_DIRECT_BASE;
}

struct arch_thread {
  uint64_t rsp;     /* while it does not run */
  void *stack_top;  /* where a trap frame ends; the floating-point state begins here */
  uint64_t fs_base; /* of a user thread */
  bool user;        /* has entered user mode: has floating-point state and an FS base */
};

/* In this order the arguments of a system call are an array: rdi … rbx. */
struct trap_frame {
  uint64_t r15, r14, r13, r12, rbp, r11, rcx, rax;
  uint64_t rdi, rsi, rdx, r10, r8, r9, rbx;
  uint64_t vector, error;
  uint64_t rip, cs, rflags, rsp, ss; /* as the processor pushes them */
};

struct arch_aspace {
  pa_t root; /* the PML4 */
};

struct thread;

/* A word of this processor's struct x86_cpu. */
#define X86_PERCPU(type, offset) (*(type __attribute__((address_space(256))) *)(uintptr_t)(offset))

static inline struct thread *arch_current(void) {
  return (struct thread *)X86_PERCPU(uint64_t, X86_CPU_CURRENT);
}

static inline void arch_set_current(struct thread *t) {
  X86_PERCPU(uint64_t, X86_CPU_CURRENT) = (uint64_t)t;
}

static inline uint64_t arch_cycles(void) {
  uint32_t lo, hi;
  __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
  return (uint64_t)hi << 32 | lo;
}

extern bool x86_has_crc32c; /* cpu.c */

static inline bool arch_has_crc32c(void) {
  return x86_has_crc32c;
}

static inline uint32_t arch_crc32c_word(uint32_t crc, uint64_t word) {
  uint64_t sum = crc;
  __asm__("crc32q %1, %0" : "+r"(sum) : "r"(word));
  return (uint32_t)sum;
}

/* Loads and stores of ordinary memory stay in order but for a store before a load. */
static inline void arch_dma_wmb(void) {
  __asm__ volatile("" ::: "memory");
}

static inline void arch_dma_rmb(void) {
  __asm__ volatile("" ::: "memory");
}

static inline void arch_dma_mb(void) {
  __asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
}

#define X86_MMIO(bits, suffix, reg)                                         \
  static inline uint##bits##_t mmio_read##bits(const volatile void *p) {    \
    uint##bits##_t v;                                                       \
    __asm__ volatile("mov" suffix " %1, %0"                                 \
                     : reg(v)                                               \
                     : "m"(*(const volatile uint##bits##_t *)p)             \
                     : "memory");                                           \
    return v;                                                               \
  }                                                                         \
  static inline void mmio_write##bits(volatile void *p, uint##bits##_t v) { \
    __asm__ volatile("mov" suffix " %1, %0"                                 \
                     : "=m"(*(volatile uint##bits##_t *)p)                  \
                     : "ri"(v)                                              \
                     : "memory");                                           \
  }

X86_MMIO(8, "b", "=q")
X86_MMIO(16, "w", "=r")
X86_MMIO(32, "l", "=r")

static inline uint64_t mmio_read64(const volatile void *p) {
  uint64_t v;
  __asm__ volatile("movq %1, %0" : "=r"(v) : "m"(*(const volatile uint64_t *)p) : "memory");
  return v;
}

static inline void mmio_write64(volatile void *p, uint64_t v) {
  __asm__ volatile("movq %1, %0" : "=m"(*(volatile uint64_t *)p) : "r"(v) : "memory");
}

#endif
