/*
 * Changes of a directory's index, for dir_change.c. Inside a handle.
 */
#ifndef FS_EXT4_HTREE_CHANGE_H
#define FS_EXT4_HTREE_CHANGE_H

#include "fs/ext4/htree.h"

/* Gives a directory of one block an index: its names move to a leaf. ENOSPC, EIO. */
errno_t htree_make(struct einode *dir);
/* Enters a name that is not there; splits what is full. ENOSPC: also when the index is full; EIO.
 */
errno_t htree_add(struct einode *dir, const char *name, size_t len, uint32_t ino, uint8_t type);
/* ".." stands for another directory. */
errno_t htree_set_parent(struct einode *dir, uint32_t parent);

#endif
