/*
 * Listening sockets: connections that are made wait here until the program accepts them.
 *
 * lwIP counts half-made and waiting connections against the backlog and ignores further SYNs, which
 * clients repeat. A connection that dies while it waits leaves the queue. Reference 7 and 9.2
 * (sock_accept).
 *
 * accept() and poll() come from system calls, connections from the bottom half. Kernel lock.
 */
#include "net/net.h"

#include "arch/cc.h"
#include "kernel/string.h"
#include "lwip/tcp.h"
#include "net/port/port.h"
#include "net/stack.h"

#define BACKLOG 128

struct listener {
  struct file file;
  struct tcp_pcb *pcb;
  struct list queue; /* streams, by accept_link */
  uint32_t queued;
  struct waitq acceptors; /* woken one for each connection */
  struct waitq pollers;
};

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err) {
  struct listener *l = arg;
  if (pcb == NULL || err != ERR_OK)
    return ERR_VAL;
  struct stream *s = stream_create(pcb);
  if (s == NULL)
    return ERR_MEM; /* lwIP resets the connection */
  s->listener = l;
  tcp_backlog_delayed(pcb);
  list_push_back(&l->queue, &s->accept_link);
  l->queued++;
  waitq_wake_one(&l->acceptors);
  waitq_wake_all(&l->pollers);
  return ERR_OK;
}

static void dequeue(struct listener *l, struct stream *s) {
  list_remove(&s->accept_link);
  s->listener = NULL;
  l->queued--;
}

void listener_forget(struct stream *s) {
  dequeue(s->listener, s);
  stream_free(s);
}

static errno_t listener_accept(struct file *f, struct file **conn) {
  struct listener *l = (struct listener *)f;
  while (list_empty(&l->queue)) {
    if ((f->flags & FDFLAG_NONBLOCK) != 0)
      return EAGAIN;
    errno_t e = waitq_sleep(&l->acceptors, NEVER_NS);
    if (e != 0)
      return e;
  }
  struct stream *s = container_of(l->queue.next, struct stream, accept_link);
  dequeue(l, s);
  tcp_backlog_accepted(s->pcb);
  *conn = &s->file;
  return 0;
}

static void listener_poll(struct file *f, eventtype_t type, struct poll_state *st,
                          struct waiter *w) {
  struct listener *l = (struct listener *)f;
  st->nbytes = l->queued;
  st->ready = l->queued > 0;
  if (type != EVENTTYPE_FD_READ) { /* a write would fail immediately */
    st->nbytes = 0;
    st->ready = true;
  }
  waitq_leave(&l->pollers, w, st->ready);
}

static void listener_close(struct file *f) {
  struct listener *l = (struct listener *)f;
  tcp_close(l->pcb);
  while (!list_empty(&l->queue)) {
    struct stream *s = container_of(l->queue.next, struct stream, accept_link);
    tcp_abort(s->pcb); /* its on_error() takes it out of the queue and frees it */
  }
  net_free(l);
  net_flush();
}

static errno_t listener_sockstat(struct file *f, struct sockstat *st, ssflags_t flags) {
  struct listener *l = (struct listener *)f;
  net_sockaddr(&l->pcb->local_ip, l->pcb->local_port, &st->ss_sockname);
  st->ss_state = SOCKSTATE_ACCEPTCONN;
  return 0;
}

static errno_t not_connected(struct file *f, struct uio *uio) {
  return ENOTCONN;
}

static errno_t not_connected_msg(struct file *f, struct sockmsg *msg) {
  return ENOTCONN;
}

static errno_t not_connected_shutdown(struct file *f, sdflags_t how) {
  return ENOTCONN;
}

static const struct file_ops listener_ops = {
    .close = listener_close,
    .accept = listener_accept,
    .poll = listener_poll,
    .read = not_connected,
    .write = not_connected,
    .recv = not_connected_msg,
    .send = not_connected_msg,
    .shutdown = not_connected_shutdown,
    .sockstat = listener_sockstat,
};

/* ---- net_listen ------------------------------------------------------------------------------ */

static bool loopback(const struct net_address *a) {
  if (!a->v6)
    return a->addr[0] == 127;
  static const uint8_t one[16] = {[15] = 1};
  return memcmp(a->addr, one, sizeof one) == 0;
}

static bool any(const struct net_address *a) {
  static const uint8_t zero[16];
  return memcmp(a->addr, zero, a->v6 ? 16 : 4) == 0;
}

/* The address as lwIP has it: [::] takes both families, as everywhere. EADDRNOTAVAIL. */
static errno_t convert(const struct net_address *a, ip_addr_t *ip) {
  if (loopback(a))
    return EADDRNOTAVAIL; /* nothing but the network could connect */
  if (a->v6 && any(a)) {
    *ip = *IP_ANY_TYPE;
    return 0;
  }
  if (!a->v6) {
    uint32_t word;
    memcpy(&word, a->addr, sizeof word);
    ip_addr_set_ip4_u32(ip, word);
    /* The address is known when it is static; DHCP's may still come. */
    bool ours = ip4_addr_isany(netif_ip4_addr(&net_if)) ||
                word == ip4_addr_get_u32(netif_ip4_addr(&net_if));
    return any(a) || ours ? 0 : EADDRNOTAVAIL;
  }
#if LWIP_IPV6
  uint32_t words[4];
  memcpy(words, a->addr, sizeof words);
  IP_ADDR6(ip, words[0], words[1], words[2], words[3]);
  return 0;
#else
  return EADDRNOTAVAIL;
#endif
}

static errno_t listen(struct listener *l, const ip_addr_t *ip, uint16_t port) {
  struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(ip)), *listening;
  if (pcb == NULL)
    return ENOMEM;
  if (tcp_bind(pcb, ip, port) != ERR_OK) {
    tcp_close(pcb);
    return EADDRINUSE;
  }
  listening = tcp_listen_with_backlog(pcb, BACKLOG);
  if (listening == NULL) {
    tcp_close(pcb);
    return ENOMEM;
  }
  l->pcb = listening;
  tcp_arg(listening, l);
  tcp_accept(listening, on_accept);
  return 0;
}

errno_t net_listen(const struct net_address *a, struct file **f) {
  ip_addr_t ip;
  errno_t e = convert(a, &ip);
  if (e != 0)
    return e;
  struct listener *l = net_calloc(1, sizeof *l);
  if (l == NULL)
    return ENOMEM;
  file_init(&l->file, &listener_ops, FILETYPE_SOCKET_STREAM, 0);
  list_init(&l->queue);
  waitq_init(&l->acceptors);
  waitq_init(&l->pollers);
  e = listen(l, &ip, a->port);
  if (e != 0) {
    net_free(l);
    return e;
  }
  *f = &l->file;
  return 0;
}
