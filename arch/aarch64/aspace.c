/*
 * Page tables of user address spaces: the arch_aspace_* calls.
 *
 * Kernel lock; nothing sleeps. A table that becomes empty is freed: the entry that points to a
 * table counts the entries used in it, in bits that the processor ignores. Tables are reached
 * through the direct map.
 *
 * The TLB tells address spaces apart by 8-bit numbers (ASIDs), which are given at the first switch
 * and all taken back at once when they run out. So an address space may have entries in the TLB
 * while another is in use.
 */
#include "arch/aarch64/a64.h"
#include "kernel/log.h"
#include "kernel/page.h"

enum {
  ENTRIES = 512,
  LEVEL_TOP = 4,
  LEVEL_LARGE = 2, /* whose entries map large pages */
  LEVEL_PAGE = 1,
  FLUSH_MAX = 32, /* more pages than that: the whole address space */
  ASID_SHIFT = 48,
  ASIDS = 256, /* 0 is nobody's */
};
#define COUNT_SHIFT 2
#define COUNT_ONE (1ull << COUNT_SHIFT)
#define COUNT_MASK (0x3ffull << COUNT_SHIFT)
#define TABLE_BITS (A64_PTE_VALID | A64_PTE_TABLE)
/* A page that nobody may touch: not valid, and a bit that says so. */
#define HIDDEN (1ull << 9)

static uint32_t generation = 1; /* of ASIDs */
static uint16_t asids_used = 1;

/* ---- The TLB --------------------------------------------------------------------------------- */

static bool in_tlb(const struct arch_aspace *as) {
  return as->generation == generation;
}

/* Starts to forget a page, or all, of an address space; flush_end() waits for it. */
static void flush_page(const struct arch_aspace *as, uintptr_t va) {
  uint64_t what = (uint64_t)as->asid << ASID_SHIFT | (va >> PAGE_SHIFT & 0xfffffffffff);
  __asm__ volatile("tlbi vae1is, %0" ::"r"(what) : "memory");
}

static void flush_all(const struct arch_aspace *as) {
  a64_dsb_stores();
  __asm__ volatile("tlbi aside1is, %0" ::"r"((uint64_t)as->asid << ASID_SHIFT) : "memory");
}

static void flush_end(void) {
  a64_dsb();
  a64_isb();
}

static void asid_give(struct arch_aspace *as) {
  if (asids_used == ASIDS) {
    generation++;
    asids_used = 1;
    a64_dsb_stores();
    __asm__ volatile("tlbi vmalle1is" ::: "memory");
    flush_end();
  }
  as->generation = generation;
  as->asid = asids_used++;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static unsigned level_shift(unsigned level) {
  return PAGE_SHIFT + 9 * (level - 1);
}

static unsigned level_index(uintptr_t va, unsigned level) {
  return (unsigned)(va >> level_shift(level)) & (ENTRIES - 1);
}

static uint64_t *table_of(uint64_t entry) {
  return pa_to_va(entry & A64_PTE_ADDRESS);
}

static bool is_table(uint64_t entry, unsigned level) {
  return level > LEVEL_PAGE && (entry & TABLE_BITS) == TABLE_BITS;
}

static uint64_t make_leaf(pa_t pa, unsigned prot, bool large) {
  uint64_t bits = large ? 0 : A64_PTE_TABLE;
  if (!(prot & (ARCH_READ | ARCH_WRITE | ARCH_EXEC)))
    return pa | HIDDEN | bits;
  return pa | a64_pte_bits(prot | ARCH_USER) | bits;
}

static pa_t leaf_address(uint64_t leaf) {
  return leaf & A64_PTE_ADDRESS;
}

static unsigned leaf_prot(uint64_t leaf) {
  if (!(leaf & A64_PTE_VALID))
    return ARCH_USER;
  return ARCH_USER | ARCH_READ | (leaf & A64_PTE_READ_ONLY ? 0 : ARCH_WRITE) |
         (leaf & A64_PTE_UXN ? 0 : ARCH_EXEC);
}

/* Whether an entry above the last level maps a large page, hidden or not. */
static bool is_large(uint64_t entry) {
  return entry != 0 && !(entry & A64_PTE_TABLE);
}

errno_t arch_aspace_init(struct arch_aspace *as) {
  uint64_t *top = page_alloc_zero(0);
  if (top == NULL)
    return ENOMEM;
  *as = (struct arch_aspace){.root = va_to_pa(top)};
  return 0;
}

static void free_tables(uint64_t *table, unsigned level, unsigned entries) {
  for (unsigned i = 0; i < entries; i++)
    if (is_table(table[i], level))
      free_tables(table_of(table[i]), level - 1, ENTRIES);
  page_free(table, 0);
}

void arch_aspace_free(struct arch_aspace *as) {
  ASSERT((A64_READ(ttbr0_el1) & A64_PTE_ADDRESS) != as->root);
  if (in_tlb(as)) { /* no walk may go through what is freed */
    flush_all(as);
    flush_end();
  }
  free_tables(pa_to_va(as->root), LEVEL_TOP, ENTRIES);
  as->root = 0;
}

void arch_aspace_switch(struct arch_aspace *as) {
  uint64_t tcr = A64_READ(tcr_el1);
  if (as == NULL) {
    A64_WRITE(tcr_el1, tcr | A64_TCR_EPD0);
    a64_isb();
    A64_WRITE(ttbr0_el1, 0);
    a64_isb();
    return;
  }
  if (!in_tlb(as))
    asid_give(as);
  A64_WRITE(ttbr0_el1, as->root | (uint64_t)as->asid << ASID_SHIFT);
  if (tcr & A64_TCR_EPD0) {
    a64_isb();
    A64_WRITE(tcr_el1, tcr & ~(uint64_t)A64_TCR_EPD0);
  }
  a64_isb();
}

/* Replaces an entry that may be in the TLB: never two translations of an address at a time. */
static void replace(const struct arch_aspace *as, uint64_t *entry, uint64_t value, uintptr_t va,
                    bool was_table) {
  if (!in_tlb(as)) {
    *entry = value;
    return;
  }
  *(volatile uint64_t *)entry = 0;
  a64_dsb_stores();
  if (was_table)
    flush_all(as);
  else
    flush_page(as, va);
  flush_end();
  *(volatile uint64_t *)entry = value;
  a64_dsb_stores();
  a64_isb();
}

/* Replaces a large page by a table of small ones that map the same. */
static errno_t split(const struct arch_aspace *as, uint64_t *entry, uintptr_t va) {
  uint64_t *pt = page_alloc(0);
  if (pt == NULL)
    return ENOMEM;
  for (unsigned i = 0; i < ENTRIES; i++)
    pt[i] = make_leaf(leaf_address(*entry) + i * PAGE_SIZE, leaf_prot(*entry), false);
  a64_dsb_stores();
  replace(as, entry, va_to_pa(pt) | TABLE_BITS | (uint64_t)ENTRIES << COUNT_SHIFT, va, false);
  return 0;
}

/* The entry at `level` for va, its tables made where missing. `*parent` is the entry above it. */
static errno_t find_entry(struct arch_aspace *as, uintptr_t va, unsigned level, uint64_t **entry,
                          uint64_t **parent) {
  uint64_t *e = (uint64_t *)pa_to_va(as->root) + level_index(va, LEVEL_TOP);
  uint64_t *above = NULL;

  for (unsigned l = LEVEL_TOP; l > level; l--) {
    if (is_large(*e)) {
      errno_t err = split(as, e, va);
      if (err != 0)
        return err;
    } else if (*e == 0) {
      void *table = page_alloc_zero(0);
      if (table == NULL)
        return ENOMEM;
      a64_dsb_stores();
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
  unsigned level = large ? LEVEL_LARGE : LEVEL_PAGE;
  errno_t e = find_entry(as, va, level, &entry, &parent);
  if (e != 0)
    return e;

  uint64_t old = *entry, leaf = make_leaf(pa, prot, large);
  if (old == 0)
    *parent += COUNT_ONE;
  if (!(old & A64_PTE_VALID)) {
    *entry = leaf;
    a64_dsb_stores();
    a64_isb();
    return 0;
  }
  if (old == leaf)
    return 0;
  replace(as, entry, leaf, va, is_table(old, level));
  if (is_table(old, level))
    page_free(table_of(old), 0);
  return 0;
}

/* Clears [va, last] below one table; returns how many of the table's entries became empty. The
 * caller makes the TLB forget them; no table that is freed here is used again before. */
static unsigned clear(uint64_t *table, unsigned level, uintptr_t va, uintptr_t last,
                      unsigned *pages) {
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
      unsigned n = clear(child, level - 1, first, end < last ? end : last, pages);
      table[i] -= n * COUNT_ONE;
      if ((table[i] & COUNT_MASK) != 0)
        continue;
      page_free(child, 0);
      *pages += FLUSH_MAX + 1;
    } else {
      /* Part of a large page: the caller maps one small page there first, which splits it. */
      ASSERT(level == LEVEL_PAGE || (first & (span - 1)) == 0);
      ++*pages;
    }
    table[i] = 0;
    emptied++;
  }
  return emptied;
}

void arch_aspace_unmap(struct arch_aspace *as, uintptr_t va, size_t size) {
  unsigned pages = 0;
  if (size == 0)
    return;
  clear(pa_to_va(as->root), LEVEL_TOP, va, va + size - 1, &pages);
  if (pages == 0 || !in_tlb(as))
    return;
  a64_dsb_stores();
  if (pages > FLUSH_MAX || size > FLUSH_MAX * PAGE_SIZE)
    flush_all(as);
  else
    for (uintptr_t at = va & ~(PAGE_SIZE - 1); at < va + size; at += PAGE_SIZE)
      flush_page(as, at);
  flush_end();
}

static void tell(uint64_t leaf, unsigned level, uintptr_t va, pa_t *pa, unsigned *prot) {
  if (pa != NULL)
    *pa = leaf_address(leaf) + (va & ((1ul << level_shift(level)) - 1) & ~(PAGE_SIZE - 1));
  if (prot != NULL)
    *prot = leaf_prot(leaf) | (level > LEVEL_PAGE ? ARCH_LARGE : 0);
}

bool arch_aspace_next(const struct arch_aspace *as, uintptr_t *va, uintptr_t end, pa_t *pa,
                      unsigned *prot) {
  uintptr_t at = *va & ~(PAGE_SIZE - 1);

  while (at < end) {
    unsigned level = LEVEL_TOP;
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

/* The line sizes are in CTR_EL0, and whether there is anything to do. Instruction caches may be
 * indexed by the address that is executed, which is another one: so all of it goes. */
void arch_sync_icache(const void *va, size_t size) {
  enum { DMIN_SHIFT = 16, IDC = 1 << 28, DIC = 1 << 29 };
  uint64_t ctr = A64_READ(ctr_el0);
  uintptr_t line = 4ul << (ctr >> DMIN_SHIFT & 15);
  uintptr_t end = (uintptr_t)va + size;

  for (uintptr_t at = (uintptr_t)va & ~(line - 1); at < end && !(ctr & IDC); at += line)
    __asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
  a64_dsb();
  if (!(ctr & DIC)) {
    __asm__ volatile("ic ialluis" ::: "memory");
    a64_dsb();
  }
  a64_isb();
}
