/*
 * The machine that host units see: user addresses are host addresses, and physical ones too.
 * Tests define what they need of arch/arch.h themselves.
 */
#ifndef ARCH_HOST_TARGET_H
#define ARCH_HOST_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define ARCH_LARGE_PAGE_SIZE (2ul << 20)
#define USER_START 0x10000ul
#define USER_END 0x7ffffffff000ul
#define ARCH_ELF_MACHINE 62
#define KSTACK_SIZE 65536

typedef uint64_t pa_t;

static inline void *pa_to_va(pa_t pa) {
  return (void *)(uintptr_t)pa;
}

static inline pa_t va_to_pa(const void *va) {
  return (pa_t)(uintptr_t)va;
}

struct thread;
struct arch_thread {
  void *unused;
};
struct trap_frame {
  uint64_t unused;
};
struct arch_aspace {
  pa_t root;
};

struct thread *arch_current(void);
void arch_set_current(struct thread *t);
uint64_t arch_cycles(void);

static inline bool arch_has_crc32c(void) {
  return false;
}

static inline uint32_t arch_crc32c_word(uint32_t crc, uint64_t word) {
  (void)word;
  return crc;
}

static inline void arch_dma_wmb(void) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void arch_dma_rmb(void) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void arch_dma_mb(void) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Device registers: the test that plays the device defines them. */
uint8_t mmio_read8(const volatile void *reg);
uint16_t mmio_read16(const volatile void *reg);
uint32_t mmio_read32(const volatile void *reg);
uint64_t mmio_read64(const volatile void *reg);
void mmio_write8(volatile void *reg, uint8_t v);
void mmio_write16(volatile void *reg, uint16_t v);
void mmio_write32(volatile void *reg, uint32_t v);
void mmio_write64(volatile void *reg, uint64_t v);

#endif
