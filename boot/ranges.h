/*
 * The list of usable memory in struct bootinfo, made from what loaders tell: their maps are neither
 * sorted nor disjoint nor page aligned, and reserved ranges may lie over usable ones.
 *
 * First add all that is usable, then remove all that is not. Pure; no lock.
 */
#ifndef BOOT_RANGES_H
#define BOOT_RANGES_H

#include <stdint.h>

#include "boot/bootinfo.h"

/* Adds the whole pages of [start, start + size). When the list is full the range is left out. */
void boot_ranges_add(struct bootinfo *boot, uint64_t start, uint64_t size);
/* Takes every page that [start, start + size) touches out. When a split does not fit into the
 * list, the upper piece is left out. */
void boot_ranges_remove(struct bootinfo *boot, uint64_t start, uint64_t size);

#endif
