/*
 * System calls on sockets: sock_*. Reference section 7, and 9.2 for sock_accept.
 */
#include "kernel/file.h"
#include "kernel/heap.h"
#include "kernel/process.h"
#include "kernel/rights.h"
#include "kernel/string.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define MESSAGE_FDS_MAX 500 /* descriptors in one message; reference 7.1 */

static struct fdtable *fds_of(struct thread *t) {
  return &t->process->fds;
}

/* Where the i-th number of a program's array lies: of any value, no pointer yet. */
static fd_t *fd_at(const fd_t *user_fds, size_t i) {
  return (fd_t *)((uintptr_t)user_fds + i * sizeof(fd_t));
}

/* Drops the references of descriptors in flight, and the array. */
static void release_fds(struct fd_entry *fds, size_t n) {
  for (size_t i = 0; i < n; i++)
    file_unref(fds[i].file);
  kfree(fds);
}

/* ---- Sending -------------------------------------------------------------------------- */

/* Looks the descriptors of a message up: all of them or none. */
static errno_t collect_fds(struct thread *t, const fd_t *user_fds, size_t n, struct sockmsg *msg) {
  fd_t fd;
  struct fd_entry *entry;
  if (n == 0)
    return 0;
  if (n > MESSAGE_FDS_MAX)
    return EINVAL;
  msg->fds = kmalloc(n * sizeof *msg->fds);
  if (msg->fds == NULL)
    return ENOMEM;
  msg->fds_max = n;
  while (msg->fds_len < n) {
    errno_t e = user_copy_in(&fd, fd_at(user_fds, msg->fds_len), sizeof fd);
    if (e == 0)
      e = fd_lookup(fds_of(t), fd, &entry);
    if (e != 0)
      return e;
    msg->fds[msg->fds_len++] = *entry;
    file_ref(entry->file);
  }
  return 0;
}

static errno_t send(struct thread *t, struct file *f, const struct send_in *in, size_t *sent) {
  struct uio uio;
  struct sockmsg msg = {.uio = &uio, .flags = in->si_flags};
  if (f->ops->send == NULL)
    return ENOTSOCK;
  errno_t e = uio_init_user(&uio, in->si_data, in->si_data_len);
  if (e != 0)
    return e;
  size_t wanted = uio.resid;
  e = collect_fds(t, in->si_fds, in->si_fds_len, &msg);
  if (e == 0)
    e = f->ops->send(f, &msg);
  *sent = wanted - uio.resid;
  release_fds(msg.fds, msg.fds_len);
  uio_destroy(&uio);
  return e;
}

errno_t sys_sock_send(struct thread *t, fd_t sock, const struct send_in *in, struct send_out *out) {
  struct send_in msg;
  struct send_out result;
  struct file *f;
  errno_t e = user_copy_in(&msg, in, sizeof msg);
  if (e != 0)
    return e;
  if (msg.si_flags != 0)
    return EINVAL;
  e = fd_get(fds_of(t), sock, RIGHT_FD_WRITE, &f);
  if (e != 0)
    return e;
  e = send(t, f, &msg, &result.so_datalen);
  file_unref(f);
  return e == 0 ? user_copy_out(out, &result, sizeof result) : e;
}

/* ---- Receiving ------------------------------------------------------------------------ */

/* Gives received descriptors their numbers and takes over their references. Those for which there
 * is no number are dropped, and the message counts as truncated. EFAULT: none stays. */
static errno_t deliver_fds(struct thread *t, struct sockmsg *msg, fd_t *user_fds, size_t *n) {
  errno_t e = 0;
  size_t done = 0;
  for (size_t i = 0; i < msg->fds_len; i++) {
    struct fd_entry in_flight = msg->fds[i];
    fd_t *number = (fd_t *)&msg->fds[done]; /* the front of the array is free again */
    if (fd_install(fds_of(t), in_flight.file, in_flight.base, in_flight.inheriting, number) != 0) {
      msg->out_flags |= SOCK_RECV_FDS_TRUNCATED;
      file_unref(in_flight.file);
    } else {
      done++;
    }
  }
  for (size_t i = 0; e == 0 && i < done; i++)
    e = user_copy_out(fd_at(user_fds, i), (fd_t *)&msg->fds[i], sizeof(fd_t));
  for (size_t i = 0; e != 0 && i < done; i++)
    fd_close(fds_of(t), *(fd_t *)&msg->fds[i]);
  *n = done;
  return e;
}

static errno_t recv(struct thread *t, struct file *f, const struct recv_in *in,
                    struct recv_out *out) {
  struct uio uio;
  struct sockmsg msg = {.uio = &uio, .flags = in->ri_flags};
  if (f->ops->recv == NULL)
    return ENOTSOCK;
  errno_t e = uio_init_user(&uio, in->ri_data, in->ri_data_len);
  if (e != 0)
    return e;
  size_t wanted = uio.resid;
  if (in->ri_fds_len > 0) {
    msg.fds_max = in->ri_fds_len < MESSAGE_FDS_MAX ? in->ri_fds_len : MESSAGE_FDS_MAX;
    msg.fds = kmalloc(msg.fds_max * sizeof *msg.fds);
    e = msg.fds != NULL ? 0 : ENOMEM;
  }
  if (e == 0)
    e = f->ops->recv(f, &msg);
  if (e == 0) {
    out->ro_datalen = wanted - uio.resid;
    e = deliver_fds(t, &msg, in->ri_fds, &out->ro_fdslen);
    out->ro_flags = msg.out_flags;
  }
  kfree(msg.fds);
  uio_destroy(&uio);
  return e;
}

errno_t sys_sock_recv(struct thread *t, fd_t sock, const struct recv_in *in, struct recv_out *out) {
  struct recv_in msg;
  struct recv_out result;
  struct file *f;
  errno_t e = user_copy_in(&msg, in, sizeof msg);
  if (e != 0)
    return e;
  if ((msg.ri_flags & ~(SOCK_RECV_PEEK | SOCK_RECV_WAITALL)) != 0)
    return EINVAL;
  e = fd_get(fds_of(t), sock, RIGHT_FD_READ, &f);
  if (e != 0)
    return e;
  memset(&result, 0, sizeof result); /* the names of both ends, up to v0.11: none */
  e = recv(t, f, &msg, &result);
  file_unref(f);
  return e == 0 ? user_copy_out(out, &result, sizeof result) : e;
}

/* ---- Others --------------------------------------------------------------------------- */

errno_t sys_sock_shutdown(struct thread *t, fd_t sock, sdflags_t how) {
  struct file *f;
  if (how == 0 || (how & ~(SHUT_RD | SHUT_WR)) != 0)
    return EINVAL;
  errno_t e = fd_get(fds_of(t), sock, RIGHT_SOCK_SHUTDOWN, &f);
  if (e != 0)
    return e;
  e = f->ops->shutdown != NULL ? f->ops->shutdown(f, how) : ENOTSOCK;
  file_unref(f);
  return e;
}

/* The connection gets its number; both results go out or neither stays. Takes over `conn`. */
static errno_t install_connection(struct thread *t, struct file *conn, rights_t inheriting,
                                  struct sockstat *buf, fd_t *user_fd) {
  struct sockstat none;
  rights_t base, all;
  fd_t fd;
  memset(&none, 0, sizeof none);
  rights_max(conn->type, true, &base, &all);
  errno_t e = fd_install(fds_of(t), conn, base & inheriting, inheriting, &fd);
  if (e != 0) {
    file_unref(conn);
    return e;
  }
  e = buf != NULL ? user_copy_out(buf, &none, sizeof none) : 0;
  if (e == 0)
    e = user_put(user_fd, fd);
  if (e != 0)
    fd_close(fds_of(t), fd);
  return e;
}

errno_t sys_sock_accept(struct thread *t, fd_t sock, struct sockstat *buf, fd_t *conn_fd) {
  struct fd_entry *entry;
  struct file *f, *conn;
  errno_t e = fd_get(fds_of(t), sock, RIGHT_SOCK_ACCEPT, &f);
  if (e != 0)
    return e;
  fd_lookup(fds_of(t), sock, &entry);
  rights_t inheriting = entry->inheriting; /* as they are now: accepting may sleep */
  e = f->ops->accept != NULL ? f->ops->accept(f, &conn) : EINVAL;
  if (e == 0)
    e = install_connection(t, conn, inheriting, buf, conn_fd);
  file_unref(f);
  return e;
}
