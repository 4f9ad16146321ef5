/*
 * The ChaCha20 block function of RFC 8439, section 2.3.
 */
#ifndef KERNEL_CHACHA_H
#define KERNEL_CHACHA_H

#include <stdint.h>

#define CHACHA_KEY_WORDS 8
#define CHACHA_BLOCK_WORDS 16

/* 64 bytes of key stream (words in the machine's order; both machines are little-endian). */
void chacha_block(const uint32_t key[CHACHA_KEY_WORDS], uint32_t counter, const uint32_t nonce[3],
                  uint32_t out[CHACHA_BLOCK_WORDS]);

#endif
