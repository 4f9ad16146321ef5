/*
 * Page caches: the contents of a file as pages in memory, which read, write and mappings share.
 *
 * One per file of tmpfs or a disk, and per piece of shared memory. It is a memory object, so that
 * mem_map maps its pages themselves; what a call wrote is in the mapping at once and the other way
 * round. Pages that nobody has touched are not there (a sparse file) and read as zeroes.
 *
 * Kernel lock; sleeps only where an owner's operation does. The owner embeds it, and keeps calls
 * that change the size apart if its operations sleep; page faults come in at any time.
 */
#ifndef KERNEL_PAGECACHE_H
#define KERNEL_PAGECACHE_H

#include <stdbool.h>

#include "kernel/memobj.h"
#include "kernel/pagetree.h"
#include "kernel/uio.h"

struct pagecache;

#define PAGECACHE_CLUSTER 32u /* pages that are read at once, at most */

/* What the owner does; NULL: nothing, successfully. */
struct pagecache_ops {
  /* One page more will be held: ENOSPC, when the owner's file system has no room. */
  errno_t (*charge)(struct pagecache *pc);
  /* n pages were given back. */
  void (*uncharge)(struct pagecache *pc, size_t n);
  /* Fills n new pages, at most PAGECACHE_CLUSTER, with what the medium holds from page `index` on.
   * NULL: zeroes. EIO. May sleep. */
  errno_t (*fill)(struct pagecache *pc, uint64_t index, void **pages, unsigned n);
  /* A program is about to write to the page by a mapping. May sleep; ENOSPC, EIO. */
  errno_t (*dirty)(struct pagecache *pc, uint64_t index);
  /* Writes n changed pages, at most PAGECACHE_CLUSTER, from `index` on to the medium. *whole is n,
   * and becomes less where a part of the page after so many has no place there yet: from there on
   * they stay dirty. May sleep; EIO. NULL: there is no medium, and no page is ever dirty. */
  errno_t (*write)(struct pagecache *pc, uint64_t index, void **pages, unsigned n, unsigned *whole);
  /* Writes what was changed in [offset, offset + len) to the medium, for mem_sync. May sleep; EIO.
   */
  errno_t (*sync)(struct pagecache *pc, uint64_t offset, uint64_t len);
  /* The owner's is the only reference that is left: nobody maps it any more. May drop that one
   * too; does not sleep. */
  void (*alone)(struct pagecache *pc);
  /* The last reference went; the pages are gone. Frees what embeds it. Does not sleep. */
  void (*destroy)(struct pagecache *pc);
};

struct pagecache {
  struct memobj obj; /* its references are the cache's */
  const struct pagecache_ops *ops;
  uint64_t size_bytes; /* the file's size: mapped pages that begin behind it are a SIGBUS */
  struct pagetree tree;
  advice_t advice;        /* ADVICE_NORMAL, _RANDOM or _SEQUENTIAL: how it will be read */
  struct list refillable; /* in the list of those that may lose pages; private */
  uint64_t reclaim_at;    /* where the next one to lose is looked for; private */
  uint32_t shrinks; /* how often pages were given back: who filled one meanwhile starts again */
};

/* An empty one of size 0, with one reference. */
void pagecache_init(struct pagecache *pc, const struct pagecache_ops *ops);

/* The page that holds byte `index << PAGE_SHIFT`, without reading ahead. Not held: with `create` it
 * is made (charge, fill), else *page is NULL where the owner has no `fill` (a hole), and filled
 * where it has. ENOMEM, ENOSPC, EIO. The page is the cache's. */
errno_t pagecache_get(struct pagecache *pc, uint64_t index, bool create, void **page);

/* Moves bytes up to the end of the file. EFAULT, ENOMEM, EIO; a part may have moved. */
errno_t pagecache_read(struct pagecache *pc, struct uio *uio, uint64_t offset);
/* Moves all bytes, and the end of the file if need be. ENOSPC, ENOMEM, EFAULT: what did move counts
 * (0 then, and the size is that much), unless that is nothing. The caller has checked the limits
 * of offsets. */
errno_t pagecache_write(struct pagecache *pc, struct uio *uio, uint64_t offset);
/* Makes the file this long: zeroes up to the new end, or its pages behind the new end given back
 * and taken out of every mapping, and the rest of the last page zeroed. ENOMEM, EIO: of a last page
 * that had to be filled first; a file that gets longer is then as it was, one that gets shorter has
 * its new end. */
errno_t pagecache_resize(struct pagecache *pc, uint64_t size_bytes);
/* Holds all pages of [offset, offset + len). ENOSPC, ENOMEM: those made stay. */
errno_t pagecache_allocate(struct pagecache *pc, uint64_t offset, uint64_t len);

/* Marks a page that is held, if the owner has `write`. What was written by calls and mappings is
 * marked already. */
void pagecache_dirty(struct pagecache *pc, uint64_t index);
/* Writes all dirty pages, in order, neighbours together; what is changed meanwhile may be left.
 * EIO: some are still dirty. One at a time: what another call is writing is not dirty. */
errno_t pagecache_writeback(struct pagecache *pc);
/* Zeroes what is in memory of bytes [from, to), and leaves the marks as they are. */
void pagecache_zero(struct pagecache *pc, uint64_t from, uint64_t to);
/* Honours what was said of [offset, offset + len), `len` 0: to the end; NORMAL, RANDOM and
 * SEQUENTIAL are about the whole file. WILLNEED reads what memory has room for, DONTNEED lets go of
 * clean pages that nobody maps. */
void pagecache_advise(struct pagecache *pc, uint64_t offset, uint64_t len, advice_t advice);

/* Whether so many pages wait for their medium, an eighth of memory, that whoever makes another one
 * has to write some first. */
bool pagecache_too_dirty(void);

/* Lets go of clean pages that can be read again, of all caches in turn, mapped ones last, until n
 * pages of memory are free or there are no more. True: n are free. */
bool pagecache_make_room(size_t n);
/* Writes the dirty pages of one cache to its medium, so that they may go too. False: there are
 * none, or it can't be written. Sleeps. */
bool pagecache_write_some(void);

/* A piece of shared memory that has no name: what fd_create1(SHARED_MEMORY) and anonymous shared
 * mappings are. Size 0; one reference. ENOMEM. */
errno_t pagecache_create_anonymous(struct pagecache **pc);

#endif
