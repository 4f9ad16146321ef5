// sources: $(EXT4_HOST) tests/host/linux_tools.c
/* A disk that fails under ext4: each request of a program's work, from the mount to the end, is EIO
 * in its turn, once or from then on; writes may have been carried out in part. What must be true
 * then, ext4_session.h says. Recovery of a journal is tried so, too. VIRGA_STEP: every how many
 * requests (1). */
#include "tests/host/ext4_session.h"

enum how { ONCE, FOREVER, TORN, TORN_FOREVER, HOWS };
static const char *const how_names[] = {"once", "for ever", "torn once", "torn for ever"};

static enum how how;
static uint64_t fail_at;
static unsigned tried;

/* Of a write that fails some sectors may be there. */
static errno_t tear(struct blkfile *f, const struct blk_request *r, uint64_t *done_bytes) {
  errno_t e = disk_request(f, r, done_bytes);
  if (e != 0)
    *done_bytes = work_random((unsigned)(r->len_bytes / 512) + 1) * 512ul;
  return e;
}

static void plant(bool on) {
  if (on)
    disk.requests = 0;
  disk.fail_at = on ? fail_at : UINT64_MAX;
  disk.fail_count = how == ONCE || how == TORN ? 1 : UINT64_MAX;
  disk.file.fault = how >= TORN ? tear : disk_request;
}

static unsigned step_of(void) {
  const char *n = getenv("VIRGA_STEP");
  return n != NULL ? (unsigned)atoi(n) : 1;
}

/* Every request of a session. */
static void fail_each(const char *options, unsigned seed, unsigned steps) {
  const char *only = getenv("VIRGA_ONLY");
  fail_at = UINT64_MAX;
  how = ONCE;
  snprintf(session_what, sizeof session_what, "%s, without a fault", options);
  session_run(seed, steps);
  uint64_t last = session_requests;
  for (how = ONCE; how < HOWS; how++) {
    for (fail_at = how; fail_at < last; fail_at += step_of()) {
      if (only != NULL && (uint64_t)atoi(only) != fail_at)
        continue;
      snprintf(session_what, sizeof session_what, "%s, EIO %s at request %lu", options,
               how_names[how], fail_at);
      session_run(seed, steps);
      tried++;
    }
  }
}

static void report(const char *what) {
  printf("%s: %u faults; %u mounts refused, %u file systems read-only since, %u went on\n", what,
         tried, session_refused, session_failed, session_survived);
  tried = session_refused = session_failed = session_survived = 0;
}

static void test_work(void **state) {
  static const struct {
    const char *options;
    unsigned mib;
  } kinds[] = {
      {"-t ext4 -b 1024 -J size=1", 4}, {"-t ext3 -b 1024 -J size=1", 4}, {"-t ext4 -b 4096", 10}};
  (void)state;
  session_fault = plant;
  for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    session_mkfs(kinds[i].mib, kinds[i].options);
    fail_each(kinds[i].options, i, 60);
    session_free();
  }
  report("work");
}

/* A disk that fails while what a cut left is recovered: the next mount does it. */
static void recover_each(const uint8_t *left) {
  struct vnode *root;
  const char *why = "";
  uint64_t last = UINT64_MAX;
  for (fail_at = UINT64_MAX;; fail_at = fail_at == UINT64_MAX ? 0 : fail_at + 1) {
    if (fail_at != UINT64_MAX && fail_at >= last)
      break;
    snprintf(session_what, sizeof session_what, "recovery, EIO %s at request %lu", how_names[how],
             fail_at);
    memcpy(disk.bytes, left, disk.dev.size_bytes);
    plant(true);
    errno_t e = ext4_mount(&disk.dev, false, &root, &why);
    if (e == 0)
      ext4_unmount(root);
    session_refused += e != 0;
    session_survived += e == 0;
    last = fail_at == UINT64_MAX ? disk.requests : last;
    tried++;
    plant(false);
    session_restart(true);
  }
}

static void test_recovery(void **state) {
  struct vnode *root;
  const char *why = "";
  (void)state;
  session_fault = plant;
  session_mkfs(4, "-t ext4 -b 1024 -J size=1");
  memcpy(disk.bytes, session_image, disk.dev.size_bytes);
  plant(false);
  assert_int_equal(ext4_mount(&disk.dev, false, &root, &why), 0);
  program_begin(root, 5, session_over);
  for (unsigned i = 0; i < 80; i++)
    program_step();
  uint8_t *left = malloc(disk.dev.size_bytes); /* the power goes */
  memcpy(left, disk.bytes, disk.dev.size_bytes);
  work_close();
  assert_int_equal(ext4_unmount(root), 0);
  for (how = ONCE; how < HOWS; how++)
    recover_each(left);
  work_end();
  free(left);
  session_free();
  report("recovery");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_recovery), cmocka_unit_test(test_work)};
  ram_init(60000);
  fixture_quiet = getenv("VIRGA_LOUD") == NULL;
  return cmocka_run_group_tests(tests, NULL, fixture_remove);
}
