/*
 * Timers: a heap of deadlines over the machine's one-shot timer; nothing ticks.
 * Callbacks run in the bottom half, under the kernel lock, and must not sleep.
 */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed and with `fire` set it is ready for use. */
struct timer {
  uint64_t deadline_ns;
  void (*fire)(struct timer *t);
  /* private: the pairing heap. `prev` is the left sibling, or the parent of a first child; NULL
   * when not armed. */
  struct timer *child, *next, *prev;
};

/* Arms t (fire is set) for deadline_ns, monotonic; re-arms it when it was armed. Never fails. */
void timer_set(struct timer *t, uint64_t deadline_ns);
/* Harmless when t is not armed. */
void timer_cancel(struct timer *t);
static inline bool timer_armed(const struct timer *t) {
  return t->prev != NULL;
}

/* Called by arch in interrupt context when the deadline passed: marks the bottom half. */
void timer_interrupt(void);

#endif
