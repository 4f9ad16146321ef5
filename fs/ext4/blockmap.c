/*
 * Block maps of ext2 and ext3, looked at: twelve blocks in the inode, then one, two and three
 * levels of blocks full of block numbers. The lock.
 */
#include "fs/ext4/blockmap.h"

bool blockmap_path(const struct ext4 *fs, uint32_t at, struct blockmap_path *p) {
  const unsigned shift = fs->block_shift - 2; /* numbers in a block */
  const uint64_t mask = (1u << shift) - 1;
  uint64_t rest = at;
  *p = (struct blockmap_path){0};
  if (rest < BLOCKMAP_DIRECT) {
    p->index[0] = (uint32_t)rest;
    p->same = BLOCKMAP_DIRECT - (uint32_t)rest;
    return true;
  }
  rest -= BLOCKMAP_DIRECT;
  for (unsigned level = 1; level <= 3; level++) {
    uint64_t span = 1ull << (shift * level);
    if (rest >= span) {
      rest -= span;
      continue;
    }
    p->levels = level;
    p->index[0] = BLOCKMAP_DIRECT - 1 + level;
    for (unsigned i = 1; i <= level; i++)
      p->index[i] = (uint32_t)(rest >> (shift * (level - i)) & mask);
    p->same = (uint32_t)((1u << shift) - p->index[level]);
    return true;
  }
  return false;
}

errno_t blockmap_check(struct einode *ino, uint32_t block) {
  if (block < ino->fs->blocks && block > ino->fs->super.s_first_data_block)
    return 0;
  return ext4_corrupt(ino->fs, ino->number, block, "a block map that leads outside");
}

/* How many numbers from n[0] on say the same thing: a hole, or blocks that follow each other. */
static uint32_t run_length(const uint32_t *n, uint32_t max) {
  uint32_t count = 1;
  while (count < max && n[count] == (n[0] == 0 ? 0 : n[0] + count))
    count++;
  return count;
}

errno_t blockmap_map(struct einode *ino, uint32_t at, uint32_t max, struct ext4_run *run) {
  struct blockmap_path p;
  struct buf *b = NULL;
  const uint32_t *numbers = ino->disk.i_block;
  *run = (struct ext4_run){0};
  if (!blockmap_path(ino->fs, at, &p)) {
    run->count = max;
    return 0;
  }
  if (max > p.same)
    max = p.same;
  for (unsigned level = 0; level < p.levels; level++) {
    uint32_t block = numbers[p.index[level]];
    buf_put(b);
    b = NULL;
    if (block == 0) { /* nothing below it */
      run->count = max;
      return 0;
    }
    errno_t e = blockmap_check(ino, block);
    if (e == 0)
      e = buf_read(&ino->fs->cache, block, BUF_NUMBERS, &b);
    if (e != 0)
      return e;
    numbers = (const uint32_t *)b->data;
  }
  numbers += p.index[p.levels];
  run->block = numbers[0];
  run->count = run_length(numbers, max);
  buf_put(b);
  if (run->block == 0)
    return 0;
  errno_t e = blockmap_check(ino, (uint32_t)run->block);
  return e == 0 ? blockmap_check(ino, (uint32_t)(run->block + run->count - 1)) : e;
}
