/*
 * ext4tool check: directories, and the names that inodes have.
 */
#include "fs/ext4/htree.h"
#include "tools/ext4tool/check.h"

static struct known *known_of(struct check *c, uint32_t ino) {
  return ino > 0 && ino <= c->fs->super.s_inodes_count ? &c->inodes[ino] : NULL;
}

static bool is_dot(const struct ext4_dir_entry *x) {
  return x->name_len == 1 && x->name[0] == '.';
}

static bool is_dotdot(const struct ext4_dir_entry *x) {
  return x->name_len == 2 && x->name[0] == '.' && x->name[1] == '.';
}

/* A name that stands for an inode other than the directory itself and the one above it. */
static void check_entry(struct check *c, struct einode *dir, uint64_t block,
                        const struct ext4_dir_entry *x) {
  struct known *k = known_of(c, x->inode);
  filetype_t type = dir_type(c->fs, x);
  uint32_t found;
  if (k == NULL || !k->used) {
    damage(c, dir->number, block, "\"%.*s\" is a name of inode %u, which is not in use",
           x->name_len, x->name, x->inode);
    return;
  }
  k->has++;
  if (k->sound && type != FILETYPE_UNKNOWN && type != k->type)
    damage(c, dir->number, block, "\"%.*s\" says another type than inode %u", x->name_len, x->name,
           x->inode);
  if (dir_indexed(dir) &&
      (ext4_dir_find(dir, x->name, x->name_len, &found) != 0 || found != x->inode))
    damage(c, dir->number, block, "\"%.*s\" is not found by its hash", x->name_len, x->name);
  if (!k->sound || k->type != FILETYPE_DIRECTORY)
    return;
  if (k->parent != 0)
    damage(c, dir->number, block, "\"%.*s\" is another name of directory %u", x->name_len, x->name,
           x->inode);
  k->parent = dir->number;
}

static void check_leaf(struct check *c, struct einode *dir, const struct buf *b) {
  const unsigned end = dir_leaf_end(c->fs);
  for (unsigned at = 0; at < end;) {
    const struct ext4_dir_entry *x = dir_entry_at(b, at);
    if (x->inode != 0 && !is_dot(x) && !is_dotdot(x))
      check_entry(c, dir, b->block, x);
    at += x->rec_len;
  }
}

/* From the first leaf of the index to the last. */
static void check_index(struct einode *dir) {
  struct htree_path p;
  uint32_t hash;
  errno_t e = htree_walk(dir, 0, &p);
  for (uint32_t i = 0; e == 0 && i < dir_blocks(dir); i++)
    e = htree_next(dir, &p, &hash);
  htree_put(&p);
}

/* "." is a name of the directory itself, ".." one of the directory above it. */
static void check_dots(struct check *c, struct einode *dir) {
  struct buf *b;
  uint32_t parent;
  if (dir_block_read(dir, 0, dir_indexed(dir) ? BUF_DIR_INDEX : BUF_DIR, &b) != 0)
    return;
  const struct ext4_dir_entry *dot = dir_entry_at(b, 0);
  if (!is_dot(dot) || dot->inode != dir->number)
    damage(c, dir->number, b->block, "a directory without \".\"");
  buf_put(b);
  c->inodes[dir->number].has++;
  if (ext4_dir_parent(dir, &parent) == 0 && known_of(c, parent) != NULL)
    c->inodes[parent].has++;
}

void check_directory(struct check *c, struct einode *dir) {
  check_dots(c, dir);
  for (uint32_t i = 0; i < dir_blocks(dir); i++) {
    struct buf *b;
    errno_t e = dir_leaf_or_index_read(dir, i, &b);
    if (e != 0)
      continue;
    if (b != NULL)
      check_leaf(c, dir, b);
    buf_put(b);
  }
  if (dir_indexed(dir))
    check_index(dir);
}

/* ".." says where the directory's name is, and the way up ends at the root. */
static void check_way_up(struct check *c, uint32_t number) {
  struct einode *dir;
  uint32_t parent, at = number;
  if (einode_get(c->fs, number, &dir) != 0)
    return;
  uint32_t expected = number == EXT4_ROOT_INO ? EXT4_ROOT_INO : c->inodes[number].parent;
  if (ext4_dir_parent(dir, &parent) == 0 && expected != 0 && parent != expected)
    damage(c, number, 0, "\"..\" is inode %u, and its name is in %u", parent, expected);
  vnode_unref(&dir->vnode);
  for (uint32_t steps = 0; at != EXT4_ROOT_INO && at != 0; steps++) {
    at = c->inodes[at].parent;
    if (steps <= c->directories)
      continue;
    damage(c, number, 0, "a directory that lies in itself");
    return;
  }
}

/* Those that no name leads to: the journal and its like, and what is to be deleted. */
static bool needs_no_name(const struct check *c, uint32_t number) {
  const struct ext4_super *s = &c->fs->super;
  uint32_t first = s->s_rev_level == 0 ? EXT4_FIRST_INO_OLD : s->s_first_ino;
  return (number < first && number != EXT4_ROOT_INO) ||
         (c->inodes[number].orphan && c->inodes[number].says == 0);
}

void check_links(struct check *c) {
  for (uint32_t i = 1; i <= c->fs->super.s_inodes_count; i++) {
    const struct known *k = &c->inodes[i];
    bool many = k->type == FILETYPE_DIRECTORY && k->says == 1;
    if (!k->sound || needs_no_name(c, i))
      continue;
    if (k->has == 0 || (k->type == FILETYPE_DIRECTORY && i != EXT4_ROOT_INO && k->parent == 0))
      damage(c, i, 0, "no name leads to it");
    else if (k->says != k->has && !many)
      damage(c, i, 0, "it says that it has %u names, and has %u", k->says, k->has);
    if (k->type == FILETYPE_DIRECTORY)
      check_way_up(c, i);
  }
}
