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

struct thread;

enum lock_kind { LOCK_KIND_LOCK, LOCK_KIND_CONDVAR };

/* Equal keys mean the same word (reference 4.3). */
struct lock_key {
  const void *space; /* an address space */
  uint64_t offset;   /* a user address in it */
  enum lock_kind kind;
};

enum { LOCK_OWNER_UNKNOWN = 1 }; /* readers hold it, or held it when the wait began */

struct lock_object {
  struct lock_object *next;   /* in its hash chain, or in a stack of unused ones */
  struct lock_object *spares; /* unused ones: one less than there are waiters */
  struct lock_key key;
  uint32_t *word;      /* user address */
  uint32_t count;      /* waiters */
  tid_t owner;         /* of a lock: the thread that holds it, or LOCK_OWNER_UNKNOWN */
  struct list waiting; /* a lock's writers, or a condition variable's waiters; first come first */
  union {
    struct list readers; /* a lock's */
    struct {             /* a condition variable's: the lock that its waiters released */
      struct lock_key lock_key;
      uint32_t *lock_word;
    };
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

/* EINVAL, EFAULT: as lock.h says. */
errno_t lock_key_init(struct lock_key *key, enum lock_kind kind, const void *word, scope_t scope);
bool lock_key_equal(const struct lock_key *a, const struct lock_key *b);

/* NULL: nobody waits. */
struct lock_object *lock_object_find(const struct lock_key *key);
/* The object that key names, with t as one more waiter: a new one (count 1, lists empty) or the one
 * that is there. The caller puts a lock_waiter on a list of it. */
struct lock_object *lock_object_join(const struct lock_key *key, uint32_t *word, struct thread *t);
/* t, whose waiter is on no list any more, leaves; the last one takes the object itself. */
void lock_object_leave(struct lock_object *o, struct thread *t);
/* How many there are. */
size_t lock_object_count(void);

/* ---- lock.c for condvar.c ------------------------------------------------------------ */

/* Tries to take the lock for `tid`, where nobody waits for it in the kernel. 0: the word now says
 * tid (for writing, with the bits `with`) or one reader more. EBUSY: it is held; the word
 * says now that threads wait, and *owner is who holds it, for the new object. */
errno_t lock_try(uint32_t *word, tid_t tid, bool write, uint32_t with, tid_t *owner);
/* lock_unlock() by key. */
errno_t lock_release(const struct lock_key *key, uint32_t *word, tid_t tid);
/* Puts w at the end of the lock's writers; `owner` is for a new object. */
void lock_enqueue_writer(const struct lock_key *key, uint32_t *word, struct lock_waiter *w,
                         tid_t owner);
/* w's thread gives up waiting for a lock. */
void lock_abandon(struct lock_waiter *w);
/* Sleeps until w->object is NULL. 0, ETIMEDOUT, ECANCELED; in the latter cases w still waits. */
errno_t lock_sleep(struct lock_waiter *w, uint64_t deadline_ns);
/* Tells w's thread, which is on no list any more, that it has the lock. */
void lock_grant(struct lock_waiter *w);

#endif
