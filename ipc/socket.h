/*
 * Local sockets, among the files of ipc/.
 *
 * Each socket owns the channel that it reads; it writes to the channel of its peer. A socket's
 * memory outlives its file as long as a peer points to it (`holders`), so a peer pointer is always
 * good, and what the other side is told when a socket closes stands in the channels.
 */
#ifndef IPC_SOCKET_H
#define IPC_SOCKET_H

#include "ipc/channel.h"
#include "kernel/list.h"

struct vnode;

struct socket {
  struct file file;
  struct channel rx;
  struct socket *peer; /* where it writes; NULL: not connected */
  struct vnode *node;  /* the name that it is bound to; NULL: none. A reference is held */

  /* flight.c */
  struct list flight_link;    /* among the sockets in flight */
  struct socket *flight_next; /* of those whose queue is still to be looked at */
  uint32_t flight_held;       /* references that were not found in other such sockets */

  uint32_t holders; /* the file, and every socket whose peer this is */
  uint16_t backlog; /* connections that may wait; 0: it does not listen */
  errno_t error;    /* to be told once, by a read or sock_stat_get */
  bool paired;      /* peer's peer is this one: their ends are told to each other */
  bool wr_shut;
};

extern const struct file_ops socket_ops;

/* NULL: the file is something else. */
static inline struct socket *socket_of(struct file *f) {
  return f->ops == &socket_ops ? (struct socket *)f : NULL;
}

/* ---- socket.c -------------------------------------------------------------------------------- */

/* An unconnected socket. NULL: no memory. */
struct socket *socket_create(filetype_t type);
/* It can do other things than before: whoever polls it asks again. */
void socket_changed(struct socket *s);
/* Makes two new sockets each other's peer, for good. */
void socket_join(struct socket *a, struct socket *b);
/* Sets the peer of a datagram socket, in the place of any other. */
void socket_set_peer(struct socket *s, struct socket *peer);

/* ---- local.c --------------------------------------------------------------------------------- */

/* Gives up the name, and tells those whose connection waits to be accepted that it won't be. */
void socket_forget_name(struct socket *s);
errno_t socket_accept(struct file *f, struct file **conn);
errno_t socket_sockstat(struct file *f, struct sockstat *st, ssflags_t flags);

#endif
