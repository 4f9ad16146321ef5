/*
 * Names: creating, linking, renaming, unlinking. Each is one handle, so that a crash finds all of
 * it or nothing.
 *
 * Vnode operations; they take the lock. What the caller saw before it may have changed: names are
 * looked up again under the lock, and then it is EEXIST or ENOENT.
 */
#include "fs/ext4/namei.h"

#include "kernel/string.h"

#define NAME_BLOCKS (EXT4_DIR_ADD_BLOCKS + 16) /* an entry, an inode with its bitmap, counters */

/* Begins an operation in `dir`: the lock and a handle. */
static errno_t begin(struct einode *dir, unsigned blocks) {
  mutex_lock(&dir->fs->lock);
  errno_t e = tx_begin(dir->fs, blocks);
  if (e == 0 && dir->links == 0) { /* removed meanwhile */
    tx_end(dir->fs, 0);
    e = ENOENT;
  }
  if (e != 0)
    mutex_unlock(&dir->fs->lock);
  return e;
}

static void end(struct ext4 *fs, errno_t e) {
  tx_end(fs, e);
  mutex_unlock(&fs->lock);
  if (!mutex_locked(&fs->reaping)) /* else it may wait for the next time */
    ext4_reap(fs);
}

/* A directory's contents changed. */
static errno_t touch(struct einode *dir) {
  einode_set_times(dir, NULL, FILESTAT_MTIM_NOW);
  return einode_dirty(dir);
}

/* ENOENT: the name is free. */
static errno_t check_free(struct einode *dir, const char *name, size_t len) {
  uint32_t number;
  errno_t e = ext4_dir_find(dir, name, len, &number);
  if (e == 0)
    return EEXIST;
  return e == ENOENT ? 0 : e;
}

/* 0: the name stands for this inode, as the caller saw. */
static errno_t check_is(struct einode *dir, const char *name, size_t len,
                        const struct einode *node) {
  uint32_t number;
  errno_t e = ext4_dir_find(dir, name, len, &number);
  return e == 0 && number != node->number ? ENOENT : e;
}

/* ---- Links ----------------------------------------------------------------------------------- */

/* A directory that has more subdirectories than can be counted has the count 1. */
static void links_add_dir(struct einode *dir) {
  bool many = (dir->fs->super.s_feature_ro_compat & EXT4_RO_DIR_NLINK) != 0;
  if (dir->links == 1)
    return;
  dir->links++;
  if (dir->links >= EXT4_LINKS_MAX && many)
    dir->links = 1;
}

static void links_remove_dir(struct einode *dir) {
  if (dir->links > 2)
    dir->links--;
}

static errno_t check_links(const struct einode *ino) {
  bool many = ino->vnode.type == FILETYPE_DIRECTORY &&
              (ino->fs->super.s_feature_ro_compat & EXT4_RO_DIR_NLINK) != 0;
  return ino->links >= EXT4_LINKS_MAX && !many ? EMLINK : 0;
}

/* Its last name went: it is an orphan until its last user goes. */
static errno_t links_zero(struct einode *ino) {
  ino->links = 0;
  return orphan_add(ino);
}

/* ---- Creating -------------------------------------------------------------------------------- */

static uint16_t mode_of(filetype_t type) {
  switch (type) {
    case FILETYPE_DIRECTORY:
      return EXT4_S_IFDIR | 0755;
    case FILETYPE_SYMBOLIC_LINK:
      return EXT4_S_IFLNK | 0777;
    case FILETYPE_FIFO:
      return EXT4_S_IFIFO | 0644;
    case FILETYPE_REGULAR_FILE:
      return EXT4_S_IFREG | 0644;
    default:
      return EXT4_S_IFSOCK | 0644;
  }
}

/* A new inode and its name; on an error the inode is deleted with its last reference. */
static errno_t create_entry(struct einode *dir, const char *name, size_t len, struct einode *ino) {
  bool directory = ino->vnode.type == FILETYPE_DIRECTORY;
  errno_t e = directory ? ext4_dir_begin(ino, dir) : 0;
  if (e == 0)
    e = ext4_dir_add(dir, name, len, ino);
  if (e == 0) {
    ino->links = directory ? 2 : 1;
    if (directory)
      links_add_dir(dir);
    e = einode_dirty(ino);
  }
  return e == 0 ? touch(dir) : e;
}

static errno_t create_once(struct einode *dir, const char *name, size_t len, filetype_t type,
                           const char *contents, size_t contents_len, struct einode **out) {
  struct ext4 *fs = dir->fs;
  struct einode *ino = NULL;
  errno_t e = begin(dir, NAME_BLOCKS + EXT4_DIR_ADD_BLOCKS);
  if (e != 0)
    return e;
  e = check_free(dir, name, len);
  if (e == 0 && type == FILETYPE_DIRECTORY)
    e = check_links(dir);
  if (e == 0)
    e = einode_create(fs, dir, mode_of(type), &ino);
  if (e == 0) /* on the disk all sockets are alike */
    ino->vnode.type = type;
  if (e == 0 && contents != NULL)
    e = ext4_symlink_write(ino, contents, contents_len);
  if (e == 0)
    e = create_entry(dir, name, len, ino);
  if (e != 0 && ino != NULL) {
    errno_t undone = links_zero(ino);
    e = undone != 0 ? undone : e;
    vnode_unref(&ino->vnode);
  }
  end(fs, e);
  if (e == 0)
    *out = ino;
  return e;
}

static errno_t create(struct einode *dir, const char *name, size_t len, filetype_t type,
                      const char *contents, size_t contents_len, struct einode **out) {
  errno_t e = create_once(dir, name, len, type, contents, contents_len, out);
  if (e == ENOSPC && ext4_room_by_commit(dir->fs))
    e = create_once(dir, name, len, type, contents, contents_len, out);
  return e;
}

errno_t ext4_create(struct vnode *v, const char *name, size_t len, filetype_t type,
                    struct vnode **child) {
  struct einode *ino;
  errno_t e = create(einode_of(v), name, len, type, NULL, 0, &ino);
  if (e == 0)
    *child = &ino->vnode;
  return e;
}

errno_t ext4_symlink(struct vnode *v, const char *name, size_t len, const char *contents,
                     size_t contents_len) {
  struct einode *ino;
  if (contents_len >= einode_of(v)->fs->block_bytes)
    return ENAMETOOLONG;
  if (contents_len == 0)
    return ENOENT;
  if (memchr(contents, '\0', contents_len) != NULL) /* its length ends there on the disk */
    return EINVAL;
  errno_t e = create(einode_of(v), name, len, FILETYPE_SYMBOLIC_LINK, contents, contents_len, &ino);
  if (e == 0)
    vnode_unref(&ino->vnode);
  return e;
}

static errno_t link_once(struct einode *dir, const char *name, size_t len, struct einode *ino) {
  errno_t e = begin(dir, NAME_BLOCKS);
  if (e != 0)
    return e;
  e = check_free(dir, name, len);
  if (e == 0 && ino->links == 0)
    e = ENOENT;
  if (e == 0)
    e = check_links(ino);
  if (e == 0)
    e = ext4_dir_add(dir, name, len, ino);
  if (e == 0) {
    ino->links++;
    einode_set_times(ino, NULL, 0);
    e = einode_dirty(ino);
  }
  if (e == 0)
    e = touch(dir);
  end(dir->fs, e);
  return e;
}

errno_t ext4_link(struct vnode *v, const char *name, size_t len, struct vnode *node) {
  struct einode *dir = einode_of(v), *ino = einode_of(node);
  errno_t e = link_once(dir, name, len, ino);
  if (e == ENOSPC && ext4_room_by_commit(dir->fs))
    e = link_once(dir, name, len, ino);
  return e;
}

/* ---- Unlinking ------------------------------------------------------------------------------- */

/* An inode lost a name in `dir`. */
static errno_t name_gone(struct einode *dir, struct einode *ino) {
  einode_set_times(ino, NULL, 0);
  if (ino->vnode.type == FILETYPE_DIRECTORY) {
    links_remove_dir(dir);
    return links_zero(ino);
  }
  if (ino->links > 1) {
    ino->links--;
    return einode_dirty(ino);
  }
  return links_zero(ino);
}

errno_t ext4_unlink(struct vnode *v, const char *name, size_t len, struct vnode *node) {
  struct einode *dir = einode_of(v), *ino = einode_of(node);
  errno_t e = begin(dir, NAME_BLOCKS);
  if (e != 0)
    return e;
  e = check_is(dir, name, len, ino);
  if (e == 0 && node->type == FILETYPE_DIRECTORY)
    e = ext4_dir_check_empty(ino);
  if (e == 0)
    e = ext4_dir_remove(dir, name, len);
  if (e == 0)
    e = name_gone(dir, ino);
  if (e == 0)
    e = touch(dir);
  end(dir->fs, e);
  return e;
}

/* ---- Renaming -------------------------------------------------------------------------------- */

/* EINVAL: `dir` lies in `ino`, or is it. */
static errno_t check_not_inside(struct einode *dir, const struct einode *ino) {
  struct ext4 *fs = dir->fs;
  uint32_t at = dir->number;
  for (uint32_t i = 0; at != EXT4_ROOT_INO; i++) {
    struct einode *x;
    uint32_t parent;
    if (at == ino->number)
      return EINVAL;
    errno_t e = i < fs->super.s_inodes_count
                    ? einode_get(fs, at, &x)
                    : ext4_corrupt(fs, at, 0, "directories that lie in each other");
    if (e != 0)
      return e;
    e = ext4_dir_parent(x, &parent);
    vnode_unref(&x->vnode);
    if (e != 0)
      return e;
    at = parent;
  }
  return 0;
}

/* A name of `ino` in one directory that becomes one in another. */
struct rename {
  struct einode *dir;
  const char *name;
  size_t len;
  struct einode *ino;
  struct einode *to_dir;
  const char *to_name;
  size_t to_len;
  struct einode *replaced; /* NULL: nothing has the new name */
};

static errno_t rename_check(const struct rename *r) {
  errno_t e = check_is(r->dir, r->name, r->len, r->ino);
  if (e == 0 && r->replaced == NULL)
    e = check_free(r->to_dir, r->to_name, r->to_len);
  else if (e == 0)
    e = check_is(r->to_dir, r->to_name, r->to_len, r->replaced);
  if (e == 0 && r->ino->vnode.type == FILETYPE_DIRECTORY)
    e = check_not_inside(r->to_dir, r->ino);
  if (e == 0 && r->replaced != NULL && r->replaced->vnode.type == FILETYPE_DIRECTORY)
    e = ext4_dir_check_empty(r->replaced);
  if (e == 0 && r->ino->vnode.type == FILETYPE_DIRECTORY && r->dir != r->to_dir)
    e = check_links(r->to_dir);
  return e;
}

static errno_t rename_do(const struct rename *r) {
  bool moves = r->ino->vnode.type == FILETYPE_DIRECTORY && r->dir != r->to_dir;
  errno_t e = r->replaced != NULL ? ext4_dir_change(r->to_dir, r->to_name, r->to_len, r->ino)
                                  : ext4_dir_add(r->to_dir, r->to_name, r->to_len, r->ino);
  if (e == 0)
    e = ext4_dir_remove(r->dir, r->name, r->len);
  if (e == 0 && r->replaced != NULL)
    e = name_gone(r->to_dir, r->replaced);
  if (e == 0 && moves) {
    e = ext4_dir_set_parent(r->ino, r->to_dir);
    links_remove_dir(r->dir);
    links_add_dir(r->to_dir);
  }
  einode_set_times(r->ino, NULL, 0);
  if (e == 0)
    e = einode_dirty(r->ino);
  if (e == 0)
    e = touch(r->dir);
  return e == 0 ? touch(r->to_dir) : e;
}

static errno_t rename_once(const struct rename *r) {
  errno_t e = begin(r->to_dir, NAME_BLOCKS + 16);
  if (e != 0)
    return e;
  e = r->dir->links > 0 ? rename_check(r) : ENOENT;
  if (e == 0)
    e = rename_do(r);
  end(r->dir->fs, e);
  return e;
}

errno_t ext4_rename(struct vnode *dir, const char *name, size_t len, struct vnode *node,
                    struct vnode *to_dir, const char *to_name, size_t to_len,
                    struct vnode *replaced) {
  struct rename r = {
      einode_of(dir),    name,    len,    einode_of(node),
      einode_of(to_dir), to_name, to_len, replaced != NULL ? einode_of(replaced) : NULL};
  errno_t e = rename_once(&r);
  if (e == ENOSPC && ext4_room_by_commit(r.dir->fs))
    e = rename_once(&r);
  return e;
}
