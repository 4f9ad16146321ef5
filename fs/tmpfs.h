/*
 * File systems in memory: whole and writable, empty at the start, gone when nobody refers to them.
 *
 * Made for the temporary directories that a program is granted. Kernel lock; nothing in them
 * sleeps, except that copying to or from the program may run the fault handler.
 */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include <stdint.h>

#include "kernel/abi.h"

struct vnode;

/* A new file system with an empty directory, whose root is *root: a new reference. Each has an
 * st_dev of its own. It lives as long as somebody refers to one of its nodes; the contents of a
 * file also as long as they are mapped.
 *
 * limit_bytes: of contents in whole pages, and of what else its files and names take of the
 * kernel's memory (some 250 bytes for an empty file), so that it bounds their number, too. What is
 * more is ENOSPC, and so is what the machine has no memory for. The root itself is not counted.
 * ENOMEM. */
errno_t tmpfs_create(uint64_t limit_bytes, struct vnode **root);

/* How much of its limit the file system of a node takes. */
uint64_t tmpfs_used_bytes(const struct vnode *v);

#endif
