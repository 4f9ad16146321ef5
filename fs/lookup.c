/*
 * The walk along a path.
 *
 * The text still to walk lies right-aligned in a buffer, so that a link's contents can be put
 * before it; the directories walked through lie on a stack, so that ".." goes back the way it came,
 * even if somebody moves them meanwhile. Reference 3.1.
 */
#include "fs/lookup.h"

#include "kernel/heap.h"
#include "kernel/string.h"
#include "kernel/user.h"

struct component {
  const char *name;
  size_t len;
  bool last;
};

/* Cuts the next name off the text, with the slashes behind it. */
static errno_t next_component(struct path *p, struct component *c) {
  size_t at = p->at;
  c->name = &p->text[at];
  while (at < sizeof p->text && p->text[at] != '/')
    at++;
  c->len = (size_t)(&p->text[at] - c->name);
  p->slash = at < sizeof p->text;
  while (at < sizeof p->text && p->text[at] == '/')
    at++;
  p->at = at;
  c->last = at == sizeof p->text;
  return c->len > NAME_BYTES_MAX ? ENAMETOOLONG : 0;
}

static bool is_dots(const struct component *c, size_t n) {
  return c->len == n && c->name[0] == '.' && c->name[n - 1] == '.';
}

/* Puts a link's contents before the text, reading them into the free room below it. If the link was
 * the last name, the slashes behind it stay: they ask for a directory at its end, too. */
static errno_t expand(struct path *p, struct vnode *link) {
  size_t slash = p->slash ? 1 : 0;
  size_t room = p->at - slash;
  struct uio uio;
  if (++p->expansions > PATH_SYMLINKS_MAX)
    return ELOOP;
  uio_init_kernel(&uio, p->text, room);
  errno_t e = link->ops->readlink(link, &uio);
  if (e != 0)
    return e;
  size_t len = room - uio.resid;
  if (len == room) /* perhaps cut */
    return ENAMETOOLONG;
  if (len == 0)
    return ENOENT;
  if (p->text[0] == '/')
    return ENOTCAPABLE;
  if (memchr(p->text, '\0', len) != NULL)
    return EINVAL;
  if (slash)
    p->text[--p->at] = '/';
  p->at -= len;
  memmove(&p->text[p->at], p->text, len);
  return 0;
}

static void step_into(struct path *p, struct vnode *dir) {
  p->stack[++p->depth] = dir;
}

static errno_t step_back(struct path *p) {
  if (p->depth == 0)
    return ENOTCAPABLE;
  vnode_unref(p->stack[p->depth--]);
  return 0;
}

/* The path ends in a directory on the stack. */
static void end_in_dir(struct path *p) {
  p->node = vnode_ref(p->stack[p->depth]);
  p->name_len = 0;
}

/* A name that is neither "." nor "..". Takes over the reference to `node`. */
static errno_t walk_node(struct path *p, const struct component *c, struct vnode *node,
                         bool follow) {
  errno_t e = 0;
  if (node->type == FILETYPE_SYMBOLIC_LINK && (!c->last || follow || p->slash)) {
    e = expand(p, node);
    vnode_unref(node);
    return e;
  }
  if (node->type != FILETYPE_DIRECTORY && p->slash)
    e = ENOTDIR;
  else if (!c->last && p->depth == PATH_DEPTH_MAX)
    e = ENAMETOOLONG;
  if (e != 0) {
    vnode_unref(node);
  } else if (c->last) {
    p->node = node;
  } else {
    step_into(p, node);
  }
  return e;
}

static errno_t walk(struct path *p, bool follow) {
  struct component c;
  errno_t e = 0;
  do {
    e = next_component(p, &c);
    if (e != 0)
      return e;
    if (is_dots(&c, 1) || is_dots(&c, 2)) {
      e = c.len == 2 ? step_back(p) : 0;
      if (e == 0 && c.last)
        end_in_dir(p);
      continue;
    }
    struct vnode *dir = p->stack[p->depth], *node;
    p->name = c.name;
    p->name_len = c.len;
    e = dir->ops->lookup(dir, c.name, c.len, &node);
    if (e == 0)
      e = walk_node(p, &c, node, follow);
    else if (e == ENOENT && c.last)
      return 0; /* p->node stays NULL */
  } while (e == 0 && p->node == NULL);
  return e;
}

static errno_t check_text(const struct path *p) {
  const char *s = &p->text[p->at];
  size_t len = sizeof p->text - p->at;
  if (len == 0)
    return ENOENT;
  if (memchr(s, '\0', len) != NULL)
    return EINVAL;
  return s[0] == '/' ? ENOTCAPABLE : 0;
}

static errno_t lookup(struct vnode *start, const char *s, size_t len, bool user, bool follow,
                      struct path **out) {
  if (len > PATH_BYTES_MAX)
    return ENAMETOOLONG;
  struct path *p = kmalloc(sizeof *p);
  if (p == NULL)
    return ENOMEM;
  p->node = NULL;
  p->depth = p->expansions = 0;
  p->at = sizeof p->text - len;
  p->stack[0] = vnode_ref(start);

  errno_t e = 0;
  if (len > 0 && user)
    e = user_copy_in(&p->text[p->at], s, len);
  else
    memcpy(&p->text[p->at], s, len);
  if (e == 0)
    e = check_text(p);
  if (e == 0)
    e = walk(p, follow);
  if (e != 0) {
    path_free(p);
    return e;
  }
  p->dir = p->stack[p->depth];
  *out = p;
  return 0;
}

errno_t path_lookup_user(struct vnode *start, const char *user_path, size_t len, bool follow,
                         struct path **out) {
  return lookup(start, user_path, len, true, follow, out);
}

errno_t path_lookup(struct vnode *start, const char *path, size_t len, bool follow,
                    struct path **out) {
  return lookup(start, path, len, false, follow, out);
}

void path_free(struct path *p) {
  if (p == NULL)
    return;
  vnode_unref(p->node);
  for (unsigned i = 0; i <= p->depth; i++)
    vnode_unref(p->stack[i]);
  kfree(p);
}
