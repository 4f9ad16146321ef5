/*
 * The mem_ calls: reference section 6, whose order of checks this is.
 *
 * Called by dispatch.c, kernel lock held; mapping a file may sleep. Addresses are rounded as the
 * reference says; aspace.c checks that they lie in user space.
 */
#include "kernel/aspace.h"
#include "kernel/page.h"
#include "kernel/pagecache.h"
#include "kernel/process.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

static bool prot_ok(mprot_t prot) {
  return (prot & ~(PROT_EXEC | PROT_WRITE | PROT_READ)) == 0 &&
         (prot & (PROT_EXEC | PROT_WRITE)) != (PROT_EXEC | PROT_WRITE);
}

static bool flags_ok(mflags_t flags) {
  const unsigned kinds = MAP_PRIVATE | MAP_SHARED;
  return (flags & ~(MAP_ANON | MAP_FIXED | kinds)) == 0 && (flags & kinds) != 0 &&
         (flags & kinds) != kinds;
}

/* Rounds a range out to pages. False: it wraps. */
static bool round_range(uintptr_t *va, size_t *len) {
  uintptr_t first = *va & ~(PAGE_SIZE - 1);
  if (*len > UINTPTR_MAX - (PAGE_SIZE - 1) - *va)
    return false;
  *len = ((*va + *len + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1)) - first;
  *va = first;
  return true;
}

/* A file and what its descriptor lets a mapping of it ever have. Any protection lets the program
 * read, because the processors offer nothing less: so it takes fd_read (reference 2.4 and 6). */
static errno_t get_file(struct thread *t, fd_t fd, mprot_t prot, bool shared, struct file **file,
                        mprot_t *max_prot) {
  rights_t needed = RIGHT_MEM_MAP;
  if (prot != 0)
    needed |= RIGHT_FD_READ;
  if ((prot & PROT_WRITE) != 0 && shared)
    needed |= RIGHT_FD_WRITE;
  if ((prot & PROT_EXEC) != 0)
    needed |= RIGHT_MEM_MAP_EXEC;
  struct fd_entry *entry;
  errno_t e = fd_lookup(&t->process->fds, fd, &entry);
  if (e != 0)
    return e;
  *max_prot = 0;
  if ((entry->base & RIGHT_FD_READ) != 0) {
    *max_prot = PROT_READ;
    if (!shared || (entry->base & RIGHT_FD_WRITE) != 0)
      *max_prot |= PROT_WRITE;
    if ((entry->base & RIGHT_MEM_MAP_EXEC) != 0)
      *max_prot |= PROT_EXEC;
  }
  return fd_get(&t->process->fds, fd, needed, file);
}

static bool length_and_place_ok(uintptr_t va, size_t len, mflags_t flags) {
  return len != 0 && ((flags & MAP_FIXED) == 0 || (va & (PAGE_SIZE - 1)) == 0);
}

static unsigned mapping_flags(mflags_t flags) {
  return ((flags & MAP_SHARED) != 0 ? MAPPING_SHARED : 0) |
         ((flags & MAP_FIXED) != 0 ? MAPPING_FIXED : 0);
}

static errno_t map_file(struct thread *t, uintptr_t *va, size_t len, mprot_t prot, mflags_t flags,
                        fd_t fd, filesize_t off) {
  bool shared = (flags & MAP_SHARED) != 0;
  struct file *file;
  mprot_t max_prot;
  errno_t e = get_file(t, fd, prot, shared, &file, &max_prot);
  if (e != 0)
    return e;
  struct memobj *obj = NULL;
  if (!length_and_place_ok(*va, len, flags) || (off & (PAGE_SIZE - 1)) != 0)
    e = EINVAL;
  else if (file->ops->memobj == NULL)
    e = ENODEV;
  else
    e = file->ops->memobj(file, &obj);
  if (e == 0)
    e = aspace_map(t->process->aspace, va, len, prot, max_prot, mapping_flags(flags), obj, off,
                   "file");
  memobj_unref(obj);
  file_unref(file);
  return e;
}

static errno_t map_anonymous(struct thread *t, uintptr_t *va, size_t len, mprot_t prot,
                             mflags_t flags) {
  if (!length_and_place_ok(*va, len, flags))
    return EINVAL;
  /* Memory comes at the first access, when there is nobody left to tell that there is none. So what
   * exceeds the free memory is refused here, unless it is a mere reservation of addresses. */
  if ((prot & PROT_WRITE) != 0 && !pagecache_make_room((len >> PAGE_SHIFT) + PAGE_RESERVE))
    return ENOMEM;
  struct pagecache *pc = NULL; /* what a child by fork will share */
  errno_t e = 0;
  if ((flags & MAP_SHARED) != 0)
    e = pagecache_create_anonymous(&pc);
  if (pc != NULL)
    e = pagecache_resize(pc, len);
  struct memobj *obj = pc != NULL ? &pc->obj : NULL;
  if (e == 0)
    e = aspace_map(t->process->aspace, va, len, prot, PROT_READ | PROT_WRITE | PROT_EXEC,
                   mapping_flags(flags), obj, 0, "memory");
  memobj_unref(obj);
  return e;
}

errno_t sys_mem_map(struct thread *t, void *addr, size_t len, mprot_t prot, mflags_t flags, fd_t fd,
                    filesize_t off, void **mem) {
  if (!prot_ok(prot))
    return ENOTSUP;
  if (!flags_ok(flags))
    return EINVAL;
  bool anonymous = (flags & MAP_ANON) != 0;
  if (anonymous && (fd != MAP_ANON_FD || off != 0))
    return EINVAL;
  uintptr_t va = (uintptr_t)addr, zero = 0;
  size_t size = len;
  bool fits = round_range(&zero, &size);
  errno_t e;
  if (!fits && anonymous)
    e = ENOMEM;
  else if (anonymous)
    e = map_anonymous(t, &va, size, prot, flags);
  else
    e = map_file(t, &va, fits ? size : SIZE_MAX & ~(PAGE_SIZE - 1), prot, flags, fd, off);
  if (e != 0)
    return e;
  e = user_put((uintptr_t *)mem, va);
  if (e != 0)
    aspace_unmap(t->process->aspace, va, size);
  return e;
}

errno_t sys_mem_unmap(struct thread *t, void *mapping, size_t mapping_len) {
  uintptr_t va = (uintptr_t)mapping;
  if ((va & (PAGE_SIZE - 1)) != 0 || !round_range(&va, &mapping_len))
    return EINVAL;
  return aspace_unmap(t->process->aspace, va, mapping_len);
}

errno_t sys_mem_protect(struct thread *t, void *mapping, size_t mapping_len, mprot_t prot) {
  uintptr_t va = (uintptr_t)mapping;
  if (!prot_ok(prot))
    return ENOTSUP;
  if ((va & (PAGE_SIZE - 1)) != 0)
    return EINVAL;
  if (!round_range(&va, &mapping_len))
    return ENOMEM;
  if (mapping_len == 0) /* what a program's start code may round its relro segment down to */
    return 0;
  return aspace_protect(t->process->aspace, va, mapping_len, prot);
}

/* Whether all of the range is mapped: ENOMEM. An empty one is. */
static errno_t check_mapped(struct thread *t, const void *mapping, size_t mapping_len) {
  uintptr_t va = (uintptr_t)mapping;
  if (!round_range(&va, &mapping_len))
    return ENOMEM;
  return mapping_len == 0 ? 0 : aspace_check(t->process->aspace, va, mapping_len);
}

/* Advice is about speed alone: DONTNEED keeps the contents, as posix_madvise() does. */
errno_t sys_mem_advise(struct thread *t, void *mapping, size_t mapping_len, advice_t advice) {
  switch (advice) {
    case ADVICE_DONTNEED:
    case ADVICE_NORMAL:
    case ADVICE_RANDOM:
    case ADVICE_SEQUENTIAL:
    case ADVICE_WILLNEED:
      return check_mapped(t, mapping, mapping_len);
    default:
      return EINVAL;
  }
}

errno_t sys_mem_sync(struct thread *t, void *mapping, size_t mapping_len, msflags_t flags) {
  const unsigned kinds = MS_ASYNC | MS_SYNC;
  if ((flags & ~(kinds | MS_INVALIDATE)) != 0 || (flags & kinds) == 0 || (flags & kinds) == kinds)
    return EINVAL;
  uintptr_t va = (uintptr_t)mapping;
  if (!round_range(&va, &mapping_len))
    return ENOMEM;
  return mapping_len == 0 ? 0 : aspace_sync(t->process->aspace, va, mapping_len);
}

/* Retired (reference 9.2). Only pages that a file has, too, ever leave memory, and they come back
 * by themselves: there is nothing to lock. */
errno_t sys_mem_lock(struct thread *t, const void *mapping, size_t mapping_len) {
  return check_mapped(t, mapping, mapping_len) == 0 ? 0 : ENOMEM;
}

errno_t sys_mem_unlock(struct thread *t, const void *mapping, size_t mapping_len) {
  return sys_mem_lock(t, mapping, mapping_len);
}
