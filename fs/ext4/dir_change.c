/*
 * Directories, changed: names entered and taken away, blocks added.
 *
 * A name goes into the first gap that is large enough, in the leaf that the index names or in any.
 * The lock; inside a handle, whose room the caller has seen to.
 */
#include "fs/ext4/dir_change.h"

#include "fs/ext4/csum.h"
#include "fs/ext4/htree_change.h"
#include "kernel/string.h"

/* ---- Leaves ---------------------------------------------------------------------------------- */

void dir_leaf_dirty(struct einode *dir, struct buf *b) {
  struct ext4 *fs = dir->fs;
  if (fs->csum) {
    struct ext4_dir_tail *tail = (void *)(b->data + dir_leaf_end(fs));
    uint32_t seed = csum_inode_seed(fs, dir->number, dir->disk.i_generation);
    tail->det_checksum = csum_dir_leaf(fs, seed, b->data);
  }
  tx_dirty(fs, b);
}

void dir_leaf_init(const struct ext4 *fs, struct buf *b) {
  memset(b->data, 0, fs->block_bytes);
  dir_entry_at(b, 0)->rec_len = (uint16_t)dir_leaf_end(fs);
  if (fs->csum)
    *(struct ext4_dir_tail *)(b->data + dir_leaf_end(fs)) = (struct ext4_dir_tail){
        .det_rec_len = sizeof(struct ext4_dir_tail), .det_reserved_ft = EXT4_DIR_TAIL_TYPE};
}

static uint8_t file_type(const struct ext4 *fs, const struct einode *node) {
  if ((fs->super.s_feature_incompat & EXT4_INCOMPAT_FILETYPE) == 0)
    return EXT4_FT_UNKNOWN;
  switch (node->vnode.type) {
    case FILETYPE_DIRECTORY:
      return EXT4_FT_DIR;
    case FILETYPE_SYMBOLIC_LINK:
      return EXT4_FT_SYMLINK;
    case FILETYPE_FIFO:
      return EXT4_FT_FIFO;
    case FILETYPE_REGULAR_FILE:
      return EXT4_FT_REG_FILE;
    case FILETYPE_BLOCK_DEVICE:
      return EXT4_FT_BLKDEV;
    case FILETYPE_CHARACTER_DEVICE:
      return EXT4_FT_CHRDEV;
    default:
      return EXT4_FT_SOCK;
  }
}

bool dir_leaf_insert(const struct ext4 *fs, struct buf *b, const char *name, size_t len,
                     uint32_t ino, uint8_t type) {
  const unsigned end = dir_leaf_end(fs), needed = dir_entry_bytes((unsigned)len);
  for (unsigned at = 0; at < end;) {
    struct ext4_dir_entry *e = dir_entry_at(b, at);
    unsigned used = e->inode != 0 ? dir_entry_bytes(e->name_len) : 0;
    if (e->rec_len - used < needed) {
      at += e->rec_len;
      continue;
    }
    unsigned gap = e->rec_len - used;
    if (used > 0)
      e->rec_len = (uint16_t)used;
    e = dir_entry_at(b, at + used);
    *e = (struct ext4_dir_entry){ino, (uint16_t)gap, (uint8_t)len, type};
    memcpy(e->name, name, len);
    return true;
  }
  return false;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

errno_t dir_append(struct einode *dir, uint32_t *index, enum buf_kind kind, struct buf **b) {
  struct ext4 *fs = dir->fs;
  struct ext4_run run;
  *index = dir_blocks(dir);
  if (*index >= UINT32_MAX >> fs->block_shift)
    return ENOSPC;
  errno_t e = ext4_map_create(dir, *index, 1, false, &run);
  if (e == 0)
    e = buf_new(&fs->cache, run.block, kind, b);
  if (e != 0)
    return e;
  dir->size_bytes += fs->block_bytes;
  dir_leaf_init(fs, *b);
  return einode_dirty(dir);
}

/* ---- Entering -------------------------------------------------------------------------------- */

static errno_t add_to_new_block(struct einode *dir, const char *name, size_t len,
                                const struct einode *node) {
  struct buf *b = NULL;
  uint32_t index;
  errno_t e = dir_append(dir, &index, BUF_DIR, &b);
  if (e == 0) {
    dir_leaf_insert(dir->fs, b, name, len, node->number, file_type(dir->fs, node));
    dir_leaf_dirty(dir, b);
  }
  buf_put(b);
  return e;
}

static errno_t add_linear(struct einode *dir, const char *name, size_t len,
                          const struct einode *node) {
  const uint8_t type = file_type(dir->fs, node);
  for (uint32_t i = 0; i < dir_blocks(dir); i++) {
    struct buf *b;
    errno_t e = dir_leaf_read(dir, i, &b);
    if (e != 0)
      return e;
    bool done = dir_leaf_insert(dir->fs, b, name, len, node->number, type);
    if (done)
      dir_leaf_dirty(dir, b);
    buf_put(b);
    if (done)
      return 0;
  }
  bool may_index = (dir->fs->super.s_feature_compat & EXT4_COMPAT_DIR_INDEX) != 0;
  if (!may_index || dir_blocks(dir) != 1)
    return add_to_new_block(dir, name, len, node);
  errno_t e = htree_make(dir);
  return e == 0 ? htree_add(dir, name, len, node->number, type) : e;
}

errno_t ext4_dir_add(struct einode *dir, const char *name, size_t len, struct einode *node) {
  if (dir_indexed(dir))
    return htree_add(dir, name, len, node->number, file_type(dir->fs, node));
  return add_linear(dir, name, len, node);
}

/* ---- Taking away, changing ------------------------------------------------------------------- */

errno_t ext4_dir_remove(struct einode *dir, const char *name, size_t len) {
  struct dir_place place;
  errno_t e = dir_find(dir, name, len, &place);
  if (e != 0)
    return e;
  if (place.prev != NULL)
    place.prev->rec_len = (uint16_t)(place.prev->rec_len + place.entry->rec_len);
  else
    place.entry->inode = 0;
  dir_leaf_dirty(dir, place.leaf);
  buf_put(place.leaf);
  return 0;
}

errno_t ext4_dir_change(struct einode *dir, const char *name, size_t len, struct einode *node) {
  struct dir_place place;
  errno_t e = dir_find(dir, name, len, &place);
  if (e != 0)
    return e;
  place.entry->inode = node->number;
  place.entry->file_type = file_type(dir->fs, node);
  dir_leaf_dirty(dir, place.leaf);
  buf_put(place.leaf);
  return 0;
}

/* ---- "." and ".." ---------------------------------------------------------------------------- */

errno_t ext4_dir_begin(struct einode *dir, const struct einode *parent) {
  struct buf *b = NULL;
  uint32_t index;
  uint8_t type = file_type(dir->fs, dir);
  errno_t e = dir_append(dir, &index, BUF_DIR, &b);
  if (e == 0) {
    dir_leaf_insert(dir->fs, b, ".", 1, dir->number, type);
    dir_leaf_insert(dir->fs, b, "..", 2, parent->number, type);
    dir_leaf_dirty(dir, b);
  }
  buf_put(b);
  return e;
}

errno_t ext4_dir_set_parent(struct einode *dir, const struct einode *parent) {
  struct buf *b;
  errno_t e;
  if (dir_indexed(dir))
    return htree_set_parent(dir, parent->number);
  e = dir_leaf_read(dir, 0, &b);
  if (e != 0)
    return e;
  struct ext4_dir_entry *dotdot = dir_entry_at(b, dir_entry_at(b, 0)->rec_len);
  if (!dir_has_dots(b)) {
    e = ext4_corrupt(dir->fs, dir->number, b->block, "a directory without \"..\"");
  } else {
    dotdot->inode = parent->number;
    dir_leaf_dirty(dir, b);
  }
  buf_put(b);
  return e;
}
