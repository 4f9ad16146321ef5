// sources: kernel/lock.c kernel/lock_object.c kernel/lock_word.c kernel/condvar.c kernel/thread.c
// sources: kernel/waitq.c kernel/timer.c kernel/bh.c kernel/sys/poll.c kernel/sys/poll_lock.c
// sources: kernel/sys/lock.c kernel/fdtable.c kernel/file.c
/* Condition variables, case by case: what the words become, who is woken, which errors (4.5, 4.6).
 */
#include "tests/host/lock_actors.h"

/* ---- Condition variables --------------------------------------------------------------------- */

static void test_signal_gives_the_free_lock(void **state) {
  (void)state;
  static struct actor a, b;
  begin_condvar(&a, 0);
  begin_condvar(&b, 0);
  assert_int_equal(call_signal(&condvar, 0), 0);
  assert_int_equal(call_signal(&condvar, 1), 0);
  assert_int_equal(word, a.tid | WR);
  assert_int_equal(condvar, UINT32_MAX);
  thread_yield();
  assert_int_equal(a.result, 0);
  assert_int_equal(b.result, EINPROGRESS);
  assert_int_equal(unlock_as(a.tid), 0);
  assert_int_equal(call_signal(&condvar, 1), 0);
  assert_int_equal(condvar, 0);
  thread_yield();
  assert_int_equal(b.result, 0);
  assert_int_equal(call_signal(&condvar, 1), 0); /* nobody there */
}

static void test_broadcast_queues_for_the_lock(void **state) {
  (void)state;
  static struct actor a[3];
  for (int i = 0; i < 3; i++)
    begin_condvar(&a[i], 0);
  word = self | WR;
  assert_int_equal(call_signal(&condvar, UINT32_MAX), 0);
  assert_int_equal(condvar, 0);
  assert_int_equal(word, self | WR | KM);
  rank = 0;
  call_unlock(&word);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(word, a[i].tid | WR | (i < 2 ? KM : 0));
    thread_yield();
    assert_int_equal(a[i].result, 0);
    assert_int_equal(a[i].rank, i + 1);
    assert_int_equal(unlock_as(a[i].tid), 0);
  }
  assert_int_equal(word, 0);
}

static void test_broadcast_on_a_free_lock(void **state) {
  (void)state;
  static struct actor a[3];
  for (int i = 0; i < 3; i++)
    begin_condvar(&a[i], 0);
  assert_int_equal(call_signal(&condvar, UINT32_MAX), 0);
  struct lock_key key;
  assert_int_equal(lock_key_init(&key, LOCK_KIND_LOCK, &word, SCOPE_PRIVATE), 0);
  assert_int_equal(lock_object_find(&key)->owner, a[0].tid);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(word, a[i].tid | WR | (i < 2 ? KM : 0));
    thread_yield();
    assert_int_equal(a[i].result, 0);
    assert_int_equal(unlock_as(a[i].tid), 0);
  }
}

static void test_timeout_on_the_condvar(void **state) {
  (void)state;
  static struct actor a;
  begin_condvar(&a, 5000);
  word = self | WR;
  sleep_ns(10000);
  assert_int_equal(condvar, 0);
  assert_int_equal(a.result, EINPROGRESS); /* it needs the lock before it may return */
  assert_int_equal(word, self | WR | KM);
  call_unlock(&word);
  thread_yield();
  assert_int_equal(a.result, ETIMEDOUT);
  assert_int_equal(word, a.tid | WR);
}

/* Signalled in time, but the lock comes late: that is a wakeup. */
static void test_timeout_after_the_signal(void **state) {
  (void)state;
  static struct actor a;
  begin_condvar(&a, 5000);
  word = self | WR;
  assert_int_equal(call_signal(&condvar, 1), 0);
  sleep_ns(10000);
  assert_int_equal(a.result, EINPROGRESS);
  call_unlock(&word);
  thread_yield();
  assert_int_equal(a.result, 0);
}

static void test_condvar_errors(void **state) {
  (void)state;
  static struct actor a;
  assert_int_equal(wait_condvar(&condvar, &word, 0), EPERM); /* not held */
  assert_int_equal(condvar, 0);
  word = 77 | WR;
  assert_int_equal(wait_condvar(&condvar, &word, 0), EPERM); /* another's */
  begin(&a, WRITE, 20000);
  assert_int_equal(wait_condvar(&condvar, &word, 0), EPERM);
  assert_int_equal(condvar, 0);
  sleep_ns(30000);
  word = 0;
  begin_condvar(&a, 0);
  other = self | WR;
  assert_int_equal(wait_condvar(&condvar, &other, 0), EINVAL); /* bound to another lock */
  assert_int_equal(other, self | WR);
  word = LOCK_BOGUS;
  assert_int_equal(call_signal(&condvar, 1), EINVAL);
  word = 0;
  assert_int_equal(call_signal(&condvar, 1), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_signal_gives_the_free_lock), TEST(test_broadcast_queues_for_the_lock),
      TEST(test_broadcast_on_a_free_lock),   TEST(test_timeout_on_the_condvar),
      TEST(test_timeout_after_the_signal),   TEST(test_condvar_errors),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
