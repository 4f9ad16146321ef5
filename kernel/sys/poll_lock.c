/*
 * poll's second face: waiting for a lock or a condition variable. Reference section 4.7.
 *
 * Called by poll.c; sleeps.
 */
#include "kernel/lock.h"

#include "kernel/sys/poll.h"
#include "kernel/waitq.h"

static errno_t wait(const struct subscription *s, uint64_t deadline_ns) {
  if (s->type == EVENTTYPE_CONDVAR)
    return condvar_wait(s->condvar.condvar, s->condvar.condvar_scope, s->condvar.lock,
                        s->condvar.lock_scope, deadline_ns);
  return lock_wait(s->lock.lock, s->lock.lock_scope, s->type == EVENTTYPE_LOCK_WRLOCK, deadline_ns);
}

errno_t poll_lock(const struct subscription *subs, size_t n, struct event *ev) {
  uint64_t deadline_ns = NEVER_NS, now_ns = 0;
  if (n == 2) {
    errno_t e = poll_clock_check(&subs[1]);
    if (e != 0) {
      poll_event_init(ev, &subs[1], e);
      return 0;
    }
    deadline_ns = poll_clock_deadline(&subs[1], &now_ns);
  }
  errno_t e = wait(&subs[0], deadline_ns);
  if (e == ECANCELED)
    return e;
  if (e == ETIMEDOUT)
    poll_event_init(ev, &subs[1], 0);
  else
    poll_event_init(ev, &subs[0], e);
  return 0;
}
