/*
 * How an inode begins and ends: made with its first name, deleted when the last name and the last
 * user are gone.
 *
 * The last reference may go anywhere, also under the lock, and deleting takes a handle. So an inode
 * that has something left to do is only noted then, and ext4_reap() does it: after each operation
 * on names, and before a commit.
 */
#include "fs/ext4/csum.h"
#include "fs/ext4/file.h"
#include "kernel/clock.h"
#include "kernel/random.h"
#include "kernel/string.h"

#define XATTR_MAGIC 0xea020000u
#define NS_PER_S 1000000000ull

/* ---- The beginning --------------------------------------------------------------------------- */

/* All of it zero on the disk, its attributes included. */
static void fill_new(struct einode *ino, uint16_t mode) {
  struct ext4 *fs = ino->fs;
  uint16_t extra = fs->super.s_want_extra_isize;
  ino->disk = (struct ext4_inode){.i_mode = mode};
  random_bytes(&ino->disk.i_generation, sizeof ino->disk.i_generation);
  if (fs->inode_bytes >= sizeof ino->disk)
    ino->disk.i_extra_isize =
        extra >= 32 && extra <= fs->inode_bytes - EXT4_INODE_BYTES_OLD && extra % 4 == 0 ? extra
                                                                                         : 32;
  bool linked = (mode & EXT4_S_IFMT) == EXT4_S_IFREG || (mode & EXT4_S_IFMT) == EXT4_S_IFDIR;
  if (linked && (fs->super.s_feature_incompat & EXT4_INCOMPAT_EXTENTS) != 0) {
    struct ext4_extent_header *h = (void *)ino->disk.i_block;
    ino->disk.i_flags |= EXT4_EXTENTS_FL;
    *h = (struct ext4_extent_header){.eh_magic = EXT4_EXTENT_MAGIC, .eh_max = 4};
  }
  ino->disk.i_crtime = (uint32_t)(clock_realtime_ns() / NS_PER_S);
  einode_set_times(ino, NULL, FILESTAT_ATIM_NOW | FILESTAT_MTIM_NOW);
}

errno_t einode_create(struct ext4 *fs, struct einode *parent, uint16_t mode, struct einode **out) {
  struct einode *ino;
  uint32_t number;
  errno_t e = ext4_alloc_inode(fs, parent->number, mode, &number);
  if (e != 0)
    return e;
  e = einode_enter(fs, number, &ino);
  if (e == 0) {
    fill_new(ino, mode);
    ino->vnode.type = einode_type(&ino->disk);
    e = einode_clear_disk(ino);
    if (e == 0)
      e = einode_dirty(ino);
    if (e != 0)
      einode_forget(ino);
  }
  if (e != 0) {
    ext4_free_inode(fs, number, (mode & EXT4_S_IFMT) == EXT4_S_IFDIR);
    return e;
  }
  *out = ino;
  return 0;
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Attributes in a block of their own, which several inodes may share; we make none. */
static errno_t release_attributes(struct einode *ino) {
  struct ext4 *fs = ino->fs;
  uint64_t block = ino->disk.i_file_acl_lo | (uint64_t)ino->disk.i_file_acl_high << 32;
  struct buf *b;
  if (block == 0)
    return 0;
  errno_t e = buf_read(&fs->cache, block, BUF_XATTR, &b);
  if (e != 0)
    return e;
  struct ext4_xattr_header *h = (void *)b->data;
  bool last = h->h_refcount <= 1, sound = h->h_magic == XATTR_MAGIC;
  if (sound && !last) {
    h->h_refcount--;
    if (fs->csum)
      h->h_checksum = csum_xattr(fs, block, h);
    tx_dirty(fs, b);
  }
  buf_put(b);
  if (!sound)
    return ext4_corrupt(fs, ino->number, block, "a damaged block of attributes");
  if (last)
    e = ext4_free_blocks(fs, ino->number, block, 1, true);
  ino->disk.i_file_acl_lo = 0;
  ino->disk.i_file_acl_high = 0;
  einode_blocks_add(ino, last ? -1 : 0);
  return e;
}

/* Whether the inode's i_block names blocks. */
static bool has_blocks(const struct einode *ino) {
  switch (ino->vnode.type) {
    case FILETYPE_REGULAR_FILE:
    case FILETYPE_DIRECTORY:
      return true;
    case FILETYPE_SYMBOLIC_LINK:
      return !ext4_symlink_is_fast(ino);
    default:
      return false;
  }
}

/* The lock, no handle. */
static errno_t delete (struct einode *ino) {
  struct ext4 *fs = ino->fs;
  errno_t e = tx_begin(fs, EXT4_MAP_BLOCKS);
  if (e != 0)
    return e;
  if (has_blocks(ino))
    e = ext4_unmap_from(ino, 0);
  if (e == 0)
    e = tx_extend(fs, 24);
  if (e == 0)
    e = release_attributes(ino);
  if (e == 0)
    e = orphan_remove(ino);
  if (e == 0) {
    ino->disk.i_dtime = (uint32_t)(clock_realtime_ns() / NS_PER_S);
    ino->size_bytes = 0;
    e = einode_dirty(ino);
  }
  if (e == 0)
    e = ext4_free_inode(fs, ino->number, ino->vnode.type == FILETYPE_DIRECTORY);
  tx_end(fs, e);
  return e;
}

void ext4_release(struct vnode *v) {
  struct einode *ino = einode_of(v);
  struct ext4 *fs = ino->fs;
  list_remove(&ino->idle);
  if (ino->pages.obj.refs > 1) /* mapped: when that ends, it is released again */
    return;
  bool changes = !fs->read_only && !fs->failed;
  if (changes && (ino->links == 0 || ino->pages.tree.dirty > 0)) {
    list_push_back(&fs->idle, &ino->idle);
    journal_changed(fs);
  } else {
    einode_forget(ino);
  }
}

/* Writes what is left of an inode that nobody refers to, with a reference of its own meanwhile; if
 * somebody finds it before it is deleted, it waits for the next time. False: it still has something
 * to do. */
static bool finish(struct einode *ino) {
  struct ext4 *fs = ino->fs;
  if (ino->links > 0)
    return ext4_file_writeback(ino) == 0 && ino->pages.tree.dirty == 0;
  ext4_pages_cut(ino, 0);
  mutex_lock(&fs->lock);
  if (ino->vnode.refs == 1 && delete (ino) == 0)
    ino->links = EINODE_DELETED;
  mutex_unlock(&fs->lock);
  return ino->links == EINODE_DELETED;
}

bool ext4_reap(struct ext4 *fs) {
  struct list todo;
  list_init(&todo);
  mutex_lock(&fs->reaping);
  bool progress = list_empty(&fs->idle);
  while (!list_empty(&fs->idle))
    list_push_back(&todo, list_pop_front(&fs->idle));
  while (!list_empty(&todo)) {
    struct einode *ino = container_of(list_pop_front(&todo), struct einode, idle);
    vnode_ref(&ino->vnode);
    progress = finish(ino) || progress;
    if (ino->links == EINODE_DELETED)
      einode_forget(ino);
    else
      vnode_unref(&ino->vnode);
  }
  mutex_unlock(&fs->reaping);
  return progress;
}

bool ext4_room_by_commit(struct ext4 *fs) {
  bool committed = false;
  for (unsigned i = 0; i < 2; i++) { /* the first may let go of a file that was deleted */
    ext4_reap(fs);
    if (!tx_holds_blocks(fs))
      break;
    if (journal_commit(fs) != 0)
      return false;
    committed = true;
  }
  return committed;
}
