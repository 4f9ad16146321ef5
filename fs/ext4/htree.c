/*
 * The index of a directory, looked at: from a hash to the leaf where names of that hash are.
 *
 * The root lies in the directory's first block behind "." and "..". Each node is checked when it is
 * read: its limit, count and checksum, and that its entries lie in the directory. The lock.
 */
#include "fs/ext4/htree.h"

#include "fs/ext4/csum.h"
#include "kernel/string.h"

#define ROOT_INFO_OFFSET 24 /* behind the entries "." and ".." */
#define ROOT_ENTRIES_OFFSET (ROOT_INFO_OFFSET + sizeof(struct ext4_dx_info))
#define NODE_ENTRIES_OFFSET 8 /* behind an unused entry */

/* What the first entry has in the place of its hash. */
struct count_limit {
  uint16_t limit, count;
};

_Static_assert(sizeof(struct count_limit) == sizeof(uint32_t), "as on the disk");

static errno_t damaged(const struct einode *dir, const struct buf *b) {
  return ext4_corrupt(dir->fs, dir->number, b->block, "a damaged index of a directory");
}

static unsigned limit_of(const struct ext4 *fs, size_t offset) {
  size_t tail = fs->csum ? sizeof(struct ext4_dx_tail) : 0;
  return (unsigned)((fs->block_bytes - offset - tail) / sizeof(struct ext4_dx_entry));
}

static bool csum_ok(const struct einode *dir, const struct htree_node *n, size_t offset) {
  if (!dir->fs->csum)
    return true;
  const struct ext4_dx_tail *tail = (const void *)&n->entries[n->limit];
  uint32_t seed = csum_inode_seed(dir->fs, dir->number, dir->disk.i_generation);
  return tail->dt_checksum == csum_dir_index(seed, n->b->data, offset, n->count, tail);
}

static bool entries_ok(const struct einode *dir, const struct htree_node *n) {
  for (unsigned i = 0; i < n->count; i++) {
    uint32_t hash = n->entries[i].hash;
    if (n->entries[i].block >= dir_blocks(dir) || n->entries[i].block == 0 ||
        (i > 1 && hash < n->entries[i - 1].hash) ||
        (i > 1 && hash == n->entries[i - 1].hash && (hash & HTREE_CONTINUED) == 0))
      return false;
  }
  return true;
}

void htree_count_store(struct htree_node *n) {
  *(struct count_limit *)n->entries = (struct count_limit){(uint16_t)n->limit, (uint16_t)n->count};
}

void htree_node_init(const struct ext4 *fs, struct htree_node *n) {
  memset(n->b->data, 0, fs->block_bytes);
  dir_entry_at(n->b, 0)->rec_len =
      (uint16_t)fs->block_bytes; /* looks unused to who reads entries */
  n->entries = (void *)(n->b->data + NODE_ENTRIES_OFFSET);
  n->limit = limit_of(fs, NODE_ENTRIES_OFFSET);
  n->b->verified = true;
}

/* Whether characters are signed is the file system's, not the index's. */
static unsigned with_sign(const struct ext4 *fs, unsigned version) {
  return version +
         ((fs->super.s_flags & EXT4_FLAG_UNSIGNED_HASH) != 0 ? EXT4_HASH_LEGACY_UNSIGNED : 0);
}

unsigned htree_default_version(const struct ext4 *fs) {
  unsigned version = fs->super.s_def_hash_version;
  return with_sign(fs, version <= EXT4_HASH_TEA ? version : EXT4_HASH_HALF_MD4);
}

void htree_root_init(struct einode *dir, struct htree_node *n, uint32_t parent, uint32_t leaf) {
  const struct ext4 *fs = dir->fs;
  uint8_t type = dir_entry_at(n->b, 0)->file_type;
  unsigned version = htree_default_version(fs) % EXT4_HASH_LEGACY_UNSIGNED;
  memset(n->b->data, 0, fs->block_bytes);
  *dir_entry_at(n->b, 0) = (struct ext4_dir_entry){dir->number, 12, 1, type};
  *dir_entry_at(n->b, 12) =
      (struct ext4_dir_entry){parent, (uint16_t)(fs->block_bytes - 12), 2, type};
  memcpy(dir_entry_at(n->b, 0)->name, ".", 1);
  memcpy(dir_entry_at(n->b, 12)->name, "..", 2);
  *(struct ext4_dx_info *)(n->b->data + ROOT_INFO_OFFSET) = (struct ext4_dx_info){
      .hash_version = (uint8_t)version, .info_length = sizeof(struct ext4_dx_info)};
  n->entries = (void *)(n->b->data + ROOT_ENTRIES_OFFSET);
  n->limit = limit_of(fs, ROOT_ENTRIES_OFFSET);
  n->count = 1;
  n->entries[0].block = leaf;
  htree_count_store(n);
}

/* Fills the node from its block. `verified` blocks are checked again where that costs nothing. */
static errno_t node_init(struct einode *dir, struct htree_node *n, size_t offset) {
  const struct count_limit *c = (const void *)(n->b->data + offset);
  n->entries = (void *)(n->b->data + offset);
  n->limit = c->limit;
  n->count = c->count;
  n->at = 0;
  if (n->limit != limit_of(dir->fs, offset) || n->count == 0 || n->count > n->limit)
    return damaged(dir, n->b);
  if (n->b->verified)
    return 0;
  if (!entries_ok(dir, n) || !csum_ok(dir, n, offset))
    return damaged(dir, n->b);
  n->b->verified = true;
  return 0;
}

static struct ext4_dx_info *root_info(const struct buf *b) {
  return (void *)(b->data + ROOT_INFO_OFFSET);
}

void htree_depth_store(struct htree_node *root, unsigned depth) {
  root_info(root->b)->indirect_levels = (uint8_t)(depth - 1);
}

/* Whether the first block begins as a root does. */
static bool root_ok(const struct ext4 *fs, const struct buf *b) {
  const struct ext4_dir_entry *dotdot = (const void *)(b->data + dir_entry_bytes(1));
  const struct ext4_dx_info *info = root_info(b);
  return dir_has_dots(b) && dotdot->rec_len == fs->block_bytes - dir_entry_bytes(1) &&
         info->reserved_zero == 0 && info->info_length == sizeof *info &&
         info->hash_version <= EXT4_HASH_TEA && info->indirect_levels < HTREE_LEVELS_MAX;
}

static errno_t root_read(struct einode *dir, struct htree_path *p) {
  *p = (struct htree_path){0};
  errno_t e = dir_block_read(dir, 0, BUF_DIR_INDEX, &p->node[0].b);
  if (e != 0)
    return e;
  p->levels = 1;
  if (!root_ok(dir->fs, p->node[0].b))
    return damaged(dir, p->node[0].b);
  const struct ext4_dx_info *info = root_info(p->node[0].b);
  p->depth = info->indirect_levels + 1u;
  p->version = with_sign(dir->fs, info->hash_version);
  return node_init(dir, &p->node[0], ROOT_ENTRIES_OFFSET);
}

static errno_t node_read(struct einode *dir, struct htree_path *p) {
  const struct htree_node *above = &p->node[p->levels - 1];
  struct htree_node *n = &p->node[p->levels];
  errno_t e = dir_block_read(dir, above->entries[above->at].block, BUF_DIR_INDEX, &n->b);
  if (e != 0)
    return e;
  p->levels++;
  if (n->b == p->node[0].b)
    return damaged(dir, n->b);
  return node_init(dir, n, NODE_ENTRIES_OFFSET);
}

/* The last entry whose hash is not greater; the first one has none and counts as 0. */
static unsigned search(const struct htree_node *n, uint32_t hash) {
  unsigned low = 1, high = n->count;
  while (low < high) {
    unsigned mid = (low + high) / 2;
    if (n->entries[mid].hash <= hash)
      low = mid + 1;
    else
      high = mid;
  }
  return low - 1;
}

void htree_put(struct htree_path *p) {
  while (p->levels > 0)
    buf_put(p->node[--p->levels].b);
}

errno_t htree_root(struct einode *dir, struct htree_path *p) {
  errno_t e = root_read(dir, p);
  if (e != 0)
    htree_put(p);
  return e;
}

errno_t htree_walk(struct einode *dir, uint32_t hash, struct htree_path *p) {
  errno_t e = root_read(dir, p);
  if (e == 0) {
    p->node[0].at = search(&p->node[0], hash);
    if (p->depth == 2)
      e = node_read(dir, p);
  }
  if (e == 0 && p->depth == 2)
    p->node[1].at = search(&p->node[1], hash);
  if (e != 0)
    htree_put(p);
  return e;
}

uint32_t htree_leaf(const struct htree_path *p) {
  const struct htree_node *n = &p->node[p->levels - 1];
  return n->entries[n->at].block;
}

errno_t htree_next(struct einode *dir, struct htree_path *p, uint32_t *hash) {
  unsigned level = p->levels;
  while (level > 0 && p->node[level - 1].at + 1 == p->node[level - 1].count)
    level--;
  if (level == 0)
    return ENOENT;
  struct htree_node *n = &p->node[level - 1];
  n->at++;
  *hash = n->entries[n->at].hash;
  if (level == p->depth)
    return 0;
  buf_put(p->node[--p->levels].b);
  return node_read(dir, p);
}

errno_t htree_find(struct einode *dir, const char *name, size_t len, struct dir_place *place) {
  struct htree_path p;
  errno_t e = htree_root(dir, &p);
  if (e != 0)
    return e;
  uint32_t hash = htree_hash(dir->fs, p.version, name, len).major, next = hash;
  htree_put(&p);
  e = htree_walk(dir, hash, &p);
  while (e == 0) {
    e = dir_leaf_read(dir, htree_leaf(&p), &place->leaf);
    if (e != 0 || dir_leaf_find(dir->fs, place->leaf, name, len, &place->entry, &place->prev))
      break;
    buf_put(place->leaf);
    e = htree_next(dir, &p, &next);
    if (e == 0 && next != (hash | HTREE_CONTINUED))
      e = ENOENT;
  }
  htree_put(&p);
  return e;
}
