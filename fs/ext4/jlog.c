/*
 * The log's blocks: where they are, and their checksums.
 *
 * Called by the other parts of the journal; the log is theirs alone, so no lock is needed.
 */
#include "fs/ext4/csum.h"
#include "fs/ext4/journal_log.h"
#include "kernel/blkdev.h"
#include "kernel/string.h"

uint64_t log_block(const struct journal *j, uint32_t at) {
  for (size_t i = 0; i < j->run_count; i++) {
    const struct log_run *r = &j->runs[i];
    if (at >= r->at && at - r->at < r->count)
      return r->block + (at - r->at);
  }
  return 0;
}

errno_t log_read(struct ext4 *fs, const struct journal *j, uint32_t at, void *block) {
  uint64_t on_disk = log_block(j, at);
  if (on_disk == 0)
    return EIO;
  return blk_read(fs->dev, on_disk << fs->block_shift, block, fs->block_bytes);
}

errno_t log_write(struct ext4 *fs, const struct journal *j, uint32_t at, const void *block) {
  uint64_t on_disk = log_block(j, at);
  if (on_disk == 0)
    return EIO;
  return blk_write(fs->dev, on_disk << fs->block_shift, block, fs->block_bytes);
}

errno_t log_super_write(struct ext4 *fs, struct journal *j, uint32_t start, uint32_t sequence) {
  j->super->s_start = be32_put(start);
  j->super->s_sequence = be32_put(sequence);
  if (j->csum_version != 0)
    j->super->s_checksum = be32_put(log_super_csum(j->super));
  errno_t e = log_write(fs, j, 0, j->super_block);
  return e == 0 ? blk_flush(fs->dev) : e;
}

/* ---- Forms and checksums --------------------------------------------------------------------- */

size_t log_tag_bytes(const struct journal *j) {
  if (j->csum_version == 3)
    return sizeof(struct jbd2_tag3);
  return j->wide ? sizeof(struct jbd2_tag) : offsetof(struct jbd2_tag, t_blocknr_high);
}

size_t log_tail_bytes(const struct journal *j) {
  return j->csum_version != 0 ? sizeof(struct jbd2_tail) : 0;
}

/* A checksum over `n` bytes with zeroes in place of the four at `hole`. */
static uint32_t csum_with_hole(uint32_t seed, const void *data, size_t n, size_t hole) {
  static const uint32_t none;
  uint32_t crc = crc32c(seed, data, hole);
  crc = crc32c(crc, &none, sizeof none);
  return crc32c(crc, (const uint8_t *)data + hole + sizeof none, n - hole - sizeof none);
}

uint32_t log_super_csum(const struct jbd2_super *s) {
  return csum_with_hole(~0u, s, sizeof *s, offsetof(struct jbd2_super, s_checksum));
}

be32 log_tail_csum(const struct ext4 *fs, const struct journal *j, const uint8_t *block) {
  size_t at = fs->block_bytes - sizeof(struct jbd2_tail);
  return be32_put(csum_with_hole(j->csum_seed, block, fs->block_bytes, at));
}

be32 log_commit_csum(const struct ext4 *fs, const struct journal *j, const uint8_t *block) {
  size_t at = offsetof(struct jbd2_commit, h_chksum);
  return be32_put(csum_with_hole(j->csum_seed, block, fs->block_bytes, at));
}

uint32_t log_data_csum(const struct ext4 *fs, const struct journal *j, uint32_t sequence,
                       const uint8_t *block) {
  be32 number = be32_put(sequence);
  uint32_t crc = crc32c(j->csum_seed, &number, sizeof number);
  return crc32c(crc, block, fs->block_bytes);
}
