/*
 * Physical pages: a binary buddy allocator.
 *
 * Each range of RAM is a zone. A page has a four-byte record; a record counts only while its page
 * is the first of a block, so nothing has to be initialised in advance: a record is written
 * when its block comes into being (at start, by a split) and cleared when the block is merged
 * into the one before it. The aligned 4 MiB blocks in the middle of a zone are not even listed:
 * they lie between `fresh` and `fresh_end` until somebody needs one.
 *
 * Why a buddy's record is always valid: a block below the highest order either came from a
 * split, which wrote both halves' first records, or it stands at a zone's edge, where the blocks
 * are cut in ascending addresses, so that its buddy begins with the next block or outside the zone.
 *
 * Free blocks hold their list links in themselves. Called from everywhere but interrupt handlers,
 * under the kernel lock; never sleeps.
 */
#include "kernel/page.h"

#include "boot/bootinfo.h"
#include "kernel/list.h"
#include "kernel/log.h"
#include "kernel/string.h"

enum { BLOCK_NONE, BLOCK_FREE, BLOCK_USED };

struct page {
  uint32_t refs : 24;
  uint32_t order : 4;
  uint32_t cached : 1; /* a memory object's own */
  uint32_t state : 3;
};

struct zone {
  struct page *records;
  uint64_t base_pfn;
  uint32_t pages;
  uint32_t fresh, fresh_end; /* page indices: whole blocks of the highest order, never touched */
};

static struct zone zones[BOOT_RANGES_MAX]; /* the largest first */
static unsigned zone_count;
static struct list free_lists[PAGE_ORDER_MAX + 1];
static uint32_t free_orders; /* bit n: free_lists[n] is not empty */
static size_t pages_total, pages_free;

static void *zone_va(const struct zone *z, uint32_t index) {
  return pa_to_va((z->base_pfn + index) << PAGE_SHIFT);
}

/* The zone of a page, and its index there; NULL: none. */
static struct zone *zone_find(const void *page, uint32_t *index) {
  uint64_t pfn = va_to_pa(page) >> PAGE_SHIFT;
  for (unsigned i = 0; i < zone_count; i++) {
    uint64_t n = pfn - zones[i].base_pfn;
    if (n < zones[i].pages) {
      *index = (uint32_t)n;
      return &zones[i];
    }
  }
  return NULL;
}

static struct page *record_of(const void *page) {
  uint32_t index;
  struct zone *z = zone_find(page, &index);
  ASSERT(z != NULL && ((uintptr_t)page & (PAGE_SIZE - 1)) == 0);
  return &z->records[index];
}

static void block_list(struct zone *z, uint32_t index, unsigned order) {
  z->records[index] = (struct page){.state = BLOCK_FREE, .order = order};
  list_push_front(&free_lists[order], zone_va(z, index));
  free_orders |= 1u << order;
}

static void block_unlist(struct list *link, unsigned order) {
  list_remove(link);
  if (list_empty(&free_lists[order]))
    free_orders &= ~(1u << order);
}

/* Cuts the run [index, end) into aligned blocks, ascending, and lists them. */
static void zone_list_run(struct zone *z, uint32_t index, uint32_t end) {
  while (index < end) {
    unsigned order = 0;
    while (order < PAGE_ORDER_MAX && ((z->base_pfn + index) >> order & 1) == 0 &&
           index + (2ul << order) <= end)
      order++;
    block_list(z, index, order);
    index += 1u << order;
  }
}

static void zone_init(struct zone *z) {
  const uint64_t whole = 1ul << PAGE_ORDER_MAX;
  uint64_t first = (z->base_pfn + whole - 1) & ~(whole - 1);
  uint64_t last = (z->base_pfn + z->pages) & ~(whole - 1);
  if (first >= last) {
    zone_list_run(z, 0, z->pages);
  } else {
    z->fresh = (uint32_t)(first - z->base_pfn);
    z->fresh_end = (uint32_t)(last - z->base_pfn);
    zone_list_run(z, 0, z->fresh);
    zone_list_run(z, z->fresh_end, z->pages);
  }
  pages_total += z->pages;
}

static void zone_add(uint64_t base_pfn, uint64_t pages) {
  if (pages > UINT32_MAX)
    pages = UINT32_MAX;
  unsigned i = zone_count++;
  for (; i > 0 && zones[i - 1].pages < pages; i--)
    zones[i] = zones[i - 1];
  zones[i] = (struct zone){.base_pfn = base_pfn, .pages = (uint32_t)pages};
}

void page_init(const struct bootinfo *boot) {
  for (unsigned o = 0; o <= PAGE_ORDER_MAX; o++)
    list_init(&free_lists[o]);
  free_orders = 0;
  zone_count = 0;
  pages_total = pages_free = 0;
  uint64_t records = 0;
  for (size_t i = 0; i < boot->ram_count; i++) {
    zone_add(boot->ram[i].start_pa >> PAGE_SHIFT, boot->ram[i].size_bytes >> PAGE_SHIFT);
    records += boot->ram[i].size_bytes >> PAGE_SHIFT;
  }
  if (zone_count == 0)
    boot_fail("the loader tells of no memory");

  /* All records stand at the end of the largest zone, which itself needs none for those pages. */
  struct zone *largest = &zones[0];
  uint64_t taken = (records * sizeof(struct page) + PAGE_SIZE - 1) >> PAGE_SHIFT;
  if (taken >= largest->pages)
    boot_fail("too little memory: %u KiB", (unsigned)(records * (PAGE_SIZE / 1024)));
  largest->pages -= (uint32_t)taken;
  struct page *next = zone_va(largest, largest->pages);
  for (unsigned i = 0; i < zone_count; i++) {
    zones[i].records = next;
    next += zones[i].pages;
    zone_init(&zones[i]);
  }
  pages_free = pages_total;
}

/* A block of exactly `order` out of a larger one; the upper halves are listed. */
static void *block_take(struct zone *z, uint32_t index, unsigned have, unsigned order) {
  while (have > order) {
    have--;
    block_list(z, index + (1u << have), have);
  }
  z->records[index] = (struct page){.refs = 1, .state = BLOCK_USED, .order = order};
  pages_free -= 1ul << order;
  return zone_va(z, index);
}

static void *fresh_take(unsigned order) {
  for (unsigned i = 0; i < zone_count; i++) {
    struct zone *z = &zones[i];
    if (z->fresh < z->fresh_end) {
      uint32_t index = z->fresh;
      z->fresh += 1u << PAGE_ORDER_MAX;
      return block_take(z, index, PAGE_ORDER_MAX, order);
    }
  }
  return NULL;
}

void *page_alloc(unsigned order) {
  if (order > PAGE_ORDER_MAX)
    return NULL;
  uint32_t fitting = free_orders & (UINT32_MAX << order);
  if (fitting == 0)
    return fresh_take(order);
  unsigned have = (unsigned)__builtin_ctz(fitting);
  struct list *link = free_lists[have].next;
  block_unlist(link, have);
  uint32_t index;
  struct zone *z = zone_find(link, &index);
  ASSERT(z != NULL && z->records[index].state == BLOCK_FREE && z->records[index].order == have);
  return block_take(z, index, have, order);
}

void *page_alloc_zero(unsigned order) {
  void *page = page_alloc(order);
  if (page != NULL)
    memset(page, 0, PAGE_SIZE << order);
  return page;
}

void *page_alloc_split(unsigned order) {
  void *block = page_alloc(order);
  struct page *r = block != NULL ? record_of(block) : NULL;
  for (unsigned i = 0; r != NULL && i < 1u << order; i++)
    r[i] = (struct page){.refs = 1, .state = BLOCK_USED, .order = 0};
  return block;
}

bool page_split_unshared(const void *block, unsigned order) {
  const struct page *r = record_of(block);
  for (unsigned i = 0; i < 1u << order; i++) {
    ASSERT(r[i].state == BLOCK_USED && r[i].order == 0);
    if (r[i].refs != 1)
      return false;
  }
  return true;
}

void page_free_split(void *block, unsigned order) {
  struct page *r = record_of(block);
  ASSERT(page_split_unshared(block, order));
  for (unsigned i = 1; i < 1u << order; i++)
    r[i].state = BLOCK_NONE;
  r->order = order & 15;
  page_free(block, order);
}

/* Merges with free buddies as far as it goes, then lists the result. */
static void block_give(struct zone *z, uint32_t index, unsigned order) {
  pages_free += 1ul << order;
  while (order < PAGE_ORDER_MAX) {
    uint64_t buddy_pfn = (z->base_pfn + index) ^ (1ul << order);
    uint64_t buddy = buddy_pfn - z->base_pfn;
    if (buddy >= z->pages || buddy + (1ul << order) > z->pages)
      break;
    struct page *r = &z->records[buddy];
    if (r->state != BLOCK_FREE || r->order != order)
      break;
    block_unlist(zone_va(z, (uint32_t)buddy), order);
    uint32_t upper = buddy > index ? (uint32_t)buddy : index;
    z->records[upper].state = BLOCK_NONE;
    if (buddy < index)
      index = (uint32_t)buddy;
    order++;
  }
  block_list(z, index, order);
}

void page_free(void *page, unsigned order) {
  uint32_t index;
  struct zone *z = zone_find(page, &index);
  ASSERT(z != NULL && ((uintptr_t)page & (PAGE_SIZE - 1)) == 0);
  const struct page *r = &z->records[index];
  ASSERT(r->state == BLOCK_USED && r->order == order && r->refs == 1);
  block_give(z, index, order);
}

unsigned page_order(const void *page) {
  const struct page *r = record_of(page);
  ASSERT(r->state == BLOCK_USED);
  return r->order;
}

bool page_ref(void *page) {
  struct page *r = record_of(page);
  ASSERT(r->state == BLOCK_USED && r->order == 0);
  if (r->refs == PAGE_REFS_MAX)
    return false;
  r->refs++;
  return true;
}

void page_unref(void *page) {
  struct page *r = record_of(page);
  ASSERT(r->state == BLOCK_USED && r->order == 0 && r->refs > 0);
  if (r->refs == 1)
    page_free(page, 0);
  else
    r->refs--;
}

uint32_t page_refs(const void *page) {
  const struct page *r = record_of(page);
  ASSERT(r->state == BLOCK_USED);
  return r->refs;
}

void page_set_cached(void *page) {
  struct page *r = record_of(page);
  ASSERT(r->state == BLOCK_USED && r->order == 0);
  r->cached = true;
}

bool page_cached(const void *page) {
  const struct page *r = record_of(page);
  ASSERT(r->state == BLOCK_USED);
  return r->cached;
}

bool page_managed(const void *page) {
  uint32_t index;
  return zone_find(page, &index) != NULL;
}

size_t page_total(void) {
  return pages_total;
}

size_t page_free_count(void) {
  return pages_free;
}

void page_check(void) {
  size_t found = 0;
  for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++) {
    ASSERT(list_empty(&free_lists[order]) == ((free_orders >> order & 1) == 0));
    list_for_each(it, &free_lists[order]) {
      ASSERT(it->next->prev == it && it->prev->next == it);
      uint32_t index;
      struct zone *z = zone_find(it, &index);
      ASSERT(z != NULL && ((z->base_pfn + index) & ((1ul << order) - 1)) == 0);
      ASSERT(z->records[index].state == BLOCK_FREE && z->records[index].order == order);
      ASSERT(index + (1ul << order) <= z->pages);
      found += 1ul << order;
    }
  }
  for (unsigned i = 0; i < zone_count; i++)
    found += zones[i].fresh_end - zones[i].fresh;
  ASSERT(found == pages_free);
}
