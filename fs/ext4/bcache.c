/*
 * The cache of metadata blocks: a hash table by block number and a list of what may go.
 *
 * Under the file system's lock, which outlasts the disk's answers: nobody else sees a buffer that
 * is being read.
 */
#include "fs/ext4/bcache.h"

#include "kernel/blkdev.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/pagecache.h"
#include "kernel/string.h"

#define BUCKETS 256      /* a power of two */
#define BUFFERS_MAX 1024 /* and a sixteenth of memory */

errno_t bcache_init(struct bcache *c, struct blkdev *dev, uint32_t block_bytes, uint64_t blocks,
                    bcache_damaged *damaged) {
  *c = (struct bcache){.dev = dev,
                       .damaged = damaged,
                       .block_bytes = block_bytes,
                       .blocks = blocks,
                       .bucket_mask = BUCKETS - 1,
                       .max = BUFFERS_MAX};
  if (c->max > page_total() / 16)
    c->max = page_total() / 16;
  list_init(&c->lru);
  c->buckets = kzalloc(BUCKETS * sizeof c->buckets[0]);
  return c->buckets != NULL ? 0 : ENOMEM;
}

static struct buf **bucket_of(struct bcache *c, uint64_t block) {
  return &c->buckets[(block ^ block >> 8) & c->bucket_mask];
}

/* Out of the cache; it is clean and nobody refers to it. */
static void drop(struct bcache *c, struct buf *b) {
  struct buf **link = bucket_of(c, b->block);
  while (*link != b)
    link = &(*link)->next;
  *link = b->next;
  list_remove(&b->lru);
  kfree(b->data);
  kfree(b);
  c->count--;
}

static bool drop_oldest(struct bcache *c) {
  if (list_empty(&c->lru))
    return false;
  drop(c, container_of(c->lru.next, struct buf, lru));
  return true;
}

void bcache_drop_clean(struct bcache *c) {
  while (drop_oldest(c))
    ;
}

void bcache_destroy(struct bcache *c) {
  for (size_t i = 0; i <= c->bucket_mask; i++) {
    while (c->buckets[i] != NULL) {
      struct buf *b = c->buckets[i];
      ASSERT(b->refs == 0);
      c->buckets[i] = b->next;
      kfree(b->data);
      kfree(b);
    }
  }
  kfree(c->buckets);
}

struct buf *buf_find(struct bcache *c, uint64_t block) {
  struct buf *b = *bucket_of(c, block);
  while (b != NULL && b->block != block)
    b = b->next;
  if (b == NULL)
    return NULL;
  b->refs++;
  list_remove(&b->lru);
  return b;
}

static struct buf *alloc(struct bcache *c) {
  struct buf *b = kzalloc(sizeof *b);
  if (b != NULL)
    b->data = kmalloc(c->block_bytes);
  if (b == NULL || b->data != NULL)
    return b;
  kfree(b);
  return NULL;
}

/* A buffer for a block that has none, its contents undefined. */
static errno_t add(struct bcache *c, uint64_t block, enum buf_kind kind, struct buf **out) {
  while (c->count >= c->max && drop_oldest(c))
    ;
  struct buf *b = alloc(c);
  while (b == NULL && drop_oldest(c))
    b = alloc(c);
  if (b == NULL && pagecache_make_room(PAGE_RESERVE))
    b = alloc(c);
  if (b == NULL)
    return ENOMEM;
  b->block = block;
  b->cache = c;
  b->refs = 1;
  b->kind = kind;
  b->state = BUF_CLEAN;
  list_init(&b->lru);
  list_init(&b->tx);
  b->next = *bucket_of(c, block);
  *bucket_of(c, block) = b;
  c->count++;
  *out = b;
  return 0;
}

/* The one in memory, if there is one; of another kind so far, it has to be checked again. EIO: it
 * is in use as such, which is damage. */
static errno_t find_as(struct bcache *c, uint64_t block, enum buf_kind kind, struct buf **out) {
  *out = NULL;
  if (block >= c->blocks)
    return c->damaged(c, block, "a block outside of the file system");
  struct buf *b = buf_find(c, block);
  if (b != NULL && b->kind != kind) {
    if (b->refs > 1) {
      buf_put(b);
      return c->damaged(c, block, "a block that is used in two ways");
    }
    b->kind = kind;
    b->verified = false;
  }
  *out = b;
  return 0;
}

errno_t buf_read(struct bcache *c, uint64_t block, enum buf_kind kind, struct buf **out) {
  struct buf *b;
  errno_t e = find_as(c, block, kind, out);
  if (e != 0 || *out != NULL)
    return e;
  e = add(c, block, kind, &b);
  if (e != 0)
    return e;
  e = blk_read(c->dev, block * c->block_bytes, b->data, c->block_bytes);
  if (e != 0) {
    drop(c, b);
    return e;
  }
  *out = b;
  return 0;
}

errno_t buf_new(struct bcache *c, uint64_t block, enum buf_kind kind, struct buf **out) {
  errno_t e = find_as(c, block, kind, out);
  if (e == 0 && *out == NULL)
    e = add(c, block, kind, out);
  if (e != 0)
    return e;
  memset((*out)->data, 0, c->block_bytes);
  (*out)->verified = true;
  return 0;
}

void buf_put(struct buf *b) {
  if (b == NULL || --b->refs > 0 || b->state != BUF_CLEAN)
    return;
  list_push_back(&b->cache->lru, &b->lru);
}

void buf_clean(struct buf *b) {
  b->state = BUF_CLEAN;
  list_remove(&b->tx);
  if (b->refs == 0)
    list_push_back(&b->cache->lru, &b->lru);
}

void buf_forget(struct bcache *c, uint64_t block) {
  struct buf *b = buf_find(c, block);
  if (b == NULL)
    return;
  b->verified = false;
  if (b->state != BUF_CLEAN)
    buf_clean(b);
  buf_put(b);
  if (b->refs == 0)
    drop(c, b);
}
