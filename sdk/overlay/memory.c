/*
 * Mappings of memory. There is no brk: malloc does with mappings alone.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "sdk/overlay/overlay.h"

static cloudabi_mprot_t protection(int prot) {
  cloudabi_mprot_t result = 0;

  if (prot & PROT_READ)
    result |= CLOUDABI_PROT_READ;
  if (prot & PROT_WRITE)
    result |= CLOUDABI_PROT_WRITE;
  if (prot & PROT_EXEC)
    result |= CLOUDABI_PROT_EXEC;
  return result;
}

CALL6(mmap, void *, address, size_t, length, int, prot, int, flags, int, fd, long, offset) {
  cloudabi_mflags_t how = 0;
  void *mapping;

  if (flags & MAP_ANON) {
    how |= CLOUDABI_MAP_ANON;
    fd = CLOUDABI_MAP_ANON_FD;
    offset = 0;
  }
  if (flags & MAP_FIXED)
    how |= CLOUDABI_MAP_FIXED;
  if (flags & MAP_PRIVATE)
    how |= CLOUDABI_MAP_PRIVATE;
  if (flags & MAP_SHARED)
    how |= CLOUDABI_MAP_SHARED;
  cloudabi_errno_t error =
      cloudabi_sys_mem_map(address, length, protection(prot), how, fd, offset, &mapping);
  return error == 0 ? (long)mapping : __error(error);
}

CALL2(munmap, void *, mapping, size_t, length) {
  return __error(cloudabi_sys_mem_unmap(mapping, length));
}

CALL3(mprotect, void *, mapping, size_t, length, int, prot) {
  return __error(cloudabi_sys_mem_protect(mapping, length, protection(prot)));
}

CALL3(msync, void *, mapping, size_t, length, int, flags) {
  cloudabi_msflags_t how = 0;

  if (flags & MS_ASYNC)
    how |= CLOUDABI_MS_ASYNC;
  if (flags & MS_INVALIDATE)
    how |= CLOUDABI_MS_INVALIDATE;
  if (flags & MS_SYNC)
    how |= CLOUDABI_MS_SYNC;
  return __error(cloudabi_sys_mem_sync(mapping, length, how));
}

/* MADV_DONTNEED and MADV_FREE throw contents away on Linux; CloudABI has no such advice. */
CALL3(madvise, void *, mapping, size_t, length, int, advice) {
  static const unsigned char advices[] = {
      [MADV_NORMAL] = CLOUDABI_ADVICE_NORMAL,
      [MADV_RANDOM] = CLOUDABI_ADVICE_RANDOM,
      [MADV_SEQUENTIAL] = CLOUDABI_ADVICE_SEQUENTIAL,
      [MADV_WILLNEED] = CLOUDABI_ADVICE_WILLNEED,
  };

  if (advice < 0 || (size_t)advice >= sizeof(advices))
    return -EINVAL;
  return __error(cloudabi_sys_mem_advise(mapping, length, advices[advice]));
}

CALL0(brk) {
  return -ENOMEM;
}
