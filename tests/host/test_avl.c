// sources: kernel/avl.c
/*
 * Balanced trees against a sorted array: order, balance and links after every change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/avl.h"
#include "kernel/list.h"

#define KEYS 2000

struct item {
  struct avl avl;
  bool in;
};

static struct item items[KEYS]; /* the key is the place */
static struct avl *root;
static uint32_t count;

static struct item *item_of(struct avl *n) {
  return container_of(n, struct item, avl);
}

static void insert(struct item *new) {
  struct avl **link = &root, *parent = NULL;
  while (*link != NULL) {
    parent = *link;
    link = &parent->child[new > item_of(parent)];
  }
  memset(&new->avl, 0xa5, sizeof new->avl); /* nothing of it counts */
  avl_insert(&root, parent, link, &new->avl);
  new->in = true;
  count++;
}

static void take_out(struct item *old) {
  avl_remove(&root, &old->avl);
  old->in = false;
  count--;
}

/* Checks a subtree; returns its height. *next: the key that must not be behind the first one. */
static uint32_t check(struct avl *n, struct avl *parent, size_t *next, uint32_t *seen) {
  if (n == NULL)
    return 0;
  assert_ptr_equal(n->parent, parent);
  uint32_t before = check(n->child[0], n, next, seen);
  size_t key = (size_t)(item_of(n) - items);
  assert_true(items[key].in);
  assert_true(key >= *next);
  *next = key + 1;
  ++*seen;
  uint32_t behind = check(n->child[1], n, next, seen);
  assert_true(before <= behind + 1 && behind <= before + 1);
  assert_int_equal(n->height, 1 + (before > behind ? before : behind));
  return n->height;
}

static void check_all(void) {
  size_t next = 0;
  uint32_t seen = 0;
  check(root, NULL, &next, &seen);
  assert_int_equal(seen, count);
}

static int begin(void **state) {
  (void)state;
  root = NULL;
  count = 0;
  memset(items, 0, sizeof items);
  return 0;
}

static void test_in_order(void **state) {
  (void)state;
  for (int i = 0; i < KEYS; i++) {
    insert(&items[i]);
    if (i < 200)
      check_all();
  }
  check_all();
  assert_in_range(root->height, 11, 12);
  for (int i = 0; i < KEYS; i++) {
    take_out(&items[i]);
    if (i % 16 == 0)
      check_all();
  }
  assert_null(root);
  for (int i = KEYS; i-- > 0;)
    insert(&items[i]);
  check_all();
  for (int i = KEYS; i-- > 0;) {
    take_out(&items[i]);
    if (i % 16 == 0)
      check_all();
  }
  assert_null(root);
}

static void test_roots(void **state) { /* the root goes each time: mostly two children */
  (void)state;
  for (int i = 0; i < KEYS; i++)
    insert(&items[i]);
  while (root != NULL) {
    take_out(item_of(root));
    if (count < 100 || count % 16 == 0)
      check_all();
  }
  assert_int_equal(count, 0);
}

static void test_random(void **state) {
  (void)state;
  uint64_t random = 88172645463325252ull;
  for (int i = 0; i < 200000; i++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    /* Few and many in turn. */
    struct item *item = &items[(random >> 20) % (i / 1000 % 2 ? 40 : KEYS)];
    if (item->in)
      take_out(item);
    else
      insert(item);
    if (count < 50 || i % 64 == 0)
      check_all();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_in_order, begin),
      cmocka_unit_test_setup(test_roots, begin),
      cmocka_unit_test_setup(test_random, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
