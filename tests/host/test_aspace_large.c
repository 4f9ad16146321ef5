// sources: kernel/aspace.c kernel/aspace_fault.c kernel/aspace_pages.c kernel/aspace_large.c
// sources: kernel/aspace_share.c kernel/aspace_print.c kernel/maptree.c kernel/memobj.c
// sources: kernel/pagecache_room.c
// sources: kernel/pagecache.c kernel/pagetree.c kernel/heap.c kernel/page.c kernel/uio.c
// libs: -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc
/* Large pages: when they are used, and that nobody but the page tables can tell. */
#define ASPACE_RAM_PAGES 12000
#include "tests/host/aspace_fixture.h"

#define LARGE ARCH_LARGE_PAGE_SIZE
#define BASE 0x40000000ul /* of a large page */

static struct aspace *map_large(size_t size) {
  struct aspace *as = create();
  uintptr_t va = BASE;
  assert_int_equal(aspace_map(as, &va, size, RW, RWX, MAPPING_FIXED, NULL, 0, "large"), 0);
  return as;
}

static bool is_large(struct aspace *as, uintptr_t va) {
  unsigned prot = 0;
  return arch_aspace_query(aspace_arch(as), va, NULL, &prot) && (prot & ARCH_LARGE) != 0;
}

/* Its own first word in each page. */
static void fill(struct aspace *as, uintptr_t va, size_t size) {
  for (uintptr_t at = va; at < va + size; at += PAGE_SIZE)
    *(uintptr_t *)touch(as, at, ARCH_WRITE) = at;
}

static void assert_filled(struct aspace *as, uintptr_t va, size_t size) {
  for (uintptr_t at = va; at < va + size; at += PAGE_SIZE)
    assert_int_equal(*(uintptr_t *)touch(as, at, ARCH_READ), at);
}

static void test_one_access_brings_all(void **state) {
  (void)state;
  size_t free = page_free_count();
  struct aspace *as = map_large(2 * LARGE);
  char *p = touch(as, BASE + 5 * PAGE_SIZE + 3, ARCH_WRITE);
  assert_true(is_large(as, BASE));
  assert_false(is_large(as, BASE + LARGE));
  assert_int_equal(aspace_resident_pages(as), 512);
  assert_int_equal((uintptr_t)(p - 5 * PAGE_SIZE) % LARGE, 0);
  static const char zero[PAGE_SIZE];
  for (size_t i = 0; i < 512; i++)
    assert_memory_equal(touch(as, BASE + i * PAGE_SIZE, ARCH_READ), zero, PAGE_SIZE);
  touch(as, BASE + LARGE, ARCH_READ);
  assert_true(is_large(as, BASE + LARGE));
  aspace_verify(as);
  aspace_destroy(as);
  assert_in_range(page_free_count(), free - 2, free);
  page_check();
}

static void test_what_gets_none(void **state) {
  (void)state;
  struct aspace *as = map_large(2 * LARGE - PAGE_SIZE); /* too small */
  touch(as, BASE, ARCH_WRITE);
  assert_false(is_large(as, BASE));
  assert_int_equal(aspace_resident_pages(as), 1);
  aspace_destroy(as);

  as = create(); /* of the size, but across borders: one fits */
  uintptr_t va = BASE + PAGE_SIZE;
  assert_int_equal(aspace_map(as, &va, 2 * LARGE, RW, RWX, MAPPING_FIXED, NULL, 0, "odd"), 0);
  touch(as, BASE + PAGE_SIZE, ARCH_WRITE);
  touch(as, BASE + LARGE, ARCH_WRITE);
  touch(as, BASE + 2 * LARGE, ARCH_WRITE);
  assert_false(is_large(as, BASE + PAGE_SIZE));
  assert_true(is_large(as, BASE + LARGE));
  assert_false(is_large(as, BASE + 2 * LARGE));
  aspace_destroy(as);

  as = map_large(2 * LARGE); /* not to be written to */
  assert_int_equal(aspace_protect(as, BASE, 2 * LARGE, PROT_READ), 0);
  touch(as, BASE, ARCH_READ);
  assert_false(is_large(as, BASE));
  /* A page of it is there. */
  assert_int_equal(aspace_protect(as, BASE, 2 * LARGE, RW), 0);
  touch(as, BASE + PAGE_SIZE, ARCH_WRITE);
  assert_false(is_large(as, BASE));
  aspace_destroy(as);

  struct pagecache *pc; /* an object's */
  assert_int_equal(pagecache_create_anonymous(&pc), 0);
  assert_int_equal(pagecache_resize(pc, 2 * LARGE), 0);
  as = create();
  va = BASE;
  assert_int_equal(
      aspace_map(as, &va, 2 * LARGE, RW, RWX, MAPPING_FIXED, &pc->obj, 0, "private file"), 0);
  memobj_unref(&pc->obj);
  touch(as, BASE, ARCH_WRITE);
  assert_false(is_large(as, BASE));
  aspace_destroy(as);
}

static void test_half_of_the_memory_is_left(void **state) {
  (void)state;
  struct aspace *as = map_large(40 * LARGE);
  size_t large = 0;
  for (uintptr_t i = 0; i < 20; i++) {
    touch(as, BASE + i * LARGE, ARCH_WRITE);
    large += is_large(as, BASE + i * LARGE);
  }
  assert_int_equal(large, page_total() / 2 / 512);
  assert_true(page_free_count() >= page_total() / 2 - 30);
  aspace_verify(as);
  aspace_destroy(as);
}

static void test_parts_can_be_unmapped(void **state) {
  (void)state;
  struct aspace *as = map_large(4 * LARGE);
  fill(as, BASE, 4 * LARGE);
  assert_true(is_large(as, BASE + 3 * LARGE));
  size_t free = page_free_count();
  /* From inside the first to inside the third. */
  assert_int_equal(aspace_unmap(as, BASE + 3 * PAGE_SIZE, 2 * LARGE), 0);
  assert_int_equal(aspace_resident_pages(as), 4 * 512 - 2 * 512);
  assert_in_range(page_free_count(), free + 2 * 512 - 3, free + 2 * 512);
  assert_false(is_large(as, BASE));
  assert_true(is_large(as, BASE + 3 * LARGE));
  assert_filled(as, BASE, 3 * PAGE_SIZE);
  assert_filled(as, BASE + 2 * LARGE + 3 * PAGE_SIZE, 2 * LARGE - 3 * PAGE_SIZE);
  assert_int_equal(aspace_fault(as, BASE + 3 * PAGE_SIZE, ARCH_READ), EFAULT);
  assert_int_equal(aspace_fault(as, BASE + 2 * LARGE + 2 * PAGE_SIZE, ARCH_READ), EFAULT);
  aspace_verify(as);
  /* Another mapping in its place. */
  uintptr_t va = BASE + 3 * LARGE + 7 * PAGE_SIZE;
  assert_int_equal(aspace_map(as, &va, PAGE_SIZE, RW, RWX, MAPPING_FIXED, NULL, 0, "new"), 0);
  assert_int_equal(*(uintptr_t *)touch(as, va, ARCH_READ), 0);
  assert_filled(as, BASE + 3 * LARGE, 7 * PAGE_SIZE);
  assert_filled(as, va + PAGE_SIZE, LARGE - 8 * PAGE_SIZE);
  aspace_verify(as);
  aspace_destroy(as);
  page_check();
}

static void test_protection_of_all_and_of_parts(void **state) {
  (void)state;
  struct aspace *as = map_large(4 * LARGE);
  fill(as, BASE, 4 * LARGE);
  assert_int_equal(aspace_protect(as, BASE + LARGE, LARGE, PROT_READ), 0);
  assert_true(is_large(as, BASE + LARGE));
  assert_int_equal(aspace_fault(as, BASE + LARGE, ARCH_WRITE), EFAULT);
  assert_int_equal(aspace_protect(as, BASE + LARGE, LARGE, 0), 0);
  assert_int_equal(aspace_protect(as, BASE + LARGE, LARGE, RW), 0);
  unsigned prot;
  assert_true(arch_aspace_query(aspace_arch(as), BASE + LARGE, NULL, &prot));
  assert_int_equal(prot, ARCH_USER | ARCH_READ | ARCH_WRITE | ARCH_LARGE); /* at once */
  assert_int_equal(aspace_protect(as, BASE + LARGE - PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ), 0);
  assert_false(is_large(as, BASE));
  assert_false(is_large(as, BASE + LARGE));
  assert_true(is_large(as, BASE + 2 * LARGE));
  assert_int_equal(aspace_fault(as, BASE + LARGE - PAGE_SIZE, ARCH_WRITE), EFAULT);
  assert_filled(as, BASE, 4 * LARGE);
  aspace_verify(as);
  aspace_destroy(as);
}

static void test_fork_shares_them(void **state) {
  (void)state;
  struct aspace *parent = map_large(2 * LARGE), *child;
  fill(parent, BASE, 2 * LARGE);
  size_t free = page_free_count();
  assert_int_equal(aspace_fork(parent, &child), 0);
  assert_true(page_free_count() + 3 >= free);
  assert_true(is_large(child, BASE) && is_large(parent, BASE));
  assert_int_equal(aspace_resident_pages(child), 2 * 512);
  /* Who writes copies a page, not all of them. */
  *(uintptr_t *)touch(child, BASE + PAGE_SIZE, ARCH_WRITE) = 1;
  assert_true(page_free_count() + 5 >= free);
  assert_false(is_large(child, BASE));
  assert_true(is_large(parent, BASE));
  assert_filled(parent, BASE, 2 * LARGE);
  *(uintptr_t *)touch(parent, BASE + LARGE, ARCH_WRITE) = 2;
  assert_filled(child, BASE + LARGE, LARGE);
  aspace_verify(parent);
  aspace_verify(child);
  aspace_destroy(child);
  /* Alone again, the parent has its large page back at the first write. */
  unsigned prot;
  *(uintptr_t *)touch(parent, BASE + 9 * PAGE_SIZE, ARCH_WRITE) = BASE + 9 * PAGE_SIZE;
  assert_true(arch_aspace_query(aspace_arch(parent), BASE, NULL, &prot));
  assert_int_equal(prot, ARCH_USER | ARCH_READ | ARCH_WRITE | ARCH_LARGE);
  assert_filled(parent, BASE, LARGE);
  aspace_verify(parent);
  aspace_destroy(parent);
  page_check();
}

static void test_fork_of_a_page_with_all_references(void **state) {
  (void)state;
  struct aspace *parent = map_large(2 * LARGE), *child;
  fill(parent, BASE, LARGE);
  char *page = present(parent, BASE + 100 * PAGE_SIZE);
  while (page_ref(page))
    ;
  assert_int_equal(aspace_fork(parent, &child), 0);
  assert_ptr_not_equal(present(child, BASE + 100 * PAGE_SIZE), page);
  assert_ptr_equal(present(child, BASE + 101 * PAGE_SIZE), page + PAGE_SIZE);
  assert_filled(child, BASE, LARGE);
  aspace_verify(child);
  aspace_destroy(child);
  assert_int_equal(page_refs(present(parent, BASE)), 1);
  while (page_refs(page) > 1)
    page_unref(page);
  aspace_verify(parent);
  aspace_destroy(parent);
}

/* Each allocation in turn fails. */
static void test_without_memory_nothing_changes(void **state) {
  (void)state;
  struct aspace *parent = map_large(2 * LARGE), *child = NULL;
  fill(parent, BASE, 2 * LARGE);
  errno_t e;
  for (long n = 0; n == 0 || e != 0; n++) {
    fail_after = n;
    e = aspace_fork(parent, &child);
    fail_after = -1;
    assert_true(e == 0 || e == ENOMEM);
    aspace_verify(parent);
  }
  for (long n = 0; n == 0 || e != 0; n++) {
    fail_after = n;
    e = aspace_fault(child, BASE + PAGE_SIZE, ARCH_WRITE);
    fail_after = -1;
    assert_true(e == 0 || e == ENOMEM);
    aspace_verify(child);
  }
  aspace_destroy(child);
  size_t mappings = aspace_mapping_count(parent);
  for (long n = 0; n == 0 || e != 0; n++) {
    fail_after = n;
    e = aspace_protect(parent, BASE + 5 * PAGE_SIZE, LARGE, PROT_READ);
    fail_after = -1;
    assert_true(e == 0 || (e == ENOMEM && aspace_mapping_count(parent) == mappings));
    aspace_verify(parent);
  }
  for (long n = 0; n == 0 || e != 0; n++) {
    fail_after = n;
    e = aspace_unmap(parent, BASE + LARGE + 9 * PAGE_SIZE, PAGE_SIZE);
    fail_after = -1;
    assert_true(e == 0 || e == ENOMEM);
    aspace_verify(parent);
  }
  assert_filled(parent, BASE, LARGE + 9 * PAGE_SIZE);
  aspace_destroy(parent);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_access_brings_all),
      cmocka_unit_test(test_what_gets_none),
      cmocka_unit_test(test_half_of_the_memory_is_left),
      cmocka_unit_test(test_parts_can_be_unmapped),
      cmocka_unit_test(test_protection_of_all_and_of_parts),
      cmocka_unit_test(test_fork_shares_them),
      cmocka_unit_test(test_fork_of_a_page_with_all_references),
      cmocka_unit_test(test_without_memory_nothing_changes),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
