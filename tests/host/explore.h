/*
 * Systematic exploration over the fake machine: a small program is run again and again, each time
 * with other decisions, until all have been tried.
 *
 * There is a decision before every access to memory: the thread goes on, or another one runs, or
 * time passes until the next timer. Going on costs nothing; a run may decide otherwise `bound`
 * times. What the kernel itself decides (who runs after a sleep) is left to it.
 */
#ifndef TESTS_HOST_EXPLORE_H
#define TESTS_HOST_EXPLORE_H

#include "tests/host/fake_machine.h"

#define EXPLORE_STEPS 1000

static struct {
  uint8_t chosen[EXPLORE_STEPS], options[EXPLORE_STEPS];
  unsigned step;    /* of this run */
  unsigned decided; /* steps whose choice is given by the runs before */
  unsigned bound, spent;
} explore;

/* 0, which is free, to options - 1. */
static inline unsigned explore_choose(unsigned options) {
  unsigned i = explore.step++;
  CHECK(i < EXPLORE_STEPS);
  if (i >= explore.decided)
    explore.chosen[i] = 0;
  explore.options[i] = (uint8_t)(explore.spent < explore.bound ? options : 1);
  CHECK(explore.chosen[i] < explore.options[i]); /* the run before was the same up to here */
  explore.spent += explore.chosen[i] != 0;
  return explore.chosen[i];
}

static inline unsigned explore_ready_count(void) {
  unsigned n = 0;
  list_for_each(l, &this_cpu()->ready) n++;
  return n;
}

/* In the place of fake_user_step()'s chance. */
static void explore_step(void) {
  struct list *ready = &this_cpu()->ready;
  unsigned others = explore_ready_count();
  const struct timer *slice = &this_cpu()->slice; /* its end is another's turn: a choice anyway */
  bool timer =
      fake_timer_ns != UINT64_MAX && !(timer_armed(slice) && slice->deadline_ns == fake_timer_ns);
  unsigned choice = explore_choose(1 + others + timer);
  if (choice > others) {
    fake_now_ns = fake_timer_ns;
    fake_interrupt();
  } else if (choice > 0) {
    for (; choice > 1; choice--)
      list_push_back(ready, list_pop_front(ready));
    thread_yield();
  }
  fake_return_to_user();
}

/* Every run begins without a timer. */
static inline void explore_settle(void) {
  while (fake_timer_ns != UINT64_MAX) {
    fake_now_ns = fake_timer_ns;
    fake_interrupt();
    fake_return_to_user();
  }
}

/* Runs once() for every sequence of decisions; returns how many there were. */
static inline unsigned long explore_all(void (*once)(void), unsigned bound) {
  unsigned long runs = 0;
  explore.decided = 0;
  explore.bound = bound;
  fake_step_hook = explore_step;
  for (;;) {
    explore.step = explore.spent = 0;
    fake_seed = ++runs;
    explore_settle();
    once();
    unsigned last = explore.step;
    while (last > 0 && explore.chosen[last - 1] + 1 >= explore.options[last - 1])
      last--;
    if (last == 0)
      break;
    explore.chosen[last - 1]++;
    explore.decided = last;
  }
  fake_step_hook = NULL;
  return runs;
}

#endif
