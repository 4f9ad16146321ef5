// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
/* The scheduler and wait queues: order, preemption, sleeping, death, limits. */
#include "tests/host/fake_machine.h"

static int reset(void **state) {
  (void)state;
  fake_process_reset();
  fake_device = NULL;
  return 0;
}

/* ---- Order and preemption -------------------------------------------------------------------- */

static char journal[64];
static size_t journal_length;

static void note(char c) {
  CHECK(journal_length < sizeof journal - 1);
  journal[journal_length++] = c;
  journal[journal_length] = 0;
}

static void noting_thread(uint64_t tid, uint64_t arg) {
  for (int i = 0; i < 3; i++) {
    note((char)arg);
    thread_yield();
  }
}

static void test_first_come_first_served(void **state) {
  (void)state;
  journal_length = 0;
  for (char c = 'a'; c <= 'c'; c++)
    fake_thread(noting_thread, (uint64_t)c);
  fake_process_wait();
  assert_string_equal(journal, "abcabcabc");
}

static bool busy_stop;
static uint64_t busy_turns;

/* Computes without a system call; only interrupts come in between. */
static void busy_thread(uint64_t tid, uint64_t arg) {
  uint64_t before_ns = fake_now_ns;
  while (!busy_stop) {
    fake_now_ns += 1000;
    fake_interrupt();
    uint64_t entry_ns = fake_now_ns;
    fake_return_to_user();
    if (fake_now_ns - entry_ns > 5000000) { /* others ran */
      CHECK(entry_ns - before_ns >= 9990000 && entry_ns - before_ns < 10100000);
      before_ns = fake_now_ns;
      if (++busy_turns == 20)
        busy_stop = true;
    }
  }
}

/* Each of two busy threads gets 10 ms at a time. */
static void test_slices(void **state) {
  (void)state;
  busy_stop = false;
  busy_turns = 0;
  fake_thread(busy_thread, 0);
  fake_thread(busy_thread, 0);
  fake_process_wait();
  assert_int_equal(busy_turns, 20);
}

static void lonely_thread(uint64_t tid, uint64_t arg) {
  for (int i = 0; i < 100000; i++) {
    fake_now_ns += 1000;
    fake_interrupt();
    fake_return_to_user();
  }
}

/* Nothing ticks for a thread that is alone. */
static void test_tickless(void **state) {
  (void)state;
  fake_thread(lonely_thread, 0);
  unsigned before = fake_timer_programmed;
  fake_process_wait();
  assert_true(fake_timer_programmed - before <= 1);
}

/* ---- Sleeping -------------------------------------------------------------------------------- */

static struct waitq queue = {{&queue.waiters, &queue.waiters}};

static void wake_from_interrupt(void) {
  waitq_wake_all(&queue);
}

/* Who waits for an interrupt itself goes on without a switch. */
static void test_idle_without_switch(void **state) {
  (void)state;
  unsigned before = fake_switches;
  fake_device = wake_from_interrupt;
  assert_int_equal(waitq_sleep(&queue, NEVER_NS), 0);
  assert_int_equal(fake_switches, before);
}

static void test_timeout(void **state) {
  (void)state;
  uint64_t deadline_ns = fake_now_ns + 5000;
  assert_int_equal(waitq_sleep(&queue, deadline_ns), ETIMEDOUT);
  assert_true(fake_now_ns >= deadline_ns && fake_now_ns < deadline_ns + 100);
  assert_true(list_empty(&queue.waiters));
  assert_int_equal(waitq_sleep(&queue, 1), ETIMEDOUT); /* long ago */
}

static void waker_thread(uint64_t tid, uint64_t arg) {
  if (arg == 1)
    waitq_wake_one(&queue);
  else
    waitq_wake_all(&queue);
}

static void test_wake_before_the_deadline(void **state) {
  (void)state;
  fake_thread(waker_thread, 0);
  assert_int_equal(waitq_sleep(&queue, fake_now_ns + 1000000), 0);
  fake_process_wait();
}

static unsigned woken;

static void sleeping_thread(uint64_t tid, uint64_t arg) {
  CHECK(waitq_sleep(&queue, NEVER_NS) == 0);
  woken++;
}

static void test_wake_one_and_all(void **state) {
  (void)state;
  woken = 0;
  for (int i = 0; i < 5; i++)
    fake_thread(sleeping_thread, 0);
  thread_yield();
  waitq_wake_one(&queue);
  thread_yield();
  assert_int_equal(woken, 1);
  waitq_wake_all(&queue);
  thread_yield();
  assert_int_equal(woken, 5);
  fake_process_wait();
}

static unsigned seen;

static void watch_woken(struct watch *w) {
  CHECK(list_empty(&w->waiter.link));
  seen++;
}

/* A watch sees every wake, and takes none from a thread. */
static void test_watches(void **state) {
  (void)state;
  struct watch watch[2];
  seen = woken = 0;
  for (int i = 0; i < 2; i++) {
    watch_init(&watch[i], watch_woken);
    waitq_leave(&queue, &watch[i].waiter, true);
    fake_thread(sleeping_thread, 0);
    thread_yield();
  }
  waitq_wake_one(&queue);
  thread_yield();
  assert_int_equal(seen, 1);
  assert_int_equal(woken, 1);
  waitq_wake_all(&queue);
  thread_yield();
  assert_int_equal(seen, 2);
  assert_int_equal(woken, 2);
  waitq_wake_one(&queue);
  assert_int_equal(seen, 2);
  fake_process_wait();
}

/* Of threads those alone are left on the queue that were told no. */
static void test_leave(void **state) {
  (void)state;
  struct waiter w = {.thread = thread_current()};
  list_init(&w.link);
  waitq_leave(&queue, NULL, false);
  waitq_leave(&queue, &w, true);
  assert_true(list_empty(&queue.waiters));
  waitq_leave(&queue, &w, false);
  assert_false(list_empty(&queue.waiters));
  waitq_remove(&w);
}

/* A wake between the announcement and the sleep is not lost. */
static void test_wake_before_sleep(void **state) {
  (void)state;
  thread_sleep_begin();
  thread_wake(thread_current());
  assert_int_equal(thread_sleep(NEVER_NS), 0);
}

static unsigned paused;

static void pausing_thread(uint64_t tid, uint64_t arg) {
  for (int i = 0; i < 10; i++)
    CHECK(thread_pause() == 0);
  paused++;
}

/* Long kernel work lets interrupts in, even when no other thread is ready. */
static void test_pause(void **state) {
  (void)state;
  fake_thread(pausing_thread, 0);
  unsigned before = fake_waits;
  fake_process_wait();
  assert_int_equal(paused, 1);
  assert_true(fake_waits - before >= 10);
}

/* ---- Death ----------------------------------------------------------------------------------- */

static errno_t sleeper_result;
static bool back_in_user_mode;

static void doomed_thread(uint64_t tid, uint64_t arg) {
  sleeper_result = waitq_sleep(&queue, NEVER_NS);
  fake_return_to_user();
  back_in_user_mode = true;
}

static void test_kill_a_sleeper(void **state) {
  (void)state;
  back_in_user_mode = false;
  fake_thread(doomed_thread, 0);
  thread_yield();
  process_kill(&fake_process, SIGKILL, 0);
  fake_process_wait();
  assert_int_equal(sleeper_result, ECANCELED);
  assert_false(back_in_user_mode);
  assert_true(list_empty(&queue.waiters));
}

/* A wake that only the killed thread got goes to the next one. */
static void test_kill_passes_the_wake_on(void **state) {
  (void)state;
  fake_thread(doomed_thread, 0);
  thread_yield();
  waitq_wake_one(&queue);
  process_kill(&fake_process, SIGKILL, 0);
  assert_int_equal(waitq_sleep(&queue, fake_now_ns + 1000), 0);
  fake_process_wait();
}

/* Stopped threads stay at the edge of user mode, whatever wakes them, until they are killed. */
static void test_stop(void **state) {
  (void)state;
  back_in_user_mode = false;
  fake_thread(doomed_thread, 0);
  thread_yield();
  fake_process.stopped = true;
  struct thread *t = container_of(fake_process.threads.next, struct thread, process_link);
  t->dying = true;
  for (int i = 0; i < 5; i++) {
    thread_wake(t);
    thread_yield();
  }
  assert_false(list_empty(&fake_process.threads));
  process_kill(&fake_process, SIGKILL, 0);
  fake_process_wait();
  assert_false(back_in_user_mode);
}

static void empty_thread(uint64_t tid, uint64_t arg) {
}

static void test_a_thread_of_a_dead_process(void **state) {
  (void)state;
  fake_process.exiting = true;
  back_in_user_mode = false;
  fake_thread(doomed_thread, 0);
  fake_process_wait();
  assert_false(back_in_user_mode);
}

static unsigned kernel_runs;

static void kernel_thread(void *arg) {
  kernel_runs += *(unsigned *)arg;
}

static void test_kernel_thread(void **state) {
  (void)state;
  unsigned amount = 7;
  struct thread *t;
  size_t before = thread_count();
  assert_int_equal(thread_create_kernel(kernel_thread, &amount, &t), 0);
  thread_yield();
  assert_int_equal(kernel_runs, 7);
  assert_int_equal(thread_count(), before);
}

/* ---- Accounting and limits ------------------------------------------------------------------- */

static uint64_t measured_ns;

static void measured_thread(uint64_t tid, uint64_t arg) {
  fake_now_ns += 5000;
  CHECK(waitq_sleep(&queue, fake_now_ns + 1000000) == ETIMEDOUT);
  fake_now_ns += 5000;
  measured_ns = thread_cpu_ns(thread_current());
}

/* Time asleep is not time used. */
static void test_cpu_time(void **state) {
  (void)state;
  fake_thread(measured_thread, 0);
  fake_process_wait();
  assert_in_range(measured_ns, 10000, 10200);
  assert_in_range(fake_process.cpu_ns, 10000, 10300);
}

static void test_tids(void **state) {
  (void)state;
  tid_t last = 0;
  for (int i = 0; i < 100; i++) {
    struct thread *t = fake_thread(empty_thread, 0);
    assert_true(t->tid > last && t->tid >= 2 && t->tid < 1u << 30);
    assert_ptr_equal(thread_by_tid(t->tid), t);
    last = t->tid;
    fake_process_wait();
    assert_null(thread_by_tid(last));
  }
}

static void test_too_many(void **state) {
  (void)state;
  static struct thread *threads[THREADS_MAX];
  struct arch_user_start start = {0};
  size_t n = 0;
  errno_t e;
  while ((e = thread_create_user(&fake_process, &start, &threads[n])) == 0)
    n++;
  assert_int_equal(e, EAGAIN);
  assert_int_equal(thread_count(), THREADS_MAX);
  while (n > 0)
    thread_discard(threads[--n]);
  assert_int_equal(thread_count(), 1);
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct arch_user_start start = {0};
  struct thread *t = NULL;
  errno_t e = ENOMEM;
  for (fake_alloc_budget = 0; e == ENOMEM; fake_alloc_budget++) {
    long budget = fake_alloc_budget;
    e = thread_create_user(&fake_process, &start, &t);
    assert_true(e == 0 || e == ENOMEM);
    fake_alloc_budget = budget;
  }
  assert_int_equal(fake_alloc_budget, 3); /* it took two allocations */
  fake_alloc_budget = -1;
  thread_discard(t);
  assert_int_equal(thread_count(), 1);
  assert_true(list_empty(&fake_process.threads));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_first_come_first_served, reset),
      cmocka_unit_test_setup(test_slices, reset),
      cmocka_unit_test_setup(test_tickless, reset),
      cmocka_unit_test_setup(test_idle_without_switch, reset),
      cmocka_unit_test_setup(test_timeout, reset),
      cmocka_unit_test_setup(test_wake_before_the_deadline, reset),
      cmocka_unit_test_setup(test_wake_one_and_all, reset),
      cmocka_unit_test_setup(test_wake_before_sleep, reset),
      cmocka_unit_test_setup(test_pause, reset),
      cmocka_unit_test_setup(test_kill_a_sleeper, reset),
      cmocka_unit_test_setup(test_kill_passes_the_wake_on, reset),
      cmocka_unit_test_setup(test_stop, reset),
      cmocka_unit_test_setup(test_a_thread_of_a_dead_process, reset),
      cmocka_unit_test_setup(test_watches, reset),
      cmocka_unit_test_setup(test_leave, reset),
      cmocka_unit_test_setup(test_kernel_thread, reset),
      cmocka_unit_test_setup(test_cpu_time, reset),
      cmocka_unit_test_setup(test_tids, reset),
      cmocka_unit_test_setup(test_too_many, reset),
      cmocka_unit_test_setup(test_out_of_memory, reset),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
