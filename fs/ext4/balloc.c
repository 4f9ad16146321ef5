/*
 * The block allocator: bitmaps of the groups, and the counters that go with them.
 *
 * A run of free blocks is searched from the goal on, group by group and round once. Blocks that a
 * transaction freed are passed over until it is committed, although the bitmap says they are free.
 * The lock; inside a handle.
 */
#include "fs/ext4/balloc.h"

#include "fs/ext4/csum.h"
#include "kernel/string.h"

#define RUN_WANTED_MAX 32768

uint64_t group_first_block(const struct ext4 *fs, uint32_t group) {
  return fs->super.s_first_data_block + (uint64_t)group * fs->super.s_blocks_per_group;
}

uint32_t group_blocks(const struct ext4 *fs, uint32_t group) {
  uint64_t left = fs->blocks - group_first_block(fs, group);
  return left < fs->super.s_blocks_per_group ? (uint32_t)left : fs->super.s_blocks_per_group;
}

static uint32_t group_of(const struct ext4 *fs, uint64_t block) {
  return (uint32_t)((block - fs->super.s_first_data_block) / fs->super.s_blocks_per_group);
}

/* ---- Bits ------------------------------------------------------------------------------------ */

static bool bit_get(const uint8_t *map, uint32_t i) {
  return (map[i / 8] >> i % 8 & 1) != 0;
}

void bitmap_set(uint8_t *map, uint32_t from, uint32_t count, bool value) {
  for (uint32_t i = from; i < from + count; i++) {
    if (value)
      map[i / 8] |= (uint8_t)(1u << i % 8);
    else
      map[i / 8] &= (uint8_t) ~(1u << i % 8);
  }
}

/* The first clear bit of [from, end), or end. */
uint32_t bitmap_find_clear(const uint8_t *map, uint32_t from, uint32_t end) {
  while (from < end) {
    uint64_t word;
    if (from % 64 == 0 && end - from >= 64) {
      memcpy(&word, map + from / 8, sizeof word);
      if (word != UINT64_MAX)
        return from + (uint32_t)__builtin_ctzll(~word);
      from += 64;
    } else if (bit_get(map, from)) {
      from++;
    } else {
      return from;
    }
  }
  return end;
}

/* ---- Bitmaps --------------------------------------------------------------------------------- */

uint32_t group_free_blocks(const struct ext4 *fs, const struct ext4_group *g) {
  return g->bg_free_blocks_count_lo |
         (fs->group_bytes >= 64 ? (uint32_t)g->bg_free_blocks_count_hi << 16 : 0);
}

static void group_set_free_blocks(const struct ext4 *fs, struct ext4_group *g, uint32_t n) {
  g->bg_free_blocks_count_lo = (uint16_t)n;
  if (fs->group_bytes >= 64)
    g->bg_free_blocks_count_hi = (uint16_t)(n >> 16);
}

static void mark_if_inside(const struct ext4 *fs, uint8_t *map, uint32_t group, uint64_t block,
                           uint32_t count) {
  uint64_t first = group_first_block(fs, group), end = first + group_blocks(fs, group);
  for (uint64_t b = block; b < block + count; b++)
    if (b >= first && b < end)
      bitmap_set(map, (uint32_t)(b - first), 1, true);
}

static bool is_power_of(uint32_t n, uint32_t base) {
  while (n > 1 && n % base == 0)
    n /= base;
  return n == 1;
}

/* Whether a group begins with a copy of the superblock and the descriptors. */
static bool has_super(const struct ext4 *fs, uint32_t group) {
  if ((fs->super.s_feature_compat & EXT4_COMPAT_SPARSE_SUPER2) != 0)
    return group == 0 || group == fs->super.s_backup_bgs[0] || group == fs->super.s_backup_bgs[1];
  if (group <= 1 || (fs->super.s_feature_ro_compat & EXT4_RO_SPARSE_SUPER) == 0)
    return true;
  return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

errno_t group_metadata_map(struct ext4 *fs, uint32_t group, uint8_t *map) {
  const uint32_t per_block = fs->block_bytes / fs->group_bytes;
  uint32_t table = (fs->groups + per_block - 1) / per_block + fs->super.s_reserved_gdt_blocks;
  memset(map, 0, fs->block_bytes);
  if (has_super(fs, group))
    bitmap_set(map, 0, 1 + table, true);
  uint32_t flex = 1u << fs->super.s_log_groups_per_flex;
  uint32_t from = flex > 1 ? group / flex * flex : group;
  for (uint32_t i = from; i < from + flex && i < fs->groups; i++) {
    struct ext4_group *g;
    struct buf *b;
    uint64_t inodes;
    errno_t e = ext4_group_inode_table(fs, i, &inodes);
    if (e == 0)
      e = ext4_group_get(fs, i, &g, &b);
    if (e != 0)
      return e;
    mark_if_inside(fs, map, group, group_block_bitmap(fs, g), 1);
    mark_if_inside(fs, map, group, group_inode_bitmap(fs, g), 1);
    mark_if_inside(fs, map, group, inodes,
                   fs->super.s_inodes_per_group / (fs->block_bytes / fs->inode_bytes));
    buf_put(b);
  }
  uint32_t blocks = group_blocks(fs, group); /* behind the end of the last group all is in use */
  bitmap_set(map, blocks, fs->block_bytes * 8 - blocks, true);
  return 0;
}

static bool bitmap_csum_ok(const struct ext4 *fs, const struct ext4_group *g, const uint8_t *map) {
  if (!fs->csum)
    return true;
  uint32_t crc = csum_bitmap(fs, map, fs->super.s_blocks_per_group / 8);
  return g->bg_block_bitmap_csum_lo == (uint16_t)crc &&
         (fs->group_bytes < 64 || g->bg_block_bitmap_csum_hi == crc >> 16);
}

static void bitmap_csum_set(const struct ext4 *fs, struct ext4_group *g, const uint8_t *map) {
  if (!fs->csum)
    return;
  uint32_t crc = csum_bitmap(fs, map, fs->super.s_blocks_per_group / 8);
  g->bg_block_bitmap_csum_lo = (uint16_t)crc;
  if (fs->group_bytes >= 64)
    g->bg_block_bitmap_csum_hi = (uint16_t)(crc >> 16);
}

/* A group's descriptor and block bitmap; the caller puts both back. */
struct group_bitmap {
  uint32_t group;
  struct ext4_group *desc;
  struct buf *desc_buf, *map;
};

/* The first use of a group's bitmap, which changes it on the disk. */
static errno_t bitmap_begin(struct ext4 *fs, struct group_bitmap *gb) {
  errno_t e = buf_new(&fs->cache, group_block_bitmap(fs, gb->desc), BUF_BITMAP, &gb->map);
  if (e == 0)
    e = group_metadata_map(fs, gb->group, gb->map->data);
  if (e != 0)
    return e;
  gb->desc->bg_flags &= (uint16_t)~EXT4_GROUP_BLOCK_UNINIT;
  bitmap_csum_set(fs, gb->desc, gb->map->data);
  tx_dirty(fs, gb->map);
  ext4_group_dirty(fs, gb->group, gb->desc, gb->desc_buf);
  return 0;
}

static errno_t bitmap_load(struct ext4 *fs, struct group_bitmap *gb) {
  if ((gb->desc->bg_flags & EXT4_GROUP_BLOCK_UNINIT) != 0)
    return bitmap_begin(fs, gb);
  errno_t e = buf_read(&fs->cache, group_block_bitmap(fs, gb->desc), BUF_BITMAP, &gb->map);
  if (e != 0 || gb->map->verified)
    return e;
  if (!bitmap_csum_ok(fs, gb->desc, gb->map->data))
    return ext4_corrupt(fs, 0, gb->map->block, "a damaged block bitmap");
  gb->map->verified = true;
  return 0;
}

static void bitmap_put(struct group_bitmap *gb) {
  buf_put(gb->map);
  buf_put(gb->desc_buf);
}

static errno_t bitmap_get(struct ext4 *fs, uint32_t group, struct group_bitmap *gb) {
  *gb = (struct group_bitmap){.group = group};
  errno_t e = ext4_group_get(fs, group, &gb->desc, &gb->desc_buf);
  if (e == 0)
    e = bitmap_load(fs, gb);
  if (e != 0)
    bitmap_put(gb);
  return e;
}

errno_t group_block_map(struct ext4 *fs, uint32_t group, uint8_t *map) {
  struct group_bitmap gb = {.group = group};
  errno_t e = ext4_group_get(fs, group, &gb.desc, &gb.desc_buf);
  if (e != 0)
    return e;
  bool unused = (gb.desc->bg_flags & EXT4_GROUP_BLOCK_UNINIT) != 0;
  e = unused ? group_metadata_map(fs, group, map) : bitmap_load(fs, &gb);
  if (e == 0 && !unused)
    memcpy(map, gb.map->data, fs->block_bytes);
  bitmap_put(&gb);
  return e;
}

/* Marks blocks of the group, and keeps all counters and checksums in step. */
static errno_t bitmap_change(struct ext4 *fs, struct group_bitmap *gb, uint32_t from,
                             uint32_t count, bool use) {
  uint32_t free_blocks = group_free_blocks(fs, gb->desc);
  bitmap_set(gb->map->data, from, count, use);
  group_set_free_blocks(fs, gb->desc, use ? free_blocks - count : free_blocks + count);
  bitmap_csum_set(fs, gb->desc, gb->map->data);
  tx_dirty(fs, gb->map);
  ext4_group_dirty(fs, gb->group, gb->desc, gb->desc_buf);
  fs->free_blocks = use ? fs->free_blocks - count : fs->free_blocks + count;
  return ext4_super_dirty(fs);
}

/* ---- Allocating ------------------------------------------------------------------------------ */

/* A run of blocks free and reusable in [from, end) of the group, up to `wanted`; 0: none. */
static uint32_t find_run(struct ext4 *fs, const struct group_bitmap *gb, uint32_t from,
                         uint32_t end, uint32_t wanted, uint32_t *at) {
  const uint8_t *map = gb->map->data;
  uint64_t first = group_first_block(fs, gb->group);
  for (;;) {
    from = bitmap_find_clear(map, from, end);
    if (from == end)
      return 0;
    uint32_t n = 1;
    while (n < wanted && from + n < end && !bit_get(map, from + n))
      n++;
    uint64_t busy = 0, usable = tx_reusable(fs, first + from, n, &busy);
    if (usable > 0) {
      *at = from;
      return (uint32_t)usable;
    }
    from = busy < end - from ? from + (uint32_t)busy : end;
  }
}

/* Takes a run from one group. *count 0: it has none. */
static errno_t alloc_in(struct ext4 *fs, uint32_t group, uint32_t from, uint64_t *block,
                        uint32_t *count) {
  struct group_bitmap gb;
  uint32_t wanted = *count, at = 0;
  *count = 0;
  errno_t e = bitmap_get(fs, group, &gb);
  if (e != 0)
    return e;
  uint32_t end = group_blocks(fs, group);
  uint32_t n = find_run(fs, &gb, from, end, wanted, &at);
  if (n == 0 && from > 0)
    n = find_run(fs, &gb, 0, from, wanted, &at);
  if (n > group_free_blocks(fs, gb.desc))
    e = ext4_corrupt(fs, 0, gb.map->block, "a block bitmap with more free blocks than its group");
  else if (n > 0)
    e = bitmap_change(fs, &gb, at, n, true);
  if (e == 0 && n > 0) {
    *block = group_first_block(fs, group) + at;
    *count = n;
  }
  bitmap_put(&gb);
  return e;
}

static errno_t group_has_free(struct ext4 *fs, uint32_t group, bool *yes) {
  struct ext4_group *g;
  struct buf *b;
  errno_t e = ext4_group_get(fs, group, &g, &b);
  if (e != 0)
    return e;
  *yes = group_free_blocks(fs, g) > 0;
  buf_put(b);
  return 0;
}

errno_t ext4_alloc_blocks(struct ext4 *fs, uint64_t goal, uint64_t *block, uint32_t *count) {
  uint32_t wanted = *count < RUN_WANTED_MAX ? *count : RUN_WANTED_MAX;
  if (fs->free_blocks <= fs->reserved_blocks)
    return ENOSPC;
  if (wanted > fs->free_blocks - fs->reserved_blocks)
    wanted = (uint32_t)(fs->free_blocks - fs->reserved_blocks);
  if (goal < fs->super.s_first_data_block || goal >= fs->blocks)
    goal = fs->super.s_first_data_block;
  uint32_t group = group_of(fs, goal);
  uint32_t from = (uint32_t)(goal - group_first_block(fs, group));
  for (uint32_t i = 0; i < fs->groups; i++) {
    bool some;
    errno_t e = group_has_free(fs, group, &some);
    *count = wanted;
    if (e == 0 && some)
      e = alloc_in(fs, group, from, block, count);
    if (e != 0 || (some && *count > 0))
      return e;
    group = group + 1 < fs->groups ? group + 1 : 0;
    from = 0;
  }
  *count = 0;
  return ENOSPC;
}

/* ---- Freeing --------------------------------------------------------------------------------- */

/* Blocks of one group. */
static errno_t free_in(struct ext4 *fs, uint32_t ino, uint32_t group, uint32_t from,
                       uint32_t count) {
  struct group_bitmap gb;
  errno_t e = bitmap_get(fs, group, &gb);
  if (e != 0)
    return e;
  for (uint32_t i = from; e == 0 && i < from + count; i++)
    if (!bit_get(gb.map->data, i))
      e = ext4_corrupt(fs, ino, group_first_block(fs, group) + i, "a block that was free already");
  if (e == 0)
    e = bitmap_change(fs, &gb, from, count, false);
  bitmap_put(&gb);
  return e;
}

errno_t ext4_free_blocks(struct ext4 *fs, uint32_t ino, uint64_t block, uint32_t count,
                         bool metadata) {
  if (block <= fs->super.s_first_data_block || block >= fs->blocks || count > fs->blocks - block)
    return ext4_corrupt(fs, ino, block, "blocks outside of the file system");
  errno_t e = metadata ? tx_forget(fs, block, count) : 0;
  while (e == 0 && count > 0) {
    uint32_t group = group_of(fs, block);
    uint32_t from = (uint32_t)(block - group_first_block(fs, group));
    uint32_t n = fs->super.s_blocks_per_group - from;
    if (n > count)
      n = count;
    e = tx_freed(fs, block, n);
    if (e == 0)
      e = free_in(fs, ino, group, from, n);
    block += n;
    count -= n;
  }
  return e;
}
