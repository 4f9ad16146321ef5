/*
 * Traps: exceptions become page faults, signals of the program or panics; interrupts go to their
 * handlers; system calls to the neutral dispatcher.
 *
 * Called by vectors.S with interrupts off. A trap from user mode runs on the thread's kernel stack
 * and may sleep; one in the kernel is a device interrupt of the idle loop or a fault of a user
 * copy. The signals are those of the reference's section 8.3. DDI 0487, D17.2.37 (ESR_EL1).
 */
#include "arch/aarch64/a64.h"
#include "kernel/log.h"
#include "kernel/thread.h"
#include "kernel/user.h"

enum {
  EC_SHIFT = 26,
  EC_UNKNOWN = 0x00,
  EC_FETCH_USER = 0x20,
  EC_FETCH_KERNEL = 0x21,
  EC_DATA_USER = 0x24,
  EC_DATA_KERNEL = 0x25,
  ISS_WRITE = 1 << 6,
  ISS_CACHE = 1 << 8, /* cache maintenance: called a write, but reading is enough */
  ISS_FSC = 0x3f,
  FSC_LEVEL = 3, /* the low bits of the next four */
  FSC_SIZE = 0x00,
  FSC_TRANSLATION = 0x04,
  FSC_ACCESS = 0x08,
  FSC_PERMISSION = 0x0c,
  FSC_ALIGNMENT = 0x21,
};

struct exception {
  uint8_t class;
  signal_t signal; /* what the program is killed by; 0: never the program's fault */
  const char *name;
};

static const struct exception exceptions[] = {
    {EC_UNKNOWN, SIGILL, "invalid instruction"},
    {0x01, SIGILL, "trapped WFI or WFE"},
    {0x07, SIGILL, "trapped floating-point instruction"},
    {0x09, SIGILL, "trapped pointer authentication"},
    {0x0d, SIGILL, "branch target exception"},
    {0x0e, SIGILL, "illegal execution state"},
    {0x15, SIGILL, "system call"},
    {0x18, SIGILL, "privileged instruction"},
    {0x19, SIGILL, "trapped SVE instruction"},
    {0x1c, SIGILL, "pointer authentication failure"},
    {0x1d, SIGILL, "trapped SME instruction"},
    {EC_FETCH_USER, SIGSEGV, "instruction abort"},
    {EC_FETCH_KERNEL, 0, "instruction abort in the kernel"},
    {0x22, SIGBUS, "misaligned program counter"},
    {EC_DATA_USER, SIGSEGV, "data abort"},
    {EC_DATA_KERNEL, 0, "data abort in the kernel"},
    {0x26, SIGBUS, "misaligned stack pointer"},
    {0x2c, SIGFPE, "floating-point exception"},
    {0x2f, 0, "system error"},
    {0x30, SIGTRAP, "hardware breakpoint"},
    {0x31, 0, "hardware breakpoint in the kernel"},
    {0x32, SIGTRAP, "single step"},
    {0x33, 0, "single step in the kernel"},
    {0x34, SIGTRAP, "watchpoint"},
    {0x35, 0, "watchpoint in the kernel"},
    {0x3c, SIGTRAP, "breakpoint"},
};

struct fixup {
  uint64_t from, to;
};
extern const struct fixup a64_fixups[], a64_fixups_end[];

void a64_user_exception(struct trap_frame *f);
void a64_kernel_exception(struct trap_frame *f);
void a64_user_irq(struct trap_frame *f);
void a64_kernel_irq(struct trap_frame *f);
bool a64_syscall(struct trap_frame *f);
_Noreturn void a64_stack_overflow(struct trap_frame *f);
_Noreturn void a64_unexpected(struct trap_frame *f, unsigned vector);

static unsigned class_of(const struct trap_frame *f) {
  return f->esr >> EC_SHIFT & 0x3f;
}

static const struct exception *find_exception(unsigned class) {
  static const struct exception unknown = {0, 0, "unknown exception"};
  for (unsigned i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++)
    if (exceptions[i].class == class)
      return &exceptions[i];
  return &unknown;
}

static _Noreturn void fatal(const struct trap_frame *f) {
  arch_print_registers(f);
  panic("%s at 0x%lx, address 0x%lx, syndrome 0x%lx", find_exception(class_of(f))->name, f->pc,
        f->far, f->esr);
}

_Noreturn void a64_stack_overflow(struct trap_frame *f) {
  arch_print_registers(f);
  panic("kernel stack overflow at 0x%lx, address 0x%lx", f->pc, f->far);
}

_Noreturn void a64_unexpected(struct trap_frame *f, unsigned vector) {
  static const char *const kinds[] = {"exception", "interrupt", "fast interrupt", "system error"};
  arch_print_registers(f);
  panic("unexpected %s at 0x%lx, syndrome 0x%lx", kinds[vector % 4], f->pc, f->esr);
}

static const struct fixup *find_fixup(uint64_t pc) {
  for (const struct fixup *x = a64_fixups; x < a64_fixups_end; x++)
    if (x->from == pc)
      return x;
  return NULL;
}

/* Whether the page tables are to blame, and not an alignment or the bus. */
static bool is_page_fault(uint64_t esr) {
  unsigned kind = esr & ISS_FSC & ~FSC_LEVEL;
  return kind == FSC_TRANSLATION || kind == FSC_ACCESS || kind == FSC_PERMISSION ||
         kind == FSC_SIZE;
}

static unsigned fault_access(uint64_t esr, bool fetch) {
  if (fetch)
    return ARCH_EXEC;
  return (esr & ISS_WRITE) && !(esr & ISS_CACHE) ? ARCH_WRITE : ARCH_READ;
}

/* True: the access can be retried. Else what to call it, and the signal that it deserves. */
static bool serve(const struct trap_frame *f, bool fetch, signal_t *sig, const char **what) {
  *sig = SIGSEGV;
  *what = "page fault";
  if (!is_page_fault(f->esr)) {
    *sig = SIGBUS;
    *what = (f->esr & ISS_FSC) == FSC_ALIGNMENT ? "misaligned access" : "bus error";
    return false;
  }
  if (!user_range_ok(f->far, 1))
    return false;
  if (fault_page(f->far, fault_access(f->esr, fetch)))
    return true;
  *sig = fault_last_signal();
  *what = fault_last_reason();
  return false;
}

void a64_user_exception(struct trap_frame *f) {
  unsigned class = class_of(f);
  const struct exception *x = find_exception(class);
  signal_t sig = x->signal;
  const char *what = x->name;

  if (class == EC_FETCH_USER || class == EC_DATA_USER) {
    if (!serve(f, class == EC_FETCH_USER, &sig, &what))
      fault_user(f, sig, what, f->far);
  } else if (sig == 0) {
    fatal(f);
  } else {
    fault_user(f, sig, what, f->pc);
  }
  if (thread_work_pending(arch_current()))
    thread_return_to_user();
}

/* A user copy that faulted, or an instruction that the machine may not have. */
void a64_kernel_exception(struct trap_frame *f) {
  const struct fixup *fixup = find_fixup(f->pc);
  unsigned class = class_of(f);
  signal_t sig;
  const char *what;

  if (fixup == NULL || (class != EC_DATA_KERNEL && class != EC_UNKNOWN))
    fatal(f);
  if (class == EC_UNKNOWN || !serve(f, false, &sig, &what))
    f->pc = fixup->to;
}

void a64_user_irq(struct trap_frame *f) {
  (void)f;
  a64_irq_dispatch();
  if (thread_work_pending(arch_current()))
    thread_return_to_user();
}

void a64_kernel_irq(struct trap_frame *f) {
  (void)f;
  a64_irq_dispatch();
}

/* The convention of programs that trap by themselves (reference 1.7): results in x0 and x1, an
 * error by the carry flag and x0. All other registers survive. */
static __attribute__((noinline)) bool raw_syscall(struct thread *t, struct trap_frame *f) {
  uint64_t results[2] = {0, f->x[1]};
  errno_t e = syscall_raw_entry(t, f->x[8], f->x, results);
  f->pstate &= ~(uint64_t)A64_PSTATE_C;
  if (e != 0) {
    f->pstate |= A64_PSTATE_C;
    f->x[0] = e;
  } else {
    f->x[0] = results[0];
    f->x[1] = results[1];
  }
  if (thread_work_pending(t))
    thread_return_to_user();
  return true;
}

/* Returns whether the frame must be restored as a whole. */
bool a64_syscall(struct trap_frame *f) {
  struct thread *t = arch_current();

  if (__builtin_expect(syscall_is_raw(f->x[8]), 0))
    return raw_syscall(t, f);
  f->x[0] = syscall_entry(t, f->x[8], f->x);
  if (__builtin_expect(thread_work_pending(t), 0)) {
    thread_return_to_user();
    return true;
  }
  return false;
}
