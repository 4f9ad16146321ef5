/*
 * Paths in the image, and the names in its directories.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ext4tool/tool.h"

/* The next name of a path; NULL: there is none. */
static const char *next_name(const char *path, size_t *len) {
  while (*path == '/')
    path++;
  *len = strcspn(path, "/");
  return *len > 0 ? path : NULL;
}

/* From *dir, whose reference it takes, on to one name in it. */
static errno_t step(struct vnode **dir, const char *name, size_t len) {
  struct vnode *child;
  errno_t e = 0;
  if ((*dir)->type != FILETYPE_DIRECTORY)
    e = ENOTDIR;
  else if (len > NAME_BYTES_MAX)
    e = ENAMETOOLONG;
  else
    e = (*dir)->ops->lookup(*dir, name, len, &child);
  vnode_unref(*dir);
  *dir = e == 0 ? child : NULL;
  return e;
}

/* Along all names before `end` (NULL: all). */
static errno_t walk(struct vnode *root, const char *path, const char *end, struct vnode **node) {
  const char *name;
  size_t len;
  errno_t e = 0;
  *node = vnode_ref(root);
  for (; e == 0 && (name = next_name(path, &len)) != NULL && name != end; path = name + len) {
    if (len != 1 || name[0] != '.')
      e = step(node, name, len);
  }
  return e;
}

errno_t path_lookup(struct vnode *root, const char *path, struct vnode **node) {
  return walk(root, path, NULL, node);
}

errno_t path_parent(struct vnode *root, const char *path, struct vnode **dir, const char **name,
                    size_t *len) {
  const char *next;
  size_t n;
  *name = NULL;
  for (const char *p = path; (next = next_name(p, &n)) != NULL; p = next + n) {
    *name = next;
    *len = n;
  }
  if (*name == NULL || (**name == '.' && (*len == 1 || (*len == 2 && (*name)[1] == '.'))))
    return EINVAL;
  if (*len > NAME_BYTES_MAX)
    return ENAMETOOLONG;
  errno_t e = walk(root, path, *name, dir);
  if (e == 0 && (*dir)->type != FILETYPE_DIRECTORY) {
    vnode_unref(*dir);
    e = ENOTDIR;
  }
  return e;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static bool put(struct dir_sink *sink, const struct dir_entry *e) {
  struct names *n = container_of(sink, struct names, sink);
  if (e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.')))
    return true;
  if (n->count == n->room) {
    n->room = n->room == 0 ? 64 : n->room * 2;
    n->name = realloc(n->name, n->room * sizeof n->name[0]);
  }
  n->name[n->count++] = strndup(e->name, e->name_len);
  return true;
}

errno_t names_read(struct vnode *dir, struct names *names) {
  *names = (struct names){.sink.put = put};
  errno_t e = dir->ops->readdir(dir, DIRCOOKIE_START, &names->sink);
  if (e != 0)
    names_free(names);
  return e;
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_sort(struct names *names) {
  if (names->count > 1)
    qsort(names->name, names->count, sizeof names->name[0], by_bytes);
}

void names_free(struct names *names) {
  for (size_t i = 0; i < names->count; i++)
    free(names->name[i]);
  free(names->name);
  *names = (struct names){.sink.put = put};
}

char *path_join(const char *dir, const char *name) {
  size_t n = strlen(dir), m = strlen(name);
  char *path = malloc(n + m + 2);
  memcpy(path, dir, n);
  if (n == 0 || path[n - 1] != '/')
    path[n++] = '/';
  memcpy(path + n, name, m + 1);
  return path;
}

void path_print(FILE *out, const char *path) {
  for (; *path != '\0'; path++) {
    unsigned char c = (unsigned char)*path;
    if (c < ' ' || c == 127 || c == '\\')
      fprintf(out, "\\%03o", c);
    else
      fputc(c, out);
  }
}
