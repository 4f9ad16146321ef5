/*
 * The words of locks and condition variables: what they are known by, and where they are.
 *
 * Private to lock*.c and condvar.c. A word in shared memory is known by the memory object and the
 * offset in it, so that all who map it mean the same one, at whatever address; any other by the
 * address space and the address (reference 4.3). A process may have to change a word that it
 * doesn't map itself: the one of the lock that another process's condition variable is bound to. So
 * words are reached through the direct map, in the page that the object or the page table says.
 *
 * Kernel lock. Finding a word may sleep, where its page has to come from a disk; what the caller
 * knew about objects and other words is old then (thread.h: sleeps).
 */
#ifndef KERNEL_LOCK_WORD_H
#define KERNEL_LOCK_WORD_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi.h"

struct aspace;
struct memobj;

enum lock_kind { LOCK_KIND_LOCK, LOCK_KIND_CONDVAR };

/* Equal keys mean the same word. Who makes one holds a reference to the object; a thread keeps its
 * key as long as it waits, and its address space is there anyway, so that the keys in lock objects
 * are good while somebody waits. */
struct lock_key {
  struct memobj *obj;   /* NULL: private memory */
  struct aspace *space; /* of private memory; else NULL */
  uint64_t offset;      /* in obj, or the address in the address space */
  enum lock_kind kind;
};

/* The key of a word of the current process. EINVAL: unknown scope; EFAULT: misaligned, not in user
 * space, or not writable (a private one is looked at when it is found). May sleep. */
errno_t lock_key_init(struct lock_key *key, enum lock_kind kind, const void *word, scope_t scope);
/* Another reference to the object, for a copy of the key. */
void lock_key_ref(const struct lock_key *key);
void lock_key_unref(const struct lock_key *key);

static inline bool lock_key_equal(const struct lock_key *a, const struct lock_key *b) {
  return a->offset == b->offset && a->obj == b->obj && a->space == b->space && a->kind == b->kind;
}

/* The word itself, to be read and written until the thread sleeps. EFAULT: its page can't be had,
 * or is not there any more. May sleep. */
errno_t lock_word_find(const struct lock_key *key, uint32_t **word);
/* Two words at once: after finding the second, the first is still good. */
errno_t lock_word_find_both(const struct lock_key *key, uint32_t **word,
                            const struct lock_key *other, uint32_t **other_word);

/* The program changes the word at the same time, on other processors. */
static inline uint32_t lock_word_load(const uint32_t *word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void lock_word_store(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* False: *expected is what it is instead. */
static inline bool lock_word_swap(uint32_t *word, uint32_t *expected, uint32_t value) {
  return __atomic_compare_exchange_n(word, expected, value, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE);
}

#endif
