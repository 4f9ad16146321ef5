/*
 * System calls that make descriptors out of nothing: fd_create1, fd_create2. Reference 2.3 (their
 * rights), 2.8, and 9.2 for the types that were retired.
 */
#include "ipc/ipc.h"
#include "ipc/shm.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/rights.h"
#include "kernel/sys/poll_set.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

static bool is_socket_type(filetype_t type) {
  return type == FILETYPE_SOCKET_STREAM || type == FILETYPE_SOCKET_DGRAM ||
         type == FILETYPE_SOCKET_SEQPACKET;
}

/* ---- One ------------------------------------------------------------------------------------- */

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

static errno_t create_one(struct thread *t, filetype_t type, struct file **f) {
  if (is_socket_type(type)) /* retired */
    return ipc_socket(type, f);
  switch (type) {
    case FILETYPE_SHARED_MEMORY:
      return shm_create(f);
    case FILETYPE_POLL: /* retired */
      return poll_set_create(&t->process->fds, f);
    default:
      return EINVAL;
  }
}

errno_t sys_fd_create1(struct thread *t, filetype_t type, fd_t *fd) {
  rights_t base, inheriting;
  struct file *f;
  errno_t e = create_one(t, type, &f);
  if (e != 0)
    return e;
  /* Nothing but retired calls can use what they made. */
  rights_max(type, is_socket_type(type), &base, &inheriting);
  return install_one(t, f, base, inheriting, fd);
}

/* ---- Two ------------------------------------------------------------------------------------- */

/* Takes over the references to both ends; both get their numbers or none. */
static errno_t install_pair(struct thread *t, struct fd_entry ends[2], fd_t *user_fd1,
                            fd_t *user_fd2) {
  struct fdtable *fds = &t->process->fds;
  fd_t fd[2];
  unsigned done = 0;
  errno_t e = 0;
  for (; e == 0 && done < 2; done += e == 0)
    e = fd_install(fds, ends[done].file, ends[done].base, ends[done].inheriting, &fd[done]);
  if (e == 0)
    e = user_put(user_fd1, fd[0]);
  if (e == 0)
    e = user_put(user_fd2, fd[1]);
  for (unsigned i = 0; e != 0 && i < 2; i++) {
    if (i < done)
      fd_close(fds, fd[i]);
    else
      file_unref(ends[i].file);
  }
  return e;
}

errno_t sys_fd_create2(struct thread *t, filetype_t type, fd_t *fd1, fd_t *fd2) {
  struct file *files[2];
  struct fd_entry ends[2];
  rights_t base, inheriting;
  if (!is_socket_type(type) && type != FILETYPE_FIFO)
    return EINVAL;
  errno_t e = type == FILETYPE_FIFO ? ipc_fifo(files) : ipc_pair(type, files);
  if (e != 0)
    return e;
  rights_max(type, t->process->retired_rights, &base, &inheriting);
  for (unsigned i = 0; i < 2; i++)
    ends[i] = (struct fd_entry){files[i], base, inheriting};
  if (type == FILETYPE_FIFO) { /* in one direction: from the second to the first */
    ends[0].base &= ~RIGHT_FD_WRITE;
    ends[1].base &= ~RIGHT_FD_READ;
  }
  return install_pair(t, ends, fd1, fd2);
}
