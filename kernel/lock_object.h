/*
 * What the kernel remembers of a lock or a condition variable while threads wait for it.
 *
 * Private to lock.c, condvar.c and thread.c. A thread brings the memory along: it has an object
 * from its creation on, and its wait lends it. The first waiter's becomes the object, those of the
 * later ones are kept with it, and who leaves takes one of them back. So a wait never runs out of
 * memory, and an object never lies in the memory of a thread that is gone.
 *
 * Kernel lock.
 */
#ifndef KERNEL_LOCK_OBJECT_H
#define KERNEL_LOCK_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "kernel/list.h"
#include "kernel/lock_word.h"

struct thread;

enum { LOCK_OWNER_UNKNOWN = 1 }; /* readers hold it, or held it when the wait began */

struct lock_object {
  struct lock_object *next;   /* in its hash chain, or in a stack of unused ones */
  struct lock_object *spares; /* unused ones: one less than there are waiters */
  struct lock_key key;
  uint32_t count;      /* waiters */
  tid_t owner;         /* of a lock: the thread that holds it, or LOCK_OWNER_UNKNOWN */
  struct list waiting; /* a lock's writers, or a condition variable's waiters; first come first */
  union {
    struct list readers;      /* a lock's */
    struct lock_key lock_key; /* a condition variable's: the lock that its waiters released */
  };
};

/* A thread's wait; on its stack. */
struct lock_waiter {
  struct list link;
  struct thread *thread;
  struct lock_object *object; /* on whose list it is; NULL: it got the lock */
};

/* The object of a new thread's waits. ENOMEM. */
errno_t lock_thread_init(struct thread *t);
void lock_thread_destroy(struct thread *t);

/* NULL: nobody waits. */
struct lock_object *lock_object_find(const struct lock_key *key);
/* The object that key names, with t as one more waiter: a new one (count 1, lists empty) or the one
 * that is there. The caller puts a lock_waiter on a list of it. */
struct lock_object *lock_object_join(const struct lock_key *key, struct thread *t);
/* t, whose waiter is on no list any more, leaves; the last one takes the object itself. */
void lock_object_leave(struct lock_object *o, struct thread *t);
/* How many there are. */
size_t lock_object_count(void);

/* ---- lock.c for condvar.c -------------------------------------------------------------------- */
/* `word` is the key's, found, and nothing has slept since. */

/* Tries to take the lock for `tid`, where nobody waits for it in the kernel. 0: the word now says
 * tid (for writing, with the bits `with`) or one reader more. EBUSY: it is held; the word
 * says now that threads wait, and *owner is who holds it, for the new object. */
errno_t lock_try(uint32_t *word, tid_t tid, bool write, uint32_t with, tid_t *owner);
/* lock_unlock() by key. */
errno_t lock_release(const struct lock_key *key, uint32_t *word, tid_t tid);
/* Puts w at the end of the lock's writers; `owner` is for a new object. */
void lock_enqueue_writer(const struct lock_key *key, struct lock_waiter *w, tid_t owner);
/* Tells w's thread, which is on no list any more, that it has the lock. */
void lock_grant(struct lock_waiter *w);

/* lock_wait() by key. */
errno_t lock_take(const struct lock_key *key, bool write, uint64_t deadline_ns);
/* Sleeps until w->object is NULL. 0, ETIMEDOUT, ECANCELED; in the latter cases w still waits. */
errno_t lock_sleep(struct lock_waiter *w, uint64_t deadline_ns);
/* w's thread waits for the lock, for reading or writing, and gives up because of e; or it got the
 * lock meanwhile. Returns what is so: e or 0. May sleep. */
errno_t lock_abandon(const struct lock_key *key, struct lock_waiter *w, errno_t e);
/* The end of a wait with the result e: a thread that is to die and got the lock passes it on, as it
 * will never get to know. Returns e, or ECANCELED. */
errno_t lock_wait_end(const struct lock_key *key, bool write, errno_t e);

#endif
