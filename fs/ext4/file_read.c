/*
 * From the disk into the page cache.
 *
 * Called by the page cache for a page that it does not hold, from system calls and page faults. The
 * lock is taken to find the blocks, and let go of while they are read.
 */
#include "fs/ext4/fs.h"
#include "kernel/blkdev.h"
#include "kernel/string.h"

/* Reads `count` blocks of the file, or zeroes where nothing was written. */
static errno_t read_run(struct ext4 *fs, const struct ext4_run *run, uint32_t count, void *to) {
  size_t n = (size_t)count << fs->block_shift;
  if (run->block != 0 && !run->unwritten)
    return blk_read(fs->dev, run->block << fs->block_shift, to, n);
  memset(to, 0, n);
  return 0;
}

errno_t ext4_page_fill(struct pagecache *pc, uint64_t index, void *page) {
  struct einode *ino = container_of(pc, struct einode, pages);
  struct ext4 *fs = ino->fs;
  const uint32_t per_page = (uint32_t)(PAGE_SIZE >> fs->block_shift);
  uint64_t first = index * per_page;
  if (first >= UINT32_MAX) /* behind the largest file */
    return EIO;
  uint32_t count = UINT32_MAX - (uint32_t)first;
  if (count >= per_page)
    count = per_page;
  else
    memset((char *)page + ((size_t)count << fs->block_shift), 0,
           (size_t)(per_page - count) << fs->block_shift);
  for (uint32_t i = 0; i < count;) {
    struct ext4_run run;
    mutex_lock(&fs->lock);
    errno_t e = ext4_map(ino, (uint32_t)first + i, count - i, &run);
    mutex_unlock(&fs->lock);
    if (e == 0)
      e = read_run(fs, &run, run.count, (char *)page + ((size_t)i << fs->block_shift));
    if (e != 0)
      return e;
    i += run.count;
  }
  return 0;
}
