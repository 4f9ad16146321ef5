/*
 * Page tables for units: arch_aspace_* over a sorted array, with a page from page.c for every
 * 2 MiB that would need a table, so that running out of memory looks as it does on a machine. A
 * large page is 512 entries that say so, and no table.
 */
#ifndef TESTS_HOST_FAKE_ASPACE_H
#define TESTS_HOST_FAKE_ASPACE_H

#include "tests/host/ram.h"

#define FAKE_SPACES 4
#define FAKE_PAGES 40000
#define FAKE_TABLE_BYTES (2ul << 20)

struct fake_page {
  uintptr_t va;
  pa_t pa;
  unsigned prot;
};

static struct fake_space {
  bool used;
  size_t count;
  struct fake_page pages[FAKE_PAGES];
} fake_spaces[FAKE_SPACES];

static struct fake_space *fake_space(const struct arch_aspace *as) {
  assert_in_range(as->root, 1, FAKE_SPACES);
  assert_true(fake_spaces[as->root - 1].used);
  return &fake_spaces[as->root - 1];
}

errno_t arch_aspace_init(struct arch_aspace *as) {
  for (size_t i = 0; i < FAKE_SPACES; i++) {
    if (!fake_spaces[i].used) {
      fake_spaces[i].used = true;
      fake_spaces[i].count = 0;
      as->root = i + 1;
      return 0;
    }
  }
  return ENOMEM;
}

/* The place of the first page at or above va. */
static size_t fake_search(const struct fake_space *s, uintptr_t va) {
  size_t lo = 0, hi = s->count;
  while (lo < hi) {
    size_t mid = (lo + hi) / 2;
    if (s->pages[mid].va < va)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* Entries with prot FAKE_TABLE stand for tables, at odd addresses. */
#define FAKE_TABLE 0x80u

static void fake_gap(struct fake_space *s, size_t at, size_t n) {
  assert_true(s->count + n <= FAKE_PAGES);
  memmove(&s->pages[at + n], &s->pages[at], (s->count - at) * sizeof s->pages[0]);
  s->count += n;
}

static void fake_insert(struct fake_space *s, size_t at, struct fake_page page) {
  fake_gap(s, at, 1);
  s->pages[at] = page;
}

static void fake_remove(struct fake_space *s, size_t at) {
  s->count--;
  memmove(&s->pages[at], &s->pages[at + 1], (s->count - at) * sizeof s->pages[0]);
}

static errno_t fake_table(struct fake_space *s, uintptr_t va) {
  uintptr_t mark = (va & ~(FAKE_TABLE_BYTES - 1)) + 1;
  size_t at = fake_search(s, mark);
  if (at < s->count && s->pages[at].va == mark)
    return 0;
  void *table = page_alloc_zero(0);
  if (table == NULL)
    return ENOMEM;
  fake_insert(s, at, (struct fake_page){mark, va_to_pa(table), FAKE_TABLE});
  return 0;
}

#define FAKE_LARGE_PAGES (FAKE_TABLE_BYTES / PAGE_SIZE)

static errno_t fake_map_large(struct fake_space *s, uintptr_t va, pa_t pa, unsigned prot) {
  assert_int_equal((va | pa) % FAKE_TABLE_BYTES, 0);
  assert_true(va >= USER_START && va + FAKE_TABLE_BYTES <= USER_END);
  size_t at = fake_search(s, va);
  bool present = at < s->count && s->pages[at].va < va + FAKE_TABLE_BYTES;
  if (!present)
    fake_gap(s, at, FAKE_LARGE_PAGES);
  for (size_t i = 0; i < FAKE_LARGE_PAGES; i++) {
    struct fake_page page = {va + i * PAGE_SIZE, pa + i * PAGE_SIZE, prot | ARCH_LARGE};
    if (present) { /* nothing but another large page is ever replaced */
      assert_int_equal(s->pages[at + i].va, page.va);
      assert_true((s->pages[at + i].prot & ARCH_LARGE) != 0);
    }
    s->pages[at + i] = page;
  }
  return 0;
}

errno_t arch_aspace_map(struct arch_aspace *as, uintptr_t va, pa_t pa, unsigned prot, bool large) {
  struct fake_space *s = fake_space(as);
  if (large)
    return fake_map_large(s, va, pa, prot);
  assert_int_equal((va | pa) % PAGE_SIZE, 0);
  assert_true(va >= USER_START && va < USER_END);
  assert_int_equal(prot & ~(ARCH_READ | ARCH_WRITE | ARCH_EXEC | ARCH_USER), 0);
  assert_true((prot & (ARCH_WRITE | ARCH_EXEC)) != (ARCH_WRITE | ARCH_EXEC));
  errno_t e = fake_table(s, va);
  if (e != 0)
    return e;
  size_t at = fake_search(s, va);
  if (at < s->count && s->pages[at].va == va && (s->pages[at].prot & ARCH_LARGE) != 0) {
    size_t first = fake_search(s, va & ~(FAKE_TABLE_BYTES - 1));
    for (size_t i = 0; i <= FAKE_LARGE_PAGES; i++) /* with the table that there is now */
      s->pages[first + i].prot &= ~(unsigned)ARCH_LARGE;
  }
  struct fake_page page = {va, pa, prot};
  if (at < s->count && s->pages[at].va == va)
    s->pages[at] = page;
  else
    fake_insert(s, at, page);
  return 0;
}

/* Whether the table marked at `at` has pages. */
static bool fake_table_used(const struct fake_space *s, size_t at) {
  uintptr_t first = s->pages[at].va - 1;
  if (at > 0 && s->pages[at - 1].va == first)
    return true;
  return at + 1 < s->count && s->pages[at + 1].va < first + FAKE_TABLE_BYTES;
}

static void fake_free_tables(struct fake_space *s) {
  for (size_t at = 0; at < s->count;) {
    if (s->pages[at].prot == FAKE_TABLE && !fake_table_used(s, at)) {
      page_free(pa_to_va(s->pages[at].pa), 0);
      fake_remove(s, at);
    } else {
      at++;
    }
  }
}

void arch_aspace_unmap(struct arch_aspace *as, uintptr_t va, size_t size) {
  struct fake_space *s = fake_space(as);
  assert_int_equal((va | size) % PAGE_SIZE, 0);
  assert_true(va >= USER_START && va <= USER_END && size <= USER_END - va);
  size_t from = fake_search(s, va), kept = from, at = from;
  for (; at < s->count && s->pages[at].va < va + size; at++) {
    if ((s->pages[at].prot & ARCH_LARGE) != 0) {
      uintptr_t start = s->pages[at].va & ~(FAKE_TABLE_BYTES - 1);
      assert_true(start >= va && start + FAKE_TABLE_BYTES <= va + size);
    }
    if (s->pages[at].prot == FAKE_TABLE)
      s->pages[kept++] = s->pages[at];
  }
  memmove(&s->pages[kept], &s->pages[at], (s->count - at) * sizeof s->pages[0]);
  s->count -= at - kept;
  fake_free_tables(s);
}

void arch_aspace_free(struct arch_aspace *as) {
  struct fake_space *s = fake_space(as);
  for (size_t i = 0; i < s->count; i++)
    if (s->pages[i].prot == FAKE_TABLE)
      page_free(pa_to_va(s->pages[i].pa), 0);
  s->used = false;
}

bool arch_aspace_next(const struct arch_aspace *as, uintptr_t *va, uintptr_t end, pa_t *pa,
                      unsigned *prot) {
  const struct fake_space *s = fake_space(as);
  for (size_t at = fake_search(s, *va); at < s->count && s->pages[at].va < end; at++) {
    if (s->pages[at].prot == FAKE_TABLE)
      continue;
    *va = s->pages[at].va;
    if (pa != NULL)
      *pa = s->pages[at].pa;
    if (prot != NULL)
      *prot = s->pages[at].prot;
    return true;
  }
  return false;
}

bool arch_aspace_query(const struct arch_aspace *as, uintptr_t va, pa_t *pa, unsigned *prot) {
  va &= ~(PAGE_SIZE - 1);
  return arch_aspace_next(as, &va, va + PAGE_SIZE, pa, prot);
}

void arch_sync_icache(const void *va, size_t size) {
  (void)va;
  (void)size;
}

/* Allocations made by the sources fail when this counts down to 0. The test links with
 * -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc */
static long fail_after = -1;

static bool fail_now(void) {
  if (fail_after < 0)
    return false;
  return fail_after-- == 0;
}

#define FAKE_WRAP(type, name, arg_type)            \
  type __real_##name(arg_type arg);                \
  type __wrap_##name(arg_type arg);                \
  type __wrap_##name(arg_type arg) {               \
    return fail_now() ? NULL : __real_##name(arg); \
  }
FAKE_WRAP(void *, page_alloc, unsigned)
FAKE_WRAP(void *, page_alloc_zero, unsigned)
FAKE_WRAP(void *, kmalloc, size_t)
FAKE_WRAP(void *, kzalloc, size_t)

uint64_t random_u64(void);
uint64_t random_u64(void) {
  return (uint64_t)ram_random(UINT32_MAX) << 32 | ram_random(UINT32_MAX);
}

#endif
