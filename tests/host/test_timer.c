// sources: kernel/timer.c kernel/bh.c
/* Timers: each fires once, in order, never early; the machine's timer is programmed sparingly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/arch.h"
#include "kernel/bh.h"
#include "kernel/list.h"
#include "kernel/timer.h"

static uint64_t now_ns, programmed_ns;
static unsigned programmed;

uint64_t arch_time_ns(void) {
  return now_ns;
}

void arch_timer_set(uint64_t deadline_ns) {
  programmed_ns = deadline_ns;
  programmed++;
}

/* Moves the clock; the machine's timer interrupts when it is due. */
static void advance_to(uint64_t to_ns) {
  while (programmed_ns <= to_ns) {
    if (now_ns < programmed_ns)
      now_ns = programmed_ns;
    programmed_ns = UINT64_MAX;
    timer_interrupt();
    assert_non_null(bh_pending);
    bh_run();
  }
  now_ns = to_ns;
}

#define TIMERS 200

static struct item {
  struct timer timer;
  uint64_t expected_ns; /* UINT64_MAX: not armed */
  unsigned fired;
} items[TIMERS];
static uint64_t last_fired_ns;

static void fire(struct timer *t) {
  struct item *item = container_of(t, struct item, timer);
  assert_false(timer_armed(t));
  assert_true(item->expected_ns <= now_ns);
  assert_true(item->expected_ns >= last_fired_ns);
  last_fired_ns = item->expected_ns;
  item->expected_ns = UINT64_MAX;
  item->fired++;
}

static int reset(void **state) {
  (void)state;
  now_ns = 1000;
  programmed_ns = UINT64_MAX;
  timer_interrupt(); /* the unit forgets what it had programmed */
  bh_run();
  for (size_t i = 0; i < TIMERS; i++)
    items[i] = (struct item){.timer.fire = fire, .expected_ns = UINT64_MAX};
  last_fired_ns = programmed = 0;
  return 0;
}

static void arm(size_t i, uint64_t deadline_ns) {
  items[i].expected_ns = deadline_ns;
  timer_set(&items[i].timer, deadline_ns);
  assert_true(timer_armed(&items[i].timer));
}

static void test_order(void **state) {
  (void)state;
  arm(0, 3000);
  arm(1, 2000);
  arm(2, 2500);
  arm(3, 2000);
  advance_to(1999);
  assert_int_equal(items[1].fired + items[3].fired, 0);
  advance_to(2000);
  assert_int_equal(items[1].fired, 1);
  assert_int_equal(items[3].fired, 1);
  assert_int_equal(items[2].fired, 0);
  advance_to(10000);
  assert_int_equal(items[0].fired, 1);
  assert_int_equal(items[2].fired, 1);
}

static void test_past_deadline_fires_at_once(void **state) {
  (void)state;
  arm(0, 5);
  advance_to(now_ns);
  assert_int_equal(items[0].fired, 1);
}

/* A server's poll() with a timeout, over and over: the machine's timer is left alone. */
static void test_programmed_sparingly(void **state) {
  (void)state;
  for (int i = 0; i < 1000; i++) {
    advance_to(now_ns + 10);
    arm(0, now_ns + 100000);
    timer_cancel(&items[0].timer);
  }
  assert_int_equal(items[0].fired, 0);
  assert_true(programmed <= 2);
  advance_to(now_ns + 1000000); /* a late interrupt for nothing does no harm */
  assert_int_equal(items[0].fired, 0);
}

static struct item again;
static unsigned again_count;

static void fire_again(struct timer *t) {
  if (++again_count < 10)
    timer_set(t, now_ns + 10);
}

static void test_rearmed_from_its_own_callback(void **state) {
  (void)state;
  again.timer.fire = fire_again;
  timer_set(&again.timer, now_ns + 10);
  advance_to(now_ns + 1000);
  assert_int_equal(again_count, 10);
}

/* Random arming, re-arming and cancelling against what each timer should do. */
static void test_random_operations(void **state) {
  (void)state;
  srand(1);
  for (int step = 0; step < 50000; step++) {
    size_t i = (size_t)rand() % TIMERS;
    switch (rand() % 4) {
      case 0:
      case 1:
        arm(i, now_ns + (uint64_t)(rand() % 2000));
        break;
      case 2:
        timer_cancel(&items[i].timer);
        items[i].expected_ns = UINT64_MAX;
        assert_false(timer_armed(&items[i].timer));
        break;
      default:
        last_fired_ns = 0;
        advance_to(now_ns + (uint64_t)(rand() % 200));
        for (size_t j = 0; j < TIMERS; j++) {
          bool armed = items[j].expected_ns != UINT64_MAX;
          assert_int_equal(timer_armed(&items[j].timer), armed);
          assert_true(!armed || items[j].expected_ns > now_ns); /* nothing is late */
        }
    }
  }
  advance_to(now_ns + 10000);
  for (size_t j = 0; j < TIMERS; j++)
    assert_false(timer_armed(&items[j].timer));
}

static unsigned ran[3];
static struct bh bhs[3];

static void run_bh(struct bh *bh) {
  size_t i = (size_t)(bh - bhs);
  ran[i]++;
  if (i == 0)
    bh_schedule(&bhs[1]); /* queued already: runs once */
  if (i == 2 && ran[2] == 1)
    bh_schedule(bh); /* itself: the next round */
}

static void test_bottom_halves(void **state) {
  (void)state;
  for (size_t i = 0; i < 3; i++)
    bhs[i].run = run_bh;
  bh_schedule(&bhs[0]);
  bh_schedule(&bhs[1]);
  bh_schedule(&bhs[1]);
  bh_schedule(&bhs[2]);
  bh_run();
  assert_int_equal(ran[0], 1);
  assert_int_equal(ran[2], 1);
  assert_non_null(bh_pending);
  bh_run();
  assert_int_equal(ran[2], 2);
  while (bh_pending != NULL)
    bh_run();
  assert_int_equal(ran[1], 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_order, reset),
      cmocka_unit_test_setup(test_past_deadline_fires_at_once, reset),
      cmocka_unit_test_setup(test_programmed_sparingly, reset),
      cmocka_unit_test_setup(test_rearmed_from_its_own_callback, reset),
      cmocka_unit_test_setup(test_random_operations, reset),
      cmocka_unit_test_setup(test_bottom_halves, reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
