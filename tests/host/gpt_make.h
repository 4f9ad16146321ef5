/*
 * GPT and MBR tables for tests: written into an image in memory, valid as far as the caller's
 * values are.
 */
#ifndef TESTS_HOST_GPT_MAKE_H
#define TESTS_HOST_GPT_MAKE_H

#include <stdint.h>
#include <string.h>

__attribute__((no_sanitize("coverage"))) static inline uint32_t gpt_crc32(const uint8_t *p,
                                                                          size_t n) {
  uint32_t crc = UINT32_MAX;
  for (; n > 0; n--) {
    crc ^= *p++;
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
  }
  return ~crc;
}

static inline void put16(uint8_t *p, uint16_t v) {
  memcpy(p, &v, 2);
}

static inline void put32(uint8_t *p, uint32_t v) {
  memcpy(p, &v, 4);
}

static inline void put64(uint8_t *p, uint64_t v) {
  memcpy(p, &v, 8);
}

static inline uint32_t get_le32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static inline uint64_t get_le64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return v;
}

/* An entry of a boot record that stands at `record`. */
static inline void mbr_put(uint8_t *record, unsigned n, uint8_t type, uint32_t start,
                           uint32_t blocks) {
  uint8_t *e = record + 446 + n * 16;
  e[4] = type;
  put32(e + 8, start);
  put32(e + 12, blocks);
  record[510] = 0x55;
  record[511] = 0xaa;
}

/* Makes the checksums of the header at block `at` right, its table's first if that lies in the
 * image and is not large. */
static inline void gpt_seal(uint8_t *image, uint64_t size, uint32_t block, uint64_t at) {
  uint8_t *h = image + at * block;
  uint64_t table = get_le64(h + 72), bytes = (uint64_t)get_le32(h + 80) * get_le32(h + 84);
  if (bytes <= 32768 && table < size / block && bytes <= size - table * block)
    put32(h + 88, gpt_crc32(image + table * block, bytes));
  put32(h + 16, 0);
  uint32_t header = get_le32(h + 12);
  put32(h + 16, gpt_crc32(h, header < block ? header : block));
}

static inline void gpt_header(uint8_t *image, uint64_t size, uint32_t block, uint64_t at,
                              uint64_t table, uint32_t entries) {
  uint8_t *h = image + at * block;
  uint64_t last = size / block - 1;
  memset(h, 0, block);
  memcpy(h, "EFI PART\0\0\1\0\x5c\0\0", 16);
  put64(h + 24, at);
  put64(h + 32, at == 1 ? last : 1);
  put64(h + 40, 34);
  put64(h + 48, last - 33);
  put64(h + 72, table);
  put32(h + 80, entries);
  put32(h + 84, 128);
}

/* An entry of the table at block `table`; the name in ASCII. */
static inline void gpt_put(uint8_t *image, uint32_t block, uint64_t table, unsigned n,
                           uint64_t first, uint64_t last, const char *name) {
  uint8_t *e = image + table * block + n * 128;
  memset(e, 0, 128);
  memset(e, 0x11, 16);
  put64(e + 32, first);
  put64(e + 40, last);
  for (unsigned i = 0; name[i] != '\0' && i < 36; i++)
    put16(e + 56 + 2 * i, (uint8_t)name[i]);
}

/* Both copies of a table with three partitions, sealed. */
static inline void gpt_make(uint8_t *image, uint64_t size, uint32_t block) {
  uint64_t last = size / block - 1, tables[] = {2, last - 32}, headers[] = {1, last};
  mbr_put(image, 0, 0xee, 1, UINT32_MAX);
  for (unsigned i = 0; i < 2; i++) {
    gpt_header(image, size, block, headers[i], tables[i], 16);
    gpt_put(image, block, tables[i], 0, 34, 40, "first");
    gpt_put(image, block, tables[i], 1, 50, 50, "a single block");
    gpt_put(image, block, tables[i], 7, 41, last - 40, "");
    gpt_seal(image, size, block, headers[i]);
  }
}

#endif
