// sources: kernel/sys/raw.c kernel/user.c
/* Raw traps: each number of the first table reaches its call, with addresses for results that no
 * memory has; what the call stores there comes back in registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arch.h"
#include "kernel/thread.h"
#include "kernel/user.h"

static struct thread thread = {.tid = 7};
static uint64_t number;
static uint64_t given[7];
static errno_t answer;
static void (*act)(void); /* what the call does besides */

struct thread *arch_current(void) {
  return &thread;
}

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  memcpy(dst, src, n);
  return 0;
}

errno_t syscall_entry(struct thread *t, uint64_t n, const uint64_t args[7]) {
  assert_ptr_equal(t, &thread);
  assert_false(syscall_is_raw(n));
  number = n;
  memcpy(given, args, sizeof given);
  if (act != NULL)
    act();
  return answer;
}

static const uint64_t full[7] = {0x1111111111111181, 0x2222222222222282, 0x3333333333333383,
                                 0x4444444444444484, 0x5555555555555585, 0x6666666666666686,
                                 0x7777777777777787};
static uint64_t results[2];

static errno_t call(uint64_t n) {
  results[0] = 0;
  results[1] = 0xdead;
  number = 0;
  return syscall_raw_entry(&thread, n, full, results);
}

static int reset(void **state) {
  (void)state;
  act = NULL;
  answer = 0;
  thread.raw = false;
  return 0;
}

/* ---- The table ------------------------------------------------------------------------------- */

/* Reference 9.3, by hand. */
static void test_numbers(void **state) {
  (void)state;
  static const struct {
    unsigned raw, now;
  } some[] = {{0, SYSCALL_clock_res_get},   {11, SYSCALL_fd_replace},   {16, SYSCALL_fd_write},
              {21, SYSCALL_file_open},      {33, SYSCALL_mem_lock},     {37, SYSCALL_mem_unlock},
              {38, SYSCALL_mem_unmap},      {39, SYSCALL_poll},         {40, SYSCALL_proc_exec},
              {45, SYSCALL_sock_accept},    {48, SYSCALL_sock_listen},  {52, SYSCALL_sock_stat_get},
              {55, SYSCALL_thread_tcb_set}, {56, SYSCALL_thread_yield}, {57, SYSCALL_poll_fd}};
  bool seen[SYSCALL_END - SYSCALL_BASE] = {false};
  for (unsigned i = 0; i < sizeof some / sizeof some[0]; i++) {
    assert_int_equal(call(some[i].raw), 0);
    assert_int_equal(number, some[i].now);
  }
  for (unsigned n = 0; n < 58; n++) {
    assert_int_equal(call(n), 0);
    assert_false(seen[number - SYSCALL_BASE]);
    seen[number - SYSCALL_BASE] = true;
  }
}

static void test_unknown_numbers(void **state) {
  (void)state;
  static const uint64_t unknown[] = {58, SYSCALL_BASE - 1, SYSCALL_END, UINT64_MAX, 1ull << 32};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    assert_true(syscall_is_raw(unknown[i]));
    assert_int_equal(call(unknown[i]), ENOSYS);
    assert_int_equal(number, 0);
  }
  assert_false(syscall_is_raw(SYSCALL_BASE));
  assert_false(syscall_is_raw(SYSCALL_END - 1));
}

/* ---- Arguments ------------------------------------------------------------------------------- */

static void test_inputs_stay(void **state) {
  (void)state;
  call(20); /* file_link: six */
  assert_memory_equal(given, full, 6 * sizeof given[0]);
  call(13); /* fd_stat_get: its structure is memory */
  assert_int_equal(given[0], full[0]);
  assert_int_equal(given[1], full[1]);
}

static void test_results_have_no_address(void **state) {
  (void)state;
  call(7); /* fd_dup */
  assert_int_equal(given[0], full[0]);
  assert_int_equal(given[1], USER_RESULT(0));
  call(42); /* proc_fork: two, and no input */
  assert_int_equal(given[0], USER_RESULT(0));
  assert_int_equal(given[1], USER_RESULT(1));
  call(34); /* mem_map: the seventh */
  assert_int_equal(given[6], USER_RESULT(0));
  call(57); /* poll_fd */
  assert_memory_equal(given, full, 6 * sizeof given[0]);
  assert_int_equal(given[6], USER_RESULT(0));
}

/* ---- Results --------------------------------------------------------------------------------- */

static void put_two(void) {
  assert_int_equal(user_put((fd_t *)given[0], 0xffffffff), 0);
  assert_int_equal(user_put((tid_t *)given[1], 77), 0);
}

static void put_wide(void) {
  assert_int_equal(user_put((uint64_t *)given[1], 0x123456789abcdef0), 0);
}

static void test_results(void **state) {
  (void)state;
  act = put_two;
  assert_int_equal(call(42), 0);
  assert_int_equal(results[0], 0xffffffff); /* of 32 bits: the rest is zero */
  assert_int_equal(results[1], 77);
  act = put_wide;
  assert_int_equal(call(0), 0);
  assert_int_equal(results[0], 0x123456789abcdef0);
  assert_int_equal(results[1], 0xdead); /* no second result: as it was */
  act = NULL;
  assert_int_equal(call(3), 0);
  assert_int_equal(results[0], 0);
  assert_int_equal(results[1], 0xdead);
}

static void test_no_result_on_error(void **state) {
  (void)state;
  act = put_two;
  answer = EMFILE;
  assert_int_equal(call(42), EMFILE);
  assert_int_equal(results[0], 0);
  assert_int_equal(results[1], 0xdead);
}

/* ---- Hostile addresses ----------------------------------------------------------------------- */

static void put_elsewhere(void) {
  static const uintptr_t bad[] = {0, 1, 7, 9, 15, 24, 4096, USER_END, UINT64_MAX - 7, UINT64_MAX};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(user_put((uint64_t *)bad[i], 1), EFAULT);
  struct fdstat st = {0};
  assert_int_equal(user_put((struct fdstat *)USER_RESULT(0), st), EFAULT);
  assert_int_equal(user_copy_out((void *)USER_RESULT(0), &st, 8), EFAULT);
}

static void test_other_addresses_stay_bad(void **state) {
  (void)state;
  act = put_elsewhere;
  assert_int_equal(call(42), 0);
  assert_int_equal(results[0], 0);
  assert_int_equal(results[1], 0xdead);
}

static void test_other_calls_have_no_registers(void **state) {
  (void)state;
  assert_int_equal(user_put((uint64_t *)USER_RESULT(0), 1), EFAULT);
  act = put_two;
  assert_int_equal(call(42), 0);
  assert_int_equal(user_put((uint64_t *)USER_RESULT(0), 1), EFAULT);
  uint64_t there = 0;
  assert_int_equal(user_put(&there, 5), 0);
  assert_int_equal(there, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_numbers, reset),
      cmocka_unit_test_setup(test_unknown_numbers, reset),
      cmocka_unit_test_setup(test_inputs_stay, reset),
      cmocka_unit_test_setup(test_results_have_no_address, reset),
      cmocka_unit_test_setup(test_results, reset),
      cmocka_unit_test_setup(test_no_result_on_error, reset),
      cmocka_unit_test_setup(test_other_addresses_stay_bad, reset),
      cmocka_unit_test_setup(test_other_calls_have_no_registers, reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
