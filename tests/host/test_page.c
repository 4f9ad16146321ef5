// sources: kernel/page.c
/* The page allocator: nothing overlaps, nothing is lost, misuse is noticed, set-up is cheap. */
#include "tests/host/ram.h"

static char owner[RAM_MAX / PAGE_SIZE]; /* per page: in RAM and free 1, handed out 2, else 0 */

static size_t page_index(const void *p) {
  return (size_t)((const char *)p - ram_base) / PAGE_SIZE;
}

static void owner_init(void) {
  memset(owner, 0, sizeof owner);
  for (size_t i = 0; i < ram_boot.ram_count; i++)
    memset(owner + page_index((void *)ram_boot.ram[i].start_pa), 1,
           ram_boot.ram[i].size_bytes / PAGE_SIZE);
}

static void owner_change(void *p, unsigned order, char from, char to) {
  size_t first = page_index(p);
  for (size_t i = first; i < first + (1ul << order); i++) {
    assert_int_equal(owner[i], from);
    owner[i] = to;
  }
}

static void *take(unsigned order) {
  void *p = page_alloc(order);
  if (p != NULL) {
    assert_int_equal((uintptr_t)p % (PAGE_SIZE << order), 0);
    owner_change(p, order, 1, 2);
  }
  return p;
}

static void give(void *p, unsigned order) {
  owner_change(p, order, 2, 1);
  page_free(p, order);
}

static void test_small_machine_overhead(void **state) {
  (void)state;
  ram_init(700);
  assert_int_equal(page_total(), 699);
  assert_int_equal(page_free_count(), 699);
  ram_init(1024);
  assert_int_equal(page_total(), 1023);
}

static void test_all_memory_can_be_had_and_comes_back(void **state) {
  (void)state;
  ram_reset();
  ram_add(1, 158); /* like a PC's low memory */
  ram_add(300, 3000);
  ram_add(3500, 1);
  ram_add(3502, 2);
  page_init(&ram_boot);
  owner_init();
  size_t total = page_total();
  assert_int_equal(total, 158 + 3000 + 1 + 2 - 4);
  static void *pages[4000];
  for (int round = 0; round < 3; round++) {
    size_t n = 0;
    while ((pages[n] = take(0)) != NULL)
      memset(pages[n++], 0xee, PAGE_SIZE);
    assert_int_equal(n, total);
    assert_int_equal(page_free_count(), 0);
    page_check();
    for (size_t i = 0; i < n; i++) { /* in another order each time */
      size_t j = i + ram_random((uint32_t)(n - i));
      void *p = pages[j];
      pages[j] = pages[i];
      give(p, 0);
    }
    assert_int_equal(page_free_count(), total);
    page_check();
  }
  /* Merged again: [300, 3300) holds one aligned block of 1024 pages at 1024 and one at 2048. */
  void *a = take(10), *b = take(10);
  assert_non_null(a);
  assert_non_null(b);
  assert_null(take(10));
  give(a, 10);
  give(b, 10);
  page_check();
}

static void test_random_blocks_never_overlap(void **state) {
  (void)state;
  ram_reset();
  ram_add(3, 5000);
  ram_add(5010, 777);
  ram_add(8192, 4096);
  page_init(&ram_boot);
  owner_init();
  static struct {
    void *p;
    unsigned order;
  } live[600];
  size_t total = page_total();
  for (int i = 0; i < 60000; i++) {
    size_t k = ram_random(600);
    if (live[k].p != NULL) {
      for (size_t n = 0; n < 1ul << live[k].order; n++)
        assert_int_equal(((size_t *)live[k].p)[n * PAGE_SIZE / sizeof(size_t)], k);
      give(live[k].p, live[k].order);
      live[k].p = NULL;
    } else {
      unsigned order = ram_random(100) < 90 ? ram_random(4) : ram_random(11);
      live[k].order = order;
      live[k].p = take(order);
      if (live[k].p == NULL)
        continue;
      assert_int_equal(page_order(live[k].p), order);
      for (size_t n = 0; n < 1ul << order; n++)
        ((size_t *)live[k].p)[n * PAGE_SIZE / sizeof(size_t)] = k;
    }
    if (i % 1000 == 0)
      page_check();
  }
  for (size_t k = 0; k < 600; k++)
    if (live[k].p != NULL)
      give(live[k].p, live[k].order);
  assert_int_equal(page_free_count(), total);
  page_check();
  size_t blocks = 0;
  while (page_alloc(10) != NULL)
    blocks++;
  assert_int_equal(blocks, 4 + 3); /* whole ones in 3…5003; 8192…12288 less the records */
}

static void test_misuse_panics(void **state) {
  (void)state;
  ram_init(2000);
  char *p = page_alloc(2), *q = page_alloc(0), *r = page_alloc(1);
  assert_panics(page_free(p, 1));
  assert_panics(page_free(q, 1));
  assert_panics(page_free(q + 16, 0));
  assert_panics(page_free(ram_base + PAGE_SIZE * 100000, 0));
  assert_panics((void)!page_ref(p));
  page_free(r, 1);
  assert_panics(page_free(r, 1));
  page_free(q, 0);
  assert_panics(page_free(q, 0));
  assert_panics(page_unref(q));
  page_free(p, 2);
  assert_panics(page_free(p, 2));
  assert_panics(page_order(p));
  page_check();
}

static void test_split_blocks(void **state) {
  (void)state;
  ram_init(3000);
  size_t free = page_free_count();
  char *p = page_alloc_split(9), *q = page_alloc_split(9);
  assert_int_equal((uintptr_t)p % (512 * PAGE_SIZE), 0);
  assert_int_equal(page_free_count(), free - 1024);
  for (size_t i = 0; i < 512; i++)
    assert_int_equal(page_refs(p + i * PAGE_SIZE), 1);
  /* Each is a page like any other… */
  assert_true(page_ref(p + 7 * PAGE_SIZE));
  assert_false(page_split_unshared(p, 9));
  assert_panics(page_free_split(p, 9));
  for (size_t i = 0; i < 512; i++)
    page_unref(p + i * PAGE_SIZE);
  assert_int_equal(page_free_count(), free - 513);
  page_unref(p + 7 * PAGE_SIZE);
  page_check();
  /* …and all of them can go at once. */
  assert_true(page_split_unshared(q, 9));
  page_free_split(q, 9);
  assert_panics(page_unref(q));
  assert_panics(page_unref(q + 3 * PAGE_SIZE));
  assert_int_equal(page_free_count(), free);
  assert_null(page_alloc_split(11));
  page_check();
}

static void test_references(void **state) {
  (void)state;
  ram_init(100);
  size_t free = page_free_count();
  void *p = page_alloc_zero(0);
  assert_int_equal(page_refs(p), 1);
  assert_true(page_ref(p));
  assert_true(page_ref(p));
  assert_int_equal(page_refs(p), 3);
  assert_panics(page_free(p, 0)); /* shared */
  page_unref(p);
  page_unref(p);
  assert_int_equal(page_free_count(), free - 1);
  page_unref(p);
  assert_int_equal(page_free_count(), free);
  assert_true(page_managed(p));
  assert_false(page_managed(&free));
}

static void test_zeroed(void **state) {
  (void)state;
  ram_init(64);
  memset(ram_base + PAGE_SIZE, 0xff, 60 * PAGE_SIZE); /* free memory holds rubbish… */
  page_init(&ram_boot);
  static const char zero[4 * PAGE_SIZE];
  assert_memory_equal(page_alloc_zero(2), zero, sizeof zero);
  assert_null(page_alloc(11));
}

/* 64 GiB with a hole, none of which is there until it is touched. */
static void test_large_machine_is_set_up_cheaply(void **state) {
  (void)state;
  const size_t gib = 1ul << 30, size = 65 * gib;
  char *base = host_reserve(size);
  struct bootinfo boot = {.ram_count = 3};
  boot.ram[0] = (struct boot_range){(uintptr_t)base + PAGE_SIZE, 158 * PAGE_SIZE};
  boot.ram[1] = (struct boot_range){(uintptr_t)base + (2ul << 20) + 5 * PAGE_SIZE,
                                    3 * gib - (2ul << 20) - 5 * PAGE_SIZE};
  boot.ram[2] = (struct boot_range){(uintptr_t)base + 4 * gib, 61 * gib};
  page_init(&boot);
  unsigned char *resident = malloc(size / PAGE_SIZE);
  assert_non_null(resident);
  assert_int_equal(mincore(base, size, resident), 0);
  size_t touched = 0;
  for (size_t i = 0; i < size / PAGE_SIZE; i++)
    touched += resident[i] & 1;
  free(resident);
  assert_in_range(touched, 1, 60);
  assert_in_range(page_total(), 64 * gib / PAGE_SIZE / 1000 * 998, 64 * gib / PAGE_SIZE);
  void *blocks[100];
  for (int i = 0; i < 100; i++)
    assert_non_null(blocks[i] = page_alloc(10));
  for (int i = 0; i < 100; i++)
    page_free(blocks[i], 10);
  page_check();
  munmap(base, size);
}

static void test_no_memory_is_told(void **state) {
  (void)state;
  ram_reset();
  assert_panics(page_init(&ram_boot));
  assert_string_equal(panic_text, "the loader tells of no memory");
  ram_add(1, 1);
  assert_panics(page_init(&ram_boot));
  assert_string_equal(panic_text, "too little memory: 4 KiB");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_machine_overhead),
      cmocka_unit_test(test_all_memory_can_be_had_and_comes_back),
      cmocka_unit_test(test_random_blocks_never_overlap),
      cmocka_unit_test(test_misuse_panics),
      cmocka_unit_test(test_split_blocks),
      cmocka_unit_test(test_references),
      cmocka_unit_test(test_zeroed),
      cmocka_unit_test(test_large_machine_is_set_up_cheaply),
      cmocka_unit_test(test_no_memory_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
