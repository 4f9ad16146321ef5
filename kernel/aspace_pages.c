/*
 * The pages present in an address space: what may be done with them, whose they are, and their end.
 * Page tables are the only record of them.
 *
 * Called by the other aspace*.c; kernel lock; never sleeps. Reference section 6.
 */
#include "kernel/log.h"
#include "kernel/mapping.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define RELEASE_BATCH 32

static bool managed(pa_t pa) {
  return page_managed(pa_to_va(pa));
}

bool page_take(pa_t pa) {
  return !managed(pa) || page_ref(pa_to_va(pa));
}

void page_drop(pa_t pa) {
  if (managed(pa))
    page_unref(pa_to_va(pa));
}

bool page_owned(pa_t pa) {
  return managed(pa) && page_refs(pa_to_va(pa)) == 1 && !page_cached(pa_to_va(pa));
}

/* Every protection but none lets the program read: processors don't offer less. */
unsigned mapping_arch_prot(const struct mapping *m, bool writable) {
  unsigned prot = ARCH_USER;
  if (m->prot != 0)
    prot |= ARCH_READ;
  if ((m->prot & PROT_EXEC) != 0)
    prot |= ARCH_EXEC;
  if ((m->prot & PROT_WRITE) != 0 && writable)
    prot |= ARCH_WRITE;
  return prot;
}

errno_t mapping_install(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t pa,
                        bool writable) {
  if ((m->prot & PROT_EXEC) != 0)
    arch_sync_icache(pa_to_va(pa), PAGE_SIZE);
  as->changes++;
  return arch_aspace_map(&as->arch, va, pa, mapping_arch_prot(m, writable), false);
}

void mapping_protect_pages(struct aspace *as, const struct mapping *m, uintptr_t va,
                           uintptr_t end) {
  pa_t pa;
  unsigned have;
  size_t step;
  for (; arch_aspace_next(&as->arch, &va, end, &pa, &have); va += step) {
    if ((have & ARCH_LARGE) != 0) {
      mapping_protect_large(as, m, va, pa);
      step = ARCH_LARGE_PAGE_SIZE;
      continue;
    }
    step = PAGE_SIZE;
    bool writable;
    if ((m->flags & MAPPING_SHARED) != 0)
      writable = (have & ARCH_WRITE) != 0; /* else the object will be asked */
    else
      writable = page_owned(pa);
    if (mapping_arch_prot(m, writable) == have)
      continue;
    errno_t e = mapping_install(as, m, va, pa, writable);
    ASSERT(e == 0); /* its table is there */
  }
}

/* A page of the child's own in the place of one that has no reference to spare. */
static errno_t copy_page(struct aspace *child, const struct mapping *m, uintptr_t va, pa_t from) {
  void *page = page_alloc(0);
  if (page == NULL)
    return ENOMEM;
  memcpy(page, pa_to_va(from), PAGE_SIZE);
  errno_t e = mapping_install(child, m, va, va_to_pa(page), true);
  if (e != 0)
    page_free(page, 0);
  else
    child->resident++;
  return e;
}

static errno_t share_page(struct aspace *parent, const struct mapping *m, uintptr_t va, pa_t pa,
                          unsigned have, struct aspace *child) {
  if (!managed(pa) || page_cached(pa_to_va(pa)))
    return 0; /* the child asks the object for it, too */
  if (!page_take(pa))
    return copy_page(child, m, va, pa);
  errno_t e = arch_aspace_map(&child->arch, va, pa, have & ~(unsigned)ARCH_WRITE, false);
  if (e != 0) {
    page_drop(pa);
    return e;
  }
  child->resident++;
  if ((have & ARCH_WRITE) == 0)
    return 0;
  parent->changes++;
  return arch_aspace_map(&parent->arch, va, pa, have & ~(unsigned)ARCH_WRITE, false);
}

errno_t mapping_share_pages(struct aspace *parent, const struct mapping *m, struct aspace *child) {
  uintptr_t va = m->start;
  pa_t pa;
  unsigned have;
  errno_t e = 0;
  while (e == 0 && arch_aspace_next(&parent->arch, &va, m->end, &pa, &have)) {
    if ((have & ARCH_LARGE) != 0 && mapping_share_large(parent, va, pa, have, child, &e)) {
      va += ARCH_LARGE_PAGE_SIZE;
    } else {
      e = share_page(parent, m, va, pa, have & ~(unsigned)ARCH_LARGE, child);
      va += PAGE_SIZE;
    }
  }
  return e;
}

void aspace_release_pages(struct aspace *as, uintptr_t va, uintptr_t end) {
  pa_t batch[RELEASE_BATCH];
  for (;;) {
    unsigned n = 0, have = 0;
    uintptr_t first = 0;
    while (n < RELEASE_BATCH && arch_aspace_next(&as->arch, &va, end, &batch[n], &have) &&
           (have & ARCH_LARGE) == 0) {
      if (n++ == 0)
        first = va;
      va += PAGE_SIZE;
    }
    pa_t large = (have & ARCH_LARGE) != 0 ? batch[n] : 0;
    if (n > 0)
      arch_aspace_unmap(&as->arch, first, va - first); /* nobody can reach them any more… */
    as->resident -= n;
    as->changes++;
    for (unsigned i = 0; i < n; i++)
      page_drop(batch[i]); /* …when they become somebody else's */
    if ((have & ARCH_LARGE) != 0) {
      aspace_release_large(as, va, large);
      va += ARCH_LARGE_PAGE_SIZE;
    } else if (n < RELEASE_BATCH) {
      return;
    }
  }
}
