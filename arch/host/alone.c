/*
 * A machine of one thread without programs, for kernel code that wants one: nobody else holds a
 * lock, and nobody has mapped a file. waits.c has the waiting.
 */
#include <string.h>

#include "kernel/memobj.h"

struct thread *arch_current(void) {
  return (struct thread *)1; /* nobody looks at it */
}

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  memcpy(dst, src, n);
  return 0;
}

void memobj_revoke(struct memobj *obj, uint64_t offset, uint64_t len) {
  (void)obj;
  (void)offset;
  (void)len;
}

void memobj_write_protect(struct memobj *obj, uint64_t offset, uint64_t len) {
  (void)obj;
  (void)offset;
  (void)len;
}
