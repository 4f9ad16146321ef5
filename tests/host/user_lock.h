/*
 * A program's half of locks and condition variables (reference 4.2), over the fake machine: between
 * any two of its memory accesses other threads may run. The model beside it says who may be where.
 */
#ifndef TESTS_HOST_USER_LOCK_H
#define TESTS_HOST_USER_LOCK_H

#include "kernel/sys/sys.h"
#include "tests/host/lock_memory.h"

#define KM LOCK_KERNEL_MANAGED
#define WR LOCK_WRLOCKED

struct model_lock {
  uint32_t word;
  tid_t writer;
  unsigned readers;
};

struct model_condvar {
  uint32_t word;
  unsigned inside;  /* threads in a wait */
  unsigned signals; /* wakeups that signals allow */
  unsigned wakeups; /* waits that a signal ended */
};

/* Of locks and of condition variables, in all calls below. */
static scope_t user_scope = SCOPE_PRIVATE, user_condvar_scope = SCOPE_PRIVATE;

static inline uint32_t user_load(const uint32_t *word) {
  fake_user_step();
  return *(const volatile uint32_t *)word;
}

static inline bool user_cas(uint32_t *word, uint32_t expected, uint32_t desired) {
  fake_user_step();
  if (*word != expected)
    return false;
  *word = desired;
  return true;
}

/* ---- System calls, with the way back to user mode -------------------------------------------- */

static inline errno_t user_poll(const struct subscription *subs, size_t n, struct event *ev) {
  size_t nevents = 99;
  errno_t e = sys_poll(thread_current(), subs, ev, n, &nevents);
  fake_return_to_user();
  CHECK(e != 0 || nevents == 1);
  return e;
}

/* timeout_ns 0: none. Some are relative, some absolute. */
static inline size_t add_timeout(struct subscription *s, uint64_t timeout_ns) {
  if (timeout_ns == 0)
    return 1;
  *s = (struct subscription){.type = EVENTTYPE_CLOCK, .userdata = 2};
  s->clock.clock_id = CLOCK_MONOTONIC;
  s->clock.timeout = timeout_ns;
  if (timeout_ns % 2 == 0) {
    s->clock.timeout += fake_now_ns;
    s->clock.flags = SUBSCRIPTION_CLOCK_ABSTIME;
  }
  return 2;
}

/* 0, ETIMEDOUT, or the event's error. */
static inline errno_t result_of(const struct event *ev, eventtype_t type) {
  if (ev->type == EVENTTYPE_CLOCK) {
    CHECK(ev->userdata == 2 && ev->error == 0);
    return ETIMEDOUT;
  }
  CHECK(ev->type == type && ev->userdata == 1);
  return ev->error;
}

static inline errno_t wait_lock(uint32_t *word, bool write, uint64_t timeout_ns) {
  eventtype_t type = write ? EVENTTYPE_LOCK_WRLOCK : EVENTTYPE_LOCK_RDLOCK;
  struct subscription subs[2] = {{.userdata = 1, .type = type}};
  struct event ev[2];
  subs[0].lock.lock = word;
  subs[0].lock.lock_scope = user_scope;
  errno_t e = user_poll(subs, add_timeout(&subs[1], timeout_ns), ev);
  return e != 0 ? e : result_of(&ev[0], type);
}

static inline errno_t wait_condvar(uint32_t *condvar, uint32_t *word, uint64_t timeout_ns) {
  struct subscription subs[2] = {{.userdata = 1, .type = EVENTTYPE_CONDVAR}};
  struct event ev[2];
  subs[0].condvar.condvar = condvar;
  subs[0].condvar.condvar_scope = user_condvar_scope;
  subs[0].condvar.lock = word;
  subs[0].condvar.lock_scope = user_scope;
  errno_t e = user_poll(subs, add_timeout(&subs[1], timeout_ns), ev);
  return e != 0 ? e : result_of(&ev[0], EVENTTYPE_CONDVAR);
}

static inline errno_t call_unlock(uint32_t *word) {
  errno_t e = sys_lock_unlock(thread_current(), word, user_scope);
  fake_return_to_user();
  return e;
}

static inline errno_t call_signal(uint32_t *condvar, nthreads_t n) {
  errno_t e = sys_condvar_signal(thread_current(), condvar, user_condvar_scope, n);
  fake_return_to_user();
  return e;
}

/* ---- Locks ----------------------------------------------------------------------------------- */

static inline void model_got_write(struct model_lock *l, tid_t tid) {
  CHECK((l->word & ~KM) == (tid | WR));
  CHECK(l->writer == 0 && l->readers == 0);
  l->writer = tid;
}

static inline errno_t user_write_lock(struct model_lock *l, uint64_t timeout_ns) {
  tid_t tid = thread_current()->tid;
  if (!user_cas(&l->word, LOCK_UNLOCKED, tid | WR)) {
    errno_t e = wait_lock(&l->word, true, timeout_ns);
    CHECK(e == 0 || (e == ETIMEDOUT && timeout_ns != 0));
    if (e != 0)
      return e;
  }
  model_got_write(l, tid);
  return 0;
}

static inline void user_write_unlock(struct model_lock *l) {
  tid_t tid = thread_current()->tid;
  CHECK(l->writer == tid);
  fake_user_step();
  l->writer = 0;
  if (user_cas(&l->word, tid | WR, LOCK_UNLOCKED))
    return;
  fake_user_step();
  CHECK(call_unlock(&l->word) == 0);
}

/* `again`: the thread holds it for reading already, and passes by those who wait. */
static inline errno_t user_read_lock(struct model_lock *l, bool again, uint64_t timeout_ns) {
  uint32_t word = user_load(&l->word);
  for (;;) {
    if ((word & WR) != 0 || ((word & KM) != 0 && !again))
      break;
    if (user_cas(&l->word, word, word + 1)) {
      l->readers++;
      CHECK(l->writer == 0);
      return 0;
    }
    word = user_load(&l->word);
  }
  CHECK(!again);
  errno_t e = wait_lock(&l->word, false, timeout_ns);
  CHECK(e == 0 || (e == ETIMEDOUT && timeout_ns != 0));
  if (e != 0)
    return e;
  l->readers++;
  CHECK((l->word & WR) == 0 && (l->word & ~KM) >= l->readers && l->writer == 0);
  return 0;
}

static inline void user_read_unlock(struct model_lock *l) {
  tid_t tid = thread_current()->tid;
  fake_user_step();
  CHECK(l->readers > 0);
  l->readers--;
  for (;;) {
    uint32_t word = user_load(&l->word);
    CHECK((word & WR) == 0 && (word & ~KM) > 0);
    if (word == (1 | KM)) {
      if (!user_cas(&l->word, word, tid | WR | KM))
        continue;
      fake_user_step();
      CHECK(call_unlock(&l->word) == 0);
      return;
    }
    if (user_cas(&l->word, word, word - 1))
      return;
  }
}

/* ---- Condition variables --------------------------------------------------------------------- */

static inline errno_t user_wait(struct model_condvar *c, struct model_lock *l,
                                uint64_t timeout_ns) {
  CHECK(l->writer == thread_current()->tid);
  fake_user_step();
  l->writer = 0;
  c->inside++;
  errno_t e = wait_condvar(&c->word, &l->word, timeout_ns);
  c->inside--;
  CHECK(e == 0 || (e == ETIMEDOUT && timeout_ns != 0));
  if (e == 0)
    c->wakeups++;
  CHECK(c->wakeups <= c->signals);
  model_got_write(l, thread_current()->tid);
  return e;
}

static inline void user_signal(struct model_condvar *c, nthreads_t n) {
  if (user_load(&c->word) == CONDVAR_HAS_NO_WAITERS)
    return;
  c->signals += n < c->inside ? n : c->inside;
  CHECK(call_signal(&c->word, n) == 0);
}

#endif
