/*
 * Symbolic links: in the inode itself if they are short, else in a block. The lock.
 */
#include "fs/ext4/fs.h"
#include "kernel/string.h"

/* A fast link has no block; its size alone doesn't tell, as old ones may be short and slow. */
bool ext4_symlink_is_fast(const struct einode *ino) {
  return (ino->disk.i_flags & EXT4_EXTENTS_FL) == 0 && ino->disk.i_blocks_lo == 0 &&
         ino->disk.i_blocks_high == 0;
}

errno_t ext4_symlink_read(struct einode *ino, char *contents) {
  struct ext4 *fs = ino->fs;
  if (ext4_symlink_is_fast(ino)) {
    if (ino->size_bytes >= sizeof ino->disk.i_block)
      return ext4_corrupt(fs, ino->number, 0, "a symbolic link that is too long");
    memcpy(contents, ino->disk.i_block, ino->size_bytes);
    return 0;
  }
  struct ext4_run run;
  struct buf *b;
  if (ino->size_bytes == 0 || ino->size_bytes > fs->block_bytes)
    return ext4_corrupt(fs, ino->number, 0, "a symbolic link of an impossible length");
  errno_t e = ext4_map(ino, 0, 1, &run);
  if (e == 0 && run.block == 0)
    e = ext4_corrupt(fs, ino->number, 0, "a symbolic link without its block");
  if (e == 0)
    e = buf_read(&fs->cache, run.block, BUF_SYMLINK, &b);
  if (e != 0)
    return e;
  memcpy(contents, b->data, ino->size_bytes);
  buf_put(b);
  return 0;
}

errno_t ext4_symlink_write(struct einode *ino, const char *contents, size_t len) {
  struct ext4 *fs = ino->fs;
  struct ext4_run run;
  struct buf *b;
  ino->size_bytes = len;
  if (len < sizeof ino->disk.i_block) {
    memcpy(ino->disk.i_block, contents, len);
    return 0;
  }
  if ((fs->super.s_feature_incompat & EXT4_INCOMPAT_EXTENTS) != 0) {
    ino->disk.i_flags |= EXT4_EXTENTS_FL;
    *(struct ext4_extent_header *)ino->disk.i_block =
        (struct ext4_extent_header){.eh_magic = EXT4_EXTENT_MAGIC, .eh_max = 4};
  }
  errno_t e = ext4_map_create(ino, 0, 1, false, &run);
  if (e == 0)
    e = buf_new(&fs->cache, run.block, BUF_SYMLINK, &b);
  if (e != 0)
    return e;
  memcpy(b->data, contents, len);
  tx_dirty(fs, b);
  buf_put(b);
  return 0;
}
