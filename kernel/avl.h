/*
 * Balanced search trees whose links live in the elements (AVL). The tree knows no order: whoever
 * uses it walks down to the place of an element by comparisons of its own. No locks of its own.
 *
 *     struct avl **link = &root, *parent = NULL;
 *     while (*link != NULL) {
 *       parent = *link;
 *       link = &parent->child[is_behind(new, parent)];
 *     }
 *     avl_insert(&root, parent, link, new);
 *
 * The height stays below 1.45 times the logarithm of the number of elements.
 */
#ifndef KERNEL_AVL_H
#define KERNEL_AVL_H

#include <stdint.h>

struct avl {
  struct avl *child[2]; /* those before and those behind it */
  struct avl *parent;   /* NULL: the root */
  uint32_t height;      /* 1: no children */
};

/* Puts `n` at `*link`, which is NULL and belongs to `parent` (NULL: it is the root's). */
void avl_insert(struct avl **root, struct avl *parent, struct avl **link, struct avl *n);

/* Takes an element of this tree out. The others stay where they are in memory. */
void avl_remove(struct avl **root, struct avl *n);

#endif
