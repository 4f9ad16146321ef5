// sources: $(EXT4_HOST)
/* How many requests files cost: neighbours go together, strangers alone, and what will be
 * overwritten is not read. */
#include "tests/host/ext4_fixture.h"

#include "kernel/page.h"

#define PAGES 256u

static struct vnode *root, *file;
static char page[PAGE_SIZE];

static void file_read(uint64_t index, size_t n) {
  static char bytes[64 * PAGE_SIZE];
  struct uio uio;
  uio_init_kernel(&uio, bytes, n);
  assert_int_equal(file->ops->pread(file, &uio, index * PAGE_SIZE), 0);
  assert_int_equal(uio.resid, 0);
  for (size_t i = 0; i < n; i += PAGE_SIZE)
    assert_int_equal((uint8_t)bytes[i], (index + i / PAGE_SIZE) & 0xff);
}

static void file_write(uint64_t index) {
  struct uio uio;
  filesize_t end;
  memset(page, (int)index, sizeof page);
  uio_init_kernel(&uio, page, sizeof page);
  assert_int_equal(file->ops->pwrite(file, &uio, index * PAGE_SIZE, false, &end), 0);
  assert_int_equal(uio.resid, 0);
}

static void forget_pages(void) {
  file->ops->advise(file, 0, 0, ADVICE_DONTNEED);
  assert_int_equal(einode_of(file)->pages.tree.pages, 0);
}

/* A file whose blocks are on the disk, and none of whose pages is in memory. */
static void begin(const char *options) {
  const char *why = "";
  fixture_mkfs(8, options);
  assert_int_equal(ext4_mount(&disk.dev, false, &root, &why), 0);
  assert_int_equal(root->ops->create(root, "file", 4, FILETYPE_REGULAR_FILE, &file), 0);
  for (uint64_t i = 0; i < PAGES; i++)
    file_write(i);
  assert_int_equal(file->ops->sync(file, false), 0);
  forget_pages();
  file_read(0, PAGE_SIZE); /* now it is known where they lie */
  forget_pages();
}

static void end(void) {
  vnode_unref(file);
  assert_int_equal(ext4_unmount(root), 0);
  fixture_fsck("after requests");
  disk_free(&disk);
}

static uint64_t requests_since(uint64_t before) {
  return disk.requests - before;
}

static void test_reading(void **state) {
  (void)state;
  begin("-t ext4 -b 4096");
  uint64_t before = disk.requests;
  for (uint64_t i = 0; i < PAGES; i++)
    file_read(i, PAGE_SIZE);
  assert_in_range(requests_since(before), PAGES / 32, PAGES / 32 + 6);
  forget_pages();
  before = disk.requests;
  for (uint64_t i = 0; i < PAGES; i += 64)
    file_read(i, 64 * PAGE_SIZE);
  assert_in_range(requests_since(before), PAGES / 32, PAGES / 32 + 2);
  forget_pages();
  before = disk.requests;
  for (uint64_t i = 0; i < 64; i++)
    file_read(i * 37 % PAGES & ~1u, PAGE_SIZE);
  assert_int_equal(requests_since(before), einode_of(file)->pages.tree.pages);
  end();
}

static void test_advice(void **state) {
  (void)state;
  begin("-t ext4 -b 4096");
  file->ops->advise(file, 0, 0, ADVICE_RANDOM);
  uint64_t before = disk.requests;
  for (uint64_t i = 0; i < 20; i++)
    file_read(i, PAGE_SIZE);
  assert_int_equal(requests_since(before), 20);
  file->ops->advise(file, 0, 0, ADVICE_SEQUENTIAL);
  forget_pages();
  before = disk.requests;
  for (uint64_t i = 100; i < 164; i++)
    file_read(i, PAGE_SIZE);
  assert_in_range(requests_since(before), 2, 3);
  file->ops->advise(file, 0, 0, ADVICE_NORMAL);
  forget_pages();
  file->ops->advise(file, 10 * PAGE_SIZE, 20 * PAGE_SIZE, ADVICE_WILLNEED);
  before = disk.requests;
  for (uint64_t i = 10; i < 30; i++)
    file_read(i, PAGE_SIZE);
  assert_int_equal(requests_since(before), 0);
  file_write(11); /* what is dirty stays */
  file->ops->advise(file, 0, 0, ADVICE_DONTNEED);
  assert_int_equal(einode_of(file)->pages.tree.pages, 1);
  end();
}

static void test_writing(void **state) {
  (void)state;
  begin("-t ext4 -b 4096");
  uint64_t before = disk.requests;
  for (uint64_t i = 0; i < PAGES; i++)
    file_write(i);
  assert_int_equal(requests_since(before), 0); /* whole pages are not read first */
  assert_int_equal(ext4_file_writeback(einode_of(file)), 0);
  assert_in_range(requests_since(before), PAGES / 32, PAGES / 32 + 2);
  end();
}

/* A page that the disk refuses stays dirty; its neighbours are written. */
static void test_a_bad_neighbour(void **state) {
  (void)state;
  begin("-t ext4 -b 4096");
  for (uint64_t i = 0; i < 4; i++)
    file_write(i);
  disk.fail_at = disk.requests;
  disk.fail_count = 2; /* all of them, and the first one alone */
  assert_int_equal(ext4_file_writeback(einode_of(file)), EIO);
  assert_int_equal(einode_of(file)->pages.tree.dirty, 1);
  assert_int_equal(ext4_file_writeback(einode_of(file)), 0);
  assert_int_equal(einode_of(file)->pages.tree.dirty, 0);
  forget_pages();
  file_read(0, 4 * PAGE_SIZE);
  end();
}

static void test_small_blocks(void **state) {
  (void)state;
  begin("-t ext4 -b 1024");
  uint64_t before = disk.requests;
  for (uint64_t i = 0; i < PAGES; i += 64)
    file_read(i, 64 * PAGE_SIZE);
  assert_in_range(requests_since(before), PAGES / 32, PAGES / 32 + 4);
  end();
  begin("-t ext2");
  for (uint64_t i = 0; i < PAGES; i += 64)
    file_read(i, 64 * PAGE_SIZE);
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reading),      cmocka_unit_test(test_advice),
      cmocka_unit_test(test_writing),      cmocka_unit_test(test_a_bad_neighbour),
      cmocka_unit_test(test_small_blocks),
  };
  ram_init(20000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
