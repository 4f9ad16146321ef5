/*
 * System calls on sockets: sock_*. Reference section 7. Those that were retired are in
 * sock_local.c.
 */
#include "kernel/file.h"
#include "kernel/heap.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define MESSAGE_FDS_MAX 500 /* descriptors in one message; reference 7.1 */
#define NUMBERS_INLINE 16

static struct fdtable *fds_of(struct thread *t) {
  return &t->process->fds;
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* Where the i-th number of a program's array lies: of any value, no pointer yet. */
static const fd_t *fd_at(const fd_t *user_fds, size_t i) {
  return (const fd_t *)((uintptr_t)user_fds + i * sizeof(fd_t));
}

static errno_t collect_fd(struct thread *t, const fd_t *user_fd, struct fd_bundle *b) {
  fd_t fd;
  struct fd_entry *entry;
  errno_t e = user_copy_in(&fd, user_fd, sizeof fd);
  if (e == 0)
    e = fd_lookup(fds_of(t), fd, &entry);
  if (e != 0)
    return e;
  if (entry->file->type == FILETYPE_POLL) /* it watches descriptors of this process */
    return ENOTSUP;
  b->entries[b->len++] = *entry;
  file_ref(entry->file);
  return 0;
}

/* Looks the descriptors of a message up: all of them or none. */
static errno_t collect_fds(struct thread *t, const fd_t *user_fds, size_t n,
                           struct fd_bundle **out) {
  errno_t e = 0;
  if (n == 0)
    return 0;
  if (n > MESSAGE_FDS_MAX)
    return EINVAL;
  struct fd_bundle *b = kmalloc(sizeof *b + n * sizeof b->entries[0]);
  if (b == NULL)
    return ENOMEM;
  b->len = 0;
  while (e == 0 && b->len < n)
    e = collect_fd(t, fd_at(user_fds, b->len), b);
  if (e != 0)
    fd_bundle_free(b);
  else
    *out = b;
  return e;
}

static errno_t send(struct thread *t, struct file *f, const struct send_in *user_in, size_t *sent) {
  struct send_in in;
  struct uio uio;
  struct sockmsg msg = {.uio = &uio};
  errno_t e = user_copy_in(&in, user_in, sizeof in);
  if (e != 0)
    return e;
  if (in.si_flags != 0)
    return EINVAL;
  if (f->ops->send == NULL)
    return ENOTSOCK;
  e = uio_init_user(&uio, in.si_data, in.si_data_len);
  if (e != 0)
    return e;
  size_t wanted = uio.resid;
  e = collect_fds(t, in.si_fds, in.si_fds_len, &msg.fds);
  if (e == 0)
    e = f->ops->send(f, &msg);
  *sent = wanted - uio.resid;
  fd_bundle_free(msg.fds);
  uio_destroy(&uio);
  return e;
}

errno_t sys_sock_send(struct thread *t, fd_t sock, const struct send_in *in, struct send_out *out) {
  struct send_out result;
  struct file *f;
  errno_t e = fd_get(fds_of(t), sock, RIGHT_FD_WRITE, &f);
  if (e != 0)
    return e;
  e = send(t, f, in, &result.so_datalen);
  file_unref(f);
  return e == 0 ? user_copy_out(out, &result, sizeof result) : e;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Gives the first `room` descriptors their numbers, while there are any; the entries that stay in
 * the bundle are those without. */
static size_t install_fds(struct thread *t, struct fd_bundle *b, size_t room, fd_t *numbers) {
  size_t done = 0;
  while (done < b->len && done < room) {
    const struct fd_entry *entry = &b->entries[done];
    if (fd_install(fds_of(t), entry->file, entry->base, entry->inheriting, &numbers[done]) != 0)
      break;
    done++;
  }
  b->len -= done;
  memmove(b->entries, b->entries + done, b->len * sizeof b->entries[0]);
  return done;
}

/* Installs what was received and stores the results: all of them, or no descriptor stays. */
static errno_t deliver(struct thread *t, struct sockmsg *msg, fd_t *user_fds,
                       struct recv_out *result, struct recv_out *user_out) {
  struct fd_bundle *b = msg->fds;
  fd_t few[NUMBERS_INLINE], *numbers = few;
  size_t n = 0;
  if (b != NULL) {
    if (b->len > NUMBERS_INLINE)
      numbers = kmalloc(b->len * sizeof numbers[0]);
    if (numbers != NULL)
      n = install_fds(t, b, msg->fds_max, numbers);
    if (b->len > 0)
      msg->out_flags |= SOCK_RECV_FDS_TRUNCATED;
  }
  result->ro_fdslen = n;
  result->ro_flags = msg->out_flags;
  errno_t e = n > 0 ? user_copy_out(user_fds, numbers, n * sizeof numbers[0]) : 0;
  if (e == 0)
    e = user_copy_out(user_out, result, sizeof *result);
  for (size_t i = 0; e != 0 && i < n; i++)
    fd_close(fds_of(t), numbers[i]);
  if (numbers != few)
    kfree(numbers);
  fd_bundle_free(b);
  return e;
}

static errno_t recv(struct thread *t, struct file *f, const struct recv_in *user_in,
                    struct recv_out *user_out) {
  struct recv_in in;
  struct recv_out result;
  struct uio uio;
  errno_t e = user_copy_in(&in, user_in, sizeof in);
  if (e != 0)
    return e;
  if ((in.ri_flags & ~(SOCK_RECV_PEEK | SOCK_RECV_WAITALL)) != 0)
    return EINVAL;
  if (f->ops->recv == NULL)
    return ENOTSOCK;
  e = uio_init_user(&uio, in.ri_data, in.ri_data_len);
  if (e != 0)
    return e;
  memset(&result, 0, sizeof result); /* the names of both ends, up to v0.11: none */
  struct sockmsg msg = {.uio = &uio, .flags = in.ri_flags, .fds_max = in.ri_fds_len};
  size_t wanted = uio.resid;
  e = f->ops->recv(f, &msg);
  result.ro_datalen = wanted - uio.resid;
  if (e == 0)
    e = deliver(t, &msg, in.ri_fds, &result, user_out);
  uio_destroy(&uio);
  return e;
}

errno_t sys_sock_recv(struct thread *t, fd_t sock, const struct recv_in *in, struct recv_out *out) {
  struct file *f;
  errno_t e = fd_get(fds_of(t), sock, RIGHT_FD_READ, &f);
  if (e != 0)
    return e;
  e = recv(t, f, in, out);
  file_unref(f);
  return e;
}

/* ---- Others ---------------------------------------------------------------------------------- */

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
