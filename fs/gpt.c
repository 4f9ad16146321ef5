/*
 * GUID partition tables (UEFI 2.10, 5.3): a header in the second block and one in the last, each
 * with a table of its own, all with checksums. The second copy counts if the first is damaged.
 *
 * Called by partition_scan(). Kernel lock; sleeps.
 */
#include "fs/partition.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/string.h"

struct gpt_header {
  char signature[8];
  uint32_t revision;
  uint32_t header_bytes;
  uint32_t header_crc; /* of header_bytes, with 0 here */
  uint32_t reserved;
  uint64_t my_block;
  uint64_t other_block;
  uint64_t first_usable, last_usable; /* the blocks in which partitions may lie */
  uint8_t disk_guid[16];
  uint64_t table_block;
  uint32_t entries;
  uint32_t entry_bytes;
  uint32_t table_crc;
} __attribute__((packed));

struct gpt_entry {
  uint8_t type[16]; /* zeroes: unused */
  uint8_t guid[16];
  uint64_t first, last; /* blocks, both inclusive */
  uint64_t attributes;
  uint16_t name[36]; /* UTF-16, ends with 0 if there is room */
};

_Static_assert(sizeof(struct gpt_header) == 92, "5.3.2");
_Static_assert(sizeof(struct gpt_entry) == 128, "5.3.3");

#define ENTRIES_MAX 512
#define TABLE_BYTES_MAX (64u << 10)

/* The checksum of Ethernet and zip, four bits at a time. */
static uint32_t crc32(const uint8_t *p, size_t n) {
  static const uint32_t table[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
  };
  uint32_t crc = UINT32_MAX;
  for (; n > 0; n--) {
    crc ^= *p++;
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return ~crc;
}

/* ---- A header and its table ------------------------------------------------------------------ */

static uint64_t blocks_of(const struct blkdev *disk) {
  return disk->size_bytes / disk->block_bytes;
}

/* Reads the header at `at` into block. EINVAL: there is none that is valid. */
static errno_t read_header(struct blkdev *disk, uint64_t at, uint8_t *block) {
  struct gpt_header *h = (struct gpt_header *)block;
  errno_t e = blk_read(disk, at * disk->block_bytes, block, disk->block_bytes);
  if (e != 0)
    return e;
  if (memcmp(h->signature, "EFI PART", 8) != 0 || h->header_bytes < sizeof *h ||
      h->header_bytes > disk->block_bytes || h->my_block != at)
    return EINVAL;
  uint32_t crc = h->header_crc;
  h->header_crc = 0;
  if (crc32(block, h->header_bytes) != crc)
    return EINVAL;
  bool sane = h->entry_bytes >= sizeof(struct gpt_entry) && h->entry_bytes <= BLK_BLOCK_MAX &&
              h->entry_bytes % 8 == 0 && h->entries <= ENTRIES_MAX &&
              h->entries * h->entry_bytes <= TABLE_BYTES_MAX && h->table_block < blocks_of(disk);
  return sane ? 0 : EINVAL;
}

/* The table of a valid header, in a buffer of its own. EINVAL: not the one that it means. */
static errno_t read_table(struct blkdev *disk, const struct gpt_header *h, uint8_t **out) {
  size_t bytes = (size_t)h->entries * h->entry_bytes;
  size_t whole = (bytes + disk->block_bytes - 1) & ~(size_t)(disk->block_bytes - 1);
  uint64_t at = h->table_block * disk->block_bytes;
  if (whole > disk->size_bytes - at)
    return EINVAL;
  uint8_t *table = kmalloc(whole);
  if (table == NULL)
    return ENOMEM;
  errno_t e = blk_read(disk, at, table, whole);
  if (e == 0 && crc32(table, bytes) != h->table_crc)
    e = EINVAL;
  if (e == 0)
    *out = table;
  else
    kfree(table);
  return e;
}

/* ---- Its partitions -------------------------------------------------------------------------- */

/* Adds a code point to a label. Surrogates stand for themselves only in pairs. */
static size_t put_utf8(char *to, uint32_t c) {
  if (c < 0x80) {
    to[0] = (char)c;
    return 1;
  }
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--) {
    to[i] = (char)(0x80 | (c & 0x3f));
    c >>= 6;
  }
  to[0] = (char)(0xf00 >> n | c);
  return n;
}

/* The first code point of a name; *n is how many units it takes. Half a pair is U+FFFD. */
static uint32_t utf16_next(const uint16_t *name, unsigned left, unsigned *n) {
  uint32_t c = name[0];
  *n = 1;
  if (c < 0xd800 || c > 0xdfff)
    return c;
  if (c > 0xdbff || left < 2 || name[1] < 0xdc00 || name[1] > 0xdfff)
    return 0xfffd;
  *n = 2;
  return 0x10000 + ((c & 0x3ff) << 10 | (name[1] & 0x3ffu));
}

static void take_label(struct partition *p, const struct gpt_entry *entry) {
  uint16_t name[36];
  size_t length = 0;
  memcpy(name, entry->name, sizeof name);
  for (unsigned i = 0, n; i < 36 && name[i] != 0; i += n)
    length += put_utf8(p->label + length, utf16_next(name + i, 36 - i, &n));
  p->label[length] = '\0';
}

static errno_t take_partitions(struct blkdev *disk, const struct gpt_header *h,
                               const uint8_t *bytes, struct partition_table *table) {
  static const uint8_t unused[16];
  errno_t e = 0;
  for (uint32_t i = 0; i < h->entries && e == 0; i++) {
    const struct gpt_entry *entry = (const struct gpt_entry *)(bytes + i * h->entry_bytes);
    if (memcmp(entry->type, unused, sizeof unused) == 0)
      continue;
    bool usable = entry->first >= h->first_usable && entry->last <= h->last_usable &&
                  entry->first <= entry->last;
    uint64_t blocks = usable ? entry->last - entry->first + 1 : 0; /* 0 is refused by name */
    struct partition *p = partition_add(table, disk, i + 1, entry->first, blocks, &e);
    if (p != NULL)
      take_label(p, entry);
  }
  return e;
}

static errno_t scan_copy(struct blkdev *disk, struct partition_table *table, uint64_t at,
                         uint8_t *block) {
  uint8_t *bytes;
  errno_t e = read_header(disk, at, block);
  if (e == 0)
    e = read_table(disk, (struct gpt_header *)block, &bytes);
  if (e != 0)
    return e;
  e = take_partitions(disk, (struct gpt_header *)block, bytes, table);
  kfree(bytes);
  return e;
}

errno_t gpt_scan(struct blkdev *disk, struct partition_table *table) {
  uint8_t *block = kmalloc(disk->block_bytes);
  if (block == NULL)
    return ENOMEM;
  errno_t e = EINVAL;
  if (blocks_of(disk) >= 3)
    e = scan_copy(disk, table, 1, block);
  if ((e == EINVAL || e == EIO) && blocks_of(disk) >= 3) {
    e = scan_copy(disk, table, blocks_of(disk) - 1, block);
    if (e == 0 || e == EINVAL)
      log_warn("%s: the first copy of its partition table is damaged%s", disk->name,
               e == 0 ? "; the second is used" : ", and the second too");
  }
  kfree(block);
  return e;
}
