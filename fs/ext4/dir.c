/*
 * Directories, looked at: their blocks, the entries in them, and the search for a name.
 *
 * A leaf is checked once, when it is read; then its entries fill it exactly, and walks along them
 * need no further care. With an index (htree.c) the search goes to the right leaf; without, through
 * all. The lock.
 */
#include "fs/ext4/dir.h"

#include "fs/ext4/csum.h"
#include "fs/ext4/htree.h"
#include "kernel/string.h"

bool dir_indexed(const struct einode *dir) {
  return (dir->disk.i_flags & EXT4_INDEX_FL) != 0 &&
         (dir->fs->super.s_feature_compat & EXT4_COMPAT_DIR_INDEX) != 0;
}

uint32_t dir_blocks(const struct einode *dir) {
  return (uint32_t)(dir->size_bytes >> dir->fs->block_shift);
}

unsigned dir_leaf_end(const struct ext4 *fs) {
  return fs->block_bytes - (fs->csum ? (unsigned)sizeof(struct ext4_dir_tail) : 0);
}

filetype_t dir_type(const struct ext4 *fs, const struct ext4_dir_entry *e) {
  static const filetype_t types[] = {
      [EXT4_FT_UNKNOWN] = FILETYPE_UNKNOWN,     [EXT4_FT_REG_FILE] = FILETYPE_REGULAR_FILE,
      [EXT4_FT_DIR] = FILETYPE_DIRECTORY,       [EXT4_FT_CHRDEV] = FILETYPE_CHARACTER_DEVICE,
      [EXT4_FT_BLKDEV] = FILETYPE_BLOCK_DEVICE, [EXT4_FT_FIFO] = FILETYPE_FIFO,
      [EXT4_FT_SOCK] = FILETYPE_SOCKET_STREAM,  [EXT4_FT_SYMLINK] = FILETYPE_SYMBOLIC_LINK,
  };
  if ((fs->super.s_feature_incompat & EXT4_INCOMPAT_FILETYPE) == 0 ||
      e->file_type >= sizeof types / sizeof types[0])
    return FILETYPE_UNKNOWN;
  return types[e->file_type];
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

errno_t dir_block_read(struct einode *dir, uint32_t index, enum buf_kind kind, struct buf **b) {
  struct ext4_run run;
  *b = NULL;
  if (index >= dir_blocks(dir))
    return ext4_corrupt(dir->fs, dir->number, index, "a directory's index that leads outside");
  errno_t e = ext4_map(dir, index, 1, &run);
  if (e != 0)
    return e;
  if (run.block == 0 || run.unwritten)
    return ext4_corrupt(dir->fs, dir->number, index, "a hole in a directory");
  return buf_read(&dir->fs->cache, run.block, kind, b);
}

bool dir_has_dots(const struct buf *b) {
  const struct ext4_dir_entry *dot = (const void *)b->data;
  const struct ext4_dir_entry *dotdot = (const void *)(b->data + dir_entry_bytes(1));
  return dot->rec_len == dir_entry_bytes(1) && dot->name_len == 1 && dot->name[0] == '.' &&
         dotdot->name_len == 2 && dotdot->name[0] == '.' && dotdot->name[1] == '.';
}

static bool entry_ok(const struct ext4 *fs, const struct ext4_dir_entry *e, unsigned room) {
  return e->rec_len >= dir_entry_bytes(1) && e->rec_len % 4 == 0 && e->rec_len <= room &&
         e->inode <= fs->super.s_inodes_count &&
         (e->inode == 0 || (e->name_len > 0 && dir_entry_bytes(e->name_len) <= e->rec_len &&
                            memchr(e->name, '/', e->name_len) == NULL));
}

static bool entries_ok(const struct ext4 *fs, const struct buf *b) {
  const unsigned end = dir_leaf_end(fs);
  unsigned at = 0;
  while (at < end) {
    const struct ext4_dir_entry *e = dir_entry_at(b, at);
    if (end - at < dir_entry_bytes(1) || !entry_ok(fs, e, end - at))
      return false;
    at += e->rec_len;
  }
  return true;
}

static bool leaf_csum_ok(const struct einode *dir, const struct buf *b) {
  const struct ext4_dir_tail *tail = (const void *)(b->data + dir_leaf_end(dir->fs));
  if (!dir->fs->csum)
    return true;
  uint32_t seed = csum_inode_seed(dir->fs, dir->number, dir->disk.i_generation);
  return tail->det_reserved_zero1 == 0 && tail->det_rec_len == sizeof *tail &&
         tail->det_reserved_ft == EXT4_DIR_TAIL_TYPE &&
         tail->det_checksum == csum_dir_leaf(dir->fs, seed, b->data);
}

/* Checks a leaf that was just read, or puts it back. */
static errno_t leaf_verify(struct einode *dir, struct buf **b) {
  if ((*b)->verified)
    return 0;
  if (leaf_csum_ok(dir, *b) && entries_ok(dir->fs, *b)) {
    (*b)->verified = true;
    return 0;
  }
  uint64_t block = (*b)->block;
  buf_put(*b);
  *b = NULL;
  return ext4_corrupt(dir->fs, dir->number, block, "a damaged block of a directory");
}

errno_t dir_leaf_read(struct einode *dir, uint32_t index, struct buf **b) {
  errno_t e = dir_block_read(dir, index, BUF_DIR, b);
  return e == 0 ? leaf_verify(dir, b) : e;
}

/* A block of the index looks like a single unused entry; the root like "." and "..". */
static bool looks_like_index(const struct einode *dir, uint32_t index, const struct buf *b) {
  const struct ext4_dir_entry *first = dir_entry_at(b, 0);
  if (!dir_indexed(dir))
    return false;
  return index == 0 || (first->inode == 0 && first->rec_len == dir->fs->block_bytes);
}

errno_t dir_leaf_or_index_read(struct einode *dir, uint32_t index, struct buf **b) {
  errno_t e = dir_block_read(dir, index, BUF_DIR, b);
  if (e != 0)
    return e;
  if (!looks_like_index(dir, index, *b))
    return leaf_verify(dir, b);
  buf_put(*b);
  *b = NULL;
  return 0;
}

/* ---- Names ----------------------------------------------------------------------------------- */

bool dir_leaf_find(const struct ext4 *fs, const struct buf *leaf, const char *name, size_t len,
                   struct ext4_dir_entry **entry, struct ext4_dir_entry **prev) {
  const unsigned end = dir_leaf_end(fs);
  *prev = NULL;
  for (unsigned at = 0; at < end;) {
    struct ext4_dir_entry *e = dir_entry_at(leaf, at);
    if (e->inode != 0 && e->name_len == len && memcmp(e->name, name, len) == 0) {
      *entry = e;
      return true;
    }
    *prev = e;
    at += e->rec_len;
  }
  return false;
}

/* Without an index: through all blocks. */
static errno_t find_linear(struct einode *dir, const char *name, size_t len,
                           struct dir_place *place) {
  for (uint32_t i = 0; i < dir_blocks(dir); i++) {
    errno_t e = dir_leaf_read(dir, i, &place->leaf);
    if (e != 0)
      return e;
    if (dir_leaf_find(dir->fs, place->leaf, name, len, &place->entry, &place->prev))
      return 0;
    buf_put(place->leaf);
  }
  return ENOENT;
}

errno_t dir_find(struct einode *dir, const char *name, size_t len, struct dir_place *place) {
  return dir_indexed(dir) ? htree_find(dir, name, len, place) : find_linear(dir, name, len, place);
}

errno_t ext4_dir_find(struct einode *dir, const char *name, size_t len, uint32_t *ino) {
  struct dir_place place;
  errno_t e = dir_find(dir, name, len, &place);
  if (e != 0)
    return e;
  *ino = place.entry->inode;
  buf_put(place.leaf);
  return 0;
}

/* "." and ".." are no search: their block may be the root of an index. ".." of a directory that was
 * removed is what it was. */
errno_t ext4_dir_check_empty(struct einode *dir) {
  for (uint32_t i = 0; i < dir_blocks(dir); i++) {
    struct buf *b;
    errno_t e = dir_leaf_or_index_read(dir, i, &b);
    if (e != 0)
      return e;
    const unsigned end = b != NULL ? dir_leaf_end(dir->fs) : 0;
    for (unsigned at = 0; at < end;) {
      const struct ext4_dir_entry *x = dir_entry_at(b, at);
      bool dots = (x->name_len == 1 && x->name[0] == '.') ||
                  (x->name_len == 2 && x->name[0] == '.' && x->name[1] == '.');
      if (x->inode != 0 && !dots) {
        buf_put(b);
        return ENOTEMPTY;
      }
      at += x->rec_len;
    }
    buf_put(b);
  }
  return 0;
}
