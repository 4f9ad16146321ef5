/*
 * What net/ and net/port tell each other, beyond lwIP's own interface.
 *
 * Everything runs under the kernel lock, in the bottom half or in a system call; nothing sleeps.
 */
#ifndef NET_PORT_PORT_H
#define NET_PORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

/* ---- memory.c -------------------------------------------------------------------------------- */

/* Chooses window sizes and limits by the machine's memory, and makes the table of connections.
 * Once, before lwIP starts. ENOMEM. */
errno_t net_memory_init(void);
/* Three quarters of what the network may use are used: nobody should queue more than he needs. */
bool net_memory_tight(void);
/* Bytes in use, for tests and the log. */
size_t net_memory_used(void);
/* lwIP's TCP_WND, TCP_SND_BUF and TCP_SND_QUEUELEN. */
extern uint32_t net_tcp_window, net_tcp_sndbuf;
extern uint16_t net_tcp_queuelen;
/* Received buffers that may be lent to sockets uncopied. */
extern uint32_t net_lent_max;
/* Connections kept in TIME_WAIT. */
extern uint32_t net_timewait_max;

/* ---- checksum.c ------------------------------------------------------------------------------ */

/* How the next tcp_write() with TCP_WRITE_FLAG_COPY gets its bytes. */
struct net_copy {
  bool from_user; /* the pointer given is the program's */
  bool faulted;   /* set when the program's memory could not be read: zeroes were taken */
  bool skip_sum;  /* nobody needs the sum: the device makes it */
};
extern struct net_copy net_copy;

/* ---- demux.c, isn.c, random.c ---------------------------------------------------------------- */

/* A table of 2^bits buckets. ENOMEM. */
errno_t net_demux_init(unsigned bits);
void net_isn_init(void);

#endif
