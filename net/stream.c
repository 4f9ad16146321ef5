/*
 * Connected stream sockets over TCP: their birth, reading, polling and end as open files.
 *
 * Reference sections 5 (poll) and 7 (sockets). Called by kernel/sys through struct file_ops, kernel
 * lock held; read and accept may sleep. Writing is in stream_send.c, lwIP's side in stream_tcp.c.
 *
 * What a program sees when the other end goes: after FIN, the bytes that came before it and then 0;
 * after RST or a timeout, the bytes that came, then the error once, then 0; a write fails with
 * EPIPE at once.
 */
#include "net/stack.h"

#include "arch/cc.h"
#include "kernel/log.h"
#include "kernel/string.h"
#include "lwip/ip.h"

struct stream *stream_create(struct tcp_pcb *pcb) {
  struct stream *s = net_calloc(1, sizeof *s);
  if (s == NULL)
    return NULL;
  file_init(&s->file, &stream_ops, FILETYPE_SOCKET_STREAM, 0);
  waitq_init(&s->readers);
  waitq_init(&s->writers);
  list_init(&s->accept_link);
  s->pcb = pcb;
  /* Answers go out when they are written: a server's short reply must not wait for the client's
   * delayed acknowledgement. Keep-alive finds peers that vanished. */
  tcp_nagle_disable(pcb);
  ip_set_option(pcb, SOF_KEEPALIVE);
  stream_attach(s);
  return s;
}

void stream_free(struct stream *s) {
  while (s->rx_head != NULL) {
    struct pbuf *p = s->rx_head;
    s->rx_head = p->next;
    p->next = NULL;
    p->tot_len = p->len;
    pbuf_free(p);
  }
  net_free(s);
}

/* lwIP resets the connection if bytes are unread, and else sends what is queued, then FIN. */
static void stream_close(struct file *f) {
  struct stream *s = (struct stream *)f;
  if (s->pcb != NULL) {
    struct tcp_pcb *pcb = stream_orphan(s);
    if (tcp_close(pcb) != ERR_OK)
      tcp_abort(pcb);
  }
  stream_free(s);
  net_flush();
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Copies from the front of the queue until it or the uio is at its end; consumes nothing. */
static errno_t copy_out(const struct stream *s, struct uio *uio, uint32_t *copied) {
  errno_t e = 0;
  *copied = 0;
  for (const struct pbuf *p = s->rx_head; e == 0 && p != NULL && uio->resid > 0; p = p->next) {
    uint32_t n = p->len < uio->resid ? p->len : (uint32_t)uio->resid;
    e = uio_copy_to(uio, p->payload, n);
    *copied += n;
  }
  return e;
}

/* Waits until `want` bytes can be read, or as many as will ever come. 0 then; the error of the
 * connection when nothing was read and nothing is there. */
static errno_t wait_readable(struct stream *s, uint32_t want, bool nothing_read) {
  while (s->rx_bytes < want && !s->eof && !s->rd_shut) {
    if (s->pcb == NULL) {
      errno_t e = s->error;
      if (!nothing_read || s->rx_bytes > 0)
        return 0;
      s->error = 0;
      return e;
    }
    if ((s->file.flags & FDFLAG_NONBLOCK) != 0)
      return nothing_read && s->rx_bytes == 0 ? EAGAIN : 0;
    errno_t e = waitq_sleep(&s->readers, NEVER_NS);
    if (e != 0)
      return e;
  }
  return 0;
}

static errno_t peek(struct stream *s, struct uio *uio, bool all) {
  /* More than the window can't be waited for: it does not open for bytes that stay. */
  uint32_t most = net_tcp_window / 2, copied;
  uint32_t want = !all ? 1 : uio->resid < most ? (uint32_t)uio->resid : most;
  errno_t e = wait_readable(s, want, true);
  return e != 0 ? e : copy_out(s, uio, &copied);
}

static errno_t receive(struct stream *s, struct uio *uio, bool all) {
  bool nothing_read = true;
  while (uio->resid > 0) {
    uint32_t n;
    errno_t e = wait_readable(s, 1, nothing_read);
    if (e != 0)
      return e;
    e = copy_out(s, uio, &n);
    if (e != 0 || n == 0)
      return e;
    stream_consume(s, n);
    nothing_read = false;
    net_flush();
    if (!all)
      break;
  }
  return 0;
}

static errno_t stream_read(struct file *f, struct uio *uio) {
  return receive((struct stream *)f, uio, false);
}

static errno_t stream_recv(struct file *f, struct sockmsg *msg) {
  struct stream *s = (struct stream *)f;
  bool all = (msg->flags & SOCK_RECV_WAITALL) != 0;
  msg->fds = NULL;
  msg->out_flags = 0;
  if ((msg->flags & ~(SOCK_RECV_PEEK | SOCK_RECV_WAITALL)) != 0)
    return EINVAL;
  if ((msg->flags & SOCK_RECV_PEEK) != 0)
    return msg->uio->resid == 0 ? 0 : peek(s, msg->uio, all);
  return receive(s, msg->uio, all);
}

static errno_t stream_send(struct file *f, struct sockmsg *msg) {
  msg->out_flags = 0;
  if (msg->flags != 0)
    return EINVAL;
  if (msg->fds != NULL) /* descriptors do not travel over a network */
    return ENOTSUP;
  return stream_write(f, msg->uio);
}

/* ---- The rest -------------------------------------------------------------------------------- */

static errno_t stream_shutdown(struct file *f, sdflags_t how) {
  struct stream *s = (struct stream *)f;
  if (s->pcb == NULL && !s->wr_shut)
    return ENOTCONN;
  if ((how & SHUT_RD) != 0 && !s->rd_shut) {
    s->rd_shut = true;
    stream_consume(s, s->rx_bytes);
    waitq_wake_all(&s->readers);
  }
  if ((how & SHUT_WR) != 0 && !s->wr_shut) {
    s->wr_shut = true;
    err_t err = tcp_shutdown(s->pcb, 0, 1); /* without memory for the FIN, lwIP tries again */
    ASSERT(err == ERR_OK);
    if (s->eof)
      stream_orphan(s);
    waitq_wake_all(&s->writers);
  }
  net_flush();
  return 0;
}

static errno_t stream_sockstat(struct file *f, struct sockstat *st, ssflags_t flags) {
  struct stream *s = (struct stream *)f;
  if (s->pcb != NULL) {
    net_sockaddr(&s->pcb->local_ip, s->pcb->local_port, &st->ss_sockname);
    net_sockaddr(&s->pcb->remote_ip, s->pcb->remote_port, &st->ss_peername);
  }
  st->ss_error = s->error;
  if ((flags & SOCKSTAT_CLEAR_ERROR) != 0)
    s->error = 0;
  return 0;
}

static struct waitq *poll_read(struct stream *s, struct poll_state *st) {
  bool ended = s->eof || s->pcb == NULL;
  st->nbytes = s->rx_bytes;
  st->ready = ended || s->rx_bytes > 0 || s->rd_shut;
  st->flags = ended ? EVENT_FD_READWRITE_HANGUP : 0;
  return &s->readers;
}

/* The peer's FIN alone is no hang-up here: it may be waiting for the answer. */
static struct waitq *poll_write(struct stream *s, struct poll_state *st) {
  bool ended = s->wr_shut || s->pcb == NULL;
  st->nbytes = stream_room(s);
  st->ready = ended || stream_writable(s);
  st->flags = ended ? EVENT_FD_READWRITE_HANGUP : 0;
  return &s->writers;
}

static void stream_poll(struct file *f, eventtype_t type, struct poll_state *st, struct waiter *w) {
  struct stream *s = (struct stream *)f;
  struct waitq *q = type == EVENTTYPE_FD_READ ? poll_read(s, st) : poll_write(s, st);
  waitq_leave(q, w, st->ready);
}

const struct file_ops stream_ops = {
    .close = stream_close,
    .read = stream_read,
    .write = stream_write,
    .poll = stream_poll,
    .recv = stream_recv,
    .send = stream_send,
    .shutdown = stream_shutdown,
    .sockstat = stream_sockstat,
};
