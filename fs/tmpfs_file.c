/*
 * Regular files of tmpfs: bytes in a page cache, which belongs to the node.
 *
 * Called by fs/vfile.c, and by the page cache for its owner's part; kernel lock; nothing sleeps.
 * Times of access and modification are set by calls, and the latter also when a program first
 * writes to a page by a mapping. Reference 2.8 and 3.2.
 */
#include "fs/tmpfs_node.h"

#define SIZE_MAX_BYTES ((filesize_t)INT64_MAX) /* a file's, reference 2.8 */

static struct tmpfs_node *node_of_cache(struct pagecache *pc) {
  return container_of(pc, struct tmpfs_node, file.cache);
}

/* The medium is the machine's memory: what it has none of for a file is no room. */
static errno_t no_room(errno_t e) {
  return e == ENOMEM ? ENOSPC : e;
}

/* ---- Reading and writing --------------------------------------------------------------------- */

static errno_t tmpfs_pread(struct vnode *v, struct uio *uio, filesize_t offset) {
  struct tmpfs_node *n = tmpfs_node_of(v);
  if (uio->resid > 0)
    tmpfs_touch(n, TMPFS_ATIM);
  return pagecache_read(&n->file.cache, uio, offset);
}

/* Up to the largest size that a file can have; the rest of the vector is left alone. */
static errno_t write_at(struct tmpfs_node *n, struct uio *uio, filesize_t offset) {
  if (offset >= SIZE_MAX_BYTES)
    return EFBIG;
  filesize_t room = SIZE_MAX_BYTES - offset;
  size_t rest = uio->resid > room ? uio->resid - room : 0;
  uio->resid -= rest;
  errno_t e = pagecache_write(&n->file.cache, uio, offset);
  uio->resid += rest;
  if (e == 0)
    tmpfs_touch(n, TMPFS_MTIM | TMPFS_CTIM);
  return no_room(e);
}

static errno_t tmpfs_pwrite(struct vnode *v, struct uio *uio, filesize_t offset, bool append,
                            filesize_t *end) {
  struct tmpfs_node *n = tmpfs_node_of(v);
  size_t wanted = uio->resid;
  errno_t e = 0;
  mutex_lock(&n->file.writer);
  if (append && wanted > 0)
    offset = n->file.cache.size_bytes;
  if (wanted > 0)
    e = write_at(n, uio, offset);
  mutex_unlock(&n->file.writer);
  if (e == 0)
    *end = offset + (wanted - uio->resid);
  return e;
}

/* ---- The size -------------------------------------------------------------------------------- */

errno_t tmpfs_resize(struct tmpfs_node *n, filesize_t size) {
  if (size > SIZE_MAX_BYTES)
    return EFBIG;
  mutex_lock(&n->file.writer);
  errno_t e = pagecache_resize(&n->file.cache, size);
  mutex_unlock(&n->file.writer);
  if (e == 0)
    tmpfs_touch(n, TMPFS_MTIM | TMPFS_CTIM);
  return no_room(e);
}

/* Holds the pages, and lets the file reach to `end` at least; all or nothing but for holes. */
static errno_t allocate(struct tmpfs_node *n, filesize_t offset, filesize_t end) {
  struct pagecache *pc = &n->file.cache;
  filesize_t old = pc->size_bytes;
  errno_t e = end > old ? pagecache_resize(pc, end) : 0;
  if (e == 0)
    e = pagecache_allocate(pc, offset, end - offset);
  if (e == 0)
    tmpfs_touch(n, TMPFS_CTIM | (end > old ? TMPFS_MTIM : 0));
  else if (end > old)
    pagecache_resize(pc, old);
  return no_room(e);
}

static errno_t tmpfs_allocate(struct vnode *v, filesize_t offset, filesize_t len) {
  struct tmpfs_node *n = tmpfs_node_of(v);
  if (len > n->fs->limit_bytes)
    return ENOSPC; /* without trying it out on the machine's memory */
  mutex_lock(&n->file.writer);
  errno_t e = allocate(n, offset, offset + len);
  mutex_unlock(&n->file.writer);
  return e;
}

static errno_t tmpfs_memobj(struct vnode *v, struct memobj **obj) {
  *obj = memobj_ref(&tmpfs_node_of(v)->file.cache.obj);
  return 0;
}

const struct vnode_ops tmpfs_file_ops = {
    .release = tmpfs_release,
    .stat = tmpfs_stat,
    .set_stat = tmpfs_set_stat,
    .pread = tmpfs_pread,
    .pwrite = tmpfs_pwrite,
    .allocate = tmpfs_allocate,
    .memobj = tmpfs_memobj,
};

/* ---- The page cache's owner ------------------------------------------------------------------ */

static errno_t charge_page(struct pagecache *pc) {
  return tmpfs_charge(node_of_cache(pc)->fs, PAGE_SIZE);
}

static void uncharge_pages(struct pagecache *pc, size_t n) {
  tmpfs_uncharge(node_of_cache(pc)->fs, n * PAGE_SIZE);
}

static errno_t dirty_page(struct pagecache *pc, uint64_t index) {
  tmpfs_touch(node_of_cache(pc), TMPFS_MTIM | TMPFS_CTIM);
  return 0;
}

static void destroy(struct pagecache *pc) {
  tmpfs_node_free(node_of_cache(pc));
}

const struct pagecache_ops tmpfs_pagecache_ops = {
    .charge = charge_page,
    .uncharge = uncharge_pages,
    .dirty = dirty_page,
    .destroy = destroy,
};
