/*
 * The machine around ext4 for units: memory, a clock, a thread that is always alone.
 */
#ifndef TESTS_HOST_EXT4_FIXTURE_H
#define TESTS_HOST_EXT4_FIXTURE_H

#include "tests/host/disk.h"
#include "tests/host/ram.h"

#include "fs/ext4/fs.h"
#include "kernel/clock.h"
#include "kernel/list.h"

static struct disk disk;
static uint64_t fixture_now_ns = 1700000000000000000;

uint64_t clock_realtime_ns(void) {
  return fixture_now_ns += 1000;
}

uint64_t clock_monotonic_ns(void) {
  return fixture_now_ns += 1000;
}

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  memcpy(dst, src, n);
  return 0;
}

void log_printf(enum log_level level, const char *format, ...) {
  va_list ap;
  if (level > LOG_WARN)
    return;
  va_start(ap, format);
  vprintf(format, ap);
  va_end(ap);
  printf("\n");
}

/* One thread: a lock that is held is never waited for. */
static struct thread *const fixture_thread = (struct thread *)1;

void mutex_init(struct mutex *m) {
  *m = (struct mutex){0};
}

void mutex_lock(struct mutex *m) {
  assert_null(m->owner);
  m->owner = fixture_thread;
}

void mutex_unlock(struct mutex *m) {
  assert_ptr_equal(m->owner, fixture_thread);
  m->owner = NULL;
}

bool mutex_locked(const struct mutex *m) {
  return m->owner != NULL;
}

bool mutex_held(const struct mutex *m) {
  return m->owner == fixture_thread;
}

void waitq_wait(struct waitq *q) {
  (void)q;
  fail_msg("it waits for nobody");
}

void waitq_wake_all(struct waitq *q) {
  (void)q;
}

void memobj_revoke(struct memobj *obj, uint64_t offset, uint64_t len) {
  (void)obj;
  (void)offset;
  (void)len;
}

#endif
