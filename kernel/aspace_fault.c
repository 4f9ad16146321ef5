/*
 * Pages at their first access: filled in, or copied at the first write.
 *
 * A page that page.c manages holds one reference for each place where it is mapped; what a
 * private mapping alone refers to is its own and may be written to. Other pages, those outside of
 * page.c's memory included, belong to a memory object or to a relative by fork as well, and are
 * copied first.
 *
 * An object may sleep before it has its page. Meanwhile other threads may change mappings and
 * pages: then all begins again (EAGAIN inside here).
 *
 * Called for page faults (from user mode or a user copy) and by exec.c; kernel lock; never sleeps
 * for anonymous memory and files in memory. Reference section 6.
 */
#include "kernel/mapping.h"
#include "kernel/page.h"
#include "kernel/pagecache.h"
#include "kernel/string.h"

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
  errno_t e = mapping_install(as, m, va, *pa, true);
  if (e != 0)
    page_free(page, 0);
  return e;
}

/* The object's page at va. */
static errno_t object_page(struct aspace *as, const struct mapping *m, uintptr_t va, bool write,
                           pa_t *pa) {
  struct memobj *obj = memobj_ref(m->obj); /* m may go away */
  uint64_t changes = as->changes;
  errno_t e = obj->ops->get_page(obj, m->offset + (va - m->start), write, pa);
  if (as->changes != changes)
    e = EAGAIN;
  memobj_unref(obj);
  return e;
}

/* The object's page itself, for reading, or for writing where the mapping is shared. */
static errno_t install_object_page(struct aspace *as, const struct mapping *m, uintptr_t va,
                                   pa_t pa, bool writable) {
  if (!page_take(pa))
    return ENOMEM;
  errno_t e = mapping_install(as, m, va, pa, writable);
  if (e != 0)
    page_drop(pa);
  return e;
}

static errno_t page_in_shared(struct aspace *as, const struct mapping *m, uintptr_t va, bool write,
                              pa_t *pa) {
  errno_t e = object_page(as, m, va, write, pa);
  return e == 0 ? install_object_page(as, m, va, *pa, write) : e;
}

static errno_t page_in_private(struct aspace *as, const struct mapping *m, uintptr_t va,
                               enum page_use use, pa_t *pa) {
  if (m->obj == NULL || use == PAGE_REPLACE)
    return install_new(as, m, va, NULL, use, pa);
  errno_t e = object_page(as, m, va, false, pa);
  if (e != 0)
    return e;
  if (use == PAGE_READ)
    return install_object_page(as, m, va, *pa, false);
  return install_new(as, m, va, pa_to_va(*pa), use, pa);
}

/* A page is present, and it is not writable as it should be. */
static errno_t page_make_writable(struct aspace *as, const struct mapping *m, uintptr_t va,
                                  pa_t old, pa_t *pa) {
  if ((m->flags & MAPPING_SHARED) == 0 && page_owned(old)) {
    *pa = old;
    return mapping_install(as, m, va, old, true);
  }
  errno_t e = (m->flags & MAPPING_SHARED) != 0
                  ? page_in_shared(as, m, va, true, pa)
                  : install_new(as, m, va, pa_to_va(old), PAGE_WRITE, pa);
  if (e == 0)
    page_drop(old);
  return e;
}

errno_t mapping_page_in(struct aspace *as, const struct mapping *m, uintptr_t va, enum page_use use,
                        pa_t *pa) {
  unsigned have;
  if (arch_aspace_query(&as->arch, va, pa, &have)) {
    if (use == PAGE_READ || (have & ARCH_WRITE) != 0)
      return 0;
    if ((have & ARCH_LARGE) != 0 && mapping_large_own(as, m, va, *pa))
      return 0;
    return page_make_writable(as, m, va, *pa, pa);
  }
  if (m->obj == NULL && mapping_large_in(as, m, va, pa))
    return 0;
  errno_t e;
  if ((m->flags & MAPPING_SHARED) != 0)
    e = page_in_shared(as, m, va, use != PAGE_READ, pa);
  else
    e = page_in_private(as, m, va, use, pa);
  if (e == 0)
    as->resident++;
  return e;
}

static errno_t fault_once(struct aspace *as, uintptr_t va, unsigned access) {
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

errno_t aspace_fault(struct aspace *as, uintptr_t va, unsigned access) {
  bool made_room = false;
  errno_t e;
  do {
    e = fault_once(as, va, access);
    if (e == ENOMEM && !made_room && pagecache_make_room(PAGE_RESERVE)) {
      made_room = true;
      e = EAGAIN;
    } else {
      made_room = false;
    }
  } while (e == EAGAIN);
  return e;
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
    if (e == EAGAIN)
      continue;
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
