/*
 * Which connection a segment belongs to: a hash table over all of lwIP's TCP connections, and the
 * end of those in TIME_WAIT.
 *
 * The table is called from lwIP by net/patches. The hash is a random linear function of the remote
 * address and port, so that nobody outside can choose ports that collide. Kernel lock.
 */
#include "lwip/opt.h"

#include "hooks.h"
#include "kernel/heap.h"
#include "kernel/random.h"
#include "kernel/string.h"
#include "lwip/priv/tcp_priv.h"
#include "net/port/port.h"

static struct tcp_pcb **buckets;
static unsigned shift;     /* 64 − log2 of their number */
static uint64_t factor[5]; /* odd, random */

static uint32_t timewait_added; /* since the list was cut last: no less than its length */

errno_t net_demux_init(unsigned bits) {
  buckets = kzalloc(sizeof *buckets << bits);
  if (buckets == NULL)
    return ENOMEM;
  shift = 64 - bits;
  random_bytes(factor, sizeof factor);
  for (unsigned i = 0; i < 5; i++)
    factor[i] |= 1;
  return 0;
}

/* Not of the local port: lwIP clears that before it frees a connection. */
static struct tcp_pcb **bucket(const ip_addr_t *remote, u16_t remote_port) {
  uint64_t h = factor[0] * remote_port;
#if LWIP_IPV6
  if (IP_IS_V6(remote)) {
    for (unsigned i = 0; i < 4; i++)
      h += factor[i + 1] * ip_2_ip6(remote)->addr[i];
    return &buckets[h >> shift];
  }
#endif
  h += factor[1] * ip4_addr_get_u32(ip_2_ip4(remote));
  return &buckets[h >> shift];
}

void net_demux_insert(struct tcp_pcb *pcb) {
  struct tcp_pcb **b = bucket(&pcb->remote_ip, pcb->remote_port);
  pcb->hash_next = *b;
  *b = pcb;
}

void net_demux_remove(struct tcp_pcb *pcb) {
  struct tcp_pcb **p = bucket(&pcb->remote_ip, pcb->remote_port);
  while (*p != NULL && *p != pcb)
    p = &(*p)->hash_next;
  if (*p != NULL)
    *p = pcb->hash_next;
}

/* Inlined, so that lwIP's own comparison of what is compared here costs nothing. */
__attribute__((always_inline)) struct tcp_pcb *net_demux_find(const ip_addr_t *local,
                                                              u16_t local_port,
                                                              const ip_addr_t *remote,
                                                              u16_t remote_port) {
  struct tcp_pcb *pcb = *bucket(remote, remote_port);
  while (pcb != NULL &&
         (pcb->remote_port != remote_port || pcb->local_port != local_port ||
          !ip_addr_cmp(&pcb->remote_ip, remote) || !ip_addr_cmp(&pcb->local_ip, local)))
    pcb = pcb->hash_next;
  return pcb;
}

static void timewait_free(struct tcp_pcb *pcb) {
  tcp_pcb_remove(&tcp_tw_pcbs, pcb);
  tcp_free(pcb);
}

bool net_timewait_ends(struct tcp_pcb *pcb, u8_t flags, u32_t seqno) {
  flags &= TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN;
  bool newer = flags == TCP_SYN && TCP_SEQ_GEQ(seqno, pcb->rcv_nxt);
  bool reset = (flags & TCP_RST) != 0 && seqno == pcb->rcv_nxt;
  if (!newer && !reset)
    return false;
  timewait_free(pcb);
  return true;
}

void net_timewait_added(void) {
  if (++timewait_added <= net_timewait_max)
    return;
  /* The newest are at the front: half of the room is kept for them, the others are freed. */
  struct tcp_pcb *pcb = tcp_tw_pcbs;
  uint32_t kept = 1;
  while (pcb->next != NULL && kept < net_timewait_max / 2) {
    pcb = pcb->next;
    kept++;
  }
  timewait_added = kept;
  struct tcp_pcb *old = pcb->next;
  pcb->next = NULL;
  while (old != NULL) {
    struct tcp_pcb *next = old->next;
    tcp_free(old);
    old = next;
  }
}
