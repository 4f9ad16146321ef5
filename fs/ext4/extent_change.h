/*
 * Changes of extent trees, for map.c. Inside a handle; the caller makes the inode dirty afterwards.
 */
#ifndef FS_EXT4_EXTENT_CHANGE_H
#define FS_EXT4_EXTENT_CHANGE_H

#include "fs/ext4/extent.h"

/* Metadata blocks that one change may touch: a new node on every level with its bitmap, descriptor.
 */
#define EXTENT_CHANGE_BLOCKS 40

/* Enters blocks where the file has a hole. ENOSPC: no room for a node; EIO. */
errno_t extent_insert(struct einode *ino, uint32_t file_block, uint64_t block, uint32_t len,
                      bool unwritten);
/* `len` blocks, all inside one unwritten extent, are written now. Two changes. */
errno_t extent_mark_written(struct einode *ino, uint32_t file_block, uint32_t len);
/* Gives back of the last extent what lies at file_block or behind it; *done: there was nothing. */
errno_t extent_cut_last(struct einode *ino, uint32_t file_block, bool *done);

#endif
