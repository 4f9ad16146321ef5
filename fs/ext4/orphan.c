/*
 * Orphans: inodes that a crash must finish, in a list on the disk.
 *
 * An inode without names that is still open, or one that is being made shorter, is in the list that
 * begins at the superblock; each has the next one's number in the place of its time of deletion.
 * After a crash the mount finishes what was begun. The lock; inside a handle, except for
 * orphan_recover().
 */
#include "fs/ext4/file.h"
#include "kernel/log.h"

errno_t orphan_add(struct einode *ino) {
  struct ext4 *fs = ino->fs;
  if (ino->orphan)
    return 0;
  ino->disk.i_dtime = fs->super.s_last_orphan;
  ino->orphan = true;
  fs->super.s_last_orphan = ino->number;
  errno_t e = einode_dirty(ino);
  return e == 0 ? ext4_super_dirty(fs) : e;
}

/* The one before `ino` in the list, referenced; NULL: it is the first. The list has no more
 * elements than there are inodes. */
static errno_t find_previous(struct einode *ino, struct einode **previous) {
  struct ext4 *fs = ino->fs;
  uint32_t at = fs->super.s_last_orphan;
  *previous = NULL;
  for (uint32_t i = 0; at != ino->number; i++) {
    if (at == 0 || i > fs->super.s_inodes_count)
      return ext4_corrupt(fs, ino->number, 0, "a broken list of orphans");
    struct einode *x;
    errno_t e = einode_get(fs, at, &x);
    if (e != 0)
      return e;
    at = x->disk.i_dtime;
    if (at == ino->number)
      *previous = x;
    else
      vnode_unref(&x->vnode);
  }
  return 0;
}

errno_t orphan_remove(struct einode *ino) {
  struct ext4 *fs = ino->fs;
  struct einode *previous;
  if (!ino->orphan)
    return 0;
  errno_t e = find_previous(ino, &previous);
  if (e != 0)
    return e;
  if (previous == NULL) {
    fs->super.s_last_orphan = ino->disk.i_dtime;
    e = ext4_super_dirty(fs);
  } else {
    previous->disk.i_dtime = ino->disk.i_dtime;
    e = einode_dirty(previous);
    vnode_unref(&previous->vnode);
  }
  ino->disk.i_dtime = 0;
  ino->orphan = false;
  return e == 0 ? einode_dirty(ino) : e;
}

/* One orphan: cut at its size, or, without names, deleted when its reference goes. */
static errno_t finish(struct ext4 *fs, uint32_t number) {
  struct einode *ino;
  errno_t e = einode_get(fs, number, &ino);
  if (e != 0)
    return e;
  ino->orphan = true;
  if (ino->links > 0)
    e = ext4_truncate_finish(ino);
  mutex_unlock(&fs->lock);
  vnode_unref(&ino->vnode);
  ext4_reap(fs);
  mutex_lock(&fs->lock);
  return e;
}

errno_t orphan_recover(struct ext4 *fs) {
  errno_t e = 0;
  uint32_t done = 0;
  mutex_lock(&fs->lock);
  while (e == 0 && fs->super.s_last_orphan != 0) {
    uint32_t number = fs->super.s_last_orphan;
    e = finish(fs, number);
    if (e == 0 && fs->super.s_last_orphan == number)
      e = ext4_corrupt(fs, number, 0, "an orphan that can't be finished");
    done++;
  }
  mutex_unlock(&fs->lock);
  if (done > 0)
    log_info("ext4 %s: finished %u deletions and truncations", fs->name, done);
  return e;
}
