/*
 * Makes the checksums of a changed image right again, so that what was changed is looked at. The
 * places are those of the good image; what lies there now may be anything.
 */
#ifndef TESTS_HOST_EXT4_SEAL_H
#define TESTS_HOST_EXT4_SEAL_H

#include <string.h>

#include "fs/ext4/csum.h"
#include "fs/ext4/jbd2.h"
#include "fs/ext4/journal_log.h"

enum seal_kind { SEAL_EXTENTS, SEAL_LEAF, SEAL_INDEX_ROOT, SEAL_INDEX };

/* A block whose checksum begins with its inode. */
struct seal_block {
  uint64_t block;
  uint32_t ino;
  enum seal_kind kind;
};

struct seal {
  struct ext4 fs; /* the good image's geometry; super and csum_seed are the changed one's */
  struct ext4_group groups[8];
  struct seal_block owned[600];
  unsigned owned_count;
  uint64_t journal[64]; /* its first blocks */
  unsigned journal_count;
};

static void *seal_at(const struct seal *s, uint8_t *image, uint64_t block) {
  return image + (block << s->fs.block_shift);
}

static struct ext4_inode *seal_inode(const struct seal *s, uint8_t *image, uint32_t ino) {
  const struct ext4_super *super = &s->fs.super;
  const struct ext4_group *g = &s->groups[(ino - 1) / super->s_inodes_per_group];
  return (void *)((uint8_t *)seal_at(s, image, g->bg_inode_table_lo) +
                  (ino - 1) % super->s_inodes_per_group * s->fs.inode_bytes);
}

static void seal_inodes(const struct seal *s, uint8_t *image) {
  const uint32_t n = s->fs.groups * s->fs.super.s_inodes_per_group;
  for (uint32_t ino = 1; ino <= n; ino++) {
    struct ext4_inode *i = seal_inode(s, image, ino);
    if (i->i_mode == 0)
      continue;
    uint32_t crc = csum_inode(&s->fs, ino, i);
    i->i_checksum_lo = (uint16_t)crc;
    if (s->fs.inode_bytes > EXT4_INODE_BYTES_OLD && csum_inode_has_high(i))
      i->i_checksum_hi = (uint16_t)(crc >> 16);
  }
}

/* The index's entries begin behind the root's information, or behind an unused entry. */
static void seal_index(const struct seal *s, uint8_t *block, uint32_t seed, size_t offset) {
  const unsigned limit = (unsigned)((s->fs.block_bytes - offset - sizeof(struct ext4_dx_tail)) / 8);
  uint16_t count;
  memcpy(&count, block + offset + 2, sizeof count);
  struct ext4_dx_tail *tail = (void *)(block + offset + limit * 8);
  tail->dt_checksum = csum_dir_index(seed, block, offset, count < limit ? count : limit, tail);
}

static void seal_owned(const struct seal *s, uint8_t *image, const struct seal_block *o) {
  uint8_t *block = seal_at(s, image, o->block);
  uint32_t seed = csum_inode_seed(&s->fs, o->ino, seal_inode(s, image, o->ino)->i_generation);
  struct ext4_extent_header *h = (void *)block;
  if (o->kind == SEAL_LEAF) {
    struct ext4_dir_tail *tail = (void *)(block + s->fs.block_bytes - sizeof *tail);
    tail->det_checksum = csum_dir_leaf(&s->fs, seed, block);
  } else if (o->kind != SEAL_EXTENTS) {
    seal_index(s, block, seed, o->kind == SEAL_INDEX_ROOT ? 32 : 8);
  } else if (h->eh_max <= (s->fs.block_bytes - sizeof *h) / 12) {
    struct ext4_extent_tail *tail = (void *)(block + sizeof *h + h->eh_max * 12u);
    tail->et_checksum = csum_extents(seed, h);
  }
}

static void seal_groups(const struct seal *s, uint8_t *image) {
  const struct ext4 *fs = &s->fs;
  uint8_t *table = seal_at(s, image, fs->super.s_first_data_block + 1);
  for (uint32_t i = 0; i < fs->groups; i++) {
    struct ext4_group *g = (void *)(table + i * fs->group_bytes);
    const struct ext4_group *good = &s->groups[i];
    if (fs->csum) {
      uint32_t b = csum_bitmap(fs, seal_at(s, image, good->bg_block_bitmap_lo),
                               fs->super.s_blocks_per_group / 8);
      uint32_t n = csum_bitmap(fs, seal_at(s, image, good->bg_inode_bitmap_lo),
                               fs->super.s_inodes_per_group / 8);
      g->bg_block_bitmap_csum_lo = (uint16_t)b;
      g->bg_inode_bitmap_csum_lo = (uint16_t)n;
      if (fs->group_bytes >= 64) {
        g->bg_block_bitmap_csum_hi = (uint16_t)(b >> 16);
        g->bg_inode_bitmap_csum_hi = (uint16_t)(n >> 16);
      }
    }
    if (fs->group_csum)
      g->bg_checksum = csum_group(fs, i, g);
  }
}

/* A descriptor's tags, whose blocks follow it in the journal. */
static void seal_tags(const struct seal *s, const struct journal *j, uint8_t *image, unsigned at) {
  uint8_t *block = seal_at(s, image, s->journal[at]);
  uint32_t sequence = be32_get(((struct jbd2_header *)block)->h_sequence);
  const size_t bytes = log_tag_bytes(j), end = s->fs.block_bytes - log_tail_bytes(j);
  bool last = false;
  for (size_t p = sizeof(struct jbd2_header); !last && p + bytes <= end;) {
    uint32_t flags = j->csum_version == 3
                         ? be32_get(((struct jbd2_tag3 *)(block + p))->t_flags)
                         : __builtin_bswap16(((struct jbd2_tag *)(block + p))->t_flags);
    if (++at >= s->journal_count)
      return;
    uint32_t crc = log_data_csum(&s->fs, j, sequence, seal_at(s, image, s->journal[at]));
    if (j->csum_version == 3)
      ((struct jbd2_tag3 *)(block + p))->t_checksum = be32_put(crc);
    p += bytes + ((flags & JBD2_TAG_SAME_UUID) != 0 ? 0 : 16);
    last = (flags & JBD2_TAG_LAST) != 0;
  }
}

static void seal_journal(const struct seal *s, uint8_t *image) {
  struct journal j = {0};
  if (s->journal_count == 0)
    return;
  struct jbd2_super *super = seal_at(s, image, s->journal[0]);
  uint32_t incompat = be32_get(super->s_feature_incompat);
  j.csum_version = (incompat & JBD2_INCOMPAT_CSUM_V3) != 0 ? 3 : 0;
  j.wide = (incompat & JBD2_INCOMPAT_64BIT) != 0;
  j.csum_seed = crc32c(~0u, super->s_uuid, sizeof super->s_uuid);
  if (j.csum_version == 0)
    return;
  super->s_checksum = be32_put(log_super_csum(super));
  for (unsigned i = 1; i < s->journal_count; i++) {
    uint8_t *block = seal_at(s, image, s->journal[i]);
    const struct jbd2_header *h = (const void *)block;
    uint32_t type = be32_get(h->h_magic) == JBD2_MAGIC ? be32_get(h->h_blocktype) : 0;
    if (type == JBD2_DESCRIPTOR)
      seal_tags(s, &j, image, i);
    be32 crc = log_tail_csum(&s->fs, &j, block);
    if (type == JBD2_DESCRIPTOR || type == JBD2_REVOKE)
      memcpy(block + s->fs.block_bytes - sizeof crc, &crc, sizeof crc);
    else if (type == JBD2_COMMIT)
      ((struct jbd2_commit *)block)->h_chksum[0] = log_commit_csum(&s->fs, &j, block);
  }
}

/* All of them. */
static void seal_all(struct seal *s, uint8_t *image) {
  struct ext4_super *super = (void *)(image + EXT4_SUPER_OFFSET);
  struct ext4_super good = s->fs.super;
  s->fs.csum_seed = csum_seed(super);
  memcpy(s->fs.super.s_uuid, super->s_uuid, sizeof super->s_uuid);
  if (s->fs.csum) {
    seal_inodes(s, image);
    for (unsigned i = 0; i < s->owned_count; i++)
      seal_owned(s, image, &s->owned[i]);
  }
  seal_groups(s, image);
  seal_journal(s, image);
  if (s->fs.csum)
    super->s_checksum = csum_super(super);
  s->fs.super = good;
}

#endif
