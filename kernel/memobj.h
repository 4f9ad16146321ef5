/*
 * Memory objects: where the pages of a mapping come from. Mappings and open files share them.
 *
 * Kernel lock. A page that page.c manages has a reference of its own for each place where it is
 * mapped, besides the object's; pages outside of it (the image's payload) are mapped as they are.
 */
#ifndef KERNEL_MEMOBJ_H
#define KERNEL_MEMOBJ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "kernel/list.h"

struct memobj {
  const struct memobj_ops *ops;
  uint32_t refs;
  struct list mappings; /* of all address spaces; aspace.c's */
};

struct memobj_ops {
  /* The page at byte offset `offset` (page aligned), for reading or for writing in place. The page
   * belongs to the object and stays as long as the mapping does; the same offset gives the same
   * page. ERANGE: beyond the object's end; EIO, EROFS: it can't be had so (all of them a SIGBUS);
   * ENOMEM. May sleep. */
  errno_t (*get_page)(struct memobj *obj, uint64_t offset, bool write, pa_t *pa);
  /* Writes what was changed in [offset, offset + len) to the medium, for mem_sync. NULL: there is
   * none. May sleep. EIO. */
  errno_t (*sync)(struct memobj *obj, uint64_t offset, uint64_t len);
  /* One reference is left. May drop it; does not sleep. NULL: nothing is to be done. */
  void (*alone)(struct memobj *obj);
  void (*destroy)(struct memobj *obj);
};

/* refs = 1, no mappings. */
void memobj_init(struct memobj *obj, const struct memobj_ops *ops);

static inline struct memobj *memobj_ref(struct memobj *obj) {
  obj->refs++;
  return obj;
}

void memobj_unref(struct memobj *obj); /* takes NULL */

/* aspace_share.c: takes the object's own pages of [offset, offset + len) out of all mappings (not
 * the copies that private ones made), so that the next access asks for them again. */
void memobj_revoke(struct memobj *obj, uint64_t offset, uint64_t len);

/* Lets the next write to the pages of [offset, offset + len) by any shared mapping ask for them
 * again. */
void memobj_write_protect(struct memobj *obj, uint64_t offset, uint64_t len);

/* An object over n bytes of kernel memory, which stay there and don't change; read-only. Complete
 * pages are mapped where they lie if `data` is page aligned; the others are copied when first
 * needed, with zeroes behind the end. One reference. ENOMEM. */
errno_t memobj_bytes_create(const void *data, size_t n, struct memobj **out);

#endif
