/*
 * Condition variables: waiting and signalling. Reference sections 4.5 and 4.6.
 *
 * A signal doesn't make its waiters compete for the lock: the first gets it if it is free, and the
 * others move over to the queue of those who wait for it. The variable's word says no more than
 * whether there are waiters; the program looks at it before it calls.
 *
 * Called by sys/poll_lock.c and sys/lock.c under the kernel lock.
 */
#include "kernel/lock.h"
#include "kernel/lock_object.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define HAS_WAITERS 0xffffffffu

/* The lock must be held for writing. Where threads wait for it, lock_release() looks itself. */
static errno_t check_held(const struct lock_key *key, const uint32_t *word, tid_t tid) {
  uint32_t value;
  if (lock_object_find(key) != NULL)
    return 0;
  if (!arch_user_load32(word, &value))
    return EFAULT;
  return (value & ~(uint32_t)LOCK_KERNEL_MANAGED) == (tid | LOCK_WRLOCKED) ? 0 : EPERM;
}

/* Says in the variable's word that threads wait, and releases the lock: in this order. */
static errno_t mark_and_release(const struct lock_key *key, uint32_t *word,
                                const struct lock_key *lock_key, uint32_t *lock, tid_t tid) {
  struct lock_object *o = lock_object_find(key);
  if (o != NULL && !lock_key_equal(&o->lock_key, lock_key))
    return EINVAL;
  errno_t e = check_held(lock_key, lock, tid);
  if (e != 0)
    return e;
  if (!arch_user_store32(word, HAS_WAITERS))
    return EFAULT;
  e = lock_release(lock_key, lock, tid);
  if (e != 0 && o == NULL)
    (void)arch_user_store32(word, CONDVAR_HAS_NO_WAITERS);
  return e;
}

/* Takes w off the variable's queue. False: the word, which has to change now, can't be written. */
static bool dequeue(struct lock_waiter *w) {
  struct lock_object *o = w->object;
  bool last = o->count == 1;
  list_remove(&w->link);
  lock_object_leave(o, w->thread);
  return !last || arch_user_store32(o->word, CONDVAR_HAS_NO_WAITERS);
}

errno_t condvar_wait(condvar_t *condvar, scope_t condvar_scope, lock_t *lock, scope_t lock_scope,
                     uint64_t deadline_ns) {
  struct thread *t = thread_current();
  struct lock_key key, lock_key;
  errno_t e = lock_key_init(&key, LOCK_KIND_CONDVAR, condvar, condvar_scope);
  if (e == 0)
    e = lock_key_init(&lock_key, LOCK_KIND_LOCK, lock, lock_scope);
  if (e == 0)
    e = mark_and_release(&key, condvar, &lock_key, lock, t->tid);
  if (e != 0)
    return e;

  struct lock_waiter w = {.thread = t};
  w.object = lock_object_join(&key, condvar, t);
  w.object->lock_key = lock_key;
  w.object->lock_word = lock;
  list_push_back(&w.object->waiting, &w.link);
  e = lock_sleep(&w, deadline_ns);
  if (e == 0)
    return 0;

  if (w.object->key.kind == LOCK_KIND_CONDVAR) {
    (void)dequeue(&w);
    if (e == ETIMEDOUT)
      e = lock_wait(lock, lock_scope, true, NEVER_NS);
    return e == 0 ? ETIMEDOUT : e;
  }
  /* It was signalled and waits for the lock: that has no time limit. */
  if (e == ETIMEDOUT)
    e = lock_sleep(&w, NEVER_NS);
  if (e != 0)
    lock_abandon(&w);
  return e;
}

errno_t condvar_signal(condvar_t *condvar, scope_t scope, nthreads_t n) {
  struct lock_key key;
  errno_t e = lock_key_init(&key, LOCK_KIND_CONDVAR, condvar, scope);
  if (e != 0)
    return e;
  struct lock_object *o = lock_object_find(&key);
  if (n == 0 || o == NULL)
    return 0;
  if (n > o->count)
    n = o->count;
  struct lock_key lock_key = o->lock_key;
  uint32_t *lock = o->lock_word;
  tid_t owner = 0; /* for the lock's object, if it is to be made */
  bool written = true;

  if (lock_object_find(&lock_key) == NULL) {
    struct lock_waiter *w = container_of(o->waiting.next, struct lock_waiter, link);
    e = lock_try(lock, w->thread->tid, true, n > 1 ? LOCK_KERNEL_MANAGED : 0, &owner);
    if (e != 0 && e != EBUSY)
      return e;
    if (e == 0) {
      owner = w->thread->tid;
      written = dequeue(w);
      lock_grant(w);
      n--;
    }
  }
  for (; n > 0; n--) {
    struct lock_waiter *w = container_of(o->waiting.next, struct lock_waiter, link);
    written = dequeue(w);
    lock_enqueue_writer(&lock_key, lock, w, owner);
  }
  return written ? 0 : EFAULT;
}
