/*
 * Timers: a pairing heap whose links live in the timers, so that arming one can't fail.
 *
 * The machine's timer is programmed only when the earliest deadline moves closer. When it moves
 * away (a cancelled timer) the interrupt comes for nothing once and sets itself right: a program
 * that polls with a timeout of seconds thousands of times costs an interrupt every few seconds.
 *
 * Called from anywhere under the kernel lock; timer_interrupt() from the interrupt handler.
 */
#include "kernel/timer.h"

#include "arch/arch.h"
#include "kernel/bh.h"
#include "kernel/waitq.h"

static struct timer *root;
static uint64_t armed_ns = NEVER_NS; /* what the machine's timer is set to */
static bool firing;                  /* expire() will program it at its end */

/* Two heaps, by their roots, become one. */
static struct timer *merge(struct timer *a, struct timer *b) {
  if (b->deadline_ns < a->deadline_ns) {
    struct timer *swap = a;
    a = b;
    b = swap;
  }
  b->next = a->child;
  if (a->child != NULL)
    a->child->prev = b;
  b->prev = a;
  a->child = b;
  return a;
}

/* A list of siblings becomes one heap: pairs from the left, then all from the right. */
static struct timer *merge_siblings(struct timer *first) {
  struct timer *pairs = NULL, *heap = NULL;
  while (first != NULL) {
    struct timer *pair = first, *second = first->next;
    first = second == NULL ? NULL : second->next;
    if (second != NULL)
      pair = merge(pair, second);
    pair->next = pairs;
    pairs = pair;
  }
  while (pairs != NULL) {
    struct timer *next = pairs->next;
    heap = heap == NULL ? pairs : merge(heap, pairs);
    pairs = next;
  }
  return heap;
}

static void set_root(struct timer *t) {
  root = t;
  if (t != NULL) {
    t->next = NULL;
    t->prev = t; /* armed, and nobody's child */
  }
}

static void unlink(struct timer *t) {
  struct timer *children = merge_siblings(t->child);
  if (t == root) {
    set_root(children);
  } else {
    if (t->prev->child == t)
      t->prev->child = t->next;
    else
      t->prev->next = t->next;
    if (t->next != NULL)
      t->next->prev = t->prev;
    if (children != NULL)
      set_root(merge(root, children));
  }
  t->child = t->next = t->prev = NULL;
}

static void program(void) {
  if (root == NULL || firing || root->deadline_ns >= armed_ns)
    return;
  armed_ns = root->deadline_ns;
  arch_timer_set(armed_ns);
}

void timer_set(struct timer *t, uint64_t deadline_ns) {
  if (timer_armed(t))
    unlink(t);
  t->deadline_ns = deadline_ns;
  set_root(root == NULL ? t : merge(root, t));
  program();
}

void timer_cancel(struct timer *t) {
  if (timer_armed(t))
    unlink(t);
}

static void expire(struct bh *bh) {
  (void)bh;
  uint64_t now_ns = arch_time_ns();
  firing = true;
  while (root != NULL && root->deadline_ns <= now_ns) {
    struct timer *t = root;
    unlink(t);
    t->fire(t);
  }
  firing = false;
  program();
}

void timer_interrupt(void) {
  static struct bh expire_bh = {.run = expire};
  armed_ns = NEVER_NS;
  bh_schedule(&expire_bh);
}
