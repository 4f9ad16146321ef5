/*
 * Changes of directories: what dir_change.c and htree_change.c share. Inside a handle.
 */
#ifndef FS_EXT4_DIR_CHANGE_H
#define FS_EXT4_DIR_CHANGE_H

#include "fs/ext4/dir.h"

/* After a change of a leaf: the checksum, and into the transaction. */
void dir_leaf_dirty(struct einode *dir, struct buf *b);
/* Makes a block an empty leaf. */
void dir_leaf_init(const struct ext4 *fs, struct buf *b);
/* Enters a name, whose type is one of format.h's. False: there is no gap for it. */
bool dir_leaf_insert(const struct ext4 *fs, struct buf *b, const char *name, size_t len,
                     uint32_t ino, uint8_t type);
/* One more block of this kind, an empty leaf that is not dirty yet; the size grows. *b may be NULL
 * on error. */
errno_t dir_append(struct einode *dir, uint32_t *index, enum buf_kind kind, struct buf **b);

#endif
