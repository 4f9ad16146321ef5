/*
 * Floating-point and vector state of user threads: 32 registers of 128 bits, FPSR and FPCR.
 *
 * The kernel itself uses no such register. So the state stays in the registers until another user
 * thread runs on this processor: going to sleep and waking up alone costs nothing, a change from
 * one user thread to another 16 stores and 16 loads of register pairs. A thread's area is the top
 * of its kernel stack. SVE and SME stay off. Kernel lock, interrupts off.
 */
#include "arch/aarch64/a64.h"
#include "kernel/string.h"

static struct arch_thread *owner; /* whose state the registers hold */

void a64_fpu_switch(struct arch_thread *to) {
  if (owner == to)
    return;
  if (owner != NULL)
    a64_fpu_save(owner->stack_top);
  a64_fpu_restore(to->stack_top);
  owner = to;
}

void a64_fpu_start(struct arch_thread *at) {
  memset(at->stack_top, 0, A64_FPU_BYTES);
  a64_fpu_switch(at);
}

void a64_fpu_copy(struct arch_thread *to, const struct arch_thread *from) {
  if (owner == from)
    a64_fpu_save(from->stack_top);
  memcpy(to->stack_top, from->stack_top, A64_FPU_BYTES);
}

void a64_fpu_forget(struct arch_thread *at) {
  if (owner == at)
    owner = NULL;
}
