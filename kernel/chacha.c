/*
 * The ChaCha20 block function. RFC 8439, sections 2.1 to 2.3.
 *
 * A pure function: any context.
 */
#include "kernel/chacha.h"

#include "kernel/string.h"

static inline uint32_t rotate(uint32_t x, unsigned n) {
  return x << n | x >> (32 - n);
}

static inline void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
  *a += *b;
  *d = rotate(*d ^ *a, 16);
  *c += *d;
  *b = rotate(*b ^ *c, 12);
  *a += *b;
  *d = rotate(*d ^ *a, 8);
  *c += *d;
  *b = rotate(*b ^ *c, 7);
}

void chacha_block(const uint32_t key[CHACHA_KEY_WORDS], uint32_t counter, const uint32_t nonce[3],
                  uint32_t out[CHACHA_BLOCK_WORDS]) {
  uint32_t start[CHACHA_BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  memcpy(&start[4], key, CHACHA_KEY_WORDS * sizeof *key);
  start[12] = counter;
  memcpy(&start[13], nonce, 3 * sizeof *nonce);

  uint32_t *x = out;
  memcpy(x, start, sizeof start);
  for (int i = 0; i < 10; i++) {
    for (int column = 0; column < 4; column++)
      quarter_round(&x[column], &x[4 + column], &x[8 + column], &x[12 + column]);
    for (int i = 0; i < 4; i++)
      quarter_round(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4], &x[12 + (i + 3) % 4]);
  }
  for (int i = 0; i < CHACHA_BLOCK_WORDS; i++)
    x[i] += start[i];
}
