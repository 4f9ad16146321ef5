/*
 * Calls that are not there yet: ENOSYS, whatever the arguments.
 */
#include "kernel/sys/sys.h"

errno_t sys_proc_exec(struct thread *t, fd_t fd, const void *data, size_t data_len, const fd_t *fds,
                      size_t fds_len) {
  return ENOSYS;
}

errno_t sys_proc_fork(struct thread *t, fd_t *fd, tid_t *tid) {
  return ENOSYS;
}
