/*
 * Block maps of ext2 and ext3, changed: blocks entered, and given back from the end. The lock;
 * inside a handle.
 */
#include "fs/ext4/blockmap_change.h"

/* ---- Entering -------------------------------------------------------------------------------- */

/* A block of numbers in the place of a hole. */
static errno_t numbers_create(struct einode *ino, uint32_t *slot, struct buf **b) {
  struct ext4 *fs = ino->fs;
  uint64_t block;
  uint32_t one = 1;
  errno_t e = ext4_alloc_blocks(fs, einode_goal(ino), &block, &one);
  if (e != 0)
    return e;
  e = buf_new(&fs->cache, block, BUF_NUMBERS, b);
  if (e != 0) {
    ext4_free_blocks(fs, ino->number, block, 1, true);
    return e;
  }
  tx_dirty(fs, *b);
  *slot = (uint32_t)block;
  einode_blocks_add(ino, 1);
  return 0;
}

/* The block of numbers that a slot names, made if there is none; the slot lies in `above`, or
 * (NULL) in the inode. */
static errno_t numbers_get(struct einode *ino, uint32_t *slot, struct buf *above, struct buf **b) {
  if (*slot == 0) {
    errno_t e = numbers_create(ino, slot, b);
    if (e == 0 && above != NULL)
      tx_dirty(ino->fs, above);
    return e;
  }
  errno_t e = blockmap_check(ino, *slot);
  return e == 0 ? buf_read(&ino->fs->cache, *slot, BUF_NUMBERS, b) : e;
}

/* The slot of a file block, in *b or (NULL) in the inode. */
static errno_t slot_get(struct einode *ino, const struct blockmap_path *p, uint32_t **slot,
                        struct buf **b) {
  uint32_t *numbers = ino->disk.i_block;
  *b = NULL;
  for (unsigned level = 0; level < p->levels; level++) {
    struct buf *below;
    errno_t e = numbers_get(ino, &numbers[p->index[level]], *b, &below);
    buf_put(*b);
    *b = NULL;
    if (e != 0)
      return e;
    *b = below;
    numbers = (uint32_t *)below->data;
  }
  *slot = &numbers[p->index[p->levels]];
  return 0;
}

errno_t blockmap_fill(struct einode *ino, uint32_t at, uint32_t max, uint64_t *block,
                      uint32_t *count) {
  struct blockmap_path p;
  struct buf *b;
  uint32_t *slot, holes = 1;
  if (!blockmap_path(ino->fs, at, &p))
    return EFBIG;
  errno_t e = slot_get(ino, &p, &slot, &b);
  if (e != 0)
    return e;
  if (max > p.same)
    max = p.same;
  while (holes < max && slot[holes] == 0)
    holes++;
  *count = holes;
  e = ext4_alloc_blocks(ino->fs, einode_goal(ino), block, count);
  for (uint32_t i = 0; e == 0 && i < *count; i++)
    slot[i] = (uint32_t)(*block + i);
  if (e == 0) {
    einode_blocks_add(ino, *count);
    if (b != NULL)
      tx_dirty(ino->fs, b);
  }
  buf_put(b);
  return e;
}

/* ---- Giving back ----------------------------------------------------------------------------- */

/* A block, data or numbers, and its slot. Then there is room in the handle for another one. */
static errno_t slot_free(struct einode *ino, uint32_t *slot, struct buf *slot_buf, bool metadata) {
  errno_t e = blockmap_check(ino, *slot);
  if (e == 0)
    e = ext4_free_blocks(ino->fs, ino->number, *slot, 1, metadata);
  if (e != 0)
    return e;
  *slot = 0;
  if (slot_buf != NULL)
    tx_dirty(ino->fs, slot_buf);
  einode_blocks_add(ino, -1);
  e = einode_dirty(ino);
  return e == 0 ? tx_extend(ino->fs, BLOCKMAP_CHANGE_BLOCKS) : e;
}

/* What a slot leads to, `level` blocks of numbers below it, from `from` on; `base` is the first
 * file block there. */
static errno_t subtree_free(struct einode *ino, uint32_t *slot, struct buf *slot_buf,
                            unsigned level, uint64_t base, uint64_t from) {
  const unsigned shift = ino->fs->block_shift - 2;
  const bool metadata = level > 0 || ino->vnode.type != FILETYPE_REGULAR_FILE;
  const uint64_t span = 1ull << (shift * level);
  errno_t e = 0;
  if (*slot == 0 || base + span <= from)
    return 0;
  if (level > 0) {
    struct buf *b;
    e = blockmap_check(ino, *slot);
    if (e == 0)
      e = buf_read(&ino->fs->cache, *slot, BUF_NUMBERS, &b);
    if (e != 0)
      return e;
    const uint64_t below = span >> shift;
    for (uint32_t i = 1u << shift; e == 0 && i > 0; i--)
      e = subtree_free(ino, (uint32_t *)b->data + i - 1, b, level - 1, base + (i - 1) * below,
                       from);
    buf_put(b);
  }
  return e == 0 && base >= from ? slot_free(ino, slot, slot_buf, metadata) : e;
}

errno_t blockmap_cut(struct einode *ino, uint32_t from) {
  const unsigned shift = ino->fs->block_shift - 2;
  uint32_t *slots = ino->disk.i_block;
  uint64_t base[4] = {0, BLOCKMAP_DIRECT};
  errno_t e = 0;
  for (unsigned level = 2; level <= 3; level++)
    base[level] = base[level - 1] + (1ull << (shift * (level - 1)));
  for (unsigned level = 3; e == 0 && level >= 1; level--)
    e = subtree_free(ino, &slots[BLOCKMAP_DIRECT - 1 + level], NULL, level, base[level], from);
  for (uint32_t i = BLOCKMAP_DIRECT; e == 0 && i > 0; i--)
    e = subtree_free(ino, &slots[i - 1], NULL, 0, i - 1, from);
  return e;
}
