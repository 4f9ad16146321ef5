/*
 * Between poll.c and poll_lock.c.
 */
#ifndef KERNEL_SYS_POLL_H
#define KERNEL_SYS_POLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

/* The monotonic deadline of a clock subscription, whose clock can be waited for. `*now_ns` is the
 * monotonic time, read here if it is 0. Times too far away become NEVER_NS. */
uint64_t poll_clock_deadline(const struct subscription *s, uint64_t *now_ns);

/* 0, or the error of the event for a clock that can't be waited for: ENOTSUP, EINVAL. */
errno_t poll_clock_check(const struct subscription *s);

/* Fills ev for s: its userdata and type, and the identifier that programs up to v0.16 look for; all
 * else is zero. */
void poll_event_init(struct event *ev, const struct subscription *s, errno_t error);

static inline bool poll_is_lock(const struct subscription *s) {
  return s->type == EVENTTYPE_CONDVAR || s->type == EVENTTYPE_LOCK_RDLOCK ||
         s->type == EVENTTYPE_LOCK_WRLOCK;
}

/* A wait for a lock or a condition variable, subs[0], and a clock, subs[1], if n is 2: fills the
 * one event. ECANCELED. */
errno_t poll_lock(const struct subscription *subs, size_t n, struct event *ev);

#endif
