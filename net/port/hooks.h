/*
 * The places where lwIP, or our patches of it (net/patches), call back into net/port.
 */
#ifndef NET_PORT_HOOKS_H
#define NET_PORT_HOOKS_H

#include <stdbool.h>

#include "lwip/ip_addr.h"

struct tcp_pcb;

/* isn.c: the first sequence number of a connection, RFC 6528. */
u32_t net_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                  u16_t remote_port);

/* demux.c: the table of all connections, those in TIME_WAIT included. Ports in host order. */
void net_demux_insert(struct tcp_pcb *pcb);
/* Of any pcb; does nothing if it is not in the table. */
void net_demux_remove(struct tcp_pcb *pcb);
struct tcp_pcb *net_demux_find(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                               u16_t remote_port);

/* demux.c: whether a segment with these flags ends the connection pcb, which is in TIME_WAIT. If so
 * it has been freed. */
bool net_timewait_ends(struct tcp_pcb *pcb, u8_t flags, u32_t seqno);
/* demux.c: a connection was put at the head of lwIP's list of those in TIME_WAIT. */
void net_timewait_added(void);

#endif
