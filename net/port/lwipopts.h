/*
 * lwIP's options: what is compiled, and how large things may grow.
 *
 * Sizes that depend on the machine's memory are variables, set once by net_memory_init()
 * before lwIP starts (net/port/memory.c).
 */
#ifndef NET_PORT_LWIPOPTS_H
#define NET_PORT_LWIPOPTS_H

#include <stdint.h>

/* One thread, the raw interface, timers of our own (net/timers.c). */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_TIMERS 1
#define LWIP_TIMERS_CUSTOM 1
#define LWIP_SINGLE_NETIF 1
#define LWIP_NETIF_STATUS_CALLBACK 1

/* Protocols. Fragments are dropped: TCP never makes them, DHCP's messages fit. */
#define LWIP_IPV4 1
#ifndef LWIP_IPV6
#define LWIP_IPV6 1
#endif
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_DHCP 1
#define DHCP_DOES_ARP_CHECK 0 /* a second of waiting at every start */
#define LWIP_AUTOIP 0
#define LWIP_DNS 0
#define LWIP_IGMP 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 32
#define LWIP_STATS 0
#define LWIP_SUPPORT_CUSTOM_PBUF 1

/* All memory is the kernel's, taken when needed and given back. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
#define mem_clib_malloc net_malloc
#define mem_clib_calloc net_calloc
#define mem_clib_free net_free

/* Checksums: see net/port/checksum.c. A device that fills in TCP's is spared it per netif. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY 1

/* TCP. */
extern uint32_t net_tcp_window, net_tcp_sndbuf;
extern uint16_t net_tcp_queuelen;
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_WND net_tcp_window
#define TCP_SND_BUF net_tcp_sndbuf
#define TCP_SND_QUEUELEN net_tcp_queuelen
#define TCP_WND_UPDATE_THRESHOLD LWIP_MIN(TCP_WND / 4, 4 * TCP_MSS)
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 3
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS 256
#define TCP_LISTEN_BACKLOG 1
#define TCP_MSL 30000
#define TCP_MAXRTX 8 /* some ten minutes */
#define TCP_TMR_INTERVAL 250
#define LWIP_HOOK_FILENAME "hooks.h"
#define LWIP_HOOK_TCP_ISN net_tcp_isn

#endif
