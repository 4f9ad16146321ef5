/*
 * The tree of mappings: an AVL tree whose nodes know their subtree's bounds and largest hole.
 *
 * Depth stays below 24 for as many mappings as there may be, so recursion is fine on a kernel
 * stack. Called by aspace.c only; kernel lock.
 */
#include "kernel/log.h"
#include "kernel/mapping.h"

static int height(const struct mapping *n) {
  return n != NULL ? n->height : 0;
}

static size_t max_size(size_t a, size_t b) {
  return a > b ? a : b;
}

/* Computes what n says of its subtree. */
static void pull(struct mapping *n) {
  const struct mapping *l = n->left, *r = n->right;
  n->height = (uint8_t)(1 + (height(l) > height(r) ? height(l) : height(r)));
  n->lo = n->start;
  n->hi = n->end;
  n->max_gap = 0;
  if (l != NULL) {
    n->lo = l->lo;
    n->max_gap = max_size(l->max_gap, n->start - l->hi);
  }
  if (r != NULL) {
    n->hi = r->hi;
    n->max_gap = max_size(n->max_gap, max_size(r->max_gap, r->lo - n->end));
  }
}

static struct mapping *rotate_right(struct mapping *n) {
  struct mapping *l = n->left;
  n->left = l->right;
  l->right = n;
  pull(n);
  pull(l);
  return l;
}

static struct mapping *rotate_left(struct mapping *n) {
  struct mapping *r = n->right;
  n->right = r->left;
  r->left = n;
  pull(n);
  pull(r);
  return r;
}

/* The root of n's subtree after one side grew or shrank by one. */
static struct mapping *balance(struct mapping *n) {
  if (height(n->left) > height(n->right) + 1) {
    if (height(n->left->left) < height(n->left->right))
      n->left = rotate_left(n->left);
    return rotate_right(n);
  }
  if (height(n->right) > height(n->left) + 1) {
    if (height(n->right->right) < height(n->right->left))
      n->right = rotate_right(n->right);
    return rotate_left(n);
  }
  pull(n);
  return n;
}

static struct mapping *insert(struct mapping *n, struct mapping *m) {
  if (n == NULL)
    return m;
  if (m->start < n->start)
    n->left = insert(n->left, m);
  else
    n->right = insert(n->right, m);
  return balance(n);
}

void maptree_insert(struct mapping **root, struct mapping *m) {
  m->left = m->right = NULL;
  pull(m);
  *root = insert(*root, m);
}

static struct mapping *remove_first(struct mapping *n, struct mapping **first) {
  if (n->left == NULL) {
    *first = n;
    return n->right;
  }
  n->left = remove_first(n->left, first);
  return balance(n);
}

static struct mapping *remove(struct mapping *n, const struct mapping *m) {
  ASSERT(n != NULL);
  if (n != m) {
    if (m->start < n->start)
      n->left = remove(n->left, m);
    else
      n->right = remove(n->right, m);
    return balance(n);
  }
  if (n->right == NULL)
    return n->left;
  struct mapping *first;
  struct mapping *right = remove_first(n->right, &first);
  first->left = n->left;
  first->right = right;
  return balance(first);
}

void maptree_remove(struct mapping **root, struct mapping *m) {
  *root = remove(*root, m);
}

void maptree_update(struct mapping *root, const struct mapping *m) {
  ASSERT(root != NULL);
  if (root != m)
    maptree_update(m->start < root->start ? root->left : root->right, m);
  pull(root);
}

struct mapping *maptree_find(struct mapping *root, uintptr_t va) {
  struct mapping *found = NULL;
  while (root != NULL) {
    if (va < root->end) {
      found = root;
      root = root->left;
    } else {
      root = root->right;
    }
  }
  return found;
}

/* Whether a hole of `size` bytes may lie in [floor, ceiling) around and inside n's subtree. */
static bool may_fit(const struct mapping *n, size_t size, uintptr_t floor, uintptr_t ceiling) {
  return n->max_gap >= size || (n->lo > floor && n->lo - floor >= size) ||
         (ceiling > n->hi && ceiling - n->hi >= size);
}

uintptr_t maptree_hole(const struct mapping *n, size_t size, uintptr_t floor, uintptr_t ceiling) {
  if (ceiling <= floor || ceiling - floor < size)
    return 0;
  if (n == NULL)
    return ceiling - size;
  if (!may_fit(n, size, floor, ceiling))
    return 0;
  uintptr_t at = maptree_hole(n->right, size, n->end > floor ? n->end : floor, ceiling);
  if (at != 0)
    return at;
  return maptree_hole(n->left, size, floor, n->start < ceiling ? n->start : ceiling);
}

size_t maptree_verify(const struct mapping *n) {
  if (n == NULL)
    return 0;
  const struct mapping *l = n->left, *r = n->right;
  ASSERT(n->start < n->end && ((n->start | n->end) & (PAGE_SIZE - 1)) == 0);
  ASSERT(l == NULL || l->hi <= n->start);
  ASSERT(r == NULL || r->lo >= n->end);
  ASSERT(height(l) - height(r) <= 1 && height(r) - height(l) <= 1);
  struct mapping fresh = *n;
  pull(&fresh);
  ASSERT(fresh.lo == n->lo && fresh.hi == n->hi && fresh.max_gap == n->max_gap &&
         fresh.height == n->height);
  return maptree_verify(l) + 1 + maptree_verify(r);
}
