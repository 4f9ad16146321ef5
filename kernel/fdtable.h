/*
 * Descriptor tables: numbers to open file descriptions with rights (reference section 2).
 *
 * The lowest free number is used. Kernel lock; no call sleeps, except that dropping the last
 * reference to a file runs its close.
 */
#ifndef KERNEL_FDTABLE_H
#define KERNEL_FDTABLE_H

#include "kernel/file.h"

#define FD_MAX 65536 /* descriptors per process, then EMFILE */

/* Somebody who wants to know of every number that stops to mean what it meant, before the file
 * loses that reference. Does not sleep, nor touch the table. */
struct fd_watcher {
  struct fd_watcher *next;
  void (*closed)(struct fd_watcher *w, fd_t fd);
};

struct fdtable {
  struct fd_entry *entries;
  uint32_t capacity;
  uint32_t lowest_free; /* no free number below it */
  uint32_t count;
  struct fd_watcher *watchers;
};

void fdtable_init(struct fdtable *t);
/* Drops every reference. */
void fdtable_destroy(struct fdtable *t);
/* Gives t, fresh from fdtable_init(), all entries of `from` but poll sets. ENOMEM. */
errno_t fdtable_copy(struct fdtable *t, const struct fdtable *from);

/* The file behind fd if it has all of `needed`: a new reference. EBADF; ENOTCAPABLE. */
errno_t fd_get(struct fdtable *t, fd_t fd, rights_t needed, struct file **file);
/* The entry itself, valid until the table changes or the caller sleeps. EBADF. */
errno_t fd_lookup(struct fdtable *t, fd_t fd, struct fd_entry **entry);
/* Makes room: the next fd_install() succeeds, if nobody else installs before. EMFILE, ENOMEM. */
errno_t fd_reserve(struct fdtable *t);
/* Puts a file under the lowest free number and takes over the caller's reference (on error the
 * caller keeps it). EMFILE, ENOMEM. */
errno_t fd_install(struct fdtable *t, struct file *file, rights_t base, rights_t inheriting,
                   fd_t *fd);
/* Puts a copy of from's entry fd, rights and all, under the lowest free number of t. EBADF, EMFILE,
 * ENOMEM; EINVAL: a poll set, which can't leave its table. */
errno_t fd_copy(struct fdtable *t, struct fdtable *from, fd_t fd);
errno_t fd_close(struct fdtable *t, fd_t fd);
errno_t fd_replace(struct fdtable *t, fd_t from, fd_t to);

/* `w` is one of t's files, which lives in no other table; it is off again before it goes. */
void fd_watch(struct fdtable *t, struct fd_watcher *w);
void fd_unwatch(struct fdtable *t, struct fd_watcher *w);

#endif
