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

#define HAS_WAITERS 0xffffffffu

/* The lock must be held for writing. Where threads wait for it, lock_release() looks itself. */
static bool is_held(const struct lock_key *key, const uint32_t *word, tid_t tid) {
  return lock_object_find(key) != NULL ||
         (lock_word_load(word) & ~(uint32_t)LOCK_KERNEL_MANAGED) == (tid | LOCK_WRLOCKED);
}

/* Says in the variable's word that threads wait, and releases the lock: in this order. */
static errno_t mark_and_release(const struct lock_key *key, const struct lock_key *lock_key,
                                tid_t tid) {
  uint32_t *word, *lock;
  errno_t e = lock_word_find_both(key, &word, lock_key, &lock);
  if (e != 0)
    return e;
  struct lock_object *o = lock_object_find(key);
  if (o != NULL && !lock_key_equal(&o->lock_key, lock_key))
    return EINVAL;
  if (!is_held(lock_key, lock, tid))
    return EPERM;
  lock_word_store(word, HAS_WAITERS);
  e = lock_release(lock_key, lock, tid);
  if (e != 0 && o == NULL)
    lock_word_store(word, CONDVAR_HAS_NO_WAITERS);
  return e;
}

/* Takes w off the variable's queue. `word` is NULL where it can't be had any more. */
static void dequeue(struct lock_waiter *w, uint32_t *word) {
  struct lock_object *o = w->object;
  if (o->count == 1 && word != NULL)
    lock_word_store(word, CONDVAR_HAS_NO_WAITERS);
  list_remove(&w->link);
  lock_object_leave(o, w->thread);
}

/* The wait is over without the lock, because of e. */
static errno_t give_up(const struct lock_key *key, const struct lock_key *lock_key,
                       struct lock_waiter *w, errno_t e) {
  uint32_t *word;
  if (lock_word_find(key, &word) != 0)
    word = NULL;
  if (w->object == NULL)
    return 0; /* it got the lock while the word was looked for */
  if (w->object->key.kind == LOCK_KIND_CONDVAR) {
    dequeue(w, word);
    if (e == ETIMEDOUT)
      e = lock_take(lock_key, true, NEVER_NS);
    return e == 0 ? ETIMEDOUT : e;
  }
  /* It was signalled and waits for the lock: that has no time limit. */
  if (e == ETIMEDOUT)
    e = lock_sleep(w, NEVER_NS);
  return e != 0 ? lock_abandon(lock_key, w, e) : 0;
}

static errno_t wait(const struct lock_key *key, const struct lock_key *lock_key,
                    uint64_t deadline_ns) {
  struct thread *t = thread_current();
  errno_t e = mark_and_release(key, lock_key, t->tid);
  if (e != 0)
    return e;
  struct lock_waiter w = {.thread = t};
  w.object = lock_object_join(key, t);
  w.object->lock_key = *lock_key;
  list_push_back(&w.object->waiting, &w.link);
  e = lock_sleep(&w, deadline_ns);
  if (e != 0)
    e = give_up(key, lock_key, &w, e);
  return lock_wait_end(lock_key, true, e);
}

errno_t condvar_wait(condvar_t *condvar, scope_t condvar_scope, lock_t *lock, scope_t lock_scope,
                     uint64_t deadline_ns) {
  struct lock_key key, lock_key;
  errno_t e = lock_key_init(&key, LOCK_KIND_CONDVAR, condvar, condvar_scope);
  if (e != 0)
    return e;
  e = lock_key_init(&lock_key, LOCK_KIND_LOCK, lock, lock_scope);
  if (e == 0) {
    e = wait(&key, &lock_key, deadline_ns);
    lock_key_unref(&lock_key);
  }
  lock_key_unref(&key);
  return e;
}

/* ---- Signalling ------------------------------------------------------------------------------ */

/* The words as of one moment, and the variable's object. *o is NULL if nobody waits; else the
 * lock's key is the caller's, with a reference. */
static errno_t find_waiters(const struct lock_key *key, struct lock_object **o, uint32_t **word,
                            struct lock_key *lock_key, uint32_t **lock) {
  const struct thread *t = thread_current();
  for (;;) {
    errno_t e = lock_word_find(key, word);
    if (e != 0)
      return e;
    *o = lock_object_find(key);
    if (*o == NULL)
      return 0;
    *lock_key = (*o)->lock_key;
    lock_key_ref(lock_key);
    uint32_t sleeps = t->sleeps;
    e = lock_word_find(lock_key, lock);
    if (e == 0 && t->sleeps == sleeps)
      return 0;
    lock_key_unref(lock_key);
    if (e != 0)
      return e;
  }
}

/* The first who waits and is not about to die: a signal that a dying one got would be lost. */
static struct lock_waiter *first_alive(struct lock_object *o) {
  list_for_each(l, &o->waiting) {
    struct lock_waiter *w = container_of(l, struct lock_waiter, link);
    if (!w->thread->dying)
      return w;
  }
  return NULL;
}

/* How many of those there are, up to n. */
static nthreads_t count_alive(struct lock_object *o, nthreads_t n) {
  nthreads_t alive = 0;
  list_for_each(l, &o->waiting) {
    if (alive == n)
      break;
    alive += !container_of(l, struct lock_waiter, link)->thread->dying;
  }
  return alive;
}

/* The first gets the lock, if it is free; the others wait for it from now on. */
static errno_t wake(struct lock_object *o, uint32_t *word, const struct lock_key *lock_key,
                    uint32_t *lock, nthreads_t n) {
  tid_t owner = 0; /* for the lock's object, if it is to be made */
  n = count_alive(o, n);
  if (n > 0 && lock_object_find(lock_key) == NULL) {
    struct lock_waiter *w = first_alive(o);
    errno_t e = lock_try(lock, w->thread->tid, true, n > 1 ? LOCK_KERNEL_MANAGED : 0, &owner);
    if (e != 0 && e != EBUSY)
      return e;
    if (e == 0) {
      owner = w->thread->tid;
      dequeue(w, word);
      lock_grant(w);
      n--;
    }
  }
  for (; n > 0; n--) {
    struct lock_waiter *w = first_alive(o);
    dequeue(w, word);
    lock_enqueue_writer(lock_key, w, owner);
  }
  return 0;
}

errno_t condvar_signal(condvar_t *condvar, scope_t scope, nthreads_t n) {
  struct lock_key key, lock_key;
  struct lock_object *o;
  uint32_t *word, *lock;
  errno_t e = lock_key_init(&key, LOCK_KIND_CONDVAR, condvar, scope);
  if (e != 0)
    return e;
  e = find_waiters(&key, &o, &word, &lock_key, &lock);
  if (e == 0 && o != NULL) {
    e = wake(o, word, &lock_key, lock, n);
    lock_key_unref(&lock_key);
  }
  lock_key_unref(&key);
  return e;
}
