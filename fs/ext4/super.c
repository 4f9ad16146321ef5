/*
 * The superblock: is this ext4, can we serve it, and what do its numbers say.
 *
 * Called at mount, and by whoever finds the file system damaged. Every number that something is
 * computed from is checked here, once.
 */
#include "fs/ext4/super.h"

#include "fs/ext4/csum.h"
#include "kernel/blkdev.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/string.h"

#define SUPER_AREA_BYTES 4096  /* what is read for it: whole blocks of any device */
#define SUPER_SECTOR_BYTES 512 /* what any disk writes whole or not at all, as the power goes */

struct feature {
  uint32_t bit;
  const char *why;
};

/* Those that we don't serve, by name; any other unknown one has none. */
static const struct feature incompat_refused[] = {
    {EXT4_INCOMPAT_COMPRESSION, "it has compressed files"},
    {EXT4_INCOMPAT_JOURNAL_DEV, "it is the journal of another file system"},
    {EXT4_INCOMPAT_META_BG, "it has the feature meta_bg; make it without: mkfs.ext4 -O ^meta_bg"},
    {EXT4_INCOMPAT_MMP, "it has the feature mmp; take it away: tune2fs -O ^mmp"},
    {EXT4_INCOMPAT_EA_INODE, "it has the feature ea_inode; make it without"},
    {EXT4_INCOMPAT_DIRDATA, "it has the feature dirdata; make it without"},
    {EXT4_INCOMPAT_LARGEDIR, "it has the feature large_dir; make it without"},
    {EXT4_INCOMPAT_INLINE_DATA, "it has the feature inline_data; make it without"},
    {EXT4_INCOMPAT_ENCRYPT, "it has the feature encrypt; make it without"},
    {EXT4_INCOMPAT_CASEFOLD, "it has the feature casefold; make it without"},
};
#define INCOMPAT_SERVED                                                                           \
  (EXT4_INCOMPAT_FILETYPE | EXT4_INCOMPAT_RECOVER | EXT4_INCOMPAT_EXTENTS | EXT4_INCOMPAT_64BIT | \
   EXT4_INCOMPAT_FLEX_BG | EXT4_INCOMPAT_CSUM_SEED)

static const struct feature ro_refused[] = {
    {EXT4_RO_QUOTA, "it has the feature quota; take it away: tune2fs -O ^quota"},
    {EXT4_RO_BIGALLOC, "it has the feature bigalloc; make it without"},
    {EXT4_RO_READONLY, "it is marked read-only"},
    {EXT4_RO_PROJECT, "it has the feature project; take it away: tune2fs -O ^project"},
    {EXT4_RO_VERITY, "it has the feature verity; make it without"},
    {EXT4_RO_ORPHAN_PRESENT, "it has an orphan file in use; run e2fsck on it"},
};
#define RO_SERVED                                                                     \
  (EXT4_RO_SPARSE_SUPER | EXT4_RO_LARGE_FILE | EXT4_RO_HUGE_FILE | EXT4_RO_GDT_CSUM | \
   EXT4_RO_DIR_NLINK | EXT4_RO_EXTRA_ISIZE | EXT4_RO_METADATA_CSUM)

/* Why a set of features is not served; NULL: it is. */
static const char *refusal(uint32_t features, uint32_t served, const struct feature *refused,
                           size_t n) {
  for (size_t i = 0; i < n; i++) {
    if ((features & refused[i].bit) != 0)
      return refused[i].why;
  }
  return (features & ~served) != 0 ? "it has features that this system doesn't know" : NULL;
}

#define REFUSAL(features, served, table) \
  refusal(features, served, table, sizeof(table) / sizeof((table)[0]))

bool super_is_ext4(const struct ext4_super *s) {
  return s->s_magic == EXT4_SUPER_MAGIC;
}

static uint64_t join(uint32_t lo, uint32_t hi, bool wide) {
  return lo | (wide ? (uint64_t)hi << 32 : 0);
}

/* The geometry, in fs. False: the numbers contradict each other. */
static bool geometry_ok(struct ext4 *fs, uint64_t device_bytes) {
  const struct ext4_super *s = &fs->super;
  bool wide = (s->s_feature_incompat & EXT4_INCOMPAT_64BIT) != 0;
  if (s->s_log_block_size > 2 || s->s_log_cluster_size != s->s_log_block_size)
    return false;
  fs->block_shift = 10 + s->s_log_block_size;
  fs->block_bytes = 1u << fs->block_shift;
  fs->blocks = join(s->s_blocks_count_lo, s->s_blocks_count_hi, wide);
  fs->free_blocks = join(s->s_free_blocks_count_lo, s->s_free_blocks_count_hi, wide);
  fs->reserved_blocks = join(s->s_r_blocks_count_lo, s->s_r_blocks_count_hi, wide);
  fs->inode_bytes = s->s_rev_level == 0 ? EXT4_INODE_BYTES_OLD : s->s_inode_size;
  fs->group_bytes = wide ? s->s_desc_size : 32;
  uint32_t per_block = fs->block_bytes * 8;
  if (s->s_first_data_block != (fs->block_bytes == EXT4_BLOCK_BYTES_MIN ? 1 : 0) ||
      fs->blocks <= s->s_first_data_block || fs->blocks > device_bytes >> fs->block_shift ||
      fs->free_blocks > fs->blocks || fs->reserved_blocks > fs->blocks)
    return false;
  if (s->s_blocks_per_group == 0 || s->s_blocks_per_group > per_block ||
      s->s_blocks_per_group % 8 != 0 || s->s_inodes_per_group == 0 ||
      s->s_inodes_per_group > per_block || s->s_inodes_per_group % 8 != 0)
    return false;
  if (fs->inode_bytes < EXT4_INODE_BYTES_OLD || fs->inode_bytes > fs->block_bytes ||
      (fs->inode_bytes & (fs->inode_bytes - 1)) != 0 ||
      s->s_inodes_per_group % (fs->block_bytes / fs->inode_bytes) != 0)
    return false;
  if (wide && (fs->group_bytes < 64 || fs->group_bytes > fs->block_bytes ||
               (fs->group_bytes & (fs->group_bytes - 1)) != 0))
    return false;
  uint64_t groups =
      (fs->blocks - s->s_first_data_block + s->s_blocks_per_group - 1) / s->s_blocks_per_group;
  fs->groups = (uint32_t)groups;
  return groups <= UINT32_MAX / s->s_inodes_per_group &&
         s->s_inodes_count == groups * s->s_inodes_per_group;
}

errno_t super_read_raw(struct blkdev *dev, struct ext4_super *s) {
  if (dev->size_bytes < SUPER_AREA_BYTES)
    return EINVAL;
  uint8_t *area = kmalloc(SUPER_AREA_BYTES);
  if (area == NULL)
    return ENOMEM;
  errno_t e = blk_read(dev, 0, area, SUPER_AREA_BYTES);
  memcpy(s, area + EXT4_SUPER_OFFSET, sizeof *s);
  kfree(area);
  return e;
}

errno_t super_read(struct ext4 *fs, const char **why) {
  struct ext4_super *s = &fs->super;
  *why = "it has no ext2, ext3 or ext4 file system; make one: mkfs.ext4";
  errno_t e = super_read_raw(fs->dev, s);
  if (e != 0) {
    *why = e == EIO ? "it can't be read" : *why;
    return e;
  }
  if (!super_is_ext4(s))
    return EINVAL;
  *why = REFUSAL(s->s_feature_incompat, INCOMPAT_SERVED, incompat_refused);
  if (*why != NULL)
    return EINVAL;
  *why = REFUSAL(s->s_feature_ro_compat, RO_SERVED, ro_refused);
  if (*why != NULL && (s->s_feature_ro_compat & EXT4_RO_BIGALLOC) != 0)
    return EINVAL; /* its bitmaps count other things than blocks */
  if (*why != NULL && !fs->read_only)
    return EROFS;
  fs->csum = (s->s_feature_ro_compat & EXT4_RO_METADATA_CSUM) != 0;
  *why = "its blocks are larger than 4096 bytes; make it with: mkfs.ext4 -b 4096";
  if (s->s_log_block_size > 2 && s->s_log_block_size <= 6)
    return EINVAL;
  *why = "its superblock is damaged; run e2fsck on it";
  if (fs->csum && (s->s_checksum_type != 1 || s->s_checksum != csum_super(s)))
    return EINVAL;
  if (!geometry_ok(fs, fs->dev->size_bytes))
    return EINVAL;
  *why = "its blocks are smaller than the disk's";
  if (fs->block_bytes < fs->dev->block_bytes)
    return EINVAL;
  fs->super_crc = crc32c(~0u, s, SUPER_SECTOR_BYTES);
  fs->csum_seed = csum_seed(s);
  fs->group_csum = fs->csum || (s->s_feature_ro_compat & EXT4_RO_GDT_CSUM) != 0;
  return 0;
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* Where the superblock lies in its block. */
static size_t offset_in_block(const struct ext4 *fs) {
  return EXT4_SUPER_OFFSET % fs->block_bytes;
}

/* All that changes lies in the superblock's first sector, and its checksum in the second: a power
 * cut between the two would leave what nobody mounts, and e2fsck doesn't repair unattended. So the
 * checksum stays, and the last four bytes of the first sector are made to fit it. They are the end
 * of the name of a function, which Linux notes with an error and which seldom gets that long. */
static void super_balance(const struct ext4 *fs, struct ext4_super *s) {
  uint8_t *rest = s->s_last_error_func + sizeof s->s_last_error_func - sizeof(uint32_t);
  uint32_t crc = crc32c(~0u, s, SUPER_SECTOR_BYTES - sizeof crc);
  _Static_assert(offsetof(struct ext4_super, s_mount_opts) == SUPER_SECTOR_BYTES, "");
  crc = crc32c_between(crc, fs->super_crc);
  memcpy(rest, &crc, sizeof crc);
}

errno_t ext4_super_dirty(struct ext4 *fs) {
  struct ext4_super *s = &fs->super;
  struct buf *b;
  errno_t e = buf_read(&fs->cache, EXT4_SUPER_OFFSET / fs->block_bytes, BUF_SUPER, &b);
  if (e != 0)
    return e;
  s->s_free_blocks_count_lo = (uint32_t)fs->free_blocks;
  if ((s->s_feature_incompat & EXT4_INCOMPAT_64BIT) != 0)
    s->s_free_blocks_count_hi = (uint32_t)(fs->free_blocks >> 32);
  s->s_wtime = (uint32_t)(clock_realtime_ns() / 1000000000);
  if (fs->csum)
    super_balance(fs, s);
  memcpy(b->data + offset_in_block(fs), s, sizeof *s);
  tx_dirty(fs, b);
  buf_put(b);
  return 0;
}

errno_t super_recover_write(struct ext4 *fs, bool set) {
  struct ext4_super *s = &fs->super;
  struct buf *b;
  errno_t e = buf_read(&fs->cache, EXT4_SUPER_OFFSET / fs->block_bytes, BUF_SUPER, &b);
  if (e != 0)
    return e;
  s->s_feature_incompat &= ~EXT4_INCOMPAT_RECOVER;
  s->s_feature_incompat |= set ? EXT4_INCOMPAT_RECOVER : 0;
  if (fs->csum)
    super_balance(fs, s);
  memcpy(b->data + offset_in_block(fs), s, sizeof *s);
  e = blk_write(fs->dev, b->block << fs->block_shift, b->data, fs->block_bytes);
  buf_put(b);
  return e == 0 ? blk_flush(fs->dev) : e;
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void error_fill(struct ext4_super *s, uint32_t ino, uint64_t block) {
  uint32_t now = (uint32_t)(clock_realtime_ns() / 1000000000);
  if (s->s_error_count++ == 0) {
    s->s_first_error_time = now;
    s->s_first_error_ino = ino;
    s->s_first_error_block = block;
  }
  s->s_last_error_time = now;
  s->s_last_error_ino = ino;
  s->s_last_error_block = block;
  s->s_state |= EXT4_STATE_ERROR;
}

/* Says so on the disk, for the next who mounts it and for e2fsck, at once and past the journal,
 * which takes nothing any more. What fails here was damaged before. */
static void error_record(struct ext4 *fs, uint32_t ino, uint64_t block) {
  const uint64_t at = EXT4_SUPER_OFFSET - offset_in_block(fs);
  uint8_t *data = kmalloc(fs->block_bytes);
  if (data != NULL && blk_read(fs->dev, at, data, fs->block_bytes) == 0) {
    struct ext4_super *s = (void *)(data + offset_in_block(fs));
    error_fill(s, ino, block);
    if (fs->csum)
      super_balance(fs, s);
    if (fs->journal != NULL)
      journal_note_error(fs);
    if (super_is_ext4(s) && blk_write(fs->dev, at, data, fs->block_bytes) == 0)
      blk_flush(fs->dev);
  }
  kfree(data);
}

errno_t ext4_corrupt(struct ext4 *fs, uint32_t ino, uint64_t block, const char *what) {
  if (fs->failed)
    return EIO;
  fs->failed = true;
  fs->super.s_state |= EXT4_STATE_ERROR;
  log_error("ext4 %s: inode %u, block %lu: %s; it is read-only from now on: run e2fsck", fs->name,
            ino, (unsigned long)block, what);
  if (!fs->read_only)
    error_record(fs, ino, block);
  return EIO;
}
