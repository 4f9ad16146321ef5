/*
 * Block maps of ext2 and ext3: what blockmap.c, which looks, and blockmap_change.c share.
 */
#ifndef FS_EXT4_BLOCKMAP_H
#define FS_EXT4_BLOCKMAP_H

#include "fs/ext4/fs.h"

#define BLOCKMAP_DIRECT 12 /* numbers of blocks in the inode; then those of the three trees */

/* The way to a block of the file: index[0] in the inode, index[i] in the i-th block of numbers. */
struct blockmap_path {
  unsigned levels; /* blocks of numbers on the way */
  uint32_t index[4];
  uint32_t same; /* how many blocks of the file, from it on, share the way */
};

/* False: the file can't have that block. */
bool blockmap_path(const struct ext4 *fs, uint32_t at, struct blockmap_path *p);
/* EIO: a block number outside of the file system. */
errno_t blockmap_check(struct einode *ino, uint32_t block);
/* ext4_map() for a file without extents. */
errno_t blockmap_map(struct einode *ino, uint32_t at, uint32_t max, struct ext4_run *run);

#endif
