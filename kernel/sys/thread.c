/*
 * thread_create, thread_exit, thread_yield; thread_tcb_set (up to v0.7). Reference sections 1.5,
 * 4.2, 9.2.
 */
#include "kernel/thread.h"

#include "kernel/lock.h"
#include "kernel/process.h"
#include "kernel/sys/sys.h"
#include "kernel/user.h"

errno_t sys_thread_create(struct thread *t, struct threadattr *attr, tid_t *tid) {
  struct threadattr a;
  struct arch_user_start start = {0};
  struct thread *created;
  errno_t e = user_copy_in(&a, attr, sizeof a);
  if (e != 0)
    return e;
  uintptr_t low = (uintptr_t)a.stack;
  start.pc = (uintptr_t)a.entry_point;
  if (!user_range_ok(low, a.stack_len) || !user_range_ok(start.pc, 1))
    return EFAULT;
  e = arch_user_stack_init(&start, low, low + a.stack_len);
  if (e != 0)
    return e;
  e = user_touch(tid, sizeof *tid);
  if (e != 0)
    return e;
  start.arg1 = (uintptr_t)a.argument;
  e = thread_create_user(t->process, &start, &created);
  if (e != 0)
    return e;
  tid_t number = created->tid;
  created->user_start.arg0 = number;
  thread_wake(created); /* from now on it may be gone whenever this thread sleeps */
  return user_put(tid, number);
}

/* The lock is what others wait on to free this thread's stack: from its release on nothing of the
 * program's memory is touched. Its errors concern nobody any more. */
errno_t sys_thread_exit(struct thread *t, lock_t *lock, scope_t scope) {
  (void)t;
  (void)lock_unlock(lock, scope);
  thread_exit_current();
}

errno_t sys_thread_yield(struct thread *t) {
  (void)t;
  thread_yield();
  return 0;
}

/* What is not in user space could be a fault in the kernel, or a look into it. Nothing else can be
 * wrong: whether memory is there is found out by those who use it. */
errno_t sys_thread_tcb_set(struct thread *t, void *tcb) {
  (void)t;
  if ((uintptr_t)tcb > USER_END - sizeof(uint64_t))
    return EFAULT;
  arch_user_set_tls((uintptr_t)tcb);
  return 0;
}
