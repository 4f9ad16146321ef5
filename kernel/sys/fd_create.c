/*
 * System calls that make descriptors out of nothing: fd_create1, fd_create2. Reference 2.3 (their
 * rights), 2.8, and 9.2 for the types that were retired.
 */
#include "ipc/shm.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/rights.h"
#include "kernel/sys/poll_set.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

/* Takes over the reference to f. */
static errno_t install_one(struct thread *t, struct file *f, rights_t base, rights_t inheriting,
                           fd_t *user_fd) {
  fd_t fd;
  errno_t e = fd_install(&t->process->fds, f, base, inheriting, &fd);
  if (e != 0) {
    file_unref(f);
    return e;
  }
  e = user_put(user_fd, fd);
  if (e != 0)
    fd_close(&t->process->fds, fd);
  return e;
}

static errno_t create(struct thread *t, filetype_t type, struct file **f) {
  switch (type) {
    case FILETYPE_SHARED_MEMORY:
      return shm_create(f);
    case FILETYPE_POLL:
      return poll_set_create(&t->process->fds, f);
    default:
      return EINVAL;
  }
}

errno_t sys_fd_create1(struct thread *t, filetype_t type, fd_t *fd) {
  rights_t base, inheriting;
  struct file *f;
  errno_t e = create(t, type, &f);
  if (e != 0)
    return e;
  rights_max(type, false, &base, &inheriting);
  return install_one(t, f, base, inheriting, fd);
}

errno_t sys_fd_create2(struct thread *t, filetype_t type, fd_t *fd1, fd_t *fd2) {
  return type == FILETYPE_SOCKET_STREAM || type == FILETYPE_SOCKET_DGRAM ? ENOSYS : EINVAL;
}
