// sources: kernel/elf_era.c kernel/elf_parse.c
/* Of which era a program is: names in its read-only bytes, and traps in its code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/elf_era.h"
#include "tests/host/elf_fixture.h"

static struct elf_fixture elf;

static bool is_retired(unsigned machine) {
  struct elf_memory file;
  struct elf_image image;
  const char *why;
  elf_memory_init(&file, elf.bytes, elf.size);
  assert_true(elf_parse(&file.file, machine, &image, &why));
  return elf_is_retired(&file.file, &image, machine);
}

static void begin(void) {
  fixture_program(&elf, ELF_MACHINE_X86_64);
}

/* With these bytes at the offset. */
static bool with(size_t offset, const void *bytes, size_t n) {
  begin();
  memcpy(elf.bytes + offset, bytes, n);
  return is_retired(ELF_MACHINE_X86_64);
}

#define WITH(offset, text) with(offset, text, sizeof text) /* its NUL, too */
#define CONSTANTS 0x300
#define CODE 0x1080
#define DATA 0x2080

/* ---- Names ----------------------------------------------------------------------------------- */

static void test_names(void **state) {
  (void)state;
  static const char *const names[] = {"poll_fd",     "mem_lock",      "mem_unlock",
                                      "sock_accept", "sock_bind",     "sock_connect",
                                      "sock_listen", "sock_stat_get", "thread_tcb_set"};
  begin();
  assert_false(is_retired(ELF_MACHINE_X86_64));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    for (size_t at = CONSTANTS; at < CONSTANTS + 20; at++) { /* wherever it begins */
      assert_true(with(at, names[i], strlen(names[i]) + 1));
      char full[40] = "cloudabi_sys_";
      strcat(full, names[i]);
      assert_true(with(at, full, strlen(full) + 1));
    }
  }
  assert_true(WITH(CODE, "poll_fd")); /* constants may lie among the code */
  assert_false(WITH(DATA, "poll_fd"));
}

static void test_what_is_no_name(void **state) {
  (void)state;
  assert_false(WITH(CONSTANTS, "poll_fd_"));
  assert_false(WITH(CONSTANTS, "_poll_fd"));
  assert_false(WITH(CONSTANTS, "poll_fdx"));
  assert_false(WITH(CONSTANTS, "poll"));
  assert_false(WITH(CONSTANTS, "poll_fd()"));
  assert_false(WITH(CONSTANTS, "cloudabi_sys_sock_recv"));
  assert_false(WITH(CONSTANTS, "posix_sys_poll_fd"));
  assert_false(with(CONSTANTS, "poll_fd\n", 8));
}

static void test_among_others(void **state) {
  (void)state;
  static const char list[] = "proc_raise\0random_get\0sock_accept\0sock_recv\0thread_yield\0";
  static const char today[] = "proc_raise\0random_get\0sock_recv\0sock_send\0thread_yield\0";
  assert_true(with(CONSTANTS, list, sizeof list));
  assert_false(with(CONSTANTS, today, sizeof today));
}

/* Words and segments end where they end. */
static void test_edges(void **state) {
  (void)state;
  assert_true(with(0x400 - 8, "poll_fd", 8));
  assert_false(with(0x400 - 7, "poll_fd", 8)); /* its NUL is not the segment's */
  assert_true(with(0x1000, "poll_fd", 8));
  begin();
  memset(elf.bytes + 0x200, 'a', 0x200); /* one long word, to the end */
  assert_false(is_retired(ELF_MACHINE_X86_64));
}

/* The file is read in pieces of 512 bytes: a name may lie anywhere. */
static void test_pieces(void **state) {
  (void)state;
  static const char longest[] = "cloudabi_sys_thread_tcb_set";
  for (size_t at = 0x300 - 100; at + sizeof longest <= 0x400; at++) {
    assert_true(with(at, longest, sizeof longest));
    begin();
    elf.bytes[at - 1] = 'x'; /* the name is another then, also where it begins a piece */
    memcpy(elf.bytes + at, longest + 13, sizeof longest - 13);
    assert_false(is_retired(ELF_MACHINE_X86_64));
  }
}

/* What can't be read is not of another time. */
static bool no_read(struct elf_file *file, uint64_t offset, void *to, size_t n) {
  return false;
}

static void test_unreadable(void **state) {
  (void)state;
  struct elf_memory memory;
  struct elf_image image;
  const char *why;
  begin();
  memcpy(elf.bytes + CONSTANTS, "poll_fd", 8);
  elf_memory_init(&memory, elf.bytes, elf.size);
  assert_true(elf_parse(&memory.file, ELF_MACHINE_X86_64, &image, &why));
  memory.file.read = no_read;
  assert_false(elf_is_retired(&memory.file, &image, ELF_MACHINE_X86_64));
  memory.file.read = NULL;
  image.segments[0].offset = elf.size; /* it has become shorter */
  image.segment_count = 1;
  assert_false(elf_is_retired(&memory.file, &image, ELF_MACHINE_X86_64));
}

/* ---- Traps ----------------------------------------------------------------------------------- */

static void test_x86_traps(void **state) {
  (void)state;
  static const uint8_t trap[] = {0xb8, 3, 0, 0, 0, 0x0f, 0x05, 0x72, 1};
  static const uint8_t number[] = {0x48, 0x8d, 0x05, 0x0f, 0x05, 0, 0};
  for (size_t at = CODE; at < CODE + 8; at++)
    assert_true(with(at, trap, sizeof trap));
  assert_false(with(CONSTANTS, trap, sizeof trap));
  assert_false(with(DATA, trap, sizeof trap));
  assert_false(with(CODE, number, sizeof number)); /* lea 0x50f(%rip), %rax */
  assert_true(with(0x1100 - 2, "\x0f\x05", 2));    /* the last instruction */
  assert_false(with(0x1100 - 1, "\x0f\x05", 2));
}

/* Who has the names of all calls takes them from the vDSO. */
static void test_chance(void **state) {
  (void)state;
  begin();
  memcpy(elf.bytes + CODE, "\x0f\x05\xc3", 3);
  assert_true(is_retired(ELF_MACHINE_X86_64));
  memcpy(elf.bytes + CONSTANTS, "thread_yield", 13);
  assert_false(is_retired(ELF_MACHINE_X86_64));
  memcpy(elf.bytes + CONSTANTS + 20, "poll_fd", 8); /* of the time between */
  assert_true(is_retired(ELF_MACHINE_X86_64));
}

static void test_a64_traps(void **state) {
  (void)state;
  static const uint8_t trap[] = {1, 0, 0, 0xd4};
  fixture_program(&elf, ELF_MACHINE_AARCH64);
  assert_false(is_retired(ELF_MACHINE_AARCH64));
  memcpy(elf.bytes + CODE + 2, trap, 4); /* no instruction */
  assert_false(is_retired(ELF_MACHINE_AARCH64));
  fixture_program(&elf, ELF_MACHINE_AARCH64);
  memcpy(elf.bytes + 0x10fc, trap, 4);
  assert_true(is_retired(ELF_MACHINE_AARCH64));
  fixture_program(&elf, ELF_MACHINE_AARCH64);
  memcpy(elf.bytes + CODE, "\x0f\x05\xc3", 3); /* another machine's */
  assert_false(is_retired(ELF_MACHINE_AARCH64));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),        cmocka_unit_test(test_what_is_no_name),
      cmocka_unit_test(test_among_others), cmocka_unit_test(test_edges),
      cmocka_unit_test(test_pieces),       cmocka_unit_test(test_unreadable),
      cmocka_unit_test(test_x86_traps),    cmocka_unit_test(test_chance),
      cmocka_unit_test(test_a64_traps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
