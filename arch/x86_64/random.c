/*
 * The processor's random number generator: RDSEED, else RDRAND.
 *
 * Any context.
 */
#include "arch/x86_64/x86.h"

enum { RDSEED_TRIES = 64, RDRAND_TRIES = 10 };

static bool rdseed(uint64_t *word) {
  bool ok;
  __asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(ok));
  return ok;
}

static bool rdrand(uint64_t *word) {
  bool ok;
  __asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok));
  return ok;
}

bool arch_random(uint64_t *word) {
  for (unsigned i = 0; x86_features.rdseed && i < RDSEED_TRIES; i++) {
    if (rdseed(word))
      return true;
    __asm__ volatile("pause");
  }
  for (unsigned i = 0; x86_features.rdrand && i < RDRAND_TRIES; i++)
    if (rdrand(word))
      return true;
  return false;
}
