// sources: $(filter-out arch/host/alone.c arch/host/waits.c,$(EXT4_HOST))
/* Many threads on one ext4, over a disk that carries requests out one by one in another order: they
 * write pages of the same files, sync and empty them, make others and delete them, on a disk so
 * small that blocks are soon used again, while it is committed. Then the disk is built again as
 * power cuts may have left it: whatever a sync of any thread covered is there, and no file shows
 * another one's bytes. VIRGA_SEEDS: how many runs. */
#include "tests/host/ext4_fixture.h"
#include "tests/host/fibers.h"

#include "fs/ext4/file.h"

#define FILES 4
#define FILE_PAGES 24
#define THREADS 4
#define OPERATIONS 60
#define SYNCS_MAX (THREADS * OPERATIONS)
#define WORDS (PAGE_SIZE / sizeof(uint64_t))
#define CUTS 60

/* A file that all threads write: every word of a page is the file's identity and a version. */
struct shared {
  struct vnode *v;
  uint32_t identity;
  uint32_t written[FILE_PAGES]; /* the last version that a write has brought */
  bool writing[FILE_PAGES];
  unsigned emptied, emptying; /* how often, and by how many threads now */
};

/* A sync that returned. */
struct synced {
  uint32_t identity;
  size_t event;
  uint32_t versions[FILE_PAGES];
};

static struct shared shared[FILES];
static struct synced synced[SYNCS_MAX];
static unsigned synced_count;
static struct vnode *root;
static uint32_t last_identity, last_version;

/* ---- The disk -------------------------------------------------------------------------------- */

/* One request at a time. */
static errno_t one_request(struct blkfile *f, const struct blk_request *r, uint64_t *done_bytes) {
  f->held = true;
  return disk_request(f, r, done_bytes);
}

/* Mostly the newest first, so that some wait for long. */
static bool device(void) {
  struct list *queue = &disk.file.queue, *r;
  if (list_empty(queue))
    return false;
  if (fibers_random(10) != 0) {
    r = queue->prev;
    list_remove(r);
    list_push_front(queue, r);
  }
  disk.file.held = false;
  blkfile_go(&disk.file);
  return true;
}

void memobj_revoke(struct memobj *obj, uint64_t offset, uint64_t len) {
  (void)obj, (void)offset, (void)len;
}

void memobj_write_protect(struct memobj *obj, uint64_t offset, uint64_t len) {
  (void)obj, (void)offset, (void)len;
}

/* ---- What threads do ------------------------------------------------------------------------- */

static uint64_t word_of(uint32_t identity, uint32_t version) {
  return (uint64_t)identity << 32 | version;
}

static void name_of(uint32_t identity, char name[16]) {
  snprintf(name, 16, "file%u", identity);
}

static void fill(uint64_t *page, uint64_t word) {
  for (size_t i = 0; i < WORDS; i++)
    page[i] = word;
}

static void must(errno_t e, const char *what) {
  if (e != 0 && e != ENOSPC)
    fibers_fail(what);
}

/* What was written since it had been emptied so often may be gone. */
static bool was_emptied(const struct shared *s, unsigned emptied) {
  return s->emptied != emptied || s->emptying > 0;
}

static void write_page(struct shared *s) {
  unsigned at = fibers_random(FILE_PAGES), emptied = s->emptied;
  uint32_t version = ++last_version;
  struct uio uio;
  filesize_t end;
  if (s->writing[at]) /* which of two is the last, nobody could tell */
    return;
  uint64_t *page = malloc(PAGE_SIZE);
  fill(page, word_of(s->identity, version));
  uio_init_kernel(&uio, page, PAGE_SIZE);
  s->writing[at] = true;
  errno_t e = s->v->ops->pwrite(s->v, &uio, at * PAGE_SIZE, false, &end);
  s->writing[at] = false;
  must(e, "pwrite");
  if (e == 0 && !was_emptied(s, emptied))
    s->written[at] = version;
  free(page);
}

static void promise(uint32_t identity, const uint32_t versions[FILE_PAGES]) {
  struct synced *s = &synced[synced_count++];
  *s = (struct synced){.identity = identity, .event = disk.event_count};
  memcpy(s->versions, versions, sizeof s->versions);
}

static void sync_file(struct shared *s) {
  uint32_t versions[FILE_PAGES];
  unsigned emptied = s->emptied;
  memcpy(versions, s->written, sizeof versions);
  must(s->v->ops->sync(s->v, false), "sync");
  if (!was_emptied(s, emptied))
    promise(s->identity, versions);
}

/* Its blocks become other files'. */
static void empty_file(struct shared *s) {
  struct filestat st = {.st_size = 0};
  s->emptying++;
  memset(s->written, 0, sizeof s->written);
  promise(s->identity, s->written);
  must(s->v->ops->set_stat(s->v, &st, FILESTAT_SIZE), "truncate");
  memset(s->written, 0, sizeof s->written);
  s->emptying--;
  s->emptied++;
}

/* A file that only this thread knows: bytes, perhaps less of them, and gone. */
static void scratch(void) {
  static const filesize_t shorter[] = {0, 1000, 5 * PAGE_SIZE};
  const size_t n = (1 + fibers_random(20)) * PAGE_SIZE;
  uint64_t *bytes = malloc(n);
  uint32_t identity = ++last_identity;
  char name[16];
  struct vnode *v;
  struct uio uio;
  filesize_t end;
  name_of(identity, name);
  for (size_t i = 0; i < n / PAGE_SIZE; i++)
    fill(bytes + i * WORDS, word_of(identity, 1));
  errno_t e = root->ops->create(root, name, strlen(name), FILETYPE_REGULAR_FILE, &v);
  must(e, "create");
  if (e == 0) {
    uio_init_kernel(&uio, bytes, n);
    must(v->ops->pwrite(v, &uio, 0, false, &end), "pwrite");
    if (fibers_random(2) == 0)
      ext4_file_writeback(einode_of(v));
    struct filestat st = {.st_size = shorter[fibers_random(3)]};
    if (fibers_random(2) == 0)
      must(v->ops->set_stat(v, &st, FILESTAT_SIZE), "truncate");
    must(root->ops->unlink(root, name, strlen(name), v), "unlink");
    vnode_unref(v);
    ext4_reap(einode_of(root)->fs);
  }
  free(bytes);
}

static void thread(unsigned number) {
  (void)number;
  for (unsigned i = 0; i < OPERATIONS; i++) {
    struct shared *s = &shared[fibers_random(FILES)];
    unsigned op = fibers_random(20);
    if (op < 10)
      write_page(s);
    else if (op < 13)
      sync_file(s);
    else if (op < 15)
      must(ext4_file_writeback(einode_of(s->v)), "write back");
    else if (op < 17)
      empty_file(s);
    else
      scratch();
    if (fibers_random(2) == 0)
      fibers_turn();
  }
}

static void flusher(unsigned number) {
  (void)number;
  for (unsigned i = 0; i < OPERATIONS / 4; i++) {
    ext4_commit_all();
    for (unsigned k = fibers_random(30); k > 0; k--)
      fibers_turn();
  }
}

/* ---- What a cut leaves ----------------------------------------------------------------------- */

/* Every word of a file is its own, or nothing was written there; and not older than `least`. */
static void check_file(struct vnode *v, uint32_t identity, const uint32_t *least, size_t event) {
  static uint64_t bytes[FILE_PAGES * WORDS];
  struct uio uio;
  uio_init_kernel(&uio, bytes, sizeof bytes);
  if (v->ops->pread(v, &uio, 0) != 0)
    fail_msg("seed %lu, event %zu: file %u can't be read", fibers_seed, event, identity);
  size_t n = (sizeof bytes - uio.resid) / sizeof bytes[0];
  for (size_t i = 0; i < n; i++) {
    if (bytes[i] != 0 && bytes[i] >> 32 != identity)
      fail_msg("seed %lu, event %zu: file %u shows bytes of %u in page %zu", fibers_seed, event,
               identity, (unsigned)(bytes[i] >> 32), i / WORDS);
  }
  for (unsigned page = 0; page < FILE_PAGES; page++) {
    uint32_t there = page * WORDS < n ? (uint32_t)bytes[page * WORDS] : 0;
    if (there < least[page])
      fail_msg("seed %lu, event %zu: page %u of file %u is of version %u; %u was synced",
               fibers_seed, event, page, identity, there, least[page]);
  }
}

/* What syncs that had returned by then promise of a file. */
static const uint32_t *promised(uint32_t identity, size_t event) {
  static const uint32_t nothing[FILE_PAGES];
  const uint32_t *versions = nothing;
  for (unsigned i = 0; i < synced_count && synced[i].event <= event; i++)
    if (synced[i].identity == identity)
      versions = synced[i].versions;
  return versions;
}

static void check_image(size_t event) {
  const char *why = "";
  errno_t e = ext4_mount(&disk.dev, false, &root, &why);
  if (e != 0)
    fail_msg("seed %lu, event %zu: %s", fibers_seed, event, why);
  for (uint32_t identity = 1; identity <= last_identity; identity++) {
    const uint32_t *least = promised(identity, event);
    char name[16];
    struct vnode *v;
    name_of(identity, name);
    if (root->ops->lookup(root, name, strlen(name), &v) == 0) {
      check_file(v, identity, least, event);
      vnode_unref(v);
    } else {
      for (unsigned page = 0; page < FILE_PAGES; page++)
        assert_int_equal(least[page], 0);
    }
  }
  assert_int_equal(ext4_unmount(root), 0);
}

/* The disk after so many events: what was flushed, and of the rest nothing, or what chance says. */
static void cut_at(const uint8_t *original, size_t event, bool some) {
  size_t flushed = 0;
  memcpy(disk.bytes, original, disk.dev.size_bytes);
  for (size_t i = 0; i < event; i++)
    if (disk.events[i].data == NULL)
      flushed = i;
  for (size_t i = 0; i < event; i++) {
    const struct disk_event *x = &disk.events[i];
    if (x->data != NULL && (i < flushed || (some && fibers_random(2) == 0)))
      memcpy(disk.bytes + x->offset, x->data, x->n);
  }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* Takes all blocks but as many as the threads need, more or less. */
static void fill_disk(void) {
  const struct ext4 *fs = einode_of(root)->fs;
  uint64_t left = (FILES * FILE_PAGES + 20 + fibers_random(40)) * PAGE_SIZE >> fs->block_shift;
  struct vnode *v;
  assert_int_equal(root->ops->create(root, "filler", 6, FILETYPE_REGULAR_FILE, &v), 0);
  uint64_t blocks = fs->free_blocks - fs->reserved_blocks - left;
  assert_int_equal(v->ops->allocate(v, 0, blocks << fs->block_shift), 0);
  vnode_unref(v);
}

static void begin(unsigned seed) {
  const char *why = "";
  fibers_seed = seed;
  fibers_state = seed * 0x9e3779b97f4a7c15ul + 1;
  fibers_device = device;
  synced_count = last_identity = last_version = 0;
  if (seed % 2 == 0)
    fixture_mkfs(3, "-t ext4 -b 1024 -J size=1");
  else
    fixture_mkfs(10, "-t ext4 -b 4096 -J size=4");
  disk.file.fault = one_request;
  disk.file.held = true;
  assert_int_equal(ext4_mount(&disk.dev, false, &root, &why), 0);
  fill_disk();
  for (unsigned i = 0; i < FILES; i++) {
    char name[16];
    shared[i] = (struct shared){.identity = ++last_identity};
    name_of(shared[i].identity, name);
    assert_int_equal(
        root->ops->create(root, name, strlen(name), FILETYPE_REGULAR_FILE, &shared[i].v), 0);
  }
}

static void run(unsigned seed) {
  begin(seed);
  uint8_t *original = malloc(disk.dev.size_bytes);
  memcpy(original, disk.bytes, disk.dev.size_bytes);
  disk.log = true;
  for (unsigned i = 0; i < THREADS; i++)
    fiber_start(thread);
  fiber_start(flusher);
  fibers_join();
  disk.log = false;
  for (unsigned i = 0; i < FILES; i++)
    vnode_unref(shared[i].v);
  assert_int_equal(ext4_unmount(root), 0);
  fixture_fsck("after many threads");
  for (unsigned i = 0; i < CUTS; i++) {
    size_t event = fibers_random((unsigned)disk.event_count + 1);
    cut_at(original, event, true);
    check_image(event);
  }
  for (unsigned i = 0; i < synced_count; i++) {
    cut_at(original, synced[i].event, false);
    check_image(synced[i].event);
  }
  free(original);
  disk_free(&disk);
}

static void test_threads(void **state) {
  const char *n = getenv("VIRGA_SEEDS");
  unsigned seeds = n != NULL ? (unsigned)atoi(n) : 40;
  (void)state;
  for (unsigned seed = 0; seed < seeds; seed++)
    run(seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
  ram_init(60000);
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
