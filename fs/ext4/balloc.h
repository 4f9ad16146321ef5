/*
 * Bitmaps and groups: what balloc.c and ialloc.c share.
 */
#ifndef FS_EXT4_BALLOC_H
#define FS_EXT4_BALLOC_H

#include "fs/ext4/fs.h"

uint64_t group_first_block(const struct ext4 *fs, uint32_t group);
uint32_t group_blocks(const struct ext4 *fs, uint32_t group);
uint32_t group_free_blocks(const struct ext4 *fs, const struct ext4_group *g);

void bitmap_set(uint8_t *map, uint32_t from, uint32_t count, bool value);
/* The first clear bit of [from, end), or end. */
uint32_t bitmap_find_clear(const uint8_t *map, uint32_t from, uint32_t end);

/* For a look at everything: what lies in a group that nobody has used so far, the blocks of
 * metadata in it, which may be those of other groups (flex_bg); and which blocks and inodes its
 * bitmaps say are in use. A block of the file system each. EIO. */
errno_t group_metadata_map(struct ext4 *fs, uint32_t group, uint8_t *map);
errno_t group_block_map(struct ext4 *fs, uint32_t group, uint8_t *map);
errno_t group_inode_map(struct ext4 *fs, uint32_t group, uint8_t *map);

#endif
