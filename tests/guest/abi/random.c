/*
 * random_get, from inside: {out: fd}. Reference 2.8.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

#define BIG (1 << 20)

static void check_lengths(void) {
  static const size_t lengths[] = {1, 7, 8, 511, 512, 513, 4097, 65536, 65537, BIG};
  uint8_t *p = raw_memory(BIG + RAW_PAGE);
  char what[80];
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    size_t n = lengths[i];
    memset(p, 0, n + 16);
    snprintf(what, sizeof(what), "%zu bytes", n);
    check_err("random_get", what, cloudabi_sys_random_get(p, n), 0);
    snprintf(what, sizeof(what), "%zu bytes: nothing behind them", n);
    check("random_get", what, raw_all(p + n, 16, 0));
    if (n < 8)
      continue;
    snprintf(what, sizeof(what), "%zu bytes: the last ones too", n);
    check("random_get", what, !raw_all(p + n - 8, 8, 0));
  }
}

static void check_values(void) {
  static uint8_t a[65536], b[65536];
  unsigned count[256] = {0}, least = UINT32_MAX, most = 0;
  cloudabi_sys_random_get(a, sizeof(a));
  cloudabi_sys_random_get(b, sizeof(b));
  check("random_get", "never the same", memcmp(a, b, sizeof(a)) != 0);
  for (size_t i = 0; i < sizeof(a); i++)
    count[a[i]]++;
  for (unsigned i = 0; i < 256; i++) {
    least = count[i] < least ? count[i] : least;
    most = count[i] > most ? count[i] : most;
  }
  /* 256 of each on average, with a deviation of 16: six of them either way. */
  check("random_get", "all values about equally often", least > 160 && most < 352);
}

static void check_bad(void) {
  uint8_t *p = raw_memory(3 * RAW_PAGE);
  cloudabi_sys_mem_unmap(p + 2 * RAW_PAGE, RAW_PAGE);
  check_err("random_get", "a buffer that ends in unmapped memory",
            cloudabi_sys_random_get(p + RAW_PAGE, RAW_PAGE + 1), CLOUDABI_EFAULT);
  check_err("random_get", "a length of SIZE_MAX", cloudabi_sys_random_get(p, SIZE_MAX),
            CLOUDABI_EFAULT);
  check_err("random_get", "up to the end of the address space",
            cloudabi_sys_random_get(p, -(uintptr_t)p), CLOUDABI_EFAULT);
  check_err("random_get", "0 bytes at NULL", cloudabi_sys_random_get(NULL, 0), 0);
  check_err("random_get", "1 byte at NULL", cloudabi_sys_random_get(NULL, 1), CLOUDABI_EFAULT);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_lengths();
  check_values();
  check_bad();
  check_end();
}
