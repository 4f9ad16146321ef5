/*
 * Wait queues: how a thread sleeps until something happens.
 *
 * All under the kernel lock, which sleeping gives up. The kernel is not preempted, so
 * between testing a condition and sleeping on its queue nothing can happen:
 *
 *     while (!condition) {
 *       errno_t e = waitq_sleep(&q, deadline_ns);
 *       if (e != 0)
 *         return e;
 *     }
 *
 * Wakers: any context, bottom halves and interrupt handlers included.
 */
#ifndef KERNEL_WAITQ_H
#define KERNEL_WAITQ_H

#include <stdint.h>

#include "kernel/abi.h"
#include "kernel/list.h"

#define NEVER_NS UINT64_MAX

struct thread;

struct waitq {
  struct list waiters; /* struct waiter, in order of arrival */
};

/* One thread on one queue. Lives on its stack; poll() has several. Or a watch: no thread. */
struct waiter {
  struct list link;
  struct thread *thread; /* NULL: a watch */
};

/* Something on a queue whose wake is a call, from any context: it must not put the watch back. */
struct watch {
  struct waiter waiter;
  void (*woken)(struct watch *w);
};

static inline void watch_init(struct watch *w, void (*woken)(struct watch *w)) {
  list_init(&w->waiter.link);
  w->waiter.thread = NULL;
  w->woken = woken;
}

static inline void waitq_init(struct waitq *q) {
  list_init(&q->waiters);
}

/* Sleeps on one queue until a wake. 0; ETIMEDOUT at deadline_ns (monotonic; NEVER_NS: none);
 * ECANCELED when the thread is to die: the caller unwinds and returns it. */
errno_t waitq_sleep(struct waitq *q, uint64_t deadline_ns);

/* Sleeps until a wake, even if the thread is to die: for what is sure to come soon and can't be
 * left behind, like a device's answer. Something else may have woken it: test the condition again.
 */
void waitq_wait(struct waitq *q);

/* Wakes all, or the first thread and the watches before it. The woken find their waiter unlinked:
 * that is how poll() sees which of its objects called. */
void waitq_wake_all(struct waitq *q);
void waitq_wake_one(struct waitq *q);

/* For several queues at once: thread_sleep_begin(), waitq_add() to each, test the conditions,
 * thread_sleep(deadline), then waitq_remove() each (harmless if a wake did it). waitq_add() wants
 * w->thread set; w must not be on a queue. thread_sleep() returns at once when a wake came
 * since thread_sleep_begin(); errors as waitq_sleep(). */
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waiter *w);
/* What a poll operation does at last with the waiter that it was given (NULL: none): a thread is
 * left on q if the answer was no; a watch stays there in any case, to see the next change. */
static inline void waitq_leave(struct waitq *q, struct waiter *w, bool ready) {
  if (w != NULL && (!ready || w->thread == NULL))
    waitq_add(q, w);
}
void thread_sleep_begin(void);
errno_t thread_sleep(uint64_t deadline_ns);
/* For waitq_wait(). */
void thread_sleep_firmly(void);

#endif
