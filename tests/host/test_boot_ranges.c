// sources: boot/ranges.c
/*
 * The list of usable memory: what loaders' maps of any kind become.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "boot/ranges.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct bootinfo boot;

static int reset(void **state) {
  memset(&boot, 0, sizeof boot);
  return 0;
}

/* The list is exactly the n given ranges (start, end). */
static void expect(size_t n, const uint64_t (*range)[2]) {
  assert_int_equal(boot.ram_count, n);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(boot.ram[i].start_pa, range[i][0]);
    assert_int_equal(boot.ram[i].start_pa + boot.ram[i].size_bytes, range[i][1]);
  }
}
#define EXPECT(...) \
  expect(sizeof((uint64_t[][2]){__VA_ARGS__}) / 16, (const uint64_t[][2]){__VA_ARGS__})

static void test_pages_are_whole(void **state) {
  boot_ranges_add(&boot, 0x1001, 0x2fff);
  EXPECT({0x2000, 0x4000});
  boot_ranges_add(&boot, 0x9fc00, 0x3ff);
  boot_ranges_add(&boot, 0x8000, 0);
  boot_ranges_add(&boot, 0x8001, 0x1000);
  EXPECT({0x2000, 0x4000});
}

static void test_unsorted_and_overlapping(void **state) {
  boot_ranges_add(&boot, 0x100000000, 0x40000000);
  boot_ranges_add(&boot, 0x100000, 0x1000000);
  boot_ranges_add(&boot, 0, 0x9f000);
  EXPECT({0, 0x9f000}, {0x100000, 0x1100000}, {0x100000000, 0x140000000});
  boot_ranges_add(&boot, 0x1100000, 0x1000); /* touches */
  boot_ranges_add(&boot, 0x90000, 0x80000);  /* bridges a gap */
  EXPECT({0, 0x1101000}, {0x100000000, 0x140000000});
  boot_ranges_add(&boot, 0x2000, 0x1000); /* inside */
  EXPECT({0, 0x1101000}, {0x100000000, 0x140000000});
}

static void test_removal(void **state) {
  boot_ranges_add(&boot, 0, 0x100000);
  boot_ranges_remove(&boot, 0, 0x1000);
  boot_ranges_remove(&boot, 0x9fc00, 0x60400); /* every page it touches */
  EXPECT({0x1000, 0x9f000});
  boot_ranges_remove(&boot, 0x20000, 0x1000);
  EXPECT({0x1000, 0x20000}, {0x21000, 0x9f000});
  boot_ranges_remove(&boot, 0x1f000, 0x3000); /* the end of one, the start of the next */
  EXPECT({0x1000, 0x1f000}, {0x22000, 0x9f000});
  boot_ranges_remove(&boot, 0x5000, 0);
  EXPECT({0x1000, 0x1f000}, {0x22000, 0x9f000});
  boot_ranges_remove(&boot, 0, 0x1f000);
  EXPECT({0x22000, 0x9f000});
  boot_ranges_remove(&boot, 0, UINT64_MAX);
  assert_int_equal(boot.ram_count, 0);
}

static void test_end_of_addresses(void **state) {
  boot_ranges_add(&boot, 0xfffffffffffff000, 0x2000);
  assert_int_equal(boot.ram_count, 0);
  boot_ranges_add(&boot, 0xffffffffff000000, UINT64_MAX);
  EXPECT({0xffffffffff000000, 0xfffffffffffff000});
  boot_ranges_remove(&boot, 0xfffffffffff00000, UINT64_MAX);
  EXPECT({0xffffffffff000000, 0xfffffffffff00000});
}

static void test_full_list(void **state) {
  for (uint64_t i = 0; i < BOOT_RANGES_MAX; i++)
    boot_ranges_add(&boot, i * 0x10000, 0x4000);
  assert_int_equal(boot.ram_count, BOOT_RANGES_MAX);
  boot_ranges_add(&boot, 0x8000, 0x1000); /* no room: left out, nothing else harmed */
  assert_int_equal(boot.ram_count, BOOT_RANGES_MAX);
  boot_ranges_remove(&boot, 0x1000, 0x1000); /* the upper piece of the split is left out */
  assert_int_equal(boot.ram_count, BOOT_RANGES_MAX);
  assert_int_equal(boot.ram[0].size_bytes, 0x1000);
  assert_int_equal(boot.ram[1].start_pa, 0x10000);
  assert_int_equal(boot.ram[BOOT_RANGES_MAX - 1].start_pa, (BOOT_RANGES_MAX - 1) * 0x10000);
}

/* Against a bitmap of pages. */
static void test_random(void **state) {
  enum { PAGES = 256 };
  srand(1);
  for (int round = 0; round < 200; round++) {
    uint8_t usable[PAGES] = {0};
    reset(state);
    for (int step = 0; step < 20; step++) {
      unsigned start = (unsigned)rand() % PAGES, n = (unsigned)rand() % (PAGES - start) / 4;
      bool add = rand() % 3 != 0;
      (add ? boot_ranges_add : boot_ranges_remove)(&boot, start * 4096, n * 4096);
      memset(usable + start, add, n);
    }
    uint8_t listed[PAGES] = {0};
    for (size_t i = 0; i < boot.ram_count; i++) {
      memset(listed + boot.ram[i].start_pa / 4096, 1, boot.ram[i].size_bytes / 4096);
      assert_true(boot.ram[i].size_bytes > 0);
      if (i > 0)
        assert_true(boot.ram[i - 1].start_pa + boot.ram[i - 1].size_bytes < boot.ram[i].start_pa);
    }
    assert_memory_equal(usable, listed, PAGES);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_pages_are_whole, reset),
      cmocka_unit_test_setup(test_unsorted_and_overlapping, reset),
      cmocka_unit_test_setup(test_removal, reset),
      cmocka_unit_test_setup(test_end_of_addresses, reset),
      cmocka_unit_test_setup(test_full_list, reset),
      cmocka_unit_test_setup(test_random, reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
