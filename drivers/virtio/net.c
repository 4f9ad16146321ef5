/*
 * virtio-net: start, interrupts and the bottom half (specification 5.1). vnet_rx.c and vnet_tx.c
 * move frames.
 *
 * Started by the core at boot. Handlers only mark; the bottom half takes frames in lots, while the
 * device's interrupts rest, and hands them to the stack. Kernel lock; nothing sleeps.
 */
#include "drivers/virtio/net.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

enum { /* configuration (5.1.4) */
       CONFIG_MAC = 0,
       CONFIG_STATUS = 6,
       CONFIG_MTU = 10,
       STATUS_LINK_UP = 1,
};

#define RX_MIN 16 /* buffers of 2 KiB */
#define RX_MAX 256
#define RX_PAGES_EACH 96 /* pages of RAM per buffer: about 0.5 % of it */
#define RX_FOR_TSO 128   /* a frame cut by nobody takes 35 buffers */
#define TX_MIN 64
#define TX_MAX 256
#define BUDGET 64 /* frames in one go of the bottom half */
#define MTU_ETHERNET 1500
#define FRAME_MAX (65535 + 18) /* of IP, behind an Ethernet header with a VLAN tag */
#define MTU_LEAST 68           /* RFC 791 */

static void on_queue(struct virtio_dev *d) {
  struct virtio_net *n = d->driver;
  if (n->down)
    return;
  if (!n->rx.event_idx)
    virtq_irq_off(&n->rx); /* with event index it has gone off by itself */
  bh_schedule(&n->bh);
}

static void on_config(struct virtio_dev *d) {
  struct virtio_net *n = d->driver;
  n->config_changed = true;
  bh_schedule(&n->bh);
}

static void set_link(struct virtio_net *n, bool up) {
  if (n->nd.link_up == up)
    return;
  n->nd.link_up = up;
  if (n->nd.link_changed != NULL)
    n->nd.link_changed(&n->nd);
}

static bool read_link(struct virtio_net *n) {
  return !virtio_has(n->dev, NET_F_STATUS) ||
         (virtio_config16(n->dev, CONFIG_STATUS) & STATUS_LINK_UP) != 0;
}

static void config_change(struct virtio_net *n) {
  n->config_changed = false;
  if (!virtio_check(n->dev))
    set_link(n, read_link(n));
}

static void bottom_half(struct bh *bh) {
  struct virtio_net *n = container_of(bh, struct virtio_net, bh);
  if (n->down)
    return;
  if (n->config_changed)
    config_change(n);
  vnet_tx_reap(n);
  vnet_tx_settle(n);
  unsigned done = vnet_rx_poll(n, BUDGET);
  if (done != 0 && n->nd.rx_done != NULL)
    n->nd.rx_done(&n->nd);
  if (n->dev->broken) {
    n->down = true;
    vnet_rx_abort(n);
    vnet_tx_abort(n);
    set_link(n, false);
  } else if (done == BUDGET || virtq_irq_on(&n->rx, 1)) {
    bh_schedule(bh); /* more has come, or may have: after the others */
  }
}

static const struct netdev_ops ops = {.transmit = vnet_transmit, .flush = vnet_flush};

static unsigned clamp_pow2(size_t v, unsigned min, unsigned max) {
  unsigned p = min;
  while (p * 2 <= max && p * 2 <= v)
    p *= 2;
  return p;
}

/* An address of our own making, for a device that has none: locally administered. */
static void make_mac(uint8_t mac[6]) {
  uint64_t word;
  if (!arch_random(&word))
    word = arch_time_ns() * 0x9e3779b97f4a7c15ull;
  memcpy(mac, &word, 6);
  mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

static uint16_t read_mtu(struct virtio_net *n) {
  if (!virtio_has(n->dev, NET_F_MTU))
    return MTU_ETHERNET;
  uint16_t mtu = virtio_config16(n->dev, CONFIG_MTU);
  if (mtu < MTU_LEAST) {
    log_warn("%s: an MTU of %u bytes is ignored", n->dev->name, mtu);
    return MTU_ETHERNET;
  }
  /* One buffer holds an ordinary frame; longer ones need several. */
  return mtu > MTU_ETHERNET && !n->mergeable ? MTU_ETHERNET : mtu;
}

static void take_features(struct virtio_net *n) {
  struct virtio_dev *d = n->dev;
  n->mergeable = virtio_has(d, NET_F_MRG_RXBUF);
  bool v1 = virtio_has(d, VIRTIO_F_VERSION_1);
  n->hdr_bytes = v1 || n->mergeable ? NET_HDR_BYTES : NET_HDR_BYTES_SHORT;
  n->split_header = !v1 && !n->mergeable && !virtio_has(d, VIRTIO_F_ANY_LAYOUT);
  n->nd.features = (virtio_has(d, NET_F_CSUM) ? NETDEV_TX_CSUM : 0u) |
                   (virtio_has(d, NET_F_GUEST_CSUM) ? NETDEV_RX_CSUM : 0u);
  if (virtio_has(d, NET_F_HOST_TSO4))
    n->nd.features |= NETDEV_TSO4;
  n->nd.mtu = read_mtu(n);
  n->rx_largest = NET_HDR_BYTES + (virtio_has(d, NET_F_GUEST_TSO4) ? FRAME_MAX : n->nd.mtu + 18u);
  if (virtio_has(d, NET_F_MAC))
    virtio_config_bytes(d, CONFIG_MAC, n->nd.mac, sizeof n->nd.mac);
  else
    make_mac(n->nd.mac);
}

/* Agrees on features. Large received frames only where buffers suffice and checksums are vouched
 * for. */
static errno_t begin(struct virtio_net *n, unsigned rx_total) {
  uint64_t wanted = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MTU | NET_F_MAC | NET_F_HOST_TSO4 |
                    NET_F_MRG_RXBUF | NET_F_STATUS;
  if (rx_total >= RX_FOR_TSO)
    wanted |= NET_F_GUEST_TSO4;
  errno_t e = virtio_begin(n->dev, wanted);
  if (e != 0)
    return e;
  uint64_t unfounded = 0; /* agreed, but not what it rests on (5.1.3.1) */
  if (!virtio_has(n->dev, NET_F_CSUM))
    unfounded |= NET_F_HOST_TSO4;
  if (!virtio_has(n->dev, NET_F_GUEST_CSUM) || !virtio_has(n->dev, NET_F_MRG_RXBUF))
    unfounded |= NET_F_GUEST_TSO4;
  return virtio_has(n->dev, unfounded) ? virtio_begin(n->dev, wanted & ~unfounded) : 0;
}

static errno_t start(struct virtio_net *n) {
  unsigned rx_total = clamp_pow2(page_total() / RX_PAGES_EACH, RX_MIN, RX_MAX);
  errno_t e = begin(n, rx_total);
  if (e != 0)
    return e;
  take_features(n);
  e = virtio_connect(n->dev, on_queue, on_config);
  if (e == 0)
    e = vnet_rx_init(n, rx_total);
  if (e == 0)
    e = vnet_tx_init(n, clamp_pow2(rx_total, TX_MIN, TX_MAX));
  if (e != 0)
    return e;
  n->nd.link_up = read_link(n);
  n->down = false;
  virtio_ready(n->dev);
  virtq_irq_on(&n->rx, 1);
  virtq_kick(&n->rx);
  return 0;
}

errno_t virtio_net_start(struct virtio_dev *d) {
  struct virtio_net *n = kzalloc(sizeof *n);
  errno_t e = ENOMEM;
  if (n != NULL) {
    n->dev = d;
    n->down = true;
    n->bh.run = bottom_half;
    n->nd.ops = &ops;
    n->nd.name = d->name;
    d->driver = n;
    e = start(n);
  }
  if (e != 0) {
    /* What was allocated stays: the device may have been told of it, and handlers know d. */
    virtio_break(d, "can't be started (error %u)", e);
    return 0;
  }
  log_info("%s: %02x:%02x:%02x:%02x:%02x:%02x, mtu %u, %u receive buffers, features 0x%llx",
           d->name, n->nd.mac[0], n->nd.mac[1], n->nd.mac[2], n->nd.mac[3], n->nd.mac[4],
           n->nd.mac[5], n->nd.mtu, n->rx_total, (unsigned long long)d->features);
  netdev_register(&n->nd);
  return 0;
}
