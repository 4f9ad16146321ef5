/*
 * Checksums of ext4's metadata: CRC-32C everywhere, CRC-16 for the group descriptors of file
 * systems from before it.
 *
 * Pure functions over memory, and one for each kind of structure: what it covers is the format's
 * rule. CRC-32C runs over eight bytes at a time, by the processor's instruction or a table each,
 * because the journal sums whole blocks.
 */
#include "fs/ext4/csum.h"

#include "arch/arch.h"
#include "kernel/heap.h"
#include "kernel/string.h"

#define CRC32C_POLYNOMIAL 0x82f63b78u
#define CRC16_POLYNOMIAL 0xa001u

static uint32_t (*table)[256]; /* [k][b]: byte b, k zero bytes behind it */

errno_t csum_init(void) {
  if (table != NULL)
    return 0;
  table = kmalloc(8 * sizeof table[0]);
  if (table == NULL)
    return ENOMEM;
  for (uint32_t b = 0; b < 256; b++) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
    table[0][b] = crc;
  }
  for (int k = 1; k < 8; k++) {
    for (uint32_t b = 0; b < 256; b++)
      table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
  }
  return 0;
}

static uint32_t eight_bytes(uint32_t crc, uint64_t word) {
  if (arch_has_crc32c())
    return arch_crc32c_word(crc, word);
  word ^= crc;
  return table[7][word & 0xff] ^ table[6][word >> 8 & 0xff] ^ table[5][word >> 16 & 0xff] ^
         table[4][word >> 24 & 0xff] ^ table[3][word >> 32 & 0xff] ^ table[2][word >> 40 & 0xff] ^
         table[1][word >> 48 & 0xff] ^ table[0][word >> 56];
}

uint32_t crc32c(uint32_t crc, const void *data, size_t n) {
  const uint8_t *p = data;
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    crc = eight_bytes(crc, word);
  }
  for (; n > 0; n--)
    crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
  return crc;
}

uint32_t crc32c_between(uint32_t crc, uint32_t wanted) {
  for (int bit = 0; bit < 32; bit++) /* a step back: the polynomial's highest bit tells which */
    wanted = wanted >> 31 ? (wanted ^ CRC32C_POLYNOMIAL) << 1 | 1 : wanted << 1;
  return wanted ^ crc;
}

uint16_t crc16(uint16_t crc, const void *data, size_t n) {
  for (const uint8_t *p = data; n > 0; n--) {
    crc ^= *p++;
    for (int bit = 0; bit < 8; bit++)
      crc = (uint16_t)((crc >> 1) ^ (crc & 1 ? CRC16_POLYNOMIAL : 0));
  }
  return crc;
}

/* ---- The kinds ------------------------------------------------------------------------------- */

uint32_t csum_super(const struct ext4_super *s) {
  return crc32c(~0u, s, offsetof(struct ext4_super, s_checksum));
}

uint32_t csum_seed(const struct ext4_super *s) {
  if ((s->s_feature_incompat & EXT4_INCOMPAT_CSUM_SEED) != 0)
    return s->s_checksum_seed;
  return crc32c(~0u, s->s_uuid, sizeof s->s_uuid);
}

uint32_t csum_inode_seed(const struct ext4 *fs, uint32_t ino, uint32_t generation) {
  uint32_t crc = crc32c(fs->csum_seed, &ino, sizeof ino);
  return crc32c(crc, &generation, sizeof generation);
}

static uint16_t group_crc16(const struct ext4 *fs, uint32_t group, const struct ext4_group *g) {
  const size_t at = offsetof(struct ext4_group, bg_checksum), behind = at + sizeof g->bg_checksum;
  uint16_t crc = crc16(0xffff, fs->super.s_uuid, sizeof fs->super.s_uuid);
  crc = crc16(crc, &group, sizeof group);
  crc = crc16(crc, g, at);
  return crc16(crc, (const uint8_t *)g + behind, fs->group_bytes - behind);
}

uint16_t csum_group(const struct ext4 *fs, uint32_t group, const struct ext4_group *g) {
  const size_t at = offsetof(struct ext4_group, bg_checksum), behind = at + sizeof g->bg_checksum;
  const uint16_t none = 0;
  if (!fs->csum)
    return group_crc16(fs, group, g);
  uint32_t crc = crc32c(fs->csum_seed, &group, sizeof group);
  crc = crc32c(crc, g, at);
  crc = crc32c(crc, &none, sizeof none);
  return (uint16_t)crc32c(crc, (const uint8_t *)g + behind, fs->group_bytes - behind);
}

uint32_t csum_bitmap(const struct ext4 *fs, const void *bitmap, size_t bytes) {
  return crc32c(fs->csum_seed, bitmap, bytes);
}

uint32_t csum_inode(const struct ext4 *fs, uint32_t ino, const struct ext4_inode *i) {
  const size_t lo = offsetof(struct ext4_inode, i_checksum_lo);
  const size_t hi = offsetof(struct ext4_inode, i_checksum_hi);
  const uint8_t *p = (const uint8_t *)i;
  const uint16_t none = 0;
  uint32_t crc = csum_inode_seed(fs, ino, i->i_generation);
  crc = crc32c(crc, p, lo);
  crc = crc32c(crc, &none, sizeof none);
  crc = crc32c(crc, p + lo + 2, EXT4_INODE_BYTES_OLD - (lo + 2));
  if (fs->inode_bytes == EXT4_INODE_BYTES_OLD)
    return crc;
  crc = crc32c(crc, p + EXT4_INODE_BYTES_OLD, hi - EXT4_INODE_BYTES_OLD);
  size_t at = hi;
  if (csum_inode_has_high(i)) {
    crc = crc32c(crc, &none, sizeof none);
    at += sizeof none;
  }
  return crc32c(crc, p + at, fs->inode_bytes - at);
}

bool csum_inode_has_high(const struct ext4_inode *i) {
  return EXT4_INODE_BYTES_OLD + i->i_extra_isize >= offsetof(struct ext4_inode, i_ctime_extra);
}

uint32_t csum_extents(uint32_t inode_seed, const struct ext4_extent_header *h) {
  return crc32c(inode_seed, h, sizeof *h + h->eh_max * sizeof(struct ext4_extent));
}

uint32_t csum_dir_leaf(const struct ext4 *fs, uint32_t inode_seed, const void *block) {
  return crc32c(inode_seed, block, fs->block_bytes - sizeof(struct ext4_dir_tail));
}

uint32_t csum_dir_index(uint32_t inode_seed, const void *block, size_t entries_offset,
                        unsigned count, const struct ext4_dx_tail *tail) {
  const uint32_t none = 0;
  uint32_t crc = crc32c(inode_seed, block, entries_offset + count * sizeof(struct ext4_dx_entry));
  crc = crc32c(crc, &tail->dt_reserved, sizeof tail->dt_reserved);
  return crc32c(crc, &none, sizeof none);
}

uint32_t csum_xattr(const struct ext4 *fs, uint64_t block, const struct ext4_xattr_header *h) {
  const size_t at = offsetof(struct ext4_xattr_header, h_checksum),
               behind = at + sizeof h->h_checksum;
  const uint32_t none = 0;
  uint32_t crc = crc32c(fs->csum_seed, &block, sizeof block);
  crc = crc32c(crc, h, at);
  crc = crc32c(crc, &none, sizeof none);
  return crc32c(crc, (const uint8_t *)h + behind, fs->block_bytes - behind);
}
