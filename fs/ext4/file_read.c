/*
 * From the disk into the page cache, and the way back that file.c goes with changed pages.
 *
 * Called by the page cache for pages that it does not hold, from system calls and page faults. The
 * lock is taken to find the blocks, and let go of while they are moved.
 */
#include "fs/ext4/extent.h"
#include "fs/ext4/file.h"
#include "kernel/blkdev.h"
#include "kernel/string.h"

errno_t ext4_move(struct ext4 *fs, enum blk_op op, const struct ext4_run *run, void **pages,
                  uint32_t at) {
  struct blk_seg segs[PAGECACHE_CLUSTER];
  unsigned nsegs = 0;
  uint64_t from = (uint64_t)at << fs->block_shift;
  uint64_t to = (uint64_t)(at + run->count) << fs->block_shift;
  while (from < to) {
    size_t skip = from & (PAGE_SIZE - 1), n = PAGE_SIZE - skip;
    if (n > to - from)
      n = to - from;
    segs[nsegs++] = (struct blk_seg){(char *)pages[from >> PAGE_SHIFT] + skip, n};
    from += n;
  }
  if (run->block != 0 && !run->unwritten)
    return blk_move(fs->dev, op, run->block << fs->block_shift, segs, nsegs);
  for (unsigned i = 0; i < nsegs; i++)
    memset(segs[i].data, 0, segs[i].len);
  return 0;
}

errno_t ext4_find_run(struct einode *ino, uint32_t block, uint32_t max, struct ext4_run *run) {
  if (extent_known(ino, block, max, run))
    return 0;
  mutex_lock(&ino->fs->lock);
  errno_t e = ext4_map(ino, block, max, run);
  mutex_unlock(&ino->fs->lock);
  return e;
}

errno_t ext4_pages_fill(struct pagecache *pc, uint64_t index, void **pages, unsigned n) {
  struct einode *ino = container_of(pc, struct einode, pages);
  struct ext4 *fs = ino->fs;
  const unsigned per_page_shift = PAGE_SHIFT - fs->block_shift;
  uint64_t first = index << per_page_shift;
  uint32_t count = n << per_page_shift;
  if (first >= UINT32_MAX) /* behind the largest file */
    return EIO;
  uint32_t most = UINT32_MAX - (uint32_t)first;
  if (count > most) {
    const struct ext4_run behind = {.count = count - most};
    ext4_move(fs, BLK_READ, &behind, pages, most); /* zeroes */
    count = most;
  }
  for (uint32_t i = 0; i < count;) {
    struct ext4_run run;
    errno_t e = ext4_find_run(ino, (uint32_t)first + i, count - i, &run);
    if (e == 0)
      e = ext4_move(fs, BLK_READ, &run, pages, i);
    if (e != 0)
      return e;
    i += run.count;
  }
  return 0;
}
