/*
 * Calls that are not there yet: ENOSYS, whatever the arguments.
 */
#include "kernel/sys/sys.h"

errno_t sys_sock_stat_get(struct thread *t, fd_t sock, struct sockstat *buf, ssflags_t flags) {
  return ENOSYS;
}

errno_t sys_sock_bind(struct thread *t, fd_t sock, fd_t fd, const char *path, size_t path_len) {
  return ENOSYS;
}

errno_t sys_sock_connect(struct thread *t, fd_t sock, fd_t fd, const char *path, size_t path_len) {
  return ENOSYS;
}

errno_t sys_sock_listen(struct thread *t, fd_t sock, backlog_t backlog) {
  return ENOSYS;
}
