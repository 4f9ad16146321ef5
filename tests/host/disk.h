/*
 * A disk for units: an image in memory (arch/host/blkfile.h below kernel/blkdev.c), with a log of
 * what was written, and faults where a test wants them.
 */
#ifndef TESTS_HOST_DISK_H
#define TESTS_HOST_DISK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/blkfile.h"

/* A write (data) or a flush (data == NULL), in the order in which they came. */
struct disk_event {
  uint64_t offset;
  size_t n;
  uint8_t *data;
};

struct disk {
  union {
    struct blkdev dev;
    struct blkfile file; /* its disk is dev */
  };
  uint8_t *bytes; /* may become others at any time */
  struct disk_event *events;
  size_t event_count, event_room;
  bool log;            /* events are kept */
  uint64_t requests;   /* all that came so far */
  uint64_t fail_at;    /* the number of the request from which on ... */
  uint64_t fail_count; /* ... so many are EIO */
};

/* ---- What the device tells ------------------------------------------------------------------- */

static errno_t disk_request(struct blkfile *f, const struct blk_request *r, uint64_t *done_bytes) {
  struct disk *d = container_of(f, struct disk, file);
  uint64_t number = d->requests++;
  (void)r;
  (void)done_bytes;
  f->bytes = d->bytes;
  return number >= d->fail_at && number - d->fail_at < d->fail_count ? EIO : 0;
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

static void disk_wrote(struct blkfile *f, uint64_t offset, const void *data, size_t n) {
  disk_note(container_of(f, struct disk, file), offset, data, n);
}

static void disk_flushed(struct blkfile *f) {
  disk_note(container_of(f, struct disk, file), 0, NULL, 0);
}

/* ---- Disks ----------------------------------------------------------------------------------- */

static void disk_init(struct disk *d, uint64_t size_bytes) {
  *d = (struct disk){.fail_at = UINT64_MAX, .bytes = calloc(1, size_bytes)};
  blkfile_memory(&d->file, d->bytes, size_bytes);
  d->file.fault = disk_request;
  d->file.wrote = disk_wrote;
  d->file.flushed = disk_flushed;
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

#endif
