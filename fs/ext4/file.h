/*
 * Contents of files: what file.c has for the rest of the room. See fs.h for the others.
 */
#ifndef FS_EXT4_FILE_H
#define FS_EXT4_FILE_H

#include "fs/ext4/fs.h"

/* Frees what lies behind the size, and takes the inode off the list of orphans. The lock, no
 * handle. EIO. */
errno_t ext4_truncate_finish(struct einode *ino);
/* What was written so far, contents and names, is on the medium. Without a lock. EIO. */
errno_t ext4_file_sync(struct einode *ino);

#endif
