/*
 * ext4tool read: a file to stdout, or a file or tree to the host. Modes and times go along, holes
 * stay holes, and names of one file are links again; owners are not kept, and of devices and
 * sockets there are none outside.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ext4tool/host.h"
#include "tools/ext4tool/tool.h"

#define CHUNK_BYTES (64u << 10)
#define PATH_BYTES_MAX_HOST 4096u /* a damaged directory may contain itself */

/* Files with several names that were made already. */
struct made {
  struct made *next;
  uint32_t number;
  char *path;
};

struct extraction {
  struct made *made;
  char *chunk;
};

static bool complain_host(const char *path) {
  complain("%s: %s", path, host_error());
  return false;
}

static bool all_zero(const char *p, size_t n) {
  return n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* The file's contents into `out`; `sparse`: zeroes are passed over. */
static bool copy_out(struct vnode *file, const char *path, FILE *out, char *chunk, bool sparse) {
  uint64_t at = 0;
  for (size_t n = CHUNK_BYTES; n == CHUNK_BYTES; at += n) {
    struct uio uio;
    uio_init_kernel(&uio, chunk, CHUNK_BYTES);
    errno_t e = file->ops->pread(file, &uio, at);
    n = CHUNK_BYTES - uio.resid;
    if (e != 0)
      return complain_error(path, e);
    bool ok = sparse && all_zero(chunk, n) ? fseeko(out, (off_t)n, SEEK_CUR) == 0
                                           : fwrite(chunk, 1, n, out) == n;
    if (!ok)
      return complain_host(path);
  }
  return true;
}

bool read_command(struct vnode *root, const char *path) {
  struct vnode *node;
  errno_t e = path_lookup(root, path, &node);
  if (e != 0)
    return complain_error(path, e);
  char *chunk = malloc(CHUNK_BYTES);
  bool file = node->type == FILETYPE_REGULAR_FILE, ok = false;
  if (file)
    ok = copy_out(node, path, stdout, chunk, false);
  else
    complain("%s: it is no regular file; give a place for it: read IMAGE PATH TO", path);
  if (fflush(stdout) != 0)
    ok = complain_host("standard output");
  free(chunk);
  vnode_unref(node);
  return ok;
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static bool extract(struct extraction *x, struct vnode *node, const char *path, const char *to);

static bool extract_file(struct extraction *x, struct vnode *node, const char *path,
                         const char *to) {
  struct filestat st;
  FILE *out = fopen(to, "wbx");
  if (out == NULL)
    return complain_host(to);
  bool ok = copy_out(node, path, out, x->chunk, true);
  if (fclose(out) != 0 && ok)
    ok = complain_host(to);
  node->ops->stat(node, &st);
  if (ok && !host_truncate(to, st.st_size))
    ok = complain_host(to);
  return ok;
}

static bool extract_symlink(struct vnode *node, const char *path, const char *to) {
  char contents[4097];
  struct uio uio;
  uio_init_kernel(&uio, contents, sizeof contents - 1);
  errno_t e = node->ops->readlink(node, &uio);
  if (e != 0)
    return complain_error(path, e);
  contents[sizeof contents - 1 - uio.resid] = '\0';
  return host_symlink(contents, to) || complain_host(to);
}

static bool extract_entry(struct extraction *x, struct vnode *dir, const char *path, const char *to,
                          const char *name) {
  char *from = path_join(path, name), *into = path_join(to, name);
  struct vnode *child;
  bool ok = strlen(from) < PATH_BYTES_MAX_HOST;
  errno_t e = ok ? dir->ops->lookup(dir, name, strlen(name), &child) : ENAMETOOLONG;
  if (e == 0) {
    ok = extract(x, child, from, into);
    vnode_unref(child);
  } else {
    ok = complain_error(from, e);
  }
  free(from);
  free(into);
  return ok;
}

static bool extract_directory(struct extraction *x, struct vnode *dir, const char *path,
                              const char *to) {
  struct names names;
  if (!host_mkdir(to))
    return complain_host(to);
  errno_t e = names_read(dir, &names);
  if (e != 0)
    return complain_error(path, e);
  bool ok = true;
  for (size_t i = 0; i < names.count; i++)
    ok = extract_entry(x, dir, path, to, names.name[i]) && ok;
  names_free(&names);
  return ok;
}

static struct made *made_find(const struct extraction *x, uint32_t number) {
  struct made *m = x->made;
  while (m != NULL && m->number != number)
    m = m->next;
  return m;
}

static void made_add(struct extraction *x, uint32_t number, const char *to) {
  struct made *m = malloc(sizeof *m);
  *m = (struct made){x->made, number, strdup(to)};
  x->made = m;
}

static bool extract_new(struct extraction *x, struct vnode *node, const char *path,
                        const char *to) {
  switch (node->type) {
    case FILETYPE_REGULAR_FILE:
      return extract_file(x, node, path, to);
    case FILETYPE_DIRECTORY:
      return extract_directory(x, node, path, to);
    case FILETYPE_SYMBOLIC_LINK:
      return extract_symlink(node, path, to);
    case FILETYPE_CHARACTER_DEVICE:
    case FILETYPE_BLOCK_DEVICE:
    case FILETYPE_SOCKET_STREAM:
      complain("%s: left out: a device or a socket", path);
      return true;
    default:
      return host_mkfifo(to) || complain_host(to);
  }
}

static bool extract(struct extraction *x, struct vnode *node, const char *path, const char *to) {
  const struct einode *ino = einode_of(node);
  bool several = ino->links > 1 && node->type != FILETYPE_DIRECTORY;
  const struct made *m = several ? made_find(x, ino->number) : NULL;
  struct host_file made;
  struct filestat st;
  if (m != NULL)
    return host_link(m->path, to) || complain_host(to);
  bool ok = extract_new(x, node, path, to);
  if (!host_stat(to, &made)) /* left out */
    return ok;
  if (several)
    made_add(x, ino->number, to);
  node->ops->stat(node, &st);
  uint32_t mode = node->type == FILETYPE_SYMBOLIC_LINK ? 0 : ino->disk.i_mode;
  if (!host_set(to, mode, st.st_atim, st.st_mtim))
    ok = complain_host(to);
  return ok;
}

bool extract_command(struct vnode *root, const char *path, const char *to) {
  struct extraction x = {.chunk = malloc(CHUNK_BYTES)};
  struct host_file there;
  struct vnode *node;
  errno_t e = path_lookup(root, path, &node);
  bool ok = e == 0;
  if (e != 0) {
    complain_error(path, e);
  } else if (host_stat(to, &there)) {
    complain("%s: it exists already", to);
    ok = false;
  } else {
    ok = extract(&x, node, path, to);
  }
  if (e == 0)
    vnode_unref(node);
  while (x.made != NULL) {
    struct made *m = x.made;
    x.made = m->next;
    free(m->path);
    free(m);
  }
  free(x.chunk);
  return ok;
}
