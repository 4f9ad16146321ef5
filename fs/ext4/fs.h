/*
 * A mounted file system and its inodes in memory: what the files of this room share.
 *
 * One sleeping lock a file system, fs->lock: whoever looks at metadata or changes it holds it from
 * the operation's begin to its end. Data pages move between disk and page cache without it. Calls
 * below want it held unless they say otherwise, and may sleep for the disk.
 *
 * A structure on the disk that contradicts itself is told once by ext4_corrupt(); the file system
 * is read-only from then on.
 */
#ifndef FS_EXT4_FS_H
#define FS_EXT4_FS_H

#include "fs/ext4/bcache.h"
#include "fs/ext4/format.h"
#include "fs/ext4/journal.h"
#include "fs/vnode.h"
#include "kernel/mutex.h"
#include "kernel/pagecache.h"

#define EXT4_INODE_BUCKETS 256 /* a power of two */

struct ext4 {
  struct blkdev *dev;
  struct bcache cache;
  struct journal *journal;
  struct mutex lock;
  struct ext4_super super; /* counters and state are written from here */
  bool read_only;
  bool failed;     /* corrupt, or the disk fails: no more changes */
  bool csum;       /* metadata_csum */
  bool group_csum; /* group descriptors have checksums */
  uint32_t csum_seed;
  uint32_t super_crc; /* of the superblock's first sector, always */
  uint32_t block_bytes, block_shift;
  uint64_t blocks;
  uint32_t groups;
  uint32_t group_bytes; /* a descriptor: 32 or 64 */
  uint32_t inode_bytes;
  uint64_t free_blocks, reserved_blocks;
  uint64_t device; /* st_dev */
  struct einode *inodes[EXT4_INODE_BUCKETS];
  struct list idle;     /* inodes without references that have something left to do */
  struct mutex reaping; /* held by who does it */
  char name[32];        /* of the disk, for messages */
  struct ext4 *next;
};

#define EXT4_DEVICE_BASE 0x100000 /* st_dev counts from here */

static inline bool ext4_has_journal(const struct ext4 *fs) {
  return (fs->super.s_feature_compat & EXT4_COMPAT_HAS_JOURNAL) != 0;
}

/* What lies at some blocks of a file, one after the other. */
struct ext4_run {
  uint64_t block; /* on the disk; 0: a hole */
  uint32_t count; /* of blocks that lie one after the other, or of the hole; at least 1 */
  bool unwritten; /* allocated, and reads as zeroes */
};

/* An inode in memory, one for each that somebody refers to, or maps, or that has pages to be
 * written. */
struct einode {
  struct vnode vnode;
  struct pagecache pages; /* of a regular file */
  struct ext4 *fs;
  uint32_t number;
  struct ext4_inode disk; /* as it is, or will be, on the disk; the times and sizes are here */
  uint64_t size_bytes;
  uint32_t known_at;     /* what was found last of its extents: the first block of one, and ... */
  struct ext4_run known; /* ... where it lies; count 0: nothing is known */
  uint64_t goal;         /* behind the last block that it got; 0: none */
  uint32_t links;
  bool orphan;          /* in the orphan list on the disk */
  struct mutex content; /* held by who changes the size or the blocks */
  struct mutex writing; /* held by who writes its pages to the disk */
  struct list idle;     /* in the file system's list */
  struct list ordered;  /* in the running transaction's list */
  struct einode *next;  /* in its hash chain */
  void *endpoint;       /* of a socket or FIFO: vnode_ops.endpoint */
};

/* ---- mount.c --------------------------------------------------------------------------------- */

/* Mounts the file system on dev; the root's reference is the caller's. EINVAL with `why` (static,
 * or in the file system's own memory until the next mount): no ext4, or features that we don't
 * know; EIO; ENOMEM; EROFS: it can only be mounted read-only. The journal is replayed even if
 * read_only, unless the device itself can't be written: then a journal that holds something is
 * EROFS. */
errno_t ext4_mount(struct blkdev *dev, bool read_only, struct vnode **root, const char **why);
/* Writes everything; no vnode of it is used any more. EIO. */
errno_t ext4_unmount(struct vnode *root);
/* Makes all file systems durable and marks them clean: at power-off. */
void ext4_sync_all(void);
/* The volume's name ("" if it has none) and its UUID without mounting; EINVAL: no ext2/3/4. */
errno_t ext4_probe(struct blkdev *dev, char label[17], uint8_t uuid[16]);

/* Deletes and commits what all file systems have changed. */
void ext4_commit_all(void);

/* ---- flush.c --------------------------------------------------------------------------------- */

/* Starts the thread that commits, before the first file system is mounted writable. ENOMEM. */
errno_t ext4_flush_start(void);
/* A transaction has something to commit: sees to it that this happens before long. */
void journal_changed(struct ext4 *fs);

/* ---- super.c --------------------------------------------------------------------------------- */

/* A structure contradicts itself: one log line with inode and block (0: not about one), and
 * read-only from now on. Returns EIO. */
errno_t ext4_corrupt(struct ext4 *fs, uint32_t ino, uint64_t block, const char *what);
/* Puts the superblock, counters and state, into the open handle. */
errno_t ext4_super_dirty(struct ext4 *fs);

/* ---- group.c, balloc.c, ialloc.c ------------------------------------------------------------- */

/* A group's descriptor in its buffer, which the caller puts back. EIO. */
errno_t ext4_group_get(struct ext4 *fs, uint32_t group, struct ext4_group **desc, struct buf **b);
/* After a change inside a handle: the checksum, and into the transaction. */
void ext4_group_dirty(struct ext4 *fs, uint32_t group, struct ext4_group *desc, struct buf *b);
/* Where a group's bitmaps and its inode table lie, inside the file system. EIO. */
uint64_t group_block_bitmap(const struct ext4 *fs, const struct ext4_group *g);
uint64_t group_inode_bitmap(const struct ext4 *fs, const struct ext4_group *g);
errno_t ext4_group_inode_table(struct ext4 *fs, uint32_t group, uint64_t *block);

/* Up to *count blocks in one run, near `goal`; *count says how many it became. In a handle with
 * room for 3 blocks more. ENOSPC: none but the reserved ones; EIO. */
errno_t ext4_alloc_blocks(struct ext4 *fs, uint64_t goal, uint64_t *block, uint32_t *count);
/* In a handle with room for 3 blocks per group touched. `metadata`: they were buffers. EIO. */
errno_t ext4_free_blocks(struct ext4 *fs, uint32_t ino, uint64_t block, uint32_t count,
                         bool metadata);
/* A new inode number near `parent` for a node of this mode. ENOSPC, EIO. */
errno_t ext4_alloc_inode(struct ext4 *fs, uint32_t parent, uint16_t mode, uint32_t *ino);
errno_t ext4_free_inode(struct ext4 *fs, uint32_t ino, bool directory);

/* ---- inode.c --------------------------------------------------------------------------------- */

/* The inode, verified, with a reference to its vnode. EIO: not one that is in use, or damaged;
 * ENOMEM. */
errno_t einode_get(struct ext4 *fs, uint32_t ino, struct einode **out);
/* A new inode on the disk and in memory with one reference: inside a handle. */
errno_t einode_create(struct ext4 *fs, struct einode *parent, uint16_t mode, struct einode **out);
/* Puts ino->disk, with size_bytes and links, into the open handle: one block. */
errno_t einode_dirty(struct einode *ino);
/* In memory alone, zeroed, with a reference; ENOMEM. And its bytes on the disk zeroed, inside a
 * handle. */
errno_t einode_enter(struct ext4 *fs, uint32_t ino, struct einode **out);
errno_t einode_clear_disk(struct einode *ino);
filetype_t einode_type(const struct ext4_inode *disk);
/* Out of memory: nobody refers to it, and nothing of it is to be written. */
void einode_forget(struct einode *ino);
/* Its times, into st; and from st or the clock, as file_stat_put's flags say, with the ctime always
 * now. The caller makes it dirty. */
void einode_times(const struct einode *ino, struct filestat *st);
void einode_set_times(struct einode *ino, const struct filestat *st, fsflags_t flags);

static inline struct einode *einode_of(struct vnode *v) {
  return (struct einode *)((char *)v - offsetof(struct einode, vnode));
}

/* ---- inode_life.c ---------------------------------------------------------------------------- */

#define EINODE_DELETED UINT32_MAX /* links of an inode that is not on the disk any more */

/* vnode_ops.release. */
void ext4_release(struct vnode *v);
/* Deletes and writes what was left to do, after what somebody else is at; false: nothing could be.
 * Without a lock. */
bool ext4_reap(struct ext4 *fs);
/* After an ENOSPC: commits, if blocks were freed that wait for it. True: it is worth another try.
 * Without a lock. */
bool ext4_room_by_commit(struct ext4 *fs);

/* ---- map.c, over extent*.c and blockmap*.c --------------------------------------------------- */

/* What lies at a block of the file, at most `max` blocks of it. EIO. */
errno_t ext4_map(struct einode *ino, uint32_t file_block, uint32_t max, struct ext4_run *run);
/* The same, and a hole becomes blocks: written ones, or, in a file with extents, unwritten; an
 * unwritten run becomes written unless `unwritten`. In a handle with room for EXT4_MAP_BLOCKS.
 * ENOSPC, EFBIG, EIO. */
errno_t ext4_map_create(struct einode *ino, uint32_t file_block, uint32_t max, bool unwritten,
                        struct ext4_run *run);
#define EXT4_MAP_BLOCKS 80
/* Gives back all blocks from file_block on; the open handle ends and others begin (tx_extend), so
 * that afterwards nothing that was looked at before is certain. EIO. */
errno_t ext4_unmap_from(struct einode *ino, uint32_t file_block);
/* Where it would like its next block. */
uint64_t einode_goal(const struct einode *ino);
/* Counts blocks that it got or gave back; the caller makes it dirty. */
void einode_blocks_add(struct einode *ino, int64_t blocks);

/* ---- dir.c, htree.c, readdir.c --------------------------------------------------------------- */

/* ENOENT, EIO. */
errno_t ext4_dir_find(struct einode *dir, const char *name, size_t len, uint32_t *ino);
/* A name that is not there yet. In a handle with room for EXT4_DIR_ADD_BLOCKS. ENOSPC, EIO. */
errno_t ext4_dir_add(struct einode *dir, const char *name, size_t len, struct einode *node);
errno_t ext4_dir_remove(struct einode *dir, const char *name, size_t len);
/* Lets a name stand for another inode, and "..". */
errno_t ext4_dir_change(struct einode *dir, const char *name, size_t len, struct einode *node);
errno_t ext4_dir_set_parent(struct einode *dir, const struct einode *parent);
/* "." and ".." in a new directory's first block. */
errno_t ext4_dir_begin(struct einode *dir, const struct einode *parent);
/* ENOTEMPTY, EIO. */
errno_t ext4_dir_check_empty(struct einode *dir);
/* What ".." says. EIO. */
errno_t ext4_dir_parent(struct einode *dir, uint32_t *parent);
errno_t ext4_readdir(struct einode *dir, dircookie_t cookie, struct dir_sink *sink);
#define EXT4_DIR_ADD_BLOCKS \
  24 /* a leaf and two index levels split, each new block with its bitmaps */

/* ---- namei.c, file.c, symlink.c, orphan.c ---------------------------------------------------- */

extern const struct vnode_ops ext4_vnode_ops;
extern const struct pagecache_ops ext4_pagecache_ops;

/* pagecache_ops.fill: without the lock. */
errno_t ext4_pages_fill(struct pagecache *pc, uint64_t index, void **pages, unsigned n);

errno_t ext4_file_read(struct einode *ino, struct uio *uio, filesize_t offset);
errno_t ext4_file_write(struct einode *ino, struct uio *uio, filesize_t offset, bool append,
                        filesize_t *end);
errno_t ext4_file_truncate(struct einode *ino, uint64_t size_bytes);
errno_t ext4_file_allocate(struct einode *ino, filesize_t offset, filesize_t len);
/* Writes its dirty pages to the disk, not past the device's cache. Without the lock. EIO. */
errno_t ext4_file_writeback(struct einode *ino);
/* All size_bytes of it, at most a block. */
errno_t ext4_symlink_read(struct einode *ino, char *contents);
/* Of a new inode, inside a handle; shorter than a block. ENOSPC, EIO. */
errno_t ext4_symlink_write(struct einode *ino, const char *contents, size_t len);
bool ext4_symlink_is_fast(const struct einode *ino);

/* The list on the disk of inodes that a crash must finish: unlinked ones, and truncations. */
errno_t orphan_add(struct einode *ino);
errno_t orphan_remove(struct einode *ino);
/* At mount, after the journal. */
errno_t orphan_recover(struct ext4 *fs);

#endif
