/*
 * Locks and condition variables, from inside: lock_unlock, condvar_signal, and poll's waiting for
 * both: {out: fd}. Reference 4.
 */
#include <program.h>
#include <stdatomic.h>

#include "../check.h"
#include "raw.h"

#define WR CLOUDABI_LOCK_WRLOCKED
#define KM CLOUDABI_LOCK_KERNEL_MANAGED
#define PRIVATE CLOUDABI_SCOPE_PRIVATE
#define SHARED CLOUDABI_SCOPE_SHARED
#define RDLOCK CLOUDABI_EVENTTYPE_LOCK_RDLOCK
#define WRLOCK CLOUDABI_EVENTTYPE_LOCK_WRLOCK

static _Atomic cloudabi_lock_t lock;
static _Atomic cloudabi_condvar_t condvar;
static cloudabi_tid_t self;

#define LOCK ((cloudabi_lock_t *)&lock)
#define CONDVAR ((cloudabi_condvar_t *)&condvar)

static cloudabi_errno_t take(cloudabi_eventtype_t type, uint64_t timeout_ns,
                             struct cloudabi_event *ev) {
  return raw_wait(raw_lock_sub(LOCK, type), timeout_ns, ev);
}

/* Waits and tells the event's error, or ETIMEDOUT. */
static cloudabi_errno_t result_of(struct cloudabi_subscription s, uint64_t timeout_ns) {
  struct cloudabi_event ev;
  cloudabi_errno_t e = raw_wait(s, timeout_ns, &ev);
  if (e != 0)
    return e;
  if (ev.error != 0)
    return ev.error;
  return ev.type == CLOUDABI_EVENTTYPE_CLOCK ? CLOUDABI_ETIMEDOUT : 0;
}

static cloudabi_errno_t unlock(void) {
  return cloudabi_sys_lock_unlock(LOCK, PRIVATE);
}

static void check_alone(void) {
  struct cloudabi_event ev;
  memset(&ev, 0xee, sizeof(ev));
  check_err("poll", "wrlock: a free lock", take(WRLOCK, 0, &ev), 0);
  check("poll", "wrlock: the event",
        ev.error == 0 && ev.type == WRLOCK && ev.userdata == 0x10c4 && ev.lock.lock == LOCK);
  self = lock & ~WR;
  check("poll", "wrlock: the word is the tid and the write bit",
        (lock & (WR | KM)) == WR && self > 1);
  check_err("poll", "wrlock: one's own lock", result_of(raw_lock_sub(LOCK, WRLOCK), 0),
            CLOUDABI_EDEADLK);
  check_err("lock_unlock", "one's own", unlock(), 0);
  check_eq("lock_unlock", "the word is free", lock, 0);
  check_err("lock_unlock", "a free lock", unlock(), 0);

  check_err("poll", "rdlock: a free lock", take(RDLOCK, 0, &ev), 0);
  check_eq("poll", "rdlock: one reader", lock, 1);
  check_err("poll", "rdlock: again", take(RDLOCK, 0, &ev), 0);
  check_eq("poll", "rdlock: two readers", lock, 2);
  check_err("poll", "wrlock: while there are readers, with a limit",
            result_of(raw_lock_sub(LOCK, WRLOCK), 5 * RAW_MS), CLOUDABI_ETIMEDOUT);
  check_eq("poll", "wrlock: the limit leaves the word as it was", lock, 2);
  lock = 0;

  check_err("lock_unlock", "scope 0", cloudabi_sys_lock_unlock(LOCK, 0), CLOUDABI_EINVAL);
  check_err("lock_unlock", "scope 0xff", cloudabi_sys_lock_unlock(LOCK, 0xff), CLOUDABI_EINVAL);
  check_err("lock_unlock", "both scopes", cloudabi_sys_lock_unlock(LOCK, PRIVATE | SHARED),
            CLOUDABI_EINVAL);
  lock = self | WR;
  check_err("lock_unlock", "shared scope", cloudabi_sys_lock_unlock(LOCK, SHARED), 0);
  check_eq("lock_unlock", "shared scope: free", lock, 0);
  struct cloudabi_subscription s = raw_lock_sub(LOCK, WRLOCK);
  s.lock.lock_scope = 7;
  check_err("poll", "wrlock: scope 7", result_of(s, 0), CLOUDABI_EINVAL);
  check_eq("poll", "wrlock: a bad scope changes nothing", lock, 0);
}

static void check_timeouts(void) {
  struct cloudabi_event ev;
  uint64_t start = raw_now();
  lock = 5 | WR; /* somebody else's */
  check_err("poll", "wrlock: relative limit", result_of(raw_lock_sub(LOCK, WRLOCK), 20 * RAW_MS),
            CLOUDABI_ETIMEDOUT);
  check("poll", "wrlock: not before the limit", raw_now() - start >= 20 * RAW_MS);
  check_eq("poll", "wrlock: the limit takes the kernel's mark away", lock, 5 | WR);
  check_err("poll", "rdlock: relative limit", result_of(raw_lock_sub(LOCK, RDLOCK), 5 * RAW_MS),
            CLOUDABI_ETIMEDOUT);
  check_eq("poll", "rdlock: the limit takes the kernel's mark away", lock, 5 | WR);
  struct cloudabi_subscription subs[2] = {raw_lock_sub(LOCK, WRLOCK),
                                          raw_clock(1, CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME)};
  struct cloudabi_event events[2];
  size_t n = 0;
  check_err("poll", "wrlock: a limit that is over", cloudabi_sys_poll(subs, events, 2, &n), 0);
  check("poll", "wrlock: a limit that is over: the clock's event",
        n == 1 && events[0].type == CLOUDABI_EVENTTYPE_CLOCK && events[0].userdata == 0xc10c &&
            events[0].error == 0);
  lock = 0;
  check_err("poll", "wrlock: a limit that is over and a free lock",
            cloudabi_sys_poll(subs, events, 2, &n), 0);
  check("poll", "wrlock: a limit that is over and a free lock: the lock's event",
        n == 1 && events[0].type == WRLOCK && lock == (self | WR));
  unlock();
  subs[1].clock.clock_id = CLOUDABI_CLOCK_THREAD_CPUTIME_ID;
  lock = 5 | WR;
  check_err("poll", "wrlock: a clock that can't be waited for",
            cloudabi_sys_poll(subs, events, 2, &n), 0);
  check("poll", "wrlock: a clock that can't be waited for: an error",
        n == 1 && (events[0].error == CLOUDABI_ENOTSUP || events[0].error == CLOUDABI_EINVAL));
  subs[1] = raw_clock(UINT64_MAX, CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME);
  subs[1].clock.clock_id = CLOUDABI_CLOCK_REALTIME;
  lock = 0;
  check_err("poll", "wrlock: no limit in real time", cloudabi_sys_poll(subs, events, 2, &n), 0);
  lock = KM;
  check_err("poll", "wrlock: a word that the kernel never makes",
            result_of(raw_lock_sub(LOCK, WRLOCK), RAW_MS), CLOUDABI_EINVAL);
  check_err("poll", "rdlock: a word that the kernel never makes",
            result_of(raw_lock_sub(LOCK, RDLOCK), RAW_MS), CLOUDABI_EINVAL);
  check_eq("poll", "wrlock: such a word stays", lock, KM);
  lock = 0;
  (void)ev;
}

/* ---- Several threads ------------------------------------------------------------------------- */

static _Atomic unsigned order[8], turns;

static void waiter(struct raw_thread *t) {
  struct cloudabi_event ev;
  t->step = 1;
  take(t->arg == NULL ? WRLOCK : RDLOCK, 0, &ev);
  bool mine = t->arg == NULL ? (lock & ~KM) == (t->own | WR) : (lock & WR) == 0 && (lock & ~KM) > 0;
  order[turns++] = t->own;
  t->step = mine && ev.error == 0 ? 2 : 3;
  if (t->arg != NULL)
    return; /* a reader leaves the word to the test */
  cloudabi_sys_lock_unlock(LOCK, PRIVATE);
}

static void check_handoff(void) {
  struct raw_thread t[3];
  lock = self | WR;
  turns = 0;
  for (int i = 0; i < 3; i++) {
    raw_spawn(&t[i], waiter, NULL);
    raw_until(&t[i].step, 1);
    raw_sleep(2 * RAW_MS);
  }
  check_eq("poll", "wrlock: waiting marks the word", lock, self | WR | KM);
  check_err("lock_unlock", "of three writers", unlock(), 0);
  for (int i = 0; i < 3; i++)
    raw_join(&t[i]);
  check("lock_unlock", "writers get it in the order in which they came",
        order[0] == t[0].tid && order[1] == t[1].tid && order[2] == t[2].tid);
  check("poll", "wrlock: whoever returns has it",
        t[0].step == 2 && t[1].step == 2 && t[2].step == 2);
  check_eq("lock_unlock", "free after the last", lock, 0);
}

static void check_readers(void) {
  struct raw_thread r[2], w;
  lock = self | WR;
  turns = 0;
  for (int i = 0; i < 2; i++) {
    raw_spawn(&r[i], waiter, &r);
    raw_until(&r[i].step, 1);
  }
  raw_spawn(&w, waiter, NULL);
  raw_until(&w.step, 1);
  raw_sleep(5 * RAW_MS);
  unlock();
  raw_join(&w);
  for (int i = 0; i < 2; i++)
    raw_join(&r[i]);
  check_eq("lock_unlock", "a writer before the readers", order[0], w.tid);
  check("lock_unlock", "then all readers", r[0].step == 2 && r[1].step == 2);
  check_eq("lock_unlock", "the word counts the readers", lock, 2);
  lock = 0;
}

static void foreign_unlock(struct raw_thread *t) {
  t->step = cloudabi_sys_lock_unlock(LOCK, PRIVATE) == CLOUDABI_EPERM ? 2 : 1;
}

static void check_foreign(void) {
  struct raw_thread w, f;
  lock = self | WR;
  raw_spawn(&w, waiter, NULL);
  raw_until(&w.step, 1);
  raw_sleep(2 * RAW_MS);
  raw_spawn(&f, foreign_unlock, NULL);
  raw_join(&f);
  check("lock_unlock", "another thread's lock that is waited for", f.step == 2);
  unlock();
  raw_join(&w);
}

/* ---- Condition variables --------------------------------------------------------------------- */

static void cv_waiter(struct raw_thread *t) {
  struct cloudabi_event ev;
  lock = t->own | WR;
  t->step = 1;
  cloudabi_errno_t e = raw_wait(raw_condvar_sub(CONDVAR, LOCK), 0, &ev);
  bool ok = e == 0 && ev.error == 0 && ev.type == CLOUDABI_EVENTTYPE_CONDVAR &&
            ev.userdata == 0xc0d5 && ev.condvar.condvar == CONDVAR && (lock & ~KM) == (t->own | WR);
  order[turns++] = t->own;
  t->step = ok ? 2 : 3;
  cloudabi_sys_lock_unlock(LOCK, PRIVATE);
}

static void start_cv_waiters(struct raw_thread *t, int n) {
  turns = 0;
  for (int i = 0; i < n; i++) {
    raw_spawn(&t[i], cv_waiter, NULL);
    raw_until(&t[i].step, 1);
    while (lock != 0)
      cloudabi_sys_thread_yield();
  }
}

static void check_condvar(void) {
  struct raw_thread t[4];
  check_err("condvar_signal", "nobody waits", cloudabi_sys_condvar_signal(CONDVAR, PRIVATE, 1), 0);
  check_err("condvar_signal", "scope 0", cloudabi_sys_condvar_signal(CONDVAR, 0, 1),
            CLOUDABI_EINVAL);
  check_err("poll", "condvar: without the lock", result_of(raw_condvar_sub(CONDVAR, LOCK), 0),
            CLOUDABI_EPERM);
  check_eq("poll", "condvar: without the lock: the word stays", condvar, 0);

  start_cv_waiters(t, 1);
  check("poll", "condvar: waiting marks the word and frees the lock", condvar != 0 && lock == 0);
  check_err("condvar_signal", "0 threads", cloudabi_sys_condvar_signal(CONDVAR, PRIVATE, 0), 0);
  raw_sleep(2 * RAW_MS);
  check_eq("condvar_signal", "0 threads wakes nobody", t[0].step, 1);
  check_err("condvar_signal", "one thread", cloudabi_sys_condvar_signal(CONDVAR, PRIVATE, 1), 0);
  raw_join(&t[0]);
  check("condvar_signal", "the thread returns with the lock", t[0].step == 2);
  check("condvar_signal", "the word is 0 again", condvar == 0 && lock == 0);

  start_cv_waiters(t, 4);
  cloudabi_sys_condvar_signal(CONDVAR, PRIVATE, 2);
  raw_join(&t[0]);
  raw_join(&t[1]);
  check("condvar_signal", "2 of 4: the first two", order[0] == t[0].tid && order[1] == t[1].tid);
  check("condvar_signal", "2 of 4: the others wait",
        t[2].step == 1 && t[3].step == 1 && condvar != 0);
  lock = self | WR;
  check_err("condvar_signal", "all, holding the lock",
            cloudabi_sys_condvar_signal(CONDVAR, PRIVATE, UINT32_MAX), 0);
  raw_sleep(5 * RAW_MS);
  check("condvar_signal", "nobody returns while the lock is held",
        t[2].step == 1 && t[3].step == 1);
  check_eq("condvar_signal", "all: the word is 0 though they wait for the lock", condvar, 0);
  check_eq("condvar_signal", "all: the lock is the kernel's to give", lock, self | WR | KM);
  unlock();
  raw_join(&t[2]);
  raw_join(&t[3]);
  check("condvar_signal", "all: each returns with the lock",
        t[2].step == 2 && t[3].step == 2 && lock == 0);
}

static void check_condvar_timeout(void) {
  struct cloudabi_event ev;
  struct raw_thread t;
  lock = self | WR;
  uint64_t start = raw_now();
  check_err("poll", "condvar: a limit", raw_wait(raw_condvar_sub(CONDVAR, LOCK), 20 * RAW_MS, &ev),
            0);
  check("poll", "condvar: a limit: the clock's event, not before",
        ev.type == CLOUDABI_EVENTTYPE_CLOCK && ev.error == 0 && raw_now() - start >= 20 * RAW_MS);
  check("poll", "condvar: a limit: with the lock, and the word is 0",
        lock == (self | WR) && condvar == 0);
  unlock();

  static _Atomic cloudabi_lock_t other;
  start_cv_waiters(&t, 1);
  other = self | WR;
  check_err("poll", "condvar: with another lock than those who wait",
            result_of(raw_condvar_sub(CONDVAR, (cloudabi_lock_t *)&other), RAW_MS),
            CLOUDABI_EINVAL);
  cloudabi_sys_condvar_signal(CONDVAR, PRIVATE, 1);
  raw_join(&t);
  check("poll", "condvar: such a mistake disturbs nobody", t.step == 2);
}

static void check_rules(void) {
  struct cloudabi_subscription subs[3] = {raw_lock_sub(LOCK, WRLOCK), raw_clock(RAW_MS, 0),
                                          raw_clock(RAW_MS, 0)};
  struct cloudabi_event events[3];
  size_t n = 0;
  lock = 0;
  cloudabi_errno_t e = cloudabi_sys_poll(subs, events, 3, &n);
  check("poll", "wrlock: with two more subscriptions",
        e == CLOUDABI_EINVAL || (e == 0 && events[0].error != 0));
  check_eq("poll", "wrlock: with two more: not taken", lock, 0);
  subs[1] = raw_lock_sub(LOCK, WRLOCK);
  e = cloudabi_sys_poll(subs, events, 2, &n);
  check("poll", "wrlock: with another lock",
        e == CLOUDABI_EINVAL || (e == 0 && events[0].error != 0));
  subs[0] = raw_clock(RAW_MS, 0);
  e = cloudabi_sys_poll(subs, events, 2, &n);
  check("poll", "wrlock: in the second place",
        e == CLOUDABI_EINVAL || (e == 0 && events[0].error != 0));
  check_eq("poll", "wrlock: in the second place: not taken", lock, 0);
}

/* ---- Many threads: a counter under a lock, and turns taken by a condition variable. ---------- */

#define STRESS_THREADS 8
#define STRESS_ROUNDS 300

static unsigned counter; /* under the lock */
static _Atomic unsigned broken;

static void acquire(cloudabi_tid_t tid) {
  uint32_t expected = 0;
  struct cloudabi_event ev;
  if (atomic_compare_exchange_strong(&lock, &expected, tid | WR))
    return;
  if (take(WRLOCK, 0, &ev) != 0 || ev.error != 0)
    broken++;
}

static void release(cloudabi_tid_t tid) {
  uint32_t expected = tid | WR;
  if (!atomic_compare_exchange_strong(&lock, &expected, 0))
    broken += cloudabi_sys_lock_unlock(LOCK, PRIVATE) != 0;
}

static void count_up(struct raw_thread *t) {
  for (unsigned i = 0; i < STRESS_ROUNDS; i++) {
    acquire(t->own);
    unsigned seen = counter;
    if (i % 3 == 0)
      cloudabi_sys_thread_yield();
    if ((lock & ~KM) != (t->own | WR))
      broken++;
    counter = seen + 1;
    release(t->own);
  }
}

static void take_turns(struct raw_thread *t) {
  unsigned mine = (unsigned)(uintptr_t)t->arg;
  struct cloudabi_event ev;
  for (unsigned i = 0; i < STRESS_ROUNDS / 4; i++) {
    acquire(t->own);
    while (counter % STRESS_THREADS != mine) {
      if (raw_wait(raw_condvar_sub(CONDVAR, LOCK), i % 2 == 0 ? 0 : 1000 * RAW_MS, &ev) != 0 ||
          ev.error != 0)
        broken++;
      if ((lock & ~KM) != (t->own | WR))
        broken++;
    }
    counter++;
    if (condvar != 0)
      cloudabi_sys_condvar_signal(CONDVAR, PRIVATE, UINT32_MAX);
    release(t->own);
  }
}

static void stress(const char *what, void (*run)(struct raw_thread *), unsigned total) {
  static struct raw_thread t[STRESS_THREADS];
  counter = 0;
  broken = 0;
  for (uintptr_t i = 0; i < STRESS_THREADS; i++)
    raw_spawn(&t[i], run, (void *)i);
  for (int i = 0; i < STRESS_THREADS; i++)
    raw_join(&t[i]);
  check("lock_unlock", what, counter == total && broken == 0 && lock == 0 && condvar == 0);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_alone();
  check_timeouts();
  check_handoff();
  check_readers();
  check_foreign();
  check_condvar();
  check_condvar_timeout();
  check_rules();
  stress("eight threads count, one at a time", count_up, STRESS_THREADS * STRESS_ROUNDS);
  stress("eight threads take turns", take_turns, STRESS_THREADS * (STRESS_ROUNDS / 4));
  check_end();
}
