/*
 * Reading a directory, with cookies that stay good while names come and go.
 *
 * A directory that has an index, or could get one, is told in the order of its names' hashes: a
 * cookie is the hash of the name to come, so that it means the same after leaves were split. Others
 * are told in the order of their entries, and a cookie is a place in the file; there entries never
 * move.
 *
 * "." and ".." come first, with the cookies 1 and 2 behind them. The lock.
 */
#include "fs/ext4/htree.h"
#include "kernel/heap.h"
#include "kernel/string.h"

#define COOKIE_DOTDOT 1
#define COOKIE_NAMES 2
#define COOKIE_END INT64_MAX

/* ---- "." and ".." ---------------------------------------------------------------------------- */

static bool put_dots(struct einode *dir, dircookie_t *cookie, struct dir_sink *sink,
                     uint32_t parent) {
  struct dir_entry e = {".", 1, dir->number, FILETYPE_DIRECTORY, COOKIE_DOTDOT};
  if (*cookie == DIRCOOKIE_START) {
    if (!sink->put(sink, &e))
      return false;
    *cookie = COOKIE_DOTDOT;
  }
  if (*cookie == COOKIE_DOTDOT) {
    e = (struct dir_entry){"..", 2, parent, FILETYPE_DIRECTORY, COOKIE_NAMES};
    if (!sink->put(sink, &e))
      return false;
    *cookie = COOKIE_NAMES;
  }
  return true;
}

static bool is_dots(const struct ext4_dir_entry *e) {
  return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

/* The parent, as ".." says: the second entry of the first block, index or not. */
errno_t ext4_dir_parent(struct einode *dir, uint32_t *parent) {
  struct buf *b;
  errno_t e = dir_block_read(dir, 0, dir_indexed(dir) ? BUF_DIR_INDEX : BUF_DIR, &b);
  if (e != 0)
    return e;
  const struct ext4_dir_entry *dotdot = dir_entry_at(b, 12);
  bool sound = dir_entry_at(b, 0)->rec_len == 12 && dotdot->name_len == 2 && dotdot->inode != 0 &&
               dotdot->inode <= dir->fs->super.s_inodes_count;
  *parent = dotdot->inode;
  uint64_t block = b->block;
  buf_put(b);
  return sound ? 0 : ext4_corrupt(dir->fs, dir->number, block, "a directory without \"..\"");
}

/* ---- In the order of entries ----------------------------------------------------------------- */

static errno_t read_linear(struct einode *dir, dircookie_t cookie, struct dir_sink *sink) {
  const struct ext4 *fs = dir->fs;
  uint64_t from = cookie == COOKIE_NAMES ? 0 : cookie - COOKIE_NAMES;
  for (uint64_t i = from >> fs->block_shift; i < dir_blocks(dir); i++) {
    struct buf *b;
    errno_t e = dir_leaf_read(dir, (uint32_t)i, &b);
    if (e != 0)
      return e;
    const unsigned end = dir_leaf_end(fs);
    bool more = true;
    for (unsigned at = 0; more && at < end;) {
      const struct ext4_dir_entry *x = dir_entry_at(b, at);
      uint64_t place = (i << fs->block_shift) + at;
      at += x->rec_len;
      if (x->inode == 0 || is_dots(x) || place < from)
        continue;
      struct dir_entry entry = {x->name, x->name_len, x->inode, dir_type(fs, x),
                                (i << fs->block_shift) + at + COOKIE_NAMES};
      more = sink->put(sink, &entry);
    }
    buf_put(b);
    if (!more)
      return 0;
  }
  return 0;
}

/* ---- In the order of hashes ------------------------------------------------------------------ */

/* An entry of a leaf, to be sorted. */
struct hashed {
  uint64_t key; /* its cookie: major and minor hash, above the cookies of "." and ".." */
  const struct ext4_dir_entry *entry;
};

/* 31 bits of the major hash, 31 of the minor one, and never one of the small cookies. */
static uint64_t key_of(struct htree_hash h) {
  return ((uint64_t)(h.major >> 1) << 32 | h.minor) + COOKIE_NAMES;
}

static void sort(struct hashed *a, unsigned n) {
  for (unsigned gap = n / 2; gap > 0; gap /= 2) {
    for (unsigned i = gap; i < n; i++) {
      struct hashed x = a[i];
      unsigned j = i;
      for (; j >= gap && a[j - gap].key > x.key; j -= gap)
        a[j] = a[j - gap];
      a[j] = x;
    }
  }
}

/* The leaf's names whose keys are at least `from`, in order. */
static unsigned collect(const struct ext4 *fs, const struct buf *b, unsigned version, uint64_t from,
                        struct hashed *out) {
  const unsigned end = dir_leaf_end(fs);
  unsigned n = 0;
  for (unsigned at = 0; at < end;) {
    const struct ext4_dir_entry *x = dir_entry_at(b, at);
    at += x->rec_len;
    if (x->inode == 0 || is_dots(x))
      continue;
    uint64_t key = key_of(htree_hash(fs, version, x->name, x->name_len));
    if (key >= from)
      out[n++] = (struct hashed){key, x};
  }
  sort(out, n);
  return n;
}

/* Tells the names in order. One's `next` is the key of the one behind it, so that names of the same
 * hash are told together; behind the last one comes `behind`. */
static bool put_hashed(const struct ext4 *fs, const struct hashed *a, unsigned n, uint64_t behind,
                       struct dir_sink *sink) {
  for (unsigned i = 0; i < n; i++) {
    const struct ext4_dir_entry *x = a[i].entry;
    struct dir_entry entry = {x->name, x->name_len, x->inode, dir_type(fs, x),
                              i + 1 < n ? a[i + 1].key : behind};
    if (!sink->put(sink, &entry))
      return false;
  }
  return true;
}

static errno_t read_leaf(struct einode *dir, uint32_t leaf, unsigned version, uint64_t from,
                         uint64_t behind, struct hashed *room, struct dir_sink *sink, bool *more) {
  struct buf *b;
  errno_t e = dir_leaf_read(dir, leaf, &b);
  if (e != 0)
    return e;
  unsigned n = collect(dir->fs, b, version, from, room);
  *more = put_hashed(dir->fs, room, n, behind, sink);
  buf_put(b);
  return 0;
}

static unsigned default_version(const struct ext4 *fs) {
  unsigned version = fs->super.s_def_hash_version;
  if (version <= EXT4_HASH_TEA && (fs->super.s_flags & EXT4_FLAG_UNSIGNED_HASH) != 0)
    version += EXT4_HASH_LEGACY_UNSIGNED;
  return version <= EXT4_HASH_TEA_UNSIGNED ? version : EXT4_HASH_HALF_MD4;
}

static errno_t read_indexed(struct einode *dir, uint64_t from, struct hashed *room,
                            struct dir_sink *sink) {
  struct htree_path p;
  uint32_t hash = (uint32_t)((from - COOKIE_NAMES) >> 32) << 1;
  errno_t e = htree_walk(dir, hash, &p);
  bool more = true;
  while (e == 0 && more) {
    uint32_t leaf = htree_leaf(&p);
    uint64_t behind = COOKIE_END;
    unsigned version = p.version;
    e = htree_next(dir, &p, &hash);
    bool last = e == ENOENT;
    if (e == 0)
      behind = ((uint64_t)(hash >> 1) << 32) + COOKIE_NAMES;
    if (e == 0 || last)
      e = read_leaf(dir, leaf, version, from, behind, room, sink, &more);
    if (last)
      break;
  }
  htree_put(&p);
  return e;
}

/* Room for all names of a block. */
static struct hashed *room_alloc(const struct ext4 *fs) {
  return kmalloc(fs->block_bytes / dir_entry_bytes(1) * sizeof(struct hashed));
}

static errno_t read_hashed(struct einode *dir, uint64_t from, struct dir_sink *sink) {
  struct hashed *room = room_alloc(dir->fs);
  bool more;
  if (room == NULL)
    return ENOMEM;
  errno_t e = dir_indexed(dir) ? read_indexed(dir, from, room, sink)
                               : read_leaf(dir, 0, default_version(dir->fs), from, COOKIE_END, room,
                                           sink, &more);
  kfree(room);
  return e;
}

/* Whether the directory has an index or gets one when it grows. */
static bool by_hash(const struct einode *dir) {
  return dir_indexed(dir) ||
         ((dir->fs->super.s_feature_compat & EXT4_COMPAT_DIR_INDEX) != 0 && dir_blocks(dir) == 1);
}

errno_t ext4_readdir(struct einode *dir, dircookie_t cookie, struct dir_sink *sink) {
  uint32_t parent;
  if (cookie > COOKIE_END)
    return EINVAL;
  errno_t e = ext4_dir_parent(dir, &parent);
  if (e != 0 || !put_dots(dir, &cookie, sink, parent) || cookie == COOKIE_END)
    return e;
  return by_hash(dir) ? read_hashed(dir, cookie, sink) : read_linear(dir, cookie, sink);
}
