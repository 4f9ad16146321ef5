/*
 * Memory for page caches: pages that can be read again give way to others.
 *
 * Called by pagecache.c for a new page, and by whoever finds no memory; kernel lock; sleeps only
 * where it says so.
 */
#include "kernel/pagecache_room.h"

#include "kernel/list.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/pagecache.h"

/* The caches whose pages can be read again, so that clean ones may go: the next one to lose some
 * first. */
static struct list refillable = LIST_INIT(refillable);

/* A clean page that nobody maps, taken out of its cache; NULL: there is none. The caches lose their
 * pages one after the other, each from where its last round ended. */
static void *take_clean(void) {
  struct list *last = refillable.prev;
  while (!list_empty(&refillable)) {
    struct list *l = refillable.next;
    struct pagecache *pc = container_of(l, struct pagecache, refillable);
    void *page = pagetree_take_clean(&pc->tree, &pc->reclaim_at);
    if (page != NULL)
      return page;
    pc->reclaim_at = 0;
    list_remove(l);
    list_push_back(&refillable, l);
    if (l == last)
      break;
  }
  return NULL;
}

/* How many pages go at a time where mapped ones have to: a round may pass over all there are. */
static size_t batch(void) {
  return page_total() / 64 + 16;
}

/* Whether a page may go once it is taken out of all mappings, which it is then. */
static bool unmap(struct pagecache *pc, uint64_t index) {
  const void *page = pagetree_get(&pc->tree, index);
  if (pagetree_is_dirty(&pc->tree, index))
    return false;
  if (page_refs(page) > 1)
    memobj_revoke(&pc->obj, index << PAGE_SHIFT, PAGE_SIZE);
  return page_refs(page) == 1;
}

/* Lets go of up to n pages, mapped or not, from where the last round ended. */
static size_t reclaim_from(struct pagecache *pc, size_t n) {
  size_t freed = 0;
  uint64_t index = pc->reclaim_at;
  while (freed < n && pagetree_next(&pc->tree, &index)) {
    if (unmap(pc, index)) {
      pagetree_drop(&pc->tree, index, index + 1);
      freed++;
    }
    index++;
  }
  pc->reclaim_at = freed < n ? 0 : index;
  return freed;
}

/* The same of all caches in turn. */
static void reclaim_mapped(size_t n) {
  struct list *last = refillable.prev;
  while (n > 0 && !list_empty(&refillable)) {
    struct list *l = list_pop_front(&refillable);
    list_push_back(&refillable, l);
    n -= reclaim_from(container_of(l, struct pagecache, refillable), n);
    if (l == last)
      break;
  }
}

bool pagecache_make_room(size_t n) {
  void *page;
  while (page_free_count() < n && (page = take_clean()) != NULL)
    page_unref(page);
  if (page_free_count() < n)
    reclaim_mapped(n - page_free_count() > batch() ? n - page_free_count() : batch());
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

static void *fresh_page(bool zero) {
  void *page = NULL;
  if (pagecache_make_room(PAGE_RESERVE + 1))
    page = zero ? page_alloc_zero(0) : page_alloc(0);
  if (page != NULL)
    page_set_cached(page);
  return page;
}

/* What can be read again leaves an eighth of all to programs: from there on one page goes for each
 * that comes. */
void *pagecache_page_new(const struct pagecache *pc) {
  if (pc->ops->fill == NULL)
    return fresh_page(true);
  size_t least = page_total() / 8, free = page_free_count();
  void *page = free <= least ? take_clean() : NULL, *more;
  if (page == NULL && free <= least)
    reclaim_mapped(batch());
  if (page != NULL && free < least && (more = take_clean()) != NULL)
    page_unref(more); /* until that much is free again */
  return page != NULL ? page : fresh_page(false);
}

void pagecache_may_lose(struct pagecache *pc) {
  list_push_back(&refillable, &pc->refillable);
}
