/*
 * ext4tool check: every inode, block and bitmap.
 *
 * The kernel's own code reads the structures and tells what contradicts itself; here stands what
 * only shows when all is seen: whose the blocks are, whether the bitmaps and counters agree, how
 * many names an inode has. Each damage is a line with inode and block.
 */
#include "tools/ext4tool/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ext4/balloc.h"
#include "fs/ext4/blockmap.h"
#include "fs/ext4/extent.h"

#define RESIZE_INO 7 /* its blocks are those behind the group descriptors */
#define SECTOR_SHIFT 9

static struct check *checking;
static bool silent; /* an inode that need not be there is looked at */

void damage(struct check *c, uint32_t ino, uint64_t block, const char *format, ...) {
  va_list ap;
  c->damages++;
  printf("inode %u, block %llu: ", ino, (unsigned long long)block);
  va_start(ap, format);
  vprintf(format, ap);
  va_end(ap);
  printf("\n");
}

/* What the kernel's code tells: "ext4 disk0: inode …; it is read-only from now on: …". It goes on
 * as if nothing had been. */
static void heard(const char *line) {
  const char *from = strstr(line, "inode ");
  checking->fs->failed = false;
  if (silent)
    return;
  checking->damages++;
  from = from != NULL ? from : line;
  printf("%.*s\n", (int)strcspn(from, ";"), from);
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static bool bit(const uint8_t *map, uint64_t i) {
  return (map[i / 8] >> i % 8 & 1) != 0;
}

static void bit_set(uint8_t *map, uint64_t i) {
  map[i / 8] |= (uint8_t)(1u << i % 8);
}

static bool inside(const struct check *c, uint64_t block) {
  return block > c->fs->super.s_first_data_block && block < c->fs->blocks;
}

/* Blocks become an inode's. */
static void take(struct check *c, uint32_t ino, uint64_t block, uint64_t count) {
  for (; count > 0; block++, count--) {
    if (!inside(c, block))
      damage(c, ino, block, "a block outside of the file system");
    else if (bit(c->used, block))
      damage(c, ino, block, "a block that is somebody else's, too");
    else
      bit_set(c->used, block);
  }
}

/* An extent tree below a node; *blocks counts what it holds, its own nodes included. */
static void take_extents(struct check *c, struct einode *ino, const struct ext4_extent_header *h,
                         uint64_t *blocks) {
  for (unsigned i = 0; i < h->eh_entries; i++) {
    const struct ext4_extent *x = extent_first(h) + i;
    const struct ext4_extent_index *child = extent_first_index(h) + i;
    struct buf *b;
    if (h->eh_depth == 0) {
      take(c, ino->number, extent_start(x), extent_len(x));
      *blocks += extent_len(x);
      continue;
    }
    take(c, ino->number, extent_child(child), 1);
    ++*blocks;
    if (extent_node_read(ino, child, h->eh_depth - 1u, &b) != 0)
      continue;
    take_extents(c, ino, extent_node(b), blocks);
    buf_put(b);
  }
}

/* A block of a block map, and, above level 0, those whose numbers it has. */
static void take_numbers(struct check *c, struct einode *ino, uint32_t block, unsigned level,
                         uint64_t *blocks) {
  struct buf *b;
  if (block == 0)
    return;
  bool twice = inside(c, block) && bit(c->used, block);
  take(c, ino->number, block, 1);
  ++*blocks;
  if (level == 0 || twice || !inside(c, block) ||
      buf_read(&c->fs->cache, block, BUF_NUMBERS, &b) != 0)
    return;
  for (uint32_t i = 0; i < c->fs->block_bytes / 4; i++)
    take_numbers(c, ino, ((const uint32_t *)b->data)[i], level - 1, blocks);
  buf_put(b);
}

static void take_attributes(struct check *c, const struct einode *ino, uint64_t *blocks) {
  uint64_t block = ino->disk.i_file_acl_lo | (uint64_t)ino->disk.i_file_acl_high << 32;
  if (block == 0)
    return;
  ++*blocks;
  if (inside(c, block) && bit(c->attributes, block))
    return;
  take(c, ino->number, block, 1);
  if (inside(c, block))
    bit_set(c->attributes, block);
}

static bool has_blocks(const struct einode *ino) {
  filetype_t type = ino->vnode.type;
  return type == FILETYPE_REGULAR_FILE || type == FILETYPE_DIRECTORY ||
         (type == FILETYPE_SYMBOLIC_LINK && !ext4_symlink_is_fast(ino));
}

static void take_blocks(struct check *c, struct einode *ino) {
  const struct ext4_inode *disk = &ino->disk;
  uint64_t blocks = 0, says = disk->i_blocks_lo | (uint64_t)disk->i_blocks_high << 32;
  take_attributes(c, ino, &blocks);
  if (has_blocks(ino) && (disk->i_flags & EXT4_EXTENTS_FL) != 0) {
    if (extent_check_root(ino) == 0)
      take_extents(c, ino, extent_root(ino), &blocks);
  } else if (has_blocks(ino)) {
    for (unsigned i = 0; i < EXT4_INODE_BLOCKS; i++)
      take_numbers(c, ino, disk->i_block[i], i < BLOCKMAP_DIRECT ? 0 : i - BLOCKMAP_DIRECT + 1,
                   &blocks);
  }
  if ((disk->i_flags & EXT4_HUGE_FILE_FL) == 0)
    blocks <<= c->fs->block_shift - SECTOR_SHIFT;
  if (blocks != says)
    damage(c, ino->number, 0, "it says that it has %llu sectors, and has %llu",
           (unsigned long long)says, (unsigned long long)blocks);
}

/* ---- Inodes ---------------------------------------------------------------------------------- */

/* Those below the first ordinary one that need not be there. */
static bool reserved(const struct check *c, uint32_t ino) {
  const struct ext4_super *s = &c->fs->super;
  uint32_t first = s->s_rev_level == 0 ? EXT4_FIRST_INO_OLD : s->s_first_ino;
  return ino < first && ino != EXT4_ROOT_INO &&
         !(ext4_has_journal(c->fs) && ino == s->s_journal_inum);
}

static void check_inode(struct check *c, uint32_t number) {
  struct known *k = &c->inodes[number];
  struct einode *ino;
  silent = reserved(c, number);
  errno_t e = einode_get(c->fs, number, &ino);
  silent = false;
  if (e != 0)
    return;
  k->sound = true;
  k->type = ino->vnode.type;
  k->says = ino->links;
  if (number == RESIZE_INO)
    take(c, number, ino->disk.i_block[BLOCKMAP_DIRECT + 1],
         ino->disk.i_block[BLOCKMAP_DIRECT + 1] != 0);
  else
    take_blocks(c, ino);
  c->files++;
  c->directories += k->type == FILETYPE_DIRECTORY;
  vnode_unref(&ino->vnode);
}

/* The list of those that a crash or an open file left without names. */
static void find_orphans(struct check *c) {
  uint32_t number = c->fs->super.s_last_orphan;
  while (number != 0) {
    struct einode *ino;
    if (number > c->fs->super.s_inodes_count || c->inodes[number].orphan) {
      damage(c, number, 0, "a broken list of orphans");
      return;
    }
    c->inodes[number].orphan = true;
    if (einode_get(c->fs, number, &ino) != 0)
      return;
    number = ino->disk.i_dtime;
    vnode_unref(&ino->vnode);
  }
}

static void each_inode(struct check *c, void (*look)(struct check *c, uint32_t number)) {
  for (uint32_t i = 1; i <= c->fs->super.s_inodes_count; i++)
    if (c->inodes[i].used)
      look(c, i);
}

static void check_names(struct check *c, uint32_t number) {
  struct einode *ino;
  const struct known *k = &c->inodes[number];
  if (!k->sound || k->type != FILETYPE_DIRECTORY || einode_get(c->fs, number, &ino) != 0)
    return;
  check_directory(c, ino);
  vnode_unref(&ino->vnode);
}

/* ---- Groups ---------------------------------------------------------------------------------- */

static uint64_t join(const struct ext4 *fs, uint32_t lo, uint32_t hi, unsigned shift) {
  return lo | (fs->group_bytes >= 64 ? (uint64_t)hi << shift : 0);
}

/* The inodes that its bitmap says are in use; *free counts the others. */
static bool load_inodes(struct check *c, uint32_t group, uint32_t *free_inodes) {
  const uint32_t n = c->fs->super.s_inodes_per_group;
  uint8_t *map = malloc(c->fs->block_bytes);
  bool ok = group_inode_map(c->fs, group, map) == 0;
  *free_inodes = 0;
  for (uint32_t i = 0; ok && i < n; i++) {
    c->inodes[group * n + i + 1].used = bit(map, i);
    *free_inodes += !bit(map, i);
  }
  free(map);
  return ok;
}

/* The bitmaps, the inode table, and copies of the superblock are nobody's but the group's. */
static void take_metadata(struct check *c, uint32_t group, uint8_t *map) {
  uint64_t first = group_first_block(c->fs, group), table = 0;
  const uint32_t per_block = c->fs->block_bytes / c->fs->inode_bytes;
  struct ext4_group *g;
  struct buf *b;
  if (group_metadata_map(c->fs, group, map) != 0 || ext4_group_get(c->fs, group, &g, &b) != 0)
    return;
  for (uint32_t i = 0; i < group_blocks(c->fs, group); i++)
    if (bit(map, i))
      bit_set(c->used, first + i);
  bit_set(c->used, group_block_bitmap(c->fs, g));
  bit_set(c->used, group_inode_bitmap(c->fs, g));
  buf_put(b);
  if (ext4_group_inode_table(c->fs, group, &table) != 0)
    return;
  for (uint32_t i = 0; i < c->fs->super.s_inodes_per_group / per_block; i++)
    bit_set(c->used, table + i);
}

/* The first block of each run that a bitmap has wrong; returns how many are free. */
static uint32_t compare_blocks(struct check *c, uint32_t group, const uint8_t *map) {
  const uint64_t first = group_first_block(c->fs, group);
  uint32_t free_blocks = 0;
  int last = 0;
  for (uint32_t i = 0; i < group_blocks(c->fs, group); i++) {
    int wrong = (int)bit(map, i) - (int)bit(c->used, first + i);
    if (wrong < 0 && wrong != last)
      damage(c, 0, first + i, "in use from here on, and marked as free");
    if (wrong > 0 && wrong != last)
      damage(c, 0, first + i, "marked as in use from here on, and nobody's");
    last = wrong;
    free_blocks += !bit(map, i);
  }
  return free_blocks;
}

static void compare(struct check *c, uint32_t group, const char *what, uint64_t says,
                    uint64_t counted) {
  if (says != counted)
    damage(c, 0, 0, "group %u says that it has %llu %s, and has %llu", group,
           (unsigned long long)says, what, (unsigned long long)counted);
}

/* A group's counters and its block bitmap. Returns its free blocks. */
static uint32_t check_group(struct check *c, uint32_t group, uint8_t *map) {
  const uint32_t n = c->fs->super.s_inodes_per_group;
  uint32_t directories = 0, free_inodes = 0, free_blocks = 0;
  struct ext4_group *g;
  struct buf *b;
  if (ext4_group_get(c->fs, group, &g, &b) != 0)
    return 0;
  for (uint32_t i = group * n + 1; i <= (group + 1) * n; i++) {
    directories += c->inodes[i].used && c->inodes[i].type == FILETYPE_DIRECTORY;
    free_inodes += !c->inodes[i].used;
  }
  if (group_block_map(c->fs, group, map) == 0) {
    free_blocks = compare_blocks(c, group, map);
    compare(c, group, "free blocks", group_free_blocks(c->fs, g), free_blocks);
  }
  compare(c, group, "free inodes",
          join(c->fs, g->bg_free_inodes_count_lo, g->bg_free_inodes_count_hi, 16), free_inodes);
  compare(c, group, "directories",
          join(c->fs, g->bg_used_dirs_count_lo, g->bg_used_dirs_count_hi, 16), directories);
  buf_put(b);
  return free_blocks;
}

static void check_groups(struct check *c) {
  uint8_t *map = malloc(c->fs->block_bytes);
  uint64_t free_blocks = 0, free_inodes = 0;
  for (uint32_t i = 0; i < c->fs->groups; i++)
    free_blocks += check_group(c, i, map);
  for (uint32_t i = 1; i <= c->fs->super.s_inodes_count; i++)
    free_inodes += !c->inodes[i].used;
  if (c->fs->free_blocks != free_blocks)
    damage(c, 0, 0, "the superblock says that %llu blocks are free, and %llu are",
           (unsigned long long)c->fs->free_blocks, (unsigned long long)free_blocks);
  if (c->fs->super.s_free_inodes_count != free_inodes)
    damage(c, 0, 0, "the superblock says that %u inodes are free, and %llu are",
           c->fs->super.s_free_inodes_count, (unsigned long long)free_inodes);
  free(map);
}

/* ---- The command ----------------------------------------------------------------------------- */

static void check_all(struct check *c) {
  uint8_t *map = malloc(c->fs->block_bytes);
  bool bitmaps = true;
  for (uint32_t i = 0; i < c->fs->groups; i++) {
    uint32_t free_inodes;
    take_metadata(c, i, map);
    bitmaps = load_inodes(c, i, &free_inodes) && bitmaps;
  }
  free(map);
  if (c->fs->super.s_first_data_block == 0) /* the superblock's own */
    bit_set(c->used, 0);
  find_orphans(c);
  each_inode(c, check_inode);
  each_inode(c, check_names);
  if (bitmaps)
    check_links(c);
  check_groups(c);
}

bool check_command(struct vnode *root, unsigned long *damages) {
  struct ext4 *fs = einode_of(root)->fs;
  struct check c = {.fs = fs};
  c.inodes = calloc((size_t)fs->super.s_inodes_count + 1, sizeof c.inodes[0]);
  c.used = calloc(1, fs->blocks / 8 + 1);
  c.attributes = calloc(1, fs->blocks / 8 + 1);
  bool ok = c.inodes != NULL && c.used != NULL && c.attributes != NULL;
  if (ok) {
    checking = &c;
    tool_log = heard;
    check_all(&c);
    tool_log = NULL;
    if (c.damages == 0)
      printf("%lu inodes, %lu of them directories, %llu blocks in use: no damage\n", c.files,
             c.directories, (unsigned long long)(fs->blocks - fs->free_blocks));
  } else {
    complain("there is not enough memory");
  }
  *damages = c.damages;
  free(c.inodes);
  free(c.used);
  free(c.attributes);
  return ok;
}
