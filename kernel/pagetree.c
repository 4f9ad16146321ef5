/*
 * Radix trees of pages. Nodes without anything below are freed when pages go. The lowest bit of a
 * page's slot is its mark; nodes count the marks below them, so that dirty pages are found without
 * a walk over all.
 *
 * Called by pagecache.c; kernel lock.
 */
#include "kernel/pagetree.h"

#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"

#define NODE_SHIFT 6
#define NODE_SLOTS (1u << NODE_SHIFT)

#define HEIGHT_MAX 9 /* 52 bits of index */

#define DIRTY 1ul /* in a page's slot */

struct node {
  void *slots[NODE_SLOTS]; /* nodes, or pages below a node of height 1 */
  unsigned used;
  unsigned dirty; /* pages below it */
};

static unsigned slot_of(uint64_t index, unsigned height) {
  return (unsigned)(index >> (NODE_SHIFT * (height - 1))) & (NODE_SLOTS - 1);
}

static bool covers(const struct pagetree *t, uint64_t index) {
  return index >> (NODE_SHIFT * t->height) == 0; /* never higher than HEIGHT_MAX */
}

static void *page_of(void *slot) {
  return (void *)((uintptr_t)slot & ~DIRTY);
}

static void *slot_get(const struct pagetree *t, uint64_t index) {
  unsigned shift = NODE_SHIFT * t->height;
  void *at = t->root;
  if (index >> shift != 0)
    return NULL;
  while (shift > 0 && at != NULL) {
    shift -= NODE_SHIFT;
    at = ((struct node *)at)->slots[(index >> shift) & (NODE_SLOTS - 1)];
  }
  return at;
}

void *pagetree_get(const struct pagetree *t, uint64_t index) {
  return page_of(slot_get(t, index));
}

unsigned pagetree_held_before(const struct pagetree *t, uint64_t index, unsigned most) {
  unsigned n = 0;
  while (n < most && n < index && slot_get(t, index - 1 - n) != NULL)
    n++;
  return n;
}

bool pagetree_is_dirty(const struct pagetree *t, uint64_t index) {
  return ((uintptr_t)slot_get(t, index) & DIRTY) != 0;
}

/* ---- Pages come ------------------------------------------------------------------------------ */

static errno_t grow(struct pagetree *t, uint64_t index) {
  for (; !covers(t, index); t->height++) {
    if (t->root == NULL)
      continue;
    struct node *top = kzalloc(sizeof *top);
    if (top == NULL)
      return ENOMEM;
    top->slots[0] = t->root;
    top->used = 1;
    top->dirty = (unsigned)t->dirty;
    t->root = top;
  }
  return 0;
}

/* Nodes made before an ENOMEM stay, for the next try or until the pages around them go. */
errno_t pagetree_insert(struct pagetree *t, uint64_t index, void *page) {
  errno_t e = grow(t, index);
  struct node *parent = NULL;
  void **slot = &t->root;
  for (unsigned h = t->height; e == 0 && h > 0; h--) {
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
  if (*slot != NULL)
    return EEXIST;
  *slot = page;
  if (parent != NULL)
    parent->used++;
  t->pages++;
  return 0;
}

/* ---- Pages go -------------------------------------------------------------------------------- */

static size_t dirty_total;

/* Frees the pages [first, last] of what is at `at`, counted from its own first page. True: nothing
 * is left of it, and it is freed too. */
static bool prune(struct pagetree *t, void *at, unsigned height, uint64_t first, uint64_t last) {
  if (height == 0) {
    if (((uintptr_t)at & DIRTY) != 0) {
      t->dirty--;
      dirty_total--;
    }
    page_unref(page_of(at));
    t->pages--;
    return true;
  }
  struct node *n = at;
  const size_t dirty = t->dirty;
  const unsigned shift = NODE_SHIFT * (height - 1);
  const uint64_t mask = (1ull << shift) - 1;
  for (uint64_t i = first >> shift; i <= last >> shift; i++) {
    uint64_t from = i == first >> shift ? first & mask : 0;
    uint64_t to = i == last >> shift ? last & mask : mask;
    if (n->slots[i] != NULL && prune(t, n->slots[i], height - 1, from, to)) {
      n->slots[i] = NULL;
      n->used--;
    }
  }
  n->dirty -= (unsigned)(dirty - t->dirty);
  if (n->used > 0)
    return false;
  kfree(n);
  return true;
}

void pagetree_drop(struct pagetree *t, uint64_t first, uint64_t end) {
  uint64_t most = (1ull << (NODE_SHIFT * t->height)) - 1, last = end - 1 < most ? end - 1 : most;
  if (t->root != NULL && first <= last && prune(t, t->root, t->height, first, last))
    t->root = NULL;
  if (t->root == NULL)
    t->height = 0;
}

/* The slot's content at `index`, NULL if there is none, and the nodes that lead there: path[h] is
 * the one of height h. */
static void *walk(const struct pagetree *t, uint64_t index, struct node **path) {
  unsigned h = t->height, shift = NODE_SHIFT * h;
  void *at = t->root;
  if (index >> shift != 0)
    return NULL;
  for (; h > 0 && at != NULL; h--) {
    shift -= NODE_SHIFT;
    path[h] = at;
    at = path[h]->slots[(index >> shift) & (NODE_SLOTS - 1)];
  }
  return at;
}

/* Takes a clean page out; nodes without anything below go too. */
static void unlink_page(struct pagetree *t, uint64_t index, struct node **path) {
  t->pages--;
  for (unsigned h = 1; h <= t->height; h++) {
    path[h]->slots[slot_of(index, h)] = NULL;
    if (--path[h]->used > 0)
      return;
    kfree(path[h]);
  }
  t->root = NULL;
  t->height = 0;
}

void *pagetree_take_clean(struct pagetree *t, uint64_t *index) {
  struct node *path[HEIGHT_MAX + 1];
  for (;;) {
    void *slot = walk(t, *index, path);
    if (slot == NULL && !pagetree_next(t, index))
      return NULL;
    if (slot == NULL)
      continue;
    uint64_t at = (*index)++;
    if (((uintptr_t)slot & DIRTY) != 0 || page_refs(slot) > 1)
      continue;
    unlink_page(t, at, path);
    return slot;
  }
}

/* ---- Marks ----------------------------------------------------------------------------------- */

size_t pagetree_dirty_total(void) {
  return dirty_total;
}

void pagetree_mark(struct pagetree *t, uint64_t index, bool dirty) {
  void **slot = &t->root;
  if (slot_get(t, index) == NULL || pagetree_is_dirty(t, index) == dirty)
    return;
  t->dirty += dirty ? 1 : SIZE_MAX;
  dirty_total += dirty ? 1 : SIZE_MAX;
  for (unsigned h = t->height; h > 0; h--) {
    struct node *n = *slot;
    n->dirty += dirty ? 1 : UINT32_MAX;
    slot = &n->slots[slot_of(index, h)];
  }
  *slot = (void *)((uintptr_t)*slot ^ DIRTY);
}

/* ---- Walks ----------------------------------------------------------------------------------- */

/* The first page, or dirty page, from *index on in what is at `at`, counted from its own first
 * page. */
static bool find(void *at, unsigned height, bool dirty, uint64_t *index) {
  if (height == 0)
    return !dirty || ((uintptr_t)at & DIRTY) != 0;
  const struct node *n = at;
  unsigned shift = NODE_SHIFT * (height - 1);
  uint64_t below = *index & ((1ull << shift) - 1);
  if (dirty && n->dirty == 0)
    return false;
  for (unsigned i = slot_of(*index, height); i < NODE_SLOTS; i++, below = 0) {
    if (n->slots[i] == NULL || !find(n->slots[i], height - 1, dirty, &below))
      continue;
    *index = ((uint64_t)i << shift) + below;
    return true;
  }
  return false;
}

bool pagetree_next(const struct pagetree *t, uint64_t *index) {
  return t->root != NULL && covers(t, *index) && find(t->root, t->height, false, index);
}

bool pagetree_next_dirty(const struct pagetree *t, uint64_t *index) {
  return t->dirty > 0 && covers(t, *index) && find(t->root, t->height, true, index);
}
