/*
 * Address spaces as text, and their inner contradictions.
 *
 * Called for the crash report and by tests; kernel lock; never sleeps.
 */
#include "kernel/log.h"
#include "kernel/mapping.h"
#include "kernel/page.h"

#define PRINT_AROUND 24 /* mappings on each side of the one of interest */

static void print_mapping(const struct mapping *m, bool marked) {
  log_error("%c 0x%012lx-0x%012lx %c%c%c%c %s", marked ? '>' : ' ', m->start, m->end,
            (m->prot & PROT_READ) != 0 ? 'r' : '-', (m->prot & PROT_WRITE) != 0 ? 'w' : '-',
            (m->prot & PROT_EXEC) != 0 ? 'x' : '-', (m->flags & MAPPING_SHARED) != 0 ? 's' : 'p',
            m->name != NULL ? m->name : "");
}

void aspace_print(struct aspace *as, uintptr_t va) {
  size_t before = 0, index = 0;
  for (struct mapping *m = maptree_find(as->root, 0); m != NULL && m->end <= va;
       m = maptree_find(as->root, m->end))
    before++;
  log_error("mappings (%zu pages present):", as->resident);
  for (struct mapping *m = maptree_find(as->root, 0); m != NULL;
       m = maptree_find(as->root, m->end)) {
    if (index + PRINT_AROUND >= before && index <= before + PRINT_AROUND)
      print_mapping(m, m->start <= va && va < m->end);
    index++;
  }
  if (index > 2 * PRINT_AROUND)
    log_error("  of %zu, those around 0x%lx", index, va);
}

/* Every page present lies in a mapping and allows no more than that does. */
static void verify_pages(struct aspace *as) {
  size_t resident = 0;
  uintptr_t va = USER_START;
  pa_t pa;
  unsigned prot;
  for (; arch_aspace_next(&as->arch, &va, USER_END, &pa, &prot); va += PAGE_SIZE) {
    const struct mapping *m = maptree_find(as->root, va);
    ASSERT(m != NULL && m->start <= va);
    if ((prot & ARCH_LARGE) != 0) {
      uintptr_t start = va & ~(ARCH_LARGE_PAGE_SIZE - 1);
      ASSERT(m->obj == NULL && m->start <= start && m->end - start >= ARCH_LARGE_PAGE_SIZE);
    }
    ASSERT((prot & ARCH_USER) != 0);
    ASSERT(((prot & ARCH_READ) != 0) == (m->prot != 0));
    ASSERT((prot & ARCH_WRITE) == 0 || (m->prot & PROT_WRITE) != 0);
    ASSERT(((prot & ARCH_EXEC) != 0) == ((m->prot & PROT_EXEC) != 0));
    bool managed = page_managed(pa_to_va(pa));
    ASSERT(!managed || page_refs(pa_to_va(pa)) > 0);
    if ((prot & ARCH_WRITE) != 0 && (m->flags & MAPPING_SHARED) == 0)
      ASSERT(managed && page_refs(pa_to_va(pa)) == 1);
    resident++;
  }
  ASSERT(resident == as->resident);
}

void aspace_verify(struct aspace *as) {
  ASSERT(maptree_verify(as->root) == as->count);
  ASSERT(as->root == NULL || (as->root->lo >= USER_START && as->root->hi <= USER_END));
  verify_pages(as);
}
