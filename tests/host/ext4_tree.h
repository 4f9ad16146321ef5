/*
 * All that a mounted file system shows: its names as one number that tells any two trees apart, and
 * a list of its files. For tests that compare a disk with what it was.
 */
#ifndef TESTS_HOST_EXT4_TREE_H
#define TESTS_HOST_EXT4_TREE_H

#include "tests/host/ext4_fixture.h"

#define TREE_FILES 400
#define TREE_DEPTH 12

struct tree_file {
  struct vnode *v; /* a reference */
  inode_t ino;
  uint64_t path; /* as a hash */
  char name[64]; /* its beginning */
};

struct tree {
  uint64_t hash; /* of every path, type, inode number and count of links */
  unsigned names, count;
  struct tree_file files[TREE_FILES];
};

/* One directory, read before anything in it is looked up. */
struct tree_names {
  struct dir_sink sink;
  unsigned count, room;
  struct {
    char name[256];
    size_t len;
  } * entry;
};

static uint64_t tree_mix(uint64_t hash, const void *data, size_t n) {
  for (size_t i = 0; i < n; i++)
    hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3ul;
  return hash ^ hash >> 29;
}

static bool tree_put(struct dir_sink *sink, const struct dir_entry *x) {
  struct tree_names *names = (struct tree_names *)sink;
  if (x->name[0] == '.' && (x->name_len == 1 || (x->name_len == 2 && x->name[1] == '.')))
    return true;
  if (names->count == names->room) {
    names->room = names->room * 2 + 16;
    names->entry = realloc(names->entry, names->room * sizeof names->entry[0]);
  }
  memcpy(names->entry[names->count].name, x->name, x->name_len);
  names->entry[names->count++].len = x->name_len;
  return true;
}

static errno_t tree_walk(struct tree *t, struct vnode *dir, uint64_t path, unsigned depth);

static errno_t tree_name(struct tree *t, struct vnode *dir, uint64_t path, const char *name,
                         size_t len, unsigned depth) {
  struct vnode *v;
  struct filestat st;
  errno_t e = dir->ops->lookup(dir, name, len, &v);
  if (e != 0)
    return e;
  v->ops->stat(v, &st);
  uint64_t links = v->type == FILETYPE_DIRECTORY ? 0 : st.st_nlink;
  uint64_t says[] = {st.st_ino, v->type, links};
  uint64_t below = tree_mix(path + 1, name, len);
  t->hash += tree_mix(below, says, sizeof says);
  t->names++;
  if (v->type == FILETYPE_SYMBOLIC_LINK) {
    char contents[400];
    struct uio uio;
    uio_init_kernel(&uio, contents, sizeof contents);
    e = v->ops->readlink(v, &uio);
    t->hash += tree_mix(below, contents, sizeof contents - uio.resid);
  } else if (v->type == FILETYPE_DIRECTORY) {
    e = depth < TREE_DEPTH ? tree_walk(t, v, below, depth + 1) : EIO;
  } else if (t->count < TREE_FILES) {
    struct tree_file *f = &t->files[t->count++];
    *f = (struct tree_file){vnode_ref(v), st.st_ino, below, ""};
    memcpy(f->name, name, len < sizeof f->name ? len : sizeof f->name - 1);
  }
  vnode_unref(v);
  return e;
}

static errno_t tree_walk(struct tree *t, struct vnode *dir, uint64_t path, unsigned depth) {
  struct tree_names names = {.sink.put = tree_put};
  errno_t e = dir->ops->readdir(dir, DIRCOOKIE_START, &names.sink);
  for (unsigned i = 0; e == 0 && i < names.count; i++)
    e = tree_name(t, dir, path, names.entry[i].name, names.entry[i].len, depth);
  free(names.entry);
  return e;
}

/* Everything below the root; tree_put_back() ends it, error or not. */
static inline errno_t tree_read(struct tree *t, struct vnode *root) {
  t->hash = 0;
  t->names = t->count = 0;
  return tree_walk(t, root, 14695981039346656037ul, 0);
}

static inline void tree_put_back(struct tree *t) {
  for (unsigned i = 0; i < t->count; i++)
    vnode_unref(t->files[i].v);
  t->count = 0;
}

#endif
