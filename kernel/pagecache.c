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
#include "kernel/pagecache_room.h"
#include "kernel/string.h"

/* ---- Pages go ------------------------------------------------------------------------------- */

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

/* How many of `wanted` pages are not held from `index` on, up to the next one that is, the end of
 * the file, and what one request takes. */
static unsigned room_for(const struct pagecache *pc, uint64_t index, uint64_t wanted) {
  uint64_t end = (pc->size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT, next = index;
  if (pagetree_next(&pc->tree, &next) && next < end)
    end = next;
  if (end <= index)
    return 1;
  if (wanted > end - index)
    wanted = end - index;
  return wanted < PAGECACHE_CLUSTER ? (unsigned)wanted : PAGECACHE_CLUSTER;
}

/* How many pages to read at `index`, which is not held. `wanted` of them are needed; where the ones
 * before are held, somebody reads in order, and the more of them the further he is read ahead. */
static unsigned cluster(const struct pagecache *pc, uint64_t index, uint64_t wanted) {
  unsigned before = pagetree_held_before(&pc->tree, index, PAGECACHE_CLUSTER / 2);
  if (pc->advice == ADVICE_SEQUENTIAL)
    wanted = PAGECACHE_CLUSTER;
  else if (pc->advice != ADVICE_RANDOM && before > 1 && wanted < 2 * before)
    wanted = 2 * before;
  return wanted < 2 ? 1 : room_for(pc, index, wanted);
}

static void uncharge(struct pagecache *pc, size_t n) {
  if (n > 0 && pc->ops->uncharge != NULL)
    pc->ops->uncharge(pc, n);
}

static void pages_free(struct pagecache *pc, void **pages, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    page_free(pages[i], 0);
  uncharge(pc, n);
}

/* Up to *n pages for new contents, charged; at least one. */
static errno_t pages_new(struct pagecache *pc, void **pages, unsigned *n) {
  unsigned made = 0;
  errno_t e = 0;
  for (; made < *n; made++) {
    e = pc->ops->charge != NULL ? pc->ops->charge(pc) : 0;
    if (e != 0)
      break;
    pages[made] = pagecache_page_new(pc);
    while (pages[made] == NULL && made == 0 && pc->ops->fill != NULL && pagecache_write_some())
      pages[made] = pagecache_page_new(pc);
    if (pages[made] == NULL) {
      uncharge(pc, 1);
      e = ENOMEM;
      break;
    }
  }
  *n = made;
  return made > 0 ? 0 : e;
}

/* The same, with what belongs from `index` on. */
static errno_t pages_make(struct pagecache *pc, uint64_t index, void **pages, unsigned *n) {
  errno_t e = pages_new(pc, pages, n);
  if (e != 0 || pc->ops->fill == NULL)
    return e;
  e = pc->ops->fill(pc, index, pages, *n);
  if (e != 0)
    pages_free(pc, pages, *n);
  return e;
}

/* Makes n pages from `index` on and enters them into the tree; *page is the first. While they were
 * filled somebody else may have made the same ones, or cut the file off before them: then they are
 * dropped, and *page is NULL if that happened to it. */
static errno_t pages_enter(struct pagecache *pc, uint64_t index, unsigned n, void **page) {
  void *pages[PAGECACHE_CLUSTER];
  uint32_t shrinks = pc->shrinks;
  errno_t first = pages_make(pc, index, pages, &n);
  if (first != 0)
    return first;
  for (unsigned i = 0; i < n; i++) {
    errno_t e = pc->shrinks == shrinks ? pagetree_insert(&pc->tree, index + i, pages[i]) : EEXIST;
    if (i == 0) {
      *page = e == 0 ? pages[0] : NULL;
      first = e;
    }
    if (e != 0)
      pages_free(pc, &pages[i], 1);
  }
  return first == EEXIST ? 0 : first;
}

/* The page at `index`, for somebody who goes on to read `wanted` pages from there; 0: nobody knows.
 */
static errno_t get_ahead(struct pagecache *pc, uint64_t index, bool create, uint64_t wanted,
                         void **page) {
  while ((*page = pagetree_get(&pc->tree, index)) == NULL && (create || pc->ops->fill != NULL)) {
    unsigned n = wanted > 0 && pc->ops->fill != NULL ? cluster(pc, index, wanted) : 1;
    errno_t e = pages_enter(pc, index, n, page);
    if (e == 0 && *page != NULL)
      break;
    if (e != 0 && n == 1)
      return e;
    wanted = 0; /* if there was an error: perhaps it is not this page that can't be read */
  }
  return 0;
}

errno_t pagecache_get(struct pagecache *pc, uint64_t index, bool create, void **page) {
  return get_ahead(pc, index, create, 0, page);
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
    uint64_t wanted = (in_page(offset) + uio->resid + PAGE_SIZE - 1) >> PAGE_SHIFT;
    e = get_ahead(pc, offset >> PAGE_SHIFT, false, wanted, &page);
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

/* A part of a page, or one that is there. */
static errno_t write_into(struct pagecache *pc, struct uio *uio, uint64_t offset) {
  void *page;
  errno_t e = pagecache_get(pc, offset >> PAGE_SHIFT, true, &page);
  if (e == 0 && !page_ref(page))
    e = ENOMEM;
  if (e != 0)
    return e;
  e = uio_copy_from(uio, (char *)page + in_page(offset), part_of_page(offset, uio->resid));
  page_unref(page);
  return e;
}

/* A whole page that is not held: what it replaces need not be read. Nothing counts as moved after
 * an error. */
static errno_t write_over(struct pagecache *pc, struct uio *uio, uint64_t index) {
  void *page;
  unsigned one = 1;
  size_t resid = uio->resid;
  errno_t e = pages_new(pc, &page, &one);
  if (e != 0)
    return e;
  e = uio_copy_from(uio, page, PAGE_SIZE);
  if (e == 0)
    e = pagetree_insert(&pc->tree, index, page);
  if (e == 0)
    return 0;
  if (e == EEXIST) /* the copy waited, and somebody has read it meanwhile */
    memcpy(pagetree_get(&pc->tree, index), page, PAGE_SIZE);
  else
    uio->resid = resid;
  pages_free(pc, &page, 1);
  return e == EEXIST ? 0 : e;
}

errno_t pagecache_write(struct pagecache *pc, struct uio *uio, uint64_t offset) {
  size_t all = uio->resid;
  errno_t e = all > 0 ? clear_tail(pc, pc->size_bytes, offset) : 0;
  while (e == 0 && uio->resid > 0) {
    size_t resid = uio->resid;
    uint64_t index = offset >> PAGE_SHIFT;
    if (pc->ops->fill != NULL && in_page(offset) == 0 && resid >= PAGE_SIZE &&
        pagetree_get(&pc->tree, index) == NULL)
      e = write_over(pc, uio, index);
    else
      e = write_into(pc, uio, offset);
    pagecache_dirty(pc, index);
    offset += resid - uio->resid;
    if (uio->resid < resid && offset > pc->size_bytes)
      pc->size_bytes = offset;
  }
  if (e != 0)
    trim(pc);
  return uio->resid < all ? 0 : e;
}

errno_t pagecache_resize(struct pagecache *pc, uint64_t size_bytes) {
  if (size_bytes >= pc->size_bytes) {
    errno_t e = clear_tail(pc, pc->size_bytes, UINT64_MAX);
    if (e == 0)
      pc->size_bytes = size_bytes;
    return e;
  }
  uint64_t first = (size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
  pc->size_bytes = size_bytes;
  memobj_revoke(&pc->obj, first << PAGE_SHIFT, UINT64_MAX);
  drop_from(pc, first);
  return clear_tail(pc, size_bytes, UINT64_MAX);
}

/* ---- The medium ------------------------------------------------------------------------------ */

void pagecache_dirty(struct pagecache *pc, uint64_t index) {
  if (pc->ops->write != NULL)
    pagetree_mark(&pc->tree, index, true);
}

bool pagecache_too_dirty(void) {
  return pagetree_dirty_total() > page_total() / 8;
}

/* The dirty pages from `index` on that lie side by side, with a reference each. */
static unsigned dirty_run(struct pagecache *pc, uint64_t index, void **pages) {
  unsigned n = 0;
  while (n < PAGECACHE_CLUSTER && pagetree_is_dirty(&pc->tree, index + n)) {
    pages[n] = pagetree_get(&pc->tree, index + n);
    if (!page_ref(pages[n]))
      break;
    n++;
  }
  return n;
}

/* Writes n pages that count as clean from now on, unless that fails. */
static errno_t write_run(struct pagecache *pc, uint64_t index, void **pages, unsigned n) {
  unsigned whole = n;
  for (unsigned i = 0; i < n; i++)
    pagetree_mark(&pc->tree, index + i, false);
  memobj_write_protect(&pc->obj, index << PAGE_SHIFT, (uint64_t)n << PAGE_SHIFT);
  errno_t e = pc->ops->write(pc, index, pages, n, &whole);
  for (unsigned i = e != 0 ? 0 : whole; i < n; i++)
    pagecache_dirty(pc, index + i);
  return e;
}

errno_t pagecache_writeback(struct pagecache *pc) {
  void *pages[PAGECACHE_CLUSTER];
  errno_t result = 0;
  unsigned n = 0;
  for (uint64_t index = 0; pagetree_next_dirty(&pc->tree, &index); index += n) {
    n = dirty_run(pc, index, pages);
    errno_t e = n > 0 ? write_run(pc, index, pages, n) : ENOMEM;
    if (e != 0 && n > 1) { /* the bad one alone stays */
      e = 0;
      for (unsigned i = 0; i < n; i++) {
        errno_t one = write_run(pc, index + i, &pages[i], 1);
        e = one != 0 ? one : e;
      }
    }
    for (unsigned i = 0; i < n; i++)
      page_unref(pages[i]);
    if (e != 0)
      result = e;
    if (n == 0)
      n = 1;
  }
  return result;
}

void pagecache_zero(struct pagecache *pc, uint64_t from, uint64_t to) {
  while (from < to) {
    size_t n = part_of_page(from, to - from);
    void *page = pagetree_get(&pc->tree, from >> PAGE_SHIFT);
    if (page != NULL)
      memset((char *)page + in_page(from), 0, n);
    from += n;
  }
}

/* ---- Advice ---------------------------------------------------------------------------------- */

static void read_range(struct pagecache *pc, uint64_t index, uint64_t end) {
  uint64_t last = (pc->size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
  void *page;
  if (end > last)
    end = last;
  while (index < end && page_free_count() > page_total() / 8 &&
         get_ahead(pc, index, false, end - index, &page) == 0)
    index++;
}

static void drop_clean(struct pagecache *pc, uint64_t index, uint64_t end) {
  for (; pagetree_next(&pc->tree, &index) && index < end; index++)
    if (!pagetree_is_dirty(&pc->tree, index) && page_refs(pagetree_get(&pc->tree, index)) == 1)
      pagetree_drop(&pc->tree, index, index + 1);
}

void pagecache_advise(struct pagecache *pc, uint64_t offset, uint64_t len, advice_t advice) {
  uint64_t end = len == 0 || len > UINT64_MAX - offset - PAGE_SIZE ? UINT64_MAX : offset + len;
  if (pc->ops->fill == NULL)
    return;
  if (advice == ADVICE_NORMAL || advice == ADVICE_RANDOM || advice == ADVICE_SEQUENTIAL)
    pc->advice = advice;
  else if (advice == ADVICE_WILLNEED)
    read_range(pc, offset >> PAGE_SHIFT, (end >> PAGE_SHIFT) + 1);
  else if (advice == ADVICE_DONTNEED)
    drop_clean(pc, (offset + PAGE_SIZE - 1) >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* ---- The memory object ----------------------------------------------------------------------- */

static errno_t get_page(struct memobj *obj, uint64_t offset, bool write, pa_t *pa) {
  struct pagecache *pc = container_of(obj, struct pagecache, obj);
  uint64_t index = offset >> PAGE_SHIFT;
  while (offset < pc->size_bytes) {
    void *page;
    errno_t e = get_ahead(pc, index, true, 1, &page);
    if (e == 0 && write && pc->ops->dirty != NULL) {
      e = pc->ops->dirty(pc, index);
      if (e == 0 && pagetree_get(&pc->tree, index) != page)
        continue; /* the file was cut off meanwhile */
    }
    if (write) /* after an error, too: a part of it may have its place now, and nothing there */
      pagecache_dirty(pc, index);
    if (e != 0)
      return e;
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
  *pc = (struct pagecache){.ops = ops, .advice = ADVICE_NORMAL};
  memobj_init(&pc->obj, &memobj_ops);
  list_init(&pc->refillable);
  if (ops->fill != NULL)
    pagecache_may_lose(pc);
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
