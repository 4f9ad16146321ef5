/*
 * Threads: their first stack frame, the switch between them, and the entry into user mode.
 *
 * Kernel lock, interrupts off. The top of every kernel stack is room for floating-point state;
 * below it a user thread's trap frame ends.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/thread.h"
#include "kernel/user.h"

_Static_assert(offsetof(struct thread, arch) == 0, "arch_current() is an arch_thread too");

/* What x86_switch_stack pops. */
struct switch_frame {
  uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

void arch_thread_init(struct arch_thread *at, void *kstack, void (*entry)(void *), void *arg) {
  uint8_t *top = (uint8_t *)kstack + KSTACK_SIZE - x86_fpu_bytes();
  /* The trap frame's place stays free: arch_user_enter() builds one there while it runs. */
  struct switch_frame *f = (struct switch_frame *)(top - sizeof(struct trap_frame)) - 1;
  *f = (struct switch_frame){
      .rbx = (uint64_t)entry,
      .r12 = (uint64_t)arg,
      .rip = (uint64_t)x86_thread_trampoline,
  };
  *at = (struct arch_thread){.rsp = (uint64_t)f, .stack_top = top};
}

/* The processor enters the kernel on `at`'s stack from now on. */
static void use_thread(const struct arch_thread *at) {
  struct x86_cpu *cpu = x86_this_cpu();
  cpu->kernel_rsp = at->stack_top;
  cpu->tss.rsp0 = (uint64_t)at->stack_top;
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to) {
  if (to->user) {
    use_thread(to);
    x86_fpu_switch(to);
    x86_wrmsr(MSR_FS_BASE, to->fs_base);
  }
  x86_switch_stack(&from->rsp, to->rsp);
}

void arch_thread_destroy(struct arch_thread *at) {
  x86_fpu_forget(at);
}

/* ---- User mode ------------------------------------------------------------------------------- */

enum {
  TLS_BYTES = 192, /* from the word at the FS base to the top of the stack */
};

/* From the FS base up: a word that points to the TCB, the TCB (its word is the program's), and room
 * that compiled code may read (reference 1.4). Below: where a return address would stand. */
errno_t arch_user_stack_init(struct arch_user_start *start, uintptr_t low, uintptr_t top) {
  if (top < low || top - low < TLS_BYTES + 32)
    return EFAULT;
  uintptr_t tls = (top - TLS_BYTES) & ~15ul;
  uint64_t words[3] = {0, tls + 8, 0};

  if (user_copy_out((void *)(tls - 8), words, sizeof words) != 0)
    return EFAULT;
  start->tls = tls;
  start->sp = tls - 8;
  return 0;
}

struct trap_frame *arch_user_frame(struct thread *t) {
  return (struct trap_frame *)t->arch.stack_top - 1;
}

_Noreturn void arch_user_enter(const struct arch_user_start *start) {
  struct thread *t = arch_current();
  struct trap_frame *f = arch_user_frame(t);
  struct trap_frame first = {
      .rdi = start->arg0,
      .rsi = start->arg1,
      .rip = start->pc,
      .cs = X86_USER_CS,
      .rflags = X86_RFLAGS_RESERVED | X86_RFLAGS_IF,
      .rsp = start->sp,
      .ss = X86_USER_DS,
  };

  x86_fpu_forget(&t->arch); /* of the program before, after an exec */
  t->arch.user = true;
  t->arch.fs_base = start->tls;
  use_thread(&t->arch);
  x86_fpu_start(&t->arch);
  x86_wrmsr(MSR_FS_BASE, start->tls);
  *f = first;
  x86_return_to_user(f);
}

void arch_thread_fork(struct arch_thread *child) {
  const struct thread *parent = arch_current();
  struct trap_frame *f = (struct trap_frame *)child->stack_top - 1;
  *f = *arch_user_frame(arch_current());
  f->rax = 0;
  x86_fpu_copy(child, &parent->arch);
  child->fs_base = parent->arch.fs_base;
  child->user = true;
}

void arch_user_set_results(struct thread *t, uint64_t first, uint64_t second) {
  struct trap_frame *f = arch_user_frame(t);
  f->rax = first;
  f->rdx = second;
  f->rflags &= ~(uint64_t)X86_RFLAGS_CF;
}

_Noreturn void arch_user_resume(void) {
  x86_return_to_user(arch_user_frame(arch_current()));
}

void arch_user_set_tls(uintptr_t tls) {
  arch_current()->arch.fs_base = tls;
  x86_wrmsr(MSR_FS_BASE, tls);
}

uintptr_t arch_frame_pc(const struct trap_frame *frame) {
  return frame->rip;
}
