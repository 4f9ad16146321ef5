/*
 * What was written becomes durable by itself: a kernel thread commits some seconds after the first
 * change.
 *
 * One thread, `ext4`, for all file systems that are mounted writable. journal_changed() is called
 * inside transactions and where the last reference to an inode goes; it does not sleep.
 */
#include "fs/ext4/fs.h"
#include "kernel/clock.h"
#include "kernel/thread.h"
#include "kernel/timer.h"

#define COMMIT_AFTER_NS 5000000000ull

static struct waitq due_queue;
static bool due;

static void fire(struct timer *t) {
  (void)t;
  due = true;
  waitq_wake_all(&due_queue);
}

static struct timer timer = {.fire = fire};

void journal_changed(struct ext4 *fs) {
  (void)fs;
  if (!timer_armed(&timer) && !due)
    timer_set(&timer, clock_monotonic_ns() + COMMIT_AFTER_NS);
}

static void flush(void *arg) {
  (void)arg;
  for (;;) {
    while (!due)
      waitq_wait(&due_queue);
    due = false;
    ext4_commit_all();
  }
}

errno_t ext4_flush_start(void) {
  static struct thread *thread;
  if (thread != NULL)
    return 0;
  waitq_init(&due_queue);
  return thread_create_kernel(flush, NULL, &thread);
}
