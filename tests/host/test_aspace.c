// sources: kernel/aspace.c kernel/aspace_fault.c kernel/aspace_print.c kernel/maptree.c
// sources: kernel/memobj.c kernel/heap.c kernel/page.c kernel/aspace_share.c
// libs: -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc
/* Address spaces: against a model page by page, and the promises that a program notices. */
#include "tests/host/fake_aspace.h"
#include "kernel/aspace.h"
#include "kernel/cpu.h"
#include "kernel/heap.h"
#include "kernel/list.h"
#include "kernel/mapping.h"

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define RW (PROT_READ | PROT_WRITE)

struct cpu cpu_boot;

static char log_text[20000];
void log_printf(enum log_level level, const char *format, ...) {
  (void)level;
  va_list ap;
  va_start(ap, format);
  size_t n = strlen(log_text);
  vsnprintf(log_text + n, sizeof log_text - n, format, ap);
  va_end(ap);
  strcat(log_text, "\n");
}

static int setup(void **state) {
  (void)state;
  ram_init(30000);
  return 0;
}

static struct aspace *create(void) {
  struct aspace *as;
  assert_int_equal(aspace_create(&as), 0);
  return as;
}

/* The page that a program would see at va; NULL: none is present. */
static char *present(struct aspace *as, uintptr_t va) {
  pa_t pa;
  return arch_aspace_query(aspace_arch(as), va, &pa, NULL) ? pa_to_va(pa) : NULL;
}

static char *touch(struct aspace *as, uintptr_t va, unsigned access) {
  assert_int_equal(aspace_fault(as, va, access), 0);
  char *p = present(as, va);
  assert_non_null(p);
  return p;
}

static uintptr_t map_anon(struct aspace *as, size_t pages, mprot_t prot) {
  uintptr_t va = 0;
  assert_int_equal(aspace_map(as, &va, pages * PAGE_SIZE, prot, RWX, 0, NULL, 0, "anon"), 0);
  return va;
}

/* ---- Objects ------------------------------------------------------------------------------ */

static _Alignas(PAGE_SIZE) char file_bytes[21 * PAGE_SIZE];
#define FILE_SIZE (20 * PAGE_SIZE + 100)

struct writable {
  struct memobj obj;
  void *pages[16];
  bool destroyed;
};

static errno_t writable_get(struct memobj *obj, uint64_t offset, bool write, pa_t *pa) {
  (void)write;
  struct writable *w = container_of(obj, struct writable, obj);
  if (offset >= sizeof w->pages / sizeof w->pages[0] * PAGE_SIZE)
    return ERANGE;
  *pa = va_to_pa(w->pages[offset / PAGE_SIZE]);
  return 0;
}

static void writable_destroy(struct memobj *obj) {
  struct writable *w = container_of(obj, struct writable, obj);
  for (int i = 0; i < 16; i++) {
    assert_int_equal(page_refs(w->pages[i]), 1);
    page_unref(w->pages[i]);
  }
  w->destroyed = true;
}

static const struct memobj_ops writable_ops = {.get_page = writable_get,
                                               .destroy = writable_destroy};

static void writable_create(struct writable *w) {
  *w = (struct writable){0};
  memobj_init(&w->obj, &writable_ops);
  for (int i = 0; i < 16; i++)
    w->pages[i] = page_alloc_zero(0);
}

/* ---- The model ------------------------------------------------------------------------------ */

#define WINDOW 0x300000000ul
#define PAGES 700 /* over two fake tables */

enum { OBJ_NONE, OBJ_IN_PLACE, OBJ_COPIED, OBJ_WRITABLE, OBJECTS };

static struct model_page {
  bool mapped, shared;
  mprot_t prot, max_prot;
  int object;
  size_t object_page;
  bool own;       /* a private page written to, or anonymous */
  uint64_t value; /* of the own page's first word */
} model[PAGES];

static struct memobj *objects[OBJECTS];
static const size_t object_pages[OBJECTS] = {0, 21, 10, 16};
static uint64_t object_values[OBJECTS][21];
static struct writable writable;

static mprot_t random_prot(void) {
  mprot_t prot = (mprot_t)ram_random(8);
  return (prot & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC) ? RW : prot;
}

static uintptr_t page_va(size_t i) {
  return WINDOW + i * PAGE_SIZE;
}

static void random_range(size_t *first, size_t *count) {
  *first = ram_random(PAGES);
  *count = 1 + ram_random(ram_random(3) ? 12 : 200);
  if (*count > PAGES - *first)
    *count = PAGES - *first;
}

static uint64_t expected_value(const struct model_page *p) {
  return p->own ? p->value : object_values[p->object][p->object_page];
}

/* ENOMEM is acceptable whenever allocations are made to fail; then nothing may have changed. */
static bool result_is(errno_t e, errno_t expected, bool failing) {
  if (e == expected)
    return e == 0;
  if (!(failing && e == ENOMEM && expected == 0))
    fail_msg("error %u, expected %u", e, expected);
  return false;
}

static void op_map(struct aspace *as, bool failing) {
  size_t first, count;
  random_range(&first, &count);
  int object = ram_random(2) ? OBJ_NONE : 1 + (int)ram_random(OBJECTS - 1);
  size_t object_page = object != OBJ_NONE ? ram_random(20) : 0;
  mprot_t prot = random_prot(), max_prot = prot | (mprot_t)(ram_random(3) ? RWX : ram_random(8));
  bool shared = ram_random(4) == 0;
  uintptr_t va = page_va(first);
  errno_t e = aspace_map(as, &va, count * PAGE_SIZE, prot, max_prot,
                         MAPPING_FIXED | (shared ? MAPPING_SHARED : 0), objects[object],
                         object_page * PAGE_SIZE, "model");
  assert_int_equal(va, page_va(first));
  if (!result_is(e, 0, failing))
    return;
  for (size_t i = 0; i < count; i++)
    model[first + i] = (struct model_page){.mapped = true,
                                           .shared = shared,
                                           .prot = prot,
                                           .max_prot = max_prot,
                                           .object = object,
                                           .object_page = object_page + i,
                                           .own = object == OBJ_NONE};
}

static void op_unmap(struct aspace *as, bool failing) {
  size_t first, count;
  random_range(&first, &count);
  if (result_is(aspace_unmap(as, page_va(first), count * PAGE_SIZE), 0, failing))
    memset(&model[first], 0, count * sizeof model[0]);
}

static void op_protect(struct aspace *as, bool failing) {
  size_t first, count;
  random_range(&first, &count);
  mprot_t prot = random_prot();
  errno_t expected = 0;
  for (size_t i = first; i < first + count; i++) {
    if (!model[i].mapped)
      expected = ENOMEM;
    else if (expected == 0 && (prot & ~model[i].max_prot) != 0)
      expected = EACCES;
  }
  assert_int_equal(aspace_check(as, page_va(first), count * PAGE_SIZE),
                   expected == ENOMEM ? ENOMEM : 0);
  if (!result_is(aspace_protect(as, page_va(first), count * PAGE_SIZE, prot), expected, failing))
    return;
  for (size_t i = first; i < first + count; i++)
    model[i].prot = prot;
}

static errno_t expected_page(const struct model_page *p, bool write) {
  if (p->own)
    return 0;
  if (p->object_page >= object_pages[p->object])
    return ERANGE;
  return write && p->shared && p->object != OBJ_WRITABLE ? EROFS : 0;
}

static void stored(struct model_page *p, uint64_t value) {
  if (p->shared && p->object == OBJ_WRITABLE) {
    object_values[OBJ_WRITABLE][p->object_page] = value;
  } else {
    p->own = true;
    p->value = value;
  }
}

static void op_fault(struct aspace *as, bool failing) {
  static const unsigned accesses[] = {ARCH_READ, ARCH_WRITE, ARCH_EXEC};
  size_t i = ram_random(PAGES);
  struct model_page *p = &model[i];
  unsigned access = accesses[ram_random(3)];
  errno_t expected = EFAULT;
  if (p->mapped && p->prot != 0 && (access != ARCH_WRITE || (p->prot & PROT_WRITE) != 0) &&
      (access != ARCH_EXEC || (p->prot & PROT_EXEC) != 0))
    expected = expected_page(p, access == ARCH_WRITE);
  if (!result_is(aspace_fault(as, page_va(i) + ram_random(PAGE_SIZE), access), expected, failing))
    return;
  uint64_t *page = (uint64_t *)present(as, page_va(i));
  assert_non_null(page);
  assert_int_equal(*page, expected_value(p));
  if (access == ARCH_WRITE) {
    *page = random_u64();
    stored(p, *page);
  }
}

static void op_write(struct aspace *as, bool failing) {
  static uint64_t page[PAGE_SIZE / 8];
  size_t i = ram_random(PAGES);
  struct model_page *p = &model[i];
  page[0] = random_u64();
  errno_t expected = EFAULT;
  if (p->mapped)
    expected = expected_page(p, true);
  size_t n = ram_random(2) ? sizeof page : 8;
  /* A page that is replaced whole is not asked of its object. */
  if (expected == ERANGE && n == sizeof page && !p->shared)
    expected = 0;
  if (result_is(aspace_write(as, page_va(i), page, n), expected, failing))
    stored(p, page[0]);
}

static void verify_model(struct aspace *as) {
  for (size_t i = 0; i < PAGES; i++) {
    assert_int_equal(aspace_check(as, page_va(i), PAGE_SIZE), model[i].mapped ? 0 : ENOMEM);
    const uint64_t *page = (uint64_t *)present(as, page_va(i));
    if (page != NULL)
      assert_int_equal(*page, expected_value(&model[i]));
  }
}

static void test_random_use_against_a_model(void **state) {
  (void)state;
  size_t pages_before = page_free_count(), heap_before = heap_used_bytes();
  static char unaligned[11 * PAGE_SIZE];
  static char original[sizeof file_bytes];
  for (size_t i = 0; i < 21; i++) {
    object_values[OBJ_IN_PLACE][i] = 0x1000 + i;
    memcpy(file_bytes + i * PAGE_SIZE, &object_values[OBJ_IN_PLACE][i], 8);
  }
  memcpy(original, file_bytes, sizeof original);
  for (size_t i = 0; i < 10; i++) {
    object_values[OBJ_COPIED][i] = 0x2000 + i;
    memcpy(unaligned + 24 + i * PAGE_SIZE, &object_values[OBJ_COPIED][i], 8);
  }
  memset(model, 0, sizeof model);
  assert_int_equal(memobj_bytes_create(file_bytes, FILE_SIZE, &objects[OBJ_IN_PLACE]), 0);
  assert_int_equal(memobj_bytes_create(unaligned + 24, 10 * PAGE_SIZE, &objects[OBJ_COPIED]), 0);
  writable_create(&writable);
  objects[OBJ_WRITABLE] = &writable.obj;

  struct aspace *as = create();
  for (int i = 0; i < 40000; i++) {
    bool failing = ram_random(4) == 0;
    fail_after = failing ? ram_random(4) : -1;
    switch (ram_random(12)) {
      case 0:
      case 1:
        op_map(as, failing);
        break;
      case 2:
        op_unmap(as, failing);
        break;
      case 3:
      case 4:
        op_protect(as, failing);
        break;
      case 5:
        op_write(as, failing);
        break;
      default:
        op_fault(as, failing);
    }
    fail_after = -1;
    aspace_verify(as);
    if (i % 100 == 0)
      verify_model(as);
  }
  verify_model(as);
  aspace_destroy(as);
  for (int i = 1; i < OBJECTS; i++) {
    assert_int_equal(objects[i]->refs, 1);
    memobj_unref(objects[i]);
  }
  assert_true(writable.destroyed);
  assert_memory_equal(file_bytes, original, sizeof original);
  assert_int_equal(heap_used_bytes(), heap_before);
  /* But for what the heap keeps of the four sizes that this used. */
  assert_in_range(page_free_count(), pages_before - 4, pages_before + 4);
  heap_check();
  page_check();
}

/* ---- The tree ----------------------------------------------------------------------------------
 */

/* The highest place for n pages in [floor, ceiling) of a map of 100 pages, or -1. */
static long place_by_hand(const bool taken[100], int n, int floor, int ceiling) {
  for (int at = ceiling - n; at >= floor; at--) {
    int free = 0;
    while (free < n && !taken[at + free])
      free++;
    if (free == n)
      return at;
  }
  return -1;
}

static void test_holes_by_hand(void **state) {
  (void)state;
  const uintptr_t base = 0x100000;
  for (int round = 0; round < 2000; round++) {
    static struct mapping nodes[100];
    bool taken[100] = {false};
    struct mapping *root = NULL;
    for (int i = 0, used = 0; i < 100; i++) {
      int length = 1 + (int)ram_random(3);
      if (ram_random(100) >= (uint32_t)(round % 90) || i + length > 100)
        continue;
      struct mapping *m = &nodes[used++];
      *m = (struct mapping){.start = base + (size_t)i * PAGE_SIZE,
                            .end = base + (size_t)(i + length) * PAGE_SIZE};
      maptree_insert(&root, m);
      for (; length > 0; length--)
        taken[i++] = true;
      i--;
    }
    maptree_verify(root);
    for (int i = 0; i < 30; i++) {
      int floor = (int)ram_random(100), ceiling = (int)ram_random(101), n = 1 + (int)ram_random(9);
      long at = place_by_hand(taken, n, floor, ceiling);
      uintptr_t found = maptree_hole(root, (size_t)n * PAGE_SIZE, base + (size_t)floor * PAGE_SIZE,
                                     base + (size_t)ceiling * PAGE_SIZE);
      assert_int_equal(found, at < 0 ? 0 : base + (size_t)at * PAGE_SIZE);
    }
  }
}

/* ---- Promises ---------------------------------------------------------------------------------
 */

static void test_memory_is_zero_and_comes_on_demand(void **state) {
  (void)state;
  struct aspace *as = create();
  size_t free = page_free_count();
  uintptr_t va = map_anon(as, 1ul << 24, RW); /* 64 GiB */
  assert_true(page_free_count() >= free - 1);
  static const char zero[PAGE_SIZE];
  char *p = touch(as, va + 5 * PAGE_SIZE + 77, ARCH_READ);
  assert_memory_equal(p, zero, PAGE_SIZE);
  p[0] = 1;
  assert_ptr_equal(touch(as, va + 5 * PAGE_SIZE, ARCH_WRITE), p);
  assert_int_equal(aspace_resident_pages(as), 1);
  assert_int_equal(aspace_fault(as, va - 1, ARCH_READ), EFAULT);
  assert_int_equal(aspace_fault(as, va + (1ul << 36), ARCH_READ), EFAULT);
  assert_int_equal(aspace_fault(as, va, ARCH_EXEC), EFAULT);
  assert_int_equal(aspace_unmap(as, va, 1ul << 36), 0);
  assert_int_equal(aspace_resident_pages(as), 0);
  assert_true(page_free_count() >= free - 1);
  aspace_destroy(as);
}

static void test_neighbours_are_one_mapping(void **state) {
  (void)state;
  struct aspace *as = create();
  uintptr_t first = map_anon(as, 1, RW), last = first;
  for (int i = 0; i < 2000; i++) {
    uintptr_t va = map_anon(as, 1 + ram_random(5), RW);
    assert_true(va < last); /* right below: page tables stay few */
    last = va;
  }
  assert_int_equal(aspace_mapping_count(as), 1);
  assert_int_equal(aspace_protect(as, last + 10 * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
  assert_int_equal(aspace_mapping_count(as), 3);
  assert_int_equal(aspace_protect(as, last + 9 * PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ), 0);
  assert_int_equal(aspace_mapping_count(as), 3);
  assert_int_equal(aspace_protect(as, last + 9 * PAGE_SIZE, 2 * PAGE_SIZE, RW), 0);
  assert_int_equal(aspace_mapping_count(as), 1);
  aspace_verify(as);
  aspace_destroy(as);
}

static void test_holes_are_used_again(void **state) {
  (void)state;
  struct aspace *as = create();
  uintptr_t va[300];
  for (int i = 0; i < 300; i++)
    va[i] = map_anon(as, 10, i % 2 ? RW : PROT_READ);
  for (int i = 1; i < 299; i += 2)
    assert_int_equal(aspace_unmap(as, va[i], 10 * PAGE_SIZE), 0);
  assert_int_equal(map_anon(as, 11, RW), va[299] - 11 * PAGE_SIZE); /* fits into none */
  for (int i = 1; i < 299; i += 2)
    assert_int_equal(map_anon(as, 10, RW), va[i]); /* the highest first */
  aspace_verify(as);
  aspace_destroy(as);
}

static void test_whole_address_space_can_be_used(void **state) {
  (void)state;
  struct aspace *as = create();
  uintptr_t va = USER_START;
  size_t size = USER_END - USER_START;
  assert_int_equal(aspace_map(as, &va, size, 0, RWX, MAPPING_FIXED, NULL, 0, "all"), 0);
  assert_int_equal(aspace_map(as, &va, PAGE_SIZE, 0, RWX, 0, NULL, 0, "more"), ENOMEM);
  assert_int_equal(aspace_find(as, PAGE_SIZE, PAGE_SIZE, &va), ENOMEM);
  assert_int_equal(aspace_unmap(as, USER_START + PAGE_SIZE, PAGE_SIZE), 0);
  assert_int_equal(map_anon(as, 1, RW), USER_START + PAGE_SIZE);
  assert_int_equal(aspace_unmap(as, USER_END - 3 * PAGE_SIZE, 3 * PAGE_SIZE), 0);
  assert_int_equal(map_anon(as, 3, RW), USER_END - 3 * PAGE_SIZE);
  va = 0;
  assert_int_equal(aspace_map(as, &va, SIZE_MAX & ~(PAGE_SIZE - 1), 0, 0, 0, NULL, 0, "x"), ENOMEM);
  aspace_verify(as);
  aspace_destroy(as);
}

static void test_bad_ranges(void **state) {
  (void)state;
  struct aspace *as = create();
  uintptr_t va = 0x100000;
  const struct {
    uintptr_t va;
    size_t size;
  } bad[] = {{va, 0},
             {va + 1, PAGE_SIZE},
             {va, PAGE_SIZE + 1},
             {USER_START - PAGE_SIZE, PAGE_SIZE},
             {0, PAGE_SIZE},
             {USER_END, PAGE_SIZE},
             {USER_END - PAGE_SIZE, 2 * PAGE_SIZE},
             {va, 0ul - va},
             {va, 0ul - PAGE_SIZE},
             {0ul - PAGE_SIZE, PAGE_SIZE}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    va = bad[i].va;
    assert_int_equal(aspace_map(as, &va, bad[i].size, RW, RWX, MAPPING_FIXED, NULL, 0, "bad"),
                     EINVAL);
    assert_int_equal(aspace_unmap(as, bad[i].va, bad[i].size), EINVAL);
    assert_int_equal(aspace_protect(as, bad[i].va, bad[i].size, RW), EINVAL);
    assert_int_equal(aspace_check(as, bad[i].va, bad[i].size), EINVAL);
  }
  assert_int_equal(aspace_mapping_count(as), 0);
  assert_int_equal(aspace_unmap(as, 0x100000, 100 * PAGE_SIZE), 0); /* nothing there */
  aspace_destroy(as);
}

static void test_number_of_mappings_is_limited(void **state) {
  (void)state;
  struct aspace *as = create();
  uintptr_t start = map_anon(as, 2 * ASPACE_MAPPINGS_MAX, RW);
  errno_t e = 0;
  size_t i = 0;
  for (; e == 0; i += 2)
    e = aspace_protect(as, start + i * PAGE_SIZE, PAGE_SIZE, PROT_READ);
  assert_int_equal(e, ENOMEM);
  assert_in_range(aspace_mapping_count(as), ASPACE_MAPPINGS_MAX - 2, ASPACE_MAPPINGS_MAX);
  uintptr_t va;
  assert_int_equal(aspace_map(as, &va, PAGE_SIZE, 0, 0, 0, NULL, 0, "one more"), ENOMEM);
  assert_int_equal(aspace_unmap(as, start, 2 * ASPACE_MAPPINGS_MAX * PAGE_SIZE), 0);
  assert_int_equal(aspace_mapping_count(as), 0);
  aspace_destroy(as);
}

static void test_file_pages_are_mapped_where_they_lie(void **state) {
  (void)state;
  size_t free = page_free_count();
  struct memobj *obj;
  memset(file_bytes, 'f', sizeof file_bytes);
  assert_int_equal(memobj_bytes_create(file_bytes, FILE_SIZE, &obj), 0);
  struct aspace *as = create();
  uintptr_t va;
  assert_int_equal(
      aspace_map(as, &va, 30 * PAGE_SIZE, PROT_READ, RWX, 0, obj, 2 * PAGE_SIZE, "file"), 0);
  assert_ptr_equal(touch(as, va + PAGE_SIZE, ARCH_READ), file_bytes + 3 * PAGE_SIZE);
  /* The last page: zeroes behind the end, whatever follows the file in memory. */
  const char *last = touch(as, va + 18 * PAGE_SIZE, ARCH_READ);
  assert_int_equal(last[99], 'f');
  for (size_t i = 100; i < PAGE_SIZE; i++)
    assert_int_equal(last[i], 0);
  assert_int_equal(aspace_fault(as, va + 19 * PAGE_SIZE, ARCH_READ), ERANGE);
  /* Private: a write changes a copy. */
  assert_int_equal(aspace_protect(as, va, 30 * PAGE_SIZE, RW), 0);
  char *copy = touch(as, va + PAGE_SIZE, ARCH_WRITE);
  assert_ptr_not_equal(copy, file_bytes + 3 * PAGE_SIZE);
  assert_int_equal(copy[5], 'f');
  copy[5] = 'w';
  /* Read-only again, as relro is: the copy stays, and no access unmaps or shares it. */
  assert_int_equal(aspace_protect(as, va + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
  assert_ptr_equal(touch(as, va + PAGE_SIZE, ARCH_READ), copy);
  assert_int_equal(aspace_fault(as, va + PAGE_SIZE, ARCH_WRITE), EFAULT);
  assert_int_equal(file_bytes[3 * PAGE_SIZE + 5], 'f');
  memobj_unref(obj); /* the mapping has its own reference */
  assert_ptr_equal(touch(as, va + 2 * PAGE_SIZE, ARCH_READ), file_bytes + 4 * PAGE_SIZE);
  aspace_verify(as);
  aspace_destroy(as);
  assert_in_range(page_free_count(), free - 3, free);
}

static void test_no_access_keeps_the_contents(void **state) {
  (void)state;
  struct aspace *as = create();
  uintptr_t va = map_anon(as, 3, RW);
  char *p = touch(as, va + PAGE_SIZE, ARCH_WRITE);
  p[0] = 'x';
  assert_int_equal(aspace_protect(as, va, 3 * PAGE_SIZE, 0), 0);
  assert_int_equal(aspace_fault(as, va + PAGE_SIZE, ARCH_READ), EFAULT);
  unsigned prot;
  assert_true(arch_aspace_query(aspace_arch(as), va + PAGE_SIZE, NULL, &prot));
  assert_int_equal(prot, ARCH_USER);
  assert_int_equal(aspace_protect(as, va, 3 * PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
  assert_ptr_equal(touch(as, va + PAGE_SIZE, ARCH_EXEC), p);
  assert_int_equal(p[0], 'x');
  aspace_destroy(as);
}

static void test_loader_writes_anywhere(void **state) {
  (void)state;
  struct aspace *as = create();
  uintptr_t va = map_anon(as, 4, PROT_READ | PROT_EXEC);
  static char text[3 * PAGE_SIZE];
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char)(i * 7 + 1);
  assert_int_equal(aspace_write(as, va + 100, text, sizeof text), 0);
  for (size_t i = 0; i < sizeof text; i++)
    assert_int_equal(present(as, va + 100 + i)[(100 + i) % PAGE_SIZE], text[i]);
  assert_int_equal(present(as, va)[99], 0);
  assert_int_equal(present(as, va + 3 * PAGE_SIZE)[100], 0);
  assert_int_equal(aspace_write(as, va + 4000, NULL, 200), 0);
  assert_int_equal(present(as, va)[4095], 0);
  assert_int_equal(present(as, va + PAGE_SIZE)[103], 0);
  assert_int_equal(present(as, va + PAGE_SIZE)[104], text[4100]);
  assert_int_equal(aspace_fault(as, va, ARCH_WRITE), EFAULT);
  assert_int_equal(aspace_write(as, va + 3 * PAGE_SIZE, text, sizeof text), EFAULT);
  aspace_verify(as);
  aspace_destroy(as);
}

static void test_places_are_random_and_aligned(void **state) {
  (void)state;
  struct aspace *a = create(), *b = create();
  assert_int_not_equal(map_anon(a, 1, RW), map_anon(b, 1, RW));
  uintptr_t seen = 0;
  for (size_t align = 1; align <= 1ul << 30; align *= 2) {
    uintptr_t va;
    assert_int_equal(aspace_find(a, 10 * PAGE_SIZE, align, &va), 0);
    assert_int_equal(va % align, 0);
    assert_int_equal(va % PAGE_SIZE, 0);
    assert_true(va >= USER_START && va + 10 * PAGE_SIZE <= USER_END);
    assert_int_not_equal(va, seen);
    seen = va;
  }
  uintptr_t va;
  assert_int_equal(aspace_find(a, USER_END, PAGE_SIZE, &va), ENOMEM);
  assert_int_equal(aspace_find(a, PAGE_SIZE, 1ul << 62, &va), ENOMEM);
  aspace_destroy(a);
  aspace_destroy(b);
}

static void test_out_of_memory_leaves_nothing_behind(void **state) {
  (void)state;
  size_t heap = heap_used_bytes();
  for (long n = 0;; n++) {
    fail_after = n;
    struct aspace *as = NULL;
    uintptr_t va = 0;
    errno_t e = aspace_create(&as);
    if (e == 0)
      e = aspace_map(as, &va, 9 * PAGE_SIZE, RW, RWX, 0, NULL, 0, "anon");
    if (e == 0)
      e = aspace_fault(as, va + 4 * PAGE_SIZE, ARCH_WRITE);
    if (e == 0)
      e = aspace_protect(as, va + 3 * PAGE_SIZE, 3 * PAGE_SIZE, PROT_READ);
    if (e == 0)
      e = aspace_unmap(as, va + 4 * PAGE_SIZE, PAGE_SIZE);
    fail_after = -1;
    if (as != NULL)
      aspace_verify(as);
    aspace_destroy(as);
    assert_int_equal(heap_used_bytes(), heap);
    page_check();
    if (e == 0)
      break;
    assert_int_equal(e, ENOMEM);
    assert_true(n < 30);
  }
}

static void test_report_marks_the_place(void **state) {
  (void)state;
  struct aspace *as = create();
  uintptr_t va = 0x10000000;
  assert_int_equal(aspace_map(as, &va, PAGE_SIZE, PROT_READ | PROT_EXEC, RWX, MAPPING_FIXED, NULL,
                              0, "program: text"),
                   0);
  va = 0x10004000;
  assert_int_equal(
      aspace_map(as, &va, 0x2000, RW, RWX, MAPPING_FIXED | MAPPING_SHARED, NULL, 0, "data"), 0);
  log_text[0] = '\0';
  aspace_print(as, 0x10005123);
  assert_string_equal(log_text,
                      "mappings (0 pages present):\n"
                      "  0x000010000000-0x000010001000 r-xp program: text\n"
                      "> 0x000010004000-0x000010006000 rw-s data\n");
  for (uintptr_t i = 0; i < 100; i++) {
    va = 0x20000000 + i * 0x2000;
    assert_int_equal(aspace_map(as, &va, 0x1000, PROT_READ, RWX, MAPPING_FIXED, NULL, 0, "many"),
                     0);
  }
  log_text[0] = '\0';
  aspace_print(as, 0x20000000 + 50 * 0x2000);
  assert_non_null(strstr(log_text, "> 0x000020064000-0x000020065000 r--p many\n"));
  assert_non_null(strstr(log_text, "  of 102, those around 0x20064000\n"));
  assert_null(strstr(log_text, "program"));
  aspace_destroy(as);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_use_against_a_model),
      cmocka_unit_test(test_holes_by_hand),
      cmocka_unit_test(test_memory_is_zero_and_comes_on_demand),
      cmocka_unit_test(test_neighbours_are_one_mapping),
      cmocka_unit_test(test_holes_are_used_again),
      cmocka_unit_test(test_whole_address_space_can_be_used),
      cmocka_unit_test(test_bad_ranges),
      cmocka_unit_test(test_number_of_mappings_is_limited),
      cmocka_unit_test(test_file_pages_are_mapped_where_they_lie),
      cmocka_unit_test(test_no_access_keeps_the_contents),
      cmocka_unit_test(test_loader_writes_anywhere),
      cmocka_unit_test(test_places_are_random_and_aligned),
      cmocka_unit_test(test_out_of_memory_leaves_nothing_behind),
      cmocka_unit_test(test_report_marks_the_place),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
