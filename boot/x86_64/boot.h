/*
 * What the files of boot/x86_64 share.
 */
#ifndef BOOT_X86_64_BOOT_H
#define BOOT_X86_64_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"
#include "boot/x86_64/loader.h"

#define BOOT_WINDOW_BYTES \
  (2ul << 20) /* at least so much can be read behind the address asked for */

/* Physical memory anywhere, until the next call. For what loaders leave behind. */
const void *boot_window(uint64_t pa);

/* Copies a command line of at most `max` bytes, up to its NUL. */
void boot_set_cmdline(struct bootinfo *boot, const char *text, size_t max);

/* Fill in all but the kernel's and the payload's place. */
void boot_pvh(struct bootinfo *boot, uint64_t info_pa);
void boot_multiboot2(struct bootinfo *boot, uint64_t info_pa);

#endif
