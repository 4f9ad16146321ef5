/*
 * ext4tool mkdir, rm, mv, ln.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ext4tool/tool.h"

#define PATH_BYTES_MAX_HOST 4096u /* a damaged directory may contain itself */

/* ---- mkdir ----------------------------------------------------------------------------------- */

static errno_t make_one(struct vnode *root, const char *path) {
  struct vnode *dir, *made, *there;
  const char *name;
  size_t len;
  errno_t e = path_parent(root, path, &dir, &name, &len);
  if (e != 0)
    return e;
  e = dir->ops->lookup(dir, name, len, &there);
  if (e == 0)
    vnode_unref(there);
  e = e == 0        ? EEXIST
      : e == ENOENT ? dir->ops->create(dir, name, len, FILETYPE_DIRECTORY, &made)
                    : e;
  if (e == 0)
    vnode_unref(made);
  vnode_unref(dir);
  return e;
}

static bool is_directory(struct vnode *root, const char *path) {
  struct vnode *node;
  if (path_lookup(root, path, &node) != 0)
    return false;
  bool yes = node->type == FILETYPE_DIRECTORY;
  vnode_unref(node);
  return yes;
}

bool mkdir_command(struct vnode *root, const char *path, bool parents) {
  errno_t e = 0;
  for (const char *slash = path; parents && e == 0 && (slash = strchr(slash, '/')) != NULL;
       slash++) {
    char *above = strndup(path, (size_t)(slash - path));
    if (strspn(above, "/") != strlen(above) && !is_directory(root, above))
      e = make_one(root, above);
    free(above);
  }
  if (e == 0 && !(parents && is_directory(root, path)))
    e = make_one(root, path);
  return e == 0 || complain_error(path, e);
}

/* ---- rm -------------------------------------------------------------------------------------- */

static bool remove_entry(struct vnode *dir, const char *name, const char *path, bool recursive);

static bool empty(struct vnode *dir, const char *path) {
  struct names names;
  errno_t e = names_read(dir, &names);
  bool ok = e == 0 || complain_error(path, e);
  for (size_t i = 0; ok && i < names.count; i++) {
    char *full = path_join(path, names.name[i]);
    ok = strlen(full) < PATH_BYTES_MAX_HOST ? remove_entry(dir, names.name[i], full, true)
                                            : complain_error(full, ENAMETOOLONG);
    free(full);
  }
  if (e == 0)
    names_free(&names);
  return ok;
}

static bool remove_entry(struct vnode *dir, const char *name, const char *path, bool recursive) {
  struct vnode *node;
  errno_t e = dir->ops->lookup(dir, name, strlen(name), &node);
  if (e != 0)
    return complain_error(path, e);
  bool ok = true;
  if (node->type == FILETYPE_DIRECTORY && recursive) {
    ok = empty(node, path);
  } else if (node->type == FILETYPE_DIRECTORY) {
    complain("%s: it is a directory: rm -r", path);
    ok = false;
  }
  if (ok && (e = dir->ops->unlink(dir, name, strlen(name), node)) != 0)
    ok = complain_error(path, e);
  vnode_unref(node);
  return ok;
}

bool remove_command(struct vnode *root, const char *path, bool recursive) {
  struct vnode *dir;
  const char *last;
  size_t len;
  errno_t e = path_parent(root, path, &dir, &last, &len);
  if (e != 0)
    return complain_error(path, e);
  char *name = strndup(last, len);
  bool ok = remove_entry(dir, name, path, recursive);
  free(name);
  vnode_unref(dir);
  return ok;
}

/* ---- mv -------------------------------------------------------------------------------------- */

/* A place for a name: `to` itself, or, if that is a directory, `name` in it. What has it now, if
 * anything has, is *there. */
struct place {
  struct vnode *dir, *there;
  const char *name;
  size_t len;
};

static void place_put(struct place *p) {
  vnode_unref(p->dir);
  vnode_unref(p->there);
}

static errno_t place_find(struct vnode *root, const char *to, const char *name, size_t len,
                          struct place *p) {
  struct vnode *node;
  *p = (struct place){.name = name, .len = len};
  errno_t e = path_lookup(root, to, &node);
  if (e == 0 && node->type == FILETYPE_DIRECTORY)
    p->dir = node;
  else if (e == 0)
    vnode_unref(node);
  e = p->dir != NULL ? 0 : path_parent(root, to, &p->dir, &p->name, &p->len);
  if (e != 0)
    return e;
  e = p->dir->ops->lookup(p->dir, p->name, p->len, &p->there);
  if (e == ENOENT)
    return 0;
  if (e != 0)
    place_put(p);
  return e;
}

static errno_t move(struct vnode *dir, const char *name, size_t len, struct vnode *node,
                    const struct place *to) {
  if (to->there == node)
    return 0;
  if (to->there != NULL && to->there->type == FILETYPE_DIRECTORY &&
      node->type != FILETYPE_DIRECTORY)
    return EISDIR;
  if (to->there != NULL && to->there->type != FILETYPE_DIRECTORY &&
      node->type == FILETYPE_DIRECTORY)
    return ENOTDIR;
  return dir->ops->rename(dir, name, len, node, to->dir, to->name, to->len, to->there);
}

bool move_command(struct vnode *root, const char *from, const char *to) {
  struct vnode *dir, *node;
  struct place place;
  const char *name;
  size_t len;
  errno_t e = path_parent(root, from, &dir, &name, &len);
  if (e != 0)
    return complain_error(from, e);
  e = dir->ops->lookup(dir, name, len, &node);
  if (e != 0) {
    vnode_unref(dir);
    return complain_error(from, e);
  }
  e = place_find(root, to, name, len, &place);
  if (e == 0) {
    e = move(dir, name, len, node, &place);
    place_put(&place);
  }
  vnode_unref(node);
  vnode_unref(dir);
  return e == 0 || complain_error(to, e);
}

/* ---- ln -------------------------------------------------------------------------------------- */

static errno_t link_at(struct vnode *root, const char *target, const struct place *p) {
  struct vnode *node;
  errno_t e = path_lookup(root, target, &node);
  if (e != 0)
    return e;
  e = node->type == FILETYPE_DIRECTORY ? EISDIR : p->dir->ops->link(p->dir, p->name, p->len, node);
  vnode_unref(node);
  return e;
}

bool link_command(struct vnode *root, const char *target, const char *path, bool symbolic) {
  struct place p;
  const char *slash = strrchr(target, '/'), *base = slash != NULL ? slash + 1 : target;
  errno_t e = place_find(root, path, base, strlen(base), &p);
  if (e != 0)
    return complain_error(path, e);
  if (p.there != NULL || p.len == 0)
    e = EEXIST;
  else if (symbolic)
    e = p.dir->ops->symlink(p.dir, p.name, p.len, target, strlen(target));
  else
    e = link_at(root, target, &p);
  place_put(&p);
  return e == 0 || complain_error(path, e);
}
