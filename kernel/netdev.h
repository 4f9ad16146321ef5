/*
 * A network device as the stack sees it. Drivers fill in the first part and call rx; the stack
 * fills in the second and calls transmit. Kernel lock, bottom half or a system call; nothing
 * sleeps.
 */
#ifndef KERNEL_NETDEV_H
#define KERNEL_NETDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

#define NETDEV_SEGS_MAX 18

enum {                     /* what the device can do */
       NETDEV_TX_CSUM = 1, /* fills in TCP and UDP checksums */
       NETDEV_RX_CSUM = 2, /* marks verified packets */
       NETDEV_TSO4 = 4,    /* cuts large TCP segments */
};

/* A received frame, lent by the driver until free(). `upper` is room for the stack's own header, so
 * that nothing is allocated per packet. Contents start at data: an Ethernet frame. */
struct netbuf {
  uint8_t *data;
  uint32_t len;
  bool csum_ok; /* the device or the host vouches for the transport checksum */
  void (*free)(struct netbuf *b);
  struct netbuf *next; /* further parts of the same frame; the first one's len is its own */
  _Alignas(16) uint8_t upper[64];
};

struct netseg {
  const void *data; /* in the direct map */
  uint32_t len;
};

/* A frame to send. The memory belongs to the stack until done(cookie). */
struct nettx {
  const struct netseg *segs;
  unsigned nsegs; /* up to NETDEV_SEGS_MAX */
  bool csum;      /* fill in the transport checksum (a pseudo-header sum stands there) */
  uint16_t csum_start, csum_offset; /* from the frame's start; the field's place from csum_start */
  uint16_t gso_size;                /* 0, or the payload bytes per cut segment */
  uint16_t gso_header;              /* bytes of headers before the payload, with gso_size */
  void (*done)(void *cookie); /* may be called before transmit returns; NULL: nothing to release */
  void *cookie;
};

struct netdev;

struct netdev_ops {
  /* 0; ENOBUFS: the ring is full (the stack drops, or retries after done() of an earlier frame,
   * which then comes soon); EIO: the device is gone for good. On an error done() is not called. */
  errno_t (*transmit)(struct netdev *dev, const struct nettx *tx);
  /* Tells the device of all queued frames: called once after a batch. */
  void (*flush)(struct netdev *dev);
};

struct netdev {
  /* the driver's */
  const struct netdev_ops *ops;
  uint8_t mac[6];
  uint16_t mtu; /* without the Ethernet header */
  unsigned features;
  bool link_up;
  const char *name;

  /* the stack's; called in the bottom half */
  void (*rx)(struct netdev *dev, struct netbuf *b); /* takes the buffer over */
  void (*rx_done)(struct netdev *dev);              /* after a batch: send the answers */
  void (*link_changed)(struct netdev *dev);
};

/* Drivers announce a device; the stack keeps a list. Before network start only. */
void netdev_register(struct netdev *dev);

#endif
