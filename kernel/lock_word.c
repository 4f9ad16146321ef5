/*
 * From a program's pointer to a key, and from a key to the word: lock_word.h.
 *
 * Called by lock.c and condvar.c under the kernel lock. Reference section 4.3.
 */
#include "kernel/lock_word.h"

#include "kernel/aspace.h"
#include "kernel/memobj.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "kernel/user.h"

static struct aspace *own_space(void) {
  return thread_current()->process->aspace;
}

/* Has the processor check that the program may write there, and makes the page its own. */
static bool touch(uintptr_t va) {
  uint32_t *word = (uint32_t *)va, value;
  bool swapped = false;
  if (!arch_user_load32(word, &value))
    return false;
  while (!swapped) {
    if (!arch_user_cmpxchg32(word, &value, value, &swapped))
      return false;
  }
  return true;
}

/* The same, and nothing has slept since. */
static bool touch_now(uintptr_t va) {
  const struct thread *t = thread_current();
  uint32_t sleeps;
  do {
    sleeps = t->sleeps;
    if (!touch(va))
      return false;
  } while (t->sleeps != sleeps);
  return true;
}

errno_t lock_key_init(struct lock_key *key, enum lock_kind kind, const void *word, scope_t scope) {
  uintptr_t va = (uintptr_t)word;
  struct memobj *obj;
  uint64_t offset;
  if (scope != SCOPE_PRIVATE && scope != SCOPE_SHARED)
    return EINVAL;
  if (va % sizeof(uint32_t) != 0 || !user_range_ok(va, sizeof(uint32_t)))
    return EFAULT;
  *key = (struct lock_key){.space = own_space(), .offset = va, .kind = kind};
  if (scope == SCOPE_PRIVATE)
    return 0;
  if (!touch_now(va))
    return EFAULT;
  if (aspace_shared_object(key->space, va, &obj, &offset))
    *key = (struct lock_key){.obj = memobj_ref(obj), .offset = offset, .kind = kind};
  return 0;
}

void lock_key_ref(const struct lock_key *key) {
  if (key->obj != NULL)
    memobj_ref(key->obj);
}

void lock_key_unref(const struct lock_key *key) {
  memobj_unref(key->obj);
}

/* Another process's private memory. It touched the word when it began to wait, so the page is
 * there, if perhaps shared with a child meanwhile; getting a copy of its own doesn't sleep. What
 * has been taken away since isn't brought back. */
static bool make_writable(struct aspace *as, uintptr_t va) {
  unsigned prot;
  if (!arch_aspace_query(aspace_arch(as), va, NULL, &prot))
    return false;
  return (prot & ARCH_WRITE) != 0 || aspace_fault(as, va, ARCH_WRITE) == 0;
}

static bool find_private(struct aspace *as, uintptr_t va, pa_t *pa) {
  unsigned prot;
  bool ready = as == own_space() ? touch_now(va) : make_writable(as, va);
  return ready && arch_aspace_query(aspace_arch(as), va, pa, &prot) && (prot & ARCH_WRITE) != 0;
}

errno_t lock_word_find(const struct lock_key *key, uint32_t **word) {
  uint64_t in_page = key->offset & (PAGE_SIZE - 1), page = key->offset - in_page;
  bool found;
  pa_t pa;
  if (key->obj != NULL)
    found = key->obj->ops->get_page(key->obj, page, true, &pa) == 0;
  else
    found = find_private(key->space, key->offset, &pa);
  if (!found)
    return EFAULT;
  *word = (uint32_t *)((uintptr_t)pa_to_va(pa) + in_page);
  return 0;
}

errno_t lock_word_find_both(const struct lock_key *key, uint32_t **word,
                            const struct lock_key *other, uint32_t **other_word) {
  const struct thread *t = thread_current();
  uint32_t sleeps;
  errno_t e;
  do {
    e = lock_word_find(key, word);
    if (e != 0)
      return e;
    sleeps = t->sleeps;
    e = lock_word_find(other, other_word);
  } while (e == 0 && t->sleeps != sleeps);
  return e;
}
