// sources: kernel/random.c kernel/chacha.c
/* Random numbers: the cipher against RFC 8439, the generator's seeding, and that nothing repeats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arch.h"
#include "kernel/chacha.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/log.h"
#include "kernel/random.h"

/* ---- The machine ----------------------------------------------------------------------------- */

static bool processor_has_random;
static const char *option;
static jmp_buf failed;
static char failure[512];
static unsigned warnings;

uint64_t arch_time_ns(void) {
  return 1;
}

uint64_t clock_realtime_ns(void) {
  return 2;
}

uint64_t arch_cycles(void) {
  return 3;
}

bool arch_random(uint64_t *word) {
  *word = 0x0123456789abcdef;
  return processor_has_random;
}

const char *cmdline_get(const char *name) {
  assert_string_equal(name, "random");
  return option;
}

void log_printf(enum log_level level, const char *format, ...) {
  (void)format;
  warnings += level == LOG_WARN;
}

void boot_fail(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vsnprintf(failure, sizeof failure, format, ap);
  va_end(ap);
  longjmp(failed, 1);
}

void panic(const char *format, ...) {
  snprintf(failure, sizeof failure, "%s", format);
  longjmp(failed, 2);
}

/* ---- The cipher ------------------------------------------------------------------------------ */

static void check_block(const uint8_t key[32], uint32_t counter, const uint8_t nonce[12],
                        const uint8_t expected[64]) {
  uint32_t key_words[8], nonce_words[3], block[16];
  memcpy(key_words, key, 32);
  memcpy(nonce_words, nonce, 12);
  chacha_block(key_words, counter, nonce_words, block);
  assert_memory_equal(block, expected, 64);
}

/* RFC 8439, section 2.3.2. */
static void test_block_of_the_rfc(void **state) {
  (void)state;
  static const uint8_t nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
  static const uint8_t expected[64] = {
      0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
      0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
      0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
      0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
      0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
  uint8_t key[32];
  for (uint8_t i = 0; i < 32; i++)
    key[i] = i;
  check_block(key, 1, nonce, expected);
}

/* RFC 8439, appendix A.1, test vector 1. */
static void test_block_of_zeroes(void **state) {
  (void)state;
  static const uint8_t zero[32];
  static const uint8_t expected[64] = {
      0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53,
      0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36,
      0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7, 0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48,
      0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4,
      0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86};
  check_block(zero, 0, zero, expected);
}

/* ---- Seeding, in this order: the unit starts once -------------------------------------------- */

static void test_nothing_before_the_start(void **state) {
  (void)state;
  if (setjmp(failed) == 0) {
    random_u64();
    fail();
  }
}

static void test_unknown_option(void **state) {
  (void)state;
  option = "maybe";
  if (setjmp(failed) == 0) {
    random_start();
    fail();
  }
  assert_non_null(strstr(failure, "random=maybe"));
  option = NULL;
}

static void test_refusal_names_the_option(void **state) {
  (void)state;
  processor_has_random = false;
  random_add("guessable, and not counted: more than 32 bytes", 46, false);
  random_add("too few", 7, true);
  if (setjmp(failed) == 0) {
    random_start();
    fail();
  }
  assert_non_null(strstr(failure, "-device virtio-rng-pci"));
  assert_non_null(strstr(failure, "random=insecure"));
}

static void test_insecure(void **state) {
  (void)state;
  option = "insecure";
  random_start();
  assert_int_equal(warnings, 1);
  assert_true(random_u64() != random_u64());
  option = NULL;
}

static void test_seeded_by_the_processor(void **state) {
  (void)state;
  processor_has_random = true;
  warnings = 0;
  random_start();
  assert_int_equal(warnings, 0);
}

/* ---- The numbers ----------------------------------------------------------------------------- */

#define SAMPLES 20000

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Single words, buffers of every length and streams: no word comes twice, and bits are even. */
static void test_nothing_repeats(void **state) {
  (void)state;
  static uint64_t samples[SAMPLES];
  size_t n = 0, ones = 0;
  while (n < SAMPLES) {
    size_t words = 1 + n % 400;
    if (words > SAMPLES - n)
      words = SAMPLES - n;
    if (words == 1)
      samples[n] = random_u64();
    else
      random_bytes(&samples[n], words * sizeof samples[0]);
    n += words;
    if (n % 7 == 0)
      random_add("more", 4, false);
  }
  for (size_t i = 0; i < SAMPLES; i++)
    ones += (size_t)__builtin_popcountll(samples[i]);
  assert_in_range(ones, SAMPLES * 32 - 5000, SAMPLES * 32 + 5000);
  qsort(samples, SAMPLES, sizeof samples[0], compare);
  for (size_t i = 1; i < SAMPLES; i++)
    assert_true(samples[i] != samples[i - 1]);
}

/* Every byte of every length is written, and none beyond. */
static void test_lengths(void **state) {
  (void)state;
  static uint8_t seen[700], buf[700];
  for (size_t n = 0; n < sizeof buf - 1; n++) {
    memset(seen, 0, sizeof seen);
    for (int round = 0; round < 8; round++) {
      memset(buf, 0, sizeof buf);
      random_bytes(buf, n);
      for (size_t i = 0; i < sizeof buf; i++)
        seen[i] |= buf[i];
    }
    for (size_t i = 0; i < sizeof buf; i++)
      assert_true((seen[i] != 0) == (i < n));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_block_of_the_rfc),
      cmocka_unit_test(test_block_of_zeroes),
      cmocka_unit_test(test_nothing_before_the_start),
      cmocka_unit_test(test_unknown_option),
      cmocka_unit_test(test_refusal_names_the_option),
      cmocka_unit_test(test_insecure),
      cmocka_unit_test(test_seeded_by_the_processor),
      cmocka_unit_test(test_nothing_repeats),
      cmocka_unit_test(test_lengths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
