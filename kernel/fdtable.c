/*
 * Descriptor tables: an array that doubles, with the lowest free number remembered.
 *
 * Called by the system calls and by whoever sets a process up, under the kernel lock; nothing
 * here sleeps. Reference sections 2.1 (numbers), 2.7 (order of errors).
 */
#include "kernel/fdtable.h"

#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/string.h"

#define FIRST_CAPACITY 16

_Static_assert((FIRST_CAPACITY & (FIRST_CAPACITY - 1)) == 0 && FD_MAX % FIRST_CAPACITY == 0,
               "doubling ends exactly at FD_MAX");

void fdtable_init(struct fdtable *t) {
  *t = (struct fdtable){0};
}

/* Before a number's file changes or goes. */
static inline void tell_watchers(struct fdtable *t, fd_t fd) {
  for (struct fd_watcher *w = t->watchers; __builtin_expect(w != NULL, 0); w = w->next)
    w->closed(w, fd);
}

void fdtable_destroy(struct fdtable *t) {
  for (uint32_t i = 0; i < t->capacity; i++) {
    if (t->entries[i].file == NULL)
      continue;
    tell_watchers(t, i);
    file_unref(t->entries[i].file);
  }
  ASSERT(t->watchers == NULL);
  kfree(t->entries);
  fdtable_init(t);
}

/* A poll set belongs to one table: it knows that table's numbers. */
static bool may_leave(const struct file *f) {
  return f->type != FILETYPE_POLL;
}

errno_t fdtable_copy(struct fdtable *t, const struct fdtable *from) {
  if (from->capacity == 0)
    return 0;
  t->entries = kzalloc(from->capacity * sizeof t->entries[0]);
  if (t->entries == NULL)
    return ENOMEM;
  t->capacity = from->capacity;
  for (uint32_t i = 0; i < from->capacity; i++) {
    struct file *f = from->entries[i].file;
    if (f == NULL || !may_leave(f))
      continue;
    t->entries[i] = from->entries[i];
    file_ref(f);
    t->count++;
  }
  return 0;
}

static struct fd_entry *entry_of(struct fdtable *t, fd_t fd) {
  if (__builtin_expect(fd >= t->capacity || t->entries[fd].file == NULL, 0))
    return NULL;
  return &t->entries[fd];
}

errno_t fd_lookup(struct fdtable *t, fd_t fd, struct fd_entry **entry) {
  *entry = entry_of(t, fd);
  return *entry == NULL ? EBADF : 0;
}

errno_t fd_get(struct fdtable *t, fd_t fd, rights_t needed, struct file **file) {
  struct fd_entry *e = entry_of(t, fd);
  if (__builtin_expect(e == NULL, 0))
    return EBADF;
  if (__builtin_expect((needed & ~e->base) != 0, 0))
    return ENOTCAPABLE;
  *file = file_ref(e->file);
  return 0;
}

/* Makes room for one more number. */
static errno_t grow(struct fdtable *t) {
  if (t->capacity >= FD_MAX)
    return EMFILE;
  uint32_t capacity = t->capacity == 0 ? FIRST_CAPACITY : t->capacity * 2;
  struct fd_entry *entries = kzalloc(capacity * sizeof *entries);
  if (entries == NULL)
    return ENOMEM;
  if (t->capacity > 0)
    memcpy(entries, t->entries, t->capacity * sizeof *entries);
  kfree(t->entries);
  t->entries = entries;
  t->capacity = capacity;
  return 0;
}

errno_t fd_reserve(struct fdtable *t) {
  uint32_t i = t->lowest_free;
  while (i < t->capacity && t->entries[i].file != NULL)
    i++;
  t->lowest_free = i;
  return i < t->capacity ? 0 : grow(t);
}

errno_t fd_install(struct fdtable *t, struct file *file, rights_t base, rights_t inheriting,
                   fd_t *fd) {
  errno_t e = fd_reserve(t);
  if (e != 0)
    return e;
  uint32_t i = t->lowest_free;
  t->entries[i] = (struct fd_entry){file, base, inheriting};
  t->lowest_free = i + 1;
  t->count++;
  *fd = i;
  return 0;
}

errno_t fd_copy(struct fdtable *t, struct fdtable *from, fd_t fd) {
  const struct fd_entry *source = entry_of(from, fd);
  fd_t copy;
  if (source == NULL)
    return EBADF;
  if (!may_leave(source->file))
    return EINVAL;
  errno_t e = fd_install(t, source->file, source->base, source->inheriting, &copy);
  if (e == 0)
    file_ref(source->file);
  return e;
}

errno_t fd_close(struct fdtable *t, fd_t fd) {
  struct fd_entry *e = entry_of(t, fd);
  if (e == NULL)
    return EBADF;
  struct file *file = e->file;
  tell_watchers(t, fd);
  *e = (struct fd_entry){0};
  if (fd < t->lowest_free)
    t->lowest_free = fd;
  t->count--;
  file_unref(file); /* last: it may do anything but look at this number */
  return 0;
}

errno_t fd_replace(struct fdtable *t, fd_t from, fd_t to) {
  struct fd_entry *source = entry_of(t, from), *target = entry_of(t, to);
  if (source == NULL || target == NULL)
    return EBADF;
  if (source == target)
    return 0;
  struct file *old = target->file;
  tell_watchers(t, to);
  *target = *source;
  file_ref(target->file);
  file_unref(old);
  return 0;
}

void fd_watch(struct fdtable *t, struct fd_watcher *w) {
  w->next = t->watchers;
  t->watchers = w;
}

void fd_unwatch(struct fdtable *t, struct fd_watcher *w) {
  struct fd_watcher **link = &t->watchers;
  while (*link != w)
    link = &(*link)->next;
  *link = w->next;
}
