/*
 * What the rest of the system calls: vnode operations, each under the file system's lock.
 *
 * The operations on names are namei.c's, those on contents file.c's; here stand what is left, and
 * the table. Reading contents takes no lock: the page cache fills itself.
 */
#include "fs/ext4/file.h"
#include "fs/ext4/namei.h"
#include "kernel/heap.h"
#include "kernel/string.h"

#define BATCH_ENTRIES 32

static errno_t vn_stat(struct vnode *v, struct filestat *st) {
  struct einode *ino = einode_of(v);
  *st = (struct filestat){.st_dev = ino->fs->device,
                          .st_ino = ino->number,
                          .st_filetype = v->type,
                          .st_nlink = ino->links,
                          .st_size = ino->size_bytes};
  einode_times(ino, st);
  return 0;
}

static errno_t vn_pread(struct vnode *v, struct uio *uio, filesize_t offset) {
  return pagecache_read(&einode_of(v)->pages, uio, offset);
}

static errno_t vn_memobj(struct vnode *v, struct memobj **obj) {
  if (v->type != FILETYPE_REGULAR_FILE)
    return ENODEV;
  *obj = memobj_ref(&einode_of(v)->pages.obj);
  return 0;
}

static errno_t vn_readlink(struct vnode *v, struct uio *uio) {
  struct einode *ino = einode_of(v);
  char *contents = kmalloc(ino->fs->block_bytes);
  if (contents == NULL)
    return ENOMEM;
  mutex_lock(&ino->fs->lock);
  errno_t e = ext4_symlink_read(ino, contents);
  mutex_unlock(&ino->fs->lock);
  if (e == 0)
    e = uio_copy_to(uio, contents, ino->size_bytes);
  kfree(contents);
  return e;
}

static errno_t lookup_locked(struct einode *dir, const char *name, size_t len,
                             struct einode **child) {
  uint32_t number;
  errno_t e = ext4_dir_find(dir, name, len, &number);
  if (e == 0)
    e = einode_get(dir->fs, number, child);
  if (e != 0 || (*child)->links > 0)
    return e;
  vnode_unref(&(*child)->vnode);
  return ext4_corrupt(dir->fs, number, 0, "a name of an inode that is not in use");
}

static errno_t vn_lookup(struct vnode *v, const char *name, size_t len, struct vnode **child) {
  struct einode *dir = einode_of(v), *ino;
  mutex_lock(&dir->fs->lock);
  errno_t e = lookup_locked(dir, name, len, &ino);
  mutex_unlock(&dir->fs->lock);
  if (e == 0)
    *child = &ino->vnode;
  return e;
}

static void **vn_endpoint(struct vnode *v) {
  bool has = v->type != FILETYPE_REGULAR_FILE && v->type != FILETYPE_DIRECTORY &&
             v->type != FILETYPE_SYMBOLIC_LINK;
  return has ? &einode_of(v)->endpoint : NULL;
}

/* ---- Reading directories --------------------------------------------------------------------- */

/* Entries that were read under the lock, and are told without it: the program's memory, where they
 * go, may be a file of this very file system. */
struct batch {
  struct dir_sink sink;
  size_t count;
  struct dir_entry entries[BATCH_ENTRIES];
  char names[BATCH_ENTRIES][EXT4_NAME_MAX];
};

static bool batch_put(struct dir_sink *sink, const struct dir_entry *entry) {
  struct batch *b = container_of(sink, struct batch, sink);
  if (b->count == BATCH_ENTRIES)
    return false;
  b->entries[b->count] = *entry;
  b->entries[b->count].name = memcpy(b->names[b->count], entry->name, entry->name_len);
  b->count++;
  return true;
}

static errno_t vn_readdir(struct vnode *v, dircookie_t cookie, struct dir_sink *sink) {
  struct einode *dir = einode_of(v);
  struct batch *b = kmalloc(sizeof *b);
  bool more = true;
  errno_t e = b != NULL ? 0 : ENOMEM;
  while (e == 0 && more) {
    b->sink.put = batch_put;
    b->count = 0;
    mutex_lock(&dir->fs->lock);
    if (dir->links > 0) /* a removed one has not even "." */
      e = ext4_readdir(dir, cookie, &b->sink);
    mutex_unlock(&dir->fs->lock);
    more = b->count > 0;
    for (size_t i = 0; more && i < b->count; i++) {
      more = sink->put(sink, &b->entries[i]);
      cookie = b->entries[i].next;
    }
  }
  kfree(b);
  return e;
}

/* ---- Contents -------------------------------------------------------------------------------- */

static errno_t vn_pwrite(struct vnode *v, struct uio *uio, filesize_t offset, bool append,
                         filesize_t *end) {
  return ext4_file_write(einode_of(v), uio, offset, append, end);
}

static errno_t set_times(struct einode *ino, const struct filestat *st, fsflags_t flags) {
  struct ext4 *fs = ino->fs;
  mutex_lock(&fs->lock);
  errno_t e = tx_begin(fs, 1);
  if (e == 0) {
    einode_set_times(ino, st, flags);
    e = einode_dirty(ino);
    tx_end(fs, e);
  }
  mutex_unlock(&fs->lock);
  return e;
}

static errno_t vn_set_stat(struct vnode *v, const struct filestat *st, fsflags_t flags) {
  if ((flags & FILESTAT_SIZE) != 0)
    return ext4_file_truncate(einode_of(v), st->st_size);
  return set_times(einode_of(v), st, flags);
}

static errno_t vn_sync(struct vnode *v, bool data_only) {
  (void)data_only; /* the journal has both */
  return ext4_file_sync(einode_of(v));
}

static errno_t vn_allocate(struct vnode *v, filesize_t offset, filesize_t len) {
  return ext4_file_allocate(einode_of(v), offset, len);
}

static void vn_advise(struct vnode *v, filesize_t offset, filesize_t len, advice_t advice) {
  if (v->type == FILETYPE_REGULAR_FILE)
    pagecache_advise(&einode_of(v)->pages, offset, len, advice);
}

const struct vnode_ops ext4_vnode_ops = {
    .release = ext4_release,
    .stat = vn_stat,
    .set_stat = vn_set_stat,
    .pread = vn_pread,
    .pwrite = vn_pwrite,
    .sync = vn_sync,
    .allocate = vn_allocate,
    .advise = vn_advise,
    .memobj = vn_memobj,
    .readlink = vn_readlink,
    .endpoint = vn_endpoint,
    .lookup = vn_lookup,
    .readdir = vn_readdir,
    .create = ext4_create,
    .symlink = ext4_symlink,
    .link = ext4_link,
    .rename = ext4_rename,
    .unlink = ext4_unlink,
};
