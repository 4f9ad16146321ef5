/*
 * Threads for units whose code sleeps on wait queues and for nothing else: fibers of the host that
 * take turns by chance, and a device that goes on by steps between them. In the place of
 * arch/host/waits.c and alone.c. A wait that nothing can end is reported with the seed.
 */
#ifndef TESTS_HOST_FIBERS_H
#define TESTS_HOST_FIBERS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <sanitizer/common_interface_defs.h>

#include "kernel/bh.h"
#include "kernel/waitq.h"

#define FIBERS_MAX 8
#define FIBER_STACK_BYTES (256u << 10)

struct fiber {
  ucontext_t context;
  void (*run)(unsigned number);
  const void *stack; /* the first one's is the test's own */
  size_t stack_bytes;
  void *asan;
  bool ready, over;
};

static struct fiber fibers[FIBERS_MAX];
static unsigned fibers_count = 1, fiber_current;
static uint64_t fibers_state = 1;
static unsigned long fibers_seed;
/* The device does one thing; false: it has nothing to do. */
static bool (*fibers_device)(void);

static unsigned fibers_random(unsigned n) {
  fibers_state = fibers_state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)((fibers_state >> 33) % n);
}

static void fibers_fail(const char *what) {
  fprintf(stderr, "%s (seed %lu)\n", what, fibers_seed);
  abort();
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static void fiber_arrive(unsigned from) {
  const void *stack;
  size_t bytes;
  __sanitizer_finish_switch_fiber(fibers[fiber_current].asan, &stack, &bytes);
  if (fibers[from].stack == NULL) {
    fibers[from].stack = stack;
    fibers[from].stack_bytes = bytes;
  }
}

static unsigned fiber_came_from;

static void fiber_switch(unsigned to) {
  unsigned self = fiber_current;
  if (to == self)
    return;
  fiber_came_from = self;
  fiber_current = to;
  __sanitizer_start_switch_fiber(&fibers[self].asan, fibers[to].stack, fibers[to].stack_bytes);
  swapcontext(&fibers[self].context, &fibers[to].context);
  fiber_arrive(fiber_came_from);
}

/* Somebody who is ready; the device goes on now and then, and when nobody is. */
static void fibers_turn(void) {
  for (;;) {
    unsigned ready[FIBERS_MAX], n = 0;
    bool device = fibers_random(3) == 0 && fibers_device();
    if (bh_pending != NULL)
      bh_run();
    for (unsigned i = 0; i < fibers_count; i++)
      if (fibers[i].ready && !fibers[i].over)
        ready[n++] = i;
    if (n > 0) {
      fiber_switch(ready[fibers_random(n)]);
      return;
    }
    if (!device && !fibers_device() && bh_pending == NULL)
      fibers_fail("deadlock: nothing will wake anybody");
  }
}

static void fiber_main(unsigned number) {
  fiber_arrive(fiber_came_from);
  fibers[number].run(number);
  fibers[number].over = true;
  fibers_turn();
}

/* A thread of its own; its stack stays for the next one of that number. */
static void fiber_start(void (*run)(unsigned number)) {
  struct fiber *f = &fibers[fibers_count];
  if (f->stack == NULL)
    f->stack = malloc(FIBER_STACK_BYTES);
  f->stack_bytes = FIBER_STACK_BYTES;
  f->run = run;
  f->ready = true;
  f->over = false;
  getcontext(&f->context);
  f->context.uc_stack.ss_sp = (void *)f->stack;
  f->context.uc_stack.ss_size = FIBER_STACK_BYTES;
  makecontext(&f->context, (void (*)(void))fiber_main, 1, fibers_count++);
}

/* The test waits until all others are over. */
static void fibers_join(void) {
  fibers[0].ready = true;
  for (unsigned i = 1; i < fibers_count; i++)
    while (!fibers[i].over)
      fibers_turn();
  fibers_count = 1;
}

/* ---- What the kernel asks for ---------------------------------------------------------------- */

struct thread *arch_current(void) {
  return (struct thread *)&fibers[fiber_current]; /* nobody looks at it */
}

void waitq_wait(struct waitq *q) {
  struct waiter w = {.thread = arch_current()};
  fibers[fiber_current].ready = false;
  list_push_back(&q->waiters, &w.link);
  fibers_turn();
  list_remove(&w.link);
}

void waitq_wake_one(struct waitq *q) {
  struct list *l = list_pop_front(&q->waiters);
  if (l != NULL)
    ((struct fiber *)container_of(l, struct waiter, link)->thread)->ready = true;
}

void waitq_wake_all(struct waitq *q) {
  while (!list_empty(&q->waiters))
    waitq_wake_one(q);
}

/* The program's memory may have to be brought in first. */
size_t arch_user_copy(void *dst, const void *src, size_t n) {
  if (fibers_random(4) == 0)
    fibers_turn();
  __builtin_memcpy(dst, src, n);
  return 0;
}

#endif
