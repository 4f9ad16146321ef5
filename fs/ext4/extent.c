/*
 * Extent trees, looked at: from a block of the file to where it lies on the disk.
 *
 * The root is in the inode, further nodes are blocks. Every node is checked once, when it is read:
 * magic, depth, checksum, and that its entries are in order and lie inside the file system. So a
 * walk goes down at most EXT4_EXTENT_DEPTH_MAX times, whatever the disk contains. The lock.
 */
#include "fs/ext4/extent.h"

#include "fs/ext4/csum.h"

#define ROOT_ENTRIES ((sizeof(((struct ext4_inode *)0)->i_block) - 12) / 12)

_Static_assert(ROOT_ENTRIES == 4, "what an inode has room for");

/* ---- Entries --------------------------------------------------------------------------------- */

uint64_t extent_start(const struct ext4_extent *x) {
  return x->ee_start_lo | (uint64_t)x->ee_start_hi << 32;
}

bool extent_unwritten(const struct ext4_extent *x) {
  return x->ee_len > EXT4_EXTENT_BLOCKS_MAX;
}

uint32_t extent_len(const struct ext4_extent *x) {
  return extent_unwritten(x) ? x->ee_len - EXT4_EXTENT_BLOCKS_MAX : x->ee_len;
}

uint64_t extent_child(const struct ext4_extent_index *x) {
  return x->ei_leaf_lo | (uint64_t)x->ei_leaf_hi << 32;
}

struct ext4_extent_header *extent_root(struct einode *ino) {
  return (struct ext4_extent_header *)ino->disk.i_block;
}

unsigned extent_block_entries(const struct ext4 *fs) {
  return (fs->block_bytes - (unsigned)sizeof(struct ext4_extent_header)) / 12;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static bool blocks_inside(const struct ext4 *fs, uint64_t block, uint64_t count) {
  return block > fs->super.s_first_data_block && block < fs->blocks && count <= fs->blocks - block;
}

static bool leaf_ok(const struct ext4 *fs, const struct ext4_extent_header *h, uint64_t first) {
  const struct ext4_extent *x = extent_first(h);
  for (unsigned i = 0; i < h->eh_entries; i++) {
    uint64_t len = extent_len(&x[i]);
    if (len == 0 || x[i].ee_block < first || x[i].ee_block + len > 1ull << 32 ||
        !blocks_inside(fs, extent_start(&x[i]), len))
      return false;
    first = x[i].ee_block + len;
  }
  return true;
}

static bool inner_ok(const struct ext4 *fs, const struct ext4_extent_header *h, uint64_t first) {
  const struct ext4_extent_index *x = extent_first_index(h);
  for (unsigned i = 0; i < h->eh_entries; i++) {
    if (x[i].ei_block < first || !blocks_inside(fs, extent_child(&x[i]), 1))
      return false;
    first = x[i].ei_block + 1ull;
  }
  return h->eh_entries > 0;
}

/* A node whose entries begin at file block `first` or later. */
static bool node_ok(const struct ext4 *fs, const struct ext4_extent_header *h, unsigned max,
                    unsigned depth, uint64_t first) {
  if (h->eh_magic != EXT4_EXTENT_MAGIC || h->eh_depth != depth || h->eh_max == 0 ||
      h->eh_max > max || h->eh_entries > h->eh_max)
    return false;
  return depth == 0 ? leaf_ok(fs, h, first) : inner_ok(fs, h, first);
}

errno_t extent_check_root(struct einode *ino) {
  const struct ext4_extent_header *h = extent_root(ino);
  if (h->eh_depth <= EXT4_EXTENT_DEPTH_MAX && node_ok(ino->fs, h, ROOT_ENTRIES, h->eh_depth, 0))
    return 0;
  return ext4_corrupt(ino->fs, ino->number, 0, "a damaged extent tree");
}

static bool node_csum_ok(const struct einode *ino, const struct ext4_extent_header *h) {
  const struct ext4_extent_tail *tail =
      (const void *)((const uint8_t *)h + sizeof *h + h->eh_max * 12);
  uint32_t seed = csum_inode_seed(ino->fs, ino->number, ino->disk.i_generation);
  return !ino->fs->csum || tail->et_checksum == csum_extents(seed, h);
}

errno_t extent_node_read(struct einode *ino, const struct ext4_extent_index *x, unsigned depth,
                         struct buf **b) {
  struct ext4 *fs = ino->fs;
  uint64_t block = extent_child(x);
  if (!blocks_inside(fs, block, 1))
    return ext4_corrupt(fs, ino->number, block, "an extent tree that leads outside");
  errno_t e = buf_read(&fs->cache, block, BUF_EXTENTS, b);
  if (e != 0)
    return e;
  const struct ext4_extent_header *h = extent_node(*b);
  /* The depth is compared every time: a node may be its own descendant. */
  if (h->eh_depth == depth && (*b)->verified)
    return 0;
  if (node_ok(fs, h, extent_block_entries(fs), depth, x->ei_block) && node_csum_ok(ino, h)) {
    (*b)->verified = true;
    return 0;
  }
  buf_put(*b);
  *b = NULL;
  return ext4_corrupt(fs, ino->number, block, "a damaged node of an extent tree");
}

/* ---- Search ---------------------------------------------------------------------------------- */

/* The last entry that begins at `at` or before; -1: none. Entries are 12 bytes and begin with their
 * file block, leaf or not. */
int extent_search(const struct ext4_extent_header *h, uint32_t at) {
  const struct ext4_extent *x = extent_first(h);
  int low = 0, high = h->eh_entries;
  while (low < high) {
    int mid = (low + high) / 2;
    if (x[mid].ee_block <= at)
      low = mid + 1;
    else
      high = mid;
  }
  return low - 1;
}

/* What a leaf says of block `at`; the leaf's part of the file ends before `end`. */
static void leaf_map(struct einode *ino, const struct ext4_extent_header *h, uint32_t at,
                     uint64_t end, uint32_t max, struct ext4_run *run) {
  const struct ext4_extent *x = extent_first(h);
  int i = extent_search(h, at);
  uint64_t offset = i < 0 ? 0 : at - x[i].ee_block;
  *run = (struct ext4_run){0};
  if (i >= 0 && offset < extent_len(&x[i])) {
    run->block = extent_start(&x[i]) + offset;
    run->unwritten = extent_unwritten(&x[i]);
    end = x[i].ee_block + (uint64_t)extent_len(&x[i]);
    ino->known_at = x[i].ee_block;
    ino->known = (struct ext4_run){extent_start(&x[i]), extent_len(&x[i]), run->unwritten};
  } else if (i + 1 < h->eh_entries) {
    end = x[i + 1].ee_block;
  }
  run->count = end - at < max ? (uint32_t)(end - at) : max;
}

errno_t extent_map(struct einode *ino, uint32_t at, uint32_t max, struct ext4_run *run) {
  const struct ext4_extent_header *h = extent_root(ino);
  struct buf *b = NULL;
  uint64_t end = 1ull << 32;
  if (extent_known(ino, at, max, run))
    return 0;
  errno_t e = extent_check_root(ino);
  while (e == 0 && h->eh_depth > 0) {
    const struct ext4_extent_index *x = extent_first_index(h);
    int i = extent_search(h, at);
    if (i < 0) { /* before the first one: a hole */
      end = x[0].ei_block;
      break;
    }
    if (i + 1 < h->eh_entries)
      end = x[i + 1].ei_block;
    struct buf *child;
    e = extent_node_read(ino, &x[i], h->eh_depth - 1u, &child);
    buf_put(b);
    b = e == 0 ? child : NULL;
    h = e == 0 ? extent_node(b) : NULL;
  }
  if (e == 0 && h->eh_depth == 0)
    leaf_map(ino, h, at, end, max, run);
  else if (e == 0)
    *run = (struct ext4_run){.count = end - at < max ? (uint32_t)(end - at) : max};
  buf_put(b);
  return e;
}
