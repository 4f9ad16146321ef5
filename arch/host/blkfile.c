/*
 * Disks on the host: see blkfile.h.
 */
#include "arch/host/blkfile.h"

#include <stdlib.h>
#include <string.h>

int fsync(int fd); /* <unistd.h> has names of the ABI's in it */

static bool image_read(struct blkfile *f, uint64_t at, void *data, size_t n) {
  if (f->bytes != NULL) {
    memcpy(data, f->bytes + at, n);
    return true;
  }
  return fseeko(f->file, (off_t)at, SEEK_SET) == 0 && fread(data, 1, n, f->file) == n;
}

static bool image_write(struct blkfile *f, uint64_t at, const void *data, size_t n) {
  if (f->bytes != NULL)
    memcpy(f->bytes + at, data, n);
  else if (fseeko(f->file, (off_t)at, SEEK_SET) != 0 || fwrite(data, 1, n, f->file) != n)
    return false;
  if (f->wrote != NULL)
    f->wrote(f, at, data, n);
  return true;
}

static errno_t image_flush(struct blkfile *f) {
  if (f->file != NULL && (fflush(f->file) != 0 || fsync(fileno(f->file)) != 0))
    return EIO;
  if (f->flushed != NULL)
    f->flushed(f);
  return 0;
}

/* The first `n` bytes of a read or write. */
static errno_t move(struct blkfile *f, const struct blk_request *r, uint64_t n) {
  uint64_t at = r->sector * BLK_SECTOR_BYTES;
  for (unsigned i = 0; i < r->nsegs && n > 0; i++) {
    size_t len = r->segs[i].len < n ? r->segs[i].len : (size_t)n;
    if (r->op == BLK_READ ? !image_read(f, at, r->segs[i].data, len)
                          : !image_write(f, at, r->segs[i].data, len))
      return EIO;
    at += len;
    n -= len;
  }
  return 0;
}

static errno_t zero(struct blkfile *f, const struct blk_request *r) {
  static const uint8_t zeroes[4096];
  uint64_t at = r->sector * BLK_SECTOR_BYTES, end = at + r->len_bytes;
  for (; at < end; at += sizeof zeroes) {
    if (!image_write(f, at, zeroes, end - at < sizeof zeroes ? (size_t)(end - at) : sizeof zeroes))
      return EIO;
  }
  return 0;
}

static errno_t execute(struct blkfile *f, const struct blk_request *r) {
  uint64_t torn = 0;
  errno_t e = f->fault != NULL ? f->fault(f, r, &torn) : 0;
  if (e != 0) {
    if (r->op == BLK_WRITE)
      move(f, r, torn < r->len_bytes ? torn : r->len_bytes);
    return e;
  }
  if (r->op == BLK_FLUSH)
    return image_flush(f);
  return r->op <= BLK_WRITE ? move(f, r, r->len_bytes) : zero(f, r);
}

/* The next to be carried out, out of the queue; NULL: none. */
static struct blk_request *take(struct blkfile *f) {
  size_t n = 0;
  list_for_each(l, &f->queue) n++;
  if (n == 0 || f->held)
    return NULL;
  struct list *l = f->queue.next;
  if (f->shuffle != 0) {
    f->shuffle = f->shuffle * 6364136223846793005u + 1442695040888963407u;
    for (size_t i = (f->shuffle >> 33) % n; i > 0; i--)
      l = l->next;
  }
  list_remove(l);
  return container_of(l, struct blk_request, link);
}

static void bottom_half(struct bh *bh) {
  struct blkfile *f = container_of(bh, struct blkfile, bh);
  struct blk_request *r;
  while ((r = take(f)) != NULL)
    blk_finish(r, execute(f, r), r->sector);
}

static void submit(struct blkdev *disk, struct blk_request *r) {
  struct blkfile *f = container_of(disk, struct blkfile, disk);
  list_push_back(&f->queue, &r->link);
  bh_schedule(&f->bh);
}

void blkfile_go(struct blkfile *f) {
  bh_schedule(&f->bh);
}

static void init(struct blkfile *f, uint64_t size_bytes) {
  static const struct blkdev_ops ops = {.submit = submit};
  *f = (struct blkfile){.disk = {.ops = &ops,
                                 .driver = "image",
                                 .name = "disk0",
                                 .size_bytes = size_bytes & ~(uint64_t)(BLK_SECTOR_BYTES - 1),
                                 .block_bytes = BLK_SECTOR_BYTES,
                                 .physical_block_bytes = BLK_SECTOR_BYTES,
                                 .write_cache = true},
                        .bh.run = bottom_half};
  f->disk.disk = &f->disk;
  list_init(&f->queue);
}

void blkfile_memory(struct blkfile *f, void *bytes, uint64_t size_bytes) {
  init(f, size_bytes);
  f->bytes = bytes;
}

bool blkfile_open(struct blkfile *f, const char *path, bool writable) {
  FILE *file = fopen(path, writable ? "r+b" : "rb");
  if (file == NULL)
    return false;
  if (fseeko(file, 0, SEEK_END) != 0 || ftello(file) < 0) {
    fclose(file);
    return false;
  }
  init(f, (uint64_t)ftello(file));
  f->file = file;
  f->disk.read_only = !writable;
  return true;
}

void blkfile_close(struct blkfile *f) {
  if (f->file != NULL)
    fclose(f->file);
}
