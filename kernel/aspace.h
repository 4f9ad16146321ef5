/*
 * User address spaces: mappings over memory objects, filled page by page on demand.
 *
 * Kernel lock; no call sleeps for anonymous memory and files in memory. Ranges are page
 * aligned unless noted; addresses outside [USER_START, USER_END) are EINVAL. On an error nothing
 * has changed.
 */
#ifndef KERNEL_ASPACE_H
#define KERNEL_ASPACE_H

#include <stdbool.h>

#include "arch/arch.h"
#include "kernel/list.h"
#include "kernel/memobj.h"

#define ASPACE_MAPPINGS_MAX 65536 /* then ENOMEM */

enum {                     /* flags of a mapping */
       MAPPING_SHARED = 1, /* writes go to the object; else copy-on-write */
       MAPPING_FIXED = 2,  /* at exactly this address, replacing what is there */
};

struct aspace;

/* ENOMEM. */
errno_t aspace_create(struct aspace **as);
void aspace_destroy(struct aspace *as); /* not the one in use; takes NULL */
struct arch_aspace *aspace_arch(struct aspace *as);

/* A child's address space: shared mappings are shared, private memory is copied when either side
 * writes to it. ENOMEM: there is none. */
errno_t aspace_fork(struct aspace *parent, struct aspace **child);
/* What a lock in shared memory is known by: the object behind a shared mapping at va and the offset
 * in it; no reference is taken. False: va is in private memory, or unmapped. */
bool aspace_shared_object(struct aspace *as, uintptr_t va, struct memobj **obj, uint64_t *offset);

/* Maps `size` bytes of obj (NULL: zeroes) from `offset` on. prot: MPROT bits of the ABI
 * (PROT_READ…), not WRITE and EXEC together. `*va` is the address with MAPPING_FIXED, else an
 * output: near the other mappings made so, the first one at a random place. `max_prot`: what a
 * later protect may ask for, at least prot. The mapping takes its own reference; `name` (for the
 * crash report) stays the caller's and must live on. ENOMEM, EINVAL. */
errno_t aspace_map(struct aspace *as, uintptr_t *va, size_t size, mprot_t prot, mprot_t max_prot,
                   unsigned flags, struct memobj *obj, uint64_t offset, const char *name);
/* Frees the pages at once. Holes are fine. EINVAL; ENOMEM: a mapping had to be split. */
errno_t aspace_unmap(struct aspace *as, uintptr_t va, size_t size);
/* EINVAL; ENOMEM: a part is not mapped, or a mapping had to be split; EACCES: beyond max_prot. */
errno_t aspace_protect(struct aspace *as, uintptr_t va, size_t size, mprot_t prot);
/* 0 if all of the range is mapped, else ENOMEM; EINVAL (mem_advise, mem_sync). */
errno_t aspace_check(struct aspace *as, uintptr_t va, size_t size);
/* mem_sync: has the objects of shared mappings write what was changed. May sleep. ENOMEM: a part is
 * not mapped; EINVAL; EIO. */
errno_t aspace_sync(struct aspace *as, uintptr_t va, size_t size);
/* A random hole of `size` bytes whose address is a multiple of `align` (a power of two); not
 * reserved. ENOMEM. */
errno_t aspace_find(struct aspace *as, size_t size, size_t align, uintptr_t *va);

/* Makes the page at va accessible. access: one of ARCH_READ, ARCH_WRITE, ARCH_EXEC. 0; EFAULT: no
 * mapping or its protection forbids it (SIGSEGV); ENOMEM: no memory; others: the object hasn't got
 * the page (SIGBUS). */
errno_t aspace_fault(struct aspace *as, uintptr_t va, unsigned access);
/* Stores n bytes at va (any alignment; NULL: zeroes), whatever the mapping's protection: for the
 * loader. The address space need not be the one in use. EFAULT: not mapped; errors as above; what
 * was stored before an error stays. */
errno_t aspace_write(struct aspace *as, uintptr_t va, const void *src, size_t n);

/* One line per mapping to the log; marks the one around va and leaves out what is far from it.
 * For the crash report. */
void aspace_print(struct aspace *as, uintptr_t va);
/* Pages present, and mappings, for the log. */
size_t aspace_resident_pages(const struct aspace *as);
size_t aspace_mapping_count(const struct aspace *as);
/* DEBUG: panics on a contradiction. */
void aspace_verify(struct aspace *as);

#endif
