/*
 * Local sockets with names, which retired calls made: bound to an inode of a file system, listening
 * there, connected over it.
 *
 * A node's endpoint slot points to the socket that is bound to it, which holds the node; closing
 * the socket empties the slot, and the node stays until it is unlinked. A connection that waits to
 * be accepted is a message in the listener's channel with the server's end as its one descriptor,
 * so it counts as in flight.
 *
 * Called by kernel/sys/sock_local.c and through struct file_ops; kernel lock; accepting may sleep.
 * Reference 9.2.
 */
#include "fs/vnode.h"
#include "ipc/ipc.h"
#include "ipc/socket.h"
#include "kernel/heap.h"

#define BACKLOG_MAX 128

static bool is_dgram(const struct socket *s) {
  return s->file.type == FILETYPE_SOCKET_DGRAM;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* NULL: the file system keeps no endpoints. */
static void **slot_of(struct vnode *node) {
  return node->ops->endpoint != NULL ? node->ops->endpoint(node) : NULL;
}

errno_t ipc_can_bind(struct file *f) {
  return socket_of(f)->node != NULL ? EINVAL : 0;
}

errno_t ipc_bind(struct file *f, struct vnode *node) {
  struct socket *s = socket_of(f);
  void **slot = slot_of(node);
  if (s->node != NULL)
    return EINVAL;
  if (slot == NULL)
    return ENOTSUP;
  *slot = s;
  s->node = vnode_ref(node);
  socket_changed(s);
  return 0;
}

/* Reading from the connections that wait will tell why there is nothing. */
static void abort_connections(struct socket *s) {
  const struct chunk *at = NULL;
  struct fd_bundle *b;
  while ((b = channel_next_fds(&s->rx, &at)) != NULL)
    socket_of(b->entries[0].file)->peer->error = ECONNABORTED;
}

void socket_forget_name(struct socket *s) {
  if (s->backlog > 0)
    abort_connections(s);
  if (s->node == NULL)
    return;
  *slot_of(s->node) = NULL;
  vnode_unref(s->node);
  s->node = NULL;
}

/* ---- Connections ----------------------------------------------------------------------------- */

errno_t ipc_listen(struct file *f, backlog_t backlog) {
  struct socket *s = socket_of(f);
  if (is_dgram(s))
    return ENOTSUP;
  if (s->peer != NULL)
    return EINVAL;
  if (s->node == NULL)
    return EDESTADDRREQ;
  s->rx.messages = true;
  s->backlog = (uint16_t)(backlog < 1 ? 1 : backlog < BACKLOG_MAX ? backlog : BACKLOG_MAX);
  socket_changed(s);
  return 0;
}

/* Leaves the server's end at the listener, which takes it over. */
static errno_t enqueue(struct socket *listener, struct socket *server) {
  struct fd_bundle *b = kmalloc(sizeof *b + sizeof b->entries[0]);
  struct chunk *message = NULL;
  struct uio nothing;
  errno_t e = b != NULL ? 0 : ENOMEM;
  uio_init_kernel(&nothing, NULL, 0);
  if (e == 0)
    e = channel_message_create(&nothing, &message);
  if (e == 0) {
    b->len = 1;
    b->entries[0] = (struct fd_entry){.file = &server->file}; /* rights are the accepter's matter */
    e = channel_message_put(&listener->rx, message, &b);
  }
  if (e != 0) {
    channel_message_free(message);
    kfree(b);
  }
  return e;
}

static errno_t connect_to(struct socket *client, struct socket *listener) {
  if (listener->backlog == 0 || listener->rx.fds >= listener->backlog)
    return ECONNREFUSED;
  struct socket *server = socket_create(client->file.type);
  if (server == NULL)
    return ENOMEM;
  errno_t e = enqueue(listener, server);
  if (e != 0)
    file_unref(&server->file);
  else
    socket_join(client, server);
  return e;
}

errno_t ipc_connect(struct file *f, struct vnode *node) {
  struct socket *s = socket_of(f), *target;
  if (s->backlog > 0)
    return ENOTSUP;
  if (s->peer != NULL && (!is_dgram(s) || s->paired))
    return EISCONN;
  if ((node->type & 0xf0) != FILETYPE_SOCKET_DGRAM) /* the first of the kinds of sockets */
    return ENOTSOCK;
  void **slot = slot_of(node);
  target = slot != NULL ? *slot : NULL;
  if (target == NULL)
    return ECONNREFUSED;
  if (target->file.type != s->file.type)
    return EPROTOTYPE;
  if (!is_dgram(s))
    return connect_to(s, target);
  socket_set_peer(s, target);
  return 0;
}

errno_t socket_accept(struct file *f, struct file **conn) {
  struct socket *s = (struct socket *)f;
  struct uio nothing;
  struct sockmsg msg = {.uio = &nothing, .fds_max = 1};
  uio_init_kernel(&nothing, NULL, 0);
  if (s->backlog == 0)
    return EINVAL;
  errno_t e = channel_read(&s->rx, &msg, (f->flags & FDFLAG_NONBLOCK) != 0);
  if (e != 0)
    return e;
  *conn = msg.fds->entries[0].file;
  kfree(msg.fds);
  return 0;
}

/* ---- What a socket tells of itself ----------------------------------------------------------- */

errno_t socket_sockstat(struct file *f, struct sockstat *st, ssflags_t flags) {
  struct socket *s = (struct socket *)f;
  bool connected = s->peer != NULL && !channel_closed(&s->peer->rx);
  if (s->node != NULL || s->peer != NULL)
    st->ss_sockname.sa_family = AF_UNIX;
  if (connected)
    st->ss_peername.sa_family = AF_UNIX;
  st->ss_error = s->error;
  st->ss_state = s->backlog > 0 ? SOCKSTATE_ACCEPTCONN : 0;
  if (flags & SOCKSTAT_CLEAR_ERROR)
    s->error = 0;
  return 0;
}
