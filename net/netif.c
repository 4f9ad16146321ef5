/*
 * lwIP's network interface over a device (kernel/netdev.h): frames up and down, uncopied.
 *
 * Up: a received buffer becomes a custom pbuf that lives in the buffer's own `upper` room, and goes
 * back to the driver when lwIP or a socket frees it. When many are out at once, because programs
 * do not read, further frames are copied and the buffers returned, so that the driver never runs
 * dry. Down: a pbuf chain becomes a gather list; the chain is referenced until the driver is done.
 *
 * The driver calls in the bottom half; lwIP sends from there and from system calls. Kernel lock.
 */
#include "net/stack.h"

#include "kernel/bh.h"
#include "kernel/log.h"
#include "kernel/string.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip4.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"
#include "lwip/priv/tcp_priv.h"
#include "net/port/port.h"
#include "netif/ethernet.h"

_Static_assert(sizeof(struct pbuf_custom) <= sizeof((struct netbuf *)0)->upper,
               "a netbuf has room for a pbuf");

struct netif net_if;

static struct netdev *device;
static uint32_t lent;  /* buffers of the driver that are out */
static bool unflushed; /* frames were queued since the last flush */
static bool traffic;
static bool ring_full; /* a frame was refused: retry when one has been sent */
static struct bh retry_bh;

void netdev_register(struct netdev *dev) {
  if (device == NULL)
    device = dev;
  else
    log_warn("network: %s is not used, only %s is", dev->name, device->name);
}

struct netdev *net_device(void) {
  return device;
}

bool net_if_traffic(void) {
  bool was = traffic;
  traffic = false;
  return was;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static void lent_free(struct pbuf *p) {
  struct netbuf *b = (struct netbuf *)((char *)p - offsetof(struct netbuf, upper));
  lent--;
  b->free(b);
}

static struct pbuf *lend_part(struct netbuf *b) {
  struct pbuf_custom *c = (struct pbuf_custom *)b->upper;
  c->custom_free_function = lent_free;
  lent++;
  return pbuf_alloced_custom(PBUF_RAW, (u16_t)b->len, PBUF_REF, c, b->data, (u16_t)b->len);
}

static struct pbuf *lend(struct netbuf *b) {
  struct netbuf *next = b->next; /* before the part can be freed */
  struct pbuf *p = lend_part(b);
  for (b = next; b != NULL; b = next) {
    next = b->next;
    pbuf_cat(p, lend_part(b));
  }
  return p;
}

static void free_parts(struct netbuf *b) {
  while (b != NULL) {
    struct netbuf *next = b->next;
    b->free(b);
    b = next;
  }
}

/* The frame in memory of its own; the buffer goes back. NULL: no memory, the frame is lost. */
static struct pbuf *copy(struct netbuf *b, size_t bytes) {
  struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_RAM);
  size_t at = 0;
  for (struct netbuf *part = b; p != NULL && part != NULL; part = part->next) {
    memcpy((char *)p->payload + at, part->data, part->len);
    at += part->len;
  }
  free_parts(b);
  return p;
}

/* lwIP looks at headers before it knows how long they are: so much is always there, and in one
 * piece as far as the frame goes. */
#define FRAME_MIN 42u /* Ethernet and ARP, or IPv4 and ICMP */
#define HEADERS 192u

static void receive(struct netdev *dev, struct netbuf *b) {
  size_t bytes = 0;
  for (struct netbuf *part = b; part != NULL; part = part->next)
    bytes += part->len;
  if (bytes < FRAME_MIN || bytes > UINT16_MAX) {
    free_parts(b);
    return;
  }
  unsigned check = NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
  if (b->csum_ok)
    net_if.chksum_flags &= (u16_t)~check;
  else
    net_if.chksum_flags |= (u16_t)check;
  traffic = true;
  bool scattered = b->next != NULL && b->len < HEADERS;
  struct pbuf *p = lent < net_lent_max && !scattered ? lend(b) : copy(b, bytes);
  if (p != NULL && ethernet_input(p, &net_if) != ERR_OK)
    pbuf_free(p);
}

static void receive_done(struct netdev *dev) {
  net_flush();
  net_timers_wake();
}

static void link_changed(struct netdev *dev) {
  if (dev->link_up)
    netif_set_link_up(&net_if);
  else
    netif_set_link_down(&net_if);
  net_flush();
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* A frame was refused for want of room, and there is some now: whoever has something to send tries
 * again at once instead of at its next timeout. */
static void retry(struct bh *bh) {
  tcp_txnow();
  net_flush();
}

static void sent(void *cookie) {
  pbuf_free(cookie);
  if (ring_full) {
    ring_full = false;
    bh_schedule(&retry_bh);
  }
}

/* If the frame is a TCP segment whose checksum the device makes: says where it goes, and puts the
 * pseudo header's sum there. lwIP left the field zero. */
static void offload_checksum(struct nettx *tx, struct pbuf *p) {
  const struct eth_hdr *eth = p->payload;
  uint8_t *ip = (uint8_t *)p->payload + SIZEOF_ETH_HDR;
  size_t ip_bytes, address_bytes;
  const uint8_t *addresses;
  if (p->len < SIZEOF_ETH_HDR + IP_HLEN + TCP_HLEN)
    return;
  if (eth->type == PP_HTONS(ETHTYPE_IP) && ip[9] == IP_PROTO_TCP) {
    ip_bytes = (ip[0] & 15u) * 4;
    addresses = ip + 12;
    address_bytes = 8;
  } else if (eth->type == PP_HTONS(ETHTYPE_IPV6) && ip[6] == IP_PROTO_TCP) {
    ip_bytes = 40;
    addresses = ip + 8;
    address_bytes = 32;
  } else {
    return;
  }
  size_t start = SIZEOF_ETH_HDR + ip_bytes;
  if (p->len < start + TCP_HLEN)
    return;
  uint32_t sum = net_checksum(addresses, (int)address_bytes);
  sum += lwip_htons((u16_t)(p->tot_len - start)) + PP_HTONS(IP_PROTO_TCP);
  sum = FOLD_U32T(sum);
  u16_t folded = (u16_t)FOLD_U32T(sum);
  tx->csum = true;
  tx->csum_start = (uint16_t)start;
  tx->csum_offset = offsetof(struct tcp_hdr, chksum);
  memcpy((char *)p->payload + start + tx->csum_offset, &folded, sizeof folded);
}

static err_t send(struct netif *netif, struct pbuf *p) {
  struct netseg segs[NETDEV_SEGS_MAX];
  struct nettx tx = {.segs = segs, .done = sent, .cookie = p};
  if (pbuf_clen(p) > NETDEV_SEGS_MAX) {
    p = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
    if (p == NULL)
      return ERR_MEM;
    tx.cookie = p;
  } else {
    pbuf_ref(p);
  }
  for (struct pbuf *q = p; q != NULL; q = q->next) {
    if (q->len > 0)
      segs[tx.nsegs++] = (struct netseg){q->payload, q->len};
  }
  if ((device->features & NETDEV_TX_CSUM) != 0)
    offload_checksum(&tx, p);
  if (device->ops->transmit(device, &tx) != 0) {
    ring_full = true;
    pbuf_free(p);
    return ERR_MEM;
  }
  unflushed = traffic = true;
  return ERR_OK;
}

void net_flush(void) {
  if (!unflushed)
    return;
  unflushed = false;
  device->ops->flush(device);
}

/* ---- The interface --------------------------------------------------------------------------- */

static err_t init(struct netif *netif) {
  netif->name[0] = 'e';
  netif->name[1] = 'n';
  netif->mtu = device->mtu;
  netif->hwaddr_len = ETH_HWADDR_LEN;
  memcpy(netif->hwaddr, device->mac, ETH_HWADDR_LEN);
  netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
  netif->output = etharp_output;
  netif->linkoutput = send;
#if LWIP_IPV6
  netif->flags |= NETIF_FLAG_MLD6;
  netif->output_ip6 = ethip6_output;
#endif
  if ((device->features & NETDEV_TX_CSUM) != 0) {
    net_copy.skip_sum = true;
    NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_ENABLE_ALL & ~NETIF_CHECKSUM_GEN_TCP);
  }
  return ERR_OK;
}

void net_if_start(struct netdev *dev) {
  retry_bh.run = retry;
  netif_add_noaddr(&net_if, NULL, init, ethernet_input);
  netif_set_default(&net_if);
#if LWIP_IPV6
  net_if.ip6_autoconfig_enabled = 1;
  netif_create_ip6_linklocal_address(&net_if, 1);
#endif
  netif_set_up(&net_if);
  dev->rx = receive;
  dev->rx_done = receive_done;
  dev->link_changed = link_changed;
  if (dev->link_up)
    netif_set_link_up(&net_if);
}
