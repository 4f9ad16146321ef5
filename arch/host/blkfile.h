/*
 * A disk for programs on the host: an image in memory or in a file, as a driver below the real
 * kernel/blkdev.c. Requests end in the bottom half (kernel/bh.c), in order or in any; what reaches
 * the medium can be watched, and fail.
 *
 * waits.c has the waiting, for programs in which nothing else does.
 */
#ifndef ARCH_HOST_BLKFILE_H
#define ARCH_HOST_BLKFILE_H

#include <stdio.h>

#include "kernel/bh.h"
#include "kernel/blkdev.h"

struct blkfile {
  struct blkdev disk; /* abilities may be changed before it is used: block_bytes, read_only, … */

  /* All may be NULL. A request is about to be carried out; an error: it ends with it. Of a write
   * the first *done_bytes are written all the same. */
  errno_t (*fault)(struct blkfile *f, const struct blk_request *r, uint64_t *done_bytes);
  /* Bytes that are in the device's cache now, or on the medium if it has no cache. */
  void (*wrote)(struct blkfile *f, uint64_t offset_bytes, const void *data, size_t n);
  /* All that was written before is on the medium. */
  void (*flushed)(struct blkfile *f);
  void *arg; /* theirs */

  bool held;        /* nothing is carried out until it is false and blkfile_go() is called */
  uint64_t shuffle; /* a seed: requests are carried out in any order; 0: as they came */

  /* private */
  uint8_t *bytes; /* NULL: in the file */
  FILE *file;
  struct list queue;
  struct bh bh;
};

/* An image in the caller's memory. Blocks of 512 bytes, a write cache, no discard. */
void blkfile_memory(struct blkfile *f, void *bytes, uint64_t size_bytes);
/* One in a file; false: it can't be opened. */
bool blkfile_open(struct blkfile *f, const char *path, bool writable);
void blkfile_close(struct blkfile *f);
/* Carries out what is queued, when the bottom half runs next. */
void blkfile_go(struct blkfile *f);

#endif
