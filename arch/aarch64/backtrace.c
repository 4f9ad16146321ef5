/*
 * Where a thread is: registers, and return addresses along the frame pointers.
 *
 * Any context, a panic with broken stacks included: nothing unmapped is read.
 */
#include "arch/aarch64/a64.h"
#include "kernel/log.h"
#include "kernel/user.h"

struct frame_record {
  uintptr_t x29, x30;
};

size_t arch_backtrace(uintptr_t *pc, size_t max) {
  uintptr_t at = (uintptr_t)__builtin_frame_address(0);
  size_t n = 0;

  while (n < max && (at & 7) == 0 && a64_kernel_mapped(at) &&
         a64_kernel_mapped(at + sizeof(struct frame_record) - 1)) {
    const struct frame_record *r = (const struct frame_record *)at;
    if (r->x30 < A64_KERNEL_BASE)
      break;
    pc[n++] = r->x30;
    /* Callers lie above, unless it is the step from the emergency stack to another. */
    if (r->x29 <= at && at - r->x29 < KSTACK_SIZE)
      break;
    at = r->x29;
  }
  return n;
}

size_t arch_user_backtrace(const struct trap_frame *frame, uintptr_t *pc, size_t max) {
  uintptr_t at = frame->x[29];
  struct frame_record r;
  size_t n = 0;

  if (max > 0)
    pc[n++] = frame->pc;
  while (n < max && user_copy_in(&r, (const void *)at, sizeof r) == 0 && r.x30 != 0) {
    pc[n++] = r.x30;
    if (r.x29 <= at)
      break;
    at = r.x29;
  }
  return n;
}

void arch_print_registers(const struct trap_frame *f) {
  log_error("pc  %016lx  sp  %016lx  lr  %016lx  pstate %08lx", f->pc, f->sp, f->x[30], f->pstate);
  for (unsigned i = 0; i < 28; i += 4)
    log_error("x%-2u %016lx  x%-2u %016lx  x%-2u %016lx  x%-2u %016lx", i, f->x[i], i + 1,
              f->x[i + 1], i + 2, f->x[i + 2], i + 3, f->x[i + 3]);
  log_error("x28 %016lx  x29 %016lx", f->x[28], f->x[29]);
}
