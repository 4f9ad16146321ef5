/*
 * Private to the network driver: its state, for its two directions (net_rx.c, net_tx.c).
 */
#ifndef DRIVERS_VIRTIO_NET_H
#define DRIVERS_VIRTIO_NET_H

#include "drivers/virtio/virtio.h"
#include "kernel/bh.h"
#include "kernel/list.h"
#include "kernel/netdev.h"
#include "kernel/timer.h"

/* Feature bits (5.1.3). */
#define NET_F_CSUM (1ull << 0)
#define NET_F_GUEST_CSUM (1ull << 1)
#define NET_F_MTU (1ull << 3)
#define NET_F_MAC (1ull << 5)
#define NET_F_GUEST_TSO4 (1ull << 7)
#define NET_F_HOST_TSO4 (1ull << 11)
#define NET_F_MRG_RXBUF (1ull << 15)
#define NET_F_STATUS (1ull << 16)

/* What stands before each frame (5.1.6). Legacy devices without mergeable buffers leave the last
 * field out. */
struct net_hdr {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t hdr_len;
  uint16_t gso_size;
  uint16_t csum_start;
  uint16_t csum_offset;
  uint16_t num_buffers;
};

enum {
  NET_HDR_BYTES = 12,
  NET_HDR_BYTES_SHORT = 10,
  NET_HDR_NEEDS_CSUM = 1,
  NET_HDR_DATA_VALID = 2,
  NET_HDR_GSO_NONE = 0,
  NET_HDR_GSO_TCPV4 = 1,
};

/* A frame in the transmit ring, by the id of its chain. The device reads hdr. */
struct tx_slot {
  struct net_hdr hdr;
  void (*done)(void *cookie);
  void *cookie;
};

struct virtio_net {
  struct netdev nd;
  struct virtio_dev *dev;
  struct bh bh;
  uint8_t hdr_bytes;
  bool config_changed; /* set by the handler */
  bool down;           /* not started yet, or broken and cleaned up: the bottom half does nothing */

  struct virtq rx;
  bool mergeable;                    /* frames may span buffers */
  bool split_header;                 /* old devices want the header in a descriptor of its own */
  uint32_t rx_largest;               /* bytes of the largest frame, its header included */
  uint16_t rx_total;                 /* buffers there are */
  uint16_t rx_low, rx_spare;         /* fewer than these posted: copy all frames, copy short ones */
  uint16_t rx_batch;                 /* returned buffers are shown to the device in such lots */
  struct netbuf *rx_first, *rx_last; /* a frame of which more buffers are to come */
  uint16_t rx_missing;               /* how many */
  bool rx_drop;                      /* the rest of this frame is of no use */

  struct virtq tx;
  struct tx_slot *tx_slots;
  struct timer tx_timer; /* takes finished frames back when nothing else happens */
  bool tx_full;          /* a frame was refused: an interrupt is asked for */
  uint16_t tx_wanted;    /* until so many descriptors are free */
};

/* Ring and buffers of one direction. `total`: how many buffers, a power of two; more if the largest
 * frame needs them. ENOMEM and the
 * errors of virtq_create. */
errno_t vnet_rx_init(struct virtio_net *n, unsigned total);
errno_t vnet_tx_init(struct virtio_net *n, unsigned wanted);
/* Handles up to `budget` received buffers; returns how many. */
unsigned vnet_rx_poll(struct virtio_net *n, unsigned budget);
/* The device is broken: releases a frame of which only a part came. */
void vnet_rx_abort(struct virtio_net *n);
/* Takes back finished frames. */
void vnet_tx_reap(struct virtio_net *n);
/* The device is broken: releases all frames it had. */
void vnet_tx_abort(struct virtio_net *n);
/* After vnet_tx_reap: ends the full ring's interrupts, or asks for the next. */
void vnet_tx_settle(struct virtio_net *n);

errno_t vnet_transmit(struct netdev *nd, const struct nettx *tx);
void vnet_flush(struct netdev *nd);

#endif
