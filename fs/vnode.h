/*
 * Nodes of a file system: what a name stands for, and what can be done with it.
 *
 * Path lookup (fs/lookup.h), open files (fs/vfile.h) and the file_* system calls see every file
 * system through these operations alone. All run under the kernel lock and may sleep. A file system
 * gives one struct vnode per inode as long as somebody refers to it, so equal pointers mean the
 * same inode; it embeds the structure in its own.
 */
#ifndef FS_VNODE_H
#define FS_VNODE_H

#include <stdbool.h>

#include "kernel/abi.h"
#include "kernel/uio.h"

struct memobj;
struct vnode;

#define NAME_BYTES_MAX 255  /* a name in a directory */
#define PATH_BYTES_MAX 1023 /* a path, and a symbolic link's contents */

/* One entry, as readdir tells it. The name need not stay after the call. */
struct dir_entry {
  const char *name;
  size_t name_len;
  inode_t ino;
  filetype_t type;
  dircookie_t next; /* where to go on behind this entry */
};

/* Who receives the entries. */
struct dir_sink {
  /* False: no more of them. */
  bool (*put)(struct dir_sink *sink, const struct dir_entry *entry);
};

/* Names are not NUL-terminated, 1 to NAME_BYTES_MAX bytes without '/' and NUL, never "." or "..".
 * An operation that changes something may be NULL: the file system is read-only, EROFS. The caller
 * has checked types, that names exist or not, and that both ends lie in one file system (st_dev).
 */
struct vnode_ops {
  /* The last reference went. NULL: the node stays for ever. Does not sleep. */
  void (*release)(struct vnode *v);

  errno_t (*stat)(struct vnode *v, struct filestat *st);
  /* flags: FILESTAT_SIZE alone, or times; the _NOW forms win. */
  errno_t (*set_stat)(struct vnode *v, const struct filestat *st, fsflags_t flags);

  /* Regular files; as in kernel/file.h. Reading at the end and behind it moves nothing. */
  errno_t (*pread)(struct vnode *v, struct uio *uio, filesize_t offset);
  errno_t (*pwrite)(struct vnode *v, struct uio *uio, filesize_t offset, bool append,
                    filesize_t *end);
  errno_t (*sync)(struct vnode *v, bool data_only); /* NULL: there is nothing to write back */
  errno_t (*allocate)(struct vnode *v, filesize_t offset, filesize_t len);
  void (*advise)(struct vnode *v, filesize_t offset, filesize_t len, advice_t advice);
  errno_t (*memobj)(struct vnode *v, struct memobj **obj); /* a new reference; NULL: ENODEV */

  /* Symbolic links: moves the contents, cut at uio's length. */
  errno_t (*readlink)(struct vnode *v, struct uio *uio);

  /* Sockets and FIFOs: where ipc/ keeps who is bound to the node, or the pipe that its openers
   * share. They hold the node meanwhile; the file system leaves it alone. NULL, the operation or
   * its result: it is no such node. */
  void **(*endpoint)(struct vnode *v);

  /* Directories. lookup: a new reference; ENOENT. */
  errno_t (*lookup)(struct vnode *dir, const char *name, size_t len, struct vnode **child);
  /* The entries from `cookie` on (DIRCOOKIE_START, or a former `next`), "." and ".." included.
   * EINVAL: a cookie that was never given out. */
  errno_t (*readdir)(struct vnode *dir, dircookie_t cookie, struct dir_sink *sink);
  /* A regular file or a directory, or, for the retired calls, the inode of a socket or a FIFO; a
   * new reference. */
  errno_t (*create)(struct vnode *dir, const char *name, size_t len, filetype_t type,
                    struct vnode **child);
  errno_t (*symlink)(struct vnode *dir, const char *name, size_t len, const char *contents,
                     size_t contents_len);
  errno_t (*link)(struct vnode *dir, const char *name, size_t len, struct vnode *node);
  /* `replaced` (NULL: none) is what has the new name now; both are directories or neither is.
   * ENOTEMPTY; EINVAL: a directory would move into itself. */
  errno_t (*rename)(struct vnode *dir, const char *name, size_t len, struct vnode *node,
                    struct vnode *to_dir, const char *to_name, size_t to_len,
                    struct vnode *replaced);
  /* ENOTEMPTY. */
  errno_t (*unlink)(struct vnode *dir, const char *name, size_t len, struct vnode *node);
};

struct vnode {
  const struct vnode_ops *ops;
  uint32_t refs;
  filetype_t type; /* directory, regular file, symbolic link, socket or FIFO */
};

static inline struct vnode *vnode_ref(struct vnode *v) {
  v->refs++;
  return v;
}

/* Takes NULL. */
static inline void vnode_unref(struct vnode *v) {
  if (v != NULL && --v->refs == 0 && v->ops->release != NULL)
    v->ops->release(v);
}

#endif
