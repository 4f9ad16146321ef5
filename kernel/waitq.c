/*
 * Wait queues: lists of waiters, and the sleep on a single one.
 *
 * Sleeping calls come from threads under the kernel lock; wakers from any context. The sleep
 * itself is the scheduler's (thread.c).
 */
#include "kernel/waitq.h"

#include "kernel/thread.h"

void waitq_add(struct waitq *q, struct waiter *w) {
  list_push_back(&q->waiters, &w->link);
}

void waitq_remove(struct waiter *w) {
  list_remove(&w->link);
}

errno_t waitq_sleep(struct waitq *q, uint64_t deadline_ns) {
  struct waiter w = {.thread = thread_current()};
  thread_sleep_begin();
  waitq_add(q, &w);
  errno_t e = thread_sleep(deadline_ns);
  if (e == ECANCELED && list_empty(&w.link))
    waitq_wake_one(q); /* the wake was for somebody who can use it */
  waitq_remove(&w);
  return e;
}

void waitq_wait(struct waitq *q) {
  struct waiter w = {.thread = thread_current()};
  thread_sleep_begin();
  waitq_add(q, &w);
  thread_sleep_firmly();
  waitq_remove(&w);
}

void waitq_wake_one(struct waitq *q) {
  struct list *l;
  while ((l = list_pop_front(&q->waiters)) != NULL) {
    struct waiter *w = container_of(l, struct waiter, link);
    if (__builtin_expect(w->thread != NULL, 1)) {
      thread_wake(w->thread);
      return;
    }
    struct watch *watch = container_of(w, struct watch, waiter);
    watch->woken(watch);
  }
}

void waitq_wake_all(struct waitq *q) {
  while (!list_empty(&q->waiters))
    waitq_wake_one(q);
}
