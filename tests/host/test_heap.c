// sources: kernel/heap.c kernel/page.c
// cflags: -DDEBUG
/* The kernel heap: blocks are whole and separate, freed memory returns, misuse is noticed. */
#include "tests/host/ram.h"
#include "kernel/heap.h"

/* Once: the heap keeps slabs from one test to the next. */
static int setup(void **state) {
  (void)state;
  ram_init(3000);
  return 0;
}

static void test_every_size(void **state) {
  (void)state;
  for (size_t size = 0; size <= 3 * PAGE_SIZE; size++) {
    char *p = kmalloc(size);
    assert_non_null(p);
    size_t usable = kmalloc_size(p);
    assert_true(usable >= size && usable >= 1);
    assert_int_equal((uintptr_t)p % 16, 0);
    if (usable <= PAGE_SIZE)
      assert_int_equal((uintptr_t)p / PAGE_SIZE, ((uintptr_t)p + usable - 1) / PAGE_SIZE);
    if (size >= 64 && size <= 2032) /* at most a third more than asked for, or 1024 → 1344 → 2032 */
      assert_true(usable * 2 <= size * 3 + 64);
    memset(p, 0x5a, usable);
    heap_check();
    kfree(p);
  }
  assert_int_equal(heap_used_bytes(), 0);
}

static void test_large_blocks(void **state) {
  (void)state;
  size_t free = page_free_count();
  char *p = kmalloc(PAGE_SIZE << PAGE_ORDER_MAX);
  assert_non_null(p);
  assert_int_equal(kmalloc_size(p), PAGE_SIZE << PAGE_ORDER_MAX);
  assert_null(kmalloc((PAGE_SIZE << PAGE_ORDER_MAX) + 1));
  assert_null(kmalloc(SIZE_MAX));
  assert_null(kmalloc(SIZE_MAX - 8));
  kfree(p);
  kfree(NULL);
  assert_int_equal(page_free_count(), free);
}

struct live {
  uint8_t *p;
  size_t size;
};

static void live_fill(struct live *l, size_t tag) {
  for (size_t i = 0; i < l->size; i++)
    l->p[i] = (uint8_t)(tag * 31 + i);
}

static void live_verify(const struct live *l, size_t tag) {
  for (size_t i = 0; i < l->size; i++)
    if (l->p[i] != (uint8_t)(tag * 31 + i))
      fail_msg("block %zu of %zu bytes was overwritten at %zu", tag, l->size, i);
}

static size_t random_size(void) {
  switch (ram_random(4)) {
    case 0:
      return ram_random(64);
    case 1:
      return ram_random(600);
    case 2:
      return ram_random(2100);
    default:
      return ram_random(100) == 0 ? ram_random(50000) : ram_random(300);
  }
}

static void test_random_use(void **state) {
  (void)state;
  size_t free_before = page_free_count();
  static struct live live[2000];
  memset(live, 0, sizeof live);
  for (int i = 0; i < 100000; i++) {
    size_t k = ram_random(2000);
    struct live *l = &live[k];
    if (l->p != NULL) {
      live_verify(l, k);
      kfree(l->p);
      l->p = NULL;
    } else {
      l->size = random_size();
      l->p = ram_random(2) ? kmalloc(l->size) : kzalloc(l->size);
      assert_non_null(l->p);
      live_fill(l, k);
    }
    if (i % 10000 == 0) {
      heap_check();
      page_check();
    }
  }
  size_t wanted = 0;
  for (size_t k = 0; k < 2000; k++)
    if (live[k].p != NULL)
      wanted += kmalloc_size(live[k].p);
  assert_int_equal(heap_used_bytes(), wanted);
  for (size_t k = 0; k < 2000; k++)
    kfree(live[k].p);
  heap_check();
  assert_int_equal(heap_used_bytes(), 0);
  /* Only one empty slab for each of the 23 classes stays. */
  assert_in_range(page_free_count(), free_before - 23, free_before);
}

static void test_use_swinging_across_a_slab_keeps_its_page(void **state) {
  (void)state;
  void *p[9];
  for (int i = 0; i < 9; i++) /* 8 of them fill a slab of 496 */
    p[i] = kmalloc(496);
  size_t free = page_free_count();
  for (int i = 0; i < 5; i++) {
    kfree(p[8]);
    assert_int_equal(page_free_count(), free);
    p[8] = kmalloc(496);
    assert_int_equal(page_free_count(), free);
  }
  for (int i = 0; i < 9; i++)
    kfree(p[i]);
  assert_int_equal(page_free_count(), free + 1);
  heap_check();
}

static void test_exhaustion(void **state) {
  (void)state;
  size_t n = 0, held = 0;
  static void *p[40 * 256], *pages[3000];
  while (page_free_count() > 20)
    pages[held++] = page_alloc(0);
  while ((p[n] = kmalloc(100)) != NULL)
    n++;
  assert_in_range(n, 20 * 36, 21 * 36); /* and the class's spare slab */
  assert_null(kzalloc(100));
  assert_null(kmalloc(5000));
  kfree(p[5]);
  assert_ptr_equal(kmalloc(100), p[5]);
  for (size_t i = 0; i < n; i++)
    kfree(p[i]);
  while (held > 0)
    page_free(pages[--held], 0);
  heap_check();
  assert_int_equal(heap_used_bytes(), 0);
}

static void test_zeroed(void **state) {
  (void)state;
  static const char zero[2000];
  for (int i = 0; i < 10; i++) {
    char *p = kmalloc(2000);
    memset(p, 0xff, 2000);
    kfree(p);
    p = kzalloc(2000);
    assert_memory_equal(p, zero, 2000);
    kfree(p);
  }
}

static void test_misuse_panics(void **state) {
  (void)state;
  char *p = kmalloc(40), *q = kmalloc(40), *big = kmalloc(9000);
  assert_panics(kfree(p + 8));
  kfree(p);
  assert_panics(kfree(p));
  p[20] = 1; /* use after free: noticed at the next allocation */
  assert_panics(kmalloc(40));
  p[20] = (char)0xdb;
  kfree(big);
  assert_panics(kfree(big));
  kfree(q);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_size),
      cmocka_unit_test(test_large_blocks),
      cmocka_unit_test(test_random_use),
      cmocka_unit_test(test_use_swinging_across_a_slab_keeps_its_page),
      cmocka_unit_test(test_exhaustion),
      cmocka_unit_test(test_zeroed),
      cmocka_unit_test(test_misuse_panics),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
