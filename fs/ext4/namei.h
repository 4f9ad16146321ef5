/*
 * Operations on names, as vnode_ops has them.
 */
#ifndef FS_EXT4_NAMEI_H
#define FS_EXT4_NAMEI_H

#include "fs/ext4/fs.h"

errno_t ext4_create(struct vnode *dir, const char *name, size_t len, filetype_t type,
                    struct vnode **child);
errno_t ext4_symlink(struct vnode *dir, const char *name, size_t len, const char *contents,
                     size_t contents_len);
errno_t ext4_link(struct vnode *dir, const char *name, size_t len, struct vnode *node);
errno_t ext4_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *node);
errno_t ext4_rename(struct vnode *dir, const char *name, size_t len, struct vnode *node,
                    struct vnode *to_dir, const char *to_name, size_t to_len,
                    struct vnode *replaced);

#endif
