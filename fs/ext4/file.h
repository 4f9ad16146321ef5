/*
 * Contents of files: what file.c has for the rest of the room. See fs.h for the others.
 */
#ifndef FS_EXT4_FILE_H
#define FS_EXT4_FILE_H

#include "fs/ext4/fs.h"
#include "kernel/blkdev.h"

/* ext4_map() without the lock held. */
errno_t ext4_find_run(struct einode *ino, uint32_t file_block, uint32_t max, struct ext4_run *run);
/* Reads (BLK_READ) or writes a run that belongs at block `at` of the pages, at most
 * PAGECACHE_CLUSTER of them, by one request; where nothing was written it becomes zeroes. Without
 * the lock. EIO. */
errno_t ext4_move(struct ext4 *fs, enum blk_op op, const struct ext4_run *run, void **pages,
                  uint32_t at);
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
