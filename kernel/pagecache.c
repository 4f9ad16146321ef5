/*
 * Page caches: the bytes of a file in a tree of pages.
 *
 * Called by file systems for read and write, and by aspace_fault.c through the memory object;
 * kernel lock; sleeps where the owner's operations do. Reference sections 2.8 and 6.
 */
#include "kernel/pagecache.h"

#include "kernel/heap.h"
#include "kernel/list.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

/* ---- Memory ---------------------------------------------------------------------------------- */

/* The caches whose pages can be read again, so that clean ones may go: the next one to lose some
 * first. */
static struct list refillable = LIST_INIT(refillable);

/* How many pages go at a time where one is wanted: a round may have to pass over all there are. */
static size_t batch(void) {
  return page_total() / 64 + 16;
}

/* Whether a page is clean and nobody has it; with `mapped` it is taken out of mappings first. */
static bool may_go(struct pagecache *pc, uint64_t index, bool mapped) {
  const void *page = pagetree_get(&pc->tree, index);
  if (pagetree_is_dirty(&pc->tree, index))
    return false;
  if (mapped && page_refs(page) > 1)
    memobj_revoke(&pc->obj, index << PAGE_SHIFT, PAGE_SIZE);
  return page_refs(page) == 1;
}

/* Lets go of up to n pages, from where the last round ended. */
static size_t reclaim_from(struct pagecache *pc, size_t n, bool mapped) {
  size_t freed = 0;
  uint64_t index = pc->reclaim_at;
  while (freed < n && pagetree_next(&pc->tree, &index)) {
    if (may_go(pc, index, mapped)) {
      pagetree_drop(&pc->tree, index, index + 1);
      freed++;
    }
    index++;
  }
  pc->reclaim_at = freed < n ? 0 : index;
  return freed;
}

static size_t reclaim_round(size_t n, bool mapped) {
  struct list *last = refillable.prev;
  size_t freed = 0;
  while (freed < n && !list_empty(&refillable)) {
    struct list *l = list_pop_front(&refillable);
    list_push_back(&refillable, l);
    freed += reclaim_from(container_of(l, struct pagecache, refillable), n - freed, mapped);
    if (l == last)
      break;
  }
  return freed;
}

/* The same of all caches in turn; those that are mapped only if there are not enough others. */
static void reclaim(size_t n) {
  size_t freed = reclaim_round(n, false);
  if (freed < n)
    reclaim_round(n - freed, true);
}

bool pagecache_make_room(size_t n) {
  size_t free = page_free_count();
  if (free < n)
    reclaim(n - free > batch() ? n - free : batch());
  return page_free_count() >= n;
}

bool pagecache_write_some(void) {
  struct pagecache *most = NULL;
  list_for_each(l, &refillable) {
    struct pagecache *pc = container_of(l, struct pagecache, refillable);
    if (pc->tree.dirty > (most != NULL ? most->tree.dirty : 0))
      most = pc;
  }
  if (most == NULL || most->ops->sync == NULL)
    return false;
  size_t dirty = most->tree.dirty;
  memobj_ref(&most->obj);
  most->ops->sync(most, 0, UINT64_MAX); /* one that fails leaves its pages dirty */
  bool less = most->tree.dirty < dirty;
  memobj_unref(&most->obj);
  return less;
}

/* Whether there is memory for one more page. What can be read again leaves an eighth of all to
 * programs. */
static bool have_room(const struct pagecache *pc) {
  if (pc->ops->fill != NULL && page_free_count() <= page_total() / 8)
    reclaim(batch());
  return pagecache_make_room(PAGE_RESERVE + 1);
}

/* Gives back the pages [first, end), which are in no mapping. */
static void drop(struct pagecache *pc, uint64_t first, uint64_t end) {
  size_t before = pc->tree.pages;
  pc->shrinks++;
  pagetree_drop(&pc->tree, first, end);
  if (pc->tree.pages < before && pc->ops->uncharge != NULL)
    pc->ops->uncharge(pc, before - pc->tree.pages);
}

static void drop_from(struct pagecache *pc, uint64_t first) {
  drop(pc, first, UINT64_MAX);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* A page with what belongs at `index`, not in the tree yet, and charged. */
static errno_t page_make(struct pagecache *pc, uint64_t index, void **page) {
  bool may_sleep = pc->ops->fill != NULL;
  while (!have_room(pc))
    if (!may_sleep || !pagecache_write_some())
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
    *page = pagetree_get(&pc->tree, index);
    if (*page != NULL || (!create && pc->ops->fill == NULL))
      return 0;
    uint32_t shrinks = pc->shrinks;
    void *made;
    errno_t e = page_make(pc, index, &made);
    if (e != 0)
      return e;
    /* While it was filled somebody else may have made the page, or cut the file off before it. */
    bool outrun = pc->shrinks != shrinks || pagetree_get(&pc->tree, index) != NULL;
    if (!outrun)
      e = pagetree_insert(&pc->tree, index, made);
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

/* ---- Bytes ----------------------------------------------------------------------------------- */

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
  void *page = pagetree_get(&pc->tree, pc->size_bytes >> PAGE_SHIFT);
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

/* ---- The medium ------------------------------------------------------------------------------ */

void pagecache_dirty(struct pagecache *pc, uint64_t index) {
  if (pc->ops->write != NULL)
    pagetree_mark(&pc->tree, index, true);
}

bool pagecache_too_dirty(void) {
  return pagetree_dirty_total() > page_total() / 8;
}

errno_t pagecache_writeback(struct pagecache *pc) {
  errno_t result = 0;
  for (uint64_t index = 0; pagetree_next_dirty(&pc->tree, &index); index++) {
    bool whole = true;
    void *page = pagetree_get(&pc->tree, index);
    if (!page_ref(page)) {
      result = ENOMEM;
      continue;
    }
    pagetree_mark(&pc->tree, index, false);
    memobj_write_protect(&pc->obj, index << PAGE_SHIFT, PAGE_SIZE);
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

/* ---- The memory object ----------------------------------------------------------------------- */

static errno_t get_page(struct memobj *obj, uint64_t offset, bool write, pa_t *pa) {
  struct pagecache *pc = container_of(obj, struct pagecache, obj);
  uint64_t index = offset >> PAGE_SHIFT;
  while (offset < pc->size_bytes) {
    void *page;
    errno_t e = pagecache_get(pc, index, true, &page);
    if (e == 0 && write && pc->ops->dirty != NULL) {
      e = pc->ops->dirty(pc, index);
      if (e == 0 && pagetree_get(&pc->tree, index) != page)
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
  list_remove(&pc->refillable);
  drop_from(pc, 0);
  ASSERT(pc->tree.pages == 0);
  if (pc->ops->destroy != NULL)
    pc->ops->destroy(pc);
}

static void alone(struct memobj *obj) {
  struct pagecache *pc = container_of(obj, struct pagecache, obj);
  if (pc->ops->alone != NULL)
    pc->ops->alone(pc);
}

static const struct memobj_ops memobj_ops = {
    .get_page = get_page, .sync = sync, .alone = alone, .destroy = destroy};

void pagecache_init(struct pagecache *pc, const struct pagecache_ops *ops) {
  *pc = (struct pagecache){.ops = ops};
  memobj_init(&pc->obj, &memobj_ops);
  list_init(&pc->refillable);
  if (ops->fill != NULL)
    list_push_back(&refillable, &pc->refillable);
}

/* ---- Shared memory without a name ------------------------------------------------------------ */

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
