/*
 * Kernel memory of any size.
 *
 * Sizes up to SMALL_MAX are rounded up to a class; a class takes its blocks from slabs, single
 * pages with a header at the front, which kfree() finds by masking the address. Larger sizes
 * are page blocks: they alone are page aligned, which is how kfree() tells them apart. Class sizes
 * are what the 4064 bytes behind a header divide into without much waste.
 *
 * A slab without a block in use goes back to page.c, except one for each class, so that a class
 * whose use swings across a page's border doesn't fetch and return a page each time.
 *
 * Called from everywhere but interrupt handlers, under the kernel lock; never sleeps. Needs no
 * set-up after page_init().
 */
#include "kernel/heap.h"

#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define UNIT 16u
#define SMALL_MAX 2032u
#define SLAB_MAGIC 0x51ab
#define SLAB_BYTES (PAGE_SIZE - sizeof(struct slab))
#define POISON 0xdb /* DEBUG: what freed blocks are filled with, behind their first word */

struct slab {
  struct slab *next, *prev; /* in its class's list; NULL at the ends */
  void *free; /* blocks, linked by their first word; NULL: the slab is in the full list */
  uint16_t used;
  uint16_t class;
  uint16_t magic;
};
_Static_assert(sizeof(struct slab) == 32, "the class sizes count on it");

struct class {
  struct slab *partial; /* slabs with a free block */
  struct slab *full;
  struct slab *spare; /* the one that last became empty and was kept; it may be in use again */
};

static const uint16_t class_bytes[] = {16,  32,  48,  64,  80,   96,   112,      128,
                                       160, 192, 224, 256, 288,  336,  400,      448,
                                       496, 576, 672, 800, 1008, 1344, SMALL_MAX};
#define CLASSES (sizeof class_bytes / sizeof class_bytes[0])

/* The class of a size in units, rounded up. */
static const uint8_t class_by_units[SMALL_MAX / UNIT + 1] = {
    [0 ... 1] = 0,    [2] = 1,          [3] = 2,           [4] = 3,          [5] = 4,
    [6] = 5,          [7] = 6,          [8] = 7,           [9 ... 10] = 8,   [11 ... 12] = 9,
    [13 ... 14] = 10, [15 ... 16] = 11, [17 ... 18] = 12,  [19 ... 21] = 13, [22 ... 25] = 14,
    [26 ... 28] = 15, [29 ... 31] = 16, [32 ... 36] = 17,  [37 ... 42] = 18, [43 ... 50] = 19,
    [51 ... 63] = 20, [64 ... 84] = 21, [85 ... 127] = 22,
};

static struct class classes[CLASSES];
static size_t used_bytes;

static void slab_link(struct slab **head, struct slab *s) {
  s->prev = NULL;
  s->next = *head;
  if (s->next != NULL)
    s->next->prev = s;
  *head = s;
}

static void slab_unlink(struct slab **head, struct slab *s) {
  if (s->next != NULL)
    s->next->prev = s->prev;
  if (s->prev != NULL)
    s->prev->next = s->next;
  else
    *head = s->next;
}

static bool is_large(const void *p) {
  return ((uintptr_t)p & (PAGE_SIZE - 1)) == 0;
}

static struct slab *slab_of(const void *p) {
  struct slab *s = (struct slab *)((uintptr_t)p & ~(PAGE_SIZE - 1));
  ASSERT(s->magic == SLAB_MAGIC);
  return s;
}

#ifdef DEBUG
static void block_poison(struct slab *s, void *p) {
  size_t size = class_bytes[s->class];
  size_t at = (uintptr_t)p - (uintptr_t)(s + 1);
  ASSERT(at % size == 0);
  for (void *f = s->free; f != NULL; f = *(void **)f)
    ASSERT(f != p); /* freed twice */
  memset((char *)p + sizeof(void *), POISON, size - sizeof(void *));
}

static void block_check_poison(const struct slab *s, const void *p) {
  const uint8_t *bytes = p;
  for (size_t i = sizeof(void *); i < class_bytes[s->class]; i++)
    ASSERT(bytes[i] == POISON); /* written to after it was freed */
}
#else
static inline void block_poison(struct slab *s, void *p) {
  (void)s;
  (void)p;
}

static inline void block_check_poison(const struct slab *s, const void *p) {
  (void)s;
  (void)p;
}
#endif

static __attribute__((noinline)) struct slab *slab_create(unsigned class) {
  struct slab *s = page_alloc(0);
  if (s == NULL)
    return NULL;
  *s = (struct slab){.class = (uint16_t) class, .magic = SLAB_MAGIC};
  size_t size = class_bytes[class];
  for (char *p = (char *)(s + 1) + SLAB_BYTES / size * size; p != (char *)(s + 1);) {
    p -= size;
    block_poison(s, p);
    *(void **)p = s->free;
    s->free = p;
  }
  slab_link(&classes[class].partial, s);
  return s;
}

static void *large_alloc(size_t size) {
  if (size > PAGE_SIZE << PAGE_ORDER_MAX)
    return NULL;
  unsigned order = 0;
  while (PAGE_SIZE << order < size)
    order++;
  void *p = page_alloc(order);
  if (p != NULL)
    used_bytes += PAGE_SIZE << order;
  return p;
}

void *kmalloc(size_t size) {
  if (size > SMALL_MAX)
    return large_alloc(size);
  unsigned class = class_by_units[(size + UNIT - 1) / UNIT];
  struct class *c = &classes[class];
  struct slab *s = c->partial;
  if (s == NULL && (s = slab_create(class)) == NULL)
    return NULL;
  void *p = s->free;
  block_check_poison(s, p);
  s->free = *(void **)p;
  s->used++;
  used_bytes += class_bytes[class];
  if (s->free == NULL) {
    slab_unlink(&c->partial, s);
    slab_link(&c->full, s);
  }
  return p;
}

void *kzalloc(size_t size) {
  void *p = kmalloc(size);
  if (p != NULL)
    memset(p, 0, size);
  return p;
}

/* The last block of a slab came back: keeps the slab if its class has no empty one yet. */
static void slab_empty(struct class *c, struct slab *s) {
  if (c->spare != NULL && c->spare != s && c->spare->used == 0) {
    slab_unlink(&c->partial, s);
    s->magic = 0;
    page_free(s, 0);
    return;
  }
  c->spare = s;
  struct slab *other = s->next;
  if (c->partial == s && other != NULL) { /* those in use are to fill up first */
    slab_unlink(&c->partial, s);
    slab_link(&other->next, s);
    s->prev = other;
  }
}

void kfree(void *p) {
  if (p == NULL)
    return;
  if (is_large(p)) {
    unsigned order = page_order(p);
    used_bytes -= PAGE_SIZE << order;
    page_free(p, order);
    return;
  }
  struct slab *s = slab_of(p);
  struct class *c = &classes[s->class];
  ASSERT(s->used > 0);
  block_poison(s, p);
  if (s->free == NULL) {
    slab_unlink(&c->full, s);
    slab_link(&c->partial, s);
  }
  *(void **)p = s->free;
  s->free = p;
  used_bytes -= class_bytes[s->class];
  if (--s->used == 0)
    slab_empty(c, s);
}

static __attribute__((noinline)) size_t large_bytes(const void *p) {
  return PAGE_SIZE << page_order(p);
}

size_t kmalloc_size(const void *p) {
  return is_large(p) ? large_bytes(p) : class_bytes[slab_of(p)->class];
}

size_t heap_used_bytes(void) {
  return used_bytes;
}

static size_t slab_check(const struct slab *s, unsigned class) {
  size_t size = class_bytes[class], free = 0;
  ASSERT(s->magic == SLAB_MAGIC && s->class == class);
  ASSERT(s->next == NULL || s->next->prev == s);
  for (const void *f = s->free; f != NULL; f = *(void *const *)f) {
    size_t at = (uintptr_t)f - (uintptr_t)(s + 1);
    ASSERT(at < SLAB_BYTES && at % size == 0);
    block_check_poison(s, f);
    free++;
  }
  ASSERT(s->used + free == SLAB_BYTES / size);
  return s->used * size;
}

void heap_check(void) {
  size_t small = 0;
  for (unsigned i = 0; i < CLASSES; i++) {
    unsigned empty = 0;
    for (const struct slab *s = classes[i].partial; s != NULL; s = s->next) {
      ASSERT(s->free != NULL);
      small += slab_check(s, i);
      empty += s->used == 0;
    }
    for (const struct slab *s = classes[i].full; s != NULL; s = s->next) {
      ASSERT(s->free == NULL);
      small += slab_check(s, i);
    }
    ASSERT(empty <= 1);
  }
  ASSERT(small <= used_bytes); /* the rest is large blocks */
}
