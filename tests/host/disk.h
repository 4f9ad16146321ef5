/*
 * A disk for units: an image in memory behind kernel/blkdev.h's calls, with a log of what was
 * written, and faults where a test wants them. Takes the place of kernel/blkdev.c; nothing sleeps.
 */
#ifndef TESTS_HOST_DISK_H
#define TESTS_HOST_DISK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/blkdev.h"

/* A write (data) or a flush (data == NULL), in the order in which they came. */
struct disk_event {
  uint64_t offset;
  size_t n;
  uint8_t *data;
};

struct disk {
  struct blkdev dev;
  uint8_t *bytes;
  struct disk_event *events;
  size_t event_count, event_room;
  bool log;            /* events are kept */
  uint64_t requests;   /* all that came so far */
  uint64_t fail_at;    /* the number of the request from which on ... */
  uint64_t fail_count; /* ... so many are EIO */
};

static struct disk *disk_of(struct blkdev *dev) {
  return (struct disk *)dev;
}

static void disk_init(struct disk *d, uint64_t size_bytes) {
  *d = (struct disk){.fail_at = UINT64_MAX};
  d->bytes = calloc(1, size_bytes);
  d->dev = (struct blkdev){.size_bytes = size_bytes,
                           .block_bytes = 512,
                           .physical_block_bytes = 4096,
                           .write_cache = true,
                           .name = "disk0"};
  d->dev.disk = &d->dev;
}

/* False: the file can't be read. */
static bool disk_load(struct disk *d, const char *path) {
  FILE *f = fopen(path, "rb");
  if (f == NULL)
    return false;
  fseek(f, 0, SEEK_END);
  disk_init(d, (uint64_t)ftell(f));
  rewind(f);
  size_t n = fread(d->bytes, 1, d->dev.size_bytes, f);
  fclose(f);
  return n == d->dev.size_bytes;
}

static inline bool disk_save(const struct disk *d, const char *path) {
  FILE *f = fopen(path, "wb");
  if (f == NULL)
    return false;
  size_t n = fwrite(d->bytes, 1, d->dev.size_bytes, f);
  return fclose(f) == 0 && n == d->dev.size_bytes;
}

static inline void disk_forget_events(struct disk *d) {
  for (size_t i = 0; i < d->event_count; i++)
    free(d->events[i].data);
  d->event_count = 0;
}

static void disk_free(struct disk *d) {
  disk_forget_events(d);
  free(d->events);
  free(d->bytes);
}

static errno_t disk_request(struct disk *d, uint64_t offset, size_t n) {
  uint64_t number = d->requests++;
  if (number >= d->fail_at && number - d->fail_at < d->fail_count)
    return EIO;
  if (offset % d->dev.block_bytes != 0 || n % d->dev.block_bytes != 0)
    return EINVAL;
  return offset <= d->dev.size_bytes && n <= d->dev.size_bytes - offset ? 0 : EIO;
}

static void disk_note(struct disk *d, uint64_t offset, const void *data, size_t n) {
  if (!d->log)
    return;
  if (d->event_count == d->event_room) {
    d->event_room = d->event_room == 0 ? 256 : d->event_room * 2;
    d->events = realloc(d->events, d->event_room * sizeof d->events[0]);
  }
  struct disk_event *e = &d->events[d->event_count++];
  *e = (struct disk_event){offset, n, NULL};
  if (data != NULL) {
    e->data = malloc(n);
    memcpy(e->data, data, n);
  }
}

errno_t blk_read(struct blkdev *dev, uint64_t offset_bytes, void *buf, size_t n) {
  struct disk *d = disk_of(dev);
  errno_t e = disk_request(d, offset_bytes, n);
  if (e == 0)
    memcpy(buf, d->bytes + offset_bytes, n);
  return e;
}

errno_t blk_write(struct blkdev *dev, uint64_t offset_bytes, const void *buf, size_t n) {
  struct disk *d = disk_of(dev);
  errno_t e = disk_request(d, offset_bytes, n);
  if (e == 0 && dev->read_only)
    e = EROFS;
  if (e != 0)
    return e;
  memcpy(d->bytes + offset_bytes, buf, n);
  disk_note(d, offset_bytes, buf, n);
  return 0;
}

errno_t blk_move(struct blkdev *dev, enum blk_op op, uint64_t offset_bytes,
                 const struct blk_seg *segs, unsigned nsegs) {
  errno_t e = 0;
  for (unsigned i = 0; e == 0 && i < nsegs; i++) {
    e = op == BLK_READ ? blk_read(dev, offset_bytes, segs[i].data, segs[i].len)
                       : blk_write(dev, offset_bytes, segs[i].data, segs[i].len);
    offset_bytes += segs[i].len;
  }
  return e;
}

errno_t blk_flush(struct blkdev *dev) {
  struct disk *d = disk_of(dev);
  errno_t e = disk_request(d, 0, 0);
  if (e == 0)
    disk_note(d, 0, NULL, 0);
  return e;
}

#endif
