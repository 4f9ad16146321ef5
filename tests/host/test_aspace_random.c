// sources: kernel/aspace.c kernel/aspace_fault.c kernel/aspace_pages.c kernel/aspace_share.c
// sources: kernel/pagecache_room.c
// sources: kernel/aspace_print.c kernel/maptree.c kernel/memobj.c kernel/pagecache.c
// sources: kernel/pagetree.c kernel/heap.c kernel/page.c kernel/uio.c kernel/aspace_large.c
// libs: -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc
/*
 * Address spaces that map, unmap, protect, write, fork and end at random, against a model page by
 * page. Allocations fail at times, files shrink and grow, and one file's pages are slow to come:
 * what happens meanwhile is random, too.
 */
#include "tests/host/aspace_fixture.h"

#define WINDOW 0x300000000ul
#define PAGES 2600 /* five large ones and a bit */
#define SPACES 4

enum { OBJ_NONE, OBJ_IN_PLACE, OBJ_COPIED, OBJ_CACHE, OBJ_SLOW, OBJECTS };
#define OBJECT_PAGES_MAX 21

struct model_page {
  bool mapped, shared;
  mprot_t prot, max_prot;
  int object;
  size_t object_page;
  bool own;       /* a private page written to, or anonymous */
  uint64_t value; /* of the own page's first word */
};

static struct space {
  struct aspace *as; /* NULL: none */
  struct model_page pages[PAGES];
} spaces[SPACES];

static struct memobj *objects[OBJECTS];
static size_t object_pages[OBJECTS] = {0, 21, 10, 16, 12};
static uint64_t object_values[OBJECTS][OBJECT_PAGES_MAX];
static size_t large_seen; /* faults that ended in a large page */
static bool failing; /* allocations may fail: ENOMEM is acceptable, and then nothing has changed */

static mprot_t random_prot(void) {
  mprot_t prot = (mprot_t)ram_random(8);
  return (prot & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC) ? RW : prot;
}

static uintptr_t page_va(size_t i) {
  return WINDOW + i * PAGE_SIZE;
}

static void random_range(size_t *first, size_t *count) {
  *first = ram_random(PAGES);
  static const uint32_t most[] = {12, 12, 12, 200, 2000};
  *count = 1 + ram_random(most[ram_random(5)]);
  if (ram_random(4) == 0) { /* from a large page's border, or up to one */
    *first &= ~511ul;
    *count = ram_random(2) ? (*count + 511) & ~511ul : *count;
  }
  if (*count > PAGES - *first)
    *count = PAGES - *first;
}

static uint64_t expected_value(const struct model_page *p) {
  return p->own ? p->value : object_values[p->object][p->object_page];
}

static bool result_is(errno_t e, errno_t expected) {
  if (e == expected)
    return e == 0;
  if (!(failing && e == ENOMEM && expected == 0))
    fail_msg("error %u, expected %u", e, expected);
  return false;
}

static void op_map(struct space *s) {
  size_t first, count;
  random_range(&first, &count);
  int object = ram_random(2) ? OBJ_NONE : 1 + (int)ram_random(OBJECTS - 1);
  size_t object_page = object != OBJ_NONE ? ram_random(20) : 0;
  bool large = ram_random(6) == 0;
  if (large) { /* what large pages may be used for */
    object = OBJ_NONE;
    object_page = 0;
    first = ram_random(600);
    count = 1024 + ram_random((uint32_t)(PAGES - 1024 - first));
  }
  mprot_t prot = large ? RW : random_prot(),
          max_prot = prot | (mprot_t)(ram_random(3) ? RWX : ram_random(8));
  bool shared = object != OBJ_NONE && ram_random(2) == 0;
  uintptr_t va = page_va(first);
  errno_t e = aspace_map(s->as, &va, count * PAGE_SIZE, prot, max_prot,
                         MAPPING_FIXED | (shared ? MAPPING_SHARED : 0), objects[object],
                         object_page * PAGE_SIZE, "model");
  assert_int_equal(va, page_va(first));
  if (!result_is(e, 0))
    return;
  for (size_t i = 0; i < count; i++)
    s->pages[first + i] = (struct model_page){.mapped = true,
                                              .shared = shared,
                                              .prot = prot,
                                              .max_prot = max_prot,
                                              .object = object,
                                              .object_page = object_page + i,
                                              .own = object == OBJ_NONE};
}

static void op_unmap(struct space *s) {
  size_t first, count;
  random_range(&first, &count);
  if (result_is(aspace_unmap(s->as, page_va(first), count * PAGE_SIZE), 0))
    memset(&s->pages[first], 0, count * sizeof s->pages[0]);
}

static void op_protect(struct space *s) {
  size_t first, count;
  random_range(&first, &count);
  mprot_t prot = random_prot();
  errno_t expected = 0;
  for (size_t i = first; i < first + count; i++) {
    if (!s->pages[i].mapped)
      expected = ENOMEM;
    else if (expected == 0 && (prot & ~s->pages[i].max_prot) != 0)
      expected = EACCES;
  }
  assert_int_equal(aspace_check(s->as, page_va(first), count * PAGE_SIZE),
                   expected == ENOMEM ? ENOMEM : 0);
  if (!result_is(aspace_protect(s->as, page_va(first), count * PAGE_SIZE, prot), expected))
    return;
  for (size_t i = first; i < first + count; i++)
    s->pages[i].prot = prot;
}

static errno_t expected_page(const struct model_page *p, bool write) {
  if (p->own)
    return 0;
  if (p->object_page >= object_pages[p->object])
    return ERANGE;
  bool read_only = p->object == OBJ_IN_PLACE || p->object == OBJ_COPIED;
  return write && p->shared && read_only ? EROFS : 0;
}

static void stored(struct model_page *p, uint64_t value) {
  if (p->shared) {
    object_values[p->object][p->object_page] = value;
  } else {
    p->own = true;
    p->value = value;
  }
}

static errno_t expected_fault(const struct model_page *p, unsigned access) {
  if (!p->mapped || p->prot == 0 || (access == ARCH_WRITE && (p->prot & PROT_WRITE) == 0) ||
      (access == ARCH_EXEC && (p->prot & PROT_EXEC) == 0))
    return EFAULT;
  return expected_page(p, access == ARCH_WRITE);
}

static void op_fault(struct space *s) {
  static const unsigned accesses[] = {ARCH_READ, ARCH_WRITE, ARCH_EXEC};
  size_t i = ram_random(PAGES);
  struct model_page *p = &s->pages[i];
  unsigned access = accesses[ram_random(3)];
  errno_t e = aspace_fault(s->as, page_va(i) + ram_random(PAGE_SIZE), access);
  /* Compared with what holds now: a slow page may have seen changes. */
  if (!result_is(e, expected_fault(p, access)))
    return;
  uint64_t *page = (uint64_t *)present(s->as, page_va(i));
  assert_non_null(page);
  assert_int_equal(*page, expected_value(p));
  if (access == ARCH_WRITE) {
    *page = random_u64();
    stored(p, *page);
  }
  unsigned prot;
  arch_aspace_query(aspace_arch(s->as), page_va(i), NULL, &prot);
  large_seen += (prot & ARCH_LARGE) != 0;
}

static void op_write(struct space *s) {
  uint64_t page[PAGE_SIZE / 8] = {0}; /* not static: slow pages make it recursive */
  size_t i = ram_random(PAGES);
  struct model_page *p = &s->pages[i];
  uint64_t value = page[0] = random_u64();
  size_t n = ram_random(2) ? sizeof page : 8;
  errno_t e = aspace_write(s->as, page_va(i), page, n);
  errno_t expected = p->mapped ? expected_page(p, true) : EFAULT;
  /* A page that is replaced whole is not asked of its object. */
  if (expected == ERANGE && n == sizeof page && !p->shared)
    expected = 0;
  if (result_is(e, expected))
    stored(p, value);
}

static void op_fork(struct space *s) {
  struct space *child = spaces;
  while (child < &spaces[SPACES] && child->as != NULL)
    child++;
  if (child == &spaces[SPACES])
    return;
  if (!result_is(aspace_fork(s->as, &child->as), 0)) {
    assert_null(child->as);
    return;
  }
  memcpy(child->pages, s->pages, sizeof s->pages);
  aspace_verify(child->as);
}

static void op_end(struct space *s) {
  unsigned alive = 0;
  for (int i = 0; i < SPACES; i++)
    alive += spaces[i].as != NULL;
  if (alive == 1)
    return;
  aspace_destroy(s->as);
  s->as = NULL;
}

static void op_resize(void) {
  size_t pages = ram_random(17);
  struct pagecache *pc = container_of(objects[OBJ_CACHE], struct pagecache, obj);
  assert_int_equal(pagecache_resize(pc, pages * PAGE_SIZE), 0);
  for (size_t i = pages; i < OBJECT_PAGES_MAX; i++)
    object_values[OBJ_CACHE][i] = 0;
  object_pages[OBJ_CACHE] = pages;
}

/* What leaves the space alive that s is. */
static void random_op(struct space *s) {
  switch (ram_random(16)) {
    case 0:
    case 1:
      op_map(s);
      break;
    case 2:
      op_unmap(s);
      break;
    case 3:
    case 4:
      op_protect(s);
      break;
    case 5:
      op_write(s);
      break;
    case 6:
      if (ram_random(10) == 0)
        op_fork(s);
      break;
    case 7:
      if (ram_random(10) == 0)
        op_resize();
      break;
    default:
      op_fault(s);
  }
}

/* ---- The slow object ------------------------------------------------------------------------- */

static struct memobj slow;
static void *slow_pages[OBJECT_PAGES_MAX];
static struct space *current; /* whose operation runs; NULL: one that is slow already */

static errno_t slow_get(struct memobj *obj, uint64_t offset, bool write, pa_t *pa) {
  (void)obj;
  (void)write;
  struct space *s = current;
  current = NULL;
  for (unsigned n = s != NULL ? ram_random(8) : 0; n > 4; n--)
    random_op(ram_random(4) || spaces[0].as == NULL ? s : &spaces[0]);
  current = s;
  if (offset >= object_pages[OBJ_SLOW] * PAGE_SIZE)
    return ERANGE;
  *pa = va_to_pa(slow_pages[offset / PAGE_SIZE]);
  return 0;
}

static void slow_destroy(struct memobj *obj) {
  (void)obj;
  for (size_t i = 0; i < object_pages[OBJ_SLOW]; i++) {
    assert_int_equal(page_refs(slow_pages[i]), 1);
    page_unref(slow_pages[i]);
  }
}

static const struct memobj_ops slow_ops = {.get_page = slow_get, .destroy = slow_destroy};

/* ---- The test -------------------------------------------------------------------------------- */

static char unaligned[11 * PAGE_SIZE], original[sizeof file_bytes];

static void objects_create(void) {
  for (size_t i = 0; i < 21; i++) {
    object_values[OBJ_IN_PLACE][i] = 0x1000 + i;
    memcpy(file_bytes + i * PAGE_SIZE, &object_values[OBJ_IN_PLACE][i], 8);
  }
  memcpy(original, file_bytes, sizeof original);
  for (size_t i = 0; i < 10; i++) {
    object_values[OBJ_COPIED][i] = 0x2000 + i;
    memcpy(unaligned + 24 + i * PAGE_SIZE, &object_values[OBJ_COPIED][i], 8);
  }
  assert_int_equal(memobj_bytes_create(file_bytes, FILE_SIZE, &objects[OBJ_IN_PLACE]), 0);
  assert_int_equal(memobj_bytes_create(unaligned + 24, 10 * PAGE_SIZE, &objects[OBJ_COPIED]), 0);
  struct pagecache *pc;
  assert_int_equal(pagecache_create_anonymous(&pc), 0);
  assert_int_equal(pagecache_resize(pc, object_pages[OBJ_CACHE] * PAGE_SIZE), 0);
  objects[OBJ_CACHE] = &pc->obj;
  memobj_init(&slow, &slow_ops);
  objects[OBJ_SLOW] = &slow;
  for (size_t i = 0; i < object_pages[OBJ_SLOW]; i++) {
    slow_pages[i] = page_alloc_zero(0);
    page_set_cached(slow_pages[i]);
  }
}

static void verify(struct space *s) {
  aspace_verify(s->as);
  for (size_t i = 0; i < PAGES; i++) {
    assert_int_equal(aspace_check(s->as, page_va(i), PAGE_SIZE), s->pages[i].mapped ? 0 : ENOMEM);
    const uint64_t *page = (uint64_t *)present(s->as, page_va(i));
    if (page != NULL)
      assert_int_equal(*page, expected_value(&s->pages[i]));
  }
}

static void test_random_use_against_a_model(void **state) {
  (void)state;
  size_t pages_before = page_free_count(), heap_before = heap_used_bytes();
  objects_create();
  spaces[0].as = create();
  for (int i = 0; i < 60000; i++) {
    struct space *s = &spaces[ram_random(SPACES)];
    if (s->as == NULL)
      continue;
    failing = ram_random(4) == 0;
    fail_after = failing ? ram_random(4) : -1;
    current = s;
    if (ram_random(2000) == 0)
      op_end(s);
    else
      random_op(s);
    fail_after = -1;
    if (s->as != NULL && i % 10 == 0)
      aspace_verify(s->as);
    for (int n = 0; i % 500 == 0 && n < SPACES; n++)
      if (spaces[n].as != NULL)
        verify(&spaces[n]);
  }
  for (int n = 0; n < SPACES; n++)
    aspace_destroy(spaces[n].as);
  print_message("%zu faults in large pages\n", large_seen);
  assert_true(large_seen > 1000);
  for (int i = 1; i < OBJECTS; i++) {
    assert_int_equal(objects[i]->refs, 1);
    assert_true(list_empty(&objects[i]->mappings));
    memobj_unref(objects[i]);
  }
  assert_memory_equal(file_bytes, original, sizeof original);
  assert_int_equal(heap_used_bytes(), heap_before);
  /* But for what the heap keeps of the sizes that this used. */
  assert_in_range(page_free_count(), pages_before - 6, pages_before + 6);
  heap_check();
  page_check();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_use_against_a_model)};
  return cmocka_run_group_tests(tests, setup, NULL);
}
