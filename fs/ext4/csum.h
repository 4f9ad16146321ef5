/*
 * Checksums of ext4's metadata.
 */
#ifndef FS_EXT4_CSUM_H
#define FS_EXT4_CSUM_H

#include "fs/ext4/fs.h"

/* Before anything else here, once. ENOMEM. */
errno_t csum_init(void);

/* Castagnoli's polynomial and the one of ARC; neither inverts its start or its result. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);
uint16_t crc16(uint16_t crc, const void *data, size_t n);
/* The four bytes, as a little-endian number, that take crc32c from `crc` to `wanted`. */
uint32_t crc32c_between(uint32_t crc, uint32_t wanted);

/* What the checksum fields are to say. `seed` is the file system's, `inode_seed` that of all that
 * belongs to one inode. */
uint32_t csum_super(const struct ext4_super *s);
uint32_t csum_seed(const struct ext4_super *s);
uint32_t csum_inode_seed(const struct ext4 *fs, uint32_t ino, uint32_t generation);
uint16_t csum_group(const struct ext4 *fs, uint32_t group, const struct ext4_group *g);
uint32_t csum_bitmap(const struct ext4 *fs, const void *bitmap, size_t bytes);
uint32_t csum_inode(const struct ext4 *fs, uint32_t ino, const struct ext4_inode *i);
/* Whether the inode has room for the checksum's upper half. */
bool csum_inode_has_high(const struct ext4_inode *i);
uint32_t csum_extents(uint32_t inode_seed, const struct ext4_extent_header *h);
uint32_t csum_dir_leaf(const struct ext4 *fs, uint32_t inode_seed, const void *block);
/* entries_offset: of the first dx_entry in the block; count of them. */
uint32_t csum_dir_index(uint32_t inode_seed, const void *block, size_t entries_offset,
                        unsigned count, const struct ext4_dx_tail *tail);

/* Of a block of attributes, all of it. */
uint32_t csum_xattr(const struct ext4 *fs, uint64_t block, const struct ext4_xattr_header *h);

#endif
