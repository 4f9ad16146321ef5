// sources: kernel/rights.c
/*
 * Rights: the sets by type, to the bit, and what opening asks of a directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/rights.h"

static void test_maximum(void **state) {
  const uint64_t all = 0x815ffff7ff, ever = 0x1ffffffffff;
  static const uint64_t a = 0x815ffff7ff, e = 0x1ffffffffff;
  static const struct {
    filetype_t type;
    uint64_t base, inheriting, superset_base, superset_inheriting;
  } table[] = {
      {FILETYPE_DIRECTORY, 0x13eff698, 0x11ffff7ff, 0x1413effe98, 0x151fffffff},
      {FILETYPE_REGULAR_FILE, 0x11c3801ff, 0, 0x11c3801ff, 0},
      {FILETYPE_SHARED_MEMORY, 0xc180042, 0, 0xc180042, 0},
      {FILETYPE_SOCKET_STREAM, 0x801008004a, a, 0x1ea1008004a, e},
      {FILETYPE_SOCKET_DGRAM, 0x801008004a, a, 0x1ea1008004a, e},
      {FILETYPE_CHARACTER_DEVICE, 0x1008004a, 0, 0x1008004a, 0},
      {FILETYPE_BLOCK_DEVICE, a, a, e, e},
      {FILETYPE_PROCESS, 0x40080000, 0, 0x40080000, 0},
      {FILETYPE_POLL, 0xa0080000, 0, 0xa0080000, 0},
      {FILETYPE_SYMBOLIC_LINK, 0, 0, 0, 0},
      {FILETYPE_UNKNOWN, 0, 0, 0, 0},
  };
  assert_int_equal(RIGHTS_ALL_CURRENT, all);
  assert_int_equal(RIGHTS_ALL_EVER, ever);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    rights_t base = 1, inheriting = 1;
    rights_max(table[i].type, false, &base, &inheriting);
    assert_int_equal(base, table[i].base);
    assert_int_equal(inheriting, table[i].inheriting);
    rights_max(table[i].type, true, &base, &inheriting);
    assert_int_equal(base, table[i].superset_base);
    assert_int_equal(inheriting, table[i].superset_inheriting);
  }
}

static void test_open(void **state) {
  enum { NONE, READ, WRITE, BOTH };
  static const struct {
    oflags_t oflags;
    fdflags_t flags;
    rights_t base, inheriting;
    rights_t need_base, need_inheriting;
    int mode;
  } table[] = {
      {0, 0, 0, 0, 0x4000, 0, NONE},
      {0, 0, RIGHT_FD_READ, 0, 0x4000, 0x2, READ},
      {0, 0, RIGHT_FILE_READDIR, 0, 0x4000, 0x8000, READ},
      {0, 0, RIGHT_MEM_MAP_EXEC, 0, 0x4000, 0x8000000, READ},
      {0, 0, RIGHT_MEM_MAP, 0x40, 0x4000, 0x4000040, NONE}, /* inheriting asks for no access */
      {0, 0, RIGHT_FD_WRITE, 0, 0x4000, 0x40 | 0x4, WRITE},
      {0, 0, RIGHT_FD_DATASYNC, 0, 0x4000, 0x1 | 0x4, WRITE},
      {0, 0, RIGHT_FILE_ALLOCATE, 0, 0x4000, 0x100 | 0x4, WRITE},
      {0, 0, RIGHT_FILE_STAT_FPUT_SIZE, 0, 0x4000, 0x100000 | 0x4, WRITE},
      {0, FDFLAG_APPEND, RIGHT_FD_WRITE, 0, 0x4000, 0x40, WRITE},
      {O_TRUNC, 0, RIGHT_FD_WRITE, 0, 0x4000, 0x40 | 0x100000, WRITE},
      {O_TRUNC, 0, RIGHT_FD_READ, 0, 0x4000, 0x2 | 0x100000, READ},
      {O_CREAT, 0, RIGHT_FD_READ | RIGHT_FD_WRITE, 0, 0x4400, 0x42 | 0x4, BOTH},
      {O_CREAT | O_EXCL, 0, 0, 0, 0x4400, 0, NONE},
      {O_DIRECTORY, 0, RIGHT_FILE_READDIR, 0x123, 0x4000, 0x8123, READ},
      {0, FDFLAG_DSYNC, RIGHT_FD_READ, 0, 0x4000, 0x2 | 0x1, READ},
      {0, FDFLAG_SYNC, RIGHT_FD_READ, 0, 0x4000, 0x2 | 0x10, READ},
      {0, FDFLAG_RSYNC, RIGHT_FD_READ, 0, 0x4000, 0x2 | 0x10, READ},
      {0, FDFLAG_NONBLOCK, RIGHT_FD_READ, 0, 0x4000, 0x2, READ},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    struct fdstat request = {FILETYPE_SOCKET_STREAM, table[i].flags, table[i].base,
                             table[i].inheriting};
    struct rights_open out;
    rights_for_open(table[i].oflags, &request, &out);
    assert_int_equal(out.base, table[i].need_base);
    assert_int_equal(out.inheriting, table[i].need_inheriting);
    assert_int_equal(out.read, (table[i].mode & READ) != 0);
    assert_int_equal(out.write, (table[i].mode & WRITE) != 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_maximum),
      cmocka_unit_test(test_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
