/*
 * ext4tool write: files and trees of the host into the image. Modes and times go along, zeroes
 * become holes, and names of one file are links again; everything belongs to root, and devices are
 * left out.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ext4tool/host.h"
#include "tools/ext4tool/tool.h"

#define CHUNK_BYTES (64u << 10)

/* Files with several names that were written already. */
struct written {
  struct written *next;
  uint64_t device, inode;
  struct vnode *node;
};

struct writing {
  struct written *written;
  char *chunk;
};

static bool complain_host(const char *path) {
  complain("%s: %s", path, host_error());
  return false;
}

/* ---- Contents -------------------------------------------------------------------------------- */

static bool all_zero(const char *p, size_t n) {
  return n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static errno_t write_at(struct vnode *node, char *chunk, size_t n, uint64_t at) {
  struct uio uio;
  filesize_t end;
  uio_init_kernel(&uio, chunk, n);
  errno_t e = node->ops->pwrite(node, &uio, at, false, &end);
  return e == 0 && uio.resid > 0 ? ENOSPC : e;
}

static bool copy_in(struct writing *w, struct vnode *node, const char *from, const char *path) {
  struct filestat st = {0};
  FILE *in = fopen(from, "rb");
  errno_t e = 0;
  if (in == NULL)
    return complain_host(from);
  for (size_t n = CHUNK_BYTES; e == 0 && n == CHUNK_BYTES; st.st_size += n) {
    n = fread(w->chunk, 1, CHUNK_BYTES, in);
    if (n > 0 && !all_zero(w->chunk, n))
      e = write_at(node, w->chunk, n, st.st_size);
  }
  bool ok = ferror(in) == 0 || complain_host(from);
  fclose(in);
  if (e == 0 && ok)
    e = node->ops->set_stat(node, &st, FILESTAT_SIZE);
  return e == 0 ? ok : complain_error(path, e);
}

/* What no call of the kernel sets. */
static errno_t set_mode(struct vnode *node, uint32_t mode) {
  struct einode *ino = einode_of(node);
  mutex_lock(&ino->fs->lock);
  errno_t e = tx_begin(ino->fs, 1);
  if (e == 0) {
    ino->disk.i_mode = (uint16_t)((ino->disk.i_mode & EXT4_S_IFMT) | (mode & 07777));
    e = einode_dirty(ino);
    tx_end(ino->fs, e);
  }
  mutex_unlock(&ino->fs->lock);
  return e;
}

static bool set_attributes(struct vnode *node, const struct host_file *st, const char *path) {
  struct filestat times = {.st_atim = st->atime_ns, .st_mtim = st->mtime_ns};
  errno_t e = node->type == FILETYPE_SYMBOLIC_LINK ? 0 : set_mode(node, st->mode);
  if (e == 0)
    e = node->ops->set_stat(node, &times, FILESTAT_ATIM | FILESTAT_MTIM);
  return e == 0 || complain_error(path, e);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static bool write_node(struct writing *w, const char *from, struct vnode *dir, const char *name,
                       const char *path);

/* What a directory's entries are written into. */
struct directory {
  struct writing *w;
  const char *from, *path;
  struct vnode *node;
};

static bool write_entry(void *arg, const char *name) {
  const struct directory *d = arg;
  char *from = path_join(d->from, name), *path = path_join(d->path, name);
  bool ok = write_node(d->w, from, d->node, name, path);
  free(from);
  free(path);
  return ok;
}

static bool fill(struct writing *w, struct vnode *node, const char *from, const char *path) {
  struct directory d = {w, from, path, node};
  bool all;
  if (node->type == FILETYPE_REGULAR_FILE)
    return copy_in(w, node, from, path);
  if (node->type != FILETYPE_DIRECTORY)
    return true;
  return host_each(from, write_entry, &d, &all) ? all : complain_host(from);
}

static errno_t make_symlink(struct vnode *dir, const char *name, const char *from,
                            struct vnode **node) {
  char contents[4096];
  size_t len;
  if (!host_readlink(from, contents, sizeof contents, &len))
    return EIO;
  errno_t e = dir->ops->symlink(dir, name, strlen(name), contents, len);
  return e == 0 ? dir->ops->lookup(dir, name, strlen(name), node) : e;
}

static filetype_t type_of(uint32_t mode) {
  const struct ext4_inode disk = {.i_mode = (uint16_t)mode};
  return einode_type(&disk);
}

/* A node like the host's, or the one that is there already: a file is emptied, and a directory
 * takes more names. */
static errno_t make_node(struct vnode *dir, const char *name, const char *from, filetype_t type,
                         struct vnode **node) {
  struct filestat none = {0};
  errno_t e = dir->ops->lookup(dir, name, strlen(name), node);
  if (e == ENOENT && type == FILETYPE_SYMBOLIC_LINK)
    return make_symlink(dir, name, from, node);
  if (e == ENOENT)
    return dir->ops->create(dir, name, strlen(name), type, node);
  if (e != 0)
    return e;
  if ((*node)->type == FILETYPE_REGULAR_FILE && type == FILETYPE_REGULAR_FILE)
    e = (*node)->ops->set_stat(*node, &none, FILESTAT_SIZE);
  else if ((*node)->type != FILETYPE_DIRECTORY || type != FILETYPE_DIRECTORY)
    e = EEXIST;
  if (e != 0)
    vnode_unref(*node);
  return e;
}

static struct written *written_find(const struct writing *w, const struct host_file *st) {
  struct written *x = w->written;
  while (x != NULL && (x->device != st->device || x->inode != st->inode))
    x = x->next;
  return x;
}

static void written_add(struct writing *w, const struct host_file *st, struct vnode *node) {
  struct written *x = malloc(sizeof *x);
  *x = (struct written){w->written, st->device, st->inode, vnode_ref(node)};
  w->written = x;
}

static bool write_node(struct writing *w, const char *from, struct vnode *dir, const char *name,
                       const char *path) {
  struct host_file st;
  struct vnode *node;
  if (!host_stat(from, &st))
    return complain_host(from);
  filetype_t type = type_of(st.mode);
  if (type == FILETYPE_CHARACTER_DEVICE || type == FILETYPE_BLOCK_DEVICE) {
    complain("%s: left out: a device", from);
    return true;
  }
  bool several = st.links > 1 && type != FILETYPE_DIRECTORY;
  const struct written *known = several ? written_find(w, &st) : NULL;
  if (known != NULL) {
    errno_t e = dir->ops->link(dir, name, strlen(name), known->node);
    return e == 0 || complain_error(path, e);
  }
  errno_t e = make_node(dir, name, from, type, &node);
  if (e != 0)
    return complain_error(path, e);
  bool ok = fill(w, node, from, path);
  ok = set_attributes(node, &st, path) && ok;
  if (several)
    written_add(w, &st, node);
  vnode_unref(node);
  return ok;
}

/* ---- The command ----------------------------------------------------------------------------- */

/* The last name of a path of the host; "" if it ends in something else. */
static char *base_name(const char *from) {
  size_t end = strlen(from);
  while (end > 0 && from[end - 1] == '/')
    end--;
  size_t at = end;
  while (at > 0 && from[at - 1] != '/')
    at--;
  char *name = strndup(from + at, end - at);
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    name[0] = '\0';
  return name;
}

/* Into a directory that is there: under its own name, or, of a path that has none ("tree/."), what
 * is in it. */
static bool write_into(struct writing *w, const char *from, struct vnode *dir, const char *path) {
  char *name = base_name(from), *full = path_join(path, name);
  bool ok = name[0] == '\0' ? fill(w, dir, from, path) : write_node(w, from, dir, name, full);
  free(full);
  free(name);
  return ok;
}

static bool write_as(struct writing *w, const char *from, struct vnode *root, const char *path) {
  struct vnode *dir;
  const char *last;
  size_t len;
  errno_t e = path_parent(root, path, &dir, &last, &len);
  if (e != 0)
    return complain_error(path, e);
  char *name = strndup(last, len);
  bool ok = write_node(w, from, dir, name, path);
  free(name);
  vnode_unref(dir);
  return ok;
}

bool write_command(struct vnode *root, const char *from, const char *path) {
  struct writing w = {.chunk = malloc(CHUNK_BYTES)};
  struct vnode *there;
  errno_t e = path_lookup(root, path, &there);
  bool ok;
  if (e == 0 && there->type == FILETYPE_DIRECTORY)
    ok = write_into(&w, from, there, path);
  else
    ok = e == 0 || e == ENOENT ? write_as(&w, from, root, path) : complain_error(path, e);
  if (e == 0)
    vnode_unref(there);
  while (w.written != NULL) {
    struct written *x = w.written;
    w.written = x->next;
    vnode_unref(x->node);
    free(x);
  }
  free(w.chunk);
  return ok;
}
