/*
 * Open files and directories of a file system: a struct file over a vnode.
 */
#ifndef FS_VFILE_H
#define FS_VFILE_H

#include "fs/vnode.h"
#include "kernel/file.h"

/* A new description of v, which gets a reference of its own. ENOMEM. */
errno_t vfile_create(struct vnode *v, fdflags_t flags, struct file **f);

/* The same in two steps, for whom nothing may fail once there is a node: the memory (NULL: none;
 * kfree() gives it back), and the description made in it. */
void *vfile_alloc(void);
struct file *vfile_init(void *memory, struct vnode *v, fdflags_t flags);

#endif
