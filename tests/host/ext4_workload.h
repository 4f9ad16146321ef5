/*
 * A program's work on a file system, with a model of what must be there: random operations on names
 * and contents, the same for the same seed.
 */
#ifndef TESTS_HOST_EXT4_WORKLOAD_H
#define TESTS_HOST_EXT4_WORKLOAD_H

#include "tests/host/ext4_fixture.h"

#define WORK_NODES 200
#define WORK_FILE_BYTES 200000 /* no file grows beyond it */

/* A file or directory of the model. Node 0 is the root. */
struct work_node {
  bool used;
  filetype_t type;
  struct vnode *v;
  unsigned parent;
  char name[256];
  uint8_t *data;
  size_t size;
};

static struct work_node work[WORK_NODES];
static uint64_t work_state;
static uint8_t work_buffer[WORK_FILE_BYTES];

static unsigned work_random(unsigned n) {
  work_state ^= work_state << 13;
  work_state ^= work_state >> 7;
  work_state ^= work_state << 17;
  return (unsigned)((work_state >> 20) % n);
}

static void work_begin(struct vnode *root, unsigned seed) {
  memset(work, 0, sizeof work);
  work_state = (seed + 1) * 0x9e3779b97f4a7c15ul;
  work[0] = (struct work_node){.used = true, .type = FILETYPE_DIRECTORY, .v = root};
}

/* A node of a type (0: any), never the root of another; 0: there is none. */
static unsigned work_pick(filetype_t type) {
  unsigned found[WORK_NODES], n = 0;
  for (unsigned i = type == FILETYPE_DIRECTORY ? 0 : 1; i < WORK_NODES; i++)
    if (work[i].used && (type == 0 || work[i].type == type))
      found[n++] = i;
  return n > 0 ? found[work_random(n)] : 0;
}

static bool work_has_children(unsigned dir) {
  for (unsigned i = 1; i < WORK_NODES; i++)
    if (work[i].used && work[i].parent == dir)
      return true;
  return false;
}

static bool work_inside(unsigned node, unsigned dir) {
  while (node != dir && node != 0)
    node = work[node].parent;
  return node == dir;
}

static void work_name(char name[256]) {
  unsigned len = work_random(8) == 0 ? 100 + work_random(150) : 3 + work_random(20);
  for (unsigned i = 0; i < len; i++)
    name[i] = (char)('a' + work_random(26));
  name[len] = '\0';
}

static void work_forget(unsigned i) {
  vnode_unref(work[i].v);
  free(work[i].data);
  work[i].used = false;
}

/* 0, or an error that the disk is entitled to, or a directory with links that the model doesn't
 * keep. */
static bool work_went(errno_t e) {
  if (e != 0 && e != ENOSPC && e != EIO && e != EROFS && e != ENOTEMPTY)
    fail_msg("an operation ended with error %u", e);
  return e == 0;
}

static bool work_create(unsigned dir, const char *name, filetype_t type, unsigned *out) {
  unsigned i = 1;
  while (i < WORK_NODES && work[i].used)
    i++;
  if (i == WORK_NODES)
    return false;
  struct vnode *d = work[dir].v, *v;
  if (!work_went(d->ops->create(d, name, strlen(name), type, &v)))
    return false;
  work[i] = (struct work_node){true, type, v, dir, "", calloc(1, WORK_FILE_BYTES), 0};
  strcpy(work[i].name, name);
  *out = i;
  return true;
}

/* Writes random bytes; the model has as many of them as went through. */
static bool work_write(unsigned i, size_t offset, size_t n) {
  struct uio uio;
  filesize_t end;
  for (size_t k = 0; k < n; k++)
    work_buffer[k] = (uint8_t)work_random(256);
  uio_init_kernel(&uio, work_buffer, n);
  errno_t e = work[i].v->ops->pwrite(work[i].v, &uio, offset, false, &end);
  size_t moved = n - uio.resid;
  memcpy(work[i].data + offset, work_buffer, moved);
  if (moved > 0 && offset + moved > work[i].size)
    work[i].size = offset + moved;
  return work_went(e) && moved == n;
}

static void work_truncate(unsigned i, size_t size) {
  struct filestat st = {.st_size = size};
  if (!work_went(work[i].v->ops->set_stat(work[i].v, &st, FILESTAT_SIZE)))
    return;
  if (size < work[i].size)
    memset(work[i].data + size, 0, work[i].size - size);
  work[i].size = size;
}

static void work_allocate(unsigned i, size_t offset, size_t n) {
  struct filestat st;
  struct vnode *v = work[i].v;
  work_went(v->ops->allocate(v, offset, n));
  v->ops->stat(v, &st); /* a part may have gone through */
  if (st.st_size > work[i].size)
    work[i].size = st.st_size;
}

static bool work_unlink(unsigned i) {
  struct vnode *dir = work[work[i].parent].v;
  if (!work_went(dir->ops->unlink(dir, work[i].name, strlen(work[i].name), work[i].v)))
    return false;
  work_forget(i);
  return true;
}

/* `replaced` 0: a name that is free. */
static bool work_rename(unsigned i, unsigned dir, const char *name, unsigned replaced) {
  struct vnode *from = work[work[i].parent].v, *to = work[dir].v;
  if (!work_went(from->ops->rename(from, work[i].name, strlen(work[i].name), work[i].v, to, name,
                                   strlen(name), replaced == 0 ? NULL : work[replaced].v)))
    return false;
  if (replaced != 0)
    work_forget(replaced);
  work[i].parent = dir;
  strcpy(work[i].name, name);
  return true;
}

/* A node that a rename of i to the directory may replace; 0: none. */
static unsigned work_replaceable(unsigned i, unsigned dir) {
  for (unsigned k = 1; k < WORK_NODES; k++)
    if (work[k].used && work[k].parent == dir && k != i && work[k].type == work[i].type &&
        !work_has_children(k))
      return k;
  return 0;
}

static void work_rename_some(void) {
  unsigned i = work_pick(0), dir = work_pick(FILETYPE_DIRECTORY);
  char name[256];
  if (i == 0 || work_inside(dir, i))
    return;
  unsigned replaced = work_random(3) == 0 ? work_replaceable(i, dir) : 0;
  if (replaced != 0)
    strcpy(name, work[replaced].name);
  else
    work_name(name);
  work_rename(i, dir, name, replaced);
}

static void work_symlink_some(void) {
  struct vnode *dir = work[work_pick(FILETYPE_DIRECTORY)].v, *link;
  char name[256], contents[301];
  unsigned len = 1 + work_random(300);
  work_name(name);
  memset(contents, 'x', len);
  if (!work_went(dir->ops->symlink(dir, name, strlen(name), contents, len)))
    return;
  if (!work_went(dir->ops->lookup(dir, name, strlen(name), &link)))
    return;
  if (work_random(2) == 0)
    work_went(dir->ops->unlink(dir, name, strlen(name), link));
  vnode_unref(link);
}

/* The file has what the model says. */
static void work_check_file(struct vnode *v, const struct work_node *expected) {
  static uint8_t bytes[WORK_FILE_BYTES + 1];
  struct uio uio;
  uio_init_kernel(&uio, bytes, sizeof bytes);
  errno_t e = v->ops->pread(v, &uio, 0);
  if (e == EIO)
    return;
  assert_int_equal(e, 0);
  assert_int_equal(sizeof bytes - uio.resid, expected->size);
  assert_memory_equal(bytes, expected->data, expected->size);
}

static size_t work_offset(unsigned i) {
  size_t at = work_random(4) == 0 ? work_random(WORK_FILE_BYTES / 2)
                                  : work_random((unsigned)work[i].size + 1);
  return at < WORK_FILE_BYTES / 2 ? at : WORK_FILE_BYTES / 2;
}

/* One operation, whichever. */
static void work_step(void) {
  unsigned op = work_random(100), file = work_pick(FILETYPE_REGULAR_FILE), made;
  char name[256];
  if (op < 25) {
    work_name(name);
    work_create(work_pick(FILETYPE_DIRECTORY), name,
                work_random(4) == 0 ? FILETYPE_DIRECTORY : FILETYPE_REGULAR_FILE, &made);
  } else if (op < 35) {
    unsigned any = work_pick(0);
    if (any != 0 && !work_has_children(any))
      work_unlink(any);
  } else if (op < 43) {
    work_rename_some();
  } else if (op < 46) {
    work_symlink_some();
  } else if (file == 0) {
    return;
  } else if (op < 80) {
    work_write(file, work_offset(file), 1 + work_random(work_random(3) == 0 ? 60000 : 6000));
  } else if (op < 86) {
    work_truncate(file, work_offset(file));
  } else if (op < 90) {
    work_allocate(file, work_offset(file), 1 + work_random(50000));
  } else if (op < 93) {
    work_went(work[file].v->ops->sync(work[file].v, false));
  } else {
    work_check_file(work[file].v, &work[file]);
  }
}

/* The vnode behind a node's path, from another mount's root; a new reference. */
static inline errno_t work_lookup(struct vnode *root, unsigned node, struct vnode **out) {
  struct vnode *dir;
  if (node == 0) {
    *out = vnode_ref(root);
    return 0;
  }
  errno_t e = work_lookup(root, work[node].parent, &dir);
  if (e != 0)
    return e;
  e = dir->ops->lookup(dir, work[node].name, strlen(work[node].name), out);
  vnode_unref(dir);
  return e;
}

/* Every file of the model is there, under another mount. */
static inline void work_check_all(struct vnode *root) {
  for (unsigned i = 1; i < WORK_NODES; i++) {
    struct vnode *v;
    if (!work[i].used)
      continue;
    assert_int_equal(work_lookup(root, i, &v), 0);
    assert_int_equal(v->type, work[i].type);
    if (v->type == FILETYPE_REGULAR_FILE)
      work_check_file(v, &work[i]);
    vnode_unref(v);
  }
}

#endif
