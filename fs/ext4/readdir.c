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
  bool sound =
      dir_has_dots(b) && dotdot->inode != 0 && dotdot->inode <= dir->fs->super.s_inodes_count;
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

/* A name by its place, and its cookie: 31 bits of the major hash, 32 of a minor one, above the
 * small cookies. */
struct hashed {
  uint64_t key;
  uint32_t leaf; /* block of the directory */
  unsigned at;   /* in it */
};

#define SELECTED_MAX 32

/* The names with the lowest keys from `from` on, in order; one more than are told, for the cookie
 * of the last. */
struct selection {
  uint64_t from;
  unsigned n;
  struct hashed name[SELECTED_MAX + 1];
};

/* The lowest key of a hash, as the index has it. */
static uint64_t key_from(uint32_t hash) {
  return ((uint64_t)(hash >> 1) << 32) + COOKIE_NAMES;
}

/* One of the hashes has no minor part: it borrows another's. */
static uint64_t key_of(const struct ext4 *fs, unsigned version, const struct ext4_dir_entry *x) {
  struct htree_hash h = htree_hash(fs, version, x->name, x->name_len);
  if (version == EXT4_HASH_LEGACY || version == EXT4_HASH_LEGACY_UNSIGNED)
    h.minor = htree_hash(fs, EXT4_HASH_HALF_MD4, x->name, x->name_len).minor;
  return key_from(h.major) + h.minor;
}

static void select_name(struct selection *s, struct hashed name) {
  if (name.key < s->from || (s->n > SELECTED_MAX && name.key >= s->name[SELECTED_MAX].key))
    return;
  unsigned i = s->n > SELECTED_MAX ? SELECTED_MAX : s->n++;
  for (; i > 0 && s->name[i - 1].key > name.key; i--)
    s->name[i] = s->name[i - 1];
  s->name[i] = name;
}

static errno_t select_leaf(struct einode *dir, uint32_t leaf, unsigned version,
                           struct selection *s) {
  struct buf *b;
  errno_t e = dir_leaf_read(dir, leaf, &b);
  if (e != 0)
    return e;
  for (unsigned at = 0; at < dir_leaf_end(dir->fs);) {
    const struct ext4_dir_entry *x = dir_entry_at(b, at);
    if (x->inode != 0 && !is_dots(x))
      select_name(s, (struct hashed){key_of(dir->fs, version, x), leaf, at});
    at += x->rec_len;
  }
  buf_put(b);
  return 0;
}

/* From the leaf where the hash of s->from belongs to the last one that has names of the same hash
 * as the leaf before it: together they have all names whose keys are below *behind. */
static errno_t select_leaves(struct einode *dir, struct selection *s, uint64_t *behind) {
  struct htree_path p;
  uint32_t hash = (uint32_t)((s->from - COOKIE_NAMES) >> 32) << 1, leaves = 0;
  errno_t e = htree_walk(dir, hash, &p);
  while (e == 0) {
    e = select_leaf(dir, htree_leaf(&p), p.version, s);
    if (e == 0)
      e = htree_next(dir, &p, &hash);
    if (e == 0 && ++leaves > dir_blocks(dir))
      e = ext4_corrupt(dir->fs, dir->number, 0, "an index that goes round");
    if (e != 0 || (hash & HTREE_CONTINUED) == 0)
      break;
  }
  *behind = e == ENOENT ? COOKIE_END : key_from(hash);
  htree_put(&p);
  e = e == ENOENT ? 0 : e;
  if (e == 0 && (*behind <= s->from || (s->n > 0 && s->name[s->n - 1].key >= *behind)))
    e = ext4_corrupt(dir->fs, dir->number, 0, "names in a wrong part of the index");
  return e;
}

/* Tells what was selected. One's `next` is the key of the one behind it, so that a name that comes
 * or goes moves no other. Names of equal keys would have to be made for it; those are told
 * together, and more than SELECTED_MAX of them end there. */
static errno_t put_selected(struct einode *dir, const struct selection *s, uint64_t behind,
                            struct dir_sink *sink, bool *more) {
  const struct ext4 *fs = dir->fs;
  for (unsigned i = 0; *more && i < s->n && i < SELECTED_MAX; i++) {
    struct buf *b;
    errno_t e = dir_leaf_read(dir, s->name[i].leaf, &b);
    if (e != 0)
      return e;
    const struct ext4_dir_entry *x = dir_entry_at(b, s->name[i].at);
    uint64_t next = i + 1 < s->n ? s->name[i + 1].key : behind;
    if (i + 1 == SELECTED_MAX && next == s->from)
      next++;
    struct dir_entry entry = {x->name, x->name_len, x->inode, dir_type(fs, x), next};
    *more = sink->put(sink, &entry);
    buf_put(b);
  }
  return 0;
}

static errno_t read_hashed(struct einode *dir, uint64_t from, struct dir_sink *sink) {
  bool more = true;
  while (more && from != COOKIE_END) {
    struct selection s = {.from = from};
    uint64_t behind = COOKIE_END;
    errno_t e = dir_indexed(dir) ? select_leaves(dir, &s, &behind)
                                 : select_leaf(dir, 0, htree_default_version(dir->fs), &s);
    if (e == 0)
      e = put_selected(dir, &s, behind, sink, &more);
    if (e != 0)
      return e;
    if (s.n <= SELECTED_MAX)
      from = behind;
    else
      from = s.name[SELECTED_MAX].key > from ? s.name[SELECTED_MAX].key : from + 1;
  }
  return 0;
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
