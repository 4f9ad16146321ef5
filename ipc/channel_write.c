/*
 * Writing to a channel: the bytes go from the program to chunks, once; small pieces are gathered
 * in one, over the stack.
 *
 * Called on behalf of fd_write, sock_send and sock_connect, kernel lock held, by the thread whose
 * memory is read; sleeps until there is room. Reference 7.1.
 */
#include "ipc/channel.h"
#include "ipc/flight.h"
#include "kernel/string.h"

#define SMALL 256u  /* bytes of a piece that is gathered */
#define GATHER 464u /* room of a chunk for such */

/* A write into a stream. */
struct writer {
  struct channel *c;
  struct sockmsg *msg;
  bool message;  /* it came with descriptors: no read goes across its borders */
  bool appended; /* something: an error is for the next write to tell */
  bool nonblock;
};

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Sleeps until `need` bytes and descriptors have room, and no other write is going on unless this
 * is the one. EPIPE; EAGAIN; ECANCELED. */
static errno_t wait_writable(struct writer *w, size_t need, size_t fds, bool begun) {
  struct channel *c = w->c;
  for (;;) {
    if (channel_closed(c))
      return EPIPE;
    if ((begun || !c->writing) && channel_room(c) >= need && c->fds + fds <= CHANNEL_FDS)
      return 0;
    if (w->nonblock)
      return EAGAIN;
    errno_t e = waitq_sleep(&c->writers, NEVER_NS);
    if (e != 0)
      return e;
  }
}

/* ---- Pieces of a stream ---------------------------------------------------------------------- */

/* Fills a new chunk with n bytes, or those before the address that faults, if any. */
static errno_t chunk_fill(struct uio *uio, size_t n, struct chunk **out) {
  struct chunk *k = chunk_create(n);
  if (k == NULL)
    return ENOBUFS;
  size_t before = uio->resid;
  errno_t e = uio_copy_from(uio, k->data, n);
  k->end = (uint16_t)(before - uio->resid);
  if (k->end == 0 && n > 0) {
    chunk_free(k);
    return e;
  }
  *out = k;
  return 0;
}

/* Whether n bytes can be put behind the last ones. */
static bool tail_has_room(const struct channel *c, size_t n) {
  const struct chunk *k = c->tail;
  return k != NULL && !k->last && (size_t)(k->size - k->end) >= n;
}

/* Room for n bytes at the end of the queue, in *spare if need be, which is used up then. */
static errno_t tail_for(struct channel *c, size_t n, struct chunk **spare) {
  if (tail_has_room(c, n))
    return 0;
  if (*spare == NULL)
    *spare = chunk_create(GATHER);
  if (*spare == NULL)
    return ENOBUFS;
  chunk_push(c, *spare);
  *spare = NULL;
  return 0;
}

/* Over the stack: the last chunk may have been read and freed when the copy is done. The memory is
 * there before, so that what was copied is not lost; if it should be, after all, that is told. */
static errno_t append_small(struct writer *w, size_t n, struct chunk **at) {
  char data[SMALL];
  struct channel *c = w->c;
  struct chunk *spare = tail_has_room(c, n) ? NULL : chunk_create(GATHER);
  size_t before = w->msg->uio->resid;
  if (spare == NULL && !tail_has_room(c, n))
    return ENOBUFS;
  errno_t e = uio_copy_from(w->msg->uio, data, n);
  n = before - w->msg->uio->resid;
  if (n > 0) {
    e = channel_closed(c) ? EPIPE : tail_for(c, n, &spare);
    if (e == ENOBUFS)
      w->appended = false;
  }
  if (e == 0) {
    memcpy(c->tail->data + c->tail->end, data, n);
    c->tail->end = (uint16_t)(c->tail->end + n);
    *at = c->tail;
  }
  if (spare != NULL)
    chunk_free(spare);
  return e;
}

static errno_t append_chunk(struct writer *w, size_t n, struct chunk **at) {
  struct chunk *k;
  errno_t e = chunk_fill(w->msg->uio, n, &k);
  if (e != 0)
    return e;
  if (channel_closed(w->c))
    e = EPIPE;
  else if (w->msg->fds != NULL)
    e = flight_enter(w->msg->fds);
  if (e != 0) {
    chunk_free(k);
    return e;
  }
  if (w->msg->fds != NULL) {
    w->c->fds = (uint16_t)(w->c->fds + w->msg->fds->len);
    k->fds = w->msg->fds;
    k->first = true;
    w->msg->fds = NULL;
  }
  chunk_push(w->c, k);
  *at = k;
  return 0;
}

/* Appends up to n bytes, of which this call appends no more than these. */
static errno_t append(struct writer *w, size_t n) {
  struct uio *uio = w->msg->uio;
  size_t before = uio->resid;
  struct chunk *at;
  bool small = n <= SMALL && w->msg->fds == NULL;
  errno_t e = small ? append_small(w, n, &at) : append_chunk(w, least(n, CHUNK_DATA_MAX), &at);
  if (e != 0)
    return e;
  size_t moved = before - uio->resid;
  w->appended = true;
  w->c->bytes += (uint32_t)moved;
  w->c->used += (uint32_t)moved;
  if (w->message && moved == n && (uio->resid == 0 || w->nonblock))
    at->last = true;
  return 0;
}

static errno_t write_all(struct writer *w) {
  struct uio *uio = w->msg->uio;
  for (;;) {
    size_t n = least(uio->resid, channel_room(w->c)), left = uio->resid - n;
    errno_t e = 0;
    while (e == 0 && uio->resid > left)
      e = append(w, uio->resid - left);
    waitq_wake_all(&w->c->readers);
    if (e != 0 || uio->resid == 0 || w->nonblock)
      return e;
    e = wait_writable(w, 1, 0, true);
    if (e != 0)
      return e;
  }
}

errno_t channel_write(struct channel *c, struct sockmsg *msg, bool nonblock, size_t atomic) {
  size_t wanted = msg->uio->resid, fds = msg->fds != NULL ? msg->fds->len : 0;
  struct writer w = {.c = c, .msg = msg, .message = fds > 0, .nonblock = nonblock};
  if (wanted == 0)
    return fds > 0 ? EINVAL : channel_closed(c) ? EPIPE : 0;
  errno_t e = wait_writable(&w, wanted <= atomic ? wanted : 1, fds, false);
  if (e != 0)
    return e;
  c->writing = true;
  e = write_all(&w);
  c->writing = false;
  waitq_wake_all(&c->writers);
  return e != ECANCELED && w.appended ? 0 : e;
}

/* ---- Messages -------------------------------------------------------------------------------- */

void channel_message_free(struct chunk *message) {
  while (message != NULL) {
    struct chunk *k = message;
    message = k->next;
    chunk_free(k);
  }
}

errno_t channel_message_create(struct uio *uio, struct chunk **message) {
  struct chunk *first = NULL, **link = &first, *k = NULL;
  size_t bytes = uio->resid;
  errno_t e = bytes > CHANNEL_BYTES ? EMSGSIZE : 0;
  while (e == 0 && (k == NULL || uio->resid > 0)) {
    size_t n = least(uio->resid, CHUNK_DATA_MAX);
    e = chunk_fill(uio, n, &k);
    if (e != 0)
      break;
    *link = k;
    link = &k->next;
    if (k->end < n)
      e = EFAULT;
  }
  if (e != 0) {
    channel_message_free(first);
    return e;
  }
  first->message_bytes = (uint32_t)bytes;
  first->first = k->last = true;
  *message = first;
  return 0;
}

bool channel_message_fits(const struct channel *c, size_t bytes, size_t fds) {
  bool room = c->head == NULL || c->used + bytes + CHANNEL_MESSAGE_COST <= CHANNEL_BYTES;
  return room && c->fds + fds <= CHANNEL_FDS;
}

errno_t channel_message_put(struct channel *c, struct chunk *message, struct fd_bundle **fds) {
  size_t n = *fds != NULL ? (*fds)->len : 0;
  errno_t e = 0;
  if (channel_closed(c))
    return EPIPE;
  if (!channel_message_fits(c, message->message_bytes, n))
    return EAGAIN;
  if (n > 0)
    e = flight_enter(*fds);
  if (e != 0)
    return e;
  message->fds = *fds;
  *fds = NULL;
  c->fds = (uint16_t)(c->fds + n);
  c->bytes += message->message_bytes;
  c->used += message->message_bytes + CHANNEL_MESSAGE_COST;
  chunk_push(c, message);
  waitq_wake_all(&c->readers);
  return 0;
}

/* ---- */

void channel_poll_write(const struct channel *c, size_t smallest, struct poll_state *st) {
  bool closed = channel_closed(c);
  st->nbytes = closed ? 0 : channel_room(c);
  st->ready = closed || (!c->writing && channel_room(c) >= smallest);
  st->flags = closed ? EVENT_FD_READWRITE_HANGUP : 0;
}
