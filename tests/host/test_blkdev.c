// sources: kernel/blkdev.c kernel/bh.c kernel/printf.c arch/host/blkfile.c arch/host/waits.c
/*
 * Block devices above the driver: what is refused before the driver sees it, when a request ends,
 * partitions, the helpers that wait; and the host's own disks (blkfile.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/log.h"
#include "kernel/page.h"
#include "arch/host/blkfile.h"

#define SIZE (1u << 20)

enum log_level log_max = LOG_INFO;
static char last_log[256];
static unsigned log_lines;
static bool no_memory;

void log_printf(enum log_level level, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vsnprintf(last_log, sizeof last_log, format, ap);
  va_end(ap);
  log_lines += level <= LOG_WARN;
}

void *page_alloc_zero(unsigned order) {
  assert_int_equal(order, 0);
  return no_memory ? NULL : calloc(1, PAGE_SIZE);
}

void page_free(void *page, unsigned order) {
  assert_int_equal(order, 0);
  free(page);
}

/* ---- A disk in memory ------------------------------------------------------------------------ */

static uint8_t bytes[SIZE], page[4 * PAGE_SIZE];
static struct blkfile disk;
static unsigned carried_out; /* what the driver got */

static errno_t fault_none(struct blkfile *f, const struct blk_request *r, uint64_t *done_bytes) {
  (void)f;
  (void)r;
  (void)done_bytes;
  carried_out++;
  return 0;
}

static int setup(void **state) {
  (void)state;
  for (unsigned i = 0; i < SIZE; i++)
    bytes[i] = (uint8_t)(i / 512 * 3);
  blkfile_memory(&disk, bytes, SIZE);
  disk.fault = fault_none;
  carried_out = log_lines = 0;
  no_memory = false;
  return 0;
}

static unsigned ended;
static errno_t outcome;

static void note_end(struct blk_request *r) {
  ended++;
  outcome = r->error;
}

/* Submits one and tells how it ended: never from within blk_submit(). */
static errno_t submit(struct blkdev *dev, enum blk_op op, uint64_t offset, uint64_t len,
                      const struct blk_seg *segs, unsigned nsegs) {
  struct blk_request r = {.op = op,
                          .offset_bytes = offset,
                          .len_bytes = len,
                          .segs = segs,
                          .nsegs = nsegs,
                          .done = note_end};
  ended = 0;
  outcome = 77;
  blk_submit(dev, &r);
  assert_int_equal(ended, 0);
  for (int i = 0; i < 10; i++)
    bh_run();
  assert_int_equal(ended, 1);
  return outcome;
}

static void refusals(void **state) {
  (void)state;
  struct blkdev *dev = &disk.disk;
  struct blk_seg good[] = {{page, 4096}, {page + 4096, 4096}};
  struct blk_seg odd[] = {{page, 4095}, {page + 4096, 4097}};
  struct blk_seg empty[] = {{page, 8192}, {page + 8192, 0}};
  disk.disk.block_bytes = 1024;
  assert_int_equal(submit(dev, BLK_READ, 0, 8192, good, 2), 0);
  assert_int_equal(carried_out, 1);
  assert_int_equal(submit(dev, BLK_READ, 512, 8192, good, 2), EINVAL);
  assert_int_equal(submit(dev, BLK_READ, 0, 8192 + 512, good, 2), EINVAL);
  assert_int_equal(submit(dev, BLK_READ, 0, 4096, good, 2), EINVAL);
  assert_int_equal(submit(dev, BLK_READ, 0, 16384, good, 2), EINVAL);
  assert_int_equal(submit(dev, BLK_READ, 0, 8192, odd, 2), EINVAL);
  assert_int_equal(submit(dev, BLK_WRITE, 0, 8192, empty, 2), EINVAL);
  assert_int_equal(submit(dev, BLK_READ, 0, 0, NULL, 0), 0);
  assert_int_equal(submit(dev, BLK_DISCARD, 0, 1024, NULL, 0), ENOTSUP);
  assert_int_equal(submit(dev, BLK_WRITE_ZEROES, 0, 1024, NULL, 0), ENOTSUP);
  dev->discard_max_bytes = dev->zeroes_max_bytes = 4096;
  assert_int_equal(submit(dev, BLK_DISCARD, 0, 8192, NULL, 0), EINVAL);
  assert_int_equal(submit(dev, BLK_WRITE_ZEROES, 0, 8192, NULL, 0), EINVAL);
  dev->read_only = true;
  assert_int_equal(submit(dev, BLK_WRITE, 0, 8192, good, 2), EROFS);
  assert_int_equal(submit(dev, BLK_DISCARD, 0, 4096, NULL, 0), EROFS);
  assert_int_equal(log_lines, 0);
  assert_int_equal(submit(dev, BLK_READ, SIZE, 8192, good, 2), EIO);
  assert_int_equal(submit(dev, BLK_READ, SIZE - 4096, 8192, good, 2), EIO);
  assert_int_equal(submit(dev, BLK_READ, UINT64_MAX - 1023, 8192, good, 2), EIO);
  assert_int_equal(log_lines, 3);
  assert_int_equal(carried_out, 1);
  dev->write_cache = false;
  assert_int_equal(submit(dev, BLK_FLUSH, 0, 0, NULL, 0), 0);
  assert_int_equal(carried_out, 1);
  dev->write_cache = true;
  assert_int_equal(submit(dev, BLK_FLUSH, 0, 0, NULL, 0), 0);
  assert_int_equal(carried_out, 2);
  blk_died(dev);
  assert_int_equal(submit(dev, BLK_READ, 0, 8192, good, 2), EIO);
  assert_int_equal(submit(dev, BLK_FLUSH, 0, 0, NULL, 0), EIO);
  assert_int_equal(blk_flush(dev), EIO);
  assert_int_equal(blk_discard(dev, 0, 4096), EROFS);
  assert_int_equal(log_lines, 3); /* the driver has said it */
  assert_int_equal(carried_out, 2);
}

static void list_of_disks(void **state) {
  (void)state;
  static struct blkdev a = {.driver = "a", .serial = "one", .size_bytes = 4096, .block_bytes = 512},
                       b = {.driver = "b", .serial = ""}, c = {.driver = "c", .serial = "one"};
  assert_null(blkdev_first());
  assert_null(blkdev_by_serial("one"));
  blkdev_register(&a);
  assert_string_equal(last_log, "disk0: a, serial \"one\", 4 KiB in blocks of 512 bytes");
  blkdev_register(&b);
  blkdev_register(&c);
  assert_ptr_equal(blkdev_first(), &a);
  assert_string_equal(c.name, "disk2");
  assert_ptr_equal(blkdev_by_order(0), &a);
  assert_ptr_equal(blkdev_by_order(2), &c);
  assert_null(blkdev_by_order(3));
  assert_ptr_equal(blkdev_by_serial("one"), &a);
  assert_null(blkdev_by_serial(""));
  assert_null(blkdev_by_serial("on"));
}

static void partitions(void **state) {
  (void)state;
  struct blkdev part;
  struct blkdev *dev = &disk.disk;
  assert_int_equal(blkdev_part(&part, dev, 1, 0, 0), EINVAL);
  assert_int_equal(blkdev_part(&part, dev, 1, 256, 1024), EINVAL);
  assert_int_equal(blkdev_part(&part, dev, 1, 512, 1000), EINVAL);
  assert_int_equal(blkdev_part(&part, dev, 1, SIZE - 512, 1024), EINVAL);
  assert_int_equal(blkdev_part(&part, dev, 1, UINT64_MAX - 511, 1024), EINVAL);
  assert_int_equal(blkdev_part(&part, dev, 3, 4096, 8192), 0);
  assert_string_equal(part.name, "disk0p3");
  assert_int_equal(part.size_bytes, 8192);
  assert_int_equal(blk_read(&part, 512, page, 1024), 0);
  assert_memory_equal(page, bytes + 4096 + 512, 1024);
  memset(page, 0xdd, 8192);
  assert_int_equal(blk_write(&part, 0, page, 8192), 0);
  assert_memory_equal(bytes + 4096, page, 8192);
  assert_int_equal(bytes[4095], (uint8_t)(7 * 3));
  assert_int_equal(bytes[4096 + 8192], (uint8_t)(24 * 3));
  assert_int_equal(blk_read(&part, 8192, page, 512), EIO);
  assert_string_equal(last_log, "disk0: can't read sector 24: it is behind the end");
  blk_resized(dev, 6144); /* in the middle of the partition */
  assert_int_equal(blk_read(&part, 1024, page, 1024), 0);
  assert_int_equal(blk_read(&part, 1536, page, 1024), EIO);
  blk_died(dev);
  assert_true(blk_is_dead(&part));
  assert_int_equal(blk_read(&part, 0, page, 512), EIO);
}

static void helpers(void **state) {
  (void)state;
  struct blkdev *dev = &disk.disk;
  struct blk_seg segs[] = {{page + 1024, 512}, {page, 1024}, {page + 4096, 512}};
  assert_int_equal(blk_move(dev, BLK_READ, 1024, segs, 3), 0);
  assert_memory_equal(page + 1024, bytes + 1024, 512);
  assert_memory_equal(page, bytes + 1536, 1024);
  assert_memory_equal(page + 4096, bytes + 2560, 512);
  assert_int_equal(blk_read(dev, 0, page, 0), 0);
  memset(bytes, 0xee, SIZE);
  assert_int_equal(blk_write_zeroes(dev, 512, 17 * PAGE_SIZE), 0);
  assert_int_equal(carried_out, 1 + 2);
  for (unsigned i = 0; i < SIZE; i++)
    assert_int_equal(bytes[i], i >= 512 && i < 512 + 17 * PAGE_SIZE ? 0 : 0xee);
  assert_int_equal(blk_write_zeroes(dev, SIZE - 512, 1024), EIO);
  no_memory = true;
  assert_int_equal(blk_write_zeroes(dev, 0, 512), ENOMEM);
  dev->zeroes_max_bytes = 1024;
  assert_int_equal(blk_write_zeroes(dev, SIZE - 2560, 2560), 0);
  for (unsigned i = SIZE - 3072; i < SIZE; i++)
    assert_int_equal(bytes[i], i >= SIZE - 2560 ? 0 : 0xee);
}

/* ---- The host's disks ------------------------------------------------------------------------ */

struct seen {
  unsigned writes, flushes;
  uint64_t last;
};

static void see_write(struct blkfile *f, uint64_t offset_bytes, const void *data, size_t n) {
  struct seen *s = f->arg;
  assert_memory_equal(f->bytes + offset_bytes, data, n);
  s->writes++;
  s->last = offset_bytes;
}

static void see_flush(struct blkfile *f) {
  ((struct seen *)f->arg)->flushes++;
}

static errno_t tear(struct blkfile *f, const struct blk_request *r, uint64_t *done_bytes) {
  (void)f;
  *done_bytes = 1024;
  return r->op == BLK_WRITE ? EIO : 0;
}

static void hooks(void **state) {
  (void)state;
  struct seen seen = {0};
  disk.wrote = see_write;
  disk.flushed = see_flush;
  disk.arg = &seen;
  assert_int_equal(blk_write(&disk.disk, 8192, page, 2048), 0);
  assert_int_equal(blk_flush(&disk.disk), 0);
  assert_int_equal(blk_read(&disk.disk, 8192, page, 2048), 0);
  assert_true(seen.writes == 1 && seen.flushes == 1 && seen.last == 8192);
  disk.fault = tear;
  memset(page, 0x55, 4096);
  assert_int_equal(blk_write(&disk.disk, 512, page, 4096), EIO);
  assert_string_equal(last_log, "disk0: can't write sector 1: the device reports an error");
  assert_int_equal(log_lines, 1);
  assert_int_equal(bytes[512 + 1023], 0x55);
  assert_int_equal(bytes[512 + 1024], 9);
}

static unsigned order[8], ordered;

static void note_order(struct blk_request *r) {
  order[ordered++] = (unsigned)(r->offset_bytes / 512);
}

static void any_order(void **state) {
  (void)state;
  struct blk_request r[8];
  struct blk_seg seg = {page, 512};
  bool moved = false;
  disk.held = true;
  disk.shuffle = 5;
  ordered = 0;
  for (unsigned i = 0; i < 8; i++) {
    r[i] = (struct blk_request){.op = BLK_READ,
                                .offset_bytes = i * 512,
                                .len_bytes = 512,
                                .segs = &seg,
                                .nsegs = 1,
                                .done = note_order};
    blk_submit(&disk.disk, &r[i]);
  }
  bh_run();
  assert_int_equal(ordered, 0);
  disk.held = false;
  blkfile_go(&disk);
  bh_run();
  assert_int_equal(ordered, 8);
  for (unsigned i = 0; i < 8; i++)
    moved |= order[i] != i;
  assert_true(moved);
}

static void in_a_file(void **state) {
  (void)state;
  char path[] = "/tmp/test_blkdev.XXXXXX";
  int fd = mkstemp(path);
  FILE *made = fdopen(fd, "wb");
  struct blkfile f;
  assert_int_equal(fwrite(bytes, 1, 8192 + 100, made), 8192 + 100);
  fclose(made);
  assert_false(blkfile_open(&f, "/nonexistent/image", true));
  assert_true(blkfile_open(&f, path, true));
  assert_int_equal(f.disk.size_bytes, 8192);
  assert_int_equal(blk_read(&f.disk, 4096, page, 4096), 0);
  assert_memory_equal(page, bytes + 4096, 4096);
  memset(page, 0x11, 512);
  assert_int_equal(blk_write(&f.disk, 512, page, 512), 0);
  assert_int_equal(blk_flush(&f.disk), 0);
  blkfile_close(&f);
  assert_true(blkfile_open(&f, path, false));
  assert_int_equal(blk_read(&f.disk, 512, page + 512, 512), 0);
  assert_memory_equal(page, page + 512, 512);
  assert_int_equal(blk_write(&f.disk, 512, page, 512), EROFS);
  blkfile_close(&f);
  remove(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(refusals, setup),   cmocka_unit_test_setup(list_of_disks, setup),
      cmocka_unit_test_setup(partitions, setup), cmocka_unit_test_setup(helpers, setup),
      cmocka_unit_test_setup(hooks, setup),      cmocka_unit_test_setup(any_order, setup),
      cmocka_unit_test_setup(in_a_file, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
