// sources: kernel/lock.c kernel/lock_object.c kernel/lock_word.c kernel/condvar.c kernel/thread.c
// sources: kernel/waitq.c kernel/timer.c kernel/bh.c kernel/sys/poll.c kernel/sys/poll_lock.c
// sources: kernel/sys/lock.c kernel/sys/thread.c kernel/fdtable.c kernel/file.c
/*
 * Locks, case by case: what the words become, who gets what, which errors (reference section 4);
 * and how threads begin and end.
 */
#include "tests/host/lock_actors.h"

/* ---- Locks ----------------------------------------------------------------------------------- */

static void test_free_lock(void **state) {
  (void)state;
  assert_int_equal(wait_lock(&word, true, 0), 0);
  assert_int_equal(word, self | WR);
  assert_int_equal(wait_lock(&word, true, 0), EDEADLK);
  assert_int_equal(call_unlock(&word), 0);
  assert_int_equal(word, 0);
  assert_int_equal(wait_lock(&word, false, 0), 0);
  assert_int_equal(wait_lock(&word, false, 0), 0);
  assert_int_equal(word, 2);
  word = WR - 1;
  assert_int_equal(wait_lock(&word, false, 0), EAGAIN);
}

static void test_unlocking_a_free_lock(void **state) {
  (void)state;
  assert_int_equal(call_unlock(&word), 0);
  assert_int_equal(word, 0);
}

static void test_bad_arguments(void **state) {
  (void)state;
  struct thread *t = thread_current();
  for (unsigned scope = 0; scope < 256; scope++) {
    bool good = scope == SCOPE_PRIVATE || scope == SCOPE_SHARED;
    assert_int_equal(sys_lock_unlock(t, &word, (scope_t)scope), good ? 0 : EINVAL);
    assert_int_equal(sys_condvar_signal(t, &condvar, (scope_t)scope, 1), good ? 0 : EINVAL);
  }
  uint32_t *odd = (uint32_t *)((uintptr_t)&word + 1), *null = NULL;
  assert_int_equal(call_unlock(odd), EFAULT);
  assert_int_equal(call_unlock(null), EFAULT);
  assert_int_equal(call_unlock((uint32_t *)USER_END), EFAULT);
  assert_int_equal(wait_lock(null, true, 0), EFAULT);
  assert_int_equal(wait_condvar(null, &word, 0), EFAULT);
  assert_int_equal(wait_condvar(&condvar, null, 0), EFAULT);
  word = LOCK_BOGUS;
  assert_int_equal(wait_lock(&word, true, 0), EINVAL);
  assert_int_equal(wait_lock(&word, false, 0), EINVAL);
  assert_int_equal(word, LOCK_BOGUS);
}

static void test_unmapped_word(void **state) {
  (void)state;
  fake_bad_low = (uintptr_t)&word;
  fake_bad_high = fake_bad_low + 4;
  assert_int_equal(wait_lock(&word, true, 0), EFAULT);
  assert_int_equal(wait_lock(&word, false, 0), EFAULT);
  assert_int_equal(call_unlock(&word), EFAULT);
  assert_int_equal(wait_condvar(&condvar, &word, 0), EFAULT);
  assert_int_equal(condvar, 0);
  fake_bad_low = fake_bad_high = 0;
}

/* Unmapped while threads wait: the holder gets an error and the waiters can still give up. */
static void test_word_vanishes(void **state) {
  (void)state;
  static struct actor a;
  word = self | WR;
  begin(&a, WRITE, 5000);
  fake_bad_low = (uintptr_t)&word;
  fake_bad_high = fake_bad_low + 4;
  assert_int_equal(call_unlock(&word), EFAULT);
  sleep_ns(10000);
  assert_int_equal(a.result, ETIMEDOUT);
  fake_bad_low = fake_bad_high = 0;
}

static void test_handoff_in_order(void **state) {
  (void)state;
  static struct actor a, b;
  word = self | WR;
  begin(&a, WRITE, 0);
  assert_int_equal(word, self | WR | KM);
  begin(&b, WRITE, 0);
  assert_int_equal(unlock_as(a.tid), EPERM);
  assert_int_equal(call_unlock(&word), 0);
  assert_int_equal(word, a.tid | WR | KM); /* at once: the waiter has not run yet */
  thread_yield();
  assert_int_equal(a.result, 0);
  assert_int_equal(b.result, EINPROGRESS);
  assert_int_equal(unlock_as(a.tid), 0);
  assert_int_equal(word, b.tid | WR);
  assert_int_equal(b.result, 0);
}

static void test_readers_after_writers(void **state) {
  (void)state;
  static struct actor r1, w, r2;
  word = self | WR;
  begin(&r1, READ, 0);
  begin(&w, WRITE, 0);
  begin(&r2, READ, 0);
  call_unlock(&word);
  assert_int_equal(word, w.tid | WR | KM);
  thread_yield();
  assert_int_equal(unlock_as(w.tid), 0);
  assert_int_equal(word, 2);
  assert_int_equal(r1.result, 0);
  assert_int_equal(r2.result, 0);
}

/* Whoever waits, for writing or reading, while readers hold the lock. */
static void test_behind_readers(void **state) {
  (void)state;
  static struct actor w, r;
  word = 2;
  begin(&w, WRITE, 0);
  assert_int_equal(word, 2 | KM);
  begin(&r, READ, 0); /* writers first */
  assert_int_equal(r.result, EINPROGRESS);
  assert_int_equal(unlock_as(2), EPERM); /* a number of readers is nobody's tid */
  assert_int_equal(unlock_as(self), EPERM);
  word = self | WR | KM; /* the last reader puts its name there */
  assert_int_equal(call_unlock(&word), 0);
  thread_yield();
  assert_int_equal(word, w.tid | WR | KM);
  assert_int_equal(unlock_as(w.tid), 0);
  assert_int_equal(word, 1);
  assert_int_equal(r.result, 0);
}

static void test_timeouts_restore_the_word(void **state) {
  (void)state;
  static struct actor a, b;
  word = 77 | WR;
  begin(&a, WRITE, 2000);
  begin(&b, READ, 4000);
  sleep_ns(3000);
  assert_int_equal(a.result, ETIMEDOUT);
  assert_int_equal(b.result, EINPROGRESS);
  assert_int_equal(word, 77 | WR | KM);
  sleep_ns(3000);
  assert_int_equal(b.result, ETIMEDOUT);
  assert_int_equal(word, 77 | WR);
}

/* An expired deadline makes the wait a try, which leaves no trace. */
static void test_expired_deadline(void **state) {
  (void)state;
  struct subscription subs[2] = {{.userdata = 1, .type = EVENTTYPE_LOCK_WRLOCK},
                                 {.userdata = 2, .type = EVENTTYPE_CLOCK}};
  struct event ev[2];
  subs[0].lock.lock = &word;
  subs[0].lock.lock_scope = SCOPE_SHARED;
  subs[1].clock.clock_id = CLOCK_REALTIME;
  subs[1].clock.flags = SUBSCRIPTION_CLOCK_ABSTIME;
  subs[1].clock.timeout = 12;
  assert_int_equal(user_poll(subs, 2, ev), 0);
  assert_int_equal(result_of(&ev[0], EVENTTYPE_LOCK_WRLOCK), 0);
  assert_int_equal(word, self | WR);
  word = 77 | WR;
  assert_int_equal(user_poll(subs, 2, ev), 0);
  assert_int_equal(result_of(&ev[0], EVENTTYPE_LOCK_WRLOCK), ETIMEDOUT);
  assert_int_equal(word, 77 | WR);
}

/* The last waiting writer gives up: the readers behind it join those that have the lock. */
static void test_readers_go_on_without_the_writer(void **state) {
  (void)state;
  static struct actor w, r1, r2;
  word = 1;
  begin(&w, WRITE, 5000);
  begin(&r1, READ, 0);
  begin(&r2, READ, 0);
  assert_int_equal(word, 1 | KM);
  sleep_ns(10000);
  assert_int_equal(w.result, ETIMEDOUT);
  assert_int_equal(word, 3);
  assert_int_equal(r1.result, 0);
  assert_int_equal(r2.result, 0);
}

/* … unless the last reader is on its way to hand the lock over. */
static void test_readers_wait_for_a_handover(void **state) {
  (void)state;
  static struct actor w, r1;
  word = 1;
  begin(&w, WRITE, 5000);
  begin(&r1, READ, 0);
  word = self | WR | KM;
  sleep_ns(10000);
  assert_int_equal(r1.result, EINPROGRESS);
  assert_int_equal(call_unlock(&word), 0);
  assert_int_equal(word, 1);
}

/* A wake that has nothing to do with the lock doesn't give it. */
static void test_no_spurious_wakeup(void **state) {
  (void)state;
  static struct actor a;
  word = self | WR;
  begin(&a, WRITE, 0);
  for (int i = 0; i < 3; i++) {
    thread_wake(thread_by_tid(a.tid));
    thread_yield();
    assert_int_equal(a.result, EINPROGRESS);
  }
  call_unlock(&word);
  thread_yield();
  assert_int_equal(a.result, 0);
}

static void test_killed_waiters(void **state) {
  (void)state;
  static struct actor a, b, c;
  begin_condvar(&c, 0);
  word = self | WR;
  begin(&a, WRITE, 0);
  begin(&b, READ, 0);
  process_kill(&fake_process, SIGKILL, 0);
  fake_process_wait();
  assert_int_equal(word, self | WR);
  assert_int_equal(condvar, 0);
}

static errno_t stack_init_result;

void arch_user_set_tls(uintptr_t tls) {
  (void)tls;
}

errno_t arch_user_stack_init(struct arch_user_start *start, uintptr_t low, uintptr_t top) {
  CHECK(low < top);
  start->sp = top;
  return stack_init_result;
}

/* The events carry what programs up to v0.16 look for. */
static void test_events_echo_the_address(void **state) {
  (void)state;
  struct subscription s = {.userdata = 1, .type = EVENTTYPE_LOCK_RDLOCK};
  struct event ev;
  s.lock.lock = &word;
  s.lock.lock_scope = 3;
  assert_int_equal(user_poll(&s, 1, &ev), 0);
  assert_int_equal(ev.error, EINVAL);
  assert_int_equal(ev.type, EVENTTYPE_LOCK_RDLOCK);
  assert_ptr_equal(ev.lock.lock, &word);
}

/* ---- thread_create, thread_exit -------------------------------------------------------------- */

static void exiting(uint64_t tid, uint64_t arg) {
  sys_thread_exit(thread_current(), &word, SCOPE_PRIVATE);
}

static void test_join(void **state) {
  (void)state;
  struct thread *t = fake_thread(exiting, 0);
  word = t->tid | WR;
  assert_int_equal(wait_lock(&word, false, 0), 0);
  assert_int_equal(word, 1);
}

static void test_exit_without_joiner(void **state) {
  (void)state;
  struct thread *t = fake_thread(exiting, 0);
  word = t->tid | WR;
  fake_process_wait();
  assert_int_equal(word, 0);
}

static uint64_t seen_tid, seen_arg;

static void entry(tid_t tid, void *aux) {
  seen_tid = tid;
  seen_arg = (uintptr_t)aux;
}

static void test_thread_create(void **state) {
  (void)state;
  static char stack[8192];
  struct threadattr attr = {entry, stack, sizeof stack, (void *)0x1234}, bad;
  struct thread *t = thread_current();
  tid_t tid = 0;
  assert_int_equal(sys_thread_create(t, &attr, &tid), 0);
  fake_process_wait();
  assert_true(tid != 0);
  assert_int_equal(seen_tid, tid);
  assert_int_equal(seen_arg, 0x1234);

  size_t before = thread_count();
  assert_int_equal(sys_thread_create(t, NULL, &tid), EFAULT);
  assert_int_equal(sys_thread_create(t, &attr, NULL), EFAULT);
  bad = attr;
  bad.stack_len = SIZE_MAX;
  assert_int_equal(sys_thread_create(t, &bad, &tid), EFAULT);
  bad = attr;
  bad.stack = NULL;
  assert_int_equal(sys_thread_create(t, &bad, &tid), EFAULT);
  bad = attr;
  bad.entry_point = (void (*)(tid_t, void *))0xffffffff80000000;
  assert_int_equal(sys_thread_create(t, &bad, &tid), EFAULT);
  stack_init_result = EFAULT; /* too small, or not mapped */
  assert_int_equal(sys_thread_create(t, &attr, &tid), EFAULT);
  stack_init_result = 0;
  assert_int_equal(thread_count(), before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_free_lock),
      TEST(test_unlocking_a_free_lock),
      TEST(test_bad_arguments),
      TEST(test_unmapped_word),
      TEST(test_word_vanishes),
      TEST(test_handoff_in_order),
      TEST(test_readers_after_writers),
      TEST(test_behind_readers),
      TEST(test_timeouts_restore_the_word),
      TEST(test_expired_deadline),
      TEST(test_readers_go_on_without_the_writer),
      TEST(test_readers_wait_for_a_handover),
      TEST(test_no_spurious_wakeup),
      TEST(test_killed_waiters),
      TEST(test_events_echo_the_address),
      TEST(test_join),
      TEST(test_exit_without_joiner),
      TEST(test_thread_create),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
