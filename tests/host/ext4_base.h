/*
 * Good images for tests that damage them: made by mkfs.ext4, filled by our own code so that every
 * kind of structure is there, with a list of the blocks that are looked at as metadata.
 */
#ifndef TESTS_HOST_EXT4_BASE_H
#define TESTS_HOST_EXT4_BASE_H

#include "fs/ext4/dir.h"
#include "fs/ext4/extent.h"
#include "tests/host/ext4_seal.h"

#define BASE_BLOCKS_MAX 1200

struct base {
  const char *options; /* of mkfs.ext4 */
  unsigned kib;
  unsigned long_names; /* as many in one directory */
  bool crashed;        /* the journal and the list of orphans have something */
  uint8_t *image;
  size_t bytes;
  struct seal seal;
  uint64_t blocks[BASE_BLOCKS_MAX];
  unsigned block_count;
};

/* ---- What is where --------------------------------------------------------------------------- */

static void base_note(struct base *b, uint64_t block) {
  if (block == 0 || b->block_count == BASE_BLOCKS_MAX)
    return;
  b->blocks[b->block_count++] = block;
}

static void base_own(struct base *b, uint64_t block, uint32_t ino, enum seal_kind kind) {
  struct seal *s = &b->seal;
  base_note(b, block);
  if (s->owned_count < sizeof s->owned / sizeof s->owned[0])
    s->owned[s->owned_count++] = (struct seal_block){block, ino, kind};
}

static void base_extents(struct base *b, struct einode *ino, const struct ext4_extent_header *h) {
  for (unsigned i = 0; h->eh_depth > 0 && i < h->eh_entries; i++) {
    const struct ext4_extent_index *x = extent_first_index(h) + i;
    struct buf *child;
    base_own(b, extent_child(x), ino->number, SEAL_EXTENTS);
    assert_int_equal(extent_node_read(ino, x, h->eh_depth - 1u, &child), 0);
    base_extents(b, ino, extent_node(child));
    buf_put(child);
  }
}

/* Blocks of block numbers. */
static void base_numbers(struct base *b, struct einode *ino, uint32_t block, unsigned level) {
  struct buf *buf;
  if (block == 0 || level == 0)
    return;
  base_note(b, block);
  assert_int_equal(buf_read(&ino->fs->cache, block, BUF_NUMBERS, &buf), 0);
  for (uint32_t i = 0; i < ino->fs->block_bytes / 4; i++)
    base_numbers(b, ino, ((uint32_t *)buf->data)[i], level - 1);
  buf_put(buf);
}

static void base_directory(struct base *b, struct einode *dir) {
  for (uint32_t i = 0; i < dir_blocks(dir); i++) {
    struct ext4_run run;
    struct buf *leaf;
    assert_int_equal(ext4_map(dir, i, 1, &run), 0);
    assert_int_equal(dir_leaf_or_index_read(dir, i, &leaf), 0);
    base_own(b, run.block, dir->number,
             leaf != NULL ? SEAL_LEAF
             : i == 0     ? SEAL_INDEX_ROOT
                          : SEAL_INDEX);
    buf_put(leaf);
  }
}

static void base_inode(struct base *b, struct einode *ino) {
  filetype_t type = ino->vnode.type;
  bool fast = type == FILETYPE_SYMBOLIC_LINK && ext4_symlink_is_fast(ino);
  struct ext4_run run;
  if (type == FILETYPE_DIRECTORY)
    base_directory(b, ino);
  if (type == FILETYPE_SYMBOLIC_LINK && !fast && ext4_map(ino, 0, 1, &run) == 0)
    base_note(b, run.block);
  base_note(b, ino->disk.i_file_acl_lo);
  if ((ino->disk.i_flags & EXT4_EXTENTS_FL) != 0)
    base_extents(b, ino, extent_root(ino));
  else if (!fast && (type == FILETYPE_REGULAR_FILE || type == FILETYPE_DIRECTORY))
    for (unsigned level = 1; level <= 3; level++)
      base_numbers(b, ino, ino->disk.i_block[11 + level], level);
}

static void base_groups(struct base *b, struct ext4 *fs) {
  const uint32_t per_block = fs->block_bytes / fs->inode_bytes;
  base_note(b, fs->super.s_first_data_block);
  base_note(b, fs->super.s_first_data_block + 1);
  assert_in_range(fs->groups, 1, 8);
  for (uint32_t i = 0; i < fs->groups; i++) {
    struct ext4_group *g;
    struct buf *buf;
    assert_int_equal(ext4_group_get(fs, i, &g, &buf), 0);
    memcpy(&b->seal.groups[i], g, fs->group_bytes < 64 ? 32 : 64);
    base_note(b, g->bg_block_bitmap_lo);
    base_note(b, g->bg_inode_bitmap_lo);
    for (uint32_t k = 0; k < 64 / per_block; k++)
      base_note(b, g->bg_inode_table_lo + k);
    buf_put(buf);
  }
}

static void base_journal(struct base *b, struct ext4 *fs) {
  const struct journal *j = fs->journal;
  struct seal *s = &b->seal;
  for (uint32_t at = 0; j->file != NULL && at < sizeof s->journal / sizeof s->journal[0]; at++) {
    s->journal[s->journal_count++] = log_block(j, at);
    base_note(b, log_block(j, at));
  }
}

/* All that can be found from the root. */
static void base_tree(struct base *b, struct vnode *node);

struct base_sink {
  struct dir_sink sink;
  struct base *base;
  struct vnode *dir;
};

static bool base_put(struct dir_sink *sink, const struct dir_entry *e) {
  struct base_sink *s = container_of(sink, struct base_sink, sink);
  struct vnode *child;
  if (e->name[0] == '.')
    return true;
  assert_int_equal(s->dir->ops->lookup(s->dir, e->name, e->name_len, &child), 0);
  base_tree(s->base, child);
  vnode_unref(child);
  return true;
}

static void base_tree(struct base *b, struct vnode *node) {
  struct base_sink s = {{base_put}, b, node};
  base_inode(b, einode_of(node));
  if (node->type == FILETYPE_DIRECTORY)
    assert_int_equal(node->ops->readdir(node, DIRCOOKIE_START, &s.sink), 0);
}

/* ---- Filling --------------------------------------------------------------------------------- */

static struct vnode *base_create(struct vnode *dir, const char *name, filetype_t type) {
  struct vnode *v;
  assert_int_equal(dir->ops->create(dir, name, strlen(name), type, &v), 0);
  return v;
}

static void base_write(struct vnode *v, uint64_t at, size_t n) {
  static char bytes[8192] = "contents";
  struct uio uio;
  filesize_t end;
  uio_init_kernel(&uio, bytes, n);
  assert_int_equal(v->ops->pwrite(v, &uio, at, false, &end), 0);
}

static void base_file(struct vnode *dir, const char *name, uint64_t at, size_t n) {
  struct vnode *v = base_create(dir, name, FILETYPE_REGULAR_FILE);
  base_write(v, at, n);
  vnode_unref(v);
}

static void base_names(struct vnode *dir, unsigned count, unsigned len) {
  char name[256];
  for (unsigned i = 0; i < count; i++) {
    snprintf(name, sizeof name, "%0*u", (int)len, i);
    vnode_unref(base_create(dir, name, FILETYPE_REGULAR_FILE));
  }
}

/* Many pieces: an extent tree of two levels, or all three of a block map. */
static void base_pieces(struct vnode *root) {
  const uint32_t block = einode_of(root)->fs->block_bytes;
  bool extents = (einode_of(root)->disk.i_flags & EXT4_EXTENTS_FL) != 0;
  struct vnode *v = base_create(root, "pieces", FILETYPE_REGULAR_FILE);
  for (uint64_t i = 0; i < (extents ? 110 : 8); i++)
    base_write(v, i * 2 * block, 100);
  base_write(v, 300ul * block, 100);
  base_write(v, 70000ul * block, 100);
  vnode_unref(v);
}

static void base_fill(struct base *b, struct vnode *root) {
  static const char slow[] = "a/path/that/is/longer/than/the/sixty/bytes/that/fit/into/an/inode";
  struct vnode *d = base_create(root, "d", FILETYPE_DIRECTORY);
  struct vnode *many = base_create(d, "many", FILETYPE_DIRECTORY);
  base_names(many, b->long_names, b->long_names > 50 ? 250 : 40);
  base_file(d, "file", 0, 5000);
  base_pieces(root);
  struct vnode *v = base_create(root, "unwritten", FILETYPE_REGULAR_FILE);
  assert_int_equal(v->ops->allocate(v, 0, 20000), 0);
  assert_int_equal(root->ops->link(root, "hard", 4, v), 0);
  vnode_unref(v);
  assert_int_equal(root->ops->symlink(root, "fast", 4, "target", 6), 0);
  assert_int_equal(d->ops->symlink(d, "slow", 4, slow, sizeof slow - 1), 0);
  vnode_unref(base_create(d, "empty", FILETYPE_DIRECTORY));
  vnode_unref(many);
  vnode_unref(d);
}

/* A file without a name, one that was cut, and two transactions, the second with revocations. */
static struct vnode *base_crash(struct vnode *root) {
  struct filestat st = {.st_size = 1000};
  struct vnode *orphan = base_create(root, "orphan", FILETYPE_REGULAR_FILE), *d;
  base_write(orphan, 0, 8000);
  assert_int_equal(journal_commit(einode_of(root)->fs), 0);
  assert_int_equal(root->ops->unlink(root, "orphan", 6, orphan), 0);
  assert_int_equal(root->ops->lookup(root, "d", 1, &d), 0);
  vnode_unref(base_create(d, "gone", FILETYPE_DIRECTORY));
  struct vnode *gone;
  assert_int_equal(d->ops->lookup(d, "gone", 4, &gone), 0);
  assert_int_equal(d->ops->unlink(d, "gone", 4, gone), 0);
  vnode_unref(gone);
  assert_int_equal(d->ops->lookup(d, "file", 4, &gone), 0);
  assert_int_equal(gone->ops->set_stat(gone, &st, FILESTAT_SIZE), 0);
  vnode_unref(gone);
  vnode_unref(d);
  ext4_reap(einode_of(root)->fs);
  assert_int_equal(journal_commit(einode_of(root)->fs), 0);
  return orphan;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* Before anything but `options`, kib, long_names and crashed is used. */
static void base_make(struct base *b) {
  struct vnode *root, *orphan = NULL;
  const char *why = "";
  char size[32];
  fixture_mkfs_kib(b->kib, b->options);
  assert_int_equal(ext4_mount(&disk.dev, false, &root, &why), 0);
  struct ext4 *fs = einode_of(root)->fs;
  base_fill(b, root);
  (void)size;
  assert_int_equal(ext4_unmount(root), 0);
  assert_int_equal(ext4_mount(&disk.dev, false, &root, &why), 0);
  fs = einode_of(root)->fs;
  b->seal.fs = *fs;
  base_groups(b, fs);
  base_tree(b, root);
  base_journal(b, fs);
  if (b->crashed)
    orphan = base_crash(root);
  b->bytes = disk.dev.size_bytes;
  b->image = malloc(b->bytes);
  if (b->crashed)
    memcpy(b->image, disk.bytes, b->bytes);
  vnode_unref(orphan);
  assert_int_equal(ext4_unmount(root), 0);
  if (!b->crashed)
    memcpy(b->image, disk.bytes, b->bytes);
  disk_free(&disk);
}

#endif
