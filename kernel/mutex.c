/*
 * Sleeping locks. Kernel lock; see mutex.h.
 */
#include "kernel/mutex.h"

#include "kernel/log.h"
#include "kernel/thread.h"

void mutex_init(struct mutex *m) {
  m->owner = NULL;
  waitq_init(&m->waiters);
}

void mutex_lock(struct mutex *m) {
  ASSERT(!mutex_held(m));
  while (m->owner != NULL)
    waitq_wait(&m->waiters);
  m->owner = thread_current();
}

void mutex_unlock(struct mutex *m) {
  ASSERT(mutex_held(m));
  m->owner = NULL;
  waitq_wake_one(&m->waiters);
}

bool mutex_locked(const struct mutex *m) {
  return m->owner != NULL;
}

bool mutex_held(const struct mutex *m) {
  return m->owner == thread_current();
}
