/*
 * What address spaces have in common: memory objects that several of them map.
 *
 * Called by whoever owns a memory object; kernel lock; never sleeps. Reference section 6.
 */
#include "kernel/mapping.h"
#include "kernel/page.h"

/* Releases the object's own pages in [va, end) of a private mapping. */
static void revoke_private(struct mapping *m, uintptr_t va, uintptr_t end) {
  pa_t pa;
  for (; arch_aspace_next(&m->as->arch, &va, end, &pa, NULL); va += PAGE_SIZE)
    if (page_managed(pa_to_va(pa)) && page_cached(pa_to_va(pa)))
      aspace_release_pages(m->as, va, va + PAGE_SIZE);
}

void memobj_revoke(struct memobj *obj, uint64_t offset, uint64_t len) {
  uint64_t end = len <= UINT64_MAX - offset ? offset + len : UINT64_MAX;
  list_for_each(it, &obj->mappings) {
    struct mapping *m = container_of(it, struct mapping, link);
    uint64_t size = m->end - m->start;
    uint64_t from = offset > m->offset ? offset - m->offset : 0;
    uint64_t to = end > m->offset ? end - m->offset : 0;
    if (to > size)
      to = size;
    if (from >= to)
      continue;
    if ((m->flags & MAPPING_SHARED) != 0)
      aspace_release_pages(m->as, m->start + from, m->start + to);
    else
      revoke_private(m, m->start + from, m->start + to);
  }
}

bool aspace_shared_object(struct aspace *as, uintptr_t va, struct memobj **obj, uint64_t *offset) {
  const struct mapping *m = maptree_find(as->root, va);
  if (m == NULL || m->start > va || (m->flags & MAPPING_SHARED) == 0)
    return false;
  *obj = m->obj;
  *offset = m->offset + (va - m->start);
  return true;
}
