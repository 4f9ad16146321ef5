/*
 * For the tests of locks and condition variables: the test is a thread of the program, others wait
 * beside it and note what they got.
 */
#ifndef TESTS_HOST_LOCK_ACTORS_H
#define TESTS_HOST_LOCK_ACTORS_H

#include "kernel/lock_object.h"
#include "tests/host/user_lock.h"

uint64_t clock_monotonic_ns(void) {
  return arch_time_ns();
}

uint64_t clock_offset_ns(void) {
  return 1000000000; /* realtime runs a second ahead */
}

static uint32_t word, condvar, other;
static tid_t self;

static inline int setup(void **state) {
  fake_setup(state);
  thread_current()->process = &fake_process;
  self = thread_current()->tid;
  return lock_thread_init(thread_current());
}

static inline int reset(void **state) {
  (void)state;
  fake_process_reset();
  word = condvar = other = 0;
  return 0;
}

static inline int check_clean(void **state) {
  (void)state;
  fake_process_wait();
  return lock_object_count() == 0 ? 0 : -1;
}

/* ---- Other threads --------------------------------------------------------------------------- */

/* What one of them is to do, and what came of it. */
struct actor {
  enum { WRITE, READ, CONDVAR } what;
  uint64_t timeout_ns;
  errno_t result; /* EINPROGRESS: it waits */
  unsigned rank;  /* when it got its answer */
  tid_t tid;
};

static unsigned rank;

static void act(uint64_t tid, uint64_t arg) {
  struct actor *a = (struct actor *)arg;
  a->result = a->what == CONDVAR ? wait_condvar(&condvar, &word, a->timeout_ns)
                                 : wait_lock(&word, a->what == WRITE, a->timeout_ns);
  a->rank = ++rank;
}

/* Starts it and lets it wait. */
static inline void begin(struct actor *a, int what, uint64_t timeout_ns) {
  *a = (struct actor){.what = what, .timeout_ns = timeout_ns, .result = EINPROGRESS};
  a->tid = fake_thread(act, (uintptr_t)a)->tid;
  thread_yield();
}

/* A waiter on the condition variable needs the lock first. */
static inline void begin_condvar(struct actor *a, uint64_t timeout_ns) {
  *a = (struct actor){.what = CONDVAR, .timeout_ns = timeout_ns, .result = EINPROGRESS};
  struct thread *t = fake_thread(act, (uintptr_t)a);
  a->tid = t->tid;
  assert_int_equal(word, 0);
  word = a->tid | WR;
  thread_yield();
  assert_int_equal(word, 0);
  assert_int_equal(condvar, UINT32_MAX);
}

static inline errno_t unlock_as(tid_t tid) {
  struct lock_key key;
  assert_int_equal(lock_key_init(&key, LOCK_KIND_LOCK, &word, SCOPE_PRIVATE), 0);
  errno_t e = lock_release(&key, &word, tid);
  thread_yield();
  return e;
}

static inline void sleep_ns(uint64_t ns) {
  struct waitq never;
  waitq_init(&never);
  assert_int_equal(waitq_sleep(&never, fake_now_ns + ns), ETIMEDOUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, check_clean)

#endif
