/*
 * Inside tmpfs: a file system, its nodes, and the names that lead to them.
 *
 * A node is there as long as a name leads to it or somebody refers to it (vnode.refs counts those
 * outside of the tree), and one of a regular file as long as its pages are mapped. The file system
 * is there as long as a node is. When nobody refers to any node, nobody can reach the tree any
 * more: it is cut down, and only what is mapped stays.
 *
 * Kernel lock; nothing sleeps but the copying of names and contents to and from the program, which
 * may run the fault handler: whoever copies holds no pointer into a directory meanwhile.
 */
#ifndef FS_TMPFS_NODE_H
#define FS_TMPFS_NODE_H

#include "fs/tmpfs.h"
#include "fs/vnode.h"
#include "kernel/avl.h"
#include "kernel/list.h"
#include "kernel/mutex.h"
#include "kernel/pagecache.h"

struct tmpfs {
  uint64_t limit_bytes;
  uint64_t used_bytes;
  uint64_t own_bytes; /* of them: the root's, in the limit as well */
  uint64_t nodes;     /* in memory */
  uint64_t held;      /* nodes that somebody outside of the tree refers to */
  inode_t last_ino;
  device_t dev;
  struct tmpfs_node *root;
};

/* A directory's names. Each has an age: how many names the directory had been given before. */
struct tmpfs_dir {
  struct avl *by_name;
  struct avl *by_age;
  uint64_t next_age;
  struct tmpfs_node *parent; /* the root's: the root */
  uint32_t directories;      /* names of directories in it */
};

/* A regular file's contents. Bytes to write come from the program, whose memory may be a file of
 * another kind that is slow: the lock keeps those apart that change the size. */
struct tmpfs_file {
  struct pagecache cache;
  struct mutex writer;
};

struct tmpfs_node {
  struct vnode vnode;
  struct tmpfs *fs;
  inode_t ino;
  linkcount_t names; /* that lead to it; the root has one more. A directory of 0 is removed */
  timestamp_t atim_ns, mtim_ns, ctim_ns;
  union { /* as much of it as the type needs; no member behind it */
    struct tmpfs_file file;
    struct tmpfs_dir dir;
    void *endpoint; /* of a socket or a FIFO */
    struct {
      uint32_t len;
      char contents[];
    } link;
  };
};

struct tmpfs_entry {
  struct avl by_name, by_age;
  struct tmpfs_node *node;
  uint64_t age;
  uint32_t hash;
  uint8_t len;
  char name[];
};

static inline struct tmpfs_node *tmpfs_node_of(const struct vnode *v) {
  return container_of(v, struct tmpfs_node, vnode);
}

static inline bool tmpfs_is_dir(const struct tmpfs_node *n) {
  return n->vnode.type == FILETYPE_DIRECTORY;
}

/* ---- tmpfs.c: room, nodes and what they all have --------------------------------------------- */

/* Counts n bytes. ENOSPC. */
errno_t tmpfs_charge(struct tmpfs *fs, uint64_t n);
void tmpfs_uncharge(struct tmpfs *fs, uint64_t n);
/* A block of n bytes that is counted, and a number of bytes that will be given back for it. ENOSPC.
 */
errno_t tmpfs_alloc(struct tmpfs *fs, size_t n, size_t instead_of, void **block);
void tmpfs_free(struct tmpfs *fs, void *block, size_t n);

/* A node without names and without references: see tmpfs_node_drop(). contents_len: of a symbolic
 * link, whose contents the caller fills in. ENOSPC. */
errno_t tmpfs_node_create(struct tmpfs *fs, filetype_t type, size_t contents_len,
                          struct tmpfs_node **node);
/* Frees it if nobody needs it any more. */
void tmpfs_node_drop(struct tmpfs_node *n);
/* Frees the memory, when the contents are gone. */
void tmpfs_node_free(struct tmpfs_node *n);
/* A new reference for somebody outside. */
struct vnode *tmpfs_node_hold(struct tmpfs_node *n);

#define TMPFS_ATIM 1u
#define TMPFS_MTIM 2u
#define TMPFS_CTIM 4u
/* Sets these times to now. */
void tmpfs_touch(struct tmpfs_node *n, unsigned which);

/* vnode operations that all types have. */
void tmpfs_release(struct vnode *v);
errno_t tmpfs_stat(struct vnode *v, struct filestat *st);
errno_t tmpfs_set_stat(struct vnode *v, const struct filestat *st, fsflags_t flags);

/* ---- tmpfs_dir.c: the names of one directory ------------------------------------------------- */

struct tmpfs_entry *tmpfs_find(const struct tmpfs_node *dir, const char *name, size_t len);
/* A name that leads nowhere, in no directory yet. instead_of: another that will be destroyed, or
 * NULL. ENOSPC. */
errno_t tmpfs_entry_create(struct tmpfs *fs, const char *name, size_t len,
                           const struct tmpfs_entry *instead_of, struct tmpfs_entry **entry);
void tmpfs_entry_destroy(struct tmpfs *fs, struct tmpfs_entry *entry);
/* Puts it into a directory that has no such name, and takes it out. */
void tmpfs_entry_insert(struct tmpfs_node *dir, struct tmpfs_entry *entry);
void tmpfs_entry_remove(struct tmpfs_node *dir, struct tmpfs_entry *entry);
/* Lets a name in a directory lead to a node, and no more to another, which may be gone then;
 * either may be NULL. */
void tmpfs_entry_turn(struct tmpfs_node *dir, struct tmpfs_entry *entry, struct tmpfs_node *node);
/* Any name of a directory; NULL: it is empty. */
struct tmpfs_entry *tmpfs_any_entry(const struct tmpfs_node *dir);

errno_t tmpfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **child);
errno_t tmpfs_readdir(struct vnode *dir, dircookie_t cookie, struct dir_sink *sink);

/* ---- The operations of each type: tmpfs_file.c, tmpfs_names.c -------------------------------- */

extern const struct pagecache_ops tmpfs_pagecache_ops;
extern const struct vnode_ops tmpfs_file_ops;
extern const struct vnode_ops tmpfs_dir_ops;
extern const struct vnode_ops tmpfs_link_ops;
extern const struct vnode_ops tmpfs_endpoint_ops;

/* Cuts a regular file off, or puts zeroes behind its end. EFBIG. */
errno_t tmpfs_resize(struct tmpfs_node *n, filesize_t size);

#endif
