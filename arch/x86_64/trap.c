/*
 * Traps: exceptions become page faults, signals of the program or panics; interrupts go to their
 * handlers; system calls to the neutral dispatcher.
 *
 * Called by entry.S with interrupts off. A trap from user mode runs on the thread's kernel stack
 * and may sleep; one in the kernel is a device interrupt of the idle loop or a fault of a user
 * copy. The signals are those of the reference's section 8.3.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/thread.h"
#include "kernel/user.h"

enum {
  VECTOR_DOUBLE_FAULT = 8,
  VECTOR_PAGE_FAULT = 14,
  PF_WRITE = 1 << 1,
  PF_USER = 1 << 2,
  PF_RESERVED = 1 << 3,
  PF_EXEC = 1 << 4,
};

static const struct {
  const char *name;
  signal_t signal; /* what the program is killed by; 0: never the program's fault */
} exceptions[] = {
    [0] = {"division error", SIGFPE},
    [1] = {"debug exception", SIGTRAP},
    [2] = {"non-maskable interrupt", 0},
    [3] = {"breakpoint", SIGTRAP},
    [4] = {"overflow", SIGSEGV},
    [5] = {"bound exceeded", SIGSEGV},
    [6] = {"invalid instruction", SIGILL},
    [7] = {"device not available", SIGILL},
    [8] = {"double fault", 0},
    [10] = {"invalid TSS", 0},
    [11] = {"segment not present", SIGSEGV},
    [12] = {"stack segment fault", SIGSEGV},
    [13] = {"general protection fault", SIGSEGV},
    [14] = {"page fault", SIGSEGV},
    [16] = {"floating-point exception", SIGFPE},
    [17] = {"misaligned access", SIGBUS},
    [18] = {"machine check", 0},
    [19] = {"floating-point exception", SIGFPE},
    [21] = {"control protection fault", SIGSEGV},
};

struct fixup {
  uint64_t from, to;
};
extern const struct fixup x86_fixups[], x86_fixups_end[];

void x86_trap(struct trap_frame *f);
_Noreturn void x86_trap_fatal(struct trap_frame *f);
bool x86_syscall(struct trap_frame *f);

static const char *exception_name(uint64_t vector) {
  if (vector < sizeof exceptions / sizeof exceptions[0] && exceptions[vector].name != NULL)
    return exceptions[vector].name;
  return "unknown exception";
}

_Noreturn void x86_trap_fatal(struct trap_frame *f) {
  uint64_t cr2 = x86_read_cr2();
  arch_print_registers(f);
  if (f->vector == VECTOR_DOUBLE_FAULT && x86_is_stack_guard(cr2))
    panic("kernel stack overflow at 0x%lx, address 0x%lx", f->rip, cr2);
  if (f->vector == VECTOR_PAGE_FAULT)
    panic("page fault at 0x%lx, address 0x%lx, error 0x%lx", f->rip, cr2, f->error);
  panic("%s at 0x%lx, error 0x%lx", exception_name(f->vector), f->rip, f->error);
}

static unsigned fault_access(uint64_t error) {
  if (error & PF_EXEC)
    return ARCH_EXEC;
  return error & PF_WRITE ? ARCH_WRITE : ARCH_READ;
}

static void user_exception(struct trap_frame *f) {
  signal_t sig = 0;
  if (f->vector < sizeof exceptions / sizeof exceptions[0])
    sig = exceptions[f->vector].signal;
  if (sig == 0)
    x86_trap_fatal(f);
  fault_user(f, sig, exception_name(f->vector), f->rip);
}

static const struct fixup *find_fixup(uint64_t rip) {
  for (const struct fixup *x = x86_fixups; x < x86_fixups_end; x++)
    if (x->from == rip)
      return x;
  return NULL;
}

static void page_fault(struct trap_frame *f) {
  uintptr_t va = x86_read_cr2();
  bool user_mode = (f->cs & 3) != 0;
  const struct fixup *fixup = user_mode ? NULL : find_fixup(f->rip);

  if ((!user_mode && fixup == NULL) || (f->error & PF_RESERVED))
    x86_trap_fatal(f);
  /* What the processor accesses with its own rights for an instruction of the program would fault
   * again for ever: a descriptor, or a far return's stack where SMAP forbids it. */
  bool served = user_range_ok(va, 1) && (!user_mode || (f->error & PF_USER) != 0);
  signal_t sig = SIGSEGV;
  const char *what = "page fault";
  if (served && !fault_page(va, fault_access(f->error))) {
    served = false;
    sig = fault_last_signal();
    what = fault_last_reason();
  }
  if (served)
    return;
  if (user_mode)
    fault_user(f, sig, what, va);
  else
    f->rip = fixup->to;
}

/* Apart from x86_trap, so that interrupts do not save registers for its sake. */
static __attribute__((noinline)) void exception(struct trap_frame *f, bool user_mode) {
  if (f->vector == VECTOR_PAGE_FAULT)
    page_fault(f);
  else if (user_mode)
    user_exception(f);
  else
    x86_trap_fatal(f);
}

void x86_trap(struct trap_frame *f) {
  bool user_mode = (f->cs & 3) != 0;

  if (f->vector >= 32)
    x86_irq_dispatch((unsigned)f->vector);
  else
    exception(f, user_mode);

  if (user_mode && thread_work_pending(arch_current()))
    thread_return_to_user();
}

/* The convention of programs that trap by themselves (reference 1.7): results in rax and rdx, an
 * error by the carry flag and rax. Of the others only rcx and r11 need not survive; all do. */
static __attribute__((noinline)) bool raw_syscall(struct thread *t, struct trap_frame *f) {
  uint64_t results[2] = {0, f->rdx};
  errno_t e = syscall_raw_entry(t, f->rax, &f->rdi, results);
  f->rflags &= ~(uint64_t)X86_RFLAGS_CF;
  if (e != 0) {
    f->rflags |= X86_RFLAGS_CF;
    f->rax = e;
  } else {
    f->rax = results[0];
    f->rdx = results[1];
  }
  if (thread_work_pending(t))
    thread_return_to_user();
  return true;
}

/* Returns whether the frame must be restored as a whole. */
bool x86_syscall(struct trap_frame *f) {
  struct thread *t = arch_current();

  if (__builtin_expect(syscall_is_raw(f->rax), 0))
    return raw_syscall(t, f);
  f->rax = syscall_entry(t, f->rax, &f->rdi);
  if (__builtin_expect(thread_work_pending(t), 0)) {
    thread_return_to_user();
    return true;
  }
  return false;
}
