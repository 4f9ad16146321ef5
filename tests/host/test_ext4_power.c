// sources: $(EXT4_HOST)
/* Power cuts on ext4: every write and flush of a workload is logged; the disk is built again as a
 * cut after each of them may have left it, with any part of what the device's cache held since the
 * last flush. Our mount recovers it, e2fsck has nothing to say, what was synced is there, and what
 * was replaced by a rename is the old or the new one. VIRGA_IMAGES: how many disks. */
#include "tests/host/ext4_workload.h"

#define KEPT_MAX 64
#define VERSION_BYTES 3000

/* A file that was synced and left alone since. */
struct kept {
  char name[16];
  size_t event; /* it is safe from this event on */
  size_t size;
  uint8_t *data;
};

/* Of one file that is saved over and over: when a save began, and when it was safe. */
struct version {
  size_t begun, safe;
  uint8_t byte; /* all of its contents */
};

static struct kept kept[KEPT_MAX];
static struct version versions[KEPT_MAX];
static unsigned kept_count, version_count;
static struct disk original, cut;
static unsigned images;

/* ---- The workload ---------------------------------------------------------------------------- */

static void sync(struct vnode *v) {
  assert_int_equal(v->ops->sync(v, false), 0);
}

static void keep_one(struct vnode *root) {
  struct kept *k = &kept[kept_count];
  struct vnode *v;
  struct uio uio;
  filesize_t end;
  snprintf(k->name, sizeof k->name, "kept%u", kept_count);
  k->size = 1 + work_random(30000);
  k->data = malloc(k->size);
  for (size_t i = 0; i < k->size; i++)
    k->data[i] = (uint8_t)work_random(256);
  assert_int_equal(root->ops->create(root, k->name, strlen(k->name), FILETYPE_REGULAR_FILE, &v), 0);
  uio_init_kernel(&uio, k->data, k->size);
  assert_int_equal(v->ops->pwrite(v, &uio, 0, false, &end), 0);
  sync(v);
  vnode_unref(v);
  k->event = disk.event_count;
  kept_count++;
}

/* Writes a file beside the one that has the name, syncs it, and gives it the name. */
static void save_one(struct vnode *root) {
  struct version *n = &versions[version_count];
  uint8_t contents[VERSION_BYTES];
  struct vnode *v, *old = NULL;
  struct uio uio;
  filesize_t end;
  n->byte = (uint8_t)(version_count + 1);
  memset(contents, n->byte, sizeof contents);
  assert_int_equal(root->ops->create(root, "saved.new", 9, FILETYPE_REGULAR_FILE, &v), 0);
  uio_init_kernel(&uio, contents, sizeof contents);
  assert_int_equal(v->ops->pwrite(v, &uio, 0, false, &end), 0);
  sync(v);
  if (version_count > 0)
    assert_int_equal(root->ops->lookup(root, "saved", 5, &old), 0);
  n->begun = disk.event_count;
  assert_int_equal(root->ops->rename(root, "saved.new", 9, v, root, "saved", 5, old), 0);
  sync(v);
  n->safe = disk.event_count;
  vnode_unref(v);
  vnode_unref(old);
  version_count++;
}

static void work_on(struct vnode *root, unsigned operations) {
  for (unsigned i = 0; i < operations; i++) {
    work_step();
    if (i % 12 == 5 && kept_count < KEPT_MAX)
      keep_one(root);
    if (i % 12 == 11 && version_count < KEPT_MAX)
      save_one(root);
    if (i % 40 == 39) /* what the flusher would do */
      assert_int_equal(journal_commit(einode_of(root)->fs), 0);
  }
}

/* ---- What is left after a cut ---------------------------------------------------------------- */

static errno_t read_all(struct vnode *root, const char *name, uint8_t *bytes, size_t *n) {
  struct vnode *v;
  struct uio uio;
  errno_t e = root->ops->lookup(root, name, strlen(name), &v);
  if (e != 0)
    return e;
  uio_init_kernel(&uio, bytes, *n);
  e = v->ops->pread(v, &uio, 0);
  *n -= uio.resid;
  vnode_unref(v);
  return e;
}

static void check_kept(struct vnode *root, size_t event) {
  static uint8_t bytes[40000];
  for (unsigned i = 0; i < kept_count && kept[i].event <= event; i++) {
    size_t n = sizeof bytes;
    if (read_all(root, kept[i].name, bytes, &n) != 0 || n != kept[i].size ||
        memcmp(bytes, kept[i].data, n) != 0)
      fail_msg("after event %zu: %s, synced at %zu, is not there", event, kept[i].name,
               kept[i].event);
  }
}

/* The saved file is one of the versions from the last safe one to the last that was begun. */
static void check_saved(struct vnode *root, size_t event) {
  static uint8_t bytes[VERSION_BYTES + 1];
  unsigned first = 0, last = 0;
  size_t n = sizeof bytes;
  for (unsigned i = 0; i < version_count; i++) {
    if (versions[i].safe <= event)
      first = i + 1;
    if (versions[i].begun <= event)
      last = i + 1;
  }
  errno_t e = read_all(root, "saved", bytes, &n);
  if (e != 0 && first == 0)
    return;
  if (e != 0 || n != VERSION_BYTES || bytes[0] < first || bytes[0] > last)
    fail_msg("after event %zu: version %u of %zu bytes, error %u; expected %u to %u", event,
             bytes[0], n, e, first, last);
  for (size_t i = 0; i < n; i++)
    assert_int_equal(bytes[i], bytes[0]);
}

static void check_image(size_t event) {
  struct vnode *root;
  const char *why = "";
  bool linux_first = images % 16 == 0;
  images++;
  disk.bytes = cut.bytes;
  if (linux_first) /* e2fsck recovers it, and ours finds the same */
    fixture_fsck_repairs("a journal to be replayed");
  errno_t e = ext4_mount(&disk.dev, false, &root, &why);
  if (e != 0)
    fail_msg("after event %zu: %s", event, why);
  check_kept(root, event);
  check_saved(root, event);
  assert_int_equal(ext4_unmount(root), 0);
  fixture_fsck("after a power cut");
}

/* ---- Building disks -------------------------------------------------------------------------- */

static void apply(const struct disk_event *e, uint8_t *bytes) {
  memcpy(bytes + e->offset, e->data, e->n);
}

/* All that was flushed before event `from`, and of [from, to) what `keep` says: all, nothing, or
 * some. */
static void build(const uint8_t *flushed, const struct disk_event *events, size_t from, size_t to,
                  unsigned keep) {
  memcpy(cut.bytes, flushed, cut.dev.size_bytes);
  for (size_t i = from; i < to; i++)
    if (keep == 0 || (keep > 1 && work_random(2) == 0))
      apply(&events[i], cut.bytes);
}

/* Disks of a workload on one kind of file system, until there are `wanted`. */
static void cut_everywhere(const char *options, unsigned seed, unsigned wanted) {
  struct vnode *root;
  const char *why = "";
  kept_count = version_count = 0;
  fixture_mkfs(8, options);
  original = disk;
  original.bytes = malloc(disk.dev.size_bytes);
  memcpy(original.bytes, disk.bytes, disk.dev.size_bytes);
  assert_int_equal(ext4_mount(&disk.dev, false, &root, &why), 0);
  memcpy(original.bytes, disk.bytes, disk.dev.size_bytes);
  disk.log = true;
  work_begin(root, seed);
  work_on(root, 240);
  for (unsigned i = 1; i < WORK_NODES; i++)
    if (work[i].used)
      work_forget(i);
  assert_int_equal(ext4_unmount(root), 0);

  struct disk_event *events = disk.events;
  size_t count = disk.event_count, flushed = 0;
  uint8_t *real = disk.bytes;
  cut = original;
  cut.bytes = malloc(disk.dev.size_bytes);
  disk.log = false;
  for (size_t i = 0; i <= count && images < wanted; i++) {
    for (unsigned keep = 0; keep < 4 && images < wanted; keep++) {
      if (keep > 0 && i - flushed < keep)
        break;
      build(original.bytes, events, flushed, i, keep);
      check_image(i);
    }
    if (i == count || events[i].data != NULL)
      continue;
    for (; flushed < i; flushed++)
      apply(&events[flushed], original.bytes);
    flushed = i + 1;
  }
  disk.bytes = real;
  free(cut.bytes);
  free(original.bytes);
  for (unsigned i = 0; i < kept_count; i++)
    free(kept[i].data);
  disk_free(&disk);
}

static void test_power_cuts(void **state) {
  static const char *const kinds[] = {"-t ext4", "-t ext4 -b 4096", "-t ext3 -b 2048",
                                      "-t ext4 -O ^metadata_csum"};
  const char *n = getenv("VIRGA_IMAGES");
  unsigned wanted = n != NULL ? (unsigned)atoi(n) : 3000;
  (void)state;
  for (unsigned seed = 0; images < wanted; seed++)
    cut_everywhere(kinds[seed % 4], seed,
                   images + wanted / 8 < wanted ? images + wanted / 8 : wanted);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_power_cuts)};
  ram_init(60000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
