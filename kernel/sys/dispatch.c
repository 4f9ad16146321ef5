/*
 * From a trap to the system call: one table made of the one list.
 *
 * Registers carry arguments as the C calling convention leaves them: of a small integer only the
 * low bits mean anything, and a struct lookup lies in one register. A wrapper per call gives every
 * argument its type; the calls themselves never see a register.
 *
 * Called by arch for every trap, on the thread's kernel stack, kernel lock held. Reference 1.7.
 */
#include "arch/arch.h"
#include "kernel/string.h"
#include "kernel/sys/sys.h"
#include "kernel/sys/trace.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ARG takes the low bytes");

/* The i-th argument as a `type`. */
#define ARG(type, i)                                                \
  ({                                                                \
    __typeof__(type) arg_v;                                         \
    _Static_assert(sizeof arg_v <= sizeof a[i], "fits a register"); \
    memcpy(&arg_v, &a[i], sizeof arg_v);                            \
    arg_v;                                                          \
  })

#define WRAPPER(name, ...)                                          \
  static errno_t call_##name(struct thread *t, const uint64_t *a) { \
    return sys_##name(__VA_ARGS__);                                 \
  }
#define SYSCALL0(name, ...) WRAPPER(name, t)
#define SYSCALL1(name, t1, a1) WRAPPER(name, t, ARG(t1, 0))
#define SYSCALL2(name, t1, a1, t2, a2) WRAPPER(name, t, ARG(t1, 0), ARG(t2, 1))
#define SYSCALL3(name, t1, a1, t2, a2, t3, a3) WRAPPER(name, t, ARG(t1, 0), ARG(t2, 1), ARG(t3, 2))
#define SYSCALL4(name, t1, a1, t2, a2, t3, a3, t4, a4) \
  WRAPPER(name, t, ARG(t1, 0), ARG(t2, 1), ARG(t3, 2), ARG(t4, 3))
#define SYSCALL5(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
  WRAPPER(name, t, ARG(t1, 0), ARG(t2, 1), ARG(t3, 2), ARG(t4, 3), ARG(t5, 4))
#define SYSCALL6(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
  WRAPPER(name, t, ARG(t1, 0), ARG(t2, 1), ARG(t3, 2), ARG(t4, 3), ARG(t5, 4), ARG(t6, 5))
#define SYSCALL7(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6, t7, a7)             \
  WRAPPER(name, t, ARG(t1, 0), ARG(t2, 1), ARG(t3, 2), ARG(t4, 3), ARG(t5, 4), ARG(t6, 5), \
          ARG(t7, 6))
#include "abi/syscalls.def"

typedef errno_t syscall_t(struct thread *t, const uint64_t *args);

static syscall_t *const table[] = {
#define SYSCALL(name, ...) call_##name,
#include "abi/syscalls.def"
};

#define COUNT (sizeof table / sizeof table[0])
_Static_assert(COUNT == SYSCALL_END - SYSCALL_BASE, "a number per call");

static errno_t call_traced(struct thread *t, unsigned index, const uint64_t *args) {
  unsigned number = index + SYSCALL_BASE;
  if (number == SYSCALL_thread_exit || number == SYSCALL_proc_exit || number == SYSCALL_proc_exec)
    trace_call(t, index, args); /* there may be no result */
  if (number == SYSCALL_proc_exit)
    return table[index](t, args);
  errno_t e = table[index](t, args);
  trace_result(t, index, args, e);
  return e;
}

errno_t syscall_entry(struct thread *t, uint64_t number, const uint64_t args[7]) {
  uint64_t index = number - SYSCALL_BASE; /* raw traps of v0.1 to v0.3 become huge */
  if (__builtin_expect(index >= COUNT, 0))
    return ENOSYS;
  if (__builtin_expect(trace_sys, 0))
    return call_traced(t, (unsigned)index, args);
  return table[index](t, args);
}
