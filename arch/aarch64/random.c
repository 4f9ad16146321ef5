/*
 * The processor's random number generator: RNDR.
 *
 * Any context.
 */
#include "arch/aarch64/a64.h"

bool arch_random(uint64_t *word) {
  enum { TRIES = 64 };
  for (unsigned i = 0; a64_features.rng && i < TRIES; i++) {
    uint64_t word_or_0;
    uint32_t ok;
    __asm__ volatile("mrs %0, s3_3_c2_c4_0\n\tcset %w1, ne" : "=r"(word_or_0), "=r"(ok)::"cc");
    *word = word_or_0;
    if (ok)
      return true;
    __asm__ volatile("yield");
  }
  return false;
}
