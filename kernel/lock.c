/*
 * Locks: waiting for them and handing them over. Reference sections 4.2 to 4.4 and 4.6.
 *
 * A lock that threads wait for in the kernel has an object, and the KERNEL_MANAGED bit in its word:
 * the two come and go together, because everything here happens under the kernel lock. While the
 * bit is set and somebody holds the lock for writing, the program doesn't change the word.
 *
 * Called by sys/poll_lock.c and sys/lock.c, and by sys/thread.c for a thread's end.
 */
#include "kernel/lock.h"

#include "kernel/lock_object.h"
#include "kernel/thread.h"

#define KM LOCK_KERNEL_MANAGED
#define WR LOCK_WRLOCKED
#define LOW_BITS (WR - 1) /* the writer's tid, or the number of readers */

static tid_t owner_in(uint32_t word) {
  tid_t tid = word & LOW_BITS;
  return (word & WR) != 0 && tid > LOCK_OWNER_UNKNOWN ? tid : LOCK_OWNER_UNKNOWN;
}

/* What the word is to become by a try. 0: *next gives the lock; EBUSY: *next marks it. */
static errno_t next_word(uint32_t word, tid_t tid, bool write, uint32_t with, uint32_t *next) {
  if ((word & KM) != 0)
    return EINVAL; /* nobody waits in the kernel, so this is none of our words */
  *next = word | KM;
  if ((word & WR) != 0)
    return write && (word & LOW_BITS) == tid ? EDEADLK : EBUSY;
  if (write) {
    if (word != 0)
      return EBUSY;
    *next = tid | WR | with;
    return 0;
  }
  *next = word + 1;
  return word == LOW_BITS ? EAGAIN : 0;
}

errno_t lock_try(uint32_t *word, tid_t tid, bool write, uint32_t with, tid_t *owner) {
  uint32_t value = lock_word_load(word), next;
  errno_t e;
  do {
    e = next_word(value, tid, write, with, &next);
    if (e != 0 && e != EBUSY)
      return e;
  } while (!lock_word_swap(word, &value, next));
  *owner = owner_in(value);
  return e;
}

void lock_grant(struct lock_waiter *w) {
  w->object = NULL;
  thread_wake(w->thread);
}

/* Takes w off the list that it is on, and its thread away from the object. */
static void dequeue(struct lock_object *o, struct lock_waiter *w) {
  list_remove(&w->link);
  lock_object_leave(o, w->thread);
}

static struct lock_waiter *first(struct list *l) {
  return container_of(l->next, struct lock_waiter, link);
}

/* Everyone who waits is a reader, and the word counts them already. */
static void grant_readers(struct lock_object *o) {
  for (uint32_t n = o->count; n > 0; n--) {
    struct lock_waiter *w = first(&o->readers);
    dequeue(o, w);
    lock_grant(w);
  }
}

errno_t lock_release(const struct lock_key *key, uint32_t *word, tid_t tid) {
  struct lock_object *o = lock_object_find(key);
  if (o == NULL) {
    lock_word_store(word, LOCK_UNLOCKED);
    return 0;
  }
  if (o->owner == LOCK_OWNER_UNKNOWN)
    o->owner = owner_in(lock_word_load(word)); /* the last reader has put its name there */
  if (o->owner != tid)
    return EPERM;
  if (list_empty(&o->waiting)) {
    lock_word_store(word, o->count);
    grant_readers(o);
    return 0;
  }
  struct lock_waiter *w = first(&o->waiting);
  tid_t heir = w->thread->tid;
  lock_word_store(word, heir | WR | (o->count > 1 ? KM : 0));
  o->owner = heir;
  dequeue(o, w);
  lock_grant(w);
  return 0;
}

static errno_t release(const struct lock_key *key, tid_t tid) {
  uint32_t *word;
  errno_t e = lock_word_find(key, &word);
  return e != 0 ? e : lock_release(key, word, tid);
}

errno_t lock_unlock(lock_t *lock, scope_t scope) {
  struct lock_key key;
  errno_t e = lock_key_init(&key, LOCK_KIND_LOCK, lock, scope);
  if (e != 0)
    return e;
  e = release(&key, thread_current()->tid);
  lock_key_unref(&key);
  return e;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

errno_t lock_sleep(struct lock_waiter *w, uint64_t deadline_ns) {
  for (;;) {
    thread_sleep_begin();
    errno_t e = thread_sleep(deadline_ns);
    if (w->object == NULL)
      return 0; /* even if the time is up as well */
    if (e != 0)
      return e;
  }
}

/* Replaces the word by (word without the mark) + readers. False: it has a writer meanwhile, and
 * readers is not 0. */
static bool unmark(uint32_t *word, uint32_t readers) {
  uint32_t value = lock_word_load(word);
  do {
    if (readers > 0 && (value & WR) != 0)
      return false;
  } while (!lock_word_swap(word, &value, (value & ~KM) + readers));
  return true;
}

errno_t lock_abandon(const struct lock_key *key, struct lock_waiter *w, errno_t e) {
  uint32_t *word;
  bool found = lock_word_find(key, &word) == 0; /* else nobody can take it any more */
  struct lock_object *o = w->object;
  if (o == NULL)
    return 0;
  bool last = o->count == 1;
  bool writer_left = !list_empty(&o->waiting);
  dequeue(o, w);
  w->object = NULL;
  if (!found)
    return e;
  if (last)
    unmark(word, 0);
  else if (writer_left && list_empty(&o->waiting) && o->owner == LOCK_OWNER_UNKNOWN &&
           unmark(word, o->count))
    grant_readers(o); /* only the writer kept them from joining the readers that have it */
  return e;
}

/* One reader less; the last one before others that wait hands the lock over. */
static errno_t release_read(const struct lock_key *key, tid_t tid) {
  uint32_t *word, value, next;
  errno_t e = lock_word_find(key, &word);
  if (e != 0)
    return e;
  value = lock_word_load(word);
  do {
    if ((value & WR) != 0 || (value & LOW_BITS) == 0)
      return EPERM; /* the program has changed it */
    next = value == (1 | KM) ? tid | WR | KM : value - 1;
  } while (!lock_word_swap(word, &value, next));
  return (next & WR) != 0 ? lock_release(key, word, tid) : 0;
}

errno_t lock_wait_end(const struct lock_key *key, bool write, errno_t e) {
  const struct thread *t = thread_current();
  if (e != 0 || !t->dying)
    return e;
  (void)(write ? release(key, t->tid) : release_read(key, t->tid));
  return ECANCELED;
}

static void enqueue(const struct lock_key *key, struct lock_waiter *w, bool write, tid_t owner) {
  struct lock_object *o = lock_object_join(key, w->thread);
  if (o->count == 1)
    o->owner = owner;
  w->object = o;
  list_push_back(write ? &o->waiting : &o->readers, &w->link);
}

void lock_enqueue_writer(const struct lock_key *key, struct lock_waiter *w, tid_t owner) {
  enqueue(key, w, true, owner);
}

errno_t lock_take(const struct lock_key *key, bool write, uint64_t deadline_ns) {
  struct thread *t = thread_current();
  tid_t owner = 0;
  uint32_t *word;
  errno_t e = lock_word_find(key, &word);
  if (e != 0)
    return e;
  struct lock_object *o = lock_object_find(key);
  if (o == NULL) {
    e = lock_try(word, t->tid, write, 0, &owner);
    if (e != EBUSY)
      return lock_wait_end(key, write, e);
  } else if (write && o->owner == t->tid) {
    return EDEADLK;
  }
  struct lock_waiter w = {.thread = t};
  enqueue(key, &w, write, owner);
  e = lock_sleep(&w, deadline_ns);
  if (e != 0)
    e = lock_abandon(key, &w, e);
  return lock_wait_end(key, write, e);
}

errno_t lock_wait(lock_t *lock, scope_t scope, bool write, uint64_t deadline_ns) {
  struct lock_key key;
  errno_t e = lock_key_init(&key, LOCK_KIND_LOCK, lock, scope);
  if (e != 0)
    return e;
  e = lock_take(&key, write, deadline_ns);
  lock_key_unref(&key);
  return e;
}
