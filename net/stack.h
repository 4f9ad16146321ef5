/*
 * The parts of net/ among themselves: the interface, its timers, and the sockets over lwIP.
 *
 * All under the kernel lock; callbacks of lwIP and of the driver run in the bottom half, file
 * operations in a system call. A file operation that made lwIP send calls net_flush() before it
 * sleeps or returns.
 */
#ifndef NET_STACK_H
#define NET_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/file.h"
#include "kernel/list.h"
#include "kernel/netdev.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"

/* ---- netif.c: the device --------------------------------------------------------------------- */

extern struct netif net_if;

/* The device that netdev_register() was told of first; NULL: none. */
struct netdev *net_device(void);
/* Joins lwIP and the device, and sets the link state. lwIP's parts are initialised. */
void net_if_start(struct netdev *dev);
/* Tells the device of what was sent since the last call. Cheap when that is nothing. */
void net_flush(void);
/* A frame was sent or received since this was asked last. */
bool net_if_traffic(void);

/* ---- timers.c -------------------------------------------------------------------------------- */

void net_timers_init(void);
/* Frames came: housekeeping goes back to its one-second pace if it had slowed down. */
void net_timers_wake(void);

/* ---- stream.c, stream_tcp.c: connected sockets ----------------------------------------------- */

struct listener;

struct stream {
  struct file file;
  struct tcp_pcb *pcb;            /* NULL: the connection is gone, or lwIP ends it by itself */
  struct pbuf *rx_head, *rx_tail; /* received and unread; linked by next, tot_len unused */
  uint32_t rx_bytes;
  uint16_t rx_room;      /* free behind the bytes of rx_tail, for small segments */
  bool eof;              /* the peer will send no more */
  bool rd_shut, wr_shut; /* by us */
  bool tx_starved;       /* lwIP had no memory: wait until it tells of progress */
  errno_t error;         /* to be told by the next read, once */
  struct waitq readers, writers;
  struct list accept_link;   /* in its listener's queue until accepted */
  struct listener *listener; /* whose queue that is */
};

extern const struct file_ops stream_ops;

/* stream.c: a stream over a connection that was just made. NULL: no memory. */
struct stream *stream_create(struct tcp_pcb *pcb);
/* stream.c: frees a stream that has no connection, with what was not read. */
void stream_free(struct stream *s);

/* stream_tcp.c: sends lwIP's events for s->pcb to s. */
void stream_attach(struct stream *s);
/* stream_tcp.c: lets lwIP end the connection in the background; s->pcb becomes NULL, and no event
 * comes any more. Both directions have been shut, or tcp_close() follows. Returns the pcb. */
struct tcp_pcb *stream_orphan(struct stream *s);
/* stream_tcp.c: lwIP had no memory: wakes writers when there has been progress, or soon. */
void stream_starve(struct stream *s);
/* stream_tcp.c: n bytes of the queue were read, or thrown away: frees them and opens the window. */
void stream_consume(struct stream *s, uint32_t n);

/* stream_send.c: fd_write. */
errno_t stream_write(struct file *f, struct uio *uio);
/* stream_send.c: bytes that a write may queue now. */
uint32_t stream_room(const struct stream *s);
/* stream_send.c: whether a write would not wait, with enough room to be worth it. */
bool stream_writable(const struct stream *s);

/* ---- listener.c ------------------------------------------------------------------------------ */

/* s's connection died before it was accepted: it leaves the queue and is freed. */
void listener_forget(struct stream *s);

/* ---- address.c ------------------------------------------------------------------------------- */

/* "10.0.2.15" of exactly len characters; false: it isn't one. */
bool net_parse_ip4(const char *text, size_t len, ip4_addr_t *out);
/* The name of one end, into zeroes; the port in the machine's byte order, as lwIP has it, too. */
void net_sockaddr(const ip_addr_t *ip, uint16_t port, struct sockaddr *out);

#endif
