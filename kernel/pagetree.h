/*
 * Radix trees of pages by index, with a mark on the dirty ones: what a page cache is made of.
 *
 * A tree of height 0 is the page of index 0 itself, so that a small file costs no node. Kernel
 * lock; nothing sleeps.
 */
#ifndef KERNEL_PAGETREE_H
#define KERNEL_PAGETREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

struct pagetree { /* zeroed: empty */
  size_t pages;   /* held */
  size_t dirty;   /* of them marked */
  void *root;     /* private */
  unsigned height;
};

/* NULL: none. */
void *pagetree_get(const struct pagetree *t, uint64_t index);
/* How many pages right before index are held, counted up to `most`. */
unsigned pagetree_held_before(const struct pagetree *t, uint64_t index, unsigned most);
/* The caller's reference goes over. EEXIST: there is one; ENOMEM. */
errno_t pagetree_insert(struct pagetree *t, uint64_t index, void *page);
/* Takes the first page from *index on out of the tree that is clean and has no reference but the
 * tree's, which becomes the caller's; *index is behind it then. NULL: there is none. */
void *pagetree_take_clean(struct pagetree *t, uint64_t *index);
/* Drops the references to the pages [first, end). */
void pagetree_drop(struct pagetree *t, uint64_t first, uint64_t end);

/* Marks a page as dirty, or as clean; there may be none. */
void pagetree_mark(struct pagetree *t, uint64_t index, bool dirty);
/* The first page from *index on; or the first dirty one. False: there is no more. */
bool pagetree_next(const struct pagetree *t, uint64_t *index);
bool pagetree_next_dirty(const struct pagetree *t, uint64_t *index);
/* Pages of all trees that are marked. */
size_t pagetree_dirty_total(void);
bool pagetree_is_dirty(const struct pagetree *t, uint64_t index);

#endif
