/*
 * Kernel memory of any size: size classes over pages. Never sleeps; kernel lock.
 * The memory lies in the direct map, so a device may reach it (va_to_pa), and a block of up to
 * PAGE_SIZE never crosses a page boundary. Up to 2032 bytes the classes waste little; a larger
 * block takes 4096 bytes, 8192, and so on up to PAGE_SIZE << PAGE_ORDER_MAX.
 */
#ifndef KERNEL_HEAP_H
#define KERNEL_HEAP_H

#include <stddef.h>

/* At least `size` bytes, 16-byte aligned; NULL: out of memory. size 0 is like 1. */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
/* Takes NULL. Finds the size by itself. */
void kfree(void *p);
/* Bytes usable behind p. */
size_t kmalloc_size(const void *p);

/* Bytes handed out now, for the tests and the log. */
size_t heap_used_bytes(void);
/* DEBUG: checks every slab; panics on a contradiction. */
void heap_check(void);

#endif
