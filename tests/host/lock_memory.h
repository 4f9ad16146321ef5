/*
 * Address spaces as kernel/lock_word.c sees them, over the fake machine: two processes and a piece
 * of memory that both map, each at an address of its own. All other memory is private to whoever
 * uses it, and the direct map is the host's addresses. The shared page moves to another frame
 * whenever an access had to wait for a disk, and the frame that it left may not be touched.
 */
#ifndef TESTS_HOST_LOCK_MEMORY_H
#define TESTS_HOST_LOCK_MEMORY_H

#include "kernel/memobj.h"
#include "tests/host/fake_machine.h"
#include "tests/host/shared_views.h"

#define SHARED_BYTES PAGE_SIZE
#define SHARED_OFFSET (7 * PAGE_SIZE) /* where the mappings begin in the object */

static struct process fake_second; /* a process beside fake_process */
static void *fake_views[4]; /* of the shared memory: the first's, the second's, and two frames */
static unsigned fake_frame; /* the view that is the page's frame now */
static size_t fake_shared_bytes;              /* what is left of it: a file may be cut off */
static unsigned fake_writable_calls;          /* aspace_fault() for another's page */
static uintptr_t fake_cow_low, fake_cow_high; /* a private page that a child shares */

static void fake_wait_for_disk(void) {
  if (list_empty(&this_cpu()->ready))
    return; /* nobody to run meanwhile */
  __asan_poison_memory_region(fake_views[fake_frame], SHARED_BYTES);
  fake_frame ^= 1; /* 2 or 3 */
  __asan_unpoison_memory_region(fake_views[fake_frame], SHARED_BYTES);
  thread_yield();
}

static errno_t shared_get_page(struct memobj *obj, uint64_t offset, bool write, pa_t *pa) {
  CHECK(write && offset % PAGE_SIZE == 0 && offset >= SHARED_OFFSET);
  CHECK(obj->refs > 1); /* the caller has one, too */
  if (fake_slow != NULL && fake_slow())
    fake_wait_for_disk();
  CHECK(obj->refs > 1);
  if (offset - SHARED_OFFSET >= fake_shared_bytes)
    return ERANGE;
  *pa = va_to_pa((char *)fake_views[fake_frame] + (offset - SHARED_OFFSET));
  return 0;
}

static const struct memobj_ops shared_ops = {.get_page = shared_get_page};
static struct memobj fake_shared = {.ops = &shared_ops, .refs = 1};

void memobj_unref(struct memobj *obj) {
  if (obj != NULL) {
    CHECK(obj->refs > 1);
    obj->refs--;
  }
}

static struct process *process_of(const struct aspace *as) {
  return as == fake_process.aspace ? &fake_process : &fake_second;
}

static bool in_view(const struct process *p, uintptr_t va) {
  uintptr_t view = (uintptr_t)fake_views[p == &fake_second];
  return view != 0 && va >= view && va - view < SHARED_BYTES;
}

bool aspace_shared_object(struct aspace *as, uintptr_t va, struct memobj **obj, uint64_t *offset) {
  const struct process *p = process_of(as);
  if (!in_view(p, va))
    return false;
  *obj = &fake_shared;
  *offset = SHARED_OFFSET + (va - (uintptr_t)fake_views[p == &fake_second]);
  return true;
}

static bool in_cow(uintptr_t va) {
  return va < fake_cow_high && va + PAGE_SIZE > fake_cow_low;
}

bool arch_aspace_query(const struct arch_aspace *as, uintptr_t va, pa_t *pa, unsigned *prot) {
  if (va >= fake_bad_low && va < fake_bad_high)
    return false;
  if (pa != NULL)
    *pa = va & ~(PAGE_SIZE - 1);
  *prot = in_cow(va) ? ARCH_READ : ARCH_READ | ARCH_WRITE;
  return true;
}

errno_t aspace_fault(struct aspace *as, uintptr_t va, unsigned access) {
  CHECK(access == ARCH_WRITE && in_cow(va));
  fake_writable_calls++;
  fake_cow_low = fake_cow_high = 0;
  return 0;
}

/* User code of a process reaches the shared memory at that process's address alone. */
static bool fake_unmapped(const void *p) {
  const struct process *self = thread_current()->process;
  const struct process *other = self == &fake_process ? &fake_second : &fake_process;
  return in_view(other, (uintptr_t)p) ||
         (in_view(self, (uintptr_t)p) && (uintptr_t)p % SHARED_BYTES >= fake_shared_bytes);
}

/* Once at the start of the tests. */
static inline void fake_share(void) {
  shared_views(fake_views, 4, SHARED_BYTES);
  fake_frame = 2;
  fake_slow_access = fake_wait_for_disk;
  fake_unmapped_hook = fake_unmapped;
}

/* The processes of the next round, without threads; the shared memory is zeroes. */
static inline void fake_processes_reset(void) {
  fake_process_reset();
  fake_second = (struct process){.aspace = (struct aspace *)&fake_second};
  list_init(&fake_second.threads);
  if (fake_views[0] != NULL)
    memset(fake_views[0], 0, SHARED_BYTES);
  fake_shared_bytes = SHARED_BYTES;
}

static inline void fake_processes_wait(void) {
  fake_process_wait();
  while (!list_empty(&fake_second.threads))
    CHECK(waitq_sleep(&fake_process_done, NEVER_NS) == 0);
  CHECK(fake_shared.refs == 1); /* all keys are gone */
}

#endif
