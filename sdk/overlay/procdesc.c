/*
 * Process descriptors: pdfork() and pdwait() (sys/procdesc.h).
 *
 * pdfork() is musl's fork(), which brings libc's own locks into order around the system call.
 * fork() by itself fails: there is no number by which a parent could know its child.
 */
#include <signal.h>
#include <sys/procdesc.h>
#include <unistd.h>

#include "sdk/overlay/overlay.h"

/* Where the parent's descriptor goes, while the thread is in pdfork(). */
static _Thread_local cloudabi_fd_t *fork_fd;

/* With the waiters' lock held, so that the child finds their list whole and can forget it. */
CALL0(fork) {
  cloudabi_fd_t fd;
  cloudabi_tid_t tid;

  if (fork_fd == NULL)
    return -ENOSYS;
  __futex_lock();
  cloudabi_errno_t error = cloudabi_sys_proc_fork(&fd, &tid);
  if (error == 0 && fd == CLOUDABI_PROCESS_CHILD) {
    __overlay_thread.tid = tid;
    __futex_reset();
    return 0;
  }
  __futex_unlock();
  if (error != 0)
    return __error(error);
  *fork_fd = fd;
  return 1;
}

int pdfork(int *fd) {
  cloudabi_fd_t child;

  fork_fd = &child;
  int result = fork();
  fork_fd = NULL;
  if (result > 0)
    *fd = child;
  return result;
}

static int error_of(int fd, cloudabi_errno_t error) {
  struct cloudabi_fdstat stat;

  if (error == CLOUDABI_ENOTCAPABLE && cloudabi_sys_fd_stat_get(fd, &stat) == 0 &&
      stat.fs_filetype != CLOUDABI_FILETYPE_PROCESS)
    return EINVAL;
  return -__error(error);
}

int pdwait(int fd, siginfo_t *info, int options) {
  const struct cloudabi_subscription in[2] = {
      {.type = CLOUDABI_EVENTTYPE_PROC_TERMINATE, .proc_terminate = {.fd = fd}},
      {.type = CLOUDABI_EVENTTYPE_CLOCK, .clock = {.clock_id = CLOUDABI_CLOCK_MONOTONIC}},
  };
  struct cloudabi_event out[2];
  size_t count;

  if ((options & ~WNOHANG) != 0)
    return EINVAL;
  cloudabi_errno_t error = cloudabi_sys_poll(in, out, (options & WNOHANG) != 0 ? 2 : 1, &count);
  if (error != 0)
    return -__error(error);
  const struct cloudabi_event *event = &out[0];
  if (count == 2 && event->type == CLOUDABI_EVENTTYPE_CLOCK)
    event = &out[1];
  *info = (siginfo_t){0};
  if (event->type == CLOUDABI_EVENTTYPE_CLOCK)
    return 0;
  if (event->error != 0)
    return error_of(fd, event->error);
  info->si_signo = SIGCHLD;
  info->si_code = event->proc_terminate.signal != 0 ? CLD_KILLED : CLD_EXITED;
  info->si_status = event->proc_terminate.signal != 0
                        ? __signal_to_linux(event->proc_terminate.signal)
                        : (int)event->proc_terminate.exitcode;
  return 0;
}
