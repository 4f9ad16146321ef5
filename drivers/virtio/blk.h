/*
 * Private to the block driver: its state, for start and interrupts (blk.c) and requests (blk_io.c).
 */
#ifndef DRIVERS_VIRTIO_BLK_H
#define DRIVERS_VIRTIO_BLK_H

#include "drivers/virtio/virtio.h"
#include "kernel/bh.h"
#include "kernel/blkdev.h"
#include "kernel/timer.h"

/* Feature bits (5.2.3). */
#define BLK_F_SIZE_MAX (1ull << 1)
#define BLK_F_SEG_MAX (1ull << 2)
#define BLK_F_RO (1ull << 5)
#define BLK_F_BLK_SIZE (1ull << 6)
#define BLK_F_FLUSH (1ull << 9)
#define BLK_F_TOPOLOGY (1ull << 10)
#define BLK_F_CONFIG_WCE (1ull << 11)
#define BLK_F_DISCARD (1ull << 13)
#define BLK_F_WRITE_ZEROES (1ull << 14)

enum { /* request types and statuses (5.2.6) */
       BLK_T_IN = 0,
       BLK_T_OUT = 1,
       BLK_T_FLUSH = 4,
       BLK_T_GET_ID = 8,
       BLK_T_DISCARD = 11,
       BLK_T_WRITE_ZEROES = 13,
       BLK_S_OK = 0,
       BLK_S_IOERR = 1,
       BLK_S_UNSUPP = 2,
       BLK_S_NONE = 0xff, /* ours: what stands there until the device answers */
};

/* One more operation, inside the driver: a read of the serial. */
#define BLK_OP_GET_ID (BLK_WRITE_ZEROES + 1)

#define BLK_WATCH_NS 1000000000ull /* how often a device is looked after that has requests */

enum {
  BLK_SLOTS = 64,  /* chains in flight */
  BLK_PIECES = 32, /* pieces of memory in one chain */
};

struct blk_head {
  uint32_t type;
  uint32_t priority;
  uint64_t sector;
};

struct blk_range {
  uint64_t sector;
  uint32_t sectors;
  uint32_t flags;
};

/* A chain in the ring: a request, or a part of one. */
struct blk_slot {
  struct blk_head head;   /* the device reads it */
  struct blk_range range; /* too; discard and write-zeroes */
  uint8_t status;         /* it writes it */
  uint32_t read_bytes;    /* that the device is to write in front of the status */
  struct blk_request *r;
  struct blk_slot *next; /* free ones */
};

struct virtio_blk {
  struct blkdev disk;
  struct virtio_dev *dev;
  struct bh bh;
  struct virtq q;
  struct blk_slot *slots, *free_slots;
  struct list waiting;  /* requests that have parts to start, in order of arrival */
  uint32_t piece_bytes; /* the most of one piece; a multiple of a block */
  uint16_t pieces;      /* the most of one chain */
  bool config_changed;  /* set by the handler */
  bool irq_off;         /* by the handler: interrupts rest until the bottom half has run */
  bool down;          /* not started yet, or broken and cleaned up: the bottom half does nothing */
  struct timer watch; /* while chains are in flight */
  uint8_t quiet_s;    /* for how long nothing has come back */
};

/* blkdev_ops.submit, and for the driver's own request. */
void vblk_submit(struct blkdev *disk, struct blk_request *r);
/* Takes back what the device is done with; false: nothing. */
bool vblk_reap(struct virtio_blk *b);
/* Starts waiting requests as far as there is room, and shows the device all that is new. */
void vblk_start_waiting(struct virtio_blk *b);
/* The device is broken, and the disk dead: ends everything with EIO. */
void vblk_abort(struct virtio_blk *b);

#endif
