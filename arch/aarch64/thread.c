/*
 * Threads: their first stack frame, the switch between them, and the entry into user mode.
 *
 * Kernel lock, interrupts off. The top of every kernel stack is room for floating-point state;
 * below it a user thread's trap frame ends.
 */
#include "arch/aarch64/a64.h"
#include "kernel/log.h"
#include "kernel/thread.h"
#include "kernel/user.h"

_Static_assert(offsetof(struct thread, arch) == 0, "arch_current() is an arch_thread too");
_Static_assert(A64_FPU_BYTES % 16 == 0, "the stack stays aligned");

/* What a64_switch_stack loads. */
struct switch_frame {
  uint64_t x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30;
};

void arch_thread_init(struct arch_thread *at, void *kstack, void (*entry)(void *), void *arg) {
  uint8_t *top = (uint8_t *)kstack + KSTACK_SIZE - A64_FPU_BYTES;
  /* The trap frame's place stays free: arch_user_enter() builds one there while it runs. */
  struct switch_frame *f = (struct switch_frame *)(top - sizeof(struct trap_frame)) - 1;
  *f = (struct switch_frame){
      .x19 = (uint64_t)entry,
      .x20 = (uint64_t)arg,
      .x30 = (uint64_t)a64_thread_trampoline,
  };
  *at = (struct arch_thread){.sp = (uint64_t)f, .stack_top = top};
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to) {
  if (from->user)
    from->tls = A64_READ(tpidr_el0); /* the program sets it itself */
  if (to->user) {
    A64_WRITE(tpidr_el0, to->tls);
    a64_fpu_switch(to);
  }
  a64_switch_stack(&from->sp, to->sp);
}

void arch_thread_destroy(struct arch_thread *at) {
  a64_fpu_forget(at);
}

/* ---- User mode ------------------------------------------------------------------------------- */

enum {
  TLS_BYTES = 256, /* from the TCB to the top of the stack */
};

/* The TCB (its word is the program's), and room behind it: compilers read the thread pointer before
 * the program replaces it, and write there (reference 1.4). The stack begins below. */
errno_t arch_user_stack_init(struct arch_user_start *start, uintptr_t low, uintptr_t top) {
  if (top < low || top - low < TLS_BYTES + 32)
    return EFAULT;
  uintptr_t tcb = (top - TLS_BYTES) & ~15ul;
  uint64_t words[2] = {0, 0};

  if (user_copy_out((void *)tcb, words, sizeof words) != 0)
    return EFAULT;
  start->tls = tcb;
  start->sp = tcb;
  return 0;
}

struct trap_frame *arch_user_frame(struct thread *t) {
  return (struct trap_frame *)t->arch.stack_top - 1;
}

_Noreturn void arch_user_enter(const struct arch_user_start *start) {
  struct thread *t = arch_current();
  struct trap_frame *f = arch_user_frame(t);
  struct trap_frame first = {
      .x = {start->arg0, start->arg1},
      .pc = start->pc,
      .sp = start->sp,
  };

  a64_pauth_init();
  a64_fpu_forget(&t->arch); /* of the program before, after an exec */
  t->arch.user = true;
  A64_WRITE(tpidr_el0, start->tls);
  a64_fpu_start(&t->arch);
  *f = first;
  a64_return_to_user(f);
}

void arch_thread_fork(struct arch_thread *child) {
  const struct thread *parent = arch_current();
  struct trap_frame *f = (struct trap_frame *)child->stack_top - 1;
  *f = *arch_user_frame(arch_current());
  f->x[0] = 0;
  a64_fpu_copy(child, &parent->arch);
  child->tls = A64_READ(tpidr_el0);
  child->user = true;
}

void arch_user_set_results(struct thread *t, uint64_t first, uint64_t second) {
  struct trap_frame *f = arch_user_frame(t);
  f->x[0] = first;
  f->x[1] = second;
  f->pstate &= ~(uint64_t)A64_PSTATE_C;
}

_Noreturn void arch_user_resume(void) {
  a64_return_to_user(arch_user_frame(arch_current()));
}

void arch_user_set_tls(uintptr_t tls) {
  A64_WRITE(tpidr_el0, tls);
}

uintptr_t arch_frame_pc(const struct trap_frame *frame) {
  return frame->pc;
}
