/*
 * condvar_signal, lock_unlock. Reference sections 4.4, 4.5. Waiting is poll's: poll_lock.c.
 */
#include "kernel/lock.h"

#include "kernel/sys/sys.h"

errno_t sys_condvar_signal(struct thread *t, condvar_t *condvar, scope_t scope,
                           nthreads_t nwaiters) {
  (void)t;
  return condvar_signal(condvar, scope, nwaiters);
}

errno_t sys_lock_unlock(struct thread *t, lock_t *lock, scope_t scope) {
  (void)t;
  return lock_unlock(lock, scope);
}
