// sources: drivers/virtio/blk.c drivers/virtio/blk_io.c drivers/virtio/virtq.c
// sources: drivers/virtio/virtio.c kernel/blkdev.c kernel/bh.c kernel/printf.c
// libs: -Wl,--wrap=blkdev_register
/*
 * virtio-blk: what the device says of itself, requests of all kinds in any order and in parts, and
 * a device that fails, lies, falls silent or goes.
 */
#include "tests/host/virtio_blk_sim.h"

static uint8_t *pattern(size_t n, unsigned seed) {
  uint8_t *p = aligned_alloc(PAGE_SIZE, (n + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
  for (size_t i = 0; i < n; i++)
    p[i] = (uint8_t)(seed + i * 7 + i / 512);
  return p;
}

/* ---- A device that works --------------------------------------------------------------------- */

static void found(void **state) {
  (void)state;
  static const uint64_t features[] = {MODERN, BLK_F_FLUSH, VIRTIO_F_ANY_LAYOUT,
                                      VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX};
  for (unsigned i = 0; i < sizeof features / sizeof *features; i++) {
    start(features[i]);
    assert_string_equal(disk->serial, "a serial");
    assert_int_equal(disk->size_bytes, DISK_SECTORS * SECTOR);
    assert_int_equal(disk->block_bytes, 512);
    assert_false(disk->read_only);
    assert_int_equal(disk->write_cache, i < 2);
    uint8_t *data = pattern(3 * PAGE_SIZE, i), *back = pattern(3 * PAGE_SIZE, 99);
    assert_int_equal(blk_write(disk, 5 * SECTOR, data, 3 * PAGE_SIZE), 0);
    assert_memory_equal(medium + 5 * SECTOR, data, 3 * PAGE_SIZE);
    assert_int_equal(blk_read(disk, 5 * SECTOR, back, 3 * PAGE_SIZE), 0);
    assert_memory_equal(back, data, 3 * PAGE_SIZE);
    assert_int_equal(blk_flush(disk), 0);
    assert_int_equal(flushes, i < 2);
    free(data);
    free(back);
    stop();
  }
}

static void serials(void **state) {
  (void)state;
  static const struct {
    const char *says, *means;
  } cases[] = {{NULL, ""},
               {"", ""},
               {"12345678901234567890", "12345678901234567890"},
               {"padded      ", "padded"},
               {"two words", "two words"},
               {"bad\x1b[2J", "bad"}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    prepare(MODERN);
    serial = cases[i].says;
    attach(false);
    assert_string_equal(disk->serial, cases[i].means);
    assert_int_equal(sim_log_lines, 0);
    stop();
  }
}

static void abilities(void **state) {
  (void)state;
  prepare(MODERN | BLK_F_RO | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY | BLK_F_CONFIG_WCE | BLK_F_DISCARD |
          BLK_F_WRITE_ZEROES);
  uint64_t sectors = 803; /* not whole blocks */
  memcpy(sim.config, &sectors, 8);
  config32(20, 4096);
  sim.config[24] = 1;
  sim.config[32] = 0; /* write-through */
  config32(36, 1001);
  config32(44, 16);
  config32(48, 0);
  attach(false);
  assert_int_equal(disk->size_bytes, 800 * SECTOR);
  assert_int_equal(disk->block_bytes, 4096);
  assert_int_equal(disk->physical_block_bytes, 8192);
  assert_true(disk->read_only);
  assert_false(disk->write_cache);
  assert_int_equal(disk->discard_max_bytes, 1000 * SECTOR);
  assert_int_equal(disk->discard_align_bytes, 16 * SECTOR);
  assert_int_equal(disk->zeroes_max_bytes, 0);
  uint8_t *data = pattern(PAGE_SIZE, 1);
  assert_int_equal(blk_write(disk, 0, data, PAGE_SIZE), EROFS);
  assert_int_equal(blk_discard(disk, 0, PAGE_SIZE), EROFS);
  assert_int_equal(blk_write_zeroes(disk, 0, PAGE_SIZE), EROFS);
  assert_int_equal(blk_read(disk, 512, data, PAGE_SIZE), EINVAL);
  assert_int_equal(blk_read(disk, 0, data, 512), EINVAL);
  assert_int_equal(blk_read(disk, 7 * PAGE_SIZE, data, PAGE_SIZE), 0);
  assert_memory_equal(data, medium + 7 * PAGE_SIZE, PAGE_SIZE);
  assert_int_equal(blk_flush(disk), 0);
  assert_int_equal(flushes + writes + discards + zeroes, 0);
  assert_int_equal(reads, 1);
  assert_int_equal(sim_log_lines, 0);
  free(data);
  stop();
}

static void discard_and_zeroes(void **state) {
  (void)state;
  prepare(MODERN | BLK_F_DISCARD | BLK_F_WRITE_ZEROES);
  config32(36, 100);
  config32(48, 64);
  attach(false);
  memset(medium, 0xee, sizeof medium);
  assert_int_equal(blk_discard(disk, 10 * SECTOR, 250 * SECTOR), 0);
  assert_int_equal(discards, 3);
  assert_int_equal(last_range.sector, 210);
  assert_int_equal(last_range.sectors, 50);
  assert_int_equal(last_range.flags, 0);
  assert_int_equal(blk_write_zeroes(disk, 1000 * SECTOR, 64 * SECTOR), 0);
  assert_int_equal(zeroes, 1);
  for (unsigned i = 0; i < DISK_SECTORS; i++) {
    bool gone = (i >= 10 && i < 260) || (i >= 1000 && i < 1064);
    assert_int_equal(medium[i * SECTOR], gone ? 0 : 0xee);
  }
  next_status = BLK_S_UNSUPP; /* changed its mind */
  assert_int_equal(blk_discard(disk, 0, SECTOR), ENOTSUP);
  assert_int_equal(sim_log_lines, 0);
  next_status = BLK_S_IOERR;
  assert_int_equal(blk_write_zeroes(disk, 70 * SECTOR, SECTOR), EIO);
  assert_string_equal(sim_log, "disk0: can't zero sector 70: the device reports an error");
  stop();

  start(MODERN); /* without the two */
  memset(medium, 0xee, sizeof medium);
  assert_int_equal(blk_discard(disk, 0, SECTOR), 0);
  assert_int_equal(blk_write_zeroes(disk, 3 * SECTOR, 200 * PAGE_SIZE + SECTOR), 0);
  for (unsigned i = 0; i < DISK_SECTORS; i++)
    assert_int_equal(medium[i * SECTOR + 511], i >= 3 && i < 1604 ? 0 : 0xee);
  assert_int_equal(discards + zeroes, 0);
  stop();
}

/* ---- Many requests --------------------------------------------------------------------------- */

#define FLIGHT 200
#define SEGS_MAX 80

struct job {
  struct blk_request r;
  struct blk_seg segs[SEGS_MAX];
  uint8_t *memory;
  unsigned done;
  bool busy;
};

static struct job jobs[FLIGHT];

static void job_done(struct blk_request *r) {
  container_of(r, struct job, r)->done++;
}

static void job_init(struct job *j, enum blk_op op, uint64_t sector) {
  j->r = (struct blk_request){
      .op = op, .offset_bytes = sector * SECTOR, .segs = j->segs, .done = job_done};
  j->done = 0;
  j->busy = true;
}

static void job_add(struct job *j, void *data, size_t len) {
  j->segs[j->r.nsegs++] = (struct blk_seg){data, len};
  j->r.len_bytes += len;
}

/* A job on a region of its own, so that jobs may overtake each other. */
static void job_random(struct job *j) {
  unsigned region = (unsigned)(j - jobs), sectors = DISK_SECTORS / FLIGHT;
  uint64_t sector = (uint64_t)region * sectors;
  job_init(j, rand() % 2 ? BLK_READ : BLK_WRITE, sector);
  j->memory = pattern((size_t)sectors * SECTOR * 2, (unsigned)rand());
  uint8_t *at = j->memory;
  for (unsigned left = 1 + (unsigned)rand() % sectors; left > 0;) {
    unsigned n = 1 + (unsigned)rand() % (rand() % 4 ? 2 : left);
    n = n < left ? n : left;
    job_add(j, at, n * SECTOR);
    at += n * SECTOR * (1 + (unsigned)rand() % 2); /* neighbours or not */
    left -= n;
  }
}

static void job_check(struct job *j) {
  uint8_t *at = medium + j->r.offset_bytes;
  assert_int_equal(j->done, 1);
  assert_int_equal(j->r.error, 0);
  for (unsigned i = 0; i < j->r.nsegs; i++) {
    assert_memory_equal(at, j->segs[i].data, j->segs[i].len);
    at += j->segs[i].len;
  }
  free(j->memory);
  j->busy = false;
}

static void many(uint64_t features, unsigned ring, unsigned size_max, unsigned seg_max) {
  int held[256];
  unsigned holds = 0, finished = 0;
  prepare(features);
  sim.ring_max[0] = ring;
  config32(8, size_max);
  config32(12, seg_max);
  attach((features & VIRTIO_F_VERSION_1) == 0);
  for (unsigned round = 0; finished < 5000; round++) {
    for (unsigned i = (unsigned)rand() % 8; i > 0; i--) {
      struct job *j = &jobs[rand() % FLIGHT];
      if (j->busy)
        continue;
      job_random(j);
      blk_submit(disk, &j->r);
      assert_int_equal(j->done, 0);
    }
    if (rand() % 4)
      run_bh();
    for (int id; (id = sim_next(0)) >= 0;)
      held[holds++] = id;
    for (unsigned i = (unsigned)rand() % 8; holds > 0 && i > 0; i--) {
      unsigned which = (unsigned)rand() % holds;
      complete(held[which]);
      held[which] = held[--holds];
    }
    for (unsigned i = 0; i < FLIGHT; i++) {
      if (jobs[i].busy && jobs[i].done != 0) {
        job_check(&jobs[i]);
        finished++;
      }
    }
  }
  for (unsigned i = 0; i < 100000 && (holds > 0 || bh_pending != NULL); i++) {
    while (holds > 0)
      complete(held[--holds]);
    run_bh();
    for (int id; (id = sim_next(0)) >= 0;)
      held[holds++] = id;
  }
  for (unsigned i = 0; i < FLIGHT; i++) {
    if (jobs[i].busy)
      job_check(&jobs[i]);
  }
  assert_int_equal(sim_log_lines, 0);
  stop();
}

static void many_out_of_order(void **state) {
  (void)state;
  srand(7);
  many(MODERN, 256, 0, 0);
  many(MODERN, 4, 0, 0);
  many(MODERN | BLK_F_SIZE_MAX | BLK_F_SEG_MAX, 128, 1024, 3);
  many(MODERN | BLK_F_SIZE_MAX | BLK_F_SEG_MAX, 128, 1300, 0);
  many(0, 64, 0, 0);
}

/* The first goes to an idle device at once, the others together. */
static void notified_together(void **state) {
  (void)state;
  start(MODERN);
  uint8_t *page = pattern(PAGE_SIZE, 0);
  struct sim_ring *ring = &sim.rings[0];
  unsigned before = ring->notified;
  *ring->q->avail_event = ring->next_avail; /* it wants to be told of the next */
  int ids[21], n = 0;
  for (unsigned i = 0; i < 20; i++) {
    job_init(&jobs[i], BLK_READ, i * 8);
    job_add(&jobs[i], page, PAGE_SIZE);
    blk_submit(disk, &jobs[i].r);
    assert_int_equal(ring->notified, before + 1);
  }
  ids[n++] = sim_next(0);
  assert_int_equal(sim_next(0), -1);
  *ring->q->avail_event = ring->next_avail;
  run_bh();
  assert_int_equal(ring->notified, before + 2);
  while ((ids[n] = sim_next(0)) >= 0)
    n++;
  assert_int_equal(n, 20);
  while (n > 0)
    complete(ids[--n]);
  run_bh();
  for (unsigned i = 0; i < 20; i++)
    assert_int_equal(jobs[i].done, 1);
  free(page);
  stop();
}

/* ---- A device that does not ------------------------------------------------------------------ */

static errno_t read_at(uint64_t sector, size_t n) {
  uint8_t *page = pattern(n, 0);
  errno_t e = blk_read(disk, sector * SECTOR, page, n);
  free(page);
  return e;
}

static void errors(void **state) {
  (void)state;
  start(MODERN);
  bad_sector = 1234;
  assert_int_equal(read_at(1230, PAGE_SIZE), EIO);
  assert_string_equal(sim_log, "disk0: can't read sector 1230: the device reports an error");
  assert_int_equal(sim_log_lines, 1);
  assert_int_equal(read_at(1222, PAGE_SIZE), 0);
  next_status = BLK_S_IOERR;
  assert_int_equal(blk_flush(disk), EIO);
  assert_string_equal(sim_log, "disk0: can't flush: the device reports an error");
  static const uint8_t strange[] = {BLK_S_UNSUPP, 3, 0x7f, BLK_S_NONE};
  for (unsigned i = 0; i < sizeof strange; i++) {
    next_status = strange[i];
    assert_int_equal(read_at(0, PAGE_SIZE), EIO);
    assert_int_equal(sim_log_lines, 3 + i);
  }
  next_len = PAGE_SIZE - 1; /* fewer bytes than asked for, and it says all is well */
  assert_int_equal(read_at(0, PAGE_SIZE), EIO);
  next_len = PAGE_SIZE; /* without the status: some count so */
  assert_int_equal(read_at(0, PAGE_SIZE), 0);
  assert_int_equal(sim_log_lines, 7);
  assert_false(blk_is_dead(disk));
  stop();

  start(0); /* an old device counts as it likes */
  next_len = 0;
  assert_int_equal(read_at(0, PAGE_SIZE), 0);
  stop();
}

static void bounds(void **state) {
  (void)state;
  start(MODERN);
  assert_int_equal(read_at(DISK_SECTORS - 8, PAGE_SIZE), 0);
  assert_int_equal(reads, 1);
  assert_int_equal(read_at(DISK_SECTORS - 7, PAGE_SIZE), EIO);
  assert_string_equal(sim_log, "disk0: can't read sector 8185: it is behind the end");
  assert_int_equal(read_at(UINT64_MAX / SECTOR, PAGE_SIZE), EIO);
  assert_int_equal(sim_log_lines, 2);
  assert_int_equal(reads, 1);
  stop();
}

/* A request of several parts, of which one fails, while others are with the device and others wait.
 */
static void failing_part(void **state) {
  (void)state;
  prepare(MODERN | BLK_F_SEG_MAX);
  sim.ring_max[0] = 16;
  config32(12, 2);
  attach(false);
  uint8_t *memory = pattern(40 * 1024, 0);
  job_init(&jobs[0], BLK_WRITE, 100);
  for (unsigned i = 0; i < 40; i++)
    job_add(&jobs[0], memory + (39 - i) * 1024, 512);
  blk_submit(disk, &jobs[0].r);
  run_bh();
  int ids[16], n = 0;
  while ((ids[n] = sim_next(0)) >= 0)
    n++;
  assert_int_equal(n, 4);
  next_status = BLK_S_IOERR;
  complete(ids[2]);
  run_bh();
  assert_int_equal(sim_next(0), -1); /* no more of it is started */
  assert_int_equal(jobs[0].done, 0);
  next_status = BLK_S_IOERR;
  complete(ids[0]);
  complete(ids[1]);
  run_bh();
  assert_int_equal(jobs[0].done, 0);
  complete(ids[3]);
  run_bh();
  assert_int_equal(jobs[0].done, 1);
  assert_int_equal(jobs[0].r.error, EIO);
  assert_int_equal(sim_log_lines, 1);
  assert_string_equal(sim_log, "disk0: can't write sector 104: the device reports an error");
  assert_int_equal(read_at(0, PAGE_SIZE), 0);
  free(memory);
  stop();
}

/* Requests with the device and waiting, submitted before something happens. */
static void submit_many(uint8_t *page) {
  for (unsigned i = 0; i < FLIGHT; i++) {
    job_init(&jobs[i], i % 5 ? BLK_READ : BLK_WRITE, i * 8);
    job_add(&jobs[i], page, PAGE_SIZE);
    blk_submit(disk, &jobs[i].r);
  }
  run_bh();
}

static void all_failed(uint8_t *page, unsigned lines) {
  run_bh();
  for (unsigned i = 0; i < FLIGHT; i++) {
    assert_int_equal(jobs[i].done, 1);
    assert_int_equal(jobs[i].r.error, EIO);
    jobs[i].busy = false;
  }
  assert_true(blk_is_dead(disk));
  unsigned before = reads;
  assert_int_equal(blk_read(disk, 0, page, PAGE_SIZE), EIO);
  assert_int_equal(blk_flush(disk), EIO);
  assert_int_equal(reads, before);
  assert_int_equal(sim_log_lines, lines); /* for all of them */
  assert_false(timer_armed(armed));
  free(page);
  stop();
}

static void goes_away(void **state) {
  (void)state;
  static const uint8_t statuses[] = {0xff, VIRTIO_NEEDS_RESET | 15};
  for (unsigned by_timer = 0; by_timer < 2; by_timer++) {
    for (unsigned i = 0; i < 2; i++) {
      start(MODERN);
      uint8_t *page = pattern(PAGE_SIZE, 0);
      submit_many(page);
      sim.status = statuses[i];
      if (by_timer)
        fire_timer();
      else
        virtio_config_irq(&dev);
      all_failed(page, 1);
    }
  }
}

static void lies(void **state) {
  (void)state;
  for (unsigned how = 0; how < 4; how++) {
    start(MODERN);
    uint8_t *page = pattern(PAGE_SIZE, 0);
    submit_many(page);
    int id = sim_next(0);
    if (how == 0)
      sim_done(0, 100000, 1);
    else if (how == 1)
      sim_done(0, (uint32_t)id + 1, 1); /* the middle of a chain */
    else if (how == 2)
      sim_done(0, (uint32_t)id, 100000);
    else
      sim.rings[0].q->used->idx = 30000;
    virtio_queue_irq(&dev);
    all_failed(page, how == 3 ? 2 : 1); /* where it says so, one is done, without a status */
  }
}

/* Twice the same chain: the second may be one that was given anew meanwhile, or none. */
static void done_twice(void **state) {
  (void)state;
  start(MODERN);
  uint8_t *page = pattern(PAGE_SIZE, 0);
  job_init(&jobs[0], BLK_READ, 0);
  job_add(&jobs[0], page, PAGE_SIZE);
  blk_submit(disk, &jobs[0].r);
  run_bh();
  int id = sim_next(0);
  complete(id);
  complete(id);
  run_bh();
  assert_int_equal(jobs[0].done, 1);
  assert_int_equal(jobs[0].r.error, 0);
  assert_true(blk_is_dead(disk));
  free(page);
  stop();
}

static void silent(void **state) {
  (void)state;
  start(MODERN);
  uint8_t *page = pattern(PAGE_SIZE, 0);
  job_init(&jobs[0], BLK_READ, 0);
  job_add(&jobs[0], page, PAGE_SIZE);
  blk_submit(disk, &jobs[0].r);
  run_bh();
  for (unsigned i = 0; i < 100; i++) {
    fire_timer();
    run_bh();
  }
  assert_int_equal(jobs[0].done, 0);
  assert_int_equal(sim_log_lines, 1);
  assert_string_equal(sim_log, "disk0: has not answered for 30 seconds");
  complete(sim_next(0)); /* it only was slow */
  run_bh();
  assert_int_equal(jobs[0].done, 1);
  assert_int_equal(jobs[0].r.error, 0);
  fire_timer();
  assert_false(timer_armed(armed));

  blk_submit(disk, &jobs[0].r); /* a lost interrupt */
  run_bh();
  uint16_t *event = sim.rings[0].q->used_event, kept = *event;
  *event = (uint16_t)(kept + 100);
  complete(sim_next(0));
  run_bh();
  assert_int_equal(jobs[0].done, 1);
  fire_timer();
  run_bh();
  assert_int_equal(jobs[0].done, 2);
  free(page);
  stop();
}

static void resized(void **state) {
  (void)state;
  start(MODERN);
  uint64_t sectors = DISK_SECTORS / 2;
  memcpy(sim.config, &sectors, 8);
  virtio_config_irq(&dev);
  run_bh();
  assert_int_equal(disk->size_bytes, sectors * SECTOR);
  assert_string_equal(sim_log, "disk0: has 2048 KiB now, and had 4096");
  assert_int_equal(read_at(sectors, PAGE_SIZE), EIO);
  sectors = UINT64_MAX;
  memcpy(sim.config, &sectors, 8);
  virtio_config_irq(&dev);
  run_bh();
  assert_int_equal(disk->size_bytes, UINT64_MAX - 511);
  assert_int_equal(read_at(sectors / SECTOR - 3, PAGE_SIZE), EIO); /* wraps */
  assert_int_equal(reads, 0);
  stop();
}

static void refused(void **state) {
  (void)state;
  static const struct {
    unsigned offset;
    uint32_t value;
    uint64_t feature;
  } cases[] = {{20, 0, BLK_F_BLK_SIZE},       {20, 256, BLK_F_BLK_SIZE}, {20, 1000, BLK_F_BLK_SIZE},
               {20, 8192, BLK_F_BLK_SIZE},    {8, 0, BLK_F_SIZE_MAX},    {8, 511, BLK_F_SIZE_MAX},
               {20, 1u << 31, BLK_F_BLK_SIZE}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    prepare(MODERN | cases[i].feature);
    config32(cases[i].offset, cases[i].value);
    attach(false);
    assert_null(disk);
    assert_int_equal(sim_log_lines, 2);
    stop();
  }
  for (int i = 0;; i++) { /* no memory */
    prepare(MODERN);
    sim_alloc_fail_at = i;
    attach(false);
    bool started = disk != NULL;
    assert_int_equal(sim_log_lines, started ? 0 : 1);
    stop();
    if (started) {
      assert_int_equal(i, 4);
      break;
    }
  }
  prepare(MODERN);
  sim.ring_max[0] = 2;
  attach(false);
  assert_null(disk);
  stop();
  prepare(MODERN);
  sim.interrupts = false;
  attach(false);
  assert_null(disk);
  stop();
  prepare(MODERN);
  asleep = true; /* no answer to the first request */
  attach(false);
  assert_null(disk);
  assert_string_equal(sim_log, "test 0 virtio-blk: given up: does not answer");
  stop();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(found),
      cmocka_unit_test(serials),
      cmocka_unit_test(abilities),
      cmocka_unit_test(discard_and_zeroes),
      cmocka_unit_test(many_out_of_order),
      cmocka_unit_test(notified_together),
      cmocka_unit_test(errors),
      cmocka_unit_test(bounds),
      cmocka_unit_test(failing_part),
      cmocka_unit_test(goes_away),
      cmocka_unit_test(lies),
      cmocka_unit_test(done_twice),
      cmocka_unit_test(silent),
      cmocka_unit_test(resized),
      cmocka_unit_test(refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
