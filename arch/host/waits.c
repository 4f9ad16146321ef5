/*
 * Waiting in a program of one thread, where bottom halves do what would wake it. What nothing will
 * end is reported.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/bh.h"
#include "kernel/waitq.h"

void waitq_wait(struct waitq *q) {
  (void)q;
  if (bh_pending == NULL) {
    fprintf(stderr, "deadlock: nothing will wake anybody\n");
    abort();
  }
  bh_run();
}

errno_t waitq_sleep(struct waitq *q, uint64_t deadline_ns) {
  if (bh_pending == NULL && deadline_ns != NEVER_NS)
    return ETIMEDOUT;
  waitq_wait(q);
  return 0;
}

void waitq_wake_all(struct waitq *q) {
  (void)q;
}

void waitq_wake_one(struct waitq *q) {
  (void)q;
}
