/*
 * The index of a directory, changed: leaves and index blocks split, names entered.
 *
 * When a leaf is full its upper half, by hash, goes to a new one; when the index has no room for
 * that, it gets a second level, or a block of the second level is split. The root is never split:
 * then the directory is full. The lock; inside a handle.
 */
#include "fs/ext4/htree_change.h"

#include "fs/ext4/csum.h"
#include "fs/ext4/dir_change.h"
#include "kernel/heap.h"
#include "kernel/string.h"

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void node_set_count(struct htree_node *n, unsigned count) {
  n->count = count;
  htree_count_store(n);
}

static void node_dirty(struct einode *dir, struct htree_node *n) {
  struct ext4 *fs = dir->fs;
  if (fs->csum) {
    struct ext4_dx_tail *tail = (void *)&n->entries[n->limit];
    size_t offset = (size_t)((uint8_t *)n->entries - n->b->data);
    uint32_t seed = csum_inode_seed(fs, dir->number, dir->disk.i_generation);
    tail->dt_checksum = csum_dir_index(seed, n->b->data, offset, n->count, tail);
  }
  tx_dirty(fs, n->b);
}

/* A new entry behind the one that the walk took. */
static void node_insert(struct htree_node *n, uint32_t hash, uint32_t block) {
  struct ext4_dx_entry *e = &n->entries[n->at + 1];
  memmove(e + 1, e, (n->count - n->at - 1) * sizeof *e);
  *e = (struct ext4_dx_entry){hash, block};
  node_set_count(n, n->count + 1);
}

/* An index block of the second level, without entries. */
static errno_t node_create(struct einode *dir, uint32_t *index, struct htree_node *n) {
  *n = (struct htree_node){0};
  errno_t e = dir_append(dir, index, BUF_DIR_INDEX, &n->b);
  if (e == 0)
    htree_node_init(dir->fs, n);
  return e;
}

/* The root's entries go to a block of a new level. */
static errno_t grow(struct einode *dir, struct htree_path *p) {
  struct htree_node *root = &p->node[0], *n = &p->node[1];
  uint32_t index;
  errno_t e = node_create(dir, &index, n);
  if (n->b != NULL)
    p->levels = 2;
  if (e != 0)
    return e;
  memcpy(n->entries + 1, root->entries + 1, (root->count - 1) * sizeof root->entries[0]);
  n->entries[0].block = root->entries[0].block;
  n->at = root->at;
  node_set_count(n, root->count);
  root->entries[0].block = index;
  root->at = 0;
  node_set_count(root, 1);
  p->depth = 2;
  htree_depth_store(root, 2);
  node_dirty(dir, n);
  node_dirty(dir, root);
  return 0;
}

/* The upper half of the second level's block goes to a new one. */
static errno_t split_node(struct einode *dir, struct htree_path *p) {
  struct htree_node *root = &p->node[0], *n = &p->node[1], upper;
  uint32_t index;
  if (root->count == root->limit)
    return ENOSPC;
  errno_t e = node_create(dir, &index, &upper);
  if (e != 0) {
    buf_put(upper.b);
    return e;
  }
  unsigned keep = n->count / 2, moved = n->count - keep;
  uint32_t hash = n->entries[keep].hash;
  memcpy(upper.entries + 1, n->entries + keep + 1, (moved - 1) * sizeof n->entries[0]);
  upper.entries[0].block = n->entries[keep].block;
  node_set_count(&upper, moved);
  node_set_count(n, keep);
  node_insert(root, hash, index);
  node_dirty(dir, root);
  node_dirty(dir, n);
  node_dirty(dir, &upper);
  if (n->at >= keep) { /* the walk goes on in the upper half */
    upper.at = n->at - keep;
    root->at++;
    struct buf *lower = n->b;
    *n = upper;
    upper.b = lower;
  }
  buf_put(upper.b);
  return 0;
}

/* Room for one more entry in the lowest node. */
static errno_t make_room(struct einode *dir, struct htree_path *p) {
  struct htree_node *n = &p->node[p->levels - 1];
  if (n->count < n->limit)
    return 0;
  errno_t e = p->depth == 1 ? grow(dir, p) : split_node(dir, p);
  n = &p->node[p->levels - 1];
  if (e == 0 &&
      n->count == n->limit) /* the root has fewer entries than a block of the second level */
    e = split_node(dir, p);
  return e;
}

/* ---- Leaves ---------------------------------------------------------------------------------- */

/* A name of a leaf, to be sorted. */
struct hashed {
  uint32_t hash;
  uint16_t at; /* of the entry in the copy of the leaf */
};

static void sort(struct hashed *a, unsigned n) {
  for (unsigned i = 1; i < n; i++) {
    struct hashed x = a[i];
    unsigned j = i;
    for (; j > 0 && a[j - 1].hash > x.hash; j--)
      a[j] = a[j - 1];
    a[j] = x;
  }
}

static unsigned collect(const struct ext4 *fs, unsigned version, const uint8_t *leaf,
                        struct hashed *out) {
  unsigned n = 0;
  for (unsigned at = 0; at < dir_leaf_end(fs);) {
    const struct ext4_dir_entry *e = (const void *)(leaf + at);
    if (e->inode != 0)
      out[n++] = (struct hashed){htree_hash(fs, version, e->name, e->name_len).major, (uint16_t)at};
    at += e->rec_len;
  }
  sort(out, n);
  return n;
}

/* How many of the sorted names stay: about half of the bytes, at least one, and not all. */
static unsigned half(const uint8_t *leaf, const struct hashed *a, unsigned n) {
  unsigned all = 0, sum = 0, keep = 0;
  for (unsigned i = 0; i < n; i++)
    all += dir_entry_bytes(((const struct ext4_dir_entry *)(leaf + a[i].at))->name_len);
  while (keep + 1 < n && sum < all / 2) {
    sum += dir_entry_bytes(((const struct ext4_dir_entry *)(leaf + a[keep].at))->name_len);
    keep++;
  }
  return keep;
}

static void refill(const struct ext4 *fs, struct buf *b, const uint8_t *leaf,
                   const struct hashed *a, unsigned n) {
  dir_leaf_init(fs, b);
  for (unsigned i = 0; i < n; i++) {
    const struct ext4_dir_entry *e = (const void *)(leaf + a[i].at);
    dir_leaf_insert(fs, b, e->name, e->name_len, e->inode, e->file_type);
  }
}

/* A leaf to be split: a copy of it, and its names in order. */
struct split {
  uint8_t *copy;
  struct hashed *names;
  unsigned n;
};

static errno_t split_begin(const struct ext4 *fs, unsigned version, const struct buf *leaf,
                           struct split *s) {
  s->copy = kmalloc(fs->block_bytes);
  s->names = kmalloc(fs->block_bytes / dir_entry_bytes(1) * sizeof s->names[0]);
  if (s->copy == NULL || s->names == NULL)
    return ENOMEM;
  memcpy(s->copy, leaf->data, fs->block_bytes);
  s->n = collect(fs, version, s->copy, s->names);
  return 0;
}

/* The upper half goes to `upper`, which the index learns of. */
static void split_do(struct einode *dir, struct htree_path *p, const struct split *s,
                     struct buf *lower, struct buf *upper, uint32_t upper_index) {
  const struct ext4 *fs = dir->fs;
  unsigned keep = half(s->copy, s->names, s->n);
  uint32_t hash = s->names[keep].hash;
  if (hash == s->names[keep - 1].hash)
    hash |= HTREE_CONTINUED;
  refill(fs, lower, s->copy, s->names, keep);
  refill(fs, upper, s->copy, s->names + keep, s->n - keep);
  node_insert(&p->node[p->levels - 1], hash, upper_index);
  dir_leaf_dirty(dir, lower);
  dir_leaf_dirty(dir, upper);
  node_dirty(dir, &p->node[p->levels - 1]);
}

/* Splits the leaf that the path leads to. One with a single name has room once its gaps are joined.
 */
static errno_t split_leaf(struct einode *dir, struct htree_path *p, struct buf *lower) {
  struct split s = {0};
  struct buf *upper = NULL;
  uint32_t index = 0;
  errno_t e = split_begin(dir->fs, p->version, lower, &s);
  if (e == 0 && s.n < 2) {
    refill(dir->fs, lower, s.copy, s.names, s.n);
    dir_leaf_dirty(dir, lower);
  } else if (e == 0) {
    e = make_room(dir, p);
    if (e == 0)
      e = dir_append(dir, &index, BUF_DIR, &upper);
    if (e == 0)
      split_do(dir, p, &s, lower, upper, index);
  }
  buf_put(upper);
  kfree(s.names);
  kfree(s.copy);
  return e;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* One try: into the leaf, or *full and the leaf was split. */
static errno_t try_add(struct einode *dir, uint32_t hash, const char *name, size_t len,
                       uint32_t ino, uint8_t type, bool *done) {
  struct htree_path p;
  struct buf *leaf;
  errno_t e = htree_walk(dir, hash, &p);
  if (e != 0)
    return e;
  e = dir_leaf_read(dir, htree_leaf(&p), &leaf);
  if (e == 0) {
    *done = dir_leaf_insert(dir->fs, leaf, name, len, ino, type);
    if (*done)
      dir_leaf_dirty(dir, leaf);
    else
      e = split_leaf(dir, &p, leaf);
    buf_put(leaf);
  }
  htree_put(&p);
  return e;
}

errno_t htree_add(struct einode *dir, const char *name, size_t len, uint32_t ino, uint8_t type) {
  struct htree_path p;
  errno_t e = htree_root(dir, &p);
  if (e != 0)
    return e;
  uint32_t hash = htree_hash(dir->fs, p.version, name, len).major;
  htree_put(&p);
  bool done = false;
  for (unsigned tries = 0; e == 0 && !done && tries < 3; tries++)
    e = try_add(dir, hash, name, len, ino, type, &done);
  return e == 0 && !done ? ENOSPC : e; /* names of one hash that fill a leaf */
}

errno_t htree_make(struct einode *dir) {
  const struct ext4 *fs = dir->fs;
  struct buf *root, *leaf = NULL;
  uint32_t index;
  errno_t e = dir_leaf_read(dir, 0, &root);
  if (e == 0 && !dir_has_dots(root))
    e = ext4_corrupt(dir->fs, dir->number, root->block, "a directory without \"..\"");
  if (e == 0)
    e = dir_append(dir, &index, BUF_DIR, &leaf);
  if (e == 0) {
    const struct ext4_dir_entry *dotdot = dir_entry_at(root, dir_entry_bytes(1));
    uint32_t parent = dotdot->inode;
    for (unsigned at = dir_entry_bytes(1) + dotdot->rec_len; at < dir_leaf_end(fs);) {
      const struct ext4_dir_entry *x = dir_entry_at(root, at);
      if (x->inode != 0)
        dir_leaf_insert(fs, leaf, x->name, x->name_len, x->inode, x->file_type);
      at += x->rec_len;
    }
    dir_leaf_dirty(dir, leaf);
    struct htree_node n = {.b = root};
    htree_root_init(dir, &n, parent, index);
    node_dirty(dir, &n);
    dir->disk.i_flags |= EXT4_INDEX_FL;
    e = einode_dirty(dir);
  }
  buf_put(leaf);
  buf_put(root);
  return e;
}

errno_t htree_set_parent(struct einode *dir, uint32_t parent) {
  struct htree_path p;
  errno_t e = htree_root(dir, &p);
  if (e != 0)
    return e;
  dir_entry_at(p.node[0].b, dir_entry_bytes(1))->inode = parent;
  node_dirty(dir, &p.node[0]);
  htree_put(&p);
  return 0;
}
