/*
 * Linux's futex, which all of musl's synchronisation stands on, out of one CloudABI lock
 * and a condition variable per waiting thread.
 *
 * The lock guards the list of waiters, oldest first. A waiter lies on its thread's stack.
 * It looks at the futex word under the lock and then waits on its condition variable,
 * which releases the lock; a waker takes it off the list and signals. The kernel hands
 * the lock to whoever it wakes (semantics 4), so a waiter always returns as its owner.
 *
 * The list is one for all addresses: it is as long as threads are blocked.
 */
#define _GNU_SOURCE
#include <time.h>

#include "futex.h"
#include "sdk/overlay/overlay.h"

struct waiter {
  struct waiter *next;
  volatile int *address;
  cloudabi_condvar_t condvar;
  cloudabi_tid_t tid;
  bool waiting; /* on the list */
  bool interrupted;
};

cloudabi_lock_t __futex_lock_word;

static struct waiter *first;
static struct waiter **last = &first;

/*
 * How many threads wait or are about to. Waiters raise it before they look at their word,
 * wakers change the word before they read it: one of the two sees the other. So a wake
 * without waiters costs no lock.
 */
static unsigned waiters;

/* Waits with one or two subscriptions; any failure means that memory is corrupt. */
static cloudabi_eventtype_t wait_for(const struct cloudabi_subscription *in, size_t count) {
  struct cloudabi_event out[2];
  size_t events = 0;

  if (cloudabi_sys_poll(in, out, count, &events) != 0 || events != 1 || out[0].error != 0)
    __builtin_trap();
  return out[0].type;
}

void __futex_lock(void) {
  cloudabi_lock_t unlocked = CLOUDABI_LOCK_UNLOCKED;

  if (__atomic_compare_exchange_n(&__futex_lock_word, &unlocked,
                                  __overlay_thread.tid | CLOUDABI_LOCK_WRLOCKED, false,
                                  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return;
  const struct cloudabi_subscription in = {
      .type = CLOUDABI_EVENTTYPE_LOCK_WRLOCK,
      .lock = {.lock = &__futex_lock_word, .lock_scope = CLOUDABI_SCOPE_PRIVATE},
  };
  wait_for(&in, 1);
}

void __futex_unlock(void) {
  cloudabi_lock_t mine = __overlay_thread.tid | CLOUDABI_LOCK_WRLOCKED;

  if (!__atomic_compare_exchange_n(&__futex_lock_word, &mine, CLOUDABI_LOCK_UNLOCKED, false,
                                   __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    cloudabi_sys_lock_unlock(&__futex_lock_word, CLOUDABI_SCOPE_PRIVATE);
}

void __futex_reset(void) {
  __futex_lock_word = CLOUDABI_LOCK_UNLOCKED;
  first = NULL;
  last = &first;
  waiters = 0;
}

/* Takes the waiter at that place off the list. */
static struct waiter *detach(struct waiter **place) {
  struct waiter *waiter = *place;

  *place = waiter->next;
  if (last == &waiter->next)
    last = place;
  waiter->waiting = false;
  return waiter;
}

static void signal_waiter(struct waiter *waiter) {
  cloudabi_sys_condvar_signal(&waiter->condvar, CLOUDABI_SCOPE_PRIVATE, 1);
}

long __futex_wake_locked(volatile int *address, int count) {
  long woken = 0;

  for (struct waiter **place = &first; *place != NULL && woken < count;) {
    if ((*place)->address != address) {
      place = &(*place)->next;
      continue;
    }
    signal_waiter(detach(place));
    ++woken;
  }
  return woken;
}

static bool nobody_waits(void) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return __atomic_load_n(&waiters, __ATOMIC_SEQ_CST) == 0;
}

static long wake(volatile int *address, int count) {
  if (nobody_waits())
    return 0;
  __futex_lock();
  long woken = __futex_wake_locked(address, count);
  __futex_unlock();
  return woken;
}

/* Wakes count waiters and lets some of the rest wait for another address. */
static long requeue(volatile int *from, int count, long moves, volatile int *to) {
  if (nobody_waits())
    return 0;
  __futex_lock();
  long woken = __futex_wake_locked(from, count);
  for (struct waiter *waiter = first; waiter != NULL && moves > 0; waiter = waiter->next) {
    if (waiter->address != from)
      continue;
    waiter->address = to;
    --moves;
  }
  __futex_unlock();
  return woken;
}

void __futex_interrupt(cloudabi_tid_t tid) {
  __futex_lock();
  for (struct waiter **place = &first; *place != NULL; place = &(*place)->next) {
    if ((*place)->tid != tid)
      continue;
    (*place)->interrupted = true;
    signal_waiter(detach(place));
    break;
  }
  __futex_unlock();
}

/* The time at which a relative timeout ends, UINT64_MAX for never. */
static cloudabi_timestamp_t deadline(const struct timespec *timeout) {
  cloudabi_timestamp_t now = 0, end;

  if (timeout == NULL)
    return UINT64_MAX;
  cloudabi_sys_clock_time_get(CLOUDABI_CLOCK_MONOTONIC, 1, &now);
  return __builtin_add_overflow(now, __time_ns(timeout), &end) ? UINT64_MAX : end;
}

/* Sleeps until taken off the list or the time is over. The caller has the lock before and after. */
static long sleep_until(struct waiter *waiter, cloudabi_timestamp_t end) {
  const struct cloudabi_subscription in[2] = {
      {.type = CLOUDABI_EVENTTYPE_CONDVAR,
       .condvar = {.condvar = &waiter->condvar,
                   .lock = &__futex_lock_word,
                   .condvar_scope = CLOUDABI_SCOPE_PRIVATE,
                   .lock_scope = CLOUDABI_SCOPE_PRIVATE}},
      {.type = CLOUDABI_EVENTTYPE_CLOCK,
       .clock = {.clock_id = CLOUDABI_CLOCK_MONOTONIC,
                 .timeout = end,
                 .flags = CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME}},
  };

  while (waiter->waiting) {
    if (wait_for(in, end == UINT64_MAX ? 1 : 2) == CLOUDABI_EVENTTYPE_CLOCK && waiter->waiting) {
      struct waiter **place = &first;
      while (*place != waiter)
        place = &(*place)->next;
      detach(place);
      return -ETIMEDOUT;
    }
  }
  return waiter->interrupted ? -EINTR : 0;
}

static long wait(volatile int *address, int value, const struct timespec *timeout) {
  struct waiter waiter = {.address = address, .tid = __overlay_thread.tid, .waiting = true};
  cloudabi_timestamp_t end = deadline(timeout);
  long result = -EAGAIN;

  __futex_lock();
  __atomic_add_fetch(&waiters, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(address, __ATOMIC_SEQ_CST) == value) {
    *last = &waiter;
    last = &waiter.next;
    result = sleep_until(&waiter, end);
  }
  __atomic_sub_fetch(&waiters, 1, __ATOMIC_SEQ_CST);
  __futex_unlock();
  return result;
}

/* The fourth argument is a timeout, or for FUTEX_REQUEUE how many to move. */
CALL5(futex, volatile int *, address, int, operation, int, value, long, extra, volatile int *,
      other) {
  switch (operation & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME)) {
    case FUTEX_WAIT:
      return wait(address, value, (const struct timespec *)extra);
    case FUTEX_WAKE:
      return wake(address, value);
    case FUTEX_REQUEUE:
      return requeue(address, value, extra, other);
    default:
      return -ENOSYS;
  }
}
