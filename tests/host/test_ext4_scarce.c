// sources: $(EXT4_HOST) tests/host/linux_tools.c
// libs: -Wl,--wrap=kmalloc,--wrap=kzalloc,--wrap=page_alloc,--wrap=page_alloc_zero
// libs: -Wl,--wrap=ext4_alloc_blocks,--wrap=ext4_alloc_inode
/* Too little of something under ext4, at each point where it is asked for: memory, blocks, inodes,
 * once, a few times or from then on, as on a disk that is full there. A full disk is no fault: the
 * program goes on, and all is as the model says.
 * Memory that runs out may end in a file system that is read-only, but never in half an operation.
 * ext4_session.h says what must be true. VIRGA_STEP: every how many points (1). */
#include "tests/host/ext4_session.h"

enum what { MEMORY, BLOCKS };

static enum what what;
static uint64_t asked, fail_at, fail_count;
static unsigned tried;
static bool planted;
static bool short_runs; /* blocks come one by one */

/* Whether this one is refused. */
static bool refused(enum what which) {
  if (which != what || !planted)
    return false;
  uint64_t number = asked++;
  return number >= fail_at && number - fail_at < fail_count;
}

void *__real_kmalloc(size_t n);
void *__real_kzalloc(size_t n);
void *__real_page_alloc(unsigned order);
void *__real_page_alloc_zero(unsigned order);
errno_t __real_ext4_alloc_blocks(struct ext4 *fs, uint64_t goal, uint64_t *block, uint32_t *count);
errno_t __real_ext4_alloc_inode(struct ext4 *fs, uint32_t parent, uint16_t mode, uint32_t *ino);

void *__wrap_kmalloc(size_t n) {
  return refused(MEMORY) ? NULL : __real_kmalloc(n);
}

void *__wrap_kzalloc(size_t n) {
  return refused(MEMORY) ? NULL : __real_kzalloc(n);
}

void *__wrap_page_alloc(unsigned order) {
  return refused(MEMORY) ? NULL : __real_page_alloc(order);
}

void *__wrap_page_alloc_zero(unsigned order) {
  return refused(MEMORY) ? NULL : __real_page_alloc_zero(order);
}

errno_t __wrap_ext4_alloc_blocks(struct ext4 *fs, uint64_t goal, uint64_t *block, uint32_t *count) {
  *count = short_runs ? 1 : *count;
  return refused(BLOCKS) ? ENOSPC : __real_ext4_alloc_blocks(fs, goal, block, count);
}

errno_t __wrap_ext4_alloc_inode(struct ext4 *fs, uint32_t parent, uint16_t mode, uint32_t *ino) {
  return refused(BLOCKS) ? ENOSPC : __real_ext4_alloc_inode(fs, parent, mode, ino);
}

static void plant(bool on) {
  if (on)
    asked = 0;
  planted = on;
}

static unsigned step_of(void) {
  const char *n = getenv("VIRGA_STEP");
  return n != NULL ? (unsigned)atoi(n) : 1;
}

static void report(const char *name) {
  printf("%s: tried %u times; %u mounts refused, %u file systems read-only since, %u went on\n",
         name, tried, session_refused, session_failed, session_survived);
  tried = session_refused = session_failed = session_survived = 0;
}

/* Refuses what is asked for at each point of a session, so many times. */
static void refuse_each(const char *name, unsigned seed, unsigned steps, uint64_t count) {
  const char *only = getenv("VIRGA_ONLY");
  fail_at = UINT64_MAX;
  session_run(seed, steps);
  uint64_t last = asked;
  fail_count = count;
  for (fail_at = 0; fail_at < last; fail_at += step_of()) {
    if (only != NULL && (uint64_t)atoi(only) != fail_at)
      continue;
    snprintf(session_what, sizeof session_what, "%s, %lu refused from %lu on", name, count,
             fail_at);
    session_run(seed, steps);
    tried++;
  }
}

static const struct {
  const char *options;
  unsigned mib;
} kinds[] = {
    {"-t ext4 -b 1024 -J size=1", 4}, {"-t ext3 -b 1024 -J size=1", 4}, {"-t ext4 -b 4096", 10}};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void refuse_everywhere(enum what which, unsigned steps, const uint64_t *counts) {
  session_fault = plant;
  what = which;
  for (unsigned i = 0; i < KINDS; i++) {
    session_mkfs(kinds[i].mib, kinds[i].options);
    for (unsigned k = 0; counts[k] != 0; k++)
      refuse_each(kinds[i].options, i, steps, counts[k]);
    session_free();
  }
}

static void test_blocks(void **state) {
  static const uint64_t counts[] = {1, 5, UINT64_MAX, 0};
  (void)state;
  refuse_everywhere(BLOCKS, 80, counts);
  assert_int_equal(session_failed, 0);
  report("blocks and inodes");
}

static void test_memory(void **state) {
  static const uint64_t counts[] = {1, 30, 0};
  (void)state;
  refuse_everywhere(MEMORY, 25, counts);
  report("memory");
}

/* ---- Pages of several blocks, and a disk that is full in the middle of them -------------------
 */

/* On a disk full of other bytes. */
static struct vnode *file_on(const char *options, struct vnode **root) {
  struct vnode *v;
  const char *why = "";
  char command[300];
  snprintf(command, sizeof command,
           "yes Virga | head -c 4M >%s && mkfs.ext4 -q -F -E nodiscard %s %s >%s.out 2>&1",
           fixture_file(), options, fixture_file(), fixture_file());
  assert_int_equal(system(command), 0);
  assert_true(disk_load(&disk, fixture_file()));
  assert_int_equal(ext4_mount(&disk.dev, false, root, &why), 0);
  assert_int_equal((*root)->ops->create(*root, "f", 1, FILETYPE_REGULAR_FILE, &v), 0);
  what = BLOCKS;
  asked = 0;
  return v;
}

static errno_t write_bytes(struct vnode *v, uint8_t byte, size_t offset, size_t n) {
  struct uio uio;
  filesize_t end;
  memset(work_bytes, byte, n);
  uio_init_kernel(&uio, work_bytes, n);
  errno_t e = v->ops->pwrite(v, &uio, offset, false, &end);
  return e == 0 && uio.resid > 0 ? ENOSPC : e;
}

static void read_bytes(struct vnode *v, uint8_t *bytes, size_t offset, size_t n) {
  struct uio uio;
  uio_init_kernel(&uio, bytes, n);
  assert_int_equal(v->ops->pread(v, &uio, offset), 0);
  assert_int_equal(uio.resid, 0);
}

/* The machine starts again; the file. */
static struct vnode *again(struct vnode *v, struct vnode **root) {
  const char *why = "";
  vnode_unref(v);
  assert_int_equal(ext4_unmount(*root), 0);
  bool words; /* that a tree could be narrower, for one */
  if (fixture_e2fsck("-fn", &words) != 0)
    fail_msg("e2fsck complains: %s", fixture_words);
  assert_int_equal(ext4_mount(&disk.dev, false, root, &why), 0);
  assert_int_equal((*root)->ops->lookup(*root, "f", 1, &v), 0);
  return v;
}

static void leave(struct vnode *v, struct vnode *root) {
  vnode_unref(v);
  assert_int_equal(ext4_unmount(root), 0);
  disk_free(&disk);
}

/* A write over a hole and over a block that was written before, without room for the hole: what was
 * written is still there, or is the new bytes; the hole is none but zeroes. */
static void test_write_into_full_page(void **state) {
  struct vnode *root, *v = file_on("-t ext4 -b 1024 -J size=1", &root);
  uint8_t bytes[4 * PAGE_SIZE];
  (void)state;
  assert_int_equal(write_bytes(v, 'a', 2 * PAGE_SIZE + 1024, 1024), 0);
  assert_int_equal(write_bytes(v, 'b', 4 * PAGE_SIZE - 1024, 1024), 0);
  planted = true;
  fail_at = 0;
  fail_count = UINT64_MAX;
  assert_int_equal(write_bytes(v, 'c', PAGE_SIZE + 512, 2 * PAGE_SIZE), ENOSPC);
  planted = false;
  for (unsigned i = 0; i < 2; i++) {
    read_bytes(v, bytes, 0, sizeof bytes);
    for (size_t at = 0; at < sizeof bytes; at++) {
      bool first = at >= 2 * PAGE_SIZE + 1024 && at < 2 * PAGE_SIZE + 2048;
      bool last = at >= 4 * PAGE_SIZE - 1024;
      bool ok = first ? bytes[at] == 'a' || bytes[at] == 'c' : bytes[at] == (last ? 'b' : 0);
      if (!ok)
        fail_msg("mount %u: %02x at %zu", i, bytes[at], at);
    }
    v = again(v, &root);
  }
  leave(v, root);
}

/* A mapping is written to where there is room for the first block of the page alone: the program is
 * told, and the block is zeroes, not what the disk had there. */
static void test_map_into_full_page(void **state) {
  struct vnode *root, *v = file_on("-t ext4 -b 1024 -J size=1", &root);
  struct filestat st = {.st_size = PAGE_SIZE};
  struct memobj *obj;
  uint8_t bytes[PAGE_SIZE];
  pa_t pa;
  (void)state;
  assert_int_equal(v->ops->set_stat(v, &st, FILESTAT_SIZE), 0);
  assert_int_equal(v->ops->memobj(v, &obj), 0);
  planted = short_runs = true;
  fail_at = 1;
  fail_count = UINT64_MAX;
  assert_int_equal(obj->ops->get_page(obj, 0, true, &pa), ENOSPC);
  planted = short_runs = false;
  memobj_unref(obj);
  v = again(v, &root);
  read_bytes(v, bytes, 0, sizeof bytes);
  for (size_t at = 0; at < sizeof bytes; at++)
    if (bytes[at] != 0)
      fail_msg("%02x at %zu", bytes[at], at);
  leave(v, root);
}

/* Blocks in the middle of unwritten extents are written, whatever room the leaves of the tree have.
 */
static void test_write_into_unwritten(void **state) {
  struct vnode *root, *v = file_on("-t ext4 -b 1024 -J size=1", &root);
  uint8_t bytes[5 * 1024];
  unsigned refusals = 0;
  (void)state;
  for (size_t n = 0; n < 120; n++) {
    size_t at = n * 16 * 1024;
    planted = n % 3 == 1; /* without room for another block of the tree, even */
    fail_at = 1;
    errno_t e = v->ops->allocate(v, at, 5 * 1024);
    if (e == 0)
      e = write_bytes(v, 'w', at + 2 * 1024, 1024);
    asked = 0;
    planted = false;
    if (e != 0) {
      assert_int_equal(e, ENOSPC);
      assert_int_equal(v->ops->allocate(v, at, 5 * 1024), 0);
      refusals++;
    }
    read_bytes(v, bytes, at, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
      assert_int_equal(bytes[i], e == 0 && i / 1024 == 2 ? 'w' : 0);
  }
  assert_in_range(refusals, 1, 40);
  v = again(v, &root);
  leave(v, root);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_write_into_full_page),
                                     cmocka_unit_test(test_map_into_full_page),
                                     cmocka_unit_test(test_write_into_unwritten),
                                     cmocka_unit_test(test_blocks), cmocka_unit_test(test_memory)};
  ram_init(60000);
  fixture_quiet = getenv("VIRGA_LOUD") == NULL;
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
