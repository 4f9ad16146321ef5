/*
 * Partition tables: what parts a disk has. GPT (UEFI 2.10, chapter 5) and MBR with extended
 * partitions. The tables come from anyone: whatever they say, partitions lie on the disk, on whole
 * blocks, and do not overlap.
 */
#ifndef FS_PARTITION_H
#define FS_PARTITION_H

#include "kernel/blkdev.h"

#define PARTITIONS_MAX 128      /* of one disk; further ones are not seen */
#define PARTITION_LABEL_MAX 108 /* bytes of UTF-8 */

struct partition {
  struct blkdev dev;
  unsigned number;                     /* as other systems count: from 1; logical ones from 5 */
  char label[PARTITION_LABEL_MAX + 1]; /* GPT; else "" */
};

struct partition_table {
  unsigned count;
  struct partition *partitions[PARTITIONS_MAX]; /* by number, ascending in GPT */
};

/* Reads the table of a disk; the caller owns it. No table: one with no partitions. EINVAL: a GPT of
 * which neither copy is valid (a line in the log); EIO; ENOMEM. Sleeps. */
errno_t partition_scan(struct blkdev *disk, struct partition_table **table);
/* Takes NULL. Nobody uses the partitions any more. */
void partition_table_free(struct partition_table *table);

/* NULL: none. */
struct partition *partition_by_number(const struct partition_table *table, unsigned number);
/* The first of that label; "" finds nothing. */
struct partition *partition_by_label(const struct partition_table *table, const char *label);

/* ---- Between partition.c and gpt.c ----------------------------------------------------------- */

/* Adds one, in bytes; NULL and a line in the log: it does not lie on the disk, or on others. ENOMEM
 * is in *error. */
struct partition *partition_add(struct partition_table *table, struct blkdev *disk, unsigned number,
                                uint64_t first_block, uint64_t blocks, errno_t *error);
errno_t gpt_scan(struct blkdev *disk, struct partition_table *table);

#endif
