/*
 * What changes the names in directories of tmpfs, and the operations of the nodes without contents.
 *
 * The callers have looked at the names; they may have waited for the program's memory since, so
 * all is looked at again here. What can fail comes before the first change. Kernel lock; nothing
 * sleeps. Reference 3.2.
 */
#include "fs/tmpfs_node.h"
#include "kernel/string.h"

/* Whether a name may be added to a directory. ENOENT: it is removed; EEXIST. */
static errno_t check_free(const struct tmpfs_node *dir, const char *name, size_t len) {
  if (dir->names == 0)
    return ENOENT;
  return tmpfs_find(dir, name, len) != NULL ? EEXIST : 0;
}

/* Gives a node a name more. */
static errno_t add_name(struct tmpfs_node *dir, const char *name, size_t len,
                        struct tmpfs_node *node) {
  struct tmpfs_entry *entry;
  errno_t e = tmpfs_entry_create(dir->fs, name, len, NULL, &entry);
  if (e != 0)
    return e;
  tmpfs_entry_insert(dir, entry);
  tmpfs_entry_turn(dir, entry, node);
  return 0;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static errno_t add_node(struct tmpfs_node *dir, const char *name, size_t len, filetype_t type,
                        const char *contents, size_t contents_len, struct tmpfs_node **node) {
  errno_t e = check_free(dir, name, len);
  if (e == 0)
    e = tmpfs_node_create(dir->fs, type, contents_len, node);
  if (e != 0)
    return e;
  if (contents_len > 0)
    memcpy((*node)->link.contents, contents, contents_len);
  e = add_name(dir, name, len, *node);
  if (e != 0)
    tmpfs_node_drop(*node);
  return e;
}

static errno_t tmpfs_create_node(struct vnode *dir, const char *name, size_t len, filetype_t type,
                                 struct vnode **child) {
  struct tmpfs_node *node;
  errno_t e = add_node(tmpfs_node_of(dir), name, len, type, NULL, 0, &node);
  if (e == 0)
    *child = tmpfs_node_hold(node);
  return e;
}

static errno_t tmpfs_symlink(struct vnode *dir, const char *name, size_t len, const char *contents,
                             size_t contents_len) {
  struct tmpfs_node *node;
  return add_node(tmpfs_node_of(dir), name, len, FILETYPE_SYMBOLIC_LINK, contents, contents_len,
                  &node);
}

static errno_t tmpfs_link(struct vnode *to_dir, const char *name, size_t len, struct vnode *v) {
  struct tmpfs_node *dir = tmpfs_node_of(to_dir), *node = tmpfs_node_of(v);
  errno_t e = check_free(dir, name, len);
  if (e == 0 && node->names == 0) /* removed meanwhile */
    e = ENOENT;
  if (e == 0 && node->names == UINT32_MAX)
    e = EMLINK;
  return e == 0 ? add_name(dir, name, len, node) : e;
}

/* ---- Removing -------------------------------------------------------------------------------- */

static void remove_name(struct tmpfs_node *dir, struct tmpfs_entry *entry) {
  tmpfs_entry_turn(dir, entry, NULL);
  tmpfs_entry_remove(dir, entry);
  tmpfs_entry_destroy(dir->fs, entry);
}

static bool is_full_dir(const struct tmpfs_node *n) {
  return tmpfs_is_dir(n) && tmpfs_any_entry(n) != NULL;
}

static errno_t tmpfs_unlink(struct vnode *v, const char *name, size_t len, struct vnode *node) {
  struct tmpfs_node *dir = tmpfs_node_of(v);
  struct tmpfs_entry *entry = tmpfs_find(dir, name, len);
  if (entry == NULL || &entry->node->vnode != node)
    return ENOENT;
  if (is_full_dir(entry->node))
    return ENOTEMPTY;
  remove_name(dir, entry);
  return 0;
}

/* ---- Renaming -------------------------------------------------------------------------------- */

/* Whether `dir` is `top` or lies below it. */
static bool is_below(const struct tmpfs_node *dir, const struct tmpfs_node *top) {
  while (dir != top && dir->dir.parent != dir)
    dir = dir->dir.parent;
  return dir == top;
}

/* Whether the node may take the place of what a name leads to now. */
static errno_t check_replace(const struct tmpfs_node *node, const struct tmpfs_entry *target) {
  if (target == NULL)
    return 0;
  if (tmpfs_is_dir(node) != tmpfs_is_dir(target->node))
    return tmpfs_is_dir(node) ? ENOTDIR : EISDIR;
  return is_full_dir(target->node) ? ENOTEMPTY : 0;
}

static errno_t tmpfs_rename(struct vnode *from_v, const char *name, size_t len, struct vnode *v,
                            struct vnode *to_v, const char *to_name, size_t to_len,
                            struct vnode *replaced) {
  struct tmpfs_node *dir = tmpfs_node_of(from_v), *to_dir = tmpfs_node_of(to_v);
  struct tmpfs_node *node = tmpfs_node_of(v);
  struct tmpfs_entry *entry = tmpfs_find(dir, name, len);
  struct tmpfs_entry *target = tmpfs_find(to_dir, to_name, to_len);
  if (entry == NULL || entry->node != node || to_dir->names == 0)
    return ENOENT;
  if (target != NULL && target->node == node)
    return 0;
  if (tmpfs_is_dir(node) && is_below(to_dir, node))
    return EINVAL;
  errno_t e = check_replace(node, target);
  if (e == 0 && target == NULL) {
    e = tmpfs_entry_create(dir->fs, to_name, to_len, entry, &target);
    if (e == 0)
      tmpfs_entry_insert(to_dir, target);
  }
  if (e != 0)
    return e;
  tmpfs_entry_turn(to_dir, target, node);
  remove_name(dir, entry);
  return 0;
}

/* ---- Links and endpoints --------------------------------------------------------------------- */

static errno_t tmpfs_readlink(struct vnode *v, struct uio *uio) {
  struct tmpfs_node *n = tmpfs_node_of(v);
  tmpfs_touch(n, TMPFS_ATIM);
  return uio_copy_to(uio, n->link.contents, n->link.len);
}

static void **tmpfs_endpoint(struct vnode *v) {
  return &tmpfs_node_of(v)->endpoint;
}

const struct vnode_ops tmpfs_dir_ops = {
    .release = tmpfs_release,
    .stat = tmpfs_stat,
    .set_stat = tmpfs_set_stat,
    .lookup = tmpfs_lookup,
    .readdir = tmpfs_readdir,
    .create = tmpfs_create_node,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .rename = tmpfs_rename,
    .unlink = tmpfs_unlink,
};

const struct vnode_ops tmpfs_link_ops = {
    .release = tmpfs_release,
    .stat = tmpfs_stat,
    .set_stat = tmpfs_set_stat,
    .readlink = tmpfs_readlink,
};

const struct vnode_ops tmpfs_endpoint_ops = {
    .release = tmpfs_release,
    .stat = tmpfs_stat,
    .set_stat = tmpfs_set_stat,
    .endpoint = tmpfs_endpoint,
};
