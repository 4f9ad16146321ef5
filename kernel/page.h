/*
 * Physical pages: a buddy allocator over all RAM.
 *
 * No call sleeps; all run under the kernel lock. Set up in a time that depends on the number of
 * memory ranges alone; every page costs four bytes.
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

#define PAGE_ORDER_MAX 10 /* 4 MiB blocks */
#define PAGE_REFS_MAX ((1u << 24) - 1)
/* What memory for programs and their files leaves to the kernel and to stacks mapped already. */
#define PAGE_RESERVE 16

struct bootinfo;

/* Takes over boot->ram. */
void page_init(const struct bootinfo *boot);

/* 2^order pages, aligned to their size, contents undefined; NULL: none (or the order is beyond
 * PAGE_ORDER_MAX). The address is in the direct map. */
void *page_alloc(unsigned order);
/* The same, zeroed. */
void *page_alloc_zero(unsigned order);
/* The same memory as 2^order pages of order 0, with a reference each; undefined contents. */
void *page_alloc_split(unsigned order);
/* Whether all of them still have no more than that one, and give them back if so. */
bool page_split_unshared(const void *block, unsigned order);
void page_free_split(void *block, unsigned order);
/* Gives back what page_alloc returned, by the same order; its only reference. Panics on anything
 * else: a second free, another order, an address inside a block. */
void page_free(void *page, unsigned order);
/* The order that an allocated block was asked for with. */
unsigned page_order(const void *page);

/* References to an order-0 page that several mappings share: 1 after page_alloc. False: there are
 * PAGE_REFS_MAX already. */
bool page_ref(void *page) __attribute__((warn_unused_result));
/* Drops one; the last frees the page. */
void page_unref(void *page);
uint32_t page_refs(const void *page);
/* Marks an order-0 page as a memory object's own until it is freed: memobj_revoke() knows it from
 * the copies that private mappings made. */
void page_set_cached(void *page);
bool page_cached(const void *page);
/* Whether the allocator manages the memory there (false: the kernel image, its payload, a device).
 */
bool page_managed(const void *page);

/* Pages in all, and free now. */
size_t page_total(void);
size_t page_free_count(void);

/* DEBUG: walks every free list; panics on a contradiction. */
void page_check(void);

#endif
