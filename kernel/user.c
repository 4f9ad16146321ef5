/*
 * Results of system calls that have no address: those of raw traps.
 *
 * Called by user_put() on the thread whose call it is; kernel lock; does not sleep.
 */
#include "kernel/user.h"

#include "kernel/string.h"
#include "kernel/thread.h"

_Static_assert(USER_RESULT(USER_RESULTS) < USER_START, "no program has memory there");

__attribute__((noinline, cold)) errno_t user_put_result(uintptr_t to, const void *value, size_t n) {
  struct thread *t = thread_current();
  size_t i = to / sizeof(uint64_t) - 1; /* huge for 0 */
  if (!t->raw || i >= USER_RESULTS || to != USER_RESULT(i) || n > sizeof(uint64_t))
    return EFAULT;
  t->raw_results[i] = 0;
  memcpy(&t->raw_results[i], value, n);
  return 0;
}
