/*
 * Changes of block maps, for map.c. Inside a handle.
 */
#ifndef FS_EXT4_BLOCKMAP_CHANGE_H
#define FS_EXT4_BLOCKMAP_CHANGE_H

#include "fs/ext4/blockmap.h"

/* Metadata blocks that entering a run or giving one block back may touch. */
#define BLOCKMAP_CHANGE_BLOCKS 24

/* Gives a hole at `at` up to `max` new blocks, in one run of *count. The caller makes the inode
 * dirty. ENOSPC, EFBIG, EIO. */
errno_t blockmap_fill(struct einode *ino, uint32_t at, uint32_t max, uint64_t *block,
                      uint32_t *count);
/* Gives back everything from a file block on, in as many handles as it takes; the inode is dirty.
 */
errno_t blockmap_cut(struct einode *ino, uint32_t from);

#endif
