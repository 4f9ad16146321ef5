// sources: kernel/aspace.c kernel/aspace_fault.c kernel/aspace_pages.c kernel/aspace_share.c
// sources: kernel/pagecache_room.c
// sources: kernel/aspace_print.c kernel/maptree.c kernel/memobj.c kernel/pagecache.c
// sources: kernel/pagetree.c kernel/heap.c kernel/page.c kernel/uio.c kernel/aspace_large.c
// libs: -Wl,--wrap=page_alloc,--wrap=page_alloc_zero,--wrap=kmalloc,--wrap=kzalloc
/* Address spaces: the promises that a program notices. Random use: test_aspace_random.c. */
#include "tests/host/aspace_fixture.h"

/* ---- The tree -------------------------------------------------------------------------------- */

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

/* ---- Promises -------------------------------------------------------------------------------- */

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

/* ---- Fork ------------------------------------------------------------------------------------ */

static void test_fork_copies_what_is_written(void **state) {
  (void)state;
  size_t free = page_free_count(), heap = heap_used_bytes();
  struct aspace *parent = create(), *child, *grandchild;
  uintptr_t va = map_anon(parent, 4, RW);
  touch(parent, va, ARCH_WRITE)[0] = 'a';
  touch(parent, va + PAGE_SIZE, ARCH_WRITE)[0] = 'b';
  size_t before = page_free_count();
  assert_int_equal(aspace_fork(parent, &child), 0);
  assert_int_equal(aspace_fork(child, &grandchild), 0);
  assert_true(page_free_count() + 6 >= before); /* no page of it is copied */
  assert_ptr_equal(present(child, va), present(parent, va));
  assert_int_equal(aspace_resident_pages(child), 2);
  assert_int_equal(aspace_mapping_count(child), 1);
  touch(parent, va, ARCH_WRITE)[0] = 'p';
  touch(child, va + PAGE_SIZE, ARCH_WRITE)[0] = 'c';
  touch(grandchild, va + 2 * PAGE_SIZE, ARCH_WRITE)[0] = 'g';
  assert_int_equal(touch(parent, va, ARCH_READ)[0], 'p');
  assert_int_equal(touch(child, va, ARCH_READ)[0], 'a');
  assert_int_equal(touch(grandchild, va, ARCH_READ)[0], 'a');
  assert_int_equal(touch(parent, va + PAGE_SIZE, ARCH_READ)[0], 'b');
  assert_int_equal(touch(child, va + PAGE_SIZE, ARCH_READ)[0], 'c');
  assert_int_equal(touch(grandchild, va + PAGE_SIZE, ARCH_READ)[0], 'b');
  assert_int_equal(touch(parent, va + 2 * PAGE_SIZE, ARCH_READ)[0], 0);
  /* Who alone is left writes in place. */
  aspace_destroy(child);
  aspace_destroy(grandchild);
  char *page = present(parent, va + PAGE_SIZE);
  assert_ptr_equal(touch(parent, va + PAGE_SIZE, ARCH_WRITE), page);
  aspace_verify(parent);
  aspace_destroy(parent);
  assert_int_equal(heap_used_bytes(), heap);
  assert_in_range(page_free_count(), free - 4, free);
}

static void test_fork_keeps_protections_and_places(void **state) {
  (void)state;
  struct aspace *parent = create(), *child;
  uintptr_t va = map_anon(parent, 4, RW);
  touch(parent, va, ARCH_WRITE)[0] = 'x';
  touch(parent, va + PAGE_SIZE, ARCH_WRITE)[0] = 'g';
  assert_int_equal(aspace_protect(parent, va, PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
  assert_int_equal(aspace_protect(parent, va + PAGE_SIZE, PAGE_SIZE, 0), 0);
  assert_int_equal(aspace_fork(parent, &child), 0);
  assert_int_equal(touch(child, va, ARCH_EXEC)[0], 'x');
  assert_int_equal(aspace_fault(child, va, ARCH_WRITE), EFAULT);
  assert_int_equal(aspace_fault(child, va + PAGE_SIZE, ARCH_READ), EFAULT);
  assert_int_equal(aspace_protect(child, va + PAGE_SIZE, PAGE_SIZE, RW), 0);
  touch(child, va + PAGE_SIZE, ARCH_WRITE)[0] = 'c';
  assert_int_equal(aspace_protect(parent, va + PAGE_SIZE, PAGE_SIZE, RW), 0);
  assert_int_equal(touch(parent, va + PAGE_SIZE, ARCH_WRITE)[0], 'g');
  assert_int_equal(map_anon(child, 1, RW), map_anon(parent, 1, RW));
  /* Protecting does not make a shared page writable. */
  touch(parent, va + 2 * PAGE_SIZE, ARCH_WRITE)[0] = 's';
  struct aspace *other;
  assert_int_equal(aspace_fork(parent, &other), 0);
  assert_int_equal(aspace_protect(parent, va + 2 * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
  assert_int_equal(aspace_protect(parent, va + 2 * PAGE_SIZE, PAGE_SIZE, RW), 0);
  touch(parent, va + 2 * PAGE_SIZE, ARCH_WRITE)[0] = 'p';
  assert_int_equal(touch(other, va + 2 * PAGE_SIZE, ARCH_READ)[0], 's');
  aspace_verify(parent);
  aspace_verify(child);
  aspace_destroy(parent);
  aspace_destroy(child);
  aspace_destroy(other);
}

static void test_fork_shares_what_is_shared(void **state) {
  (void)state;
  struct aspace *parent = create(), *child;
  struct pagecache *pc;
  struct memobj *obj;
  uintptr_t va, private;
  uint64_t offset;
  assert_int_equal(pagecache_create_anonymous(&pc), 0);
  assert_int_equal(pagecache_resize(pc, 8 * PAGE_SIZE), 0);
  assert_int_equal(aspace_map(parent, &va, 4 * PAGE_SIZE, RW, RW, MAPPING_SHARED, &pc->obj,
                              2 * PAGE_SIZE, "shared"),
                   0);
  assert_int_equal(aspace_map(parent, &private, PAGE_SIZE, RW, RW, 0, &pc->obj, 0, "private"), 0);
  memobj_unref(&pc->obj);
  touch(parent, va, ARCH_WRITE)[0] = 'p';
  assert_int_equal(aspace_fork(parent, &child), 0);
  touch(child, va + PAGE_SIZE, ARCH_WRITE)[0] = 'c';
  assert_int_equal(touch(child, va, ARCH_READ)[0], 'p');
  assert_int_equal(touch(parent, va + PAGE_SIZE, ARCH_READ)[0], 'c');
  /* What a lock there is known by. */
  assert_true(aspace_shared_object(child, va + PAGE_SIZE + 12, &obj, &offset));
  assert_ptr_equal(obj, &pc->obj);
  assert_int_equal(offset, 3 * PAGE_SIZE + 12);
  assert_false(aspace_shared_object(child, private, &obj, &offset));
  assert_false(aspace_shared_object(child, va - 1, &obj, &offset) && obj != &pc->obj);
  assert_false(aspace_shared_object(child, va + 4 * PAGE_SIZE, &obj, &offset));
  aspace_destroy(parent);
  assert_int_equal(touch(child, va, ARCH_READ)[0], 'p');
  assert_int_equal(pagecache_resize(pc, 2 * PAGE_SIZE), 0);
  assert_int_equal(aspace_fault(child, va, ARCH_READ), ERANGE);
  aspace_destroy(child);
}

static void test_fork_without_memory_changes_nothing(void **state) {
  (void)state;
  struct aspace *parent = create(), *child = NULL;
  uintptr_t va = map_anon(parent, 8, RW), far = 0x10000000;
  assert_int_equal(aspace_map(parent, &far, 8 * PAGE_SIZE, RW, RWX, MAPPING_FIXED, NULL, 0, "far"),
                   0);
  size_t heap = heap_used_bytes();
  for (long n = 0;; n++) {
    for (uintptr_t i = 0; i < 8; i++) {
      touch(parent, va + i * PAGE_SIZE, ARCH_WRITE)[0] = (char)i;
      touch(parent, far + i * PAGE_SIZE, ARCH_WRITE)[0] = (char)-i;
    }
    fail_after = n;
    errno_t e = aspace_fork(parent, &child);
    fail_after = -1;
    if (e == 0)
      break;
    assert_int_equal(e, ENOMEM);
    assert_null(child);
    assert_int_equal(heap_used_bytes(), heap);
    aspace_verify(parent);
    assert_int_equal(touch(parent, va + PAGE_SIZE, ARCH_READ)[0], 1);
    assert_true(n < 30);
  }
  assert_int_equal(touch(child, far + PAGE_SIZE, ARCH_READ)[0], -1);
  aspace_destroy(child);
  aspace_destroy(parent);
}

/* A page that can't be referred to any more is copied at once. */
static void test_fork_of_a_page_with_all_references(void **state) {
  (void)state;
  struct aspace *parent = create(), *child;
  uintptr_t va = map_anon(parent, 1, RW);
  char *page = touch(parent, va, ARCH_WRITE);
  page[0] = 'm';
  while (page_ref(page))
    ;
  assert_int_equal(page_refs(page), PAGE_REFS_MAX);
  assert_int_equal(aspace_fork(parent, &child), 0);
  assert_ptr_not_equal(present(child, va), page);
  assert_int_equal(touch(child, va, ARCH_WRITE)[0], 'm');
  aspace_destroy(child);
  while (page_refs(page) > 1)
    page_unref(page);
  aspace_verify(parent);
  aspace_destroy(parent);
}

/* ---- The report ------------------------------------------------------------------------------ */

static void test_report_marks_the_place(void **state) {
  (void)state;
  struct aspace *as = create();
  struct memobj *obj;
  assert_int_equal(memobj_bytes_create(file_bytes, FILE_SIZE, &obj), 0);
  uintptr_t va = 0x10000000;
  assert_int_equal(aspace_map(as, &va, PAGE_SIZE, PROT_READ | PROT_EXEC, RWX, MAPPING_FIXED, NULL,
                              0, "program: text"),
                   0);
  va = 0x10004000;
  assert_int_equal(
      aspace_map(as, &va, 0x2000, RW, RWX, MAPPING_FIXED | MAPPING_SHARED, obj, 0, "data"), 0);
  memobj_unref(obj);
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
      cmocka_unit_test(test_fork_copies_what_is_written),
      cmocka_unit_test(test_fork_keeps_protections_and_places),
      cmocka_unit_test(test_fork_shares_what_is_shared),
      cmocka_unit_test(test_fork_without_memory_changes_nothing),
      cmocka_unit_test(test_fork_of_a_page_with_all_references),
      cmocka_unit_test(test_report_marks_the_place),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
