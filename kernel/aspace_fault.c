/*
 * The pages of an address space: filled in at the first access, copied at the first write,
 * released when they are unmapped. Page tables are the only record of them.
 *
 * A page that page.c manages holds one reference for each place where it is mapped; what a
 * private mapping alone refers to is its own and may be written to. All other pages, those
 * outside of page.c's memory included, belong to a memory object and are copied first.
 *
 * Called for page faults (from user mode or a user copy), by aspace.c and exec.c; kernel lock;
 * never sleeps for anonymous memory and files in memory. Reference section 6.
 */
#include "kernel/log.h"
#include "kernel/mapping.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define RELEASE_BATCH 32

static bool managed(pa_t pa) {
  return page_managed(pa_to_va(pa));
}

static void ref(pa_t pa) {
  if (managed(pa))
    page_ref(pa_to_va(pa));
}

static void unref(pa_t pa) {
  if (managed(pa))
    page_unref(pa_to_va(pa));
}

/* Whether a page present in a private mapping is nobody else's. */
static bool owned(pa_t pa) {
  return managed(pa) && page_refs(pa_to_va(pa)) == 1;
}

/* Every protection but none lets the program read: processors don't offer less. */
static unsigned arch_prot(const struct mapping *m, bool writable) {
  unsigned prot = ARCH_USER;
  if (m->prot != 0)
    prot |= ARCH_READ;
  if ((m->prot & PROT_EXEC) != 0)
    prot |= ARCH_EXEC;
  if ((m->prot & PROT_WRITE) != 0 && writable)
    prot |= ARCH_WRITE;
  return prot;
}

static errno_t install(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t pa,
                       bool writable) {
  if ((m->prot & PROT_EXEC) != 0)
    arch_sync_icache(pa_to_va(pa), PAGE_SIZE);
  return arch_aspace_map(&as->arch, va, pa, arch_prot(m, writable), false);
}

/* A page of the mapping's own in the place of what is there: a copy of `from`, or zeroes where that
 * is NULL. */
static errno_t install_new(struct aspace *as, const struct mapping *m, uintptr_t va,
                           const void *from, enum page_use use, pa_t *pa) {
  void *page = from == NULL && use != PAGE_REPLACE ? page_alloc_zero(0) : page_alloc(0);
  if (page == NULL)
    return ENOMEM;
  if (from != NULL)
    memcpy(page, from, PAGE_SIZE);
  *pa = va_to_pa(page);
  errno_t e = install(as, m, va, *pa, true);
  if (e != 0)
    page_free(page, 0);
  return e;
}

/* The object's page itself, for reading, or for writing where the mapping is shared. */
static errno_t install_object_page(struct aspace *as, const struct mapping *m, uintptr_t va,
                                   pa_t pa, bool writable) {
  ref(pa);
  errno_t e = install(as, m, va, pa, writable);
  if (e != 0)
    unref(pa);
  return e;
}

static errno_t page_in_shared(struct aspace *as, const struct mapping *m, uintptr_t va, bool write,
                              pa_t *pa) {
  errno_t e = m->obj->ops->get_page(m->obj, m->offset + (va - m->start), write, pa);
  return e == 0 ? install_object_page(as, m, va, *pa, write) : e;
}

static errno_t page_in_private(struct aspace *as, const struct mapping *m, uintptr_t va,
                               enum page_use use, pa_t *pa) {
  if (m->obj == NULL || use == PAGE_REPLACE)
    return install_new(as, m, va, NULL, use, pa);
  errno_t e = m->obj->ops->get_page(m->obj, m->offset + (va - m->start), false, pa);
  if (e != 0)
    return e;
  if (use == PAGE_READ)
    return install_object_page(as, m, va, *pa, false);
  return install_new(as, m, va, pa_to_va(*pa), use, pa);
}

/* A page is present, and it is not writable as it should be. */
static errno_t page_make_writable(struct aspace *as, const struct mapping *m, uintptr_t va,
                                  pa_t old, pa_t *pa) {
  errno_t e;
  if ((m->flags & MAPPING_SHARED) != 0 && m->obj != NULL) {
    e = page_in_shared(as, m, va, true, pa);
  } else if ((m->flags & MAPPING_SHARED) != 0 || owned(old)) {
    *pa = old;
    return install(as, m, va, old, true);
  } else {
    e = install_new(as, m, va, pa_to_va(old), PAGE_WRITE, pa);
  }
  if (e == 0)
    unref(old);
  return e;
}

errno_t mapping_page_in(struct aspace *as, const struct mapping *m, uintptr_t va, enum page_use use,
                        pa_t *pa) {
  unsigned have;
  if (arch_aspace_query(&as->arch, va, pa, &have)) {
    if (use == PAGE_READ || (have & ARCH_WRITE) != 0)
      return 0;
    return page_make_writable(as, m, va, *pa, pa);
  }
  errno_t e;
  if ((m->flags & MAPPING_SHARED) != 0 && m->obj != NULL)
    e = page_in_shared(as, m, va, use != PAGE_READ, pa);
  else
    e = page_in_private(as, m, va, use, pa);
  if (e == 0)
    as->resident++;
  return e;
}

errno_t aspace_fault(struct aspace *as, uintptr_t va, unsigned access) {
  const struct mapping *m = maptree_find(as->root, va);
  if (m == NULL || m->start > va || m->prot == 0)
    return EFAULT;
  if (((access & ARCH_WRITE) != 0 && (m->prot & PROT_WRITE) == 0) ||
      ((access & ARCH_EXEC) != 0 && (m->prot & PROT_EXEC) == 0))
    return EFAULT;
  pa_t pa;
  return mapping_page_in(as, m, va & ~(PAGE_SIZE - 1),
                         (access & ARCH_WRITE) != 0 ? PAGE_WRITE : PAGE_READ, &pa);
}

errno_t aspace_write(struct aspace *as, uintptr_t va, const void *src, size_t n) {
  while (n > 0) {
    const struct mapping *m = maptree_find(as->root, va);
    if (m == NULL || m->start > va)
      return EFAULT;
    size_t at = va & (PAGE_SIZE - 1);
    size_t part = n < PAGE_SIZE - at ? n : PAGE_SIZE - at;
    enum page_use use = part == PAGE_SIZE ? PAGE_REPLACE : PAGE_WRITE;
    pa_t pa;
    errno_t e = mapping_page_in(as, m, va - at, use, &pa);
    if (e != 0)
      return e;
    char *to = (char *)pa_to_va(pa) + at;
    if (src != NULL) {
      memcpy(to, src, part);
      src = (const char *)src + part;
    } else {
      memset(to, 0, part);
    }
    if ((m->prot & PROT_EXEC) != 0)
      arch_sync_icache(to, part);
    va += part;
    n -= part;
  }
  return 0;
}

void mapping_protect_pages(struct aspace *as, const struct mapping *m, uintptr_t va,
                           uintptr_t end) {
  pa_t pa;
  unsigned have;
  for (; arch_aspace_next(&as->arch, &va, end, &pa, &have); va += PAGE_SIZE) {
    bool writable;
    if ((m->flags & MAPPING_SHARED) != 0)
      writable = m->obj == NULL || (have & ARCH_WRITE) != 0; /* else the object will be asked */
    else
      writable = owned(pa);
    if (arch_prot(m, writable) == have)
      continue;
    errno_t e = install(as, m, va, pa, writable);
    ASSERT(e == 0); /* its table is there */
  }
}

void aspace_release_pages(struct aspace *as, uintptr_t va, uintptr_t end) {
  pa_t batch[RELEASE_BATCH];
  for (;;) {
    unsigned n = 0;
    uintptr_t first = 0;
    for (; n < RELEASE_BATCH && arch_aspace_next(&as->arch, &va, end, &batch[n], NULL); n++) {
      if (n == 0)
        first = va;
      va += PAGE_SIZE;
    }
    if (n == 0)
      return;
    arch_aspace_unmap(&as->arch, first, va - first); /* nobody can reach them any more… */
    as->resident -= n;
    while (n > 0)
      unref(batch[--n]); /* …when they become somebody else's */
  }
}
