/*
 * The block driver's surroundings in a unit test: a disk played by virtio_sim.h, and what of the
 * kernel it calls. kernel/blkdev.c and kernel/bh.c are the real ones.
 *
 * A test calls start(), submits requests or calls the helpers (which let the device work while they
 * wait), and stop(), after which nothing may be left.
 */
#ifndef TESTS_HOST_VIRTIO_BLK_SIM_H
#define TESTS_HOST_VIRTIO_BLK_SIM_H

#include "tests/host/virtio_sim.h"

#include "drivers/virtio/blk.h"
#include "kernel/waitq.h"

#define SECTOR 512u
#define MODERN (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | BLK_F_FLUSH)
#define DISK_SECTORS 8192

/* ---- The device ------------------------------------------------------------------------------ */

static uint8_t medium[DISK_SECTORS * SECTOR];
static const char *serial;  /* NULL: there is no such request */
static uint64_t bad_sector; /* requests that touch it are errors */
static int next_status;     /* what the next request ends with, once; -1: as it deserves */
static int64_t next_len;    /* the used length of the next, once; -1: the right one */
static bool asleep;         /* does nothing */
static unsigned reads, writes, flushes, discards, zeroes;
static struct blk_range last_range;

static struct virtio_dev dev;

static bool touches_bad(uint64_t sector, uint64_t n) {
  return sector <= bad_sector && bad_sector - sector < n;
}

static uint8_t range_op(const struct virtq_desc *d) {
  assert_int_equal(d->len, sizeof last_range);
  memcpy(&last_range, pa_to_va(d->addr), sizeof last_range);
  if (last_range.sector + last_range.sectors > DISK_SECTORS)
    return BLK_S_IOERR;
  memset(medium + last_range.sector * SECTOR, 0, (size_t)last_range.sectors * SECTOR);
  return BLK_S_OK;
}

/* Moves a piece of a read or write. */
static uint8_t move(const struct virtq_desc *d, uint64_t at, bool in) {
  if (at + d->len > sizeof medium || touches_bad(at / SECTOR, d->len / SECTOR))
    return BLK_S_IOERR;
  assert_int_equal(d->flags & VIRTQ_DESC_WRITE, in ? VIRTQ_DESC_WRITE : 0);
  assert_int_equal(d->len % SECTOR, 0);
  if (in)
    memcpy(pa_to_va(d->addr), medium + at, d->len);
  else
    memcpy(medium + at, pa_to_va(d->addr), d->len);
  return BLK_S_OK;
}

static uint8_t give_id(const struct virtq_desc *d) {
  assert_int_equal(d->len, 20);
  if (serial == NULL)
    return BLK_S_UNSUPP;
  memset(pa_to_va(d->addr), 0, 20);
  memcpy(pa_to_va(d->addr), serial, strnlen(serial, 20));
  return BLK_S_OK;
}

static void count(uint32_t type) {
  reads += type == BLK_T_IN;
  writes += type == BLK_T_OUT;
  flushes += type == BLK_T_FLUSH;
  discards += type == BLK_T_DISCARD;
  zeroes += type == BLK_T_WRITE_ZEROES;
}

/* Does what the chain asks for; *len is how much it wrote. The status is not written. */
static uint8_t execute(int id, uint32_t *len) {
  const struct virtq_desc *d = sim_piece(0, id, 0), *next;
  struct blk_head head;
  assert_int_equal(d->len, 16);
  assert_false(d->flags & VIRTQ_DESC_WRITE);
  memcpy(&head, pa_to_va(d->addr), 16);
  uint64_t at = head.sector * SECTOR;
  uint8_t status = BLK_S_OK;
  count(head.type);
  *len = 1;
  for (unsigned i = 1; (next = sim_piece(0, id, i + 1)) != NULL && status == BLK_S_OK; i++) {
    d = sim_piece(0, id, i);
    if (head.type == BLK_T_IN || head.type == BLK_T_OUT)
      status = move(d, at, head.type == BLK_T_IN);
    else if (head.type == BLK_T_GET_ID)
      status = give_id(d);
    else
      status = range_op(d);
    at += d->len;
    *len += d->flags & VIRTQ_DESC_WRITE ? d->len : 0;
  }
  return status;
}

/* The device is done with a chain that it took by sim_next(). */
static void complete(int id) {
  uint32_t len;
  uint8_t status = execute(id, &len);
  struct virtq_desc *d = sim_piece(0, id, 0);
  while (d->flags & VIRTQ_DESC_NEXT)
    d = &sim.rings[0].q->desc[d->next];
  assert_int_equal(d->len, 1);
  assert_true(d->flags & VIRTQ_DESC_WRITE);
  *(uint8_t *)pa_to_va(d->addr) = next_status >= 0 ? (uint8_t)next_status : status;
  len = next_len >= 0 ? (uint32_t)next_len : len;
  next_status = -1;
  next_len = -1;
  if (sim_done(0, (uint32_t)id, len))
    virtio_queue_irq(&dev);
}

/* ---- The kernel ------------------------------------------------------------------------------ */

static struct timer *armed;

errno_t virtio_rng_start(struct virtio_dev *d) {
  (void)d;
  return ENODEV;
}

errno_t virtio_net_start(struct virtio_dev *d) {
  (void)d;
  return ENODEV;
}

void timer_set(struct timer *t, uint64_t deadline_ns) {
  t->deadline_ns = deadline_ns;
  t->prev = t;
  armed = t;
}

void timer_cancel(struct timer *t) {
  t->prev = NULL;
}

static void fire_timer(void) {
  assert_true(timer_armed(armed));
  sim_now_ns = armed->deadline_ns;
  armed->prev = NULL;
  armed->fire(armed);
}

static void run_bh(void) {
  for (int i = 0; i < 100 && bh_pending != NULL; i++)
    bh_run();
  assert_null(bh_pending);
}

/* While a thread waits, the device works. */
errno_t waitq_sleep(struct waitq *q, uint64_t deadline_ns) {
  (void)q;
  int id;
  run_bh();
  while (!asleep && !dev.broken && (id = sim_next(0)) >= 0)
    complete(id);
  if (bh_pending == NULL && deadline_ns != NEVER_NS && sim_now_ns < deadline_ns) {
    sim_now_ns = deadline_ns;
    return ETIMEDOUT;
  }
  run_bh();
  return 0;
}

void waitq_wait(struct waitq *q) {
  waitq_sleep(q, NEVER_NS);
}

void waitq_wake_all(struct waitq *q) {
  (void)q;
}

/* ---- Starting and stopping ------------------------------------------------------------------- */

static struct blkdev *disk;

/* Instead of blkdev_register(), whose list nothing ever leaves. */
void __wrap_blkdev_register(struct blkdev *d);
void __wrap_blkdev_register(struct blkdev *d) {
  disk = d;
  d->disk = d;
  strcpy(d->name, "disk0");
}

static void config32(unsigned offset, uint32_t value) {
  memcpy(sim.config + offset, &value, 4);
}

/* A device with these features, to be changed by the test before attach(). */
static void prepare(uint64_t features) {
  uint64_t sectors = DISK_SECTORS;
  sim_reset();
  sim.offered = features;
  memcpy(sim.config, &sectors, 8);
  serial = "a serial";
  bad_sector = UINT64_MAX;
  next_status = -1;
  next_len = -1;
  asleep = false;
  armed = NULL;
  reads = writes = flushes = discards = zeroes = 0;
}

/* The driver starts; disk is NULL if it registered nothing. */
static void attach(bool legacy) {
  disk = NULL;
  dev = (struct virtio_dev){.ops = &sim_transport,
                            .name = "test 0",
                            .legacy = legacy,
                            .fixed_rings = legacy,
                            .ring_align = 4096};
  assert_int_equal(virtio_start(&dev, 2), 0);
  run_bh();
}

static void start(uint64_t features) {
  prepare(features);
  attach((features & VIRTIO_F_VERSION_1) == 0);
  assert_non_null(disk);
  assert_int_equal(sim_log_lines, 0);
}

/* Frees everything, so that the sanitizer sees what was lost. */
static void stop(void) {
  struct virtio_blk *b = dev.driver;
  virtio_break(&dev, "the test ends");
  run_bh();
  if (b == NULL)
    return;
  if (b->q.desc != NULL)
    virtq_destroy(&b->q);
  kfree(b->slots);
  kfree(b);
}

#endif
