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
/* Gives back the pages behind the end that is in the running transaction already. Before, a
 * transaction that still has another end gets what it waits for; afterwards, none of the pages is
 * on its way to the disk, where it would hit the blocks' next owner. Without the lock. EIO, ENOMEM:
 * the rest of the last page is not zero; all else is done. */
errno_t ext4_pages_cut(struct einode *ino, uint64_t size_bytes);

#endif
