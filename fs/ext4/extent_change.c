/*
 * Extent trees, changed: extents entered, marked as written, and cut off at the end.
 *
 * On the way down every full node is split before it is entered, so that its parent always has room
 * and nothing ever goes back up. A full root becomes a block of its own, and the tree one level
 * higher. The lock; inside a handle.
 */
#include "fs/ext4/extent_change.h"

#include "fs/ext4/csum.h"
#include "kernel/string.h"

#define ENTRY_BYTES 12
#define WRITTEN_LEN_MAX EXT4_EXTENT_BLOCKS_MAX
#define ROOT_CHILDREN_MAX 4
#define UNWRITTEN_LEN_MAX (EXT4_EXTENT_BLOCKS_MAX - 1)

_Static_assert(sizeof(struct ext4_extent) == ENTRY_BYTES, "entries of both kinds are as long");
_Static_assert(sizeof(struct ext4_extent_index) == ENTRY_BYTES, "and begin with their file block");

/* A node on the way; without a buffer it is the root, in the inode. */
struct step {
  struct ext4_extent_header *h;
  struct buf *b;
};

static struct ext4_extent *entry(const struct ext4_extent_header *h, int i) {
  return extent_first(h) + i;
}

static struct ext4_extent_index *index_entry(const struct ext4_extent_header *h, int i) {
  return extent_first_index(h) + i;
}

/* After a change of the node. The root goes out with the inode, which the caller makes dirty. */
static void step_dirty(struct einode *ino, const struct step *s) {
  if (s->b == NULL)
    return;
  if (ino->fs->csum) {
    struct ext4_extent_tail *tail = (void *)entry(s->h, s->h->eh_max);
    tail->et_checksum =
        csum_extents(csum_inode_seed(ino->fs, ino->number, ino->disk.i_generation), s->h);
  }
  tx_dirty(ino->fs, s->b);
}

static void entry_insert(struct ext4_extent_header *h, int at, const void *x) {
  memmove(entry(h, at + 1), entry(h, at), (size_t)(h->eh_entries - at) * ENTRY_BYTES);
  memcpy(entry(h, at), x, ENTRY_BYTES);
  h->eh_entries++;
}

static void entry_remove(struct ext4_extent_header *h, int at) {
  h->eh_entries--;
  memmove(entry(h, at), entry(h, at + 1), (size_t)(h->eh_entries - at) * ENTRY_BYTES);
}

/* ---- New nodes ------------------------------------------------------------------------------- */

/* An empty node in a new block. */
static errno_t node_create(struct einode *ino, unsigned depth, struct step *s) {
  struct ext4 *fs = ino->fs;
  uint64_t block;
  uint32_t one = 1;
  errno_t e = ext4_alloc_blocks(fs, einode_goal(ino), &block, &one);
  if (e != 0)
    return e;
  e = buf_new(&fs->cache, block, BUF_EXTENTS, &s->b);
  if (e != 0) {
    ext4_free_blocks(fs, ino->number, block, 1, true);
    return e;
  }
  einode_blocks_add(ino, 1);
  s->h = extent_node(s->b);
  *s->h = (struct ext4_extent_header){.eh_magic = EXT4_EXTENT_MAGIC,
                                      .eh_max = (uint16_t)extent_block_entries(fs),
                                      .eh_depth = (uint16_t)depth};
  return 0;
}

static struct ext4_extent_index index_to(uint32_t file_block, uint64_t block) {
  return (struct ext4_extent_index){
      .ei_block = file_block, .ei_leaf_lo = (uint32_t)block, .ei_leaf_hi = (uint16_t)(block >> 32)};
}

/* The root's entries move to a block, and the root points to it. */
static errno_t grow(struct einode *ino) {
  struct ext4_extent_header *root = extent_root(ino);
  struct step s;
  if (root->eh_depth == EXT4_EXTENT_DEPTH_MAX)
    return ENOSPC;
  errno_t e = node_create(ino, root->eh_depth, &s);
  if (e != 0)
    return e;
  memcpy(entry(s.h, 0), entry(root, 0), (size_t)root->eh_entries * ENTRY_BYTES);
  s.h->eh_entries = root->eh_entries;
  struct ext4_extent_index x = index_to(entry(s.h, 0)->ee_block, s.b->block);
  root->eh_depth++;
  root->eh_entries = 0;
  entry_insert(root, 0, &x);
  step_dirty(ino, &s);
  buf_put(s.b);
  return 0;
}

/* Moves the upper half of `full`, which entry `at` of `parent` points to, to a node of its own; for
 * an entry that comes behind all others, nothing, so that files written in order fill their nodes.
 */
static errno_t split(struct einode *ino, const struct step *parent, int at, const struct step *full,
                     uint32_t file_block) {
  struct step s;
  int n = full->h->eh_entries;
  const struct ext4_extent *last = entry(full->h, n - 1);
  bool append = full->h->eh_depth == 0 && last->ee_block + (uint64_t)extent_len(last) <= file_block;
  int keep = append ? n : n / 2;
  errno_t e = node_create(ino, full->h->eh_depth, &s);
  if (e != 0)
    return e;
  memcpy(entry(s.h, 0), entry(full->h, keep), (size_t)(n - keep) * ENTRY_BYTES);
  s.h->eh_entries = (uint16_t)(n - keep);
  full->h->eh_entries = (uint16_t)keep;
  struct ext4_extent_index x =
      index_to(keep < n ? entry(s.h, 0)->ee_block : file_block, s.b->block);
  entry_insert(parent->h, at + 1, &x);
  step_dirty(ino, full);
  step_dirty(ino, &s);
  step_dirty(ino, parent);
  buf_put(s.b);
  return 0;
}

/* ---- The way to a leaf ----------------------------------------------------------------------- */

/* The child of `s` where file_block belongs, with room for so many entries; `s` has room for one.
 */
static errno_t descend(struct einode *ino, struct step *s, uint32_t file_block, int room) {
  struct step child;
  for (;;) {
    int i = extent_search(s->h, file_block);
    if (i < 0) { /* it comes before all others */
      i = 0;
      index_entry(s->h, 0)->ei_block = file_block;
      step_dirty(ino, s);
    }
    errno_t e = extent_node_read(ino, index_entry(s->h, i), s->h->eh_depth - 1u, &child.b);
    if (e != 0)
      return e;
    child.h = extent_node(child.b);
    if (child.h->eh_entries + room <= child.h->eh_max)
      break;
    e = split(ino, s, i, &child, file_block);
    buf_put(child.b);
    if (e != 0)
      return e;
  }
  buf_put(s->b);
  *s = child;
  return 0;
}

/* The leaf where file_block belongs, with room for so many entries. */
static errno_t leaf_for(struct einode *ino, uint32_t file_block, int room, struct step *s) {
  *s = (struct step){extent_root(ino), NULL};
  errno_t e = extent_check_root(ino);
  if (e == 0 && s->h->eh_entries + room > s->h->eh_max)
    e = grow(ino);
  while (e == 0 && s->h->eh_depth > 0)
    e = descend(ino, s, file_block, room);
  if (e != 0)
    buf_put(s->b);
  return e;
}

/* ---- Lower trees ----------------------------------------------------------------------------- */

/* The root's children, read; *total: how many entries they have together. */
static errno_t children_read(struct einode *ino, struct buf *child[ROOT_CHILDREN_MAX],
                             unsigned *total) {
  const struct ext4_extent_header *root = extent_root(ino);
  *total = 0;
  for (unsigned i = 0; i < root->eh_entries; i++) {
    errno_t e = extent_node_read(ino, index_entry(root, (int)i), root->eh_depth - 1u, &child[i]);
    if (e != 0)
      return e;
    *total += extent_node(child[i])->eh_entries;
  }
  return 0;
}

/* The children's entries become the root's; their blocks are given back. */
static errno_t children_join(struct einode *ino, struct buf *child[ROOT_CHILDREN_MAX]) {
  struct ext4_extent_header *root = extent_root(ino);
  const unsigned n = root->eh_entries;
  errno_t e = 0;
  root->eh_entries = 0;
  root->eh_depth--;
  for (unsigned i = 0; i < n; i++) {
    const struct ext4_extent_header *h = extent_node(child[i]);
    memcpy(entry(root, root->eh_entries), entry(h, 0), (size_t)h->eh_entries * ENTRY_BYTES);
    root->eh_entries = (uint16_t)(root->eh_entries + h->eh_entries);
  }
  for (unsigned i = 0; e == 0 && i < n; i++) {
    uint64_t block = child[i]->block;
    buf_put(child[i]);
    child[i] = NULL;
    e = ext4_free_blocks(ino->fs, ino->number, block, 1, true);
    einode_blocks_add(ino, -1);
  }
  return e;
}

/* While the root could hold what its children hold, it does. */
static errno_t collapse(struct einode *ino) {
  struct ext4_extent_header *root = extent_root(ino);
  bool fits = true;
  errno_t e = 0;
  while (e == 0 && fits && root->eh_depth > 0 && root->eh_entries <= ROOT_CHILDREN_MAX) {
    struct buf *child[ROOT_CHILDREN_MAX] = {0};
    unsigned total;
    e = children_read(ino, child, &total);
    fits = e == 0 && total <= root->eh_max;
    if (fits)
      e = children_join(ino, child);
    for (unsigned i = 0; i < ROOT_CHILDREN_MAX; i++)
      buf_put(child[i]);
  }
  return e;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static void extent_set_len(struct ext4_extent *x, uint32_t len, bool unwritten) {
  x->ee_len = (uint16_t)(unwritten ? len + EXT4_EXTENT_BLOCKS_MAX : len);
}

static struct ext4_extent extent_make(uint32_t file_block, uint64_t block, uint32_t len,
                                      bool unwritten) {
  struct ext4_extent x = {.ee_block = file_block,
                          .ee_start_lo = (uint32_t)block,
                          .ee_start_hi = (uint16_t)(block >> 32)};
  extent_set_len(&x, len, unwritten);
  return x;
}

/* Whether b goes on where a ends, in the file and on the disk, and both fit into one. */
static bool mergeable(const struct ext4_extent *a, const struct ext4_extent *b) {
  uint32_t len = extent_len(a), both = len + extent_len(b);
  bool unwritten = extent_unwritten(a);
  return unwritten == extent_unwritten(b) && a->ee_block + len == b->ee_block &&
         extent_start(a) + len == extent_start(b) &&
         both <= (unwritten ? UNWRITTEN_LEN_MAX : WRITTEN_LEN_MAX);
}

/* Merges entry i with the one behind it, if that is possible. */
static void merge(struct ext4_extent_header *h, int i) {
  if (i < 0 || i + 1 >= h->eh_entries || !mergeable(entry(h, i), entry(h, i + 1)))
    return;
  uint32_t both = extent_len(entry(h, i)) + extent_len(entry(h, i + 1));
  extent_set_len(entry(h, i), both, extent_unwritten(entry(h, i)));
  entry_remove(h, i + 1);
}

errno_t extent_insert(struct einode *ino, uint32_t file_block, uint64_t block, uint32_t len,
                      bool unwritten) {
  struct step s;
  struct ext4_extent x = extent_make(file_block, block, len, unwritten);
  extent_forget(ino);
  errno_t e = leaf_for(ino, file_block, 1, &s);
  if (e != 0)
    return e;
  int i = extent_search(s.h, file_block);
  entry_insert(s.h, i + 1, &x);
  merge(s.h, i + 1);
  merge(s.h, i);
  step_dirty(ino, &s);
  bool low = s.b != NULL && s.h->eh_entries <= ROOT_CHILDREN_MAX;
  buf_put(s.b);
  return low ? collapse(ino) : 0;
}

/* The entry that holds file_block, in a leaf with room for two more. */
static errno_t find_entry(struct einode *ino, uint32_t file_block, struct step *s, int *i) {
  errno_t e = leaf_for(ino, file_block, 2, s);
  if (e != 0)
    return e;
  *i = extent_search(s->h, file_block);
  if (*i >= 0 && file_block - entry(s->h, *i)->ee_block < extent_len(entry(s->h, *i)))
    return 0;
  buf_put(s->b);
  return ext4_corrupt(ino->fs, ino->number, file_block, "an extent tree that changed by itself");
}

/* What is left of an unwritten extent before and behind the part becomes extents of its own, in the
 * same leaf: nothing fails once the first is changed. */
errno_t extent_mark_written(struct einode *ino, uint32_t file_block, uint32_t len) {
  struct step s;
  int i;
  extent_forget(ino);
  errno_t e = find_entry(ino, file_block, &s, &i);
  if (e != 0)
    return e;
  struct ext4_extent *x = entry(s.h, i);
  const uint32_t before = file_block - x->ee_block, behind = extent_len(x) - before - len;
  const uint64_t block = extent_start(x) + before;
  const struct ext4_extent written = extent_make(file_block, block, len, false);
  const struct ext4_extent rest = extent_make(file_block + len, block + len, behind, true);
  if (before > 0) {
    extent_set_len(x, before, true);
    entry_insert(s.h, ++i, &written);
  } else {
    *x = written;
  }
  if (behind > 0)
    entry_insert(s.h, i + 1, &rest);
  merge(s.h, i);
  merge(s.h, i - 1);
  step_dirty(ino, &s);
  buf_put(s.b);
  return collapse(ino);
}

/* ---- Cutting off ----------------------------------------------------------------------------- */

/* The way along the last entries down to the last leaf. */
struct last_path {
  unsigned levels;
  struct step step[EXT4_EXTENT_DEPTH_MAX + 1];
};

static void path_put(struct last_path *p) {
  while (p->levels > 0)
    buf_put(p->step[--p->levels].b);
}

static errno_t path_to_last(struct einode *ino, struct last_path *p) {
  *p = (struct last_path){.levels = 1, .step[0].h = extent_root(ino)};
  errno_t e = extent_check_root(ino);
  while (e == 0 && p->step[p->levels - 1].h->eh_depth > 0) {
    const struct ext4_extent_header *h = p->step[p->levels - 1].h;
    struct step *child = &p->step[p->levels];
    e = extent_node_read(ino, index_entry(h, h->eh_entries - 1), h->eh_depth - 1u, &child->b);
    if (e == 0)
      child->h = extent_node(child->b);
    if (e == 0)
      p->levels++;
  }
  if (e != 0)
    path_put(p);
  return e;
}

/* Takes the last entry of each node that became empty out of the node above, and gives the empty
 * ones back. */
static errno_t drop_empty(struct einode *ino, struct last_path *p) {
  errno_t e = 0;
  while (e == 0 && p->levels > 1 && p->step[p->levels - 1].h->eh_entries == 0) {
    struct step *s = &p->step[--p->levels];
    uint64_t block = s->b->block;
    buf_put(s->b);
    e = ext4_free_blocks(ino->fs, ino->number, block, 1, true);
    einode_blocks_add(ino, -1);
    struct step *above = &p->step[p->levels - 1];
    above->h->eh_entries--;
    step_dirty(ino, above);
  }
  if (extent_root(ino)->eh_entries == 0)
    extent_root(ino)->eh_depth = 0;
  return e;
}

/* The last extent loses what lies at file_block or behind it. */
static errno_t cut(struct einode *ino, struct last_path *p, uint32_t file_block) {
  struct step *leaf = &p->step[p->levels - 1];
  struct ext4_extent *x = entry(leaf->h, leaf->h->eh_entries - 1);
  uint32_t keep = x->ee_block < file_block ? file_block - x->ee_block : 0;
  uint32_t gone = extent_len(x) - keep;
  uint64_t block = extent_start(x) + keep;
  if (keep > 0)
    extent_set_len(x, keep, extent_unwritten(x));
  else
    leaf->h->eh_entries--;
  step_dirty(ino, leaf);
  einode_blocks_add(ino, -(int64_t)gone);
  errno_t e =
      ext4_free_blocks(ino->fs, ino->number, block, gone, ino->vnode.type != FILETYPE_REGULAR_FILE);
  return e == 0 ? drop_empty(ino, p) : e;
}

errno_t extent_cut_last(struct einode *ino, uint32_t file_block, bool *done) {
  struct last_path p;
  extent_forget(ino);
  errno_t e = path_to_last(ino, &p);
  if (e != 0)
    return e;
  const struct ext4_extent_header *leaf = p.step[p.levels - 1].h;
  *done = leaf->eh_entries == 0;
  if (!*done) {
    const struct ext4_extent *x = entry(leaf, leaf->eh_entries - 1);
    *done = (uint64_t)x->ee_block + extent_len(x) <= file_block;
  }
  e = *done ? 0 : cut(ino, &p, file_block);
  path_put(&p);
  return e == 0 && *done ? collapse(ino) : e;
}
