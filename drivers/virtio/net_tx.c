/*
 * virtio-net, sending: frames in pieces, uncopied (specification 5.1.6.1, 5.1.6.2).
 *
 * transmit and flush are called by the stack, the rest from the driver's bottom half. Kernel lock.
 *
 * The device gives no interrupt for a frame it has sent. Finished ones are taken back when the next
 * are flushed, with whatever is received, and at the latest by a timer. Only when the ring is full
 * an interrupt is asked for.
 */
#include "drivers/virtio/net.h"
#include "kernel/heap.h"

#define REAP_AFTER_NS 250000000ull
#define ROOM_FOR_ANY (NETDEV_SEGS_MAX + 1)

void vnet_tx_reap(struct virtio_net *n) {
  void *cookie;
  uint32_t len;
  while (virtq_pending(&n->tx) && virtq_reap(&n->tx, &cookie, &len)) {
    struct tx_slot *slot = cookie;
    if (slot->done != NULL)
      slot->done(slot->cookie);
  }
}

void vnet_tx_abort(struct virtio_net *n) {
  void *cookie;
  while (virtq_take_back(&n->tx, &cookie)) {
    struct tx_slot *slot = cookie;
    if (slot->done != NULL)
      slot->done(slot->cookie);
  }
}

/* Asks for an interrupt when most frames are sent. */
static void ask_irq(struct virtio_net *n) {
  uint16_t most = (uint16_t)(virtq_in_flight(&n->tx) * 3u / 4);
  if (virtq_irq_on(&n->tx, most != 0 ? most : 1))
    bh_schedule(&n->bh); /* they are already */
}

void vnet_tx_settle(struct virtio_net *n) {
  if (!n->tx_full)
    return;
  if (virtq_room(&n->tx) < n->tx_wanted) {
    ask_irq(n);
    return;
  }
  n->tx_full = false;
  virtq_irq_off(&n->tx);
}

/* Makes room for `pieces`; ENOBUFS: there is none before an interrupt that is asked for here. */
static errno_t make_room(struct virtio_net *n, unsigned pieces) {
  vnet_tx_reap(n);
  if (virtq_room(&n->tx) >= pieces)
    return 0;
  n->tx_full = true;
  virtq_kick(&n->tx);
  ask_irq(n);
  return ENOBUFS;
}

static void fill_header(struct net_hdr *hdr, const struct nettx *tx) {
  *hdr = (struct net_hdr){0};
  if (!tx->csum)
    return;
  hdr->flags = NET_HDR_NEEDS_CSUM;
  hdr->csum_start = tx->csum_start;
  hdr->csum_offset = tx->csum_offset;
  if (tx->gso_size == 0)
    return;
  hdr->gso_type = NET_HDR_GSO_TCPV4;
  hdr->gso_size = tx->gso_size;
  hdr->hdr_len = tx->gso_header;
}

errno_t vnet_transmit(struct netdev *nd, const struct nettx *tx) {
  struct virtio_net *n = container_of(nd, struct virtio_net, nd);
  struct virtq_buf bufs[NETDEV_SEGS_MAX + 1];
  unsigned pieces = 1;
  if (n->dev->broken)
    return EIO;
  if (tx->nsegs > NETDEV_SEGS_MAX)
    return EINVAL;
  if (virtq_room(&n->tx) < n->tx.size / 2u || virtq_room(&n->tx) <= tx->nsegs) {
    errno_t e = make_room(n, tx->nsegs + 1);
    if (e != 0)
      return e;
  }

  struct tx_slot *slot = &n->tx_slots[virtq_next_id(&n->tx)];
  fill_header(&slot->hdr, tx);
  slot->done = tx->done;
  slot->cookie = tx->cookie;
  bufs[0] = (struct virtq_buf){va_to_pa(&slot->hdr), n->hdr_bytes};
  for (unsigned i = 0; i < tx->nsegs; i++) {
    if (tx->segs[i].len != 0) /* the device takes no empty pieces */
      bufs[pieces++] = (struct virtq_buf){va_to_pa(tx->segs[i].data), tx->segs[i].len};
  }
  return virtq_add(&n->tx, bufs, pieces, 0, slot);
}

void vnet_flush(struct netdev *nd) {
  struct virtio_net *n = container_of(nd, struct virtio_net, nd);
  vnet_tx_reap(n);
  virtq_kick(&n->tx);
  if (!timer_armed(&n->tx_timer) && virtq_in_flight(&n->tx) != 0)
    timer_set(&n->tx_timer, arch_time_ns() + REAP_AFTER_NS);
}

/* A while after frames were sent. Whether a ring's notification is wanted is told by memory that
 * both sides write, in an order that an emulator without barriers does not keep (QEMU up to 7.2,
 * for a machine of one processor); so after a burst both rings are notified once more for certain.
 */
static void timer_fired(struct timer *t) {
  struct virtio_net *n = container_of(t, struct virtio_net, tx_timer);
  virtq_nudge(&n->tx);
  virtq_nudge(&n->rx);
  vnet_tx_reap(n);
  if (!n->dev->broken && virtq_in_flight(&n->tx) != 0)
    timer_set(t, arch_time_ns() + REAP_AFTER_NS);
}

errno_t vnet_tx_init(struct virtio_net *n, unsigned wanted) {
  errno_t e = virtq_create(n->dev, &n->tx, 1, wanted);
  if (e != 0)
    return e;
  if (n->tx.size < ROOM_FOR_ANY)
    return ENOBUFS;
  n->tx_wanted = n->tx.size / 2 < ROOM_FOR_ANY ? n->tx.size / 2 : ROOM_FOR_ANY;
  n->tx_timer.fire = timer_fired;
  n->tx_slots = kzalloc(n->tx.size * sizeof *n->tx_slots);
  return n->tx_slots != NULL ? 0 : ENOMEM;
}
