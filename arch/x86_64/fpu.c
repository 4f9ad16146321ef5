/*
 * Floating-point and vector state of user threads: x87, SSE and, by XSAVE, AVX.
 *
 * The kernel itself uses no such register. So the state stays in the registers until another user
 * thread runs on this processor: going to sleep and waking up alone costs nothing. A thread's area
 * is the top of its kernel stack. Kernel lock, interrupts off.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/string.h"

enum {
  FXSAVE_BYTES = 512,
  XSAVE_HEADER_BYTES = 64,
  XCR0_X87 = 1,
  XCR0_SSE = 2,
  XCR0_AVX = 4,
  FCW_OFFSET = 0,
  FCW_DEFAULT = 0x37f,
  MXCSR_OFFSET = 24,
  MXCSR_DEFAULT = 0x1f80,
};

static size_t state_bytes = FXSAVE_BYTES;

void x86_fpu_init(void) {
  __asm__ volatile("fninit");
  if (!x86_features.xsave)
    return;
  uint32_t wanted = XCR0_X87 | XCR0_SSE | (x86_cpuid(0xd, 0).eax & XCR0_AVX);
  __asm__ volatile("xsetbv" ::"c"(0), "a"(wanted), "d"(0));
  state_bytes = (x86_cpuid(0xd, 0).ebx + 63) & ~63ul; /* for what XCR0 now has */
  ASSERT(state_bytes < KSTACK_SIZE / 4);
}

size_t x86_fpu_bytes(void) {
  return state_bytes;
}

static void save(void *area) {
  if (x86_features.xsave)
    __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
  else
    __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void restore(const void *area) {
  if (x86_features.xsave)
    __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
  else
    __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void x86_fpu_switch(struct arch_thread *to) {
  struct x86_cpu *cpu = x86_this_cpu();
  if (cpu->fpu_owner == to)
    return;
  if (cpu->fpu_owner != NULL)
    save(cpu->fpu_owner->stack_top);
  restore(to->stack_top);
  cpu->fpu_owner = to;
}

void x86_fpu_start(struct arch_thread *at) {
  uint8_t *area = at->stack_top;
  uint16_t fcw = FCW_DEFAULT;
  uint32_t mxcsr = MXCSR_DEFAULT;
  /* XRSTOR takes what the header does not name from the processor's initial state. */
  memset(area, 0, FXSAVE_BYTES + (x86_features.xsave ? XSAVE_HEADER_BYTES : 0));
  memcpy(area + FCW_OFFSET, &fcw, sizeof fcw);
  memcpy(area + MXCSR_OFFSET, &mxcsr, sizeof mxcsr);
  x86_fpu_switch(at);
}

void x86_fpu_copy(struct arch_thread *to, const struct arch_thread *from) {
  if (x86_this_cpu()->fpu_owner == from)
    save(from->stack_top);
  memcpy(to->stack_top, from->stack_top, state_bytes);
}

void x86_fpu_forget(struct arch_thread *at) {
  struct x86_cpu *cpu = x86_this_cpu();
  if (cpu->fpu_owner == at)
    cpu->fpu_owner = NULL;
}
