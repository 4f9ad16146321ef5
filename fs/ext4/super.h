/*
 * The superblock: see super.c.
 */
#ifndef FS_EXT4_SUPER_H
#define FS_EXT4_SUPER_H

#include "fs/ext4/fs.h"

/* Whether it has the magic number. */
bool super_is_ext4(const struct ext4_super *s);
/* The superblock as it is on the disk, of whatever it is. EINVAL: the disk is too small; EIO,
 * ENOMEM. */
errno_t super_read_raw(struct blkdev *dev, struct ext4_super *s);
/* Reads and checks fs->dev's superblock and fills what follows from it. EINVAL, EROFS (it could
 * only be read: fs->read_only is not set) with `why`; EIO. */
errno_t super_read(struct ext4 *fs, const char **why);
/* Sets or clears the feature "recover" on the disk, past the journal, which has to be empty: it
 * must be there before the journal holds anything, and until it holds nothing. The lock. EIO,
 * ENOMEM. */
errno_t super_recover_write(struct ext4 *fs, bool set);

#endif
