/*
 * Balanced search trees.
 *
 * Called under the kernel lock by whoever owns the tree; no recursion, nothing sleeps.
 */
#include "kernel/avl.h"

#include <stddef.h>

static uint32_t height(const struct avl *n) {
  return n != NULL ? n->height : 0;
}

static void pull(struct avl *n) {
  uint32_t before = height(n->child[0]), behind = height(n->child[1]);
  n->height = 1 + (before > behind ? before : behind);
}

/* Where the tree refers to n. */
static struct avl **link_of(struct avl **root, struct avl *n) {
  return n->parent == NULL ? root : &n->parent->child[n->parent->child[1] == n];
}

static void attach(struct avl *parent, int side, struct avl *child) {
  parent->child[side] = child;
  if (child != NULL)
    child->parent = parent;
}

/* Lets the child on one side take n's place, and n the child's other side. */
static struct avl *rotate(struct avl **root, struct avl *n, int side) {
  struct avl **link = link_of(root, n), *up = n->child[side], *parent = n->parent;
  attach(n, side, up->child[!side]);
  attach(up, !side, n);
  up->parent = parent;
  *link = up;
  pull(n);
  pull(up);
  return up;
}

/* Restores the balance from n on upwards, after one side of it grew or shrank by one. */
static void balance(struct avl **root, struct avl *n) {
  for (; n != NULL; n = n->parent) {
    uint32_t before = height(n->child[0]), behind = height(n->child[1]), old = n->height;
    int heavy = behind > before;
    if ((heavy ? behind - before : before - behind) > 1) {
      struct avl *child = n->child[heavy];
      if (height(child->child[!heavy]) > height(child->child[heavy]))
        rotate(root, child, !heavy);
      n = rotate(root, n, heavy);
    } else {
      pull(n);
    }
    if (n->height == old)
      return;
  }
}

void avl_insert(struct avl **root, struct avl *parent, struct avl **link, struct avl *n) {
  *n = (struct avl){.parent = parent, .height = 1};
  *link = n;
  balance(root, parent);
}

/* Takes out an element that has one child at most. Returns what was above it. */
static struct avl *splice(struct avl **root, struct avl *n) {
  struct avl *child = n->child[n->child[0] == NULL];
  *link_of(root, n) = child;
  if (child != NULL)
    child->parent = n->parent;
  return n->parent;
}

void avl_remove(struct avl **root, struct avl *n) {
  if (n->child[0] == NULL || n->child[1] == NULL) {
    balance(root, splice(root, n));
    return;
  }
  struct avl *next = n->child[1]; /* the first one behind n takes its place */
  while (next->child[0] != NULL)
    next = next->child[0];
  struct avl *from = splice(root, next);
  *link_of(root, n) = next;
  next->parent = n->parent;
  next->height = n->height;
  attach(next, 0, n->child[0]);
  attach(next, 1, n->child[1]);
  balance(root, from == n ? next : from);
}
