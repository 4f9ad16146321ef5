// sources: kernel/cmdline.c
/*
 * The command line: words, values, quotes, repetition, and what is refused.
 */
#include "tests/host/world.h"

#include "boot/bootinfo.h"
#include "kernel/cmdline.h"

static void test_words(void **state) {
  cmdline_init("  ip=10.0.2.15/24\tdebug gw=  log=a=b name=\"two words\" \"q=x y\"z e=\"\"\n");
  assert_string_equal(cmdline_get("ip"), "10.0.2.15/24");
  assert_string_equal(cmdline_get("debug"), "");
  assert_string_equal(cmdline_get("gw"), "");
  assert_string_equal(cmdline_get("log"), "a=b");
  assert_string_equal(cmdline_get("name"), "two words");
  assert_string_equal(cmdline_get("q"), "x yz");
  assert_string_equal(cmdline_get("e"), "");
  assert_null(cmdline_get("i"));
  assert_null(cmdline_get("ipp"));
  assert_null(cmdline_get(""));
  cmdline_check_unknown();
}

static void test_empty(void **state) {
  cmdline_init("");
  assert_null(cmdline_get("ip"));
  cmdline_check_unknown();
  cmdline_init(" \t ");
  cmdline_check_unknown();
}

static void test_repeated(void **state) {
  cmdline_init("d=1 ip=a d=2 ip=b d=3");
  assert_string_equal(cmdline_get_nth("d", 0), "1");
  assert_string_equal(cmdline_get_nth("d", 1), "2");
  assert_string_equal(cmdline_get_nth("d", 2), "3");
  assert_null(cmdline_get_nth("d", 3));
  assert_ends(cmdline_get("ip"), "command line: `ip` is given more than once");
}

static void test_refused(void **state) {
  cmdline_init("ip=x gatway=10.0.2.2 other");
  cmdline_get("ip");
  assert_ends(cmdline_check_unknown(), "command line: nothing here is called `gatway`");
  assert_ends(cmdline_init("a b=\"c d"), "command line: the quote in `b=\"c d` is not closed");
  assert_ends(cmdline_init("a =b"), "command line: `=b` has no name before its value");
  assert_ends(cmdline_init("a \"\" b"), "command line: `\"\"` has no name before its value");
}

static void test_sizes(void **state) {
  char line[BOOT_CMDLINE_MAX + 1];
  memset(line, 'x', sizeof line);
  line[BOOT_CMDLINE_MAX] = '\0';
  assert_ends(cmdline_init(line), "command line: longer than 2047 bytes");
  line[BOOT_CMDLINE_MAX - 1] = '\0';
  line[1] = '=';
  cmdline_init(line);
  assert_int_equal(strlen(cmdline_get("x")), BOOT_CMDLINE_MAX - 3);
  for (size_t i = 0; i < BOOT_CMDLINE_MAX; i++)
    line[i] = i % 2 ? ' ' : 'a';
  line[2 * 64] = '\0';
  cmdline_init(line);
  assert_non_null(cmdline_get_nth("a", 63));
  line[2 * 64] = 'a';
  line[2 * 64 + 1] = '\0';
  assert_ends(cmdline_init(line), "command line: more than 64 words");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words),   cmocka_unit_test(test_empty), cmocka_unit_test(test_repeated),
      cmocka_unit_test(test_refused), cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
