/*
 * virtio-blk: start, interrupts and the bottom half (specification 5.2). blk_io.c moves requests.
 *
 * Started by the core at boot, on a thread that may sleep. Handlers only mark; the bottom half
 * takes back what is done, starts what waits, and tells the device of all that was added since it
 * ran last. Kernel lock.
 */
#include "drivers/virtio/blk.h"

#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/printf.h"
#include "kernel/string.h"
#include "kernel/waitq.h"

enum { /* configuration (5.2.4) */
       CONFIG_CAPACITY = 0,
       CONFIG_SIZE_MAX = 8,
       CONFIG_SEG_MAX = 12,
       CONFIG_BLK_SIZE = 20,
       CONFIG_PHYSICAL_EXP = 24,
       CONFIG_WRITEBACK = 32,
       CONFIG_DISCARD_SECTORS = 36,
       CONFIG_DISCARD_ALIGN = 44,
       CONFIG_ZEROES_SECTORS = 48,
};

#define RING_WANTED 128
#define PIECE_MAX (1u << 20) /* bytes: more in one piece has no use */
#define CAPACITY_TRIES 4
#define QUIET_S 30 /* then it is told that the device does not answer */
#define SERIAL_LIMIT_NS 5000000000ull

/* ---- In operation ---------------------------------------------------------------------------- */

static void on_queue(struct virtio_dev *d) {
  struct virtio_blk *b = d->driver;
  if (b->down)
    return;
  if (!b->q.event_idx) /* with event index they have gone off by themselves */
    virtq_irq_off(&b->q);
  b->irq_off = true;
  bh_schedule(&b->bh);
}

static void on_config(struct virtio_dev *d) {
  struct virtio_blk *b = d->driver;
  b->config_changed = true;
  bh_schedule(&b->bh);
}

static uint32_t config32(struct virtio_dev *d, unsigned offset) {
  uint32_t v;
  virtio_config_bytes(d, offset, &v, sizeof v);
  return v;
}

/* In bytes, whole blocks. Twice the same: old devices don't tell when they change it meanwhile. */
static uint64_t read_size(struct virtio_blk *b) {
  uint64_t sectors = 0, before = UINT64_MAX;
  for (unsigned i = 0; i < CAPACITY_TRIES && sectors != before; i++) {
    before = sectors;
    virtio_config_bytes(b->dev, CONFIG_CAPACITY, &sectors, sizeof sectors);
  }
  if (sectors > UINT64_MAX / BLK_SECTOR_BYTES)
    sectors = UINT64_MAX / BLK_SECTOR_BYTES;
  return sectors * BLK_SECTOR_BYTES & ~(uint64_t)(b->disk.block_bytes - 1);
}

static void watch_fired(struct timer *t) {
  struct virtio_blk *b = container_of(t, struct virtio_blk, watch);
  if (virtq_in_flight(&b->q) == 0 || virtio_check(b->dev))
    return;
  if (b->quiet_s < QUIET_S && ++b->quiet_s == QUIET_S)
    log_warn("%s: has not answered for %u seconds", b->disk.name, QUIET_S);
  virtq_nudge(&b->q); /* should a notification have been lost: see net_tx.c */
  bh_schedule(&b->bh);
  timer_set(t, arch_time_ns() + BLK_WATCH_NS);
}

static void bottom_half(struct bh *bh) {
  struct virtio_blk *b = container_of(bh, struct virtio_blk, bh);
  if (b->down)
    return;
  if (b->config_changed) {
    b->config_changed = false;
    if (!virtio_check(b->dev))
      blk_resized(&b->disk, read_size(b));
  }
  bool done = vblk_reap(b);
  vblk_start_waiting(b);
  if (done)
    b->quiet_s = 0;
  if (b->dev->broken) {
    b->down = true;
    timer_cancel(&b->watch);
    blk_died(&b->disk);
    vblk_abort(b);
    return;
  }
  if (!done && !b->irq_off)
    return;
  b->irq_off = false;
  if (virtq_irq_on(&b->q, 1))
    bh_schedule(bh); /* more has come meanwhile */
}

/* ---- Start ----------------------------------------------------------------------------------- */

static errno_t refuse(struct virtio_blk *b, const char *what, uint32_t value) {
  log_warn("%s: %s of %u bytes", b->dev->name, what, value);
  return ENOTSUP;
}

/* What the device's blocks and pieces are. */
static errno_t take_sizes(struct virtio_blk *b) {
  struct virtio_dev *d = b->dev;
  uint32_t block = BLK_SECTOR_BYTES, piece = PIECE_MAX, pieces = BLK_PIECES;
  if (virtio_has(d, BLK_F_BLK_SIZE))
    block = config32(d, CONFIG_BLK_SIZE);
  if (block < BLK_SECTOR_BYTES || block > BLK_BLOCK_MAX || (block & (block - 1)) != 0)
    return refuse(b, "blocks", block);
  if (virtio_has(d, BLK_F_SIZE_MAX)) {
    uint32_t most = config32(d, CONFIG_SIZE_MAX);
    if (most < block)
      return refuse(b, "segments", most);
    piece = most < piece ? most : piece;
  }
  if (virtio_has(d, BLK_F_SEG_MAX)) {
    uint32_t most = config32(d, CONFIG_SEG_MAX);
    pieces = most == 0 ? 1 : most < pieces ? most : pieces; /* old devices say 0 */
  }
  b->piece_bytes = piece & ~(block - 1);
  b->pieces = (uint16_t)pieces;
  b->disk.block_bytes = b->disk.physical_block_bytes = block;
  if (virtio_has(d, BLK_F_TOPOLOGY)) {
    uint8_t exp;
    virtio_config_bytes(d, CONFIG_PHYSICAL_EXP, &exp, sizeof exp);
    b->disk.physical_block_bytes = block << (exp < 16 ? exp : 0);
  }
  return 0;
}

static uint64_t read_most(struct virtio_blk *b, uint64_t feature, unsigned offset) {
  if (!virtio_has(b->dev, feature))
    return 0;
  return (uint64_t)config32(b->dev, offset) * BLK_SECTOR_BYTES &
         ~(uint64_t)(b->disk.block_bytes - 1);
}

static void take_abilities(struct virtio_blk *b) {
  struct virtio_dev *d = b->dev;
  b->disk.read_only = virtio_has(d, BLK_F_RO);
  b->disk.write_cache = virtio_has(d, BLK_F_FLUSH);
  if (b->disk.write_cache && virtio_has(d, BLK_F_CONFIG_WCE)) {
    uint8_t writeback;
    virtio_config_bytes(d, CONFIG_WRITEBACK, &writeback, sizeof writeback);
    b->disk.write_cache = writeback != 0;
  }
  b->disk.discard_max_bytes = read_most(b, BLK_F_DISCARD, CONFIG_DISCARD_SECTORS);
  b->disk.zeroes_max_bytes = read_most(b, BLK_F_WRITE_ZEROES, CONFIG_ZEROES_SECTORS);
  if (b->disk.discard_max_bytes != 0)
    b->disk.discard_align_bytes = config32(d, CONFIG_DISCARD_ALIGN) * BLK_SECTOR_BYTES;
}

static errno_t start(struct virtio_blk *b) {
  struct virtio_dev *d = b->dev;
  errno_t e =
      virtio_begin(d, BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_RO | BLK_F_BLK_SIZE | BLK_F_FLUSH |
                          BLK_F_TOPOLOGY | BLK_F_CONFIG_WCE | BLK_F_DISCARD | BLK_F_WRITE_ZEROES);
  if (e == 0)
    e = take_sizes(b);
  if (e == 0)
    e = virtio_connect(d, on_queue, on_config);
  if (e == 0)
    e = virtq_create(d, &b->q, 0, RING_WANTED);
  if (e != 0)
    return e;
  if (b->q.size < 4)
    return ENOBUFS;
  if (b->pieces > b->q.size - 2)
    b->pieces = (uint16_t)(b->q.size - 2);
  b->slots = kzalloc(BLK_SLOTS * sizeof *b->slots);
  if (b->slots == NULL)
    return ENOMEM;
  for (unsigned i = 0; i < BLK_SLOTS; i++) {
    b->slots[i].next = b->free_slots;
    b->free_slots = &b->slots[i];
  }
  take_abilities(b);
  b->down = false;
  virtio_ready(d);
  virtq_irq_on(&b->q, 1);
  b->disk.size_bytes = read_size(b);
  return 0;
}

struct serial_request {
  struct blk_request r;
  struct blk_seg seg;
  struct waitq waiters;
  bool over;
};

static void serial_done(struct blk_request *r) {
  struct serial_request *s = container_of(r, struct serial_request, r);
  s->over = true;
  waitq_wake_all(&s->waiters);
}

/* Asks for the serial (5.2.6: GET_ID), which not every device has. The first request of all. */
static void read_serial(struct virtio_blk *b) {
  struct serial_request s = {
      .r = {.op = BLK_OP_GET_ID, .left_bytes = BLK_SERIAL_MAX, .done = serial_done},
      .seg = {b->disk.serial, BLK_SERIAL_MAX},
  };
  s.r.segs = s.r.seg = &s.seg;
  s.r.nsegs = 1;
  s.r.dev = &b->disk;
  waitq_init(&s.waiters);
  vblk_submit(&b->disk, &s.r);
  uint64_t limit = arch_time_ns() + SERIAL_LIMIT_NS;
  while (!s.over) {
    if (waitq_sleep(&s.waiters, limit) == 0)
      continue;
    virtio_break(b->dev, "does not answer");
    limit = NEVER_NS; /* the bottom half gives the request back now */
  }
  char *c = b->disk.serial;
  while (s.r.error == 0 && *c >= ' ' && *c <= '~')
    c++;
  while (c > b->disk.serial && c[-1] == ' ')
    c--;
  memset(c, 0, (size_t)(b->disk.serial + sizeof b->disk.serial - c));
}

errno_t virtio_blk_start(struct virtio_dev *d) {
  static const struct blkdev_ops ops = {.submit = vblk_submit};
  struct virtio_blk *b = kzalloc(sizeof *b);
  errno_t e = ENOMEM;
  if (b != NULL) {
    b->dev = d;
    b->down = true;
    b->bh.run = bottom_half;
    b->watch.fire = watch_fired;
    list_init(&b->waiting);
    b->disk.ops = &ops;
    b->disk.driver = d->name;
    b->disk.disk = &b->disk;
    d->driver = b;
    e = start(b);
  }
  if (e != 0) {
    /* What was allocated stays: the device may have been told of it, and handlers know d. */
    virtio_break(d, "can't be started (error %u)", e);
    return 0;
  }
  read_serial(b);
  if (d->broken)
    return 0;
  blkdev_register(&b->disk);
  size_t n = strlen(d->name);
  ksnprintf(d->name + n, sizeof d->name - n, " %s", b->disk.name); /* for its last words */
  return 0;
}
