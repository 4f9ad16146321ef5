/*
 * Page tables of user address spaces: the arch_aspace_* calls.
 *
 * Kernel lock; nothing sleeps. A table that becomes empty is freed at once: the entry that points
 * to a table counts the entries used in it, in bits that the processor ignores. Tables are reached
 * through the direct map.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/page.h"

enum {
  ENTRIES = 512,
  LEVEL_PML4 = 4,
  LEVEL_PD = 2, /* whose entries map large pages */
  LEVEL_PT = 1,
  USER_PML4_ENTRIES = 256,
  INVLPG_MAX = 32, /* more pages than that: the whole TLB */
};
#define COUNT_SHIFT 52
#define COUNT_ONE (1ull << COUNT_SHIFT)
#define COUNT_MASK (0x3ffull << COUNT_SHIFT)
#define TABLE_BITS (X86_PTE_P | X86_PTE_W | X86_PTE_U)
/* A page that nobody may touch: not present, a bit that says so, and its address inverted, so that
 * no processor fetches through it by speculation. */
#define HIDDEN (1ull << 9)

static unsigned level_shift(unsigned level) {
  return PAGE_SHIFT + 9 * (level - 1);
}

static unsigned level_index(uintptr_t va, unsigned level) {
  return (unsigned)(va >> level_shift(level)) & (ENTRIES - 1);
}

static uint64_t *table_of(uint64_t entry) {
  return pa_to_va(entry & X86_PTE_ADDRESS);
}

static bool is_table(uint64_t entry, unsigned level) {
  return level > LEVEL_PT && (entry & X86_PTE_P) && !(entry & X86_PTE_LARGE);
}

static uint64_t make_leaf(pa_t pa, unsigned prot, bool large) {
  uint64_t bits = large ? X86_PTE_LARGE : 0;
  if (!(prot & (ARCH_READ | ARCH_WRITE | ARCH_EXEC)))
    return (~pa & X86_PTE_ADDRESS) | HIDDEN | bits;
  return pa | x86_pte_bits(prot | ARCH_USER) | bits;
}

static pa_t leaf_address(uint64_t leaf) {
  return (leaf & HIDDEN ? ~leaf : leaf) & X86_PTE_ADDRESS;
}

static unsigned leaf_prot(uint64_t leaf) {
  if (leaf & HIDDEN)
    return ARCH_USER;
  return ARCH_USER | ARCH_READ | (leaf & X86_PTE_W ? ARCH_WRITE : 0) |
         (leaf & X86_PTE_NX ? 0 : ARCH_EXEC);
}

static bool in_use(const struct arch_aspace *as) {
  return (x86_read_cr3() & X86_PTE_ADDRESS) == as->root;
}

errno_t arch_aspace_init(struct arch_aspace *as) {
  uint64_t *pml4 = page_alloc_zero(0);
  if (pml4 == NULL)
    return ENOMEM;
  pml4[X86_PML4_KERNEL] = x86_kernel_pml4[X86_PML4_KERNEL];
  as->root = va_to_pa(pml4);
  return 0;
}

static void free_tables(uint64_t *table, unsigned level, unsigned entries) {
  for (unsigned i = 0; i < entries; i++)
    if (is_table(table[i], level))
      free_tables(table_of(table[i]), level - 1, ENTRIES);
  page_free(table, 0);
}

void arch_aspace_free(struct arch_aspace *as) {
  ASSERT(!in_use(as));
  free_tables(pa_to_va(as->root), LEVEL_PML4, USER_PML4_ENTRIES);
  as->root = 0;
}

void arch_aspace_switch(struct arch_aspace *as) {
  pa_t root = as != NULL ? as->root : va_to_pa(x86_kernel_pml4);
  if ((x86_read_cr3() & X86_PTE_ADDRESS) != root)
    x86_write_cr3(root);
}

/* Replaces a large page by a table of small ones that map the same. */
static errno_t split(uint64_t *entry) {
  uint64_t *pt = page_alloc(0);
  if (pt == NULL)
    return ENOMEM;
  for (unsigned i = 0; i < ENTRIES; i++)
    pt[i] = make_leaf(leaf_address(*entry) + i * PAGE_SIZE, leaf_prot(*entry), false);
  *entry = va_to_pa(pt) | TABLE_BITS | (uint64_t)ENTRIES << COUNT_SHIFT;
  return 0;
}

/* The entry at `level` for va, its tables made where missing. `*parent` is the entry above it. */
static errno_t find_entry(struct arch_aspace *as, uintptr_t va, unsigned level, uint64_t **entry,
                          uint64_t **parent) {
  uint64_t *e = (uint64_t *)pa_to_va(as->root) + level_index(va, LEVEL_PML4);
  uint64_t *above = NULL;

  for (unsigned l = LEVEL_PML4; l > level; l--) {
    if (*e & X86_PTE_LARGE) { /* below LEVEL_PML4: present or hidden */
      errno_t err = split(e);
      if (err != 0)
        return err;
    } else if (*e == 0) {
      void *table = page_alloc_zero(0);
      if (table == NULL)
        return ENOMEM;
      *e = va_to_pa(table) | TABLE_BITS;
      if (above != NULL)
        *above += COUNT_ONE;
    }
    above = e;
    e = table_of(*e) + level_index(va, l - 1);
  }
  *entry = e;
  *parent = above;
  return 0;
}

errno_t arch_aspace_map(struct arch_aspace *as, uintptr_t va, pa_t pa, unsigned prot, bool large) {
  uint64_t *entry, *parent;
  errno_t e = find_entry(as, va, large ? LEVEL_PD : LEVEL_PT, &entry, &parent);
  if (e != 0)
    return e;

  uint64_t old = *entry;
  *entry = make_leaf(pa, prot, large);
  if (old == 0) {
    *parent += COUNT_ONE;
    return 0;
  }
  if (large && is_table(old, LEVEL_PD)) {
    page_free(table_of(old), 0);
    if (in_use(as))
      x86_write_cr3(as->root);
  } else if (in_use(as)) {
    x86_invlpg(va);
  }
  return 0;
}

struct flush {
  bool active; /* the processor uses these tables */
  unsigned pages;
};

/* Clears [va, last] below one table; returns how many of the table's entries became empty. */
static unsigned clear(uint64_t *table, unsigned level, uintptr_t va, uintptr_t last,
                      struct flush *flush) {
  uintptr_t span = 1ul << level_shift(level);
  unsigned emptied = 0;

  for (unsigned i = level_index(va, level); i <= level_index(last, level); i++) {
    uintptr_t first = i == level_index(va, level) ? va : va & ~(span - 1);
    uintptr_t end = (va & ~(span - 1)) + span - 1;
    uint64_t entry = table[i];
    va = end + 1;
    if (entry == 0)
      continue;
    if (is_table(entry, level)) {
      uint64_t *child = table_of(entry);
      unsigned n = clear(child, level - 1, first, end < last ? end : last, flush);
      table[i] -= n * COUNT_ONE;
      if ((table[i] & COUNT_MASK) != 0)
        continue;
      page_free(child, 0);
    } else {
      /* Part of a large page: the caller maps one small page there first, which splits it. */
      ASSERT(level == LEVEL_PT || (first & (span - 1)) == 0);
      if (flush->active && flush->pages++ < INVLPG_MAX)
        x86_invlpg(first);
    }
    table[i] = 0;
    emptied++;
  }
  return emptied;
}

void arch_aspace_unmap(struct arch_aspace *as, uintptr_t va, size_t size) {
  struct flush flush = {.active = in_use(as)};
  if (size == 0)
    return;
  clear(pa_to_va(as->root), LEVEL_PML4, va, va + size - 1, &flush);
  if (flush.pages > INVLPG_MAX)
    x86_write_cr3(as->root);
}

static void tell(uint64_t leaf, unsigned level, uintptr_t va, pa_t *pa, unsigned *prot) {
  if (pa != NULL)
    *pa = leaf_address(leaf) + (va & ((1ul << level_shift(level)) - 1) & ~(PAGE_SIZE - 1));
  if (prot != NULL)
    *prot = leaf_prot(leaf) | (level > LEVEL_PT ? ARCH_LARGE : 0);
}

bool arch_aspace_next(const struct arch_aspace *as, uintptr_t *va, uintptr_t end, pa_t *pa,
                      unsigned *prot) {
  uintptr_t at = *va & ~(PAGE_SIZE - 1);

  while (at < end) {
    unsigned level = LEVEL_PML4;
    uint64_t e = ((uint64_t *)pa_to_va(as->root))[level_index(at, level)];
    while (is_table(e, level)) {
      level--;
      e = table_of(e)[level_index(at, level)];
    }
    if (e != 0) {
      tell(e, level, at, pa, prot);
      *va = at;
      return true;
    }
    at = (at | ((1ul << level_shift(level)) - 1)) + 1; /* all that the empty entry stands for */
  }
  return false;
}

bool arch_aspace_query(const struct arch_aspace *as, uintptr_t va, pa_t *pa, unsigned *prot) {
  return arch_aspace_next(as, &va, (va & ~(PAGE_SIZE - 1)) + PAGE_SIZE, pa, prot);
}

void arch_sync_icache(const void *va, size_t size) {
  (void)va;
  (void)size;
}
