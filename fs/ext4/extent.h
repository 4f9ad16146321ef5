/*
 * Extent trees: what extent.c, which looks, and extent_change.c share.
 */
#ifndef FS_EXT4_EXTENT_H
#define FS_EXT4_EXTENT_H

#include "fs/ext4/fs.h"

static inline struct ext4_extent *extent_first(const struct ext4_extent_header *h) {
  return (struct ext4_extent *)(h + 1);
}

static inline struct ext4_extent_index *extent_first_index(const struct ext4_extent_header *h) {
  return (struct ext4_extent_index *)(h + 1);
}

static inline struct ext4_extent_header *extent_node(const struct buf *b) {
  return (struct ext4_extent_header *)b->data;
}

uint64_t extent_start(const struct ext4_extent *x);
uint32_t extent_len(const struct ext4_extent *x);
bool extent_unwritten(const struct ext4_extent *x);
uint64_t extent_child(const struct ext4_extent_index *x);

/* The root, in the inode; and how many entries a node of a block has room for. */
struct ext4_extent_header *extent_root(struct einode *ino);
unsigned extent_block_entries(const struct ext4 *fs);

/* EIO: the root is damaged. */
errno_t extent_check_root(struct einode *ino);
/* The node that x points to, which must have this depth; verified. EIO. */
errno_t extent_node_read(struct einode *ino, const struct ext4_extent_index *x, unsigned depth,
                         struct buf **b);
/* The last entry of a node, leaf or not, that begins at file block `at` or before it; -1: none. */
int extent_search(const struct ext4_extent_header *h, uint32_t at);
/* What the last extent_map() found, if `at` is in it. The lock need not be held: who changes the
 * tree forgets it first, and nobody learns it anew before the change is whole. */
static inline bool extent_known(const struct einode *ino, uint32_t at, uint32_t max,
                                struct ext4_run *run) {
  uint32_t offset = at - ino->known_at;
  if (offset >= ino->known.count)
    return false;
  uint32_t left = ino->known.count - offset;
  *run = (struct ext4_run){.block = ino->known.block + offset,
                           .count = left < max ? left : max,
                           .unwritten = ino->known.unwritten};
  return true;
}

/* Before a change. */
static inline void extent_forget(struct einode *ino) {
  ino->known.count = 0;
}

/* ext4_map() for a file with extents. */
errno_t extent_map(struct einode *ino, uint32_t at, uint32_t max, struct ext4_run *run);

#endif
