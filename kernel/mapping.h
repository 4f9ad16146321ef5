/*
 * The mappings of an address space as a balanced tree by address: private to aspace*.c.
 *
 * Every node also knows the bounds of its subtree and the largest hole inside, so that a place for
 * a new mapping is found without a walk over all.
 */
#ifndef KERNEL_MAPPING_H
#define KERNEL_MAPPING_H

#include "kernel/aspace.h"

struct mapping {
  struct mapping *left, *right;
  uintptr_t start, end; /* page aligned, not empty */
  uintptr_t lo, hi;     /* of the subtree: its first start and last end */
  size_t max_gap;       /* the largest hole between two mappings of the subtree */
  struct aspace *as;
  struct list link;   /* in obj->mappings */
  struct memobj *obj; /* NULL: zeroes */
  uint64_t offset;    /* in obj, of start; 0 without obj */
  const char *name;
  mprot_t prot, max_prot;
  uint8_t flags; /* MAPPING_SHARED (which has an object) or 0 */
  uint8_t height;
};

struct aspace {
  struct arch_aspace arch;
  struct mapping *root;
  size_t count;       /* of mappings */
  size_t resident;    /* pages present */
  uintptr_t mmap_top; /* mappings without an address go below it */
  uint64_t changes;   /* of mappings and pages: who slept starts again if it moved */
};

/* The tree. No mappings overlap. */
void maptree_insert(struct mapping **root, struct mapping *m);
void maptree_remove(struct mapping **root, struct mapping *m);
/* After m's bounds changed, its order among the others being the same. */
void maptree_update(struct mapping *root, const struct mapping *m);
/* The mapping that holds va, else the first one after it; NULL: none. */
struct mapping *maptree_find(struct mapping *root, uintptr_t va);
/* The start of the highest `size` free bytes in [floor, ceiling), at their upper end; 0: none. */
uintptr_t maptree_hole(const struct mapping *root, size_t size, uintptr_t floor, uintptr_t ceiling);
/* DEBUG: panics on a contradiction; returns the number of mappings. */
size_t maptree_verify(const struct mapping *root);

/* aspace.c: enters m, which has an object or none, into the object's list and takes a reference. */
void mapping_link(struct mapping *m);

/* ---- aspace_fault.c -------------------------------------------------------------------------- */

/* What the page at va is needed for. */
enum page_use {
  PAGE_READ,
  PAGE_WRITE,
  PAGE_REPLACE, /* all of it will be overwritten: its contents don't matter */
};
/* Makes the page at va of mapping m present, and the mapping's own if it is to be written to.
 * EAGAIN: the object slept, and something has changed meanwhile; m may be gone. */
errno_t mapping_page_in(struct aspace *as, const struct mapping *m, uintptr_t va, enum page_use use,
                        pa_t *pa);

/* ---- aspace_pages.c: pages that are present -------------------------------------------------- */

/* What m's protection is to the processor; without write, unless `writable`. */
unsigned mapping_arch_prot(const struct mapping *m, bool writable);
/* Puts a page at va, in the place of what is there; writable if m's protection says so, too. */
errno_t mapping_install(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t pa,
                        bool writable);
/* A reference to a page that is not page.c's is nothing. False: it has too many. */
bool page_take(pa_t pa);
void page_drop(pa_t pa);
/* Whether a page present in a private mapping is nobody else's. */
bool page_owned(pa_t pa);
/* Gives the pages present in [va, end) the protection of m, of which the range is a part. */
void mapping_protect_pages(struct aspace *as, const struct mapping *m, uintptr_t va, uintptr_t end);
/* Gives the child the pages of the private mapping m: whoever writes to one first copies it. */
errno_t mapping_share_pages(struct aspace *parent, const struct mapping *m, struct aspace *child);
/* Unmaps and releases the pages present in [va, end). */
void aspace_release_pages(struct aspace *as, uintptr_t va, uintptr_t end);

/* ---- aspace_large.c: large pages, each of which lies in one mapping -------------------------- */

/* Makes the large page around va present where m is fit for one; tells the small one in it. False:
 * it is not, or memory is scarce. */
bool mapping_large_in(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t *pa);
/* The large page around va (present, page pa at va) is made writable if all of it is m's own. */
bool mapping_large_own(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t pa);
/* What mapping_protect_pages(), mapping_share_pages() (false: by small pages, please) and
 * aspace_release_pages() do with the large page at va. */
void mapping_protect_large(struct aspace *as, const struct mapping *m, uintptr_t va, pa_t pa);
bool mapping_share_large(struct aspace *parent, uintptr_t va, pa_t pa, unsigned have,
                         struct aspace *child, errno_t *e);
void aspace_release_large(struct aspace *as, uintptr_t va, pa_t pa);
/* Makes va a border of pages. ENOMEM. */
errno_t aspace_split_large(struct aspace *as, uintptr_t va);

#endif
