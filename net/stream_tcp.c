/*
 * Connected sockets seen from lwIP: what a connection's events do to its stream.
 *
 * Received pbufs are queued as they are, uncopied, except that small segments behind unread ones
 * are gathered in buffers of their own: a peer that sends single bytes must not hold a packet
 * buffer with each. The receive window opens as the program reads (stream_consume), so the queue is
 * never longer than the window.
 *
 * A connection outlives its stream: lwIP ends it after close(), and an orphan that makes no
 * progress for a minute is reset. A stream may outlive its connection as well: lwIP frees the
 * pcb before it calls on_error(). Callbacks come in the bottom half and do not sleep.
 */
#include "net/stack.h"

#include "kernel/string.h"
#include "lwip/pbuf.h"

#define SMALL 512u   /* payloads below it are gathered */
#define GATHER 1984u /* bytes of such a buffer: fits the heap's 2032 with its header */
#define ORPHAN_HALF_SECONDS 120

static bool gather(struct stream *s, struct pbuf *p) {
  if (p->tot_len > s->rx_room) {
    struct pbuf *room = pbuf_alloc(PBUF_RAW, GATHER, PBUF_RAM);
    if (room == NULL)
      return false;
    room->len = 0;
    s->rx_tail->next = room;
    s->rx_tail = room;
    s->rx_room = GATHER;
  }
  struct pbuf *tail = s->rx_tail;
  pbuf_copy_partial(p, (char *)tail->payload + tail->len, p->tot_len, 0);
  tail->len = (u16_t)(tail->len + p->tot_len);
  s->rx_room = (uint16_t)(s->rx_room - p->tot_len);
  pbuf_free(p);
  return true;
}

static void append(struct stream *s, struct pbuf *p) {
  s->rx_bytes += p->tot_len;
  if (s->rx_tail != NULL && p->tot_len < SMALL && gather(s, p))
    return;
  if (s->rx_tail == NULL)
    s->rx_head = p;
  else
    s->rx_tail->next = p;
  while (p->next != NULL)
    p = p->next;
  s->rx_tail = p;
  s->rx_room = 0;
}

static err_t on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
  struct stream *s = arg;
  if (p == NULL) {
    s->eof = true;
    if (s->wr_shut)
      stream_orphan(s);
  } else if (s->rd_shut) {
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
  } else {
    append(s, p);
  }
  waitq_wake_all(&s->readers);
  return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t bytes) {
  struct stream *s = arg;
  s->tx_starved = false;
  if (!list_empty(&s->writers.waiters) && stream_writable(s))
    waitq_wake_all(&s->writers);
  return ERR_OK;
}

/* Only while a write found no memory: lets it try again. */
static err_t on_poll(void *arg, struct tcp_pcb *pcb) {
  struct stream *s = arg;
  s->tx_starved = false;
  tcp_poll(pcb, NULL, 0);
  waitq_wake_all(&s->writers);
  return ERR_OK;
}

static void on_error(void *arg, err_t err) {
  struct stream *s = arg;
  s->pcb = NULL;
  if (s->listener != NULL) {
    listener_forget(s);
    return;
  }
  if (err == ERR_CLSD) { /* both directions ended in order */
    s->eof = true;
  } else {
    s->error = err == ERR_RST ? ECONNRESET : ETIMEDOUT;
  }
  waitq_wake_all(&s->readers);
  waitq_wake_all(&s->writers);
}

void stream_attach(struct stream *s) {
  tcp_arg(s->pcb, s);
  tcp_recv(s->pcb, on_receive);
  tcp_sent(s->pcb, on_sent);
  tcp_err(s->pcb, on_error);
}

void stream_starve(struct stream *s) {
  s->tx_starved = true;
  tcp_poll(s->pcb, on_poll, 1);
}

static err_t orphan_sent(void *arg, struct tcp_pcb *pcb, u16_t bytes) {
  pcb->polltmr = 0;
  return ERR_OK;
}

static err_t orphan_poll(void *arg, struct tcp_pcb *pcb) {
  tcp_abort(pcb);
  return ERR_ABRT;
}

struct tcp_pcb *stream_orphan(struct stream *s) {
  struct tcp_pcb *pcb = s->pcb;
  s->pcb = NULL;
  tcp_arg(pcb, NULL);
  tcp_recv(pcb, NULL);
  tcp_err(pcb, NULL);
  tcp_sent(pcb, orphan_sent);
  tcp_poll(pcb, orphan_poll, ORPHAN_HALF_SECONDS);
  return pcb;
}

void stream_consume(struct stream *s, uint32_t n) {
  s->rx_bytes -= n;
  for (uint32_t left = n; left > 0;) {
    struct pbuf *p = s->rx_head;
    if (p->len > left) {
      pbuf_remove_header(p, left);
      break;
    }
    left -= p->len;
    s->rx_head = p->next;
    p->next = NULL;
    p->tot_len = p->len;
    pbuf_free(p);
  }
  if (s->rx_head == NULL) {
    s->rx_tail = NULL;
    s->rx_room = 0;
  }
  while (s->pcb != NULL && n > 0) {
    u16_t step = (u16_t)(n < 0xffff ? n : 0xffff);
    tcp_recved(s->pcb, step);
    n -= step;
  }
}
