/*
 * A block device as file systems see it: a disk, or a partition of one. Drivers fill in a struct
 * blkdev and finish requests; everything above submits them, or calls the helpers that sleep.
 *
 * Kernel lock. blk_submit() never sleeps and never fails by itself: whatever goes wrong arrives in
 * the request's done(), which runs in the bottom half. The device is told of new requests at the
 * latest when the thread sleeps or returns to user mode, so those of one system call go together.
 *
 * Requests in flight may be carried out in any order: two that overlap, one of them a write, must
 * not be in flight together, and a flush covers those writes only that were done before it was
 * submitted.
 *
 * Failures are told on the console here, once per request, with device, operation and sector; the
 * caller need not say it again. A disk that is gone says so once, and all its requests are EIO from
 * then on.
 */
#ifndef KERNEL_BLKDEV_H
#define KERNEL_BLKDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "kernel/list.h"

#define BLK_SECTOR_BYTES 512u /* what messages count in, whatever the device's blocks are */
#define BLK_BLOCK_MAX 4096u   /* the largest block of a device */
#define BLK_SERIAL_MAX 20
#define BLK_NAME_MAX 15

enum blk_op {
  BLK_READ,
  BLK_WRITE,
  BLK_FLUSH,        /* what was written is on the medium, past the device's cache */
  BLK_DISCARD,      /* the contents are not needed any more; reads give anything */
  BLK_WRITE_ZEROES, /* reads give zeroes */
};

struct blkdev;

/* A piece of memory in the direct map (of the heap or whole pages: not of a stack). len is a
 * multiple of block_bytes, and not 0. */
struct blk_seg {
  void *data;
  size_t len;
};

/* A request. It and its segments belong to the device from blk_submit() to done(). */
struct blk_request {
  /* the caller's */
  enum blk_op op;
  uint64_t offset_bytes; /* from the start of the device; a multiple of block_bytes */
  uint64_t len_bytes;    /* a multiple too; read and write: the sum of the segments; flush: 0 */
  const struct blk_seg *segs; /* read and write: any number */
  unsigned nsegs;
  /* Called once, in the bottom half, never from within blk_submit(): must not sleep, may submit.
   * The request is the caller's again. */
  void (*done)(struct blk_request *r);

  /* The outcome, in done(): 0; EIO (the medium, a device that is gone, behind its end); EROFS;
   * EINVAL (not on blocks, lengths that disagree, more than discard_max_bytes or zeroes_max_bytes);
   * ENOTSUP (a discard or write-zeroes that the device does not have). After an error any part of a
   * read or write may have been done. */
  errno_t error;

  /* private: blkdev.c's and the driver's, between the two */
  struct blkdev *dev;        /* as submitted */
  struct list link;          /* of those that wait for something */
  uint64_t sector;           /* of the disk: where the next part begins */
  uint64_t left_bytes;       /* of the parts to come */
  uint64_t failed_sector;    /* of the first part that failed */
  const struct blk_seg *seg; /* where the next part goes on */
  size_t seg_done;           /* bytes of *seg that earlier parts took */
  unsigned parts;            /* in flight */
};

struct blkdev_ops {
  /* Takes over a checked request: r->sector says where; blk_finish() gives it back later, from the
   * bottom half. */
  void (*submit)(struct blkdev *disk, struct blk_request *r);
};

struct blkdev {
  /* the driver's, before blkdev_register() */
  const struct blkdev_ops *ops;
  const char *driver;   /* "pci 00:03.0 virtio-blk" */
  uint64_t size_bytes;  /* a multiple of block_bytes; of a disk it may change, see blk_resized() */
  uint32_t block_bytes; /* a power of two from 512 to BLK_BLOCK_MAX */
  uint32_t physical_block_bytes; /* smaller writes cost the device a read; a power of two */
  bool read_only;
  bool write_cache;           /* what was written is safe only after a flush */
  uint64_t discard_max_bytes; /* of one request; 0: there is no such operation */
  uint32_t discard_align_bytes;
  uint64_t zeroes_max_bytes;
  char serial[BLK_SERIAL_MAX + 1]; /* "" if it has none; printable */

  /* blkdev.c's; to be read by everyone */
  char name[BLK_NAME_MAX + 1]; /* "disk0", "disk0p1" */
  bool dead;                   /* of a disk; ask blk_is_dead() */
  struct blkdev *disk;         /* itself, or what it is a partition of */
  uint64_t start_bytes;        /* of a partition, on its disk */
  struct blkdev *next;         /* disk in the order of registration */
};

/* ---- Finding one ----------------------------------------------------------------------------- */

/* The disks; NULL: none. Go on with ->next. */
struct blkdev *blkdev_first(void);
/* The n-th disk from 0; NULL. The order is that of the bus: a serial is better. */
struct blkdev *blkdev_by_order(unsigned n);
/* The first disk whose serial is this (""  finds nothing); NULL. */
struct blkdev *blkdev_by_serial(const char *serial);
/* Makes *part a view of [start_bytes, start_bytes + size_bytes) of a disk, called `number`. The
 * caller owns it; it must stay as long as requests do. EINVAL: not inside, not on blocks, empty. */
errno_t blkdev_part(struct blkdev *part, struct blkdev *disk, unsigned number, uint64_t start_bytes,
                    uint64_t size_bytes);

static inline bool blk_is_dead(const struct blkdev *dev) {
  return dev->disk->dead;
}

/* ---- Requests -------------------------------------------------------------------------------- */

void blk_submit(struct blkdev *dev, struct blk_request *r);

/* These wait; threads only, boot's included, not even their death ends the wait. Errors as in
 * struct blk_request; the memory is to be in the direct map. */
errno_t blk_read(struct blkdev *dev, uint64_t offset_bytes, void *buf, size_t n);
errno_t blk_write(struct blkdev *dev, uint64_t offset_bytes, const void *buf, size_t n);
/* Either of the two (BLK_READ, BLK_WRITE) with several pieces of memory. */
errno_t blk_move(struct blkdev *dev, enum blk_op op, uint64_t offset_bytes,
                 const struct blk_seg *segs, unsigned nsegs);
/* All writes that were done before are on the medium. Cheap where there is no write cache. */
errno_t blk_flush(struct blkdev *dev);
/* As much of the range as the device can; 0 also where it has no such operation. EIO, EROFS. */
errno_t blk_discard(struct blkdev *dev, uint64_t offset_bytes, uint64_t n);
/* By the device's own operation where it has one, else by writing (ENOMEM: a page for that). */
errno_t blk_write_zeroes(struct blkdev *dev, uint64_t offset_bytes, uint64_t n);

/* ---- For drivers ----------------------------------------------------------------------------- */

/* Gives the disk its name and enters it into the list. At boot. */
void blkdev_register(struct blkdev *dev);
/* The request is over, and how; from the bottom half. An EIO is told on the console, with `sector`
 * of the disk, unless the disk is dead. */
void blk_finish(struct blk_request *r, errno_t error, uint64_t sector);
/* The disk has another size now. Partitions stay what they are; what lies behind the end is EIO. */
void blk_resized(struct blkdev *disk, uint64_t size_bytes);
/* The disk is gone, which the driver has said on the console. It finishes what it still has with
 * EIO, and gets nothing more. */
void blk_died(struct blkdev *disk);

#endif
