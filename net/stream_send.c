/*
 * Writing to connected stream sockets.
 *
 * Bytes go from the program's buffers straight into segments: lwIP's copy hook (net_copy_in) reads
 * the program's memory and takes the checksum in passing. Short pieces are collected first, so that
 * a header and a small body written with one call make one segment.
 *
 * Called by kernel/sys through struct file_ops, kernel lock held. A blocking write returns when all
 * bytes are queued; it sleeps while the send buffer is full. Reference section 7.1.
 */
#include "net/stack.h"

#include "kernel/string.h"
#include "kernel/user.h"
#include "net/port/port.h"

#define COLLECT 512u             /* bytes collected on the stack */
#define STEP_MAX (42u * TCP_MSS) /* tcp_write() takes 16 bits */

uint32_t stream_room(const struct stream *s) {
  const struct tcp_pcb *pcb = s->pcb;
  if (pcb == NULL || s->wr_shut || s->tx_starved || pcb->snd_queuelen >= TCP_SND_QUEUELEN)
    return 0;
  if (pcb->snd_queuelen > 0 && net_memory_tight())
    return 0; /* what is queued has to go first */
  return pcb->snd_buf;
}

bool stream_writable(const struct stream *s) {
  uint32_t few = 2 * TCP_MSS;
  return stream_room(s) >= (few < TCP_SND_BUF / 4 ? few : TCP_SND_BUF / 4);
}

/* Copies up to n bytes from the front of uio to buf without advancing it. */
static errno_t collect(const struct uio *uio, char *buf, uint32_t n) {
  errno_t e = 0;
  for (const struct iovec *v = uio->iov; e == 0 && n > 0; v++) {
    uint32_t part = v->buf_len < n ? (uint32_t)v->buf_len : n;
    if (uio->kernel)
      memcpy(buf, v->buf, part);
    else if (part > 0) /* an empty piece may lie anywhere */
      e = user_copy_in(buf, v->buf, part);
    buf += part;
    n -= part;
  }
  return e;
}

static void advance(struct uio *uio, uint32_t n) {
  uio->resid -= n;
  while (n > 0) {
    uint32_t part = uio->iov->buf_len < n ? (uint32_t)uio->iov->buf_len : n;
    uio->iov->buf = (void *)((uintptr_t)uio->iov->buf + part); /* NULL if it is empty */
    uio->iov->buf_len -= part;
    n -= part;
    if (n > 0) {
      uio->iov++;
      uio->iovcnt--;
    }
  }
}

/* Reads a byte of each page of the program's buffer: afterwards they are all there. */
static errno_t touch(const char *p, uint32_t n) {
  uintptr_t va = (uintptr_t)p; /* of any value: no pointer yet */
  char byte;
  errno_t e = 0;
  for (uint32_t at = 0; e == 0 && at < n; at += PAGE_SIZE - (va + at) % PAGE_SIZE)
    e = user_copy_in(&byte, (const void *)(va + at), 1);
  return e;
}

/* Queues up to `room` bytes of uio, at least one, and advances it. EFAULT; ENOBUFS: lwIP has no
 * memory. */
static errno_t queue(struct stream *s, struct uio *uio, uint32_t room) {
  char collected[COLLECT];
  while (uio->iov->buf_len == 0) {
    uio->iov++;
    uio->iovcnt--;
  }
  const char *from = uio->iov->buf;
  uint32_t n = uio->resid < room ? (uint32_t)uio->resid : room;
  errno_t e;
  if (uio->iov->buf_len < n && (n <= COLLECT || uio->iov->buf_len < COLLECT)) {
    n = n < COLLECT ? n : COLLECT;
    e = collect(uio, collected, n);
    from = collected;
    net_copy.from_user = false;
  } else {
    n = uio->iov->buf_len < n ? (uint32_t)uio->iov->buf_len : n;
    n = n < STEP_MAX ? n : STEP_MAX;
    net_copy.from_user = !uio->kernel;
    e = uio->kernel ? 0 : touch(from, n);
  }
  if (e != 0)
    return e;
  u8_t more = n < uio->resid ? TCP_WRITE_FLAG_MORE : 0;
  net_copy.faulted = false;
  err_t err = tcp_write(s->pcb, from, (u16_t)n, TCP_WRITE_FLAG_COPY | more);
  if (err != ERR_OK)
    return ENOBUFS;
  advance(uio, n);
  if (net_copy.faulted) { /* a page that was there is gone, and zeroes are in the stream */
    tcp_abort(s->pcb);
    return EFAULT;
  }
  return 0;
}

/* Rounds down to whole segments when there is more to send than fits. */
static uint32_t whole_segments(const struct stream *s, uint32_t room, size_t resid) {
  uint32_t mss = s->pcb->mss;
  return room < resid && room > mss ? room - room % mss : room;
}

static errno_t fill(struct stream *s, struct uio *uio) {
  while (uio->resid > 0) {
    uint32_t room = stream_room(s);
    if (room == 0)
      return 0;
    errno_t e = queue(s, uio, whole_segments(s, room, uio->resid));
    if (e == ENOBUFS) {
      stream_starve(s);
      return 0;
    }
    if (e != 0)
      return e;
  }
  return 0;
}

errno_t stream_write(struct file *f, struct uio *uio) {
  struct stream *s = (struct stream *)f;
  size_t wanted = uio->resid;
  errno_t e = 0;
  for (;;) {
    if (s->pcb == NULL || s->wr_shut)
      return uio->resid < wanted ? 0 : EPIPE;
    e = fill(s, uio);
    if (s->pcb != NULL)
      tcp_output(s->pcb);
    net_flush();
    if (e != 0 || uio->resid == 0)
      return e;
    if ((f->flags & FDFLAG_NONBLOCK) != 0)
      return uio->resid < wanted ? 0 : EAGAIN;
    while (s->pcb != NULL && !s->wr_shut && !stream_writable(s)) {
      e = waitq_sleep(&s->writers, NEVER_NS);
      if (e != 0)
        return e;
    }
  }
}
