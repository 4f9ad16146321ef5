/*
 * Group descriptors: where a group's bitmaps and inode table lie, and how much of it is free.
 *
 * The table follows the superblock. A block of it is checked when it is first read; what the checks
 * let through can be trusted by the allocators. The lock.
 */
#include "fs/ext4/csum.h"

/* A descriptor of 32 bytes has no upper halves. */
static uint64_t join(const struct ext4 *fs, uint32_t lo, uint32_t hi) {
  return lo | (fs->group_bytes >= 64 ? (uint64_t)hi << 32 : 0);
}

uint64_t group_block_bitmap(const struct ext4 *fs, const struct ext4_group *g) {
  return join(fs, g->bg_block_bitmap_lo, g->bg_block_bitmap_hi);
}

uint64_t group_inode_bitmap(const struct ext4 *fs, const struct ext4_group *g) {
  return join(fs, g->bg_inode_bitmap_lo, g->bg_inode_bitmap_hi);
}

static uint64_t inode_table(const struct ext4 *fs, const struct ext4_group *g) {
  return join(fs, g->bg_inode_table_lo, g->bg_inode_table_hi);
}

static bool inside(const struct ext4 *fs, uint64_t block, uint64_t count) {
  return block > fs->super.s_first_data_block && block < fs->blocks && count <= fs->blocks - block;
}

static uint32_t inode_table_blocks(const struct ext4 *fs) {
  return fs->super.s_inodes_per_group / (fs->block_bytes / fs->inode_bytes);
}

static bool group_ok(const struct ext4 *fs, uint32_t group, const struct ext4_group *g) {
  if (fs->group_csum && g->bg_checksum != csum_group(fs, group, g))
    return false;
  return inside(fs, group_block_bitmap(fs, g), 1) && inside(fs, group_inode_bitmap(fs, g), 1) &&
         inside(fs, inode_table(fs, g), inode_table_blocks(fs));
}

/* All descriptors of a block of the table, which begins with group `first`. */
static errno_t verify(struct ext4 *fs, uint32_t first, struct buf *b) {
  uint32_t n = fs->block_bytes / fs->group_bytes;
  for (uint32_t i = 0; i < n && first + i < fs->groups; i++) {
    if (!group_ok(fs, first + i, (const void *)(b->data + i * fs->group_bytes)))
      return ext4_corrupt(fs, 0, b->block, "a damaged group descriptor");
  }
  b->verified = true;
  return 0;
}

errno_t ext4_group_get(struct ext4 *fs, uint32_t group, struct ext4_group **desc, struct buf **b) {
  uint32_t per_block = fs->block_bytes / fs->group_bytes;
  errno_t e =
      buf_read(&fs->cache, fs->super.s_first_data_block + 1 + group / per_block, BUF_GROUPS, b);
  if (e == 0 && !(*b)->verified)
    e = verify(fs, group - group % per_block, *b);
  if (e != 0) {
    buf_put(*b);
    *b = NULL;
    return e;
  }
  *desc = (void *)((*b)->data + group % per_block * fs->group_bytes);
  return 0;
}

void ext4_group_dirty(struct ext4 *fs, uint32_t group, struct ext4_group *desc, struct buf *b) {
  if (fs->group_csum)
    desc->bg_checksum = csum_group(fs, group, desc);
  tx_dirty(fs, b);
}

errno_t ext4_group_inode_table(struct ext4 *fs, uint32_t group, uint64_t *block) {
  struct ext4_group *g;
  struct buf *b;
  errno_t e = ext4_group_get(fs, group, &g, &b);
  if (e != 0)
    return e;
  *block = inode_table(fs, g);
  buf_put(b);
  return 0;
}
