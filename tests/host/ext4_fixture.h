/*
 * The machine around ext4 for units: memory, a clock; arch/host/alone.c has the rest.
 */
#ifndef TESTS_HOST_EXT4_FIXTURE_H
#define TESTS_HOST_EXT4_FIXTURE_H

#include "tests/host/disk.h"
#include "tests/host/ram.h"

int getpid(void);

#include "fs/ext4/fs.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/list.h"

static struct disk disk;
static uint64_t fixture_now_ns = 1700000000000000000;

uint64_t clock_realtime_ns(void) {
  return fixture_now_ns += 1000;
}

uint64_t clock_monotonic_ns(void) {
  return fixture_now_ns += 1000;
}

static char fixture_line[300];  /* what was logged last */
static unsigned fixture_errors; /* how many lines of LOG_ERROR there were */
static bool fixture_quiet;      /* errors are what a test wants: they are not printed */

void log_printf(enum log_level level, const char *format, ...) {
  va_list ap;
  if (level > LOG_WARN)
    return;
  va_start(ap, format);
  vsnprintf(fixture_line, sizeof fixture_line, format, ap);
  va_end(ap);
  fixture_errors += level == LOG_ERROR;
  if (!fixture_quiet)
    printf("%s\n", fixture_line);
}

void journal_changed(struct ext4 *fs) {
  (void)fs;
}

void random_bytes(void *p, size_t n) {
  static uint8_t last;
  for (size_t i = 0; i < n; i++)
    ((uint8_t *)p)[i] = last += 37;
}

/* ---- Linux's tools --------------------------------------------------------------------------- */

static char fixture_path[64];
static char fixture_words[4000]; /* what e2fsck said last */

static const char *fixture_file(void) {
  if (fixture_path[0] == '\0')
    snprintf(fixture_path, sizeof fixture_path, "/dev/shm/virga-ext4-%d", getpid());
  return fixture_path;
}

/* A new file system, made with these options of mkfs.ext4, in `disk`. */
static inline void fixture_mkfs_kib(unsigned kib, const char *options) {
  char command[400];
  snprintf(command, sizeof command,
           "rm -f %s && truncate -s %uK %s && mkfs.ext4 -q -F %s %s >%s.out 2>&1", fixture_file(),
           kib, fixture_file(), options, fixture_file(), fixture_file());
  assert_int_equal(system(command), 0);
  assert_true(disk_load(&disk, fixture_file()));
}

static inline void fixture_mkfs(unsigned mib, const char *options) {
  fixture_mkfs_kib(mib * 1024, options);
}

/* Runs e2fsck on what is on the disk; its status, and in *words whether it said more than it always
 * does. */
static inline int fixture_e2fsck(const char *options, bool *words) {
  char command[200], line[300];
  unsigned lines = 0;
  assert_true(disk_save(&disk, fixture_file()));
  snprintf(command, sizeof command, "exec e2fsck %s %s 2>&1", options, fixture_file());
  FILE *f = popen(command, "r");
  assert_non_null(f);
  *words = false;
  fixture_words[0] = '\0';
  while (fgets(line, sizeof line, f) != NULL) {
    bool usual = strncmp(line, "e2fsck ", 7) == 0 || strncmp(line, "Pass ", 5) == 0;
    if (!usual && lines++ > 0)
      *words = true;
    strncat(fixture_words, line, sizeof fixture_words - strlen(fixture_words) - 1);
  }
  return pclose(f) / 256;
}

/* e2fsck has not a word to say about what is on the disk. */
static inline void fixture_fsck(const char *what) {
  bool words;
  if (fixture_e2fsck("-fn", &words) != 0 || words)
    fail_msg("e2fsck complains: %s\n%s", what, fixture_words);
}

/* e2fsck replays the journal and clears orphans, and finds nothing else to do; the disk is what it
 * left. */
static inline void fixture_fsck_repairs(const char *what) {
  struct disk after;
  bool words;
  if (fixture_e2fsck("-p", &words) > 1)
    fail_msg("e2fsck does not repair: %s\n%s", what, fixture_words);
  assert_true(disk_load(&after, fixture_file()));
  memcpy(disk.bytes, after.bytes, disk.dev.size_bytes);
  disk_free(&after);
}

static inline int fixture_remove(void **state) {
  char command[200];
  (void)state;
  snprintf(command, sizeof command, "rm -f %s %s.out", fixture_file(), fixture_file());
  return system(command);
}

#endif
