/*
 * From one kernel stack to another.
 */
#include "arch/x86_64/asm.h"

  .text

/* void x86_switch_stack(uint64_t *save_rsp, uint64_t rsp): the other registers are the compiler's to
 * lose. The layout is struct switch_frame of thread.c. */
FUNCTION x86_switch_stack
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret

/* The first code of a thread: entry (rbx) with its argument (r12). It does not return. */
FUNCTION x86_thread_trampoline
  mov %r12, %rdi
  xor %ebp, %ebp
  call *%rbx
  ud2
