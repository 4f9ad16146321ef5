/*
 * Page caches: a radix tree of pages, and the bytes of a file in them.
 *
 * A tree of height 0 is the page of index 0 itself, so that a small file costs no node. Nodes
 * without anything below are freed when the file shrinks. The lowest bit of a page's slot says that
 * it is dirty; nodes count the dirty ones below them, so that these are found without a walk over
 * all.
 *
 * Called by file systems for read and write, and by aspace_fault.c through the memory object;
 * kernel lock; sleeps where the owner's operations do. Reference sections 2.8 and 6.
 */
#include "kernel/pagecache.h"

#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define NODE_SHIFT 6
#define NODE_SLOTS (1u << NODE_SHIFT)

#define DIRTY 1ul /* in a page's slot */

struct node {
  void *slots[NODE_SLOTS]; /* nodes, or pages below a node of height 1 */
  unsigned used;
  unsigned dirty; /* pages below it */
};

/* ---- The tree ---------------------------------------------------------------------------------
 */

static unsigned slot_of(uint64_t index, unsigned height) {
  return (unsigned)(index >> (NODE_SHIFT * (height - 1))) & (NODE_SLOTS - 1);
}

static bool covers(const struct pagecache *pc, uint64_t index) {
  return index >> (NODE_SHIFT * pc->height) == 0; /* 52 bits: never higher than 9 */
}

static void *page_of(void *slot) {
  return (void *)((uintptr_t)slot & ~DIRTY);
}

static void *lookup(const struct pagecache *pc, uint64_t index) {
  void *at = covers(pc, index) ? pc->root : NULL;
  for (unsigned h = pc->height; h > 0 && at != NULL; h--)
    at = ((struct node *)at)->slots[slot_of(index, h)];
  return page_of(at);
}

/* Marks a page that is held as dirty, or as clean. */
static void mark(struct pagecache *pc, uint64_t index, bool dirty) {
  void **slot = &pc->root;
  if (lookup(pc, index) == NULL)
    return;
  for (unsigned h = pc->height; h > 0; h--)
    slot = &((struct node *)*slot)->slots[slot_of(index, h)];
  if (((uintptr_t)*slot & DIRTY) == (dirty ? DIRTY : 0))
    return;
  *slot = (void *)((uintptr_t)*slot ^ DIRTY);
  pc->dirty += dirty ? 1 : SIZE_MAX;
  struct node *n = pc->height > 0 ? pc->root : NULL;
  for (unsigned h = pc->height; h > 0; h--) {
    n->dirty += dirty ? 1 : UINT32_MAX;
    n = n->slots[slot_of(index, h)];
  }
}

/* The first dirty page from *index on in what is at `at`, counted from its own first page. */
static bool find_dirty(void *at, unsigned height, uint64_t *index) {
  if (height == 0)
    return ((uintptr_t)at & DIRTY) != 0;
  struct node *n = at;
  unsigned shift = NODE_SHIFT * (height - 1);
  uint64_t below = *index & ((1ull << shift) - 1);
  for (unsigned i = slot_of(*index, height); n->dirty > 0 && i < NODE_SLOTS; i++, below = 0) {
    if (n->slots[i] == NULL || !find_dirty(n->slots[i], height - 1, &below))
      continue;
    *index = ((uint64_t)i << shift) + below;
    return true;
  }
  return false;
}

static errno_t grow(struct pagecache *pc, uint64_t index) {
  for (; !covers(pc, index); pc->height++) {
    if (pc->root == NULL)
      continue;
    struct node *top = kzalloc(sizeof *top);
    if (top == NULL)
      return ENOMEM;
    top->slots[0] = pc->root;
    top->used = 1;
    top->dirty = (unsigned)pc->dirty;
    pc->root = top;
  }
  return 0;
}

/* Nodes made before an ENOMEM stay, for the next try or the next prune(). */
static errno_t insert(struct pagecache *pc, uint64_t index, void *page) {
  errno_t e = grow(pc, index);
  struct node *parent = NULL;
  void **slot = &pc->root;
  for (unsigned h = pc->height; e == 0 && h > 0; h--) {
    if (*slot == NULL) {
      *slot = kzalloc(sizeof *parent);
      if (*slot == NULL)
        return ENOMEM;
      if (parent != NULL)
        parent->used++;
    }
    parent = *slot;
    slot = &parent->slots[slot_of(index, h)];
  }
  if (e != 0)
    return e;
  ASSERT(*slot == NULL);
  *slot = page;
  if (parent != NULL)
    parent->used++;
  pc->pages++;
  return 0;
}

/* Frees the pages [first, last] of what is at `at`, counted from its own first page. True: nothing
 * is left of it, and it is freed too. */
static bool prune(struct pagecache *pc, void *at, unsigned height, uint64_t first, uint64_t last) {
  if (height == 0) {
    if (((uintptr_t)at & DIRTY) != 0)
      pc->dirty--;
    page_unref(page_of(at));
    pc->pages--;
    return true;
  }
  struct node *n = at;
  const size_t dirty = pc->dirty;
  const unsigned shift = NODE_SHIFT * (height - 1);
  const uint64_t mask = (1ull << shift) - 1;
  for (uint64_t i = first >> shift; i <= last >> shift; i++) {
    uint64_t from = i == first >> shift ? first & mask : 0;
    uint64_t to = i == last >> shift ? last & mask : mask;
    if (n->slots[i] != NULL && prune(pc, n->slots[i], height - 1, from, to)) {
      n->slots[i] = NULL;
      n->used--;
    }
  }
  n->dirty -= (unsigned)(dirty - pc->dirty);
  if (n->used > 0)
    return false;
  kfree(n);
  return true;
}

/* Gives back the pages [first, end), which are in no mapping. */
static void drop(struct pagecache *pc, uint64_t first, uint64_t end) {
  size_t before = pc->pages;
  uint64_t most = (1ull << (NODE_SHIFT * pc->height)) - 1, last = end - 1 < most ? end - 1 : most;
  pc->shrinks++;
  if (pc->root != NULL && first <= last && prune(pc, pc->root, pc->height, first, last))
    pc->root = NULL;
  if (pc->root == NULL)
    pc->height = 0;
  if (pc->pages < before && pc->ops->uncharge != NULL)
    pc->ops->uncharge(pc, before - pc->pages);
}

static void drop_from(struct pagecache *pc, uint64_t first) {
  drop(pc, first, UINT64_MAX);
}

/* ---- Pages ------------------------------------------------------------------------------------
 */

/* A page with what belongs at `index`, not in the tree yet, and charged. */
static errno_t page_make(struct pagecache *pc, uint64_t index, void **page) {
  if (page_free_count() <= PAGE_RESERVE)
    return ENOMEM;
  errno_t e = pc->ops->charge != NULL ? pc->ops->charge(pc) : 0;
  if (e != 0)
    return e;
  bool fill = pc->ops->fill != NULL;
  *page = fill ? page_alloc(0) : page_alloc_zero(0);
  if (*page == NULL)
    e = ENOMEM;
  else if (fill)
    e = pc->ops->fill(pc, index, *page);
  if (e == 0) {
    page_set_cached(*page);
    return 0;
  }
  if (*page != NULL)
    page_free(*page, 0);
  if (pc->ops->uncharge != NULL)
    pc->ops->uncharge(pc, 1);
  return e;
}

errno_t pagecache_get(struct pagecache *pc, uint64_t index, bool create, void **page) {
  for (;;) {
    *page = lookup(pc, index);
    if (*page != NULL || (!create && pc->ops->fill == NULL))
      return 0;
    uint32_t shrinks = pc->shrinks;
    void *made;
    errno_t e = page_make(pc, index, &made);
    if (e != 0)
      return e;
    /* While it was filled somebody else may have made the page, or cut the file off before it. */
    bool outrun = pc->shrinks != shrinks || lookup(pc, index) != NULL;
    if (!outrun)
      e = insert(pc, index, made);
    if (!outrun && e == 0) {
      *page = made;
      return 0;
    }
    page_free(made, 0);
    if (pc->ops->uncharge != NULL)
      pc->ops->uncharge(pc, 1);
    if (e != 0)
      return e;
  }
}

errno_t pagecache_allocate(struct pagecache *pc, uint64_t offset, uint64_t len) {
  errno_t e = 0;
  uint64_t last = len > 0 ? (offset + len - 1) >> PAGE_SHIFT : 0;
  for (uint64_t index = offset >> PAGE_SHIFT; e == 0 && len > 0 && index <= last; index++) {
    void *page;
    e = pagecache_get(pc, index, true, &page);
  }
  return e;
}

/* ---- Bytes ------------------------------------------------------------------------------------
 */

static size_t in_page(uint64_t offset) {
  return offset & (PAGE_SIZE - 1);
}

static size_t part_of_page(uint64_t offset, uint64_t n) {
  size_t left = PAGE_SIZE - in_page(offset);
  return n < left ? n : left;
}

errno_t pagecache_read(struct pagecache *pc, struct uio *uio, uint64_t offset) {
  errno_t e = 0;
  while (e == 0 && uio->resid > 0 && offset < pc->size_bytes) {
    void *page;
    e = pagecache_get(pc, offset >> PAGE_SHIFT, false, &page);
    if (e != 0 || offset >= pc->size_bytes)
      return e;
    size_t n = part_of_page(offset, pc->size_bytes - offset);
    size_t resid = uio->resid;
    if (page == NULL) {
      e = uio_zero(uio, n);
    } else if (!page_ref(page)) { /* kept, for the copy may run the fault handler */
      return ENOMEM;
    } else {
      e = uio_copy_to(uio, (char *)page + in_page(offset), n);
      page_unref(page);
    }
    offset += resid - uio->resid;
  }
  return e;
}

/* Zeroes what a mapping may have left behind the end of the file in its last page, up to `to`. */
static errno_t clear_tail(struct pagecache *pc, uint64_t end, uint64_t to) {
  if (in_page(end) == 0 || to <= end)
    return 0;
  void *page;
  errno_t e = pagecache_get(pc, end >> PAGE_SHIFT, false, &page);
  if (e == 0 && page != NULL) {
    memset((char *)page + in_page(end), 0, part_of_page(end, to - end));
    pagecache_dirty(pc, end >> PAGE_SHIFT);
  }
  return e;
}

/* Drops and zeroes what a failed write left behind the end. */
static void trim(struct pagecache *pc) {
  drop_from(pc, (pc->size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
  void *page = lookup(pc, pc->size_bytes >> PAGE_SHIFT);
  if (page != NULL)
    memset((char *)page + in_page(pc->size_bytes), 0, PAGE_SIZE - in_page(pc->size_bytes));
}

errno_t pagecache_write(struct pagecache *pc, struct uio *uio, uint64_t offset) {
  size_t all = uio->resid;
  errno_t e = all > 0 ? clear_tail(pc, pc->size_bytes, offset) : 0;
  while (e == 0 && uio->resid > 0) {
    void *page;
    e = pagecache_get(pc, offset >> PAGE_SHIFT, true, &page);
    if (e == 0 && !page_ref(page))
      e = ENOMEM;
    if (e != 0)
      break;
    size_t resid = uio->resid;
    e = uio_copy_from(uio, (char *)page + in_page(offset), part_of_page(offset, resid));
    page_unref(page);
    pagecache_dirty(pc, offset >> PAGE_SHIFT);
    offset += resid - uio->resid;
    if (uio->resid < resid && offset > pc->size_bytes)
      pc->size_bytes = offset;
  }
  if (e != 0)
    trim(pc);
  return uio->resid < all ? 0 : e;
}

errno_t pagecache_resize(struct pagecache *pc, uint64_t size_bytes) {
  bool shorter = size_bytes < pc->size_bytes;
  errno_t e = clear_tail(pc, shorter ? size_bytes : pc->size_bytes, UINT64_MAX);
  if (e != 0)
    return e;
  pc->size_bytes = size_bytes;
  if (shorter) {
    uint64_t first = (size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
    memobj_revoke(&pc->obj, first << PAGE_SHIFT, UINT64_MAX);
    drop_from(pc, first);
  }
  return 0;
}

/* ---- The medium -------------------------------------------------------------------------------
 */

void pagecache_dirty(struct pagecache *pc, uint64_t index) {
  if (pc->ops->write != NULL)
    mark(pc, index, true);
}

errno_t pagecache_writeback(struct pagecache *pc) {
  errno_t result = 0;
  for (uint64_t index = 0; pc->dirty > 0 && covers(pc, index); index++) {
    bool whole = true;
    if (!find_dirty(pc->root, pc->height, &index))
      break;
    void *page = lookup(pc, index);
    mark(pc, index, false);
    memobj_write_protect(&pc->obj, index << PAGE_SHIFT, PAGE_SIZE);
    page_ref(page);
    errno_t e = pc->ops->write(pc, index, page, &whole);
    page_unref(page);
    if (e != 0 || !whole)
      pagecache_dirty(pc, index);
    if (e != 0)
      result = e;
  }
  return result;
}

void pagecache_discard(struct pagecache *pc, uint64_t first, uint64_t end) {
  if (first >= end)
    return;
  memobj_revoke(&pc->obj, first << PAGE_SHIFT, (end - first) << PAGE_SHIFT);
  drop(pc, first, end);
}

/* ---- The memory object ------------------------------------------------------------------------
 */

static errno_t get_page(struct memobj *obj, uint64_t offset, bool write, pa_t *pa) {
  struct pagecache *pc = container_of(obj, struct pagecache, obj);
  uint64_t index = offset >> PAGE_SHIFT;
  while (offset < pc->size_bytes) {
    void *page;
    errno_t e = pagecache_get(pc, index, true, &page);
    if (e == 0 && write && pc->ops->dirty != NULL) {
      e = pc->ops->dirty(pc, index);
      if (e == 0 && lookup(pc, index) != page)
        continue; /* the file was cut off meanwhile */
    }
    if (e != 0)
      return e;
    if (write)
      pagecache_dirty(pc, index);
    *pa = va_to_pa(page);
    return 0;
  }
  return ERANGE;
}

static errno_t sync(struct memobj *obj, uint64_t offset, uint64_t len) {
  struct pagecache *pc = container_of(obj, struct pagecache, obj);
  return pc->ops->sync != NULL ? pc->ops->sync(pc, offset, len) : 0;
}

static void destroy(struct memobj *obj) {
  struct pagecache *pc = container_of(obj, struct pagecache, obj);
  drop_from(pc, 0);
  ASSERT(pc->pages == 0);
  if (pc->ops->destroy != NULL)
    pc->ops->destroy(pc);
}

static const struct memobj_ops memobj_ops = {
    .get_page = get_page, .sync = sync, .destroy = destroy};

void pagecache_init(struct pagecache *pc, const struct pagecache_ops *ops) {
  *pc = (struct pagecache){.ops = ops};
  memobj_init(&pc->obj, &memobj_ops);
}

/* ---- Shared memory without a name --------------------------------------------------------------
 */

static void anonymous_destroy(struct pagecache *pc) {
  kfree(pc);
}

errno_t pagecache_create_anonymous(struct pagecache **out) {
  static const struct pagecache_ops ops = {.destroy = anonymous_destroy};
  struct pagecache *pc = kmalloc(sizeof *pc);
  if (pc == NULL)
    return ENOMEM;
  pagecache_init(pc, &ops);
  *out = pc;
  return 0;
}
