// sources: $(EXT4_HOST)
/* Random work on ext4, step by step against a model, on every kind of file system that mkfs.ext4
 * makes, by calls and by mappings, with mounts in between, and in some runs with little memory; at
 * the end e2fsck looks at it, and debugfs and another mount find the same files. VIRGA_SEEDS: how
 * many. */
#include "kernel/memobj.h"
#include "tests/host/ext4_workload.h"

#define OPERATIONS 2000
#define MOUNT_EVERY 500
#define HELD_PAGES 51000 /* of 60000: what is left makes clean pages go all the time */

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

static unsigned mapped, mounts, dumped;

/* A page of a file by a mapping: what is there is what the model says; with `write` some of it
 * changes. */
static void map_page(unsigned i, bool write) {
  struct work_node *x = &work[i];
  struct memobj *obj;
  pa_t pa;
  size_t at = work_random((unsigned)x->size) & ~(PAGE_SIZE - 1);
  size_t n = x->size - at < PAGE_SIZE ? x->size - at : PAGE_SIZE;
  assert_int_equal(x->v->ops->memobj(x->v, &obj), 0);
  errno_t e = obj->ops->get_page(obj, at, write, &pa);
  memobj_unref(obj);
  if (e != 0) {
    assert_int_equal(e, ENOSPC);
    return;
  }
  uint8_t *page = pa_to_va(pa);
  assert_memory_equal(page, x->data + at, n);
  for (size_t k = work_random((unsigned)n); write && k < n; k++)
    page[k] = x->data[at + k] = (uint8_t)work_random(256);
  mapped++;
}

static void step(void) {
  unsigned file = work_pick(FILETYPE_REGULAR_FILE);
  if (work_random(8) == 0 && file != 0 && work[file].size > 0)
    map_page(file, work_random(2) == 0);
  else
    work_step();
}

/* The model stays, its references go. */
static void leave(void) {
  for (unsigned i = 1; i < WORK_NODES; i++)
    vnode_unref(work[i].used ? work[i].v : NULL);
  assert_int_equal(ext4_unmount(work[0].v), 0);
}

static void enter(bool read_only) {
  const char *why = "";
  if (ext4_mount(&disk.dev, read_only, &work[0].v, &why) != 0)
    fail_msg("it can't be mounted: %s", why);
  for (unsigned i = 1; i < WORK_NODES; i++)
    if (work[i].used)
      assert_int_equal(work_lookup(work[0].v, i, &work[i].v), 0);
  mounts++;
}

/* Where debugfs put a node. */
static void dumped_path(unsigned i, char *path) {
  if (i == 0) {
    sprintf(path, "%s.d", fixture_file());
    return;
  }
  dumped_path(work[i].parent, path);
  strcat(strcat(path, "/"), work[i].name);
}

/* What fixture_fsck() left in the file has the model's files, by Linux's tools alone. */
static void check_by_debugfs(void) {
  static char path[WORK_NODES * 257];
  static uint8_t bytes[WORK_FILE_BYTES + 1];
  char command[300];
  snprintf(command, sizeof command,
           "rm -rf %s.d && mkdir %s.d && debugfs -R 'rdump / %s.d' %s >/dev/null 2>&1",
           fixture_file(), fixture_file(), fixture_file(), fixture_file());
  assert_int_equal(system(command), 0);
  for (unsigned i = 1; i < WORK_NODES; i++) {
    dumped_path(i, path);
    if (!work[i].used || work[i].type != FILETYPE_REGULAR_FILE || strlen(path) > 4000)
      continue;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(bytes, 1, sizeof bytes, f), work[i].size);
    assert_memory_equal(bytes, work[i].data, work[i].size);
    fclose(f);
    dumped++;
  }
  snprintf(command, sizeof command, "rm -rf %s.d", fixture_file());
  assert_int_equal(system(command), 0);
}

static void run(unsigned seed) {
  struct vnode *root;
  const char *why = "";
  fixture_mkfs(24, kinds[seed % (sizeof kinds / sizeof kinds[0])]);
  if (ext4_mount(&disk.dev, false, &root, &why) != 0)
    fail_msg("it can't be mounted: %s", why);
  work_begin(root, seed);
  for (unsigned i = 0; i < OPERATIONS; i++) {
    step();
    if (i % MOUNT_EVERY == MOUNT_EVERY - 1) {
      leave();
      enter(false);
    }
  }
  leave();
  fixture_fsck(kinds[seed % (sizeof kinds / sizeof kinds[0])]);
  check_by_debugfs();
  assert_int_equal(ext4_mount(&disk.dev, true, &root, &why), 0);
  work_check_all(root);
  assert_int_equal(ext4_unmount(root), 0);
  for (unsigned i = 1; i < WORK_NODES; i++)
    free(work[i].used ? work[i].data : NULL);
  disk_free(&disk);
}

static void test_seeds(void **state) {
  const char *n = getenv("VIRGA_SEEDS");
  unsigned seeds = n != NULL ? (unsigned)atoi(n) : 300;
  (void)state;
  static void *held[HELD_PAGES];
  size_t before = heap_used_bytes();
  for (unsigned seed = 0; seed < seeds; seed++) {
    bool little = seed % 4 == 3;
    for (unsigned i = 0; little && i < HELD_PAGES; i++)
      assert_non_null(held[i] = page_alloc(0));
    run(seed);
    for (unsigned i = 0; little && i < HELD_PAGES; i++)
      page_free(held[i], 0);
    if (seed == 0)
      before = heap_used_bytes(); /* the checksum's tables stay */
    assert_int_equal(heap_used_bytes(), before);
  }
  printf(
      "random: %u seeds of %u operations, %u pages by mappings, %u mounts, a quarter of the seeds"
      " with little memory; %u files compared by debugfs\n",
      seeds, OPERATIONS, mapped, mounts, dumped);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds)};
  ram_init(60000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
