/*
 * Partition tables: the list of partitions, and the master boot record with its chain of extended
 * ones. gpt.c reads the other kind.
 *
 * Called at boot, by whoever looks for a partition. Kernel lock; sleeps.
 */
#include "fs/partition.h"

#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/string.h"

enum { /* the last bytes of a boot record */
       MBR_ENTRIES = 446,
       MBR_ENTRY_BYTES = 16,
       MBR_SIGNATURE = 510,

       ENTRY_STATUS = 0,
       ENTRY_TYPE = 4,
       ENTRY_START = 8,
       ENTRY_BLOCKS = 12,

       TYPE_EXTENDED = 0x05,
       TYPE_EXTENDED_LBA = 0x0f,
       TYPE_EXTENDED_LINUX = 0x85,
       TYPE_GPT = 0xee,
};

#define FIRST_LOGICAL 5
#define RECORDS_MAX 100 /* of logical partitions */

/* ---- The list -------------------------------------------------------------------------------- */

static bool overlap(const struct blkdev *a, const struct blkdev *b) {
  return a->start_bytes < b->start_bytes + b->size_bytes &&
         b->start_bytes < a->start_bytes + a->size_bytes;
}

/* Why a partition can't be one; NULL: it can. */
static const char *objection(const struct partition_table *table, const struct partition *p) {
  for (unsigned i = 0; i < table->count; i++) {
    if (overlap(&p->dev, &table->partitions[i]->dev))
      return "overlaps another";
  }
  return table->count == PARTITIONS_MAX ? "is one too many" : NULL;
}

struct partition *partition_add(struct partition_table *table, struct blkdev *disk, unsigned number,
                                uint64_t first_block, uint64_t blocks, errno_t *error) {
  struct partition *p = kzalloc(sizeof *p);
  const char *why = "does not lie on the disk";
  uint64_t most = UINT64_MAX / disk->block_bytes;
  if (p == NULL) {
    *error = ENOMEM;
    return NULL;
  }
  if (first_block <= most && blocks <= most &&
      blkdev_part(&p->dev, disk, number, first_block * disk->block_bytes,
                  blocks * disk->block_bytes) == 0)
    why = objection(table, p);
  if (why != NULL) {
    log_warn("%s: partition %u %s, and is ignored", disk->name, number, why);
    kfree(p);
    return NULL;
  }
  p->number = number;
  table->partitions[table->count++] = p;
  return p;
}

void partition_table_free(struct partition_table *table) {
  if (table == NULL)
    return;
  for (unsigned i = 0; i < table->count; i++)
    kfree(table->partitions[i]);
  kfree(table);
}

struct partition *partition_by_number(const struct partition_table *table, unsigned number) {
  for (unsigned i = 0; i < table->count; i++) {
    if (table->partitions[i]->number == number)
      return table->partitions[i];
  }
  return NULL;
}

struct partition *partition_by_label(const struct partition_table *table, const char *label) {
  for (unsigned i = 0; label[0] != '\0' && i < table->count; i++) {
    if (strcmp(table->partitions[i]->label, label) == 0)
      return table->partitions[i];
  }
  return NULL;
}

/* ---- The master boot record ------------------------------------------------------------------ */

static uint32_t get32(const uint8_t *p) {
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

struct mbr_entry {
  uint8_t type; /* 0: unused */
  uint32_t start, blocks;
};

/* False: the block has no table. Boot sectors of file systems end with the same signature; where
 * their code stands, an entry's first byte tells them apart. */
static bool mbr_parse(const uint8_t *block, struct mbr_entry entries[4]) {
  if (block[MBR_SIGNATURE] != 0x55 || block[MBR_SIGNATURE + 1] != 0xaa)
    return false;
  for (unsigned i = 0; i < 4; i++) {
    const uint8_t *e = block + MBR_ENTRIES + i * MBR_ENTRY_BYTES;
    if (e[ENTRY_STATUS] & 0x7f)
      return false;
    entries[i] = (struct mbr_entry){e[ENTRY_TYPE], get32(e + ENTRY_START), get32(e + ENTRY_BLOCKS)};
    if (entries[i].blocks == 0)
      entries[i].type = 0;
  }
  return true;
}

static bool is_extended(const struct mbr_entry *e) {
  return e->type == TYPE_EXTENDED || e->type == TYPE_EXTENDED_LBA || e->type == TYPE_EXTENDED_LINUX;
}

/* Logical partitions: a chain of records inside the extended one, each with one partition, by its
 * distance from the record, and the next record, by its distance from the beginning. A chain that
 * is a ring ends where a partition would overlap itself. */
static errno_t scan_logical(struct blkdev *disk, struct partition_table *table, uint8_t *block,
                            const struct mbr_entry *extended) {
  struct mbr_entry entries[4];
  uint64_t at = extended->start;
  unsigned number = FIRST_LOGICAL;
  errno_t e = 0;
  for (unsigned n = 0; n < RECORDS_MAX && at < disk->size_bytes / disk->block_bytes; n++) {
    e = blk_read(disk, at * disk->block_bytes, block, disk->block_bytes);
    if (e != 0 || !mbr_parse(block, entries))
      break;
    if (entries[0].type != 0 &&
        partition_add(table, disk, number++, at + entries[0].start, entries[0].blocks, &e) == NULL)
      break;
    if (!is_extended(&entries[1]) || entries[1].start >= extended->blocks)
      break;
    at = (uint64_t)extended->start + entries[1].start;
  }
  return e;
}

static errno_t scan_mbr(struct blkdev *disk, struct partition_table *table, uint8_t *block,
                        const struct mbr_entry entries[4]) {
  const struct mbr_entry *extended = NULL;
  errno_t e = 0;
  for (unsigned i = 0; i < 4 && e == 0; i++) {
    if (is_extended(&entries[i]))
      extended = extended == NULL ? &entries[i] : extended;
    else if (entries[i].type != 0)
      partition_add(table, disk, i + 1, entries[i].start, entries[i].blocks, &e);
  }
  return e == 0 && extended != NULL ? scan_logical(disk, table, block, extended) : e;
}

static errno_t scan(struct blkdev *disk, struct partition_table *table, uint8_t *block) {
  struct mbr_entry entries[4];
  if (disk->size_bytes < disk->block_bytes)
    return 0;
  errno_t e = blk_read(disk, 0, block, disk->block_bytes);
  if (e != 0 || !mbr_parse(block, entries))
    return e;
  for (unsigned i = 0; i < 4; i++) {
    if (entries[i].type == TYPE_GPT)
      return gpt_scan(disk, table);
  }
  return scan_mbr(disk, table, block, entries);
}

errno_t partition_scan(struct blkdev *disk, struct partition_table **out) {
  struct partition_table *table = kzalloc(sizeof *table);
  uint8_t *block = kmalloc(disk->block_bytes);
  errno_t e = table != NULL && block != NULL ? scan(disk, table, block) : ENOMEM;
  kfree(block);
  if (e == 0)
    *out = table;
  else
    partition_table_free(table);
  return e;
}
