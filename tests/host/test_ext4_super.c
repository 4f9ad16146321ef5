// sources: $(EXT4_HOST)
/* A power cut in the middle of writing the superblock: a disk's sector is written whole or not at
 * all, and the superblock has two. Whatever part of a write gets to the disk, the checksum is
 * right. */
#include "tests/host/ext4_workload.h"

#include "fs/ext4/csum.h"

#define SECTOR 512
#define SUPER_SECTOR (EXT4_SUPER_OFFSET / SECTOR) /* and the one behind it */

static bool super_is_good(const uint8_t *bytes) {
  const struct ext4_super *s = (const void *)(bytes + EXT4_SUPER_OFFSET);
  return s->s_checksum == csum_super(s);
}

/* One of the write's sectors, if it is part of it. */
static void apply_sector(const struct disk_event *e, uint64_t sector, uint8_t *bytes) {
  uint64_t at = sector * SECTOR;
  if (at >= e->offset && at + SECTOR <= e->offset + e->n)
    memcpy(bytes + at, e->data + (at - e->offset), SECTOR);
}

/* Returns how many writes changed the superblock. */
static unsigned tear_everywhere(uint8_t *bytes) {
  unsigned changes = 0;
  uint8_t old[2 * SECTOR];
  for (size_t i = 0; i < disk.event_count; i++) {
    const struct disk_event *e = &disk.events[i];
    if (e->data == NULL)
      continue;
    memcpy(old, bytes + EXT4_SUPER_OFFSET, sizeof old);
    apply_sector(e, SUPER_SECTOR + 1, bytes);
    if (!super_is_good(bytes))
      fail_msg("write %zu: the second sector alone", i);
    memcpy(bytes + EXT4_SUPER_OFFSET, old, sizeof old);
    apply_sector(e, SUPER_SECTOR, bytes);
    if (!super_is_good(bytes))
      fail_msg("write %zu: the first sector alone", i);
    apply_sector(e, SUPER_SECTOR + 1, bytes);
    changes += memcmp(old, bytes + EXT4_SUPER_OFFSET, sizeof old) != 0;
  }
  return changes;
}

static void work_on(const char *options) {
  struct vnode *root;
  const char *why = "";
  fixture_mkfs(8, options);
  uint8_t *bytes = malloc(disk.dev.size_bytes);
  memcpy(bytes, disk.bytes, disk.dev.size_bytes);
  disk.log = true;
  for (unsigned mounts = 0; mounts < 3; mounts++) {
    assert_int_equal(ext4_mount(&disk.dev, false, &root, &why), 0);
    work_begin(root, mounts);
    for (unsigned i = 0; mounts == 0 && i < 200; i++)
      work_step();
    for (unsigned i = 1; i < WORK_NODES; i++)
      if (work[i].used)
        work_forget(i);
    assert_int_equal(ext4_unmount(root), 0);
    fixture_fsck("after an unmount");
  }
  assert_in_range(tear_everywhere(bytes), 6, 100000);
  free(bytes);
  disk_free(&disk);
}

static void test_torn_superblock(void **state) {
  (void)state;
  work_on("-t ext4");
  work_on("-t ext4 -b 4096");
  work_on("-t ext4 -O metadata_csum_seed");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_torn_superblock)};
  ram_init(60000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
