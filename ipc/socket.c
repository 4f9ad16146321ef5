/*
 * Local sockets as open files: sending, receiving, waiting, and the two kinds of end, closing and
 * shutting down.
 *
 * Called by kernel/sys through struct file_ops, kernel lock held; reading and writing may sleep.
 * Reference sections 5 and 7; names are in local.c.
 */
#include "ipc/socket.h"

#include "ipc/flight.h"
#include "ipc/ipc.h"
#include "kernel/heap.h"
#include "kernel/log.h"

static bool is_stream(const struct socket *s) {
  return s->file.type == FILETYPE_SOCKET_STREAM;
}

static bool is_dgram(const struct socket *s) {
  return s->file.type == FILETYPE_SOCKET_DGRAM;
}

static bool nonblock(const struct socket *s) {
  return (s->file.flags & FDFLAG_NONBLOCK) != 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct socket *socket_create(filetype_t type) {
  struct socket *s = kzalloc(sizeof *s);
  if (s == NULL)
    return NULL;
  file_init(&s->file, &socket_ops, type, 0);
  channel_init(&s->rx, !is_stream(s));
  list_init(&s->flight_link);
  s->holders = 1;
  return s;
}

static void release(struct socket *s) {
  if (s != NULL && --s->holders == 0)
    kfree(s);
}

void socket_changed(struct socket *s) {
  waitq_wake_all(&s->rx.readers);
  waitq_wake_all(&s->rx.writers);
}

void socket_set_peer(struct socket *s, struct socket *peer) {
  struct socket *old = s->peer;
  peer->holders++;
  s->peer = peer;
  if (old != NULL)
    waitq_wake_all(&old->rx.writers); /* who waits there for s asks again */
  release(old);
  socket_changed(s);
}

void socket_join(struct socket *a, struct socket *b) {
  socket_set_peer(a, b);
  socket_set_peer(b, a);
  a->paired = b->paired = true;
}

static void socket_close(struct file *f) {
  struct socket *s = (struct socket *)f;
  ASSERT(list_empty(&s->flight_link));
  socket_forget_name(s);
  if (s->paired)
    channel_end_writing(&s->peer->rx);
  else if (s->peer != NULL)
    waitq_wake_all(&s->peer->rx.writers); /* nobody waits there for s any more */
  channel_end_reading(&s->rx);
  release(s->peer);
  release(s);
}

errno_t ipc_pair(filetype_t type, struct file *ends[2]) {
  struct socket *a = socket_create(type), *b = socket_create(type);
  if (a == NULL || b == NULL) {
    release(a);
    release(b);
    return ENOMEM;
  }
  socket_join(a, b);
  ends[0] = &a->file;
  ends[1] = &b->file;
  return 0;
}

errno_t ipc_socket(filetype_t type, struct file **f) {
  struct socket *s = socket_create(type);
  if (s == NULL)
    return ENOMEM;
  *f = &s->file;
  return 0;
}

bool ipc_is_socket(const struct file *f) {
  return f->ops == &socket_ops;
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* Where s writes. EPIPE; ENOTCONN; EDESTADDRREQ. */
static errno_t destination(const struct socket *s, struct channel **c) {
  if (s->wr_shut)
    return EPIPE;
  if (s->peer == NULL)
    return is_dgram(s) ? EDESTADDRREQ : ENOTCONN;
  *c = &s->peer->rx;
  return 0;
}

/* The destination may change while this waits for room. */
static errno_t send_message(struct socket *s, struct sockmsg *msg) {
  size_t bytes = msg->uio->resid, fds = msg->fds != NULL ? msg->fds->len : 0;
  struct chunk *message = NULL;
  struct channel *c;
  errno_t e;
  for (;;) {
    e = destination(s, &c);
    if (e == 0 && message == NULL && bytes > CHANNEL_BYTES)
      e = EMSGSIZE;
    if (e != 0)
      break;
    bool fits = channel_closed(c) || channel_message_fits(c, bytes, fds);
    if (fits && message != NULL) {
      e = channel_message_put(c, message, &msg->fds);
      message = e == 0 ? NULL : message;
      break;
    }
    if (fits)
      e = channel_closed(c) ? EPIPE : channel_message_create(msg->uio, &message);
    else
      e = nonblock(s) ? EAGAIN : waitq_sleep(&c->writers, NEVER_NS);
    if (e != 0)
      break;
  }
  channel_message_free(message);
  return e;
}

static errno_t socket_send(struct file *f, struct sockmsg *msg) {
  struct socket *s = (struct socket *)f;
  struct channel *c;
  msg->out_flags = 0;
  if (!is_stream(s))
    return send_message(s, msg);
  errno_t e = destination(s, &c);
  return e == 0 ? channel_write(c, msg, nonblock(s), 1) : e;
}

static errno_t socket_write(struct file *f, struct uio *uio) {
  struct sockmsg msg = {.uio = uio};
  return socket_send(f, &msg);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* A datagram socket with a name gets what is sent to it; any other must be connected. */
static bool can_receive(const struct socket *s) {
  return s->backlog == 0 && (s->peer != NULL || (is_dgram(s) && s->node != NULL));
}

static errno_t socket_recv(struct file *f, struct sockmsg *msg) {
  struct socket *s = (struct socket *)f;
  size_t wanted = msg->uio->resid;
  if (!can_receive(s))
    return ENOTCONN;
  errno_t e = channel_read(&s->rx, msg, nonblock(s));
  if (e == 0 && s->error != 0 && wanted > 0 && msg->uio->resid == wanted) {
    e = s->error; /* in the place of the end */
    s->error = 0;
  }
  return e;
}

static errno_t socket_read(struct file *f, struct uio *uio) {
  struct sockmsg msg = {.uio = uio};
  return socket_recv(f, &msg);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static errno_t socket_shutdown(struct file *f, sdflags_t how) {
  struct socket *s = (struct socket *)f;
  if (s->peer == NULL)
    return ENOTCONN;
  if ((how & SHUT_WR) != 0 && !s->wr_shut) {
    s->wr_shut = true;
    if (s->paired)
      channel_end_writing(&s->peer->rx);
    else
      waitq_wake_all(&s->peer->rx.writers);
  }
  if ((how & SHUT_RD) != 0)
    channel_end_reading(&s->rx);
  return 0;
}

/* ---- poll ------------------------------------------------------------------------------------ */

/* What would fail at once is ready, until the socket gets connected or listens; a stream that is no
 * connection counts as hung up. */
static void poll_failure(const struct socket *s, struct poll_state *st) {
  bool ended = s->wr_shut || (!is_dgram(s) && s->backlog == 0);
  st->ready = true;
  st->flags = ended ? EVENT_FD_READWRITE_HANGUP : 0;
}

static struct waitq *poll_read(struct socket *s, struct poll_state *st) {
  if (s->backlog == 0 && !can_receive(s))
    poll_failure(s, st);
  else
    channel_poll_read(&s->rx, st);
  if (s->backlog > 0)
    st->nbytes = s->rx.fds; /* connections */
  return &s->rx.readers;
}

static struct waitq *poll_write(struct socket *s, struct poll_state *st) {
  struct channel *c;
  if (destination(s, &c) != 0) {
    poll_failure(s, st);
    return &s->rx.writers;
  }
  channel_poll_write(c, is_stream(s) ? 1 : CHANNEL_MESSAGE_COST + 1, st);
  return &c->writers;
}

static void socket_poll(struct file *f, eventtype_t type, struct poll_state *st, struct waiter *w) {
  struct socket *s = (struct socket *)f;
  struct waitq *q = type == EVENTTYPE_FD_READ ? poll_read(s, st) : poll_write(s, st);
  waitq_leave(q, w, st->ready);
}

const struct file_ops socket_ops = {
    .close = socket_close,
    .stranded = flight_stranded,
    .read = socket_read,
    .write = socket_write,
    .poll = socket_poll,
    .recv = socket_recv,
    .send = socket_send,
    .shutdown = socket_shutdown,
    .accept = socket_accept,
    .sockstat = socket_sockstat,
};
