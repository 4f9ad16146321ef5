/*
 * From a file's blocks to the disk's, whichever way the file keeps them, and what a file needs of
 * the allocator.
 *
 * The lock. Changes are handles of their own here or part of the open one, as each says.
 */
#include "fs/ext4/blockmap_change.h"
#include "fs/ext4/extent_change.h"

#define SECTOR_SHIFT 9 /* what i_blocks counts in, if it isn't blocks */

static bool has_extents(const struct einode *ino) {
  return (ino->disk.i_flags & EXT4_EXTENTS_FL) != 0;
}

errno_t ext4_map(struct einode *ino, uint32_t file_block, uint32_t max, struct ext4_run *run) {
  return has_extents(ino) ? extent_map(ino, file_block, max, run)
                          : blockmap_map(ino, file_block, max, run);
}

/* ---- What the inode keeps -------------------------------------------------------------------- */

/* Behind the last block that it got, or in its own group. */
uint64_t einode_goal(const struct einode *ino) {
  const struct ext4 *fs = ino->fs;
  if (ino->goal != 0)
    return ino->goal;
  uint32_t group = (ino->number - 1) / fs->super.s_inodes_per_group;
  return fs->super.s_first_data_block + (uint64_t)group * fs->super.s_blocks_per_group;
}

void einode_blocks_add(struct einode *ino, int64_t blocks) {
  struct ext4_inode *i = &ino->disk;
  bool in_blocks = (i->i_flags & EXT4_HUGE_FILE_FL) != 0;
  uint64_t n = i->i_blocks_lo | (uint64_t)i->i_blocks_high << 32;
  n += (uint64_t)blocks << (in_blocks ? 0 : ino->fs->block_shift - SECTOR_SHIFT);
  i->i_blocks_lo = (uint32_t)n;
  i->i_blocks_high = (uint16_t)(n >> 32);
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* Blocks in the place of a hole. */
static errno_t fill_hole(struct einode *ino, uint32_t at, bool unwritten, struct ext4_run *run) {
  uint32_t max = run->count, extent_max = EXT4_EXTENT_BLOCKS_MAX - 1;
  errno_t e;
  if (!has_extents(ino)) {
    e = blockmap_fill(ino, at, max, &run->block, &run->count);
    run->unwritten = false;
  } else {
    run->count = max < extent_max ? max : extent_max;
    run->unwritten = unwritten;
    e = ext4_alloc_blocks(ino->fs, einode_goal(ino), &run->block, &run->count);
    if (e == 0)
      einode_blocks_add(ino, run->count);
    if (e == 0 && (e = extent_insert(ino, at, run->block, run->count, unwritten)) != 0) {
      einode_blocks_add(ino, -(int64_t)run->count);
      errno_t undone = ext4_free_blocks(ino->fs, ino->number, run->block, run->count, false);
      e = undone != 0 ? undone : e;
    }
  }
  if (e == 0)
    ino->goal = run->block + run->count;
  return e;
}

errno_t ext4_map_create(struct einode *ino, uint32_t file_block, uint32_t max, bool unwritten,
                        struct ext4_run *run) {
  errno_t e = ext4_map(ino, file_block, max, run);
  if (e != 0)
    return e;
  if (run->block == 0)
    e = fill_hole(ino, file_block, unwritten, run);
  else if (run->unwritten && !unwritten)
    e = extent_mark_written(ino, file_block, run->count);
  else
    return 0;
  if (e == 0 && !unwritten)
    run->unwritten = false;
  errno_t kept = einode_dirty(ino); /* its tree may be another one although there was no room */
  return e == 0 ? kept : e;
}

errno_t ext4_unmap_from(struct einode *ino, uint32_t file_block) {
  struct ext4 *fs = ino->fs;
  bool done = false;
  errno_t e = 0;
  ino->goal = 0;
  if (!has_extents(ino))
    return blockmap_cut(ino, file_block);
  while (e == 0 && !done) {
    e = tx_extend(fs, EXTENT_CHANGE_BLOCKS);
    if (e == 0)
      e = extent_cut_last(ino, file_block, &done);
    if (e == 0)
      e = einode_dirty(ino);
  }
  return e;
}
