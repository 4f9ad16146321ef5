// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/mutex.c
/* Sleeping locks: one at a time, in order, and death does not take them along. */
#include "tests/host/fake_machine.h"

#include "kernel/mutex.h"

static struct mutex mutex;
static unsigned inside, turns;

static int reset(void **state) {
  (void)state;
  fake_process_reset();
  fake_device = NULL;
  mutex_init(&mutex);
  inside = turns = 0;
  return 0;
}

static void working_thread(uint64_t tid, uint64_t arg) {
  for (int i = 0; i < 10; i++) {
    mutex_lock(&mutex);
    CHECK(inside++ == 0 && mutex_held(&mutex));
    thread_yield();
    thread_yield();
    inside--;
    turns++;
    mutex_unlock(&mutex);
    CHECK(!mutex_held(&mutex));
  }
}

static void test_one_at_a_time(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++)
    fake_thread(working_thread, 0);
  fake_process_wait();
  assert_int_equal(turns, 50);
}

static void killing_thread(uint64_t tid, uint64_t arg) {
  mutex_lock(&mutex);
  thread_yield(); /* the others begin to wait */
  process_kill(thread_current()->process, 9, 0);
  thread_yield(); /* the others wake up dying, and wait on */
  CHECK(inside++ == 0);
  thread_yield();
  inside--;
  mutex_unlock(&mutex);
  turns++;
}

static void waiting_thread(uint64_t tid, uint64_t arg) {
  mutex_lock(&mutex);
  CHECK(inside++ == 0 && thread_current()->dying);
  thread_yield();
  inside--;
  turns++;
  mutex_unlock(&mutex);
}

static void test_death_waits(void **state) {
  (void)state;
  fake_thread(killing_thread, 0);
  for (int i = 0; i < 4; i++)
    fake_thread(waiting_thread, 0);
  fake_process_wait();
  assert_int_equal(turns, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_one_at_a_time, reset),
      cmocka_unit_test_setup(test_death_waits, reset),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
