/*
 * The log: the journal's blocks on the disk. What journal.c (transactions), jcommit.c (writing) and
 * jrecover.c (reading) share.
 */
#ifndef FS_EXT4_JOURNAL_LOG_H
#define FS_EXT4_JOURNAL_LOG_H

#include "fs/ext4/fs.h"
#include "fs/ext4/jbd2.h"

/* Blocks that lie one after the other, in the journal's file and on the disk. */
struct log_run {
  uint32_t at, count;
  uint64_t block;
};

/* Blocks that a transaction freed: nobody gets them before it is committed. */
struct freed_run {
  struct freed_run *next;
  uint64_t block;
  uint32_t count;
};

/* A set of block numbers that are revoked, for the transaction's revoke blocks. */
struct revoked {
  struct revoked *next;
  uint64_t block;
};

/* What was changed since the last commit. */
struct tx {
  uint32_t id;
  struct list buffers; /* struct buf by `tx` */
  uint32_t buffers_count;
  struct list ordered; /* struct einode by `ordered`, a reference each */
  struct freed_run *freed;
  struct revoked *revoked;
  uint32_t revoked_count;
};

struct journal {
  uint8_t *super_block; /* the journal's first block, whose beginning is */
  struct jbd2_super *super;
  struct einode *file; /* NULL: there is no log */
  struct log_run *runs;
  size_t run_count;
  uint32_t blocks; /* of the log, `first` not counted */
  uint32_t first;
  uint32_t head; /* the next one to write; == first: the log is empty */
  uint32_t csum_seed;
  unsigned csum_version; /* 0, 2, 3 */
  bool wide;             /* block numbers of 64 bits */

  struct tx running;
  uint32_t buffers_max;             /* of the running transaction */
  uint32_t reserved;                /* by the open handle, beyond what it changed */
  bool handle_open, handle_changed; /* there is one; it changed something */
  struct freed_run *committing_freed;
  struct list committed;  /* buffers that are in the log and not at home */
  uint32_t committed_max; /* blocks of the log that may be in use: their buffers stay in memory */
  bool ordering;          /* a frozen transaction's ordered inodes are being written */
  bool busy;              /* somebody commits or checkpoints */
  bool barrier;           /* no new handles: a checkpoint is near */
  struct waitq idle;      /* woken when busy or barrier ends */
};

/* ---- journal.c ------------------------------------------------------------------------------- */

void freed_free(struct freed_run **list);
void revoked_free(struct revoked **list);

/* ---- jlog.c ---------------------------------------------------------------------------------- */

/* The disk's block that holds block `at` of the journal's file; 0: none. */
uint64_t log_block(const struct journal *j, uint32_t at);
/* EIO. */
errno_t log_read(struct ext4 *fs, const struct journal *j, uint32_t at, void *block);
errno_t log_write(struct ext4 *fs, const struct journal *j, uint32_t at, const void *block);
/* Writes the superblock, saying that the log begins at `start` (0: is empty) with transaction
 * `sequence`, past the device's cache. */
errno_t log_super_write(struct ext4 *fs, struct journal *j, uint32_t start, uint32_t sequence);

size_t log_tag_bytes(const struct journal *j);
/* Bytes at the end of descriptor and revoke blocks that belong to the checksum. */
size_t log_tail_bytes(const struct journal *j);
uint32_t log_super_csum(const struct jbd2_super *s);
/* Of a descriptor or revoke block whose tail is at its end, as the tail has to say it. */
be32 log_tail_csum(const struct ext4 *fs, const struct journal *j, const uint8_t *block);
/* Of a commit block. */
be32 log_commit_csum(const struct ext4 *fs, const struct journal *j, const uint8_t *block);
/* Of a data block of transaction `sequence`, as it lies in the log. */
uint32_t log_data_csum(const struct ext4 *fs, const struct journal *j, uint32_t sequence,
                       const uint8_t *block);

/* ---- jrecover.c ------------------------------------------------------------------------------ */

/* Brings everything in the log to its place; afterwards the log is empty and the next transaction's
 * number stands in j->running.id. EIO; EINVAL with `why`. */
errno_t log_recover(struct ext4 *fs, struct journal *j, const char **why);

/* ---- jcommit.c ------------------------------------------------------------------------------- */

/* Blocks of the log that a transaction takes. */
uint32_t log_blocks_needed(const struct ext4 *fs, const struct journal *j, uint32_t buffers,
                           uint32_t revoked);

#endif
