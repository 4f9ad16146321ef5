/*
 * Inodes: found in their table, kept in memory while somebody refers to them, written back into
 * their block.
 *
 * One struct einode an inode, so that equal pointers are equal inodes. What the disk says of sizes,
 * links and flags is checked when it is read. The lock, except for einode_touch().
 */
#include "fs/ext4/csum.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/string.h"

#define NS_PER_S 1000000000ull

static struct einode **bucket_of(struct ext4 *fs, uint32_t number) {
  return &fs->inodes[number & (EXT4_INODE_BUCKETS - 1)];
}

/* ---- On the disk ----------------------------------------------------------------------------- */

/* The block of the inode table that holds an inode, and where in it. */
static errno_t inode_buf(struct ext4 *fs, uint32_t number, struct buf **b,
                         struct ext4_inode **disk) {
  uint32_t group = (number - 1) / fs->super.s_inodes_per_group;
  uint32_t index = (number - 1) % fs->super.s_inodes_per_group;
  uint32_t per_block = fs->block_bytes / fs->inode_bytes;
  uint64_t table;
  errno_t e = ext4_group_inode_table(fs, group, &table);
  if (e == 0)
    e = buf_read(&fs->cache, table + index / per_block, BUF_INODES, b);
  if (e == 0)
    *disk = (void *)((*b)->data + index % per_block * fs->inode_bytes);
  return e;
}

static bool csum_ok(const struct ext4 *fs, uint32_t number, const struct ext4_inode *i) {
  if (!fs->csum)
    return true;
  uint32_t crc = csum_inode(fs, number, i);
  if (i->i_checksum_lo != (uint16_t)crc)
    return false;
  return fs->inode_bytes == EXT4_INODE_BYTES_OLD || !csum_inode_has_high(i) ||
         i->i_checksum_hi == crc >> 16;
}

filetype_t einode_type(const struct ext4_inode *i) {
  switch (i->i_mode & EXT4_S_IFMT) {
    case EXT4_S_IFREG:
      return FILETYPE_REGULAR_FILE;
    case EXT4_S_IFDIR:
      return FILETYPE_DIRECTORY;
    case EXT4_S_IFLNK:
      return FILETYPE_SYMBOLIC_LINK;
    case EXT4_S_IFCHR:
      return FILETYPE_CHARACTER_DEVICE;
    case EXT4_S_IFBLK:
      return FILETYPE_BLOCK_DEVICE;
    case EXT4_S_IFIFO:
      return FILETYPE_FIFO;
    case EXT4_S_IFSOCK:
      return FILETYPE_SOCKET_STREAM;
    default:
      return FILETYPE_UNKNOWN;
  }
}

/* What is wrong with an inode that its checksum doesn't tell; NULL: nothing. */
static const char *fault_of(const struct ext4 *fs, const struct einode *ino) {
  const struct ext4_inode *i = &ino->disk;
  if (ino->vnode.type == FILETYPE_UNKNOWN)
    return "an inode of no known type";
  if (fs->inode_bytes > EXT4_INODE_BYTES_OLD &&
      (i->i_extra_isize % 4 != 0 || i->i_extra_isize > fs->inode_bytes - EXT4_INODE_BYTES_OLD))
    return "an inode whose size is wrong";
  if ((i->i_flags & EXT4_INLINE_DATA_FL) != 0)
    return "an inode with inline data, which this file system doesn't have";
  if ((i->i_flags & EXT4_EXTENTS_FL) != 0 &&
      (fs->super.s_feature_incompat & EXT4_INCOMPAT_EXTENTS) == 0)
    return "an inode with extents, which this file system doesn't have";
  if (ino->size_bytes >> fs->block_shift > UINT32_MAX)
    return "a file that is too large";
  if (ino->vnode.type == FILETYPE_DIRECTORY &&
      (ino->size_bytes == 0 || ino->size_bytes % fs->block_bytes != 0))
    return "a directory that is no whole number of blocks";
  if (ino->vnode.type == FILETYPE_DIRECTORY && ino->size_bytes >> fs->block_shift > fs->blocks)
    return "a directory that is larger than the file system";
  return NULL;
}

static errno_t read_disk(struct ext4 *fs, struct einode *ino) {
  struct ext4_inode *disk;
  struct buf *b;
  errno_t e = inode_buf(fs, ino->number, &b, &disk);
  if (e != 0)
    return e;
  uint64_t block = b->block;
  memset(&ino->disk, 0, sizeof ino->disk);
  memcpy(&ino->disk, disk, fs->inode_bytes < sizeof ino->disk ? fs->inode_bytes : sizeof ino->disk);
  bool sound = csum_ok(fs, ino->number, disk);
  buf_put(b);
  if (!sound)
    return ext4_corrupt(fs, ino->number, block, "an inode whose checksum is wrong");
  ino->vnode.type = einode_type(&ino->disk);
  ino->size_bytes = ino->disk.i_size_lo;
  if (ino->vnode.type == FILETYPE_REGULAR_FILE || ino->vnode.type == FILETYPE_DIRECTORY)
    ino->size_bytes |= (uint64_t)ino->disk.i_size_high << 32;
  ino->links = ino->disk.i_links_count;
  const char *fault = fault_of(fs, ino);
  return fault == NULL ? 0 : ext4_corrupt(fs, ino->number, block, fault);
}

errno_t einode_dirty(struct einode *ino) {
  struct ext4 *fs = ino->fs;
  struct ext4_inode *disk;
  struct buf *b;
  errno_t e = inode_buf(fs, ino->number, &b, &disk);
  if (e != 0)
    return e;
  ino->disk.i_size_lo = (uint32_t)ino->size_bytes;
  if (ino->vnode.type == FILETYPE_REGULAR_FILE || ino->vnode.type == FILETYPE_DIRECTORY)
    ino->disk.i_size_high = (uint32_t)(ino->size_bytes >> 32);
  ino->disk.i_links_count = (uint16_t)ino->links;
  /* The rest of a large inode holds attributes that are not ours. */
  memcpy(disk, &ino->disk, fs->inode_bytes < sizeof ino->disk ? fs->inode_bytes : sizeof ino->disk);
  if (fs->csum) {
    uint32_t crc = csum_inode(fs, ino->number, disk);
    disk->i_checksum_lo = ino->disk.i_checksum_lo = (uint16_t)crc;
    if (fs->inode_bytes > EXT4_INODE_BYTES_OLD && csum_inode_has_high(disk))
      disk->i_checksum_hi = ino->disk.i_checksum_hi = (uint16_t)(crc >> 16);
  }
  tx_dirty(fs, b);
  buf_put(b);
  return 0;
}

errno_t einode_clear_disk(struct einode *ino) {
  struct ext4_inode *disk;
  struct buf *b;
  errno_t e = inode_buf(ino->fs, ino->number, &b, &disk);
  if (e != 0)
    return e;
  memset(disk, 0, ino->fs->inode_bytes);
  tx_dirty(ino->fs, b);
  buf_put(b);
  return 0;
}

/* ---- In memory ------------------------------------------------------------------------------- */

static struct einode *find(struct ext4 *fs, uint32_t number) {
  struct einode *ino = *bucket_of(fs, number);
  while (ino != NULL && ino->number != number)
    ino = ino->next;
  return ino;
}

errno_t einode_enter(struct ext4 *fs, uint32_t number, struct einode **out) {
  struct einode *ino = kzalloc(sizeof *ino);
  if (ino == NULL)
    return ENOMEM;
  ino->vnode = (struct vnode){.ops = &ext4_vnode_ops, .refs = 1};
  ino->fs = fs;
  ino->number = number;
  pagecache_init(&ino->pages, &ext4_pagecache_ops);
  list_init(&ino->ordered);
  list_init(&ino->idle);
  mutex_init(&ino->content);
  mutex_init(&ino->writing);
  ino->next = *bucket_of(fs, number);
  *bucket_of(fs, number) = ino;
  *out = ino;
  return 0;
}

void einode_forget(struct einode *ino) {
  struct einode **link = bucket_of(ino->fs, ino->number);
  while (*link != ino)
    link = &(*link)->next;
  *link = ino->next;
  memobj_unref(&ino->pages.obj); /* frees it */
}

errno_t einode_get(struct ext4 *fs, uint32_t number, struct einode **out) {
  struct einode *ino = find(fs, number);
  if (ino != NULL) {
    list_remove(&ino->idle);
    vnode_ref(&ino->vnode);
    *out = ino;
    return 0;
  }
  if (number == 0 || number > fs->super.s_inodes_count)
    return ext4_corrupt(fs, number, 0, "a name of an inode that can't be");
  errno_t e = einode_enter(fs, number, &ino);
  if (e != 0)
    return e;
  e = read_disk(fs, ino);
  if (e != 0) {
    einode_forget(ino);
    return e;
  }
  ino->pages.size_bytes = ino->size_bytes;
  *out = ino;
  return 0;
}

/* ---- Times ----------------------------------------------------------------------------------- */

static bool has_extra(const struct ext4 *fs, const struct ext4_inode *i, size_t end) {
  return fs->inode_bytes > EXT4_INODE_BYTES_OLD && EXT4_INODE_BYTES_OLD + i->i_extra_isize >= end;
}

#define HAS_EXTRA(fs, i, field) \
  has_extra(fs, i, offsetof(struct ext4_inode, field) + sizeof((i)->field))

/* The lower two bits of `extra` are bits 32 and 33 of the seconds, which the lower word has with
 * its sign. Times before 1970 are 1970. */
static timestamp_t time_decode(uint32_t seconds, uint32_t extra) {
  int64_t s = (int32_t)seconds + ((int64_t)(extra & 3) << 32);
  uint32_t ns = extra >> 2;
  return s < 0 ? 0 : (uint64_t)s * NS_PER_S + (ns < NS_PER_S ? ns : 0);
}

/* Later times than it can keep become the last one, as on Linux. NULL: there is no `extra`. */
static void time_encode(timestamp_t t, uint32_t *seconds, uint32_t *extra) {
  const int64_t last = INT32_MAX + (extra != NULL ? 3ll << 32 : 0);
  int64_t s = (int64_t)(t / NS_PER_S);
  uint32_t ns = (uint32_t)(t % NS_PER_S);
  if (s > last) {
    s = last;
    ns = 0;
  }
  *seconds = (uint32_t)s;
  if (extra != NULL)
    *extra = (uint32_t)((s - (int32_t)s) >> 32 & 3) | ns << 2;
}

void einode_times(const struct einode *ino, struct filestat *st) {
  const struct ext4_inode *i = &ino->disk;
  const struct ext4 *fs = ino->fs;
  st->st_atim = time_decode(i->i_atime, HAS_EXTRA(fs, i, i_atime_extra) ? i->i_atime_extra : 0);
  st->st_mtim = time_decode(i->i_mtime, HAS_EXTRA(fs, i, i_mtime_extra) ? i->i_mtime_extra : 0);
  st->st_ctim = time_decode(i->i_ctime, HAS_EXTRA(fs, i, i_ctime_extra) ? i->i_ctime_extra : 0);
}

void einode_set_times(struct einode *ino, const struct filestat *st, fsflags_t flags) {
  struct ext4_inode *i = &ino->disk;
  timestamp_t now = clock_realtime_ns();
  const struct ext4 *fs = ino->fs;
  if ((flags & (FILESTAT_ATIM | FILESTAT_ATIM_NOW)) != 0)
    time_encode((flags & FILESTAT_ATIM_NOW) != 0 ? now : st->st_atim, &i->i_atime,
                HAS_EXTRA(fs, i, i_atime_extra) ? &i->i_atime_extra : NULL);
  if ((flags & (FILESTAT_MTIM | FILESTAT_MTIM_NOW)) != 0)
    time_encode((flags & FILESTAT_MTIM_NOW) != 0 ? now : st->st_mtim, &i->i_mtime,
                HAS_EXTRA(fs, i, i_mtime_extra) ? &i->i_mtime_extra : NULL);
  time_encode(now, &i->i_ctime, HAS_EXTRA(fs, i, i_ctime_extra) ? &i->i_ctime_extra : NULL);
}
