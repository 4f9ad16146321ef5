// sources: fs/partition.c fs/gpt.c kernel/blkdev.c kernel/bh.c kernel/printf.c
// sources: arch/host/blkfile.c arch/host/waits.c
/*
 * Partition tables: GPT as sgdisk writes it and with damaged copies, MBR with extended partitions,
 * and tables that contradict themselves or the disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fs/partition.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "arch/host/blkfile.h"
#include "tests/host/gpt_make.h"

#define SIZE (1u << 20)

enum log_level log_max = LOG_WARN;
static char last_log[256];
static unsigned log_lines;
static long allocations_left = -1;

void log_printf(enum log_level level, const char *format, ...) {
  va_list ap;
  (void)level;
  va_start(ap, format);
  vsnprintf(last_log, sizeof last_log, format, ap);
  va_end(ap);
  log_lines++;
}

void *kmalloc(size_t size) {
  return allocations_left >= 0 && allocations_left-- == 0 ? NULL : malloc(size);
}

void *kzalloc(size_t size) {
  void *p = kmalloc(size);
  return p != NULL ? memset(p, 0, size) : NULL;
}

void kfree(void *p) {
  free(p);
}

void *page_alloc_zero(unsigned order) {
  (void)order;
  return NULL;
}

void page_free(void *page, unsigned order) {
  (void)page;
  (void)order;
}

static uint8_t image[SIZE];
static struct blkfile disk;
static struct partition_table *table;

static int setup(void **state) {
  (void)state;
  partition_table_free(table);
  memset(image, 0, SIZE);
  blkfile_memory(&disk, image, SIZE);
  log_lines = 0;
  allocations_left = -1;
  table = NULL;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  partition_table_free(table);
  table = NULL;
  return 0;
}

static errno_t scan(void) {
  partition_table_free(table);
  table = NULL;
  log_lines = 0;
  return partition_scan(&disk.disk, &table);
}

static void is_partition(unsigned n, unsigned number, uint64_t first, uint64_t blocks,
                         const char *label) {
  const struct partition *p = table->partitions[n];
  uint32_t block = disk.disk.block_bytes;
  assert_true(n < table->count);
  assert_int_equal(p->number, number);
  assert_int_equal(p->dev.start_bytes, first * block);
  assert_int_equal(p->dev.size_bytes, blocks * block);
  assert_string_equal(p->label, label);
  assert_ptr_equal(p->dev.disk, &disk.disk);
}

/* ---- GPT ------------------------------------------------------------------------------------- */

static void gpt_of_sgdisk(void **state) {
  (void)state;
  char path[] = "/tmp/test_partition.XXXXXX", command[512];
  struct blkfile file;
  uint8_t sector[512];
  int fd = mkstemp(path);
  FILE *made = fdopen(fd, "wb");
  fseek(made, (64 << 20) - 1, SEEK_SET);
  fputc(0, made);
  fclose(made);
  snprintf(command, sizeof command,
           "PATH=$PATH:/usr/sbin sgdisk -a 1 -n 1:2048:+8M -c 1:root -n 5:0:+1M -c 5:'données "
           "\xf0\x9f\x90\xa7' -n 3:60000:60000 -n 2:0:0 %s >/dev/null",
           path);
  assert_int_equal(system(command), 0);
  assert_true(blkfile_open(&file, path, true));
  assert_int_equal(partition_scan(&file.disk, &table), 0);
  assert_int_equal(table->count, 4);
  struct partition *root = partition_by_label(table, "root");
  assert_ptr_equal(root, partition_by_number(table, 1));
  assert_string_equal(root->dev.name, "disk0p1");
  assert_int_equal(root->dev.start_bytes, 1 << 20);
  assert_int_equal(root->dev.size_bytes, 8 << 20);
  assert_int_equal(partition_by_number(table, 3)->dev.size_bytes, 512);
  assert_string_equal(partition_by_number(table, 5)->label,
                      "donn\xc3\xa9"
                      "es \xf0\x9f\x90\xa7");
  assert_null(partition_by_number(table, 4));
  assert_null(partition_by_label(table, ""));
  assert_null(partition_by_label(table, "no"));
  memset(sector, 0x77, sizeof sector);
  assert_int_equal(blk_write(&root->dev, 512, sector, 512), 0);
  assert_int_equal(blk_read(&file.disk, (1 << 20) + 512, image, 512), 0);
  assert_memory_equal(image, sector, 512);
  assert_int_equal(log_lines, 0);
  blkfile_close(&file);
  remove(path);
}

static void three_partitions(uint32_t block) {
  uint64_t last = SIZE / block - 1;
  assert_int_equal(table->count, 3);
  is_partition(0, 1, 34, 7, "first");
  is_partition(1, 2, 50, 1, "a single block");
  if (last > 100)
    is_partition(2, 8, 41, 9, "");
}

/* Both copies, each damaged in every byte that counts. */
static void gpt_copies(void **state) {
  (void)state;
  gpt_make(image, SIZE, 512);
  put64(image + 2 * 512 + 7 * 128 + 40, 49);
  gpt_seal(image, SIZE, 512, 1);
  put64(image + (SIZE / 512 - 33) * 512 + 7 * 128 + 40, 49);
  gpt_seal(image, SIZE, 512, SIZE / 512 - 1);
  assert_int_equal(scan(), 0);
  assert_int_equal(log_lines, 0);
  three_partitions(512);
  for (unsigned i = 512; i < 1024 + 16 * 128; i++) {
    if (i == 512 + 92)
      i = 1024; /* behind the header */
    image[i] ^= 0x10;
    assert_int_equal(scan(), 0);
    assert_int_equal(log_lines, 1);
    three_partitions(512);
    image[i] ^= 0x10;
  }
  memset(image + 512, 0, 40 * 512);
  assert_int_equal(scan(), 0);
  three_partitions(512);
  image[SIZE - 512 + 80]++;
  assert_int_equal(scan(), EINVAL);
  assert_int_equal(log_lines, 1);
  assert_string_equal(last_log,
                      "disk0: the first copy of its partition table is damaged, and the "
                      "second too");
  assert_null(table);
}

static void gpt_of_large_blocks(void **state) {
  (void)state;
  disk.disk.block_bytes = 4096;
  gpt_make(image, SIZE, 4096);
  assert_int_equal(scan(), 0);
  is_partition(0, 1, 34, 7, "first");
  is_partition(1, 2, 50, 1, "a single block");
  assert_int_equal(log_lines, 1); /* the third overlaps it */
  assert_int_equal(table->count, 2);
}

/* Valid checksums around nonsense. */
static void gpt_nonsense(void **state) {
  (void)state;
  static const struct {
    unsigned offset, bytes; /* in the header */
    uint64_t value;
    errno_t error;
    unsigned count;
  } cases[] = {
      {0, 4, 0, EINVAL, 0},
      {12, 4, 91, EINVAL, 0},
      {12, 4, 513, EINVAL, 0},
      {12, 4, UINT32_MAX, EINVAL, 0},
      {24, 8, 2, EINVAL, 0},
      {40, 8, 45, 0, 1},
      {48, 8, 45, 0, 1},
      {72, 8, 0, EINVAL, 0},
      {72, 8, 2048, EINVAL, 0},
      {72, 8, 2047, EINVAL, 0},
      {72, 8, UINT64_MAX, EINVAL, 0},
      {80, 4, 0, 0, 0},
      {80, 4, 513, EINVAL, 0},
      {80, 4, UINT32_MAX, EINVAL, 0},
      {84, 4, 0, EINVAL, 0},
      {84, 4, 120, EINVAL, 0},
      {84, 4, 132, EINVAL, 0},
      {84, 4, 8192, EINVAL, 0},
      {84, 4, UINT32_MAX, EINVAL, 0},
  };
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    setup(NULL);
    gpt_make(image, SIZE, 512);
    memset(image + SIZE - 512, 0, 512); /* no second copy */
    memcpy(image + 512 + cases[i].offset, &cases[i].value, cases[i].bytes);
    gpt_seal(image, SIZE, 512, 1);
    errno_t e = scan();
    assert_int_equal(e, cases[i].error);
    if (e == 0 && cases[i].offset < 72)
      assert_int_equal(table->count, cases[i].count);
  }
}

static void gpt_bad_entries(void **state) {
  (void)state;
  gpt_make(image, SIZE, 512);
  gpt_put(image, 512, 2, 2, 100, 99, "backwards");
  gpt_put(image, 512, 2, 3, 10, 20, "in the table");
  gpt_put(image, 512, 2, 4, 100, UINT64_MAX, "endless");
  gpt_put(image, 512, 2, 5, UINT64_MAX, UINT64_MAX, "far");
  gpt_put(image, 512, 2, 6, 36, 36, "inside another");
  gpt_seal(image, SIZE, 512, 1);
  assert_int_equal(scan(), 0);
  assert_int_equal(table->count, 2);
  assert_int_equal(log_lines, 6); /* the third of gpt_make overlaps the second */
  is_partition(0, 1, 34, 7, "first");

  setup(NULL);
  gpt_make(image, SIZE, 512);
  gpt_header(image, SIZE, 512, 1, 2, 200);
  for (unsigned i = 0; i < 200; i++)
    gpt_put(image, 512, 2, i, 100 + i, 100 + i, "p");
  gpt_seal(image, SIZE, 512, 1);
  assert_int_equal(scan(), 0);
  assert_int_equal(table->count, PARTITIONS_MAX);
  assert_string_equal(last_log, "disk0: partition 200 is one too many, and is ignored");
}

static void gpt_labels(void **state) {
  (void)state;
  static const struct {
    uint16_t name[36];
    const char *label;
  } cases[] = {{{'a', 0, 'b'}, "a"},
               {{0xd800}, "\xef\xbf\xbd"},
               {{0xdc00, 'x'}, "\xef\xbf\xbdx"},
               {{0xd83d, 0xdc27}, "\xf0\x9f\x90\xa7"},
               {{0xd83d, 'y'}, "\xef\xbf\xbdy"},
               {{0x7ff, 0x800, 0x7f}, "\xdf\xbf\xe0\xa0\x80\x7f"}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    gpt_make(image, SIZE, 512);
    memcpy(image + 1024 + 56, cases[i].name, 72);
    gpt_seal(image, SIZE, 512, 1);
    assert_int_equal(scan(), 0);
    assert_string_equal(table->partitions[0]->label, cases[i].label);
  }
  for (unsigned i = 0; i < 36; i++) /* the longest, to the last unit; half a pair at the end */
    put16(image + 1024 + 56 + 2 * i, i < 35 ? 0xffff : 0xd800);
  gpt_seal(image, SIZE, 512, 1);
  assert_int_equal(scan(), 0);
  assert_int_equal(strlen(table->partitions[0]->label), PARTITION_LABEL_MAX);
}

/* ---- MBR ------------------------------------------------------------------------------------- */

static void no_table(void **state) {
  (void)state;
  assert_int_equal(scan(), 0);
  assert_int_equal(table->count, 0);
  image[510] = 0x55; /* a boot sector with code where a table would be */
  image[511] = 0xaa;
  memset(image + 440, 0x33, 64);
  assert_int_equal(scan(), 0);
  assert_int_equal(table->count, 0);
  disk.disk.size_bytes = 0;
  assert_int_equal(scan(), 0);
  assert_int_equal(table->count, 0);
  mbr_put(image, 0, 0xee, 1, UINT32_MAX); /* too small for a GPT */
  image[446] = image[462] = image[478] = image[494] = 0;
  memset(image + 462, 0, 48);
  disk.disk.size_bytes = 1024;
  assert_int_equal(scan(), EINVAL);
  assert_int_equal(log_lines, 0);
}

static void mbr(void **state) {
  (void)state;
  mbr_put(image, 0, 0x83, 63, 100);
  image[446] = 0x80;               /* active */
  mbr_put(image, 1, 0x82, 200, 0); /* no length: unused */
  mbr_put(image, 2, 0x0f, 300, 1000);
  mbr_put(image, 3, 0x83, 2000, 48);
  mbr_put(image + 300 * 512, 0, 0x83, 1, 10);
  mbr_put(image + 300 * 512, 1, 0x05, 500, 100);
  mbr_put(image + 800 * 512, 1, 0x05, 100, 100); /* without a partition; and the chain goes back */
  mbr_put(image + 400 * 512, 0, 0x0c, 5, 20);
  assert_int_equal(scan(), 0);
  assert_int_equal(log_lines, 0);
  assert_int_equal(table->count, 4);
  is_partition(0, 1, 63, 100, "");
  is_partition(1, 4, 2000, 48, "");
  is_partition(2, 5, 301, 10, "");
  is_partition(3, 6, 405, 20, "");
  assert_string_equal(table->partitions[3]->dev.name, "disk0p6");
  disk.disk.block_bytes = 4096; /* then they count in these */
  assert_int_equal(scan(), 0);
  is_partition(0, 1, 63, 100, "");
}

static void mbr_nonsense(void **state) {
  (void)state;
  mbr_put(image, 0, 0x83, 0, 100);
  mbr_put(image, 1, 0x83, 50, 100);  /* overlaps */
  mbr_put(image, 2, 0x83, 2000, 49); /* reaches beyond the disk */
  mbr_put(image, 3, 0x83, UINT32_MAX, UINT32_MAX);
  assert_int_equal(scan(), 0);
  assert_int_equal(log_lines, 3);
  assert_int_equal(table->count, 1);

  mbr_put(image, 1, 0x05, 500, 1000);
  mbr_put(image, 2, 0x05, 500, 1000); /* a second one, which is not looked at */
  mbr_put(image, 3, 0, 0, 0);
  mbr_put(image + 500 * 512, 0, 0x83, 1, 10); /* a ring of one */
  mbr_put(image + 500 * 512, 1, 0x05, 0, 100);
  assert_int_equal(scan(), 0);
  assert_int_equal(log_lines, 1);
  assert_int_equal(table->count, 2);

  mbr_put(image + 500 * 512, 0, 0, 0, 0); /* a ring without partitions */
  assert_int_equal(scan(), 0);
  assert_int_equal(table->count, 1);
  mbr_put(image + 500 * 512, 1, 0x05, 1000, 100); /* out of the extended one */
  assert_int_equal(scan(), 0);
  mbr_put(image, 1, 0x05, 5000, 1000); /* itself behind the end */
  assert_int_equal(scan(), 0);
  assert_int_equal(table->count, 1);
  assert_int_equal(log_lines, 0);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static uint64_t fault_at;

static errno_t fault(struct blkfile *f, const struct blk_request *r, uint64_t *done_bytes) {
  (void)f;
  (void)r;
  (void)done_bytes;
  return fault_at-- == 0 ? EIO : 0;
}

static void faults(void **state) {
  (void)state;
  disk.fault = fault;
  gpt_make(image, SIZE, 512);
  for (uint64_t i = 0; i < 3; i++) {
    fault_at = i;
    assert_int_equal(scan(), i == 0 ? EIO : 0); /* a copy that can't be read has another */
  }
  fault_at = 100;
  for (long i = 0;; i++) {
    allocations_left = i;
    errno_t e = scan();
    allocations_left = -1;
    if (e == 0)
      break;
    assert_int_equal(e, ENOMEM);
    assert_true(i < 10);
  }
  setup(NULL);
  disk.fault = fault;
  mbr_put(image, 0, 0x05, 300, 1000);
  mbr_put(image + 300 * 512, 0, 0x83, 1, 10);
  mbr_put(image + 300 * 512, 1, 0x05, 500, 100);
  for (uint64_t i = 0; i < 4; i++) {
    fault_at = i;
    assert_int_equal(scan(), i < 3 ? EIO : 0);
  }
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(gpt_of_sgdisk),
      TEST(gpt_copies),
      TEST(gpt_of_large_blocks),
      TEST(gpt_nonsense),
      TEST(gpt_bad_entries),
      TEST(gpt_labels),
      TEST(no_table),
      TEST(mbr),
      TEST(mbr_nonsense),
      TEST(faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
