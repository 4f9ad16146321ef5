/*
 * virtio-blk, requests: into the ring in parts that fit, and back (specification 5.2.6).
 *
 * vblk_submit() is called by kernel/blkdev.c, the rest from the driver's bottom half. Kernel lock;
 * nothing sleeps.
 *
 * Nothing bounds how many requests may come, and none costs memory here: what finds no room waits
 * in a list, first come, first served. A request with more pieces of memory than one chain takes
 * becomes several parts; it is over when all are, or when one failed and the others are back.
 */
#include "drivers/virtio/blk.h"

/* The next pieces of r's memory, up to `max`, neighbours joined; *bytes is what they are in all. */
static unsigned take_pieces(uint32_t piece_bytes, struct blk_request *r, struct virtq_buf *bufs,
                            unsigned max, uint32_t *bytes) {
  const struct blk_seg *seg = r->seg;
  size_t seg_done = r->seg_done;
  uint64_t left = r->left_bytes;
  struct virtq_buf *end = bufs + max, *at = bufs;
  pa_t next = 0; /* behind the last piece, if it may grow */
  while (left > 0) {
    size_t len = seg->len - seg_done;
    pa_t base = va_to_pa((const uint8_t *)seg->data + seg_done);
    if (len > piece_bytes)
      len = piece_bytes;
    if (base == next && at[-1].len + len <= piece_bytes)
      at[-1].len += (uint32_t)len;
    else if (at == end)
      break;
    else
      *at++ = (struct virtq_buf){base, (uint32_t)len};
    next = base + len;
    left -= len;
    seg_done += len;
    if (seg_done == seg->len) {
      seg++;
      seg_done = 0;
    }
  }
  *bytes = (uint32_t)(r->left_bytes - left);
  r->seg = seg;
  r->seg_done = seg_done;
  r->left_bytes = left;
  return (unsigned)(at - bufs);
}

static bool has_range(const struct blk_request *r) {
  return r->op == BLK_DISCARD || r->op == BLK_WRITE_ZEROES;
}

static bool has_memory(const struct blk_request *r) {
  return r->op != BLK_FLUSH && !has_range(r);
}

/* What stands for the memory of an operation that has none. */
static unsigned take_range(struct blk_slot *slot, struct blk_request *r, struct virtq_buf *buf) {
  slot->range = (struct blk_range){r->sector, (uint32_t)(r->left_bytes / BLK_SECTOR_BYTES), 0};
  *buf = (struct virtq_buf){va_to_pa(&slot->range), sizeof slot->range};
  r->left_bytes = 0;
  return 1;
}

/* For how many pieces the next part of r waits. */
static unsigned pieces_wanted(const struct virtio_blk *b, const struct blk_request *r) {
  if (!has_memory(r))
    return 1;
  size_t n = (size_t)(r->segs + r->nsegs - r->seg);
  return n < b->pieces ? (unsigned)n : b->pieces;
}

/* Enters the next part of r into the ring; false: there is no room. */
static bool start_part(struct virtio_blk *b, struct blk_request *r) {
  static const uint8_t types[] = {BLK_T_IN,      BLK_T_OUT,          BLK_T_FLUSH,
                                  BLK_T_DISCARD, BLK_T_WRITE_ZEROES, BLK_T_GET_ID};
  struct virtq_buf bufs[BLK_PIECES + 2];
  struct blk_slot *slot = b->free_slots;
  unsigned wanted = pieces_wanted(b, r), n = 0;
  uint32_t bytes = 0;
  if (slot == NULL || virtq_room(&b->q) < wanted + 2 || b->dev->broken)
    return false;

  slot->head = (struct blk_head){types[r->op], 0, r->op <= BLK_WRITE ? r->sector : 0};
  slot->status = BLK_S_NONE;
  slot->r = r;
  if (has_memory(r))
    n = take_pieces(b->piece_bytes, r, bufs + 1, wanted, &bytes);
  else if (has_range(r))
    n = take_range(slot, r, bufs + 1);
  pa_t slot_pa = va_to_pa(slot);
  bufs[0] = (struct virtq_buf){slot_pa + offsetof(struct blk_slot, head), sizeof slot->head};
  bufs[n + 1] = (struct virtq_buf){slot_pa + offsetof(struct blk_slot, status), 1};
  bool reads = r->op == BLK_READ || r->op == BLK_OP_GET_ID;
  slot->read_bytes = reads ? bytes : 0;
  virtq_add(&b->q, bufs, reads ? 1 : n + 1, reads ? n + 1 : 1, slot); /* there is room */
  b->free_slots = slot->next;
  r->sector += bytes / BLK_SECTOR_BYTES;
  r->parts++;
  return true;
}

/* Starts what fits of r; true: all of it. */
static bool start(struct virtio_blk *b, struct blk_request *r) {
  do {
    if (!start_part(b, r))
      return false;
  } while (r->left_bytes > 0);
  return true;
}

void vblk_submit(struct blkdev *disk, struct blk_request *r) {
  struct virtio_blk *b = container_of(disk, struct virtio_blk, disk);
  bool alone = virtq_in_flight(&b->q) == 0;
  list_init(&r->link);
  if (!list_empty(&b->waiting) || !start(b, r))
    list_push_back(&b->waiting, &r->link);
  if (alone) /* somebody probably waits for it; others that come now go together */
    virtq_kick(&b->q);
  else
    bh_schedule(&b->bh);
  if (!timer_armed(&b->watch))
    timer_set(&b->watch, arch_time_ns() + BLK_WATCH_NS);
}

void vblk_start_waiting(struct virtio_blk *b) {
  while (!list_empty(&b->waiting)) {
    struct blk_request *r = container_of(b->waiting.next, struct blk_request, link);
    if (!start(b, r))
      break;
    list_remove(&r->link);
  }
  virtq_kick(&b->q);
}

/* ---- And back -------------------------------------------------------------------------------- */

/* The caller has it again, if none of its parts is in flight or waits. */
static void finish(struct blk_request *r) {
  if (r->parts != 0 || !list_empty(&r->link))
    return;
  if (r->op == BLK_OP_GET_ID)
    r->done(r); /* inside the driver: nobody is told if it fails */
  else
    blk_finish(r, r->error, r->failed_sector);
}

static void fail(struct blk_request *r, errno_t error, uint64_t sector) {
  if (r->error == 0) {
    r->error = error;
    r->failed_sector = sector;
  }
  r->left_bytes = 0;
  list_remove(&r->link); /* the rest of it is not tried */
}

static void part_over(struct virtio_blk *b, struct blk_slot *slot, errno_t error) {
  struct blk_request *r = slot->r;
  uint64_t sector = r->op <= BLK_WRITE ? slot->head.sector : r->sector;
  slot->next = b->free_slots;
  b->free_slots = slot;
  r->parts--;
  if (error != 0)
    fail(r, error, sector);
  finish(r);
}

/* How a chain ended of which the device wrote `len` bytes. Old devices' lengths can't be relied on,
 * and some modern ones leave the status out of it. */
static errno_t outcome(const struct virtio_blk *b, const struct blk_slot *slot, uint32_t len) {
  bool cut = len < slot->read_bytes && virtio_has(b->dev, VIRTIO_F_VERSION_1);
  if (slot->status == BLK_S_OK)
    return cut && slot->r->op == BLK_READ ? EIO : 0;
  return slot->status == BLK_S_UNSUPP && has_range(slot->r) ? ENOTSUP : EIO;
}

bool vblk_reap(struct virtio_blk *b) {
  void *cookie;
  uint32_t len;
  bool any = false;
  while (virtq_pending(&b->q) && virtq_reap(&b->q, &cookie, &len)) {
    part_over(b, cookie, outcome(b, cookie, len));
    any = true;
  }
  return any;
}

void vblk_abort(struct virtio_blk *b) {
  void *cookie;
  struct list *l;
  while (virtq_take_back(&b->q, &cookie))
    part_over(b, cookie, EIO);
  while ((l = list_pop_front(&b->waiting)) != NULL) {
    struct blk_request *r = container_of(l, struct blk_request, link);
    fail(r, EIO, r->sector);
    finish(r);
  }
}
