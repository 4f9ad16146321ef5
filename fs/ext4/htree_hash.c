/*
 * The hashes of names that a directory's index is sorted by.
 *
 * Three of them, each with plain characters taken as signed or unsigned, as the machine did it that
 * made the file system. They are mixers, not cryptography: half of MD4, and TEA.
 */
#include "fs/ext4/htree.h"
#include "kernel/string.h"

static uint32_t rotate_left(uint32_t x, unsigned n) {
  return x << n | x >> (32 - n);
}

static int character(const char *name, size_t i, bool is_signed) {
  return is_signed ? (signed char)name[i] : (unsigned char)name[i];
}

/* ---- Half MD4 -------------------------------------------------------------------------------- */

static uint32_t md4_f(uint32_t x, uint32_t y, uint32_t z) {
  return z ^ (x & (y ^ z));
}

static uint32_t md4_g(uint32_t x, uint32_t y, uint32_t z) {
  return (x & y) + ((x ^ y) & z);
}

static uint32_t md4_h(uint32_t x, uint32_t y, uint32_t z) {
  return x ^ y ^ z;
}

/* Eight steps of one of the three rounds: the words in `order`, the rotations in turn. */
static void md4_round(uint32_t s[4], const uint32_t in[8],
                      uint32_t (*mix)(uint32_t, uint32_t, uint32_t), uint32_t constant,
                      const uint8_t order[8], const uint8_t rotations[4]) {
  for (unsigned i = 0; i < 8; i++) {
    /* a, d, c, b take turns as the word that changes. */
    unsigned a = (4 - i % 4) % 4;
    uint32_t sum =
        s[a] + mix(s[(a + 1) % 4], s[(a + 2) % 4], s[(a + 3) % 4]) + in[order[i]] + constant;
    s[a] = rotate_left(sum, rotations[i % 4]);
  }
}

static void half_md4(uint32_t s[4], const uint32_t in[8]) {
  static const uint8_t order1[8] = {0, 1, 2, 3, 4, 5, 6, 7}, rotations1[4] = {3, 7, 11, 19};
  static const uint8_t order2[8] = {1, 3, 5, 7, 0, 2, 4, 6}, rotations2[4] = {3, 5, 9, 13};
  static const uint8_t order3[8] = {3, 7, 2, 6, 1, 5, 0, 4}, rotations3[4] = {3, 9, 11, 15};
  uint32_t t[4] = {s[0], s[1], s[2], s[3]};
  md4_round(t, in, md4_f, 0, order1, rotations1);
  md4_round(t, in, md4_g, 0x5a827999, order2, rotations2);
  md4_round(t, in, md4_h, 0x6ed9eba1, order3, rotations3);
  for (unsigned i = 0; i < 4; i++)
    s[i] += t[i];
}

/* ---- TEA ------------------------------------------------------------------------------------- */

static void tea(uint32_t s[4], const uint32_t in[4]) {
  uint32_t sum = 0, b0 = s[0], b1 = s[1];
  for (unsigned i = 0; i < 16; i++) {
    sum += 0x9e3779b9;
    b0 += ((b1 << 4) + in[0]) ^ (b1 + sum) ^ ((b1 >> 5) + in[1]);
    b1 += ((b0 << 4) + in[2]) ^ (b0 + sum) ^ ((b0 >> 5) + in[3]);
  }
  s[0] += b0;
  s[1] += b1;
}

/* ---- What they have in common ---------------------------------------------------------------- */

/* The next `words` words of the name, padded with what is left of its length. */
static void fill(const char *name, size_t len, bool is_signed, uint32_t *out, unsigned words) {
  uint32_t pad = (uint32_t)len | (uint32_t)len << 8;
  pad |= pad << 16;
  if (len > words * 4)
    len = words * 4;
  uint32_t value = pad;
  unsigned n = 0;
  for (size_t i = 0; i < len; i++) {
    value = (uint32_t)character(name, i, is_signed) + (value << 8);
    if (i % 4 == 3) {
      out[n++] = value;
      value = pad;
    }
  }
  if (n < words)
    out[n++] = value;
  while (n < words)
    out[n++] = pad;
}

static uint32_t legacy(const char *name, size_t len, bool is_signed) {
  uint32_t hash0 = 0x12a3fe2d, hash1 = 0x37abe8f9;
  for (size_t i = 0; i < len; i++) {
    uint32_t hash = hash1 + (hash0 ^ (uint32_t)(character(name, i, is_signed) * 7152373));
    if (hash & 0x80000000)
      hash -= 0x7fffffff;
    hash1 = hash0;
    hash0 = hash;
  }
  return hash0 << 1;
}

struct htree_hash htree_hash(const struct ext4 *fs, unsigned version, const char *name,
                             size_t len) {
  uint32_t s[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const uint32_t *seed = fs->super.s_hash_seed;
  bool is_signed = version < EXT4_HASH_LEGACY_UNSIGNED;
  unsigned kind = version % 3;
  uint32_t in[8];
  struct htree_hash h = {0};
  if ((seed[0] | seed[1] | seed[2] | seed[3]) != 0)
    memcpy(s, seed, sizeof s);
  if (kind == EXT4_HASH_LEGACY) {
    h.major = legacy(name, len, is_signed);
  } else if (kind == EXT4_HASH_HALF_MD4) {
    for (size_t at = 0; at < len; at += 32) {
      fill(name + at, len - at, is_signed, in, 8);
      half_md4(s, in);
    }
    h = (struct htree_hash){s[1], s[2]};
  } else {
    for (size_t at = 0; at < len; at += 16) {
      fill(name + at, len - at, is_signed, in, 4);
      tea(s, in);
    }
    h = (struct htree_hash){s[0], s[1]};
  }
  h.major &= ~1u; /* the lowest bit says elsewhere that a hash goes on in the next leaf */
  if (h.major == HTREE_HASH_END)
    h.major = HTREE_HASH_END - 2;
  return h;
}
