/*
 * poll_fd: edits a poll set and takes events from it (up to v0.15). Reference 9.2.
 *
 * Changes are made one by one, in order; one that fails becomes an event, or the call's error if
 * there is no room for it. With such events the call returns at once, as kevent() does.
 */
#include "kernel/clock.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/sys/poll.h"
#include "kernel/sys/poll_set.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define BATCH 8

/* Where the i-th element of a program's array lies: of any value, no pointer yet. */
#define AT(array, i) ((__typeof__(array))((uintptr_t)(array) + (i) * sizeof *(array)))

/* Before the descriptor is looked at: relative, and of a clock that can be waited for. */
static errno_t read_timeout(const struct subscription *user_timeout, struct subscription *timeout) {
  errno_t e = user_copy_in(timeout, user_timeout, sizeof *timeout);
  if (e != 0)
    return e;
  if (timeout->type != EVENTTYPE_CLOCK || timeout->clock.flags != 0)
    return EINVAL;
  return poll_clock_check(timeout);
}

/* Makes the changes; *n is the number of events that tell of those that failed. */
static errno_t change(struct file *set, const struct subscription *in, size_t in_len,
                      struct event *out, size_t out_len, size_t *n) {
  *n = 0;
  for (size_t i = 0; i < in_len; i++) {
    struct subscription s;
    struct event ev;
    errno_t e = user_copy_in(&s, AT(in, i), sizeof s);
    if (e != 0)
      return e;
    e = poll_set_change(set, &s);
    if (e == 0)
      continue;
    if (*n == out_len)
      return e;
    poll_event_init(&ev, &s, e);
    e = user_copy_out(AT(out, *n), &ev, sizeof ev);
    if (e != 0)
      return e;
    ++*n;
  }
  return 0;
}

/* Takes what there is, without waiting. */
static errno_t take(struct file *set, struct event *out, size_t out_len, size_t *n) {
  struct event batch[BATCH];
  size_t left = poll_set_pending(set);
  *n = 0;
  while (left > 0 && *n < out_len) {
    size_t room = out_len - *n < BATCH ? out_len - *n : BATCH;
    size_t got = poll_set_collect(set, &left, batch, room);
    errno_t e = user_copy_out(AT(out, *n), batch, got * sizeof batch[0]);
    if (e != 0)
      return e;
    *n += got;
  }
  return 0;
}

/* Waits for the first events. */
static errno_t wait(struct file *set, uint64_t deadline_ns, struct event *out, size_t out_len,
                    size_t *n) {
  for (bool last = false;;) {
    errno_t e = take(set, out, out_len, n);
    if (e != 0 || *n > 0 || last)
      return e;
    e = poll_set_wait(set, deadline_ns);
    if (e != 0 && e != ETIMEDOUT)
      return e;
    last = e == ETIMEDOUT;
  }
}

errno_t sys_poll_fd(struct thread *t, fd_t fd, const struct subscription *in, size_t in_len,
                    struct event *out, size_t out_len, const struct subscription *timeout,
                    size_t *nevents) {
  rights_t needed = (in_len > 0 ? RIGHT_POLL_MODIFY : 0) | (out_len > 0 ? RIGHT_POLL_WAIT : 0);
  struct subscription until;
  uint64_t deadline_ns = NEVER_NS, now_ns = 0;
  struct file *set;
  size_t n;
  if (in_len > POLL_SET_MAX)
    return EINVAL;
  errno_t e = timeout != NULL ? read_timeout(timeout, &until) : 0;
  if (e == 0)
    e = fd_get(&t->process->fds, fd, needed, &set);
  if (e != 0)
    return e;
  if (timeout != NULL)
    deadline_ns = poll_clock_deadline(&until, &now_ns);
  if (set->type != FILETYPE_POLL)
    e = ENOTCAPABLE;
  else
    e = change(set, in, in_len, out, out_len, &n);
  if (e == 0 && n == 0 && out_len > 0)
    e = wait(set, deadline_ns, out, out_len, &n);
  file_unref(set);
  return e != 0 ? e : user_put(nevents, n);
}
