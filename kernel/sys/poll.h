/*
 * What poll and poll_fd have in common, and poll_lock.c.
 */
#ifndef KERNEL_SYS_POLL_H
#define KERNEL_SYS_POLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/fdtable.h"
#include "kernel/string.h"

/* The file that a subscription to a descriptor's event is about; no new reference. EBADF;
 * ENOTCAPABLE. */
static inline errno_t poll_fd_check(struct fdtable *fds, const struct subscription *s,
                                    struct file **f) {
  struct fd_entry *fe;
  rights_t needed = RIGHT_POLL_PROC_TERMINATE;
  if (s->type != EVENTTYPE_PROC_TERMINATE)
    needed =
        RIGHT_POLL_FD_READWRITE | (s->type == EVENTTYPE_FD_READ ? RIGHT_FD_READ : RIGHT_FD_WRITE);
  errno_t e = fd_lookup(fds, s->fd_readwrite.fd, &fe); /* proc_terminate.fd is the same place */
  if (e != 0)
    return e;
  *f = fe->file;
  if ((needed & ~fe->base) != 0)
    return ENOTCAPABLE;
  return s->type == EVENTTYPE_PROC_TERMINATE && (*f)->type != FILETYPE_PROCESS ? EBADF : 0;
}

/* Fills ev with the state of that file. */
static inline void poll_fd_event(struct event *ev, const struct subscription *s,
                                 const struct poll_state *st) {
  memset(ev, 0, sizeof *ev);
  ev->userdata = s->userdata;
  ev->error = st->error;
  ev->type = s->type;
  if (__builtin_expect(s->type == EVENTTYPE_PROC_TERMINATE, 0)) {
    ev->proc_terminate.fd = s->proc_terminate.fd;
    ev->proc_terminate.signal = st->signal;
    ev->proc_terminate.exitcode = st->exitcode;
    return;
  }
  ev->fd_readwrite.nbytes = st->nbytes;
  ev->fd_readwrite.fd = s->fd_readwrite.fd;
  ev->fd_readwrite.flags = st->flags;
}

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
