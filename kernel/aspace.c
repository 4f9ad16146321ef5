/*
 * User address spaces: what is mapped where, and with which protection.
 *
 * This file keeps the tree of mappings; the pages themselves are aspace_fault.c's. Neighbours that
 * say the same are one mapping, so that a program that maps piece after piece doesn't fill the
 * tree. Whatever may fail is done before anything changes.
 *
 * Called by the system calls, exec.c and process.c; kernel lock; never sleeps. Reference section 6.
 */
#include "kernel/aspace.h"

#include "kernel/cpu.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/mapping.h"
#include "kernel/random.h"

#define RANDOM_FLOOR (4ul << 30) /* below it a truncated pointer would find something */
#define RANDOM_TRIES 32

errno_t aspace_create(struct aspace **out) {
  struct aspace *as = kzalloc(sizeof *as);
  if (as == NULL)
    return ENOMEM;
  errno_t e = arch_aspace_init(&as->arch);
  if (e != 0) {
    kfree(as);
    return e;
  }
  as->mmap_top = (USER_END - random_u64() % (USER_END / 4)) & ~(PAGE_SIZE - 1);
  *out = as;
  return 0;
}

void mapping_link(struct mapping *m) {
  list_init(&m->link);
  if (m->obj != NULL) {
    memobj_ref(m->obj);
    list_push_back(&m->obj->mappings, &m->link);
  }
}

static void mapping_free(struct mapping *m) {
  list_remove(&m->link);
  memobj_unref(m->obj);
  kfree(m);
}

static void tree_free(struct mapping *n) {
  if (n == NULL)
    return;
  tree_free(n->left);
  tree_free(n->right);
  mapping_free(n);
}

void aspace_destroy(struct aspace *as) {
  if (as == NULL)
    return;
  ASSERT(this_cpu()->aspace != as);
  aspace_release_pages(as, USER_START, USER_END);
  tree_free(as->root);
  arch_aspace_free(&as->arch);
  kfree(as);
}

struct arch_aspace *aspace_arch(struct aspace *as) {
  return &as->arch;
}

static bool range_ok(uintptr_t va, size_t size) {
  return size != 0 && ((va | size) & (PAGE_SIZE - 1)) == 0 && va >= USER_START && va <= USER_END &&
         size <= USER_END - va;
}

/* ---- Splitting and merging ------------------------------------------------------------------- */

static uint64_t offset_at(const struct mapping *m, uintptr_t va) {
  return m->obj != NULL ? m->offset + (va - m->start) : 0;
}

/* Whether a mapping reaches across va, so that a change up to or from there splits it. */
static bool crosses(struct aspace *as, uintptr_t va) {
  const struct mapping *m = maptree_find(as->root, va);
  return m != NULL && m->start < va;
}

/* Memory for `n` splits (up to 2) in spares[]; what is there after an ENOMEM is the caller's, too.
 */
static errno_t spares_alloc(struct aspace *as, struct mapping *spares[2], unsigned n) {
  if (as->count + n > ASPACE_MAPPINGS_MAX)
    return ENOMEM;
  for (unsigned i = 0; i < n; i++) {
    spares[i] = kmalloc(sizeof *spares[i]);
    if (spares[i] == NULL)
      return ENOMEM;
  }
  return 0;
}

/* Makes va the border of two mappings; `upper` becomes the second. */
static void split(struct aspace *as, uintptr_t va, struct mapping *upper) {
  struct mapping *m = maptree_find(as->root, va);
  *upper = *m;
  upper->offset = offset_at(m, va);
  upper->start = va;
  mapping_link(upper);
  m->end = va;
  maptree_update(as->root, m);
  maptree_insert(&as->root, upper);
  as->count++;
}

/* Makes va and end borders of mappings and of pages, for a change between them. ENOMEM: nothing
 * that shows has changed. */
static errno_t cut_out(struct aspace *as, uintptr_t va, uintptr_t end) {
  bool at_start = crosses(as, va), at_end = crosses(as, end);
  struct mapping *spares[2] = {NULL, NULL};
  errno_t e = spares_alloc(as, spares, (unsigned)at_start + (unsigned)at_end);
  if (e == 0 && at_start)
    e = aspace_split_large(as, va);
  if (e == 0 && at_end)
    e = aspace_split_large(as, end);
  if (e != 0) {
    kfree(spares[0]);
    kfree(spares[1]);
    return e;
  }
  if (at_start)
    split(as, va, spares[0]);
  if (at_end)
    split(as, end, spares[at_start]);
  as->changes++;
  return 0;
}

static bool mergeable(const struct mapping *a, const struct mapping *b) {
  return a->end == b->start && a->prot == b->prot && a->max_prot == b->max_prot &&
         a->flags == b->flags && a->obj == b->obj && a->name == b->name &&
         offset_at(a, a->end) == b->offset;
}

static void mapping_remove(struct aspace *as, struct mapping *m) {
  maptree_remove(&as->root, m);
  as->count--;
  mapping_free(m);
}

/* Merges the mapping that begins at va, if there is one, with the one before it. */
static void merge_at(struct aspace *as, uintptr_t va) {
  struct mapping *a = maptree_find(as->root, va - 1), *b = maptree_find(as->root, va);
  if (a == NULL || b == NULL || a == b || !mergeable(a, b))
    return;
  uintptr_t end = b->end;
  mapping_remove(as, b);
  a->end = end;
  maptree_update(as->root, a);
}

/* ---- Mapping and unmapping ------------------------------------------------------------------- */

/* Removes mappings from [va, end), whose borders no mapping crosses, with their pages. */
static void clear(struct aspace *as, uintptr_t va, uintptr_t end) {
  aspace_release_pages(as, va, end);
  for (;;) {
    struct mapping *m = maptree_find(as->root, va);
    if (m == NULL || m->start >= end)
      return;
    mapping_remove(as, m);
  }
}

errno_t aspace_unmap(struct aspace *as, uintptr_t va, size_t size) {
  if (!range_ok(va, size))
    return EINVAL;
  uintptr_t end = va + size;
  errno_t e = cut_out(as, va, end);
  if (e != 0)
    return e;
  clear(as, va, end);
  return 0;
}

static errno_t place(struct aspace *as, size_t size, uintptr_t *va) {
  uintptr_t at = maptree_hole(as->root, size, USER_START, as->mmap_top);
  if (at == 0)
    at = maptree_hole(as->root, size, USER_START, USER_END);
  *va = at;
  return at != 0 ? 0 : ENOMEM;
}

errno_t aspace_map(struct aspace *as, uintptr_t *va, size_t size, mprot_t prot, mprot_t max_prot,
                   unsigned flags, struct memobj *obj, uint64_t offset, const char *name) {
  ASSERT((prot & ~max_prot) == 0 && (prot & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC));
  ASSERT(obj != NULL || (flags & MAPPING_SHARED) == 0);
  if (size == 0 || ((size | offset) & (PAGE_SIZE - 1)) != 0 || offset > UINT64_MAX - size)
    return EINVAL;
  if ((flags & MAPPING_FIXED) != 0 && !range_ok(*va, size))
    return EINVAL;
  if (as->count + 2 > ASPACE_MAPPINGS_MAX) /* this one, and one split */
    return ENOMEM;
  struct mapping *m = kmalloc(sizeof *m);
  if (m == NULL)
    return ENOMEM;
  uintptr_t at = *va;
  errno_t e = (flags & MAPPING_FIXED) != 0 ? aspace_unmap(as, at, size) : place(as, size, &at);
  if (e != 0) {
    kfree(m);
    return e;
  }
  *m = (struct mapping){.start = at,
                        .end = at + size,
                        .as = as,
                        .obj = obj,
                        .offset = obj != NULL ? offset : 0,
                        .name = name,
                        .prot = prot,
                        .max_prot = max_prot,
                        .flags = flags & MAPPING_SHARED};
  mapping_link(m);
  maptree_insert(&as->root, m);
  as->count++;
  as->changes++;
  merge_at(as, at + size);
  merge_at(as, at);
  *va = at;
  return 0;
}

/* ---- Protection ------------------------------------------------------------------------------ */

errno_t aspace_check(struct aspace *as, uintptr_t va, size_t size) {
  if (!range_ok(va, size))
    return EINVAL;
  for (uintptr_t at = va; at < va + size;) {
    const struct mapping *m = maptree_find(as->root, at);
    if (m == NULL || m->start > at)
      return ENOMEM;
    at = m->end;
  }
  return 0;
}

static bool prot_permitted(struct aspace *as, uintptr_t va, uintptr_t end, mprot_t prot) {
  for (struct mapping *m; va < end; va = m->end) {
    m = maptree_find(as->root, va);
    if ((prot & ~m->max_prot) != 0)
      return false;
  }
  return true;
}

errno_t aspace_protect(struct aspace *as, uintptr_t va, size_t size, mprot_t prot) {
  ASSERT((prot & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC));
  errno_t e = aspace_check(as, va, size);
  if (e != 0)
    return e;
  uintptr_t end = va + size;
  if (!prot_permitted(as, va, end, prot))
    return EACCES;
  e = cut_out(as, va, end);
  if (e != 0)
    return e;
  for (uintptr_t at = va; at < end;) {
    struct mapping *m = maptree_find(as->root, at);
    uintptr_t start = at;
    at = m->end;
    if (m->prot != prot) {
      m->prot = prot;
      mapping_protect_pages(as, m, start, at);
    }
    merge_at(as, start);
  }
  merge_at(as, end);
  return 0;
}

/* ---- Places ---------------------------------------------------------------------------------- */

errno_t aspace_find(struct aspace *as, size_t size, size_t align, uintptr_t *va) {
  const uintptr_t room = USER_END - RANDOM_FLOOR;
  if (align < PAGE_SIZE)
    align = PAGE_SIZE;
  if (size == 0 || size > room || align > room - size)
    return ENOMEM;
  for (unsigned i = 0; i < RANDOM_TRIES; i++) {
    uintptr_t at = RANDOM_FLOOR + random_u64() % (room - size - align + 1);
    at = (at + align - 1) & ~(align - 1);
    const struct mapping *m = maptree_find(as->root, at);
    if (m == NULL || m->start >= at + size) {
      *va = at;
      return 0;
    }
  }
  uintptr_t at = maptree_hole(as->root, size + align, USER_START, USER_END);
  *va = (at + align - 1) & ~(align - 1);
  return at != 0 ? 0 : ENOMEM;
}

size_t aspace_resident_pages(const struct aspace *as) {
  return as->resident;
}

size_t aspace_mapping_count(const struct aspace *as) {
  return as->count;
}
