/*
 * proc_exit, proc_raise. Reference section 8.3; proc_exec is in proc_exec.c.
 */
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"

errno_t sys_proc_exit(struct thread *t, exitcode_t rval) {
  process_kill(t->process, 0, rval);
  return 0; /* to nobody: the thread dies on its way back */
}

/* ---- Signals ---------------------------------------------------------------------------- */

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
