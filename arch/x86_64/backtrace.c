/*
 * Where a thread is: registers, and return addresses along the frame pointers.
 *
 * Any context, a panic with broken stacks included: nothing unmapped is read.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/user.h"

struct frame_record {
  uintptr_t rbp, rip;
};

size_t arch_backtrace(uintptr_t *pc, size_t max) {
  uintptr_t rbp = (uintptr_t)__builtin_frame_address(0);
  size_t n = 0;

  while (n < max && (rbp & 7) == 0 && x86_kernel_mapped(rbp) &&
         x86_kernel_mapped(rbp + sizeof(struct frame_record) - 1)) {
    const struct frame_record *r = (const struct frame_record *)rbp;
    if (r->rip < X86_KERNEL_BASE)
      break;
    pc[n++] = r->rip;
    /* Callers lie above, unless it is the step from the emergency stack to another. */
    if (r->rbp <= rbp && rbp - r->rbp < KSTACK_SIZE)
      break;
    rbp = r->rbp;
  }
  return n;
}

size_t arch_user_backtrace(const struct trap_frame *frame, uintptr_t *pc, size_t max) {
  uintptr_t rbp = frame->rbp;
  struct frame_record r;
  size_t n = 0;

  if (max > 0)
    pc[n++] = frame->rip;
  while (n < max && user_copy_in(&r, (const void *)rbp, sizeof r) == 0 && r.rip != 0) {
    pc[n++] = r.rip;
    if (r.rbp <= rbp)
      break;
    rbp = r.rbp;
  }
  return n;
}

void arch_print_registers(const struct trap_frame *f) {
  log_error("rip %016lx  rsp %016lx  rflags %08lx  cs %02lx", f->rip, f->rsp, f->rflags, f->cs);
  log_error("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
  log_error("rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
  log_error("r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx", f->r9, f->r10, f->r11, f->r12);
  log_error("r13 %016lx  r14 %016lx  r15 %016lx", f->r13, f->r14, f->r15);
}
