/*
 * Contents of files, changed: writing, truncating, allocating, and what the page cache asks for.
 *
 * A write copies into the page cache first and gives the pages blocks afterwards, in one handle
 * with the new size: so a crash never shows a size without blocks, nor blocks that were never
 * written, because tx_order() has the pages on the disk before the transaction that shows them.
 *
 * Whoever changes the size or the blocks holds the inode's `content` lock throughout, and the file
 * system's for each handle; page faults take the latter alone. The program's memory is touched
 * without the file system's lock: it may be a file of this very file system.
 */
#include "fs/ext4/file.h"

#include "kernel/blkdev.h"
#include "kernel/heap.h"
#include "kernel/string.h"

#define WRITE_CHUNK_BYTES (256u << 10) /* how much is copied before blocks are sought for it */

static uint64_t size_max(const struct ext4 *fs) {
  return (uint64_t)UINT32_MAX << fs->block_shift;
}

/* ---- Blocks for pages ------------------------------------------------------------------------ */

/* Blocks for [from, to) of the file, whose pages are in the cache; *done says how far it came.
 * `size` (0: none) becomes the file's as its blocks come to be. In a handle; the lock. */
static errno_t allocate_range(struct einode *ino, uint64_t from, uint64_t to, uint64_t size,
                              uint64_t *done) {
  struct ext4 *fs = ino->fs;
  errno_t e = 0;
  *done = from;
  while (e == 0 && *done < to) {
    struct ext4_run run;
    uint32_t at = (uint32_t)(*done >> fs->block_shift);
    uint32_t end = (uint32_t)((to + fs->block_bytes - 1) >> fs->block_shift);
    e = tx_extend(fs, EXT4_MAP_BLOCKS);
    if (e == 0)
      e = ext4_map_create(ino, at, end - at, false, &run);
    if (e != 0)
      break;
    tx_order(fs, ino);
    *done = (uint64_t)(at + run.count) << fs->block_shift;
    if (*done > to)
      *done = to;
    if (size != 0 && *done > ino->size_bytes)
      ino->size_bytes = *done < size ? *done : size;
    e = einode_dirty(ino);
  }
  return e;
}

/* Blocks, size and times for the pages of [from, to); *done says how far it came. */
static errno_t settle_once(struct einode *ino, uint64_t from, uint64_t to, uint64_t *done) {
  struct ext4 *fs = ino->fs;
  *done = from;
  mutex_lock(&fs->lock);
  errno_t e = tx_begin(fs, EXT4_MAP_BLOCKS + 1);
  if (e == 0) {
    einode_set_times(ino, NULL, FILESTAT_MTIM_NOW);
    e = allocate_range(ino, from, to, to, done);
    tx_end(fs, e);
  }
  mutex_unlock(&fs->lock);
  return e;
}

/* A part of what was copied into pages got no blocks: there the file has a hole, or ends before. */
static void undo(struct einode *ino, uint64_t from, uint64_t to) {
  struct ext4 *fs = ino->fs;
  uint32_t at = (uint32_t)(from >> fs->block_shift);
  uint32_t end = (uint32_t)((to + fs->block_bytes - 1) >> fs->block_shift);
  while (at < end) {
    struct ext4_run run;
    mutex_lock(&fs->lock);
    errno_t e = ext4_map(ino, at, end - at, &run);
    mutex_unlock(&fs->lock);
    if (e != 0)
      break;
    if (run.block == 0 || run.unwritten)
      pagecache_zero(&ino->pages, (uint64_t)at << fs->block_shift,
                     (uint64_t)(at + run.count) << fs->block_shift);
    at += run.count;
  }
  if (ino->pages.size_bytes > ino->size_bytes)
    pagecache_resize(&ino->pages, ino->size_bytes);
}

/* Blocks for what was copied into the pages of [from, to). */
static errno_t settle(struct einode *ino, uint64_t from, uint64_t to, uint64_t *done) {
  errno_t e = settle_once(ino, from, to, done);
  if (e == ENOSPC && ext4_room_by_commit(ino->fs))
    e = settle_once(ino, *done, to, done);
  if (e != 0)
    undo(ino, *done, to);
  return e;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static errno_t write_chunk(struct einode *ino, struct uio *uio, uint64_t *at) {
  size_t all = uio->resid;
  size_t n = all < WRITE_CHUNK_BYTES ? all : WRITE_CHUNK_BYTES;
  uio->resid = n;
  errno_t e = pagecache_write(&ino->pages, uio, *at);
  size_t copied = n - uio->resid;
  uint64_t done;
  uio->resid = all - copied;
  if (copied == 0)
    return e;
  errno_t settled = settle(ino, *at, *at + copied, &done);
  uio->resid += (size_t)(*at + copied - done);
  *at = done;
  return settled != 0 ? settled : e;
}

/* Whoever makes the page that is one too many in memory waits for the disk: for the file's own, and
 * if that is not enough for all of the file system. */
static errno_t relieve(struct einode *ino) {
  errno_t e = pagecache_too_dirty() ? ext4_file_writeback(ino) : 0;
  return e == 0 && pagecache_too_dirty() ? journal_commit(ino->fs) : e;
}

errno_t ext4_file_write(struct einode *ino, struct uio *uio, filesize_t offset, bool append,
                        filesize_t *end) {
  const size_t wanted = uio->resid;
  size_t beyond = 0; /* of it, what would lie behind the largest offset */
  errno_t e = 0;
  if (ino->fs->read_only || ino->fs->failed)
    return EROFS;
  mutex_lock(&ino->content);
  uint64_t at = append ? ino->size_bytes : offset;
  uint64_t room = at < size_max(ino->fs) ? size_max(ino->fs) - at : 0;
  if (wanted > room)
    beyond = wanted - (size_t)room;
  uio->resid -= beyond;
  if (uio->resid == 0 && beyond > 0)
    e = EFBIG;
  while (e == 0 && uio->resid > 0) {
    size_t before = uio->resid;
    e = write_chunk(ino, uio, &at);
    if (uio->resid == before)
      break;
    if (e == 0)
      e = relieve(ino);
  }
  uio->resid += beyond;
  *end = at;
  mutex_unlock(&ino->content);
  return uio->resid < wanted ? 0 : e;
}

/* ---- Sizes ----------------------------------------------------------------------------------- */

errno_t ext4_truncate_finish(struct einode *ino) {
  struct ext4 *fs = ino->fs;
  uint64_t blocks = (ino->size_bytes + fs->block_bytes - 1) >> fs->block_shift;
  errno_t e = tx_begin(fs, EXT4_MAP_BLOCKS);
  if (e != 0)
    return e;
  e = ext4_unmap_from(ino, (uint32_t)blocks);
  if (e == 0)
    e = tx_extend(fs, 4);
  if (e == 0 && ino->links > 0) /* else it stays one, until it is deleted */
    e = orphan_remove(ino);
  tx_end(fs, e);
  return e;
}

errno_t ext4_pages_cut(struct einode *ino, uint64_t size_bytes) {
  if (tx_ordering(ino->fs))
    ext4_file_writeback(ino); /* the commit finds out by itself if the disk fails */
  errno_t e = pagecache_resize(&ino->pages, size_bytes);
  mutex_lock(&ino->writing);
  mutex_unlock(&ino->writing);
  return e;
}

/* The new size; if it is less, with the promise to free what lies behind it. */
static errno_t size_put(struct einode *ino, uint64_t size_bytes) {
  struct ext4 *fs = ino->fs;
  bool shorter = size_bytes < ino->size_bytes;
  mutex_lock(&fs->lock);
  errno_t e = tx_begin(fs, 4);
  if (e == 0) {
    einode_set_times(ino, NULL, FILESTAT_MTIM_NOW);
    ino->size_bytes = size_bytes;
    e = shorter ? orphan_add(ino) : einode_dirty(ino);
    tx_order(fs, ino); /* the rest of the last page is zero */
    tx_end(fs, e);
  }
  mutex_unlock(&fs->lock);
  return e;
}

static errno_t grow(struct einode *ino, uint64_t size_bytes) {
  errno_t e = pagecache_resize(&ino->pages, size_bytes);
  return e == 0 ? size_put(ino, size_bytes) : e;
}

static errno_t shrink(struct einode *ino, uint64_t size_bytes) {
  struct ext4 *fs = ino->fs;
  errno_t e = size_put(ino, size_bytes);
  if (e != 0)
    return e;
  errno_t cut = ext4_pages_cut(ino, size_bytes);
  mutex_lock(&fs->lock);
  e = ext4_truncate_finish(ino);
  mutex_unlock(&fs->lock);
  return e == 0 ? cut : e;
}

errno_t ext4_file_truncate(struct einode *ino, uint64_t size_bytes) {
  struct ext4 *fs = ino->fs;
  if (fs->read_only || fs->failed)
    return EROFS;
  if (size_bytes > size_max(fs))
    return EFBIG;
  mutex_lock(&ino->content);
  errno_t e = size_bytes < ino->size_bytes ? shrink(ino, size_bytes) : grow(ino, size_bytes);
  mutex_unlock(&ino->content);
  return e;
}

/* ---- fallocate ------------------------------------------------------------------------------- */

/* Files without extents have no unwritten blocks: theirs are zeroed in the page cache. */
static errno_t allocate_zeroes(struct einode *ino, uint64_t from, uint64_t to) {
  uint64_t done;
  for (uint64_t at = from & ~(PAGE_SIZE - 1); at < to; at += PAGE_SIZE) {
    void *page;
    errno_t e = pagecache_get(&ino->pages, at >> PAGE_SHIFT, true, &page);
    if (e != 0)
      return e;
    pagecache_dirty(&ino->pages, at >> PAGE_SHIFT);
    e = settle(ino, at < from ? from : at, at + PAGE_SIZE < to ? at + PAGE_SIZE : to, &done);
    if (e != 0)
      return e;
  }
  return 0;
}

static errno_t allocate_unwritten(struct einode *ino, uint64_t from, uint64_t to) {
  struct ext4 *fs = ino->fs;
  uint32_t at = (uint32_t)(from >> fs->block_shift);
  uint32_t end = (uint32_t)((to + fs->block_bytes - 1) >> fs->block_shift);
  mutex_lock(&fs->lock);
  errno_t e = tx_begin(fs, EXT4_MAP_BLOCKS);
  if (e != 0) {
    mutex_unlock(&fs->lock);
    return e;
  }
  while (e == 0 && at < end) {
    struct ext4_run run;
    e = tx_extend(fs, EXT4_MAP_BLOCKS);
    if (e == 0)
      e = ext4_map_create(ino, at, end - at, true, &run);
    if (e == 0)
      at += run.count;
  }
  if (e == 0)
    e = tx_extend(fs, 1);
  if (e == 0 && to > ino->size_bytes) {
    ino->size_bytes = to;
    einode_set_times(ino, NULL, FILESTAT_MTIM_NOW);
    e = einode_dirty(ino);
  }
  tx_end(fs, e);
  mutex_unlock(&fs->lock);
  return e;
}

errno_t ext4_file_allocate(struct einode *ino, filesize_t offset, filesize_t len) {
  struct ext4 *fs = ino->fs;
  errno_t e;
  if (fs->read_only || fs->failed)
    return EROFS;
  if (offset > size_max(fs) || len > size_max(fs) - offset)
    return EFBIG;
  mutex_lock(&ino->content);
  if ((ino->disk.i_flags & EXT4_EXTENTS_FL) == 0) {
    e = allocate_zeroes(ino, offset, offset + len);
  } else {
    e = allocate_unwritten(ino, offset, offset + len);
    if (e == ENOSPC && ext4_room_by_commit(fs))
      e = allocate_unwritten(ino, offset, offset + len);
  }
  if (e == 0 && ino->size_bytes > ino->pages.size_bytes)
    e = pagecache_resize(&ino->pages, ino->size_bytes);
  mutex_unlock(&ino->content);
  return e;
}

/* ---- What the page cache asks for ------------------------------------------------------------ */

/* Blocks for a mapped page. */
static errno_t settle_page(struct einode *ino, uint64_t from) {
  struct ext4 *fs = ino->fs;
  uint64_t done;
  mutex_lock(&fs->lock);
  errno_t e = tx_begin(fs, EXT4_MAP_BLOCKS + 1);
  if (e == 0) {
    uint64_t to = from + PAGE_SIZE < ino->size_bytes ? from + PAGE_SIZE : ino->size_bytes;
    einode_set_times(ino, NULL, FILESTAT_MTIM_NOW);
    e = allocate_range(ino, from, to, 0, &done);
    tx_end(fs, e);
  }
  mutex_unlock(&fs->lock);
  return e;
}

/* A mapped page is about to be written to. Nothing sleeps after tx_order(), so that the page is
 * marked before that transaction's commit looks for it. */
static errno_t page_dirty(struct pagecache *pc, uint64_t index) {
  struct einode *ino = container_of(pc, struct einode, pages);
  uint64_t from = index << PAGE_SHIFT;
  errno_t e = relieve(ino);
  if (e == 0)
    e = settle_page(ino, from);
  if (e == ENOSPC && ext4_room_by_commit(ino->fs))
    e = settle_page(ino, from);
  return e;
}

/* Writes pages to their blocks. What has none is a hole, or gets it from the write that is under
 * way. */
static errno_t pages_write(struct pagecache *pc, uint64_t index, void **pages, unsigned n,
                           unsigned *whole) {
  struct einode *ino = container_of(pc, struct einode, pages);
  struct ext4 *fs = ino->fs;
  const unsigned per_page_shift = PAGE_SHIFT - fs->block_shift;
  const uint64_t first = index << per_page_shift;
  const uint64_t end = (pc->size_bytes + fs->block_bytes - 1) >> fs->block_shift;
  uint32_t count = n << per_page_shift;
  if (first >= end)
    return 0;
  if (count > end - first)
    count = (uint32_t)(end - first);
  for (uint32_t i = 0; i < count;) {
    struct ext4_run run;
    errno_t e = ext4_find_run(ino, (uint32_t)first + i, count - i, &run);
    if (e == 0 && run.block != 0 && !run.unwritten)
      e = ext4_move(fs, BLK_WRITE, &run, pages, i);
    else if (e == 0 && mutex_locked(&ino->content) && *whole > i >> per_page_shift)
      *whole = i >> per_page_shift;
    if (e != 0)
      return e;
    i += run.count;
  }
  return 0;
}

static errno_t page_sync(struct pagecache *pc, uint64_t offset, uint64_t len) {
  struct einode *ino = container_of(pc, struct einode, pages);
  (void)offset;
  (void)len;
  return ext4_file_sync(ino);
}

/* The last mapping went. */
static void pages_unmapped(struct pagecache *pc) {
  struct einode *ino = container_of(pc, struct einode, pages);
  if (ino->vnode.refs == 0)
    ext4_release(&ino->vnode);
}

static void pages_destroy(struct pagecache *pc) {
  kfree(container_of(pc, struct einode, pages));
}

const struct pagecache_ops ext4_pagecache_ops = {
    .fill = ext4_pages_fill,
    .dirty = page_dirty,
    .write = pages_write,
    .sync = page_sync,
    .alone = pages_unmapped,
    .destroy = pages_destroy,
};

/* ---- Durability ------------------------------------------------------------------------------ */

/* One at a time: who finds no dirty page has them on the disk, not on somebody's way there. */
errno_t ext4_file_writeback(struct einode *ino) {
  mutex_lock(&ino->writing);
  errno_t e = pagecache_writeback(&ino->pages);
  mutex_unlock(&ino->writing);
  return e;
}

errno_t ext4_file_sync(struct einode *ino) {
  errno_t e = ext4_file_writeback(ino);
  return e == 0 ? journal_commit(ino->fs) : e;
}
