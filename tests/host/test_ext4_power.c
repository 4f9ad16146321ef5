// sources: $(EXT4_HOST) tests/host/linux_tools.c
/* Power cuts on ext4: every write and flush of a workload is logged; after each the disk is built
 * as a cut may have left it, with any part of what the device's cache held since the last flush,
 * down to single sectors. Our mount recovers it, and another copy of it e2fsck does. Both then have
 * the same names, which are those after one of the operations since the last sync; every byte that
 * was synced and left alone is there, no file has bytes of another, and e2fsck has nothing to say.
 * Some recoveries are cut in their turn. VIRGA_IMAGES: how many disks. */
#include "fs/ext4/journal_log.h"
#include "tests/host/ext4_judge.h"
#include "tests/host/ext4_program.h"
#include "tests/host/linux_tools.h"

struct kind {
  const char *options;
  unsigned mib;
  bool journal_csum; /* checksums in the journal, as Linux sets them when it mounts */
};

static const struct kind kinds[] = {
    {"-t ext4 -b 1024 -J size=1", 4, true},
    {"-t ext3 -b 1024 -J size=1", 4, false},
    {"-t ext4 -b 4096", 10, true},
    {"-t ext4 -b 1024 -J size=1 -O ^metadata_csum", 4, false},
    {"-t ext4 -b 1024 -J size=1 -O ^64bit,^flex_bg -g 2048", 4, false},
    {"-t ext3 -b 4096", 10, false},
    {"-t ext4 -b 2048 -I 128", 6, false},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static uint64_t size_bytes;
static uint8_t *flushed;         /* what no cut takes away */
static struct disk ours, theirs; /* cut, and mapped files */
static char ours_path[80], theirs_path[80];
static size_t seen; /* events that were looked at; those before `kept_from` are flushed */
static size_t kept_from;
static bool sectors; /* of single writes are missing, on this disk */
static unsigned images, wanted, by_linux, half_blocks, cut_twice;
static uint64_t random_state; /* of the cuts, so that the workload is the same without them */

static unsigned cut_random(unsigned n) {
  random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
  return (unsigned)((random_state >> 33) % n);
}

/* ---- Judging --------------------------------------------------------------------------------- */

static void check_tree(struct vnode *root, const char *whose, uint64_t *hash) {
  const char *complaint = judge_tree(root, hash);
  if (complaint != NULL)
    fail_msg("%s, image %u, operation %u (%u is synced), event %zu: %s", whose, images, work_now,
             work_durable, seen, complaint);
}

static char fsck_words[4000]; /* what e2fsck said last */

/* e2fsck's status; *silent: it said no more than it always does, and (recovers) that it replays the
 * journal and finishes orphans. */
static int fsck(const char *path, const char *options, bool recovers, bool *silent) {
  const char *const words[] = {"e2fsck", options, path, NULL};
  char copy[sizeof fsck_words];
  int status = tools_run(words, fsck_words, sizeof fsck_words);
  unsigned others = 0; /* the last line, with figures */
  strcpy(copy, fsck_words);
  for (char *s = strtok(copy, "\n"); s != NULL; s = strtok(NULL, "\n")) {
    bool recovery = strstr(s, "recovering journal") != NULL || strstr(s, "rphan") != NULL;
    others +=
        strncmp(s, "e2fsck ", 7) != 0 && strncmp(s, "Pass ", 5) != 0 && !(recovers && recovery);
  }
  *silent = others == 1;
  return status;
}

static void fsck_fails(const char *what, int status) {
  fail_msg("image %u, operation %u, event %zu: e2fsck %s: %d\n%s", images, work_now, seen, what,
           status, fsck_words);
}

/* e2fsck recovers a copy, and we find there what we find in ours. But half a commit block is no end
 * of the journal to it, it is a damaged journal, after which it doesn't finish orphans. */
static void check_by_linux(uint64_t hash) {
  struct vnode *root;
  const char *why = "";
  uint64_t other;
  bool silent;
  int status = fsck(theirs_path, "-fp", true, &silent);
  if (sectors && strstr(fsck_words, "was corrupt, replay was aborted") != NULL) {
    half_blocks++;
    return;
  }
  if (status > 1 || !silent)
    fsck_fails("-fp", status);
  if (ext4_mount(&theirs.dev, true, &root, &why) != 0)
    fail_msg("after e2fsck: %s", why);
  check_tree(root, "e2fsck's", &other);
  assert_int_equal(ext4_unmount(root), 0);
  if (other != hash)
    fail_msg("image %u: e2fsck recovers other names than we", images);
  by_linux++;
}

static struct vnode *recover(void) {
  struct vnode *root;
  const char *why = "";
  if (ext4_mount(&ours.dev, false, &root, &why) != 0)
    fail_msg("image %u, operation %u, event %zu: %s", images, work_now, seen, why);
  return root;
}

static void apply(const struct disk_event *e, uint8_t *bytes, bool torn);

/* Cuts the recovery itself, which was logged, somewhere. */
static void cut_again(void) {
  size_t end = cut_random((unsigned)ours.event_count + 1), from = end;
  while (from > 0 && ours.events[from - 1].data != NULL)
    from--;
  memcpy(ours.bytes, theirs.bytes, size_bytes);
  for (size_t i = 0; i < end; i++)
    if (ours.events[i].data != NULL && (i < from || cut_random(2) == 0))
      apply(&ours.events[i], ours.bytes, i >= from && cut_random(2) == 0);
  cut_twice++;
}

static void check_image(void) {
  uint64_t hash;
  bool silent, again = images % 8 == 3;
  images++;
  memcpy(theirs.bytes, ours.bytes, size_bytes);
  ours.log = again;
  struct vnode *root = recover();
  if (again) {
    assert_int_equal(ext4_unmount(root), 0);
    cut_again();
    disk_forget_events(&ours);
    ours.log = false;
    root = recover();
  }
  check_tree(root, "ours", &hash);
  assert_int_equal(ext4_unmount(root), 0);
  int status = fsck(ours_path, "-fn", false, &silent);
  if (status != 0 || !silent)
    fsck_fails("-fn", status);
  check_by_linux(hash);
}

/* ---- Building disks -------------------------------------------------------------------------- */

/* A write that reached the medium, or (torn) some of its sectors. */
static void apply(const struct disk_event *e, uint8_t *bytes, bool torn) {
  for (size_t i = 0; i < e->n; i += 512)
    if (!torn || cut_random(2) == 0)
      memcpy(bytes + e->offset + i, e->data + i, 512);
}

enum part { ALL, LAST, ALL_BUT_ONE, SOME, SECTORS, PARTS };

/* What was flushed, and of the writes [kept_from, to) a part. */
static void build(size_t to, enum part part) {
  size_t n = to - kept_from, without = kept_from + (n > 0 ? cut_random((unsigned)n) : 0);
  memcpy(ours.bytes, flushed, size_bytes);
  sectors = part == SECTORS;
  for (size_t i = kept_from; i < to; i++) {
    bool in = part == ALL || part == SECTORS || (part == LAST && i == to - 1) ||
              (part == ALL_BUT_ONE && i != without) || (part == SOME && cut_random(2) == 0);
    if (in)
      apply(&disk.events[i], ours.bytes, part == SECTORS);
  }
}

static void cut_at(size_t to, unsigned variants) {
  build(to, ALL);
  check_image();
  for (; variants > 0 && to > kept_from; variants--) {
    enum part part = to - kept_from == 1 ? SECTORS : LAST + cut_random(PARTS - LAST);
    build(to, part);
    check_image();
  }
}

static void settle_flushed(size_t to) {
  for (; kept_from < to; kept_from++)
    if (disk.events[kept_from].data != NULL)
      apply(&disk.events[kept_from], flushed, false);
}

/* Cuts after each event that is new. */
static void cut_everywhere(void) {
  for (; seen < disk.event_count; seen++) {
    if (disk.events[seen].data == NULL)
      settle_flushed(seen + 1);
    else if (images < wanted)
      cut_at(seen + 1, 1);
  }
  if (kept_from == disk.event_count) {
    disk_forget_events(&disk);
    seen = kept_from = 0;
  }
}

/* An operation is over; one that says that all is safe now is believed. */
static void operation_over(bool synced) {
  cut_everywhere();
  if (!synced)
    return;
  work_durable = work_now;
  if (images < wanted)
    cut_at(disk.event_count, 2);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* A new file system on what a disk may contain. */
static void make(const struct kind *k) {
  char command[500];
  const char *csums = "printf 'jo -c -v 3\\njc\\n' >$f.jo && debugfs -w -f $f.jo $f >$f.out 2>&1";
  snprintf(command, sizeof command,
           "f=%s; rm -f $f; yes Virga | head -c %uM >$f && "
           "mkfs.ext4 -q -F -E nodiscard %s $f >$f.out 2>&1 && %s; s=$?; rm -f $f.jo; exit $s",
           fixture_file(), k->mib, k->options, k->journal_csum ? csums : "true");
  if (system(command) != 0)
    fail_msg("mkfs.ext4 or debugfs fails: %s", command);
  assert_true(disk_load(&disk, fixture_file()));
}

static void map_cut(struct disk *d, char path[80], const char *suffix) {
  disk_init(d, size_bytes);
  free(d->bytes);
  snprintf(path, 80, "%s.%s", fixture_file(), suffix);
  assert_non_null(d->bytes = tools_map(path, size_bytes));
}

static void unmap_cut(struct disk *d, const char *path) {
  tools_unmap(d->bytes, size_bytes);
  d->bytes = NULL;
  remove(path);
  disk_free(d);
}

static void prepare(const struct kind *k) {
  make(k);
  size_bytes = disk.dev.size_bytes;
  map_cut(&ours, ours_path, "ours");
  map_cut(&theirs, theirs_path, "theirs");
  flushed = malloc(size_bytes);
  seen = kept_from = 0;
}

/* Disks of a workload on one kind of file system, until there are `until`. */
static void run(const struct kind *k, unsigned seed, unsigned until) {
  struct vnode *root;
  const char *why = "";
  prepare(k);
  random_state = seed;
  memcpy(flushed, disk.bytes, size_bytes);
  disk.log = true;
  assert_int_equal(ext4_mount(&disk.dev, false, &root, &why), 0);
  if (seed % 3 > 0) { /* a journal that is soon full */
    einode_of(root)->fs->journal->committed_max = 200;
    einode_of(root)->fs->journal->buffers_max = seed % 3 == 1 ? 100 : 200;
  }
  program_begin(root, seed, operation_over);
  while (images < until && work_now < WORK_OPERATIONS - 100)
    program_step();
  unsigned before = wanted;
  wanted = images < until ? until : images + 20; /* the end, too */
  work_now++;
  work_trees[work_now] = work_trees[work_now - 1];
  work_end();
  assert_int_equal(ext4_unmount(root), 0);
  cut_everywhere();
  wanted = before;
  disk_free(&disk);
  free(flushed);
  unmap_cut(&ours, ours_path);
  unmap_cut(&theirs, theirs_path);
}

static void test_power_cuts(void **state) {
  const char *n = getenv("VIRGA_IMAGES"), *first = getenv("VIRGA_SEED");
  unsigned all = n != NULL ? (unsigned)atoi(n) : 21000, share = all / (KINDS * 3) + 1;
  unsigned operations = 0, seed = first != NULL ? (unsigned)atoi(first) : 0;
  (void)state;
  for (; images < all; seed++) {
    wanted = images + share;
    run(&kinds[seed % KINDS], seed, wanted);
    operations += work_now;
  }
  printf(
      "power: %u disks after a cut, %u recovered by e2fsck, too (not %u with half a commit "
      "block),\n"
      "  %u cut again in recovery; %u operations, %u files compared\n",
      images, by_linux, half_blocks, cut_twice, operations, judge_files);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_power_cuts)};
  ram_init(60000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
