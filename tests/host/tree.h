/*
 * A small writable file system in memory, made from a table of names: what path lookup and the
 * file_* calls are tried on. It is simple rather than fast.
 */
#ifndef TESTS_HOST_TREE_H
#define TESTS_HOST_TREE_H

#include "fs/vnode.h"
#include "kernel/list.h"
#include "tests/host/world.h"

#define TREE_NODES 512
#define TREE_BYTES 1024

struct tree_node {
  struct vnode vnode;
  device_t dev;
  char bytes[TREE_BYTES]; /* contents of files and links */
  size_t size;
  unsigned links;
};

struct tree_name {
  struct tree_node *dir, *node; /* node NULL: free */
  char name[NAME_BYTES_MAX + 1];
};

static struct tree_node tree_nodes[TREE_NODES];
static struct tree_name tree_names[TREE_NODES];
static size_t tree_count;

static struct tree_node *tree_of(struct vnode *v) {
  return container_of(v, struct tree_node, vnode);
}

static struct tree_name *tree_find(struct vnode *dir, const char *name, size_t len) {
  for (size_t i = 0; i < TREE_NODES; i++) {
    struct tree_name *n = &tree_names[i];
    if (n->node != NULL && &n->dir->vnode == dir && strlen(n->name) == len &&
        memcmp(n->name, name, len) == 0)
      return n;
  }
  return NULL;
}

static const struct vnode_ops tree_ops;

static struct tree_node *tree_node(filetype_t type) {
  assert_true(tree_count < TREE_NODES);
  struct tree_node *n = &tree_nodes[tree_count++];
  *n = (struct tree_node){.vnode = {&tree_ops, 1, type}, .dev = 7};
  return n;
}

static void tree_bind(struct vnode *dir, const char *name, size_t len, struct tree_node *node) {
  size_t i = 0;
  while (tree_names[i].node != NULL)
    i++;
  assert_true(i < TREE_NODES - 1);
  tree_names[i].dir = tree_of(dir);
  tree_names[i].node = node;
  memcpy(tree_names[i].name, name, len);
  tree_names[i].name[len] = '\0';
  node->links++;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static errno_t tree_stat(struct vnode *v, struct filestat *st) {
  struct tree_node *n = tree_of(v);
  memset(st, 0, sizeof *st);
  st->st_dev = n->dev;
  st->st_ino = (inode_t)(n - tree_nodes) + 1;
  st->st_filetype = v->type;
  st->st_nlink = n->links;
  st->st_size = n->size;
  return 0;
}

static errno_t tree_set_stat(struct vnode *v, const struct filestat *st, fsflags_t flags) {
  if (flags & FILESTAT_SIZE)
    tree_of(v)->size = st->st_size;
  return 0;
}

static errno_t tree_pread(struct vnode *v, struct uio *uio, filesize_t offset) {
  struct tree_node *n = tree_of(v);
  return offset < n->size ? uio_copy_to(uio, n->bytes + offset, n->size - offset) : 0;
}

static errno_t tree_pwrite(struct vnode *v, struct uio *uio, filesize_t offset, bool append,
                           filesize_t *end) {
  struct tree_node *n = tree_of(v);
  if (append)
    offset = n->size;
  if (offset + uio->resid > TREE_BYTES)
    return ENOSPC;
  size_t wanted = uio->resid;
  errno_t e = uio_copy_from(uio, n->bytes + offset, wanted);
  *end = offset + wanted;
  if (e == 0 && *end > n->size)
    n->size = *end;
  return e;
}

static errno_t tree_readlink(struct vnode *v, struct uio *uio) {
  return uio_copy_to(uio, tree_of(v)->bytes, tree_of(v)->size);
}

static errno_t tree_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **child) {
  assert_int_equal(dir->type, FILETYPE_DIRECTORY);
  struct tree_name *n = tree_find(dir, name, len);
  if (n == NULL)
    return ENOENT;
  *child = vnode_ref(&n->node->vnode);
  return 0;
}

/* Cookies: 0 ".", 1 "..", 2 + i the name i and those behind it. */
static errno_t tree_readdir(struct vnode *dir, dircookie_t cookie, struct dir_sink *sink) {
  for (; cookie < TREE_NODES + 2; cookie++) {
    struct tree_name *n = cookie < 2 ? NULL : &tree_names[cookie - 2];
    struct vnode *v = n != NULL && n->node != NULL ? &n->node->vnode : dir;
    const char *name = n != NULL ? n->name : cookie == 0 ? "." : "..";
    struct dir_entry e = {.name = name,
                          .name_len = strlen(name),
                          .ino = (inode_t)(tree_of(v) - tree_nodes) + 1,
                          .type = v->type,
                          .next = cookie + 1};
    bool skip = n != NULL && (n->node == NULL || &n->dir->vnode != dir);
    if (!skip && !sink->put(sink, &e))
      return 0;
  }
  return 0;
}

static errno_t tree_create(struct vnode *dir, const char *name, size_t len, filetype_t type,
                           struct vnode **child) {
  struct tree_node *n = tree_node(type);
  tree_bind(dir, name, len, n);
  *child = vnode_ref(&n->vnode);
  return 0;
}

static errno_t tree_symlink(struct vnode *dir, const char *name, size_t len, const char *contents,
                            size_t contents_len) {
  struct tree_node *n = tree_node(FILETYPE_SYMBOLIC_LINK);
  memcpy(n->bytes, contents, contents_len);
  n->size = contents_len;
  tree_bind(dir, name, len, n);
  return 0;
}

static errno_t tree_link(struct vnode *dir, const char *name, size_t len, struct vnode *node) {
  tree_bind(dir, name, len, tree_of(node));
  return 0;
}

static errno_t tree_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *node) {
  for (size_t i = 0; i < TREE_NODES; i++) {
    if (tree_names[i].node != NULL && &tree_names[i].dir->vnode == node)
      return ENOTEMPTY;
  }
  tree_of(node)->links--;
  tree_find(dir, name, len)->node = NULL;
  return 0;
}

static errno_t tree_rename(struct vnode *dir, const char *name, size_t len, struct vnode *node,
                           struct vnode *to_dir, const char *to_name, size_t to_len,
                           struct vnode *replaced) {
  errno_t e = replaced != NULL ? tree_unlink(to_dir, to_name, to_len, replaced) : 0;
  if (e == 0)
    e = tree_unlink(dir, name, len, node);
  if (e == 0)
    tree_bind(to_dir, to_name, to_len, tree_of(node));
  return e;
}

static const struct vnode_ops tree_ops = {
    .stat = tree_stat,
    .set_stat = tree_set_stat,
    .pread = tree_pread,
    .pwrite = tree_pwrite,
    .readlink = tree_readlink,
    .lookup = tree_lookup,
    .readdir = tree_readdir,
    .create = tree_create,
    .symlink = tree_symlink,
    .link = tree_link,
    .rename = tree_rename,
    .unlink = tree_unlink,
};

/* ---- Making one ------------------------------------------------------------------------------ */

/* Adds a node: its directory must be there. "" makes the root anew. For links and files: contents.
 */
static struct tree_node *tree_add(const char *path, filetype_t type, const char *contents) {
  const char *slash;
  struct vnode *dir = &tree_nodes[0].vnode;
  if (*path == '\0') {
    tree_count = 0;
    memset(tree_names, 0, sizeof tree_names);
    return tree_node(type);
  }
  while ((slash = strchr(path, '/')) != NULL) {
    dir = &tree_find(dir, path, (size_t)(slash - path))->node->vnode;
    path = slash + 1;
  }
  struct tree_node *n = tree_node(type);
  n->size = strlen(contents);
  memcpy(n->bytes, contents, n->size);
  tree_bind(dir, path, strlen(path), n);
  return n;
}

/* Nobody but the tree refers to its nodes. */
static void tree_check_refs(const char *what) {
  for (size_t i = 0; i < tree_count; i++) {
    if (tree_nodes[i].vnode.refs != 1)
      fail_msg("%s: node %zu has %u references", what, i, tree_nodes[i].vnode.refs);
  }
}

#endif
