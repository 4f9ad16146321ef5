/*
 * proc_exit, proc_fork, proc_raise. Reference sections 8.1 and 8.3; proc_exec is in proc_exec.c.
 */
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

errno_t sys_proc_exit(struct thread *t, exitcode_t rval) {
  process_kill(t->process, 0, rval);
  return 0; /* to nobody: the thread dies on its way back */
}

/* ---- Fork ------------------------------------------------------------------------------------ */

/* Stores the child's results where the pointers lead in its own memory. */
static errno_t put_child_results(struct process *child, fd_t *fd, tid_t *tid) {
  static const fd_t in_child = PROCESS_CHILD;
  struct thread *thread = process_fork_thread(child);
  tid_t number = thread->tid;
  if (thread_current()->raw) {
    arch_user_set_results(thread, in_child, number);
    return 0;
  }
  errno_t e = aspace_write(child->aspace, (uintptr_t)fd, &in_child, sizeof in_child);
  if (e == 0)
    e = aspace_write(child->aspace, (uintptr_t)tid, &number, sizeof number);
  return e;
}

errno_t sys_proc_fork(struct thread *t, fd_t *fd, tid_t *tid) {
  struct process *child;
  fd_t number;
  (void)t;
  errno_t e = user_touch(fd, sizeof *fd);
  if (e == 0)
    e = user_touch(tid, sizeof *tid);
  if (e == 0)
    e = process_fork(&child);
  if (e != 0)
    return e;
  e = put_child_results(child, fd, tid);
  if (e != 0) {
    process_fork_abandon(child);
    return e;
  }
  e = process_fork_start(child, &number);
  return e != 0 ? e : user_put(fd, number);
}

/* ---- Signals --------------------------------------------------------------------------------- */

/* Nothing in the ABI makes a stopped process go on. */
static void stop(struct process *p, signal_t sig) {
  if (p == process_first)
    log_warn("the program has stopped itself (signal %u); nothing can make it go on", sig);
  process_stop(p);
}

errno_t sys_proc_raise(struct thread *t, signal_t sig) {
  if (sig < SIGABRT || sig > SIGXFSZ)
    return EINVAL;
  switch (sig) {
    case SIGCHLD:
    case SIGCONT: /* the process runs, or it could not call */
    case SIGPIPE:
    case SIGURG:
      return 0;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
      stop(t->process, sig);
      return 0;
    default:
      process_kill(t->process, sig, 0);
      return 0;
  }
}
