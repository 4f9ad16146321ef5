/*
 * Reading from a channel: the bytes go from the chunks to the program, once.
 *
 * Called on behalf of fd_read, sock_recv and sock_accept, kernel lock held, by the thread whose
 * memory is written to; sleeps until something can be read. Reference 7.2; the rules for
 * descriptors are in docs/ipc.md.
 */
#include "ipc/channel.h"
#include "ipc/flight.h"

static size_t waiting(const struct chunk *k) {
  return (size_t)(k->end - k->start);
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* ---- The front of the queue ------------------------------------------------------------------ */

/* Copies n bytes, which stay. Returns how many went. */
static size_t copy_out(struct channel *c, struct uio *uio, size_t n, errno_t *error) {
  size_t before = uio->resid, left = n;
  c->reading = true;
  *error = 0;
  for (const struct chunk *k = c->head; *error == 0 && left > 0; k = k->next) {
    size_t part = least(waiting(k), left);
    *error = uio_copy_to(uio, k->data + k->start, part);
    left -= part;
  }
  c->reading = false;
  return before - uio->resid;
}

/* The descriptors there, out of the channel; NULL: there are none. */
static struct fd_bundle *take_fds(struct channel *c) {
  struct fd_bundle *b = c->head->fds;
  if (b != NULL) {
    c->head->fds = NULL;
    c->fds = (uint16_t)(c->fds - b->len);
  }
  return b;
}

/* To the reader who has room for some, or away. */
static void give_fds(struct fd_bundle *b, struct sockmsg *msg) {
  if (b == NULL)
    return;
  if (msg->fds_max == 0) {
    flight_drop(b);
  } else {
    flight_leave(b);
    msg->fds = b;
  }
}

/* After a copy: who waits for room goes on, and who found the channel being read. */
static void step_done(struct channel *c) {
  if (c->no_reader)
    channel_discard(c);
  waitq_wake_all(&c->writers);
  if (c->head != NULL || channel_closed(c))
    waitq_wake_all(&c->readers);
}

/* Sleeps until there is something, or an end. EAGAIN; ECANCELED. */
static errno_t wait_readable(struct channel *c, bool nonblock) {
  while (c->reading || (c->head == NULL && !channel_closed(c))) {
    if (nonblock && !c->reading) /* a copy soon ends */
      return EAGAIN;
    errno_t e = waitq_sleep(&c->readers, NEVER_NS);
    if (e != 0)
      return e;
  }
  return 0;
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* How many bytes one read may take; `*border`: no more can follow these. It ends before a message
 * with descriptors and behind one whose descriptors it takes. */
static size_t look(const struct channel *c, const struct sockmsg *msg, bool *border) {
  const size_t most = msg->uio->resid;
  const bool takes = msg->fds_max > 0;
  size_t bytes = 0;
  *border = false;
  for (const struct chunk *k = c->head; k != NULL && bytes < most && !*border; k = k->next) {
    size_t n = least(waiting(k), most - bytes);
    bytes += n;
    *border = n == waiting(k) && ((k->last && takes) || (k->next != NULL && k->next->first));
  }
  return bytes;
}

static void consume(struct channel *c, size_t n) {
  c->bytes -= (uint32_t)n;
  c->used -= (uint32_t)n;
  while (n > 0) {
    struct chunk *k = c->head;
    size_t part = least(waiting(k), n);
    k->start = (uint16_t)(k->start + part);
    n -= part;
    if (waiting(k) == 0)
      chunk_pop(c);
  }
}

static errno_t stream_step(struct channel *c, struct sockmsg *msg, bool *border) {
  errno_t e;
  size_t n = copy_out(c, msg->uio, look(c, msg, border), &e);
  struct fd_bundle *b = n > 0 ? take_fds(c) : NULL;
  consume(c, n);
  step_done(c);
  give_fds(b, msg);
  return e;
}

static errno_t stream_read(struct channel *c, struct sockmsg *msg, bool nonblock) {
  size_t wanted = msg->uio->resid;
  bool all = (msg->flags & SOCK_RECV_WAITALL) != 0, border = false;
  errno_t e = 0;
  do {
    e = wait_readable(c, nonblock);
    if (e != 0 || c->head == NULL || (msg->uio->resid < wanted && c->head->first))
      break;
    e = stream_step(c, msg, &border);
  } while (e == 0 && all && !border && msg->uio->resid > 0);
  return e != ECANCELED && msg->uio->resid < wanted ? 0 : e;
}

/* What can't come any more before something is read is not waited for. */
static errno_t stream_peek(struct channel *c, struct sockmsg *msg, bool nonblock) {
  bool all = (msg->flags & SOCK_RECV_WAITALL) != 0, border;
  size_t n;
  errno_t e;
  for (;;) {
    e = wait_readable(c, nonblock);
    if (e != 0 || c->head == NULL)
      return e;
    n = look(c, msg, &border);
    if (!all || nonblock || border || n == msg->uio->resid || channel_room(c) == 0 ||
        channel_closed(c))
      break;
    e = waitq_sleep(&c->readers, NEVER_NS);
    if (e != 0)
      return e;
  }
  copy_out(c, msg->uio, n, &e);
  step_done(c);
  return e;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void message_pop(struct channel *c) {
  bool last = false;
  c->bytes -= c->head->message_bytes;
  c->used -= c->head->message_bytes + CHANNEL_MESSAGE_COST;
  while (!last) {
    last = c->head->last;
    chunk_pop(c);
  }
}

static errno_t message_read(struct channel *c, struct sockmsg *msg, bool nonblock) {
  struct fd_bundle *b = NULL;
  errno_t e = wait_readable(c, nonblock);
  if (e != 0 || c->head == NULL)
    return e;
  size_t bytes = c->head->message_bytes;
  if (bytes > msg->uio->resid)
    msg->out_flags |= SOCK_RECV_DATA_TRUNCATED;
  copy_out(c, msg->uio, least(bytes, msg->uio->resid), &e);
  if (e == 0 && !(msg->flags & SOCK_RECV_PEEK)) {
    b = take_fds(c);
    message_pop(c);
  }
  step_done(c);
  give_fds(b, msg);
  return e;
}

/* ---- */

errno_t channel_read(struct channel *c, struct sockmsg *msg, bool nonblock) {
  msg->fds = NULL;
  msg->out_flags = 0;
  if (c->messages)
    return message_read(c, msg, nonblock);
  if (msg->uio->resid == 0)
    return 0;
  return msg->flags & SOCK_RECV_PEEK ? stream_peek(c, msg, nonblock)
                                     : stream_read(c, msg, nonblock);
}

void channel_poll_read(const struct channel *c, struct poll_state *st) {
  st->ready = c->head != NULL || channel_closed(c);
  st->nbytes = !c->messages ? c->bytes : c->head != NULL ? c->head->message_bytes : 0;
  st->flags = c->no_writer ? EVENT_FD_READWRITE_HANGUP : 0;
}
