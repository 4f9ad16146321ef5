/*
 * The retired system calls on sockets: names of local ones, accepting, and what a socket tells of
 * itself. Reference 9.2, and 2.4 for their rights.
 */
#include "fs/lookup.h"
#include "ipc/ipc.h"
#include "kernel/file.h"
#include "kernel/process.h"
#include "kernel/rights.h"
#include "kernel/string.h"
#include "kernel/sys/file_path.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define SOCKET_PATH_BYTES_MAX 103 /* what an address had room for */

static struct fdtable *fds_of(struct thread *t) {
  return &t->process->fds;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* The path of a socket's name from directory fd. */
static errno_t socket_path(struct thread *t, fd_t fd, rights_t needed, const char *path,
                           size_t path_len, bool follow, struct path **p) {
  struct fd_entry *entry;
  errno_t e = fd_lookup(fds_of(t), fd, &entry);
  if (e != 0)
    return e;
  if ((needed & ~entry->base) != 0)
    return ENOTCAPABLE;
  if (path_len > SOCKET_PATH_BYTES_MAX)
    return ENAMETOOLONG;
  return file_path(t, fd, needed, path, path_len, follow, p);
}

/* Makes the inode, and gives it to the socket. */
static errno_t bind_at(struct file *f, struct path *p) {
  if (p->node != NULL)
    return EADDRINUSE;
  if (p->slash)
    return ENOENT;
  if (p->dir->ops->create == NULL)
    return EROFS;
  errno_t e = p->dir->ops->create(p->dir, p->name, p->name_len, f->type, &p->node);
  if (e != 0)
    return e == EEXIST ? EADDRINUSE : e;
  e = ipc_bind(f, p->node);
  if (e != 0)
    p->dir->ops->unlink(p->dir, p->name, p->name_len, p->node);
  return e;
}

static errno_t bind(struct thread *t, struct file *f, fd_t fd, const char *path, size_t path_len) {
  struct path *p;
  errno_t e = socket_path(t, fd, RIGHT_SOCK_BIND_DIRECTORY, path, path_len, false, &p);
  if (e != 0)
    return e;
  e = ipc_is_socket(f) ? ipc_can_bind(f) : EINVAL; /* sockets of the network have addresses */
  if (e == 0)
    e = bind_at(f, p);
  path_free(p);
  return e;
}

errno_t sys_sock_bind(struct thread *t, fd_t sock, fd_t fd, const char *path, size_t path_len) {
  struct file *f;
  errno_t e = fd_get(fds_of(t), sock, RIGHT_SOCK_BIND_SOCKET, &f);
  if (e != 0)
    return e;
  e = bind(t, f, fd, path, path_len);
  file_unref(f);
  return e;
}

static errno_t connect_to(struct file *f, const struct path *p) {
  if (!ipc_is_socket(f))
    return f->ops->accept != NULL ? ENOTSUP : EISCONN;
  return p->node != NULL ? ipc_connect(f, p->node) : ENOENT;
}

errno_t sys_sock_connect(struct thread *t, fd_t sock, fd_t fd, const char *path, size_t path_len) {
  struct path *p;
  struct file *f;
  errno_t e = fd_get(fds_of(t), sock, RIGHT_SOCK_CONNECT_SOCKET, &f);
  if (e != 0)
    return e;
  e = socket_path(t, fd, RIGHT_SOCK_CONNECT_DIRECTORY, path, path_len, true, &p);
  if (e == 0) {
    e = connect_to(f, p);
    path_free(p);
  }
  file_unref(f);
  return e;
}

/* ---- Listeners ------------------------------------------------------------------------------- */

errno_t sys_sock_listen(struct thread *t, fd_t sock, backlog_t backlog) {
  struct file *f;
  errno_t e = fd_get(fds_of(t), sock, RIGHT_SOCK_LISTEN, &f);
  if (e != 0)
    return e;
  if (ipc_is_socket(f))
    e = ipc_listen(f, backlog);
  else /* of the network: those that listen do so already, the others are connected */
    e = f->ops->accept != NULL ? 0 : EINVAL;
  file_unref(f);
  return e;
}

/* The name of the other end alone. */
static errno_t put_peer_name(struct file *conn, struct sockstat *user_buf) {
  struct sockstat all, peer;
  memset(&all, 0, sizeof all);
  memset(&peer, 0, sizeof peer);
  errno_t e = conn->ops->sockstat != NULL ? conn->ops->sockstat(conn, &all, 0) : 0;
  peer.ss_peername = all.ss_peername;
  return e == 0 ? user_copy_out(user_buf, &peer, sizeof peer) : e;
}

/* The connection gets its number; both results go out or neither stays. Takes over `conn`. */
static errno_t install_connection(struct thread *t, struct file *conn, rights_t inheriting,
                                  struct sockstat *buf, fd_t *user_fd) {
  rights_t base, all;
  fd_t fd;
  rights_max(conn->type, true, &base, &all);
  errno_t e = fd_install(fds_of(t), conn, base & inheriting, inheriting, &fd);
  if (e != 0) {
    file_unref(conn);
    return e;
  }
  e = buf != NULL ? put_peer_name(conn, buf) : 0;
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

/* ---- State ----------------------------------------------------------------------------------- */

errno_t sys_sock_stat_get(struct thread *t, fd_t sock, struct sockstat *buf, ssflags_t flags) {
  struct sockstat st;
  struct file *f;
  if ((flags & ~SOCKSTAT_CLEAR_ERROR) != 0)
    return EINVAL;
  errno_t e = fd_get(fds_of(t), sock, RIGHT_SOCK_STAT_GET, &f);
  if (e != 0)
    return e;
  memset(&st, 0, sizeof st);
  e = f->ops->sockstat != NULL ? f->ops->sockstat(f, &st, flags) : 0;
  file_unref(f);
  return e == 0 ? user_copy_out(buf, &st, sizeof st) : e;
}
