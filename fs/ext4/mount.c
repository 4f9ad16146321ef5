/*
 * Mounting: superblock, journal, orphans, and the state that a disk is left in.
 *
 * Called at boot and at the machine's end; threads only (the boot stack is one). While it is
 * mounted writable with a journal, the feature "recover" says that the journal counts; without a
 * journal the state is not "clean" meanwhile. A clean end takes both back.
 */
#include "fs/ext4/csum.h"
#include "fs/ext4/super.h"
#include "kernel/blkdev.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/printf.h"
#include "kernel/string.h"

static struct ext4 *mounted;

/* Writes the superblock at once, past the journal. */
static errno_t super_write_now(struct ext4 *fs) {
  mutex_lock(&fs->lock);
  errno_t e = tx_begin(fs, 1);
  if (e == 0) {
    e = ext4_super_dirty(fs);
    tx_end(fs, e);
  }
  mutex_unlock(&fs->lock);
  return e == 0 ? journal_checkpoint(fs) : e;
}

/* Says whether the journal counts. */
static errno_t recover_write(struct ext4 *fs, bool set) {
  mutex_lock(&fs->lock);
  errno_t e = ext4_has_journal(fs) ? super_recover_write(fs, set) : 0;
  mutex_unlock(&fs->lock);
  return e;
}

/* Says on the disk that it is in use. */
static errno_t mark_in_use(struct ext4 *fs) {
  struct ext4_super *s = &fs->super;
  errno_t e = recover_write(fs, true);
  if (!ext4_has_journal(fs))
    s->s_state &= (uint16_t)~EXT4_STATE_CLEAN;
  s->s_mnt_count++;
  return e == 0 ? super_write_now(fs) : e;
}

/* Deletes and writes all that there is to do; a commit may leave more of it. EIO: also if something
 * is left that can't be done. */
static errno_t settle(struct ext4 *fs) {
  bool stuck = false;
  errno_t e = 0;
  do {
    stuck = !ext4_reap(fs);
    e = journal_checkpoint(fs);
  } while (e == 0 && !stuck && (!list_empty(&fs->idle) || mutex_locked(&fs->reaping)));
  return e == 0 && stuck ? EIO : e;
}

static errno_t mark_clean(struct ext4 *fs) {
  errno_t e = settle(fs);
  if (e != 0)
    return e;
  fs->super.s_state |= EXT4_STATE_CLEAN;
  e = super_write_now(fs);
  return e == 0 ? recover_write(fs, false) : e;
}

/* What has to happen before anybody looks at the files. */
static errno_t prepare(struct ext4 *fs, const char **why) {
  bool device_writable = !fs->dev->read_only;
  bool dirty = (fs->super.s_feature_incompat & EXT4_INCOMPAT_RECOVER) != 0;
  *why = "its journal has changes, and the disk can't be written";
  if (dirty && !device_writable)
    return EROFS;
  errno_t e = journal_open(fs, device_writable, &fs->journal, why);
  if (e != 0)
    return e;
  if (dirty) { /* the superblock is another one now */
    bcache_drop_clean(&fs->cache);
    e = super_read(fs, why);
  }
  if (e == 0 && journal_has_error(fs->journal) && (fs->super.s_state & EXT4_STATE_ERROR) == 0) {
    fs->super.s_state |= EXT4_STATE_ERROR; /* replaying brought back one that doesn't say so */
    if (device_writable)
      e = recover_write(fs, (fs->super.s_feature_incompat & EXT4_INCOMPAT_RECOVER) != 0);
  }
  if (e == 0 && (fs->super.s_state & EXT4_STATE_ERROR) != 0)
    log_warn("ext4 %s: it was found damaged before; run e2fsck on it", fs->name);
  if (e == 0 && dirty && fs->read_only) /* whoever mounts it next need not replay it */
    e = recover_write(fs, false);
  if (e == 0 && !fs->read_only)
    e = mark_in_use(fs);
  if (e == 0 && !fs->read_only)
    e = orphan_recover(fs);
  if (e != 0)
    *why = e == ENOMEM ? "there is not enough memory" : "it can't be read or written";
  return e;
}

/* What could not be written is given up. */
static void mount_free(struct ext4 *fs) {
  fs->failed = true;
  if (fs->journal != NULL)
    journal_free(fs->journal);
  while (!list_empty(&fs->idle))
    einode_forget(container_of(list_pop_front(&fs->idle), struct einode, idle));
  bcache_destroy(&fs->cache);
  kfree(fs);
}

static errno_t root_get(struct ext4 *fs, struct vnode **root, const char **why) {
  struct einode *ino;
  mutex_lock(&fs->lock);
  errno_t e = einode_get(fs, EXT4_ROOT_INO, &ino);
  mutex_unlock(&fs->lock);
  if (e == 0 && ino->vnode.type != FILETYPE_DIRECTORY) {
    vnode_unref(&ino->vnode);
    e = EIO;
  }
  *why = "its root directory is damaged; run e2fsck on it";
  if (e == 0)
    *root = &ino->vnode;
  return e;
}

static errno_t damaged_block(struct bcache *c, uint64_t block, const char *what) {
  return ext4_corrupt(container_of(c, struct ext4, cache), 0, block, what);
}

errno_t ext4_mount(struct blkdev *dev, bool read_only, struct vnode **root, const char **why) {
  static uint64_t last_device;
  struct ext4 *fs = kzalloc(sizeof *fs);
  *why = "there is not enough memory";
  if (fs == NULL || csum_init() != 0) {
    kfree(fs);
    return ENOMEM;
  }
  fs->dev = dev;
  fs->read_only = read_only;
  fs->device = EXT4_DEVICE_BASE + ++last_device;
  mutex_init(&fs->lock);
  mutex_init(&fs->reaping);
  list_init(&fs->idle);
  ksnprintf(fs->name, sizeof fs->name, "%s", dev->name);
  *why = "the disk can only be read, and the configuration wants to write";
  errno_t e = dev->read_only && !read_only ? EROFS : super_read(fs, why);
  if (e == 0)
    e = bcache_init(&fs->cache, dev, fs->block_bytes, fs->blocks, damaged_block);
  if (e != 0) {
    kfree(fs);
    return e;
  }
  e = prepare(fs, why);
  if (e == 0)
    e = root_get(fs, root, why);
  if (e != 0) {
    mount_free(fs);
    return e;
  }
  fs->next = mounted;
  mounted = fs;
  log_info("ext4 %s: %lu MiB, %lu free%s", fs->name,
           (unsigned long)(fs->blocks << fs->block_shift >> 20),
           (unsigned long)(fs->free_blocks << fs->block_shift >> 20),
           read_only ? ", read-only" : "");
  return 0;
}

errno_t ext4_unmount(struct vnode *root) {
  struct ext4 *fs = einode_of(root)->fs, **link = &mounted;
  vnode_unref(root);
  errno_t e = fs->read_only || fs->failed ? 0 : mark_clean(fs);
  while (*link != fs)
    link = &(*link)->next;
  *link = fs->next;
  mount_free(fs);
  return e;
}

void ext4_sync_all(void) {
  for (struct ext4 *fs = mounted; fs != NULL; fs = fs->next) {
    if (!fs->read_only && !fs->failed && mark_clean(fs) != 0)
      log_error("ext4 %s: not everything could be written", fs->name);
  }
}

void ext4_commit_all(void) {
  for (struct ext4 *fs = mounted; fs != NULL; fs = fs->next) {
    if (fs->read_only || fs->failed)
      continue;
    ext4_reap(fs);
    journal_commit(fs); /* it says so itself if the disk fails */
  }
}

errno_t ext4_probe(struct blkdev *dev, char label[17], uint8_t uuid[16]) {
  struct ext4_super *s = kmalloc(sizeof *s);
  if (s == NULL)
    return ENOMEM;
  errno_t e = super_read_raw(dev, s);
  if (e == 0 && !super_is_ext4(s))
    e = EINVAL;
  if (e == 0) {
    memcpy(label, s->s_volume_name, sizeof s->s_volume_name);
    label[sizeof s->s_volume_name] = '\0';
    memcpy(uuid, s->s_uuid, sizeof s->s_uuid);
  }
  kfree(s);
  return e;
}
