// sources: kernel/sys/dispatch.c kernel/sys/trace.c kernel/printf.c
/* System calls' way in: every number reaches its call with typed arguments; the trace tells them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arch.h"
#include "kernel/cmdline.h"
#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/sys/sys.h"
#include "kernel/sys/trace.h"
#include "kernel/thread.h"

/* ---- Calls that note what they were given ---------------------------------------------------- */

static unsigned called;
static uint64_t given[7]; /* zero-extended */
static errno_t answer;

#define NOTE(i, a) \
  given[i] = 0;    \
  memcpy(&given[i], &a, sizeof a)
#define SYSCALL0(n, ...)              \
  errno_t sys_##n(struct thread *t) { \
    called = SYSCALL_##n;             \
    return answer;                    \
  }
#define SYSCALL1(n, t1, a1)                  \
  errno_t sys_##n(struct thread *t, t1 a1) { \
    called = SYSCALL_##n;                    \
    NOTE(0, a1);                             \
    return answer;                           \
  }
#define SYSCALL2(n, t1, a1, t2, a2)                 \
  errno_t sys_##n(struct thread *t, t1 a1, t2 a2) { \
    called = SYSCALL_##n;                           \
    NOTE(0, a1);                                    \
    NOTE(1, a2);                                    \
    return answer;                                  \
  }
#define SYSCALL3(n, t1, a1, t2, a2, t3, a3)                \
  errno_t sys_##n(struct thread *t, t1 a1, t2 a2, t3 a3) { \
    called = SYSCALL_##n;                                  \
    NOTE(0, a1);                                           \
    NOTE(1, a2);                                           \
    NOTE(2, a3);                                           \
    return answer;                                         \
  }
#define SYSCALL4(n, t1, a1, t2, a2, t3, a3, t4, a4)               \
  errno_t sys_##n(struct thread *t, t1 a1, t2 a2, t3 a3, t4 a4) { \
    called = SYSCALL_##n;                                         \
    NOTE(0, a1);                                                  \
    NOTE(1, a2);                                                  \
    NOTE(2, a3);                                                  \
    NOTE(3, a4);                                                  \
    return answer;                                                \
  }
#define SYSCALL5(n, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)              \
  errno_t sys_##n(struct thread *t, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5) { \
    called = SYSCALL_##n;                                                \
    NOTE(0, a1);                                                         \
    NOTE(1, a2);                                                         \
    NOTE(2, a3);                                                         \
    NOTE(3, a4);                                                         \
    NOTE(4, a5);                                                         \
    return answer;                                                       \
  }
#define SYSCALL6(n, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)             \
  errno_t sys_##n(struct thread *t, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6) { \
    called = SYSCALL_##n;                                                       \
    NOTE(0, a1);                                                                \
    NOTE(1, a2);                                                                \
    NOTE(2, a3);                                                                \
    NOTE(3, a4);                                                                \
    NOTE(4, a5);                                                                \
    NOTE(5, a6);                                                                \
    return answer;                                                              \
  }
#define SYSCALL7(n, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6, t7, a7)            \
  errno_t sys_##n(struct thread *t, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6, t7 a7) { \
    called = SYSCALL_##n;                                                              \
    NOTE(0, a1);                                                                       \
    NOTE(1, a2);                                                                       \
    NOTE(2, a3);                                                                       \
    NOTE(3, a4);                                                                       \
    NOTE(4, a5);                                                                       \
    NOTE(5, a6);                                                                       \
    NOTE(6, a7);                                                                       \
    return answer;                                                                     \
  }
#include "abi/syscalls.def"

/* ---- The rest of the kernel ------------------------------------------------------------------ */

static const char *option;
static char console[1024], failure[256];
static jmp_buf failed;

const char *cmdline_get(const char *name) {
  return strcmp(name, "trace") == 0 ? option : NULL;
}

void console_write(const char *s, size_t n) {
  assert_true(strlen(console) + n < sizeof console);
  strncat(console, s, n);
}

void boot_fail(const char *format, ...) {
  strncpy(failure, format, sizeof failure - 1);
  longjmp(failed, 1);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static struct thread thread = {.tid = 7};
static const uint64_t full[7] = {0x1111111111111181, 0x2222222222222282, 0x3333333333333383,
                                 0x4444444444444484, 0x5555555555555585, 0x6666666666666686,
                                 0x7777777777777787};

static void test_every_number(void **state) {
  (void)state;
  answer = 0;
  for (unsigned number = SYSCALL_BASE; number < SYSCALL_END; number++) {
    called = 0;
    assert_int_equal(syscall_entry(&thread, number, full), 0);
    assert_int_equal(called, number);
  }
  assert_int_equal(SYSCALL_clock_res_get, SYSCALL_BASE);
}

static void test_unknown_numbers(void **state) {
  (void)state;
  static const uint64_t unknown[] = {0,           57,         SYSCALL_BASE - 1,
                                     SYSCALL_END, UINT64_MAX, (1ull << 32) + SYSCALL_BASE};
  called = 0;
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
    assert_int_equal(syscall_entry(&thread, unknown[i], full), ENOSYS);
  assert_int_equal(called, 0);
}

/* Only the low bits of a small integer's register mean anything. */
static void test_small_integers(void **state) {
  (void)state;
  syscall_entry(&thread, SYSCALL_mem_map, full);
  assert_int_equal(given[0], full[0]);
  assert_int_equal(given[1], full[1]);
  assert_int_equal(given[2], 0x83);
  assert_int_equal(given[3], 0x84);
  assert_int_equal(given[4], 0x55555585);
  assert_int_equal(given[5], full[5]);
  assert_int_equal(given[6], full[6]);
  syscall_entry(&thread, SYSCALL_file_open, full);
  struct lookup dir;
  memcpy(&dir, &given[0], sizeof dir);
  assert_int_equal(dir.fd, 0x11111181);
  assert_int_equal(dir.flags, 0x11111111);
  assert_int_equal(given[3], 0x4484);
  syscall_entry(&thread, SYSCALL_proc_raise, full);
  assert_int_equal(given[0], 0x81);
}

static void test_trace(void **state) {
  (void)state;
  option = "sys";
  trace_init();
  assert_true(trace_sys);
  console[0] = 0;
  answer = EBADF;
  syscall_entry(&thread, SYSCALL_fd_read, (uint64_t[7]){0xee00000003, 0x1000, 2, 0});
  answer = 0;
  syscall_entry(&thread, SYSCALL_fd_seek, (uint64_t[7]){4, (uint64_t)-5, 0x101, 0x2000});
  syscall_entry(&thread, SYSCALL_mem_map,
                (uint64_t[7]){0, 4096, 6, 5, UINT32_MAX, 0, 0x7fffffffe000});
  syscall_entry(&thread, SYSCALL_file_stat_get, (uint64_t[7]){0x100000002, 0x3000, 1, 0x4000});
  syscall_entry(&thread, SYSCALL_proc_exit, (uint64_t[7]){12});
  syscall_entry(&thread, SYSCALL_thread_yield, full);
  answer = 9999;
  syscall_entry(&thread, SYSCALL_fd_sync, (uint64_t[7]){1});
  trace_sys = false;
  syscall_entry(&thread, SYSCALL_fd_sync, (uint64_t[7]){1});
  assert_string_equal(console,
                      "[7] fd_read(3, 0x1000, 2, NULL) = EBADF\n"
                      "[7] fd_seek(4, -5, 1, 0x2000) = 0\n"
                      "[7] mem_map(NULL, 4096, 6, 5, -1, 0, 0x7fffffffe000) = 0\n"
                      "[7] file_stat_get(2/follow, 0x3000, 1, 0x4000) = 0\n"
                      "[7] proc_exit(12)\n"
                      "[7] thread_yield() = 0\n"
                      "[7] fd_sync(1) = E?\n");
}

static void test_longest_line(void **state) {
  (void)state;
  static const uint64_t wide[7] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                   UINT64_MAX, UINT64_MAX, UINT64_MAX};
  trace_sys = true;
  for (unsigned number = SYSCALL_BASE; number < SYSCALL_END; number++) {
    console[0] = 0;
    syscall_entry(&thread, number, wide);
    assert_int_equal(console[strlen(console) - 1], '\n');
  }
  trace_sys = false;
}

static void test_trace_option(void **state) {
  (void)state;
  option = "everything";
  if (setjmp(failed) == 0) {
    trace_init();
    fail();
  }
  assert_non_null(strstr(failure, "trace="));
  option = NULL;
  trace_init();
  assert_string_equal(errno_name(ENOTCAPABLE), "ENOTCAPABLE");
  assert_string_equal(errno_name(0), "0");
  assert_string_equal(errno_name(77), "E?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_number),   cmocka_unit_test(test_unknown_numbers),
      cmocka_unit_test(test_small_integers), cmocka_unit_test(test_trace),
      cmocka_unit_test(test_longest_line),   cmocka_unit_test(test_trace_option),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
