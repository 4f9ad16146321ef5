/*
 * What address spaces have in common: memory objects that several of them map, and after a fork
 * private memory that nobody has written to since.
 *
 * Called by whoever owns a memory object, for locks in shared memory, for mem_sync (which may
 * sleep) and proc_fork; kernel lock. Reference sections 4.3, 6 and 8.1.
 */
#include "kernel/heap.h"
#include "kernel/mapping.h"
#include "kernel/page.h"

/* ---- Revoking -------------------------------------------------------------------------------- */

/* Releases the object's own pages in [va, end) of a private mapping. */
static void revoke_private(struct mapping *m, uintptr_t va, uintptr_t end) {
  pa_t pa;
  for (; arch_aspace_next(&m->as->arch, &va, end, &pa, NULL); va += PAGE_SIZE)
    if (page_managed(pa_to_va(pa)) && page_cached(pa_to_va(pa)))
      aspace_release_pages(m->as, va, va + PAGE_SIZE);
}

/* The addresses [*from, *to) where a mapping shows [offset, end) of its object. False: nowhere. */
static bool shown_at(const struct mapping *m, uint64_t offset, uint64_t end, uintptr_t *from,
                     uintptr_t *to) {
  uint64_t size = m->end - m->start;
  uint64_t first = offset > m->offset ? offset - m->offset : 0;
  uint64_t last = end > m->offset ? end - m->offset : 0;
  if (last > size)
    last = size;
  *from = m->start + first;
  *to = m->start + last;
  return first < last;
}

static uint64_t end_of(uint64_t offset, uint64_t len) {
  return len <= UINT64_MAX - offset ? offset + len : UINT64_MAX;
}

void memobj_revoke(struct memobj *obj, uint64_t offset, uint64_t len) {
  uintptr_t from, to;
  list_for_each(it, &obj->mappings) {
    struct mapping *m = container_of(it, struct mapping, link);
    if (!shown_at(m, offset, end_of(offset, len), &from, &to))
      continue;
    if ((m->flags & MAPPING_SHARED) != 0)
      aspace_release_pages(m->as, from, to);
    else
      revoke_private(m, from, to);
  }
}

void memobj_write_protect(struct memobj *obj, uint64_t offset, uint64_t len) {
  uintptr_t from, to;
  pa_t pa;
  unsigned prot;
  list_for_each(it, &obj->mappings) {
    struct mapping *m = container_of(it, struct mapping, link);
    if ((m->flags & MAPPING_SHARED) == 0 || !shown_at(m, offset, end_of(offset, len), &from, &to))
      continue;
    for (; arch_aspace_next(&m->as->arch, &from, to, &pa, &prot); from += PAGE_SIZE)
      if ((prot & ARCH_WRITE) != 0) /* a table is there: it can't fail */
        arch_aspace_map(&m->as->arch, from, pa, prot & ~(unsigned)ARCH_WRITE, false);
  }
}

/* ---- Objects behind mappings ----------------------------------------------------------------- */

bool aspace_shared_object(struct aspace *as, uintptr_t va, struct memobj **obj, uint64_t *offset) {
  const struct mapping *m = maptree_find(as->root, va);
  if (m == NULL || m->start > va || (m->flags & MAPPING_SHARED) == 0)
    return false;
  *obj = m->obj;
  *offset = m->offset + (va - m->start);
  return true;
}

errno_t aspace_sync(struct aspace *as, uintptr_t va, size_t size) {
  errno_t e = aspace_check(as, va, size);
  while (e == 0 && size > 0) {
    const struct mapping *m = maptree_find(as->root, va);
    if (m == NULL || m->start > va)
      return ENOMEM; /* unmapped while the object slept */
    size_t part = m->end - va < size ? m->end - va : size;
    if ((m->flags & MAPPING_SHARED) != 0 && m->obj->ops->sync != NULL) {
      struct memobj *obj = memobj_ref(m->obj);
      e = obj->ops->sync(obj, m->offset + (va - m->start), part);
      memobj_unref(obj);
    }
    va += part;
    size -= part;
  }
  return e;
}

/* ---- Fork ------------------------------------------------------------------------------------ */

/* A copy of the tree at `from`; after an ENOMEM a part of it, good for being freed alone. */
static errno_t copy_tree(struct aspace *as, const struct mapping *from, struct mapping **to) {
  if (from == NULL)
    return 0;
  struct mapping *m = kmalloc(sizeof *m);
  if (m == NULL)
    return ENOMEM;
  *m = *from;
  m->as = as;
  m->left = m->right = NULL;
  mapping_link(m);
  as->count++;
  *to = m;
  errno_t e = copy_tree(as, from->left, &m->left);
  return e == 0 ? copy_tree(as, from->right, &m->right) : e;
}

errno_t aspace_fork(struct aspace *parent, struct aspace **out) {
  struct aspace *child;
  errno_t e = aspace_create(&child);
  if (e != 0)
    return e;
  child->mmap_top = parent->mmap_top;
  e = copy_tree(child, parent->root, &child->root);
  for (const struct mapping *m = maptree_find(parent->root, 0); e == 0 && m != NULL;
       m = maptree_find(parent->root, m->end))
    if ((m->flags & MAPPING_SHARED) == 0) /* else the child asks the object */
      e = mapping_share_pages(parent, m, child);
  if (e != 0) { /* what the parent can't write to any more is its own again */
    aspace_destroy(child);
    return e;
  }
  *out = child;
  return 0;
}
