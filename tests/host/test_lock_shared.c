// sources: kernel/lock.c kernel/lock_object.c kernel/lock_word.c kernel/condvar.c kernel/thread.c
// sources: kernel/waitq.c kernel/timer.c kernel/bh.c kernel/sys/poll.c kernel/sys/poll_lock.c
// sources: kernel/sys/lock.c kernel/fdtable.c kernel/file.c tests/host/shared_views.c
/*
 * Locks and condition variables of two processes that share memory at different addresses: who
 * means the same word, who may touch which, and what a death leaves behind (reference 4.3 to 4.5).
 */
#include "kernel/lock_object.h"
#include "tests/host/user_lock.h"

uint64_t clock_monotonic_ns(void) {
  return arch_time_ns();
}

uint64_t clock_offset_ns(void) {
  return 0;
}

struct words {
  uint32_t lock, other, condvar;
};

/* The shared words, where the first process has them (the test belongs to it) and where the second
 * has them; and some that nobody shares. */
#define mine ((struct words *)fake_views[0])
#define theirs ((struct words *)fake_views[1])
static struct words alone;
static tid_t self;

static int setup(void **state) {
  fake_setup(state);
  fake_share();
  fake_processes_reset();
  thread_current()->process = &fake_process;
  self = thread_current()->tid;
  return lock_thread_init(thread_current());
}

static int reset(void **state) {
  (void)state;
  fake_processes_reset();
  alone = (struct words){0};
  user_scope = user_condvar_scope = SCOPE_SHARED;
  fake_writable_calls = 0;
  return 0;
}

static int check_clean(void **state) {
  (void)state;
  fake_processes_wait();
  return lock_object_count() == 0 ? 0 : -1;
}

/* ---- Threads of both processes --------------------------------------------------------------- */

static unsigned run_last; /* that many ready threads let the next one of begin() run first */

struct actor {
  enum { WRITE, READ, CONDVAR } what;
  uint32_t *lock, *condvar;
  uint64_t timeout_ns;
  errno_t result; /* EINPROGRESS: it waits */
  struct thread *thread;
  tid_t tid;
};

static void act(uint64_t tid, uint64_t arg) {
  struct actor *a = (struct actor *)arg;
  a->result = a->what == CONDVAR ? wait_condvar(a->condvar, a->lock, a->timeout_ns)
                                 : wait_lock(a->lock, a->what == WRITE, a->timeout_ns);
}

static void begin(struct actor *a, struct process *p, int what, uint32_t *lock, uint32_t *condvar) {
  a->what = what;
  a->lock = lock;
  a->condvar = condvar;
  a->result = EINPROGRESS;
  a->thread = fake_thread_of(p, act, (uintptr_t)a);
  a->tid = a->thread->tid;
  if (what == CONDVAR)
    *lock = a->tid | WR;
  for (; run_last > 0; run_last--)
    list_push_back(&this_cpu()->ready, list_pop_front(&this_cpu()->ready));
  thread_yield();
}

static errno_t unlock_as(uint32_t *word, tid_t tid) {
  struct lock_key key;
  uint32_t *at;
  assert_int_equal(lock_key_init(&key, LOCK_KIND_LOCK, word, user_scope), 0);
  assert_int_equal(lock_word_find(&key, &at), 0);
  errno_t e = lock_release(&key, at, tid);
  lock_key_unref(&key);
  thread_yield();
  return e;
}

static void sleep_ns(uint64_t ns) {
  struct waitq never;
  waitq_init(&never);
  assert_int_equal(waitq_sleep(&never, fake_now_ns + ns), ETIMEDOUT);
}

#define FIRST (&fake_process)
#define SECOND (&fake_second)

/* ---- Which words are the same ---------------------------------------------------------------- */

static void test_two_addresses_one_lock(void **state) {
  static struct actor a, b;
  a = b = (struct actor){0};
  mine->lock = self | WR;
  begin(&a, SECOND, WRITE, &theirs->lock, NULL);
  assert_int_equal(mine->lock, self | WR | KM);
  begin(&b, FIRST, WRITE, &mine->lock, NULL);
  assert_int_equal(lock_object_count(), 1);
  assert_int_equal(call_unlock(&mine->lock), 0);
  thread_yield();
  assert_int_equal(a.result, 0);
  assert_int_equal(b.result, EINPROGRESS);
  assert_int_equal(theirs->lock, a.tid | WR | KM);
  assert_int_equal(unlock_as(&mine->lock, a.tid), 0);
  assert_int_equal(b.result, 0);
  assert_int_equal(mine->lock, b.tid | WR);
}

/* Neighbours in one object, and the same offset in private memory. */
static void test_other_words_are_others(void **state) {
  static struct actor a, b, c;
  a = b = c = (struct actor){0};
  mine->lock = mine->other = alone.lock = self | WR;
  begin(&a, SECOND, WRITE, &theirs->lock, NULL);
  begin(&b, SECOND, WRITE, &theirs->other, NULL);
  begin(&c, FIRST, WRITE, &alone.lock, NULL);
  assert_int_equal(lock_object_count(), 3);
  assert_int_equal(call_unlock(&mine->other), 0);
  thread_yield();
  assert_int_equal(b.result, 0);
  assert_int_equal(a.result, EINPROGRESS);
  assert_int_equal(c.result, EINPROGRESS);
  call_unlock(&mine->lock);
  call_unlock(&alone.lock);
}

/* Shared scope without shared memory means what private scope means. */
static void test_shared_scope_in_private_memory(void **state) {
  static struct actor a;
  a = (struct actor){0};
  alone.lock = self | WR;
  begin(&a, FIRST, WRITE, &alone.lock, NULL);
  user_scope = SCOPE_PRIVATE;
  assert_int_equal(call_unlock(&alone.lock), 0);
  thread_yield();
  assert_int_equal(a.result, 0);
}

/* Private scope in shared memory: each process its own. */
static void test_private_scope_in_shared_memory(void **state) {
  static struct actor a;
  a = (struct actor){0};
  user_scope = SCOPE_PRIVATE;
  mine->lock = self | WR;
  begin(&a, SECOND, WRITE, &theirs->lock, NULL);
  assert_int_equal(call_unlock(&mine->lock), 0); /* nobody waits for this one */
  assert_int_equal(mine->lock, 0);
  assert_int_equal(a.result, EINPROGRESS);
  process_kill(SECOND, SIGKILL, 0);
}

static void test_not_mapped(void **state) {
  for (int i = 0; i < 2; i++) {
    user_scope = user_condvar_scope = i == 0 ? SCOPE_PRIVATE : SCOPE_SHARED;
    assert_int_equal(wait_lock(&theirs->lock, true, 0), EFAULT);
    assert_int_equal(wait_lock(&theirs->lock, false, 0), EFAULT);
    assert_int_equal(call_unlock(&theirs->lock), EFAULT);
    assert_int_equal(call_signal(&theirs->condvar, 1), EFAULT);
    assert_int_equal(wait_condvar(&theirs->condvar, &mine->lock, 0), EFAULT);
    assert_int_equal(wait_condvar(&mine->condvar, &theirs->lock, 0), EFAULT);
  }
}

/* ---- Condition variables --------------------------------------------------------------------- */

static void test_signal_from_another_process(void **state) {
  static struct actor a, b;
  a = b = (struct actor){0};
  begin(&a, SECOND, CONDVAR, &theirs->lock, &theirs->condvar);
  begin(&b, FIRST, CONDVAR, &mine->lock, &mine->condvar);
  assert_int_equal(mine->condvar, UINT32_MAX);
  assert_int_equal(mine->lock, 0);
  assert_int_equal(call_signal(&mine->condvar, UINT32_MAX), 0);
  assert_int_equal(mine->condvar, 0);
  assert_int_equal(mine->lock, a.tid | WR | KM);
  thread_yield();
  assert_int_equal(a.result, 0);
  assert_int_equal(unlock_as(&mine->lock, a.tid), 0);
  assert_int_equal(b.result, 0);
  assert_int_equal(mine->lock, b.tid | WR);
}

/* The variable is shared and its lock is not: who signals can't see the lock, the kernel can. */
static void test_signal_to_a_private_lock(void **state) {
  static struct actor a;
  for (int cow = 0; cow < 2; cow++) {
    a = (struct actor){0};
    user_scope = SCOPE_PRIVATE;
    begin(&a, SECOND, CONDVAR, &alone.lock, &theirs->condvar);
    assert_int_equal(alone.lock, 0);
    if (cow) { /* a child shares its page */
      fake_cow_low = (uintptr_t)&alone & ~(PAGE_SIZE - 1);
      fake_cow_high = fake_cow_low + PAGE_SIZE;
    }
    assert_int_equal(call_signal(&mine->condvar, 1), 0);
    assert_int_equal(fake_writable_calls, cow);
    assert_int_equal(alone.lock, a.tid | WR);
    thread_yield();
    assert_int_equal(a.result, 0);
    alone.lock = 0;
  }
}

/* … unless it has been unmapped. Nobody is woken, and nothing breaks. */
static void test_signal_to_an_unmapped_lock(void **state) {
  static struct actor a;
  a = (struct actor){.timeout_ns = 5000};
  user_scope = SCOPE_PRIVATE;
  begin(&a, SECOND, CONDVAR, &alone.lock, &theirs->condvar);
  fake_bad_low = (uintptr_t)&alone & ~(PAGE_SIZE - 1);
  fake_bad_high = fake_bad_low + PAGE_SIZE;
  assert_int_equal(call_signal(&mine->condvar, 1), EFAULT);
  assert_int_equal(mine->condvar, UINT32_MAX);
  fake_bad_low = fake_bad_high = 0;
  sleep_ns(10000);
  assert_int_equal(a.result, ETIMEDOUT);
}

/* ---- Files that are cut off ------------------------------------------------------------------ */

static void test_words_are_cut_off(void **state) {
  static struct actor a, b, c;
  a = b = c = (struct actor){.timeout_ns = 5001};
  mine->lock = self | WR;
  begin(&a, SECOND, WRITE, &theirs->lock, NULL);
  begin(&b, SECOND, READ, &theirs->lock, NULL);
  begin(&c, SECOND, CONDVAR, &theirs->other, &theirs->condvar);
  fake_shared_bytes = 0;
  assert_int_equal(call_unlock(&mine->lock), EFAULT);
  assert_int_equal(call_signal(&mine->condvar, 1), EFAULT);
  sleep_ns(10000);
  assert_int_equal(a.result, ETIMEDOUT);
  assert_int_equal(b.result, ETIMEDOUT);
  assert_int_equal(c.result, EFAULT); /* it can't have its lock back */
}

/* ---- Deaths ---------------------------------------------------------------------------------- */

static void test_killed_waiters(void **state) {
  static struct actor a, b, c;
  a = b = c = (struct actor){0};
  begin(&c, SECOND, CONDVAR, &theirs->lock, &theirs->condvar);
  mine->lock = self | WR;
  begin(&a, SECOND, WRITE, &theirs->lock, NULL);
  begin(&b, SECOND, READ, &theirs->lock, NULL);
  process_kill(SECOND, SIGKILL, 0);
  fake_processes_wait();
  assert_int_equal(mine->lock, self | WR);
  assert_int_equal(mine->condvar, 0);
  assert_int_equal(call_unlock(&mine->lock), 0);
}

/* The lock was given to one that had been killed: it goes on to the next. */
static void test_killed_heir(void **state) {
  static struct actor a, b;
  for (int killed_first = 0; killed_first < 2; killed_first++) {
    a = b = (struct actor){0};
    mine->lock = self | WR;
    begin(&a, SECOND, WRITE, &theirs->lock, NULL);
    begin(&b, FIRST, WRITE, &mine->lock, NULL);
    if (killed_first)
      process_kill(SECOND, SIGKILL, 0);
    assert_int_equal(call_unlock(&mine->lock), 0);
    assert_int_equal(mine->lock, a.tid | WR | KM);
    if (!killed_first)
      process_kill(SECOND, SIGKILL, 0);
    fake_processes_wait();
    assert_int_equal(a.result, EINPROGRESS);
    assert_int_equal(b.result, 0);
    assert_int_equal(mine->lock, b.tid | WR);
    fake_processes_reset();
  }
}

/* Readers that die with the lock in hand count no more, and the last one lets the writer in. */
static void test_killed_readers(void **state) {
  static struct actor a, b, w;
  a = b = w = (struct actor){0};
  mine->lock = self | WR;
  begin(&a, SECOND, READ, &theirs->lock, NULL);
  begin(&b, SECOND, READ, &theirs->lock, NULL);
  assert_int_equal(call_unlock(&mine->lock), 0);
  assert_int_equal(mine->lock, 2);
  process_kill(SECOND, SIGKILL, 0);
  run_last = 2; /* the writer comes before they know */
  begin(&w, FIRST, WRITE, &mine->lock, NULL);
  fake_processes_wait();
  assert_int_equal(w.result, 0);
  assert_int_equal(mine->lock, w.tid | WR);
}

/* A signal goes to one who lives. */
static void test_signal_passes_by_the_dying(void **state) {
  static struct actor a, b, c;
  a = b = c = (struct actor){0};
  begin(&a, SECOND, CONDVAR, &theirs->lock, &theirs->condvar);
  begin(&b, FIRST, CONDVAR, &mine->lock, &mine->condvar);
  begin(&c, FIRST, CONDVAR, &mine->lock, &mine->condvar);
  process_kill(SECOND, SIGKILL, 0);
  assert_int_equal(call_signal(&mine->condvar, 1), 0);
  thread_yield();
  assert_int_equal(b.result, 0);
  assert_int_equal(c.result, EINPROGRESS);
  assert_int_equal(mine->condvar, UINT32_MAX);
  assert_int_equal(mine->lock, b.tid | WR);
  assert_int_equal(call_signal(&mine->condvar, 5), 0);
  assert_int_equal(mine->condvar, 0);
  assert_int_equal(unlock_as(&mine->lock, b.tid), 0);
  assert_int_equal(c.result, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, check_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_two_addresses_one_lock),
      TEST(test_other_words_are_others),
      TEST(test_shared_scope_in_private_memory),
      TEST(test_private_scope_in_shared_memory),
      TEST(test_not_mapped),
      TEST(test_signal_from_another_process),
      TEST(test_signal_to_a_private_lock),
      TEST(test_signal_to_an_unmapped_lock),
      TEST(test_words_are_cut_off),
      TEST(test_killed_waiters),
      TEST(test_killed_heir),
      TEST(test_killed_readers),
      TEST(test_signal_passes_by_the_dying),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
