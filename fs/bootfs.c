/*
 * The image's files: an index over the payload archive, and the vnode operations over the index.
 *
 * Built once at boot. A node costs 56 bytes and four in the hash table; names and contents stay
 * in the archive. Nodes are never freed. Kernel lock; nothing here sleeps. Reference 3.2.
 */
#include "fs/bootfs.h"

#include "fs/cpio.h"
#include "fs/vfile.h"
#include "fs/vnode.h"
#include "kernel/heap.h"
#include "kernel/list.h"
#include "kernel/log.h"
#include "kernel/memobj.h"
#include "kernel/page.h"
#include "kernel/string.h"

/* Nodes are known by their number, which is their inode number less one. 0, the root, is nobody's
 * child, and ends lists. */
struct node {
  struct vnode vnode;
  const char *name; /* in the archive, NUL-terminated */
  union {
    const uint8_t *data;
    struct {
      uint32_t first_child, last_child; /* in the archive's order */
    };
  };
  uint32_t size; /* bytes; of a directory: how many directories are in it */
  uint32_t mtime_s;
  uint32_t number;
  uint32_t parent;
  uint32_t next_sibling;
  uint32_t next_in_bucket;
};

#define GRANTED_FILES "files" /* the directory of granted files has no entry of its own */
#define NODES_PER_PAGE (PAGE_SIZE / sizeof(struct node))
#define BUCKETS_MAX (1u << 18)

_Static_assert(sizeof(struct node) <= 56, "what a file costs");

static struct node **pages; /* of NODES_PER_PAGE nodes each */
static uint32_t node_count;
static uint32_t *buckets; /* first node by hash of parent and name */
static uint32_t bucket_mask;
static const struct vnode_ops bootfs_ops;

static struct node *node_at(uint32_t number) {
  return &pages[number / NODES_PER_PAGE][number % NODES_PER_PAGE];
}

static struct node *node_of(struct vnode *v) {
  return container_of(v, struct node, vnode);
}

/* ---- Finding --------------------------------------------------------------------------------- */

static uint32_t *bucket_of(uint32_t parent, const char *name, size_t len) {
  uint32_t hash = 2166136261u ^ parent; /* FNV-1a */
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (uint8_t)name[i]) * 16777619u;
  return &buckets[(hash ^ hash >> 16) & bucket_mask];
}

static struct node *find_child(const struct node *dir, const char *name, size_t len) {
  for (uint32_t i = *bucket_of(dir->number, name, len); i != 0;) {
    struct node *n = node_at(i);
    if (n->parent == dir->number && strncmp(n->name, name, len) == 0 && n->name[len] == '\0')
      return n;
    i = n->next_in_bucket;
  }
  return NULL;
}

/* The node with an archive name, or NULL. */
static struct node *find(const char *path, size_t len) {
  struct node *n = node_at(0);
  while (n != NULL && len > 0) {
    const char *slash = memchr(path, '/', len);
    size_t name_len = slash != NULL ? (size_t)(slash - path) : len;
    if (n->vnode.type != FILETYPE_DIRECTORY)
      return NULL;
    n = find_child(n, path, name_len);
    size_t used = slash != NULL ? name_len + 1 : name_len;
    path += used;
    len -= used;
  }
  return n;
}

/* ---- Building the index ---------------------------------------------------------------------- */

static _Noreturn void bad(const char *entry, const char *what) {
  boot_fail("the image's payload is damaged at `%s`: %s", entry, what);
}

static struct node *add_node(const char *name, filetype_t type) {
  struct node **page = &pages[node_count / NODES_PER_PAGE];
  if (*page == NULL && (*page = page_alloc_zero(0)) == NULL)
    boot_fail("not enough memory to index the image's files; give the machine more (-m)");
  struct node *n = node_at(node_count);
  n->vnode =
      (struct vnode){.ops = &bootfs_ops, .refs = 1, .type = type}; /* the index's own reference */
  n->name = name;
  n->number = node_count++;
  return n;
}

static void add_to_dir(struct node *dir, struct node *n) {
  uint32_t *bucket = bucket_of(dir->number, n->name, strlen(n->name));
  n->parent = dir->number;
  n->next_in_bucket = *bucket;
  *bucket = n->number;
  if (dir->first_child == 0)
    dir->first_child = n->number;
  else
    node_at(dir->last_child)->next_sibling = n->number;
  dir->last_child = n->number;
  if (n->vnode.type == FILETYPE_DIRECTORY)
    dir->size++;
}

/* Splits an entry's name into its directory, which must stand before it, and its last name. */
static struct node *split_name(const struct cpio_entry *e, const char **last) {
  static struct node *recent; /* entries of one directory follow each other */
  static const char *recent_path;
  static size_t recent_len;
  size_t at = e->name_length;
  while (at > 0 && e->name[at - 1] != '/')
    at--;
  *last = e->name + at;
  size_t dir_len = at > 0 ? at - 1 : 0;
  if (at == 1)
    bad(e->name, "an absolute name");
  if (recent == NULL || node_count == 2 || dir_len != recent_len ||
      memcmp(recent_path, e->name, dir_len) != 0) {
    recent = find(e->name, dir_len);
    recent_path = e->name;
    recent_len = dir_len;
  }
  if (recent == NULL || recent->vnode.type != FILETYPE_DIRECTORY)
    bad(e->name, "its directory does not stand before it");
  return recent;
}

static filetype_t type_of(const struct cpio_entry *e) {
  switch (e->mode & CPIO_TYPE) {
    case CPIO_DIRECTORY:
      return FILETYPE_DIRECTORY;
    case CPIO_REGULAR:
      return FILETYPE_REGULAR_FILE;
    case CPIO_SYMLINK:
      return FILETYPE_SYMBOLIC_LINK;
    default:
      bad(e->name, "neither a file nor a directory nor a symbolic link");
  }
}

static void add_entry(const struct cpio_entry *e) {
  const char *name;
  struct node *dir = split_name(e, &name);
  size_t len = strlen(name);
  if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    bad(e->name, "not a name");
  if (len > NAME_BYTES_MAX)
    bad(e->name, "a name of more than 255 bytes");
  if (find_child(dir, name, len) != NULL)
    bad(e->name, "the name stands there twice");
  struct node *n = add_node(name, type_of(e));
  n->mtime_s = e->mtime_s;
  if (n->vnode.type != FILETYPE_DIRECTORY) {
    n->data = e->data;
    n->size = (uint32_t)e->size;
  }
  add_to_dir(dir, n);
}

/* Reads one entry; false at the end. The directories that are there anyway are passed over. */
static bool next_entry(struct cpio_reader *r, struct cpio_entry *e) {
  do {
    enum cpio_step step = cpio_next(r, e);
    if (step == CPIO_BROKEN)
      boot_fail("the image's payload is damaged at byte %zu: %s", r->offset, r->error);
    if (step == CPIO_END)
      return false;
  } while ((e->mode & CPIO_TYPE) == CPIO_DIRECTORY &&
           (strcmp(e->name, ".") == 0 || strcmp(e->name, GRANTED_FILES) == 0));
  return true;
}

static void allocate_index(size_t entries) {
  size_t count = 1;
  while (count < entries && count < BUCKETS_MAX)
    count *= 2;
  bucket_mask = (uint32_t)count - 1;
  buckets = kzalloc(count * sizeof *buckets);
  pages = kzalloc((entries / NODES_PER_PAGE + 1) * sizeof *pages);
  if (entries >= UINT32_MAX || buckets == NULL || pages == NULL)
    boot_fail("not enough memory to index %zu files of the image; give the machine more (-m)",
              entries);
}

void bootfs_init(const void *archive, size_t bytes) {
  struct cpio_reader r;
  struct cpio_entry e;
  size_t entries = 2; /* the root and the directory of granted files */
  cpio_begin(&r, archive, bytes);
  while (next_entry(&r, &e))
    entries++;
  allocate_index(entries);

  node_count = 0;
  struct node *root = add_node("", FILETYPE_DIRECTORY);
  add_to_dir(root, add_node(GRANTED_FILES, FILETYPE_DIRECTORY));
  cpio_begin(&r, archive, bytes);
  while (next_entry(&r, &e))
    add_entry(&e);
}

errno_t bootfs_find(const char *name, const void **data, size_t *bytes) {
  struct node *n = find(name, strlen(name));
  if (n == NULL || n->vnode.type != FILETYPE_REGULAR_FILE)
    return ENOENT;
  *data = n->data;
  *bytes = n->size;
  return 0;
}

errno_t bootfs_open(const char *name, struct file **f) {
  struct node *n = find(name, strlen(name));
  if (n == NULL || n->vnode.type == FILETYPE_SYMBOLIC_LINK)
    return ENOENT;
  return vfile_create(&n->vnode, 0, f);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static errno_t bootfs_stat(struct vnode *v, struct filestat *st) {
  const struct node *n = node_of(v);
  bool dir = v->type == FILETYPE_DIRECTORY;
  timestamp_t time_ns = (timestamp_t)n->mtime_s * 1000000000u;
  memset(st, 0, sizeof *st);
  st->st_dev = 1;
  st->st_ino = (inode_t)n->number + 1;
  st->st_filetype = v->type;
  st->st_nlink = dir ? 2 + n->size : 1;
  st->st_size = dir ? 0 : n->size;
  st->st_atim = st->st_mtim = st->st_ctim = time_ns;
  return 0;
}

static errno_t bootfs_pread(struct vnode *v, struct uio *uio, filesize_t offset) {
  const struct node *n = node_of(v);
  if (offset >= n->size)
    return 0;
  return uio_copy_to(uio, n->data + offset, n->size - (size_t)offset);
}

static errno_t bootfs_readlink(struct vnode *v, struct uio *uio) {
  const struct node *n = node_of(v);
  return uio_copy_to(uio, n->data, n->size);
}

static errno_t bootfs_memobj(struct vnode *v, struct memobj **obj) {
  const struct node *n = node_of(v);
  if (v->type != FILETYPE_REGULAR_FILE)
    return ENODEV;
  return memobj_bytes_create(n->data, n->size, obj);
}

static errno_t bootfs_lookup(struct vnode *dir, const char *name, size_t len,
                             struct vnode **child) {
  struct node *n = find_child(node_of(dir), name, len);
  if (n == NULL)
    return ENOENT;
  *child = vnode_ref(&n->vnode);
  return 0;
}

/* Cookies: 0 is ".", 1 is "..", 2 the end, 2 + i the node i. */
enum { COOKIE_DOT, COOKIE_DOTDOT, COOKIE_NODES };

static bool put(struct dir_sink *sink, const struct node *n, const char *name, dircookie_t next) {
  struct dir_entry e = {
      .name = name,
      .name_len = strlen(name),
      .ino = (inode_t)n->number + 1,
      .type = n->vnode.type,
      .next = next,
  };
  return sink->put(sink, &e);
}

static errno_t bootfs_readdir(struct vnode *v, dircookie_t cookie, struct dir_sink *sink) {
  const struct node *dir = node_of(v);
  dircookie_t first = COOKIE_NODES + (dircookie_t)dir->first_child;
  if (cookie == COOKIE_DOT) {
    if (!put(sink, dir, ".", COOKIE_DOTDOT))
      return 0;
    cookie = COOKIE_DOTDOT;
  }
  if (cookie == COOKIE_DOTDOT) {
    if (!put(sink, node_at(dir->parent), "..", first))
      return 0;
    cookie = first;
  }
  dircookie_t i = cookie - COOKIE_NODES;
  if (i >= node_count || (i != 0 && node_at((uint32_t)i)->parent != dir->number))
    return EINVAL;
  while (i != 0) {
    const struct node *n = node_at((uint32_t)i);
    if (!put(sink, n, n->name, COOKIE_NODES + (dircookie_t)n->next_sibling))
      return 0;
    i = n->next_sibling;
  }
  return 0;
}

static const struct vnode_ops bootfs_ops = {
    .stat = bootfs_stat,
    .pread = bootfs_pread,
    .readlink = bootfs_readlink,
    .memobj = bootfs_memobj,
    .lookup = bootfs_lookup,
    .readdir = bootfs_readdir,
};
