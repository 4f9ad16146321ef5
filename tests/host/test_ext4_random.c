// sources: $(EXT4_HOST)
/* Random work on ext4, step by step against a model, on every kind of file system that mkfs.ext4
 * makes; at the end e2fsck looks at it, and another mount finds the same files. VIRGA_SEEDS: how
 * many. */
#include "tests/host/ext4_workload.h"

#define OPERATIONS 800

static const char *const kinds[] = {
    "-t ext4",
    "-t ext4 -b 4096",
    "-t ext2",
    "-t ext3 -b 4096",
    "-t ext4 -b 2048 -O ^metadata_csum",
    "-t ext4 -O ^64bit,^flex_bg",
    "-t ext4 -I 128 -O metadata_csum_seed",
    "-t ext2 -b 4096",
};

static void run(unsigned seed) {
  struct vnode *root;
  const char *why = "";
  fixture_mkfs(24, kinds[seed % (sizeof kinds / sizeof kinds[0])]);
  if (ext4_mount(&disk.dev, false, &root, &why) != 0)
    fail_msg("it can't be mounted: %s", why);
  work_begin(root, seed);
  for (unsigned i = 0; i < OPERATIONS; i++)
    work_step();
  for (unsigned i = 1; i < WORK_NODES; i++) /* the model stays, its references go */
    vnode_unref(work[i].used ? work[i].v : NULL);
  assert_int_equal(ext4_unmount(root), 0);
  fixture_fsck(kinds[seed % (sizeof kinds / sizeof kinds[0])]);
  assert_int_equal(ext4_mount(&disk.dev, true, &root, &why), 0);
  work_check_all(root);
  assert_int_equal(ext4_unmount(root), 0);
  for (unsigned i = 1; i < WORK_NODES; i++)
    free(work[i].used ? work[i].data : NULL);
  disk_free(&disk);
}

static void test_seeds(void **state) {
  const char *n = getenv("VIRGA_SEEDS");
  unsigned seeds = n != NULL ? (unsigned)atoi(n) : 100;
  (void)state;
  size_t before = heap_used_bytes();
  for (unsigned seed = 0; seed < seeds; seed++) {
    run(seed);
    if (seed == 0)
      before = heap_used_bytes(); /* the checksum's tables stay */
    assert_int_equal(heap_used_bytes(), before);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds)};
  ram_init(60000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
