/*
 * Metadata blocks in memory: one struct buf for each block of the disk that somebody looks at, or
 * that is changed and not yet at home.
 *
 * The file system's lock (fs.h). A buffer stays while it has references or belongs to a
 * transaction; of the others the least recently used go when there are too many, or when memory is
 * short.
 */
#ifndef FS_EXT4_BCACHE_H
#define FS_EXT4_BCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "kernel/list.h"

struct blkdev;

enum buf_state {
  BUF_CLEAN,     /* as on the disk */
  BUF_DIRTY,     /* changed by the running transaction, or, without a journal, not yet written */
  BUF_COMMITTED, /* in the journal, not yet at home */
};

/* What a block is used as. A damaged file system may name one block twice. */
enum buf_kind {
  BUF_SUPER,
  BUF_GROUPS,
  BUF_BITMAP,
  BUF_INODES,
  BUF_EXTENTS,
  BUF_NUMBERS, /* of blocks, in ext2 and ext3 */
  BUF_DIR,     /* a leaf */
  BUF_DIR_INDEX,
  BUF_SYMLINK,
  BUF_XATTR,
};

struct bcache;

struct buf {
  uint64_t block;
  struct bcache *cache;
  uint8_t *data; /* block_bytes of them */
  uint32_t refs;
  enum buf_state state;
  enum buf_kind kind;
  bool verified;    /* whoever uses it as this kind has checked its checksum and structure */
  struct buf *next; /* in its hash chain */
  struct list lru;  /* clean and without references: in the cache's list */
  struct list tx;   /* in the journal's list by state */
};

/* A block was asked for that can't be had as what it is to be; tells of it and returns EIO. */
typedef errno_t bcache_damaged(struct bcache *c, uint64_t block, const char *what);

struct bcache {
  struct blkdev *dev;
  bcache_damaged *damaged;
  uint32_t block_bytes;
  uint64_t blocks; /* of the file system; none beyond them is read */
  struct buf **buckets;
  size_t bucket_mask;
  size_t count, max; /* buffers held; clean ones go beyond max */
  struct list lru;
};

/* ENOMEM. */
errno_t bcache_init(struct bcache *c, struct blkdev *dev, uint32_t block_bytes, uint64_t blocks,
                    bcache_damaged *damaged);
/* Nothing is referenced any more. What is still dirty is lost: the disk failed, or was damaged. */
void bcache_destroy(struct bcache *c);

/* Forgets the clean ones that nobody holds: the disk was written past the cache. */
void bcache_drop_clean(struct bcache *c);

/* The buffer of a block with its contents, referenced; NULL on error. EIO: beyond the end, the disk
 * says so, or somebody holds the block as another kind just now; ENOMEM. May sleep. */
errno_t buf_read(struct bcache *c, uint64_t block, enum buf_kind kind, struct buf **b);
/* The same for a block that will be overwritten: zeroed, nothing is read. */
errno_t buf_new(struct bcache *c, uint64_t block, enum buf_kind kind, struct buf **b);
/* The buffer if it is in memory, referenced; else NULL. */
struct buf *buf_find(struct bcache *c, uint64_t block);
/* Takes NULL. */
void buf_put(struct buf *b);
/* It is at home: clean again. */
void buf_clean(struct buf *b);
/* The block was freed: its buffer, if there is one, is in no transaction and forgets its contents.
 */
void buf_forget(struct bcache *c, uint64_t block);

#endif
