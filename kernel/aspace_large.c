/*
 * Large pages: 2 MiB of a program's anonymous memory at one access, behind one entry of the page
 * tables.
 *
 * To page.c they are 512 pages with references of their own; so a part of one can be copied after a
 * fork, or unmapped, or protected, as any other page, once the page tables have split the entry.
 *
 * When: the first access to a piece of a private anonymous mapping that is of a large page's size
 * and place, lies in a mapping of LARGE_MAPPING_BYTES or more, and has no page present; and more
 * than half of the memory stays free. So small programs and machines never pay for zeroes that
 * nobody asked for, and a program that scatters a few bytes over a great reservation can't lose
 * more than half of the memory by it.
 *
 * Called by aspace_fault.c, aspace_pages.c and aspace.c; kernel lock; never sleeps.
 */
#include "kernel/log.h"
#include "kernel/mapping.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define LARGE_BYTES ARCH_LARGE_PAGE_SIZE
#define LARGE_PAGES (LARGE_BYTES >> PAGE_SHIFT)
#define LARGE_ORDER 9
#define LARGE_MAPPING_BYTES (2 * LARGE_BYTES)
_Static_assert(PAGE_SIZE << LARGE_ORDER == LARGE_BYTES, "a block is a large page");

static uintptr_t large_start(uintptr_t va) {
  return va & ~(LARGE_BYTES - 1);
}

static errno_t install_large(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t pa,
                             bool writable) {
  if ((m->prot & PROT_EXEC) != 0)
    arch_sync_icache(pa_to_va(pa), LARGE_BYTES);
  as->changes++;
  return arch_aspace_map(&as->arch, va, pa, mapping_arch_prot(m, writable), true);
}

/* Drops a reference to each of the first n pages. */
static void drop_pages(pa_t pa, size_t n) {
  for (size_t i = 0; i < n; i++)
    page_drop(pa + i * PAGE_SIZE);
}

static bool all_owned(pa_t pa) {
  return page_split_unshared(pa_to_va(pa), LARGE_ORDER);
}

static bool fit(struct aspace *as, const struct mapping *m, uintptr_t start) {
  uintptr_t first = start;
  return m->obj == NULL && (m->prot & PROT_WRITE) != 0 &&
         m->end - m->start >= LARGE_MAPPING_BYTES && start >= m->start &&
         m->end - start >= LARGE_BYTES && page_free_count() >= page_total() / 2 + LARGE_PAGES &&
         !arch_aspace_next(&as->arch, &first, start + LARGE_BYTES, NULL, NULL);
}

bool mapping_large_in(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t *pa) {
  uintptr_t start = large_start(va);
  if (!fit(as, m, start))
    return false;
  void *block = page_alloc_split(LARGE_ORDER);
  if (block == NULL)
    return false;
  memset(block, 0, LARGE_BYTES);
  if (install_large(as, m, start, va_to_pa(block), true) != 0) {
    page_free_split(block, LARGE_ORDER);
    return false;
  }
  as->resident += LARGE_PAGES;
  *pa = va_to_pa(block) + (va - start);
  return true;
}

bool mapping_large_own(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t pa) {
  uintptr_t start = large_start(va);
  pa -= va - start;
  return all_owned(pa) && install_large(as, m, start, pa, true) == 0;
}

void mapping_protect_large(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t pa) {
  ASSERT(va == large_start(va));
  errno_t e = install_large(as, m, va, pa, all_owned(pa));
  ASSERT(e == 0); /* its entry is there */
}

bool mapping_share_large(struct aspace *parent, uintptr_t va, pa_t pa, unsigned have,
                         struct aspace *child, errno_t *e) {
  const unsigned prot = have & ~(unsigned)(ARCH_LARGE | ARCH_WRITE);
  size_t taken = 0;
  if (va != large_start(va)) /* after one of its pages had no reference to spare */
    return false;
  while (taken < LARGE_PAGES && page_take(pa + taken * PAGE_SIZE))
    taken++;
  if (taken == LARGE_PAGES)
    *e = arch_aspace_map(&child->arch, va, pa, prot, true);
  if (taken < LARGE_PAGES || *e != 0) {
    drop_pages(pa, taken);
    return *e != 0;
  }
  child->resident += LARGE_PAGES;
  if ((have & ARCH_WRITE) != 0) {
    parent->changes++;
    *e = arch_aspace_map(&parent->arch, va, pa, prot, true);
  }
  return true;
}

void aspace_release_large(struct aspace *as, uintptr_t va, pa_t pa) {
  ASSERT(va == large_start(va));
  arch_aspace_unmap(&as->arch, va, LARGE_BYTES);
  as->resident -= LARGE_PAGES;
  as->changes++;
  if (all_owned(pa))
    page_free_split(pa_to_va(pa), LARGE_ORDER);
  else
    drop_pages(pa, LARGE_PAGES);
}

errno_t aspace_split_large(struct aspace *as, uintptr_t va) {
  pa_t pa;
  unsigned have;
  if (va == large_start(va) || !arch_aspace_query(&as->arch, va, &pa, &have) ||
      (have & ARCH_LARGE) == 0)
    return 0;
  return arch_aspace_map(&as->arch, va, pa, have & ~(unsigned)ARCH_LARGE, false);
}
