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
#include "kernel/user.h"

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
  uint32_t value, next;
  if (!arch_user_load32(word, &value))
    return EFAULT;
  for (;;) {
    errno_t e = next_word(value, tid, write, with, &next);
    if (e != 0 && e != EBUSY)
      return e;
    bool swapped;
    if (!arch_user_cmpxchg32(word, &value, next, &swapped))
      return EFAULT;
    if (!swapped)
      continue; /* value is what it is now */
    *owner = owner_in(value);
    return e;
  }
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
  if (o == NULL)
    return arch_user_store32(word, LOCK_UNLOCKED) ? 0 : EFAULT;
  if (o->owner == LOCK_OWNER_UNKNOWN) {
    uint32_t value; /* the last reader has put its name there */
    if (!arch_user_load32(word, &value))
      return EFAULT;
    o->owner = owner_in(value);
  }
  if (o->owner != tid)
    return EPERM;
  if (list_empty(&o->waiting)) {
    if (!arch_user_store32(word, o->count))
      return EFAULT;
    grant_readers(o);
    return 0;
  }
  struct lock_waiter *w = first(&o->waiting);
  tid_t heir = w->thread->tid;
  if (!arch_user_store32(word, heir | WR | (o->count > 1 ? KM : 0)))
    return EFAULT;
  o->owner = heir;
  dequeue(o, w);
  lock_grant(w);
  return 0;
}

errno_t lock_unlock(lock_t *lock, scope_t scope) {
  struct lock_key key;
  errno_t e = lock_key_init(&key, LOCK_KIND_LOCK, lock, scope);
  return e != 0 ? e : lock_release(&key, lock, thread_current()->tid);
}

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
  uint32_t value;
  bool swapped = false;
  if (!arch_user_load32(word, &value))
    return true; /* the memory is gone: nobody can take that lock any more */
  while (!swapped) {
    if (readers > 0 && (value & WR) != 0)
      return false;
    if (!arch_user_cmpxchg32(word, &value, (value & ~KM) + readers, &swapped))
      return true;
  }
  return true;
}

void lock_abandon(struct lock_waiter *w) {
  struct lock_object *o = w->object;
  bool last = o->count == 1;
  bool writer_left = !list_empty(&o->waiting);
  dequeue(o, w);
  if (last)
    unmark(o->word, 0);
  else if (writer_left && list_empty(&o->waiting) && o->owner == LOCK_OWNER_UNKNOWN &&
           unmark(o->word, o->count))
    grant_readers(o); /* only the writer kept them from joining the readers that have it */
}

static struct lock_object *enqueue(const struct lock_key *key, uint32_t *word,
                                   struct lock_waiter *w, tid_t owner) {
  struct lock_object *o = lock_object_join(key, word, w->thread);
  if (o->count == 1)
    o->owner = owner;
  w->object = o;
  return o;
}

void lock_enqueue_writer(const struct lock_key *key, uint32_t *word, struct lock_waiter *w,
                         tid_t owner) {
  struct lock_object *o = enqueue(key, word, w, owner);
  list_push_back(&o->waiting, &w->link);
}

static void enqueue_reader(const struct lock_key *key, uint32_t *word, struct lock_waiter *w,
                           tid_t owner) {
  struct lock_object *o = enqueue(key, word, w, owner);
  list_push_back(&o->readers, &w->link);
}

errno_t lock_wait(lock_t *lock, scope_t scope, bool write, uint64_t deadline_ns) {
  struct thread *t = thread_current();
  struct lock_key key;
  tid_t owner = 0;
  errno_t e = lock_key_init(&key, LOCK_KIND_LOCK, lock, scope);
  if (e != 0)
    return e;
  struct lock_object *o = lock_object_find(&key);
  if (o == NULL) {
    e = lock_try(lock, t->tid, write, 0, &owner);
    if (e != EBUSY)
      return e;
  } else if (write && o->owner == t->tid) {
    return EDEADLK;
  }

  struct lock_waiter w = {.thread = t};
  if (write)
    lock_enqueue_writer(&key, lock, &w, owner);
  else
    enqueue_reader(&key, lock, &w, owner);
  e = lock_sleep(&w, deadline_ns);
  if (e != 0)
    lock_abandon(&w);
  return e;
}
