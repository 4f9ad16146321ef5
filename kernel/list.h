/*
 * Doubly linked lists whose links live in the elements. A list head and a link are the
 * same structure; an unlinked link points to itself. No locks of its own.
 */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
  struct list *next, *prev;
};

#define LIST_INIT(name) \
  { &(name), &(name) }

/* The structure of type `type` whose member `member` is the link at `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Iterates over links; `safe`: the current one may be removed meanwhile. */
#define list_for_each(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
#define list_for_each_safe(it, head)                                        \
  for (struct list *it = (head)->next, *it##_next = it->next; it != (head); \
       it = it##_next, it##_next = it->next)

static inline void list_init(struct list *l) {
  l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l) {
  return l->next == l;
}

/* Inserts `link` before `at`; at a list's head that is its end. */
static inline void list_insert_before(struct list *at, struct list *link) {
  link->prev = at->prev;
  link->next = at;
  at->prev->next = link;
  at->prev = link;
}

static inline void list_push_back(struct list *head, struct list *link) {
  list_insert_before(head, link);
}

static inline void list_push_front(struct list *head, struct list *link) {
  list_insert_before(head->next, link);
}

/* Unlinks; doing it twice is harmless. */
static inline void list_remove(struct list *link) {
  link->prev->next = link->next;
  link->next->prev = link->prev;
  list_init(link);
}

/* The first link, removed, or NULL. */
static inline struct list *list_pop_front(struct list *head) {
  struct list *l = head->next;
  if (l == head)
    return NULL;
  list_remove(l);
  return l;
}

#endif
