/*
 * File systems in memory: room, and the lives of nodes.
 *
 * Kernel lock; nothing here sleeps. Reference 3.2.
 */
#include "fs/tmpfs.h"

#include "fs/tmpfs_node.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define FIRST_DEV (1ull << 32) /* the other file systems' are below */

/* ---- Room ------------------------------------------------------------------------------------ */

errno_t tmpfs_charge(struct tmpfs *fs, uint64_t n) {
  if (n > fs->limit_bytes || fs->used_bytes > fs->limit_bytes - n)
    return ENOSPC;
  fs->used_bytes += n;
  return 0;
}

void tmpfs_uncharge(struct tmpfs *fs, uint64_t n) {
  ASSERT(fs->used_bytes >= n);
  fs->used_bytes -= n;
}

uint64_t tmpfs_used_bytes(const struct vnode *v) {
  const struct tmpfs *fs = tmpfs_node_of(v)->fs;
  return fs->used_bytes - fs->own_bytes;
}

/* What kmalloc() takes for a block, about. */
static size_t counted(size_t n) {
  return (n + 15) & ~(size_t)15;
}

errno_t tmpfs_alloc(struct tmpfs *fs, size_t n, size_t instead_of, void **block) {
  if (page_free_count() <= PAGE_RESERVE)
    return ENOSPC;
  tmpfs_uncharge(fs, counted(instead_of));
  errno_t e = tmpfs_charge(fs, counted(n));
  fs->used_bytes += counted(instead_of); /* which is still there */
  if (e != 0)
    return e;
  *block = kmalloc(n);
  if (*block != NULL)
    return 0;
  tmpfs_uncharge(fs, counted(n));
  return ENOSPC;
}

void tmpfs_free(struct tmpfs *fs, void *block, size_t n) {
  tmpfs_uncharge(fs, counted(n));
  kfree(block);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static size_t node_bytes(filetype_t type, size_t contents_len) {
  switch (type) {
    case FILETYPE_REGULAR_FILE:
      return offsetof(struct tmpfs_node, file) + sizeof(struct tmpfs_file);
    case FILETYPE_DIRECTORY:
      return offsetof(struct tmpfs_node, dir) + sizeof(struct tmpfs_dir);
    case FILETYPE_SYMBOLIC_LINK:
      return offsetof(struct tmpfs_node, link.contents) + contents_len;
    default:
      return offsetof(struct tmpfs_node, endpoint) + sizeof(void *);
  }
}

static void node_init(struct tmpfs_node *n, size_t contents_len) {
  switch (n->vnode.type) {
    case FILETYPE_REGULAR_FILE:
      n->vnode.ops = &tmpfs_file_ops;
      pagecache_init(&n->file.cache, &tmpfs_pagecache_ops);
      mutex_init(&n->file.writer);
      break;
    case FILETYPE_DIRECTORY:
      n->vnode.ops = &tmpfs_dir_ops;
      n->dir = (struct tmpfs_dir){0};
      break;
    case FILETYPE_SYMBOLIC_LINK:
      n->vnode.ops = &tmpfs_link_ops;
      n->link.len = (uint32_t)contents_len;
      break;
    default:
      n->vnode.ops = &tmpfs_endpoint_ops;
      n->endpoint = NULL;
      break;
  }
}

errno_t tmpfs_node_create(struct tmpfs *fs, filetype_t type, size_t contents_len,
                          struct tmpfs_node **node) {
  void *block;
  errno_t e = tmpfs_alloc(fs, node_bytes(type, contents_len), 0, &block);
  if (e != 0)
    return e;
  struct tmpfs_node *n = block;
  n->vnode = (struct vnode){.type = type};
  n->fs = fs;
  n->ino = ++fs->last_ino;
  n->names = 0;
  node_init(n, contents_len);
  tmpfs_touch(n, TMPFS_ATIM | TMPFS_MTIM | TMPFS_CTIM);
  fs->nodes++;
  *node = n;
  return 0;
}

void tmpfs_node_free(struct tmpfs_node *n) {
  struct tmpfs *fs = n->fs;
  size_t contents_len = n->vnode.type == FILETYPE_SYMBOLIC_LINK ? n->link.len : 0;
  tmpfs_free(fs, n, node_bytes(n->vnode.type, contents_len));
  if (--fs->nodes == 0)
    kfree(fs);
}

void tmpfs_node_drop(struct tmpfs_node *n) {
  if (n->names > 0 || n->vnode.refs > 0)
    return;
  if (n->vnode.type == FILETYPE_REGULAR_FILE)
    memobj_unref(&n->file.cache.obj); /* frees the node with the pages, perhaps later */
  else
    tmpfs_node_free(n);
}

struct vnode *tmpfs_node_hold(struct tmpfs_node *n) {
  if (n->vnode.refs == 0)
    n->fs->held++;
  return vnode_ref(&n->vnode);
}

/* Frees a tree that nobody can reach, from the leaves on, without recursion. */
static void cut_down(struct tmpfs_node *root) {
  struct tmpfs_node *dir = root;
  struct tmpfs_entry *entry;
  while ((entry = tmpfs_any_entry(dir)) != NULL || dir != root) {
    if (entry == NULL) {
      dir = dir->dir.parent;
    } else if (tmpfs_is_dir(entry->node) && tmpfs_any_entry(entry->node) != NULL) {
      dir = entry->node;
    } else {
      tmpfs_entry_turn(dir, entry, NULL);
      tmpfs_entry_remove(dir, entry);
      tmpfs_entry_destroy(root->fs, entry);
    }
  }
  root->names = 0;
  tmpfs_node_drop(root);
}

void tmpfs_release(struct vnode *v) {
  struct tmpfs_node *n = tmpfs_node_of(v), *root = n->fs->root;
  bool last = --n->fs->held == 0;
  tmpfs_node_drop(n); /* not the root: it has a name */
  if (last)
    cut_down(root);
}

errno_t tmpfs_create(uint64_t limit_bytes, struct vnode **root) {
  static device_t next_dev = FIRST_DEV;
  struct tmpfs *fs = kzalloc(sizeof *fs);
  if (fs == NULL)
    return ENOMEM;
  fs->limit_bytes = UINT64_MAX;
  if (tmpfs_node_create(fs, FILETYPE_DIRECTORY, 0, &fs->root) != 0) {
    kfree(fs);
    return ENOMEM;
  }
  fs->own_bytes = fs->used_bytes;
  fs->limit_bytes =
      limit_bytes < UINT64_MAX - fs->own_bytes ? limit_bytes + fs->own_bytes : UINT64_MAX;
  fs->root->names = 1;
  fs->root->dir.parent = fs->root;
  fs->dev = next_dev++;
  *root = tmpfs_node_hold(fs->root);
  return 0;
}

/* ---- What all types have --------------------------------------------------------------------- */

void tmpfs_touch(struct tmpfs_node *n, unsigned which) {
  timestamp_t now_ns = clock_realtime_ns();
  if (which & TMPFS_ATIM)
    n->atim_ns = now_ns;
  if (which & TMPFS_MTIM)
    n->mtim_ns = now_ns;
  if (which & TMPFS_CTIM)
    n->ctim_ns = now_ns;
}

static linkcount_t link_count(const struct tmpfs_node *n) {
  return tmpfs_is_dir(n) && n->names > 0 ? 2 + n->dir.directories : n->names;
}

static filesize_t size_of(const struct tmpfs_node *n) {
  switch (n->vnode.type) {
    case FILETYPE_REGULAR_FILE:
      return n->file.cache.size_bytes;
    case FILETYPE_SYMBOLIC_LINK:
      return n->link.len;
    default:
      return 0;
  }
}

errno_t tmpfs_stat(struct vnode *v, struct filestat *st) {
  const struct tmpfs_node *n = tmpfs_node_of(v);
  memset(st, 0, sizeof *st);
  st->st_dev = n->fs->dev;
  st->st_ino = n->ino;
  st->st_filetype = v->type;
  st->st_nlink = link_count(n);
  st->st_size = size_of(n);
  st->st_atim = n->atim_ns;
  st->st_mtim = n->mtim_ns;
  st->st_ctim = n->ctim_ns;
  return 0;
}

errno_t tmpfs_set_stat(struct vnode *v, const struct filestat *st, fsflags_t flags) {
  struct tmpfs_node *n = tmpfs_node_of(v);
  if (flags & FILESTAT_SIZE)
    return v->type == FILETYPE_REGULAR_FILE ? tmpfs_resize(n, st->st_size) : EINVAL;
  if (flags & FILESTAT_ATIM)
    n->atim_ns = st->st_atim;
  if (flags & FILESTAT_MTIM)
    n->mtim_ns = st->st_mtim;
  tmpfs_touch(n, TMPFS_CTIM | (flags & FILESTAT_ATIM_NOW ? TMPFS_ATIM : 0) |
                     (flags & FILESTAT_MTIM_NOW ? TMPFS_MTIM : 0));
  return 0;
}
