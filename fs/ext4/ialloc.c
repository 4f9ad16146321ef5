/*
 * The inode allocator: which numbers are in use, and the directories a group has.
 *
 * Files go to their directory's group, new directories to the next group with room from there on.
 * The inode table of a group that nobody used yet isn't zero on the disk; bg_itable_unused tells
 * from where. The lock; inside a handle.
 */
#include "fs/ext4/balloc.h"
#include "fs/ext4/csum.h"
#include "kernel/string.h"

static uint32_t join(const struct ext4 *fs, uint16_t lo, uint16_t hi) {
  return lo | (fs->group_bytes >= 64 ? (uint32_t)hi << 16 : 0);
}

/* A 32-bit counter in its two halves. */
#define COUNTER_GET(fs, g, name) join(fs, (g)->bg_##name##_lo, (g)->bg_##name##_hi)
#define COUNTER_SET(fs, g, name, value)                  \
  do {                                                   \
    uint32_t counter_v = (value);                        \
    (g)->bg_##name##_lo = (uint16_t)counter_v;           \
    if ((fs)->group_bytes >= 64)                         \
      (g)->bg_##name##_hi = (uint16_t)(counter_v >> 16); \
  } while (0)

struct inode_bitmap {
  uint32_t group;
  struct ext4_group *desc;
  struct buf *desc_buf, *map;
};

static void bitmap_csum_set(const struct ext4 *fs, struct ext4_group *g, const uint8_t *map) {
  if (!fs->csum)
    return;
  uint32_t crc = csum_bitmap(fs, map, fs->super.s_inodes_per_group / 8);
  g->bg_inode_bitmap_csum_lo = (uint16_t)crc;
  if (fs->group_bytes >= 64)
    g->bg_inode_bitmap_csum_hi = (uint16_t)(crc >> 16);
}

static bool bitmap_csum_ok(const struct ext4 *fs, const struct ext4_group *g, const uint8_t *map) {
  if (!fs->csum)
    return true;
  uint32_t crc = csum_bitmap(fs, map, fs->super.s_inodes_per_group / 8);
  return g->bg_inode_bitmap_csum_lo == (uint16_t)crc &&
         (fs->group_bytes < 64 || g->bg_inode_bitmap_csum_hi == crc >> 16);
}

static errno_t bitmap_begin(struct ext4 *fs, struct inode_bitmap *ib) {
  const uint32_t inodes = fs->super.s_inodes_per_group;
  errno_t e = buf_new(&fs->cache, group_inode_bitmap(fs, ib->desc), BUF_BITMAP, &ib->map);
  if (e != 0)
    return e;
  bitmap_set(ib->map->data, inodes, fs->block_bytes * 8 - inodes, true);
  ib->desc->bg_flags &= (uint16_t)~EXT4_GROUP_INODE_UNINIT;
  bitmap_csum_set(fs, ib->desc, ib->map->data);
  tx_dirty(fs, ib->map);
  ext4_group_dirty(fs, ib->group, ib->desc, ib->desc_buf);
  return 0;
}

static errno_t bitmap_load(struct ext4 *fs, struct inode_bitmap *ib) {
  if ((ib->desc->bg_flags & EXT4_GROUP_INODE_UNINIT) != 0)
    return bitmap_begin(fs, ib);
  errno_t e = buf_read(&fs->cache, group_inode_bitmap(fs, ib->desc), BUF_BITMAP, &ib->map);
  if (e != 0 || ib->map->verified)
    return e;
  if (!bitmap_csum_ok(fs, ib->desc, ib->map->data))
    return ext4_corrupt(fs, 0, ib->map->block, "a damaged inode bitmap");
  ib->map->verified = true;
  return 0;
}

static void bitmap_put(struct inode_bitmap *ib) {
  buf_put(ib->map);
  buf_put(ib->desc_buf);
}

static errno_t bitmap_get(struct ext4 *fs, uint32_t group, struct inode_bitmap *ib) {
  *ib = (struct inode_bitmap){.group = group};
  errno_t e = ext4_group_get(fs, group, &ib->desc, &ib->desc_buf);
  if (e == 0)
    e = bitmap_load(fs, ib);
  if (e != 0)
    bitmap_put(ib);
  return e;
}

errno_t group_inode_map(struct ext4 *fs, uint32_t group, uint8_t *map) {
  struct inode_bitmap ib = {.group = group};
  errno_t e = ext4_group_get(fs, group, &ib.desc, &ib.desc_buf);
  if (e != 0)
    return e;
  bool unused = (ib.desc->bg_flags & EXT4_GROUP_INODE_UNINIT) != 0;
  memset(map, 0, fs->block_bytes);
  if (!unused)
    e = bitmap_load(fs, &ib);
  if (e == 0 && !unused)
    memcpy(map, ib.map->data, fs->block_bytes);
  bitmap_put(&ib);
  return e;
}

static errno_t counters_change(struct ext4 *fs, struct inode_bitmap *ib, bool use, bool directory) {
  struct ext4_group *g = ib->desc;
  uint32_t step = use ? 1 : UINT32_MAX; /* or back */
  COUNTER_SET(fs, g, free_inodes_count, COUNTER_GET(fs, g, free_inodes_count) - step);
  if (directory)
    COUNTER_SET(fs, g, used_dirs_count, COUNTER_GET(fs, g, used_dirs_count) + step);
  fs->super.s_free_inodes_count -= step;
  bitmap_csum_set(fs, g, ib->map->data);
  tx_dirty(fs, ib->map);
  ext4_group_dirty(fs, ib->group, g, ib->desc_buf);
  return ext4_super_dirty(fs);
}

/* ---- Allocating ------------------------------------------------------------------------------ */

/* From where on the group's table has never been used moves behind a new inode. */
static void table_used(const struct ext4 *fs, struct ext4_group *g, uint32_t index) {
  if (!fs->group_csum)
    return;
  uint32_t unused = COUNTER_GET(fs, g, itable_unused);
  uint32_t left = fs->super.s_inodes_per_group - index - 1;
  if (unused > left)
    COUNTER_SET(fs, g, itable_unused, left);
}

static errno_t alloc_in(struct ext4 *fs, uint32_t group, bool directory, uint32_t *ino) {
  struct inode_bitmap ib;
  const uint32_t inodes = fs->super.s_inodes_per_group;
  uint32_t first = fs->super.s_rev_level == 0 ? EXT4_FIRST_INO_OLD : fs->super.s_first_ino;
  errno_t e = bitmap_get(fs, group, &ib);
  if (e != 0)
    return e;
  uint32_t index = bitmap_find_clear(ib.map->data, group == 0 ? first - 1 : 0, inodes);
  if (index == inodes) {
    e = ext4_corrupt(fs, 0, ib.map->block, "a group with fewer free inodes than it says");
  } else {
    bitmap_set(ib.map->data, index, 1, true);
    table_used(fs, ib.desc, index);
    e = counters_change(fs, &ib, true, directory);
    *ino = group * inodes + index + 1;
  }
  bitmap_put(&ib);
  return e;
}

static errno_t group_has_free(struct ext4 *fs, uint32_t group, bool *yes) {
  struct ext4_group *g;
  struct buf *b;
  errno_t e = ext4_group_get(fs, group, &g, &b);
  if (e != 0)
    return e;
  *yes = COUNTER_GET(fs, g, free_inodes_count) > 0;
  buf_put(b);
  return 0;
}

errno_t ext4_alloc_inode(struct ext4 *fs, uint32_t parent, uint16_t mode, uint32_t *ino) {
  bool directory = (mode & EXT4_S_IFMT) == EXT4_S_IFDIR;
  uint32_t group = (parent - 1) / fs->super.s_inodes_per_group;
  if (directory && group + 1 < fs->groups)
    group++;
  for (uint32_t i = 0; i < fs->groups; i++) {
    bool some;
    errno_t e = group_has_free(fs, group, &some);
    if (e != 0)
      return e;
    if (some)
      return alloc_in(fs, group, directory, ino);
    group = group + 1 < fs->groups ? group + 1 : 0;
  }
  return ENOSPC;
}

/* ---- Freeing --------------------------------------------------------------------------------- */

errno_t ext4_free_inode(struct ext4 *fs, uint32_t ino, bool directory) {
  struct inode_bitmap ib;
  uint32_t index = (ino - 1) % fs->super.s_inodes_per_group;
  errno_t e = bitmap_get(fs, (ino - 1) / fs->super.s_inodes_per_group, &ib);
  if (e != 0)
    return e;
  if ((ib.map->data[index / 8] >> index % 8 & 1) == 0) {
    e = ext4_corrupt(fs, ino, ib.map->block, "an inode that was free already");
  } else {
    bitmap_set(ib.map->data, index, 1, false);
    e = counters_change(fs, &ib, false, directory);
  }
  bitmap_put(&ib);
  return e;
}
