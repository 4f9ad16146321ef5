/*
 * Block devices: the list of disks, the checks before a driver sees a request and the messages
 * after it, and helpers that wait.
 *
 * Called by file systems (requests from any thread or bottom half, helpers from threads) and by
 * drivers. Kernel lock; only the helpers sleep. blkdev.h has the rules.
 */
#include "kernel/blkdev.h"

#include "kernel/bh.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/printf.h"
#include "kernel/string.h"
#include "kernel/waitq.h"

#define ZERO_SEGS 16 /* pages in one request of zeroes */

static struct blkdev *disks;

/* ---- Disks ----------------------------------------------------------------------------------- */

void blkdev_register(struct blkdev *dev) {
  struct blkdev **end = &disks;
  unsigned n = 0;
  for (; *end != NULL; end = &(*end)->next)
    n++;
  *end = dev;
  dev->next = NULL;
  dev->disk = dev;
  dev->start_bytes = 0;
  ksnprintf(dev->name, sizeof dev->name, "disk%u", n);
  log_info("%s: %s, serial \"%s\", %llu KiB in blocks of %u bytes%s%s%s%s", dev->name, dev->driver,
           dev->serial, (unsigned long long)dev->size_bytes / 1024, dev->block_bytes,
           dev->read_only ? ", read-only" : "", dev->write_cache ? ", write cache" : "",
           dev->discard_max_bytes != 0 ? ", discard" : "",
           dev->zeroes_max_bytes != 0 ? ", write-zeroes" : "");
}

struct blkdev *blkdev_first(void) {
  return disks;
}

struct blkdev *blkdev_by_order(unsigned n) {
  struct blkdev *dev = disks;
  for (; dev != NULL && n > 0; n--)
    dev = dev->next;
  return dev;
}

struct blkdev *blkdev_by_serial(const char *serial) {
  if (serial[0] == '\0')
    return NULL;
  struct blkdev *dev = disks;
  while (dev != NULL && strcmp(dev->serial, serial) != 0)
    dev = dev->next;
  return dev;
}

/* Whether [offset, offset + n) lies inside `size`; without overflows. */
static bool inside(uint64_t offset, uint64_t n, uint64_t size) {
  return n <= size && offset <= size - n;
}

errno_t blkdev_part(struct blkdev *part, struct blkdev *disk, unsigned number, uint64_t start_bytes,
                    uint64_t size_bytes) {
  if (size_bytes == 0 || ((start_bytes | size_bytes) & (disk->block_bytes - 1)) != 0 ||
      !inside(start_bytes, size_bytes, disk->size_bytes))
    return EINVAL;
  *part = *disk;
  ksnprintf(part->name, sizeof part->name, "%sp%u", disk->name, number);
  part->start_bytes = start_bytes;
  part->size_bytes = size_bytes;
  part->next = NULL;
  return 0;
}

void blk_resized(struct blkdev *disk, uint64_t size_bytes) {
  if (disk->size_bytes == size_bytes)
    return;
  log_warn("%s: has %llu KiB now, and had %llu", disk->name, (unsigned long long)size_bytes / 1024,
           (unsigned long long)disk->size_bytes / 1024);
  disk->size_bytes = size_bytes;
}

void blk_died(struct blkdev *disk) {
  disk->dead = true;
}

/* ---- The end of a request -------------------------------------------------------------------- */

static void complain(const struct blk_request *r, uint64_t sector, const char *why) {
  static const char *const names[] = {"read", "write", "flush", "discard", "zero"};
  const char *disk = r->dev->disk->name;
  if (r->op == BLK_FLUSH)
    log_error("%s: can't flush: %s", disk, why);
  else
    log_error("%s: can't %s sector %llu: %s", disk, names[r->op], (unsigned long long)sector, why);
}

void blk_finish(struct blk_request *r, errno_t error, uint64_t sector) {
  if (error == EIO && !blk_is_dead(r->dev))
    complain(r, sector, "the device reports an error");
  r->error = error;
  r->done(r);
}

/* Requests that are over without the device. */
static struct list over = LIST_INIT(over);

static void over_run(struct bh *bh) {
  (void)bh;
  struct list *l;
  while ((l = list_pop_front(&over)) != NULL) {
    struct blk_request *r = container_of(l, struct blk_request, link);
    r->done(r);
  }
}

static struct bh over_bh = {.run = over_run};

static void finish_later(struct blk_request *r, errno_t error) {
  r->error = error;
  list_push_back(&over, &r->link);
  bh_schedule(&over_bh);
}

/* ---- Its beginning --------------------------------------------------------------------------- */

static errno_t check_segs(const struct blk_request *r, uint32_t block_bytes) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < r->nsegs; i++) {
    size_t len = r->segs[i].len;
    if (len == 0 || (len & (block_bytes - 1)) != 0 || len > r->len_bytes - sum)
      return EINVAL;
    sum += len;
  }
  return sum == r->len_bytes ? 0 : EINVAL;
}

static errno_t check_most(const struct blk_request *r, uint64_t most) {
  if (most == 0)
    return ENOTSUP;
  return r->len_bytes <= most ? 0 : EINVAL;
}

static errno_t check(const struct blkdev *dev, const struct blk_request *r) {
  const struct blkdev *disk = dev->disk;
  if (disk->dead)
    return EIO;
  if (r->op == BLK_FLUSH)
    return 0;
  if (((r->offset_bytes | r->len_bytes) & (disk->block_bytes - 1)) != 0)
    return EINVAL;
  if (r->op != BLK_READ && disk->read_only)
    return EROFS;
  if (!inside(r->offset_bytes, r->len_bytes, dev->size_bytes) ||
      !inside(dev->start_bytes + r->offset_bytes, r->len_bytes, disk->size_bytes)) {
    complain(r, r->sector, "it is behind the end");
    return EIO;
  }
  if (r->op == BLK_DISCARD)
    return check_most(r, disk->discard_max_bytes);
  return r->op == BLK_WRITE_ZEROES ? check_most(r, disk->zeroes_max_bytes)
                                   : check_segs(r, disk->block_bytes);
}

void blk_submit(struct blkdev *dev, struct blk_request *r) {
  struct blkdev *disk = dev->disk;
  r->dev = dev;
  r->error = 0;
  r->sector = (dev->start_bytes + r->offset_bytes) / BLK_SECTOR_BYTES;
  r->left_bytes = r->op == BLK_FLUSH ? 0 : r->len_bytes;
  r->seg = r->segs;
  r->seg_done = 0;
  r->parts = 0;
  errno_t e = check(dev, r);
  bool nothing = r->op == BLK_FLUSH ? !disk->write_cache : r->len_bytes == 0;
  if (e != 0 || nothing)
    finish_later(r, e);
  else
    disk->ops->submit(disk, r);
}

/* ---- Helpers that wait ----------------------------------------------------------------------- */

struct waiting_request {
  struct blk_request r;
  struct waitq waiters;
  bool over;
};

static void waited_done(struct blk_request *r) {
  struct waiting_request *w = container_of(r, struct waiting_request, r);
  w->over = true;
  waitq_wake_all(&w->waiters);
}

static errno_t wait_for(struct blkdev *dev, struct waiting_request *w) {
  w->r.done = waited_done;
  w->over = false;
  waitq_init(&w->waiters);
  blk_submit(dev, &w->r);
  while (!w->over)
    waitq_wait(&w->waiters);
  return w->r.error;
}

errno_t blk_move(struct blkdev *dev, enum blk_op op, uint64_t offset_bytes,
                 const struct blk_seg *segs, unsigned nsegs) {
  struct waiting_request w;
  w.r.op = op;
  w.r.offset_bytes = offset_bytes;
  w.r.len_bytes = 0;
  w.r.segs = segs;
  w.r.nsegs = nsegs;
  for (unsigned i = 0; i < nsegs; i++)
    w.r.len_bytes += segs[i].len;
  return wait_for(dev, &w);
}

errno_t blk_read(struct blkdev *dev, uint64_t offset_bytes, void *buf, size_t n) {
  struct blk_seg seg = {buf, n};
  return blk_move(dev, BLK_READ, offset_bytes, &seg, n != 0);
}

errno_t blk_write(struct blkdev *dev, uint64_t offset_bytes, const void *buf, size_t n) {
  struct blk_seg seg = {(void *)buf, n};
  return blk_move(dev, BLK_WRITE, offset_bytes, &seg, n != 0);
}

errno_t blk_flush(struct blkdev *dev) {
  struct waiting_request w;
  if (!dev->disk->write_cache && !blk_is_dead(dev))
    return 0;
  w.r.op = BLK_FLUSH;
  w.r.offset_bytes = w.r.len_bytes = 0;
  return wait_for(dev, &w);
}

/* A range in as many requests as it takes. */
static errno_t in_pieces(struct blkdev *dev, enum blk_op op, uint64_t offset_bytes, uint64_t n,
                         uint64_t most) {
  errno_t e = 0;
  while (e == 0 && n > 0) {
    struct waiting_request w;
    w.r.op = op;
    w.r.offset_bytes = offset_bytes;
    w.r.len_bytes = n < most ? n : most;
    e = wait_for(dev, &w);
    offset_bytes += w.r.len_bytes;
    n -= w.r.len_bytes;
  }
  return e;
}

errno_t blk_discard(struct blkdev *dev, uint64_t offset_bytes, uint64_t n) {
  const struct blkdev *disk = dev->disk;
  if (disk->read_only)
    return EROFS;
  if (disk->discard_max_bytes == 0)
    return 0;
  return in_pieces(dev, BLK_DISCARD, offset_bytes, n, disk->discard_max_bytes);
}

/* The same page again and again. */
static errno_t write_zero_pages(struct blkdev *dev, uint64_t offset_bytes, uint64_t n) {
  struct blk_seg segs[ZERO_SEGS];
  errno_t e = 0;
  void *page = page_alloc_zero(0);
  if (page == NULL)
    return ENOMEM;
  while (e == 0 && n > 0) {
    unsigned used = 0;
    uint64_t bytes = 0;
    for (; used < ZERO_SEGS && bytes < n; used++) {
      segs[used].data = page;
      segs[used].len = n - bytes < PAGE_SIZE ? (size_t)(n - bytes) : PAGE_SIZE;
      bytes += segs[used].len;
    }
    e = blk_move(dev, BLK_WRITE, offset_bytes, segs, used);
    offset_bytes += bytes;
    n -= bytes;
  }
  page_free(page, 0);
  return e;
}

errno_t blk_write_zeroes(struct blkdev *dev, uint64_t offset_bytes, uint64_t n) {
  uint64_t most = dev->disk->zeroes_max_bytes;
  return most != 0 ? in_pieces(dev, BLK_WRITE_ZEROES, offset_bytes, n, most)
                   : write_zero_pages(dev, offset_bytes, n);
}
