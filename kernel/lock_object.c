/*
 * Objects of locks and condition variables: a hash table by key, and the memory that the waiting
 * threads lend. See lock_object.h; reference sections 4.3 and 4.4.
 *
 * Called by lock.c, condvar.c and thread.c under the kernel lock; nothing here sleeps.
 */
#include "kernel/lock_object.h"

#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/thread.h"

#define BUCKETS 128 /* a power of two */

static struct lock_object *buckets[BUCKETS];
static size_t count;

static struct lock_object *pop(struct lock_object **stack) {
  struct lock_object *o = *stack;
  *stack = o->next;
  return o;
}

static void push(struct lock_object **stack, struct lock_object *o) {
  o->next = *stack;
  *stack = o;
}

errno_t lock_thread_init(struct thread *t) {
  t->lock_spare = kmalloc(sizeof *t->lock_spare);
  return t->lock_spare == NULL ? ENOMEM : 0;
}

void lock_thread_destroy(struct thread *t) {
  kfree(t->lock_spare);
  t->lock_spare = NULL;
}

static struct lock_object *lend(struct thread *t) {
  struct lock_object *o = t->lock_spare;
  ASSERT(o != NULL); /* it is on one list at a time */
  t->lock_spare = NULL;
  return o;
}

static struct lock_object **bucket(const struct lock_key *key) {
  uintptr_t owner = (uintptr_t)key->obj | (uintptr_t)key->space; /* one of them is NULL */
  uint64_t mixed = (key->offset >> 2) ^ (owner >> 4) ^ (uint64_t)key->kind << 32;
  return &buckets[(mixed * 0x9e3779b97f4a7c15) >> 32 & (BUCKETS - 1)];
}

struct lock_object *lock_object_find(const struct lock_key *key) {
  struct lock_object *o = *bucket(key);
  while (o != NULL && !lock_key_equal(&o->key, key))
    o = o->next;
  return o;
}

struct lock_object *lock_object_join(const struct lock_key *key, struct thread *t) {
  struct lock_object *o = lock_object_find(key);
  struct lock_object *mine = lend(t);
  if (o != NULL) {
    push(&o->spares, mine);
    o->count++;
    return o;
  }
  *mine = (struct lock_object){.key = *key, .count = 1};
  list_init(&mine->waiting);
  if (key->kind == LOCK_KIND_LOCK)
    list_init(&mine->readers);
  push(bucket(key), mine);
  count++;
  return mine;
}

void lock_object_leave(struct lock_object *o, struct thread *t) {
  if (--o->count > 0) {
    t->lock_spare = pop(&o->spares);
    return;
  }
  struct lock_object **link = bucket(&o->key);
  while (*link != o)
    link = &(*link)->next;
  *link = o->next;
  t->lock_spare = o;
  count--;
}

size_t lock_object_count(void) {
  return count;
}
