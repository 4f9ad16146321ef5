/*
 * Directories: what dir.c, dir_change.c, htree*.c and readdir.c share.
 */
#ifndef FS_EXT4_DIR_H
#define FS_EXT4_DIR_H

#include "fs/ext4/fs.h"

/* Bytes that an entry with a name of this length takes. */
static inline unsigned dir_entry_bytes(unsigned name_len) {
  return ((unsigned)sizeof(struct ext4_dir_entry) + name_len + 3) & ~3u;
}

static inline struct ext4_dir_entry *dir_entry_at(const struct buf *b, unsigned at) {
  return (struct ext4_dir_entry *)(b->data + at);
}

/* Whether the directory has an index: its first block is the root of it. */
bool dir_indexed(const struct einode *dir);
uint32_t dir_blocks(const struct einode *dir);
/* Where the entries of a leaf end: before the checksum, or at the block's end. */
unsigned dir_leaf_end(const struct ext4 *fs);

/* A block of the directory as it is on the disk, not verified: BUF_DIR or BUF_DIR_INDEX. EIO: also
 * a hole. */
errno_t dir_block_read(struct einode *dir, uint32_t index, enum buf_kind kind, struct buf **b);
/* A leaf, whose entries may be trusted: they fill it exactly, names and inode numbers are possible.
 * EIO. */
errno_t dir_leaf_read(struct einode *dir, uint32_t index, struct buf **b);
/* The same for any block of the directory: one of its index is *b == NULL. */
errno_t dir_leaf_or_index_read(struct einode *dir, uint32_t index, struct buf **b);

/* Whether a directory's first block, verified or not, begins with "." and "..". */
bool dir_has_dots(const struct buf *b);

/* The entry of a name in a verified leaf, and the one before it; false: not in this one. prev NULL:
 * it is the first. */
bool dir_leaf_find(const struct ext4 *fs, const struct buf *leaf, const char *name, size_t len,
                   struct ext4_dir_entry **entry, struct ext4_dir_entry **prev);

/* Where a name is: its leaf, referenced, and the entry in it. ENOENT, EIO. */
struct dir_place {
  struct buf *leaf;
  struct ext4_dir_entry *entry, *prev;
};
errno_t dir_find(struct einode *dir, const char *name, size_t len, struct dir_place *place);

filetype_t dir_type(const struct ext4 *fs, const struct ext4_dir_entry *e);

#endif
