/*
 * Who loaded the kernel: a number that entry.S hands to boot_main().
 */
#ifndef BOOT_X86_64_LOADER_H
#define BOOT_X86_64_LOADER_H

#define LOADER_PVH 1
#define LOADER_MULTIBOOT2 2

#endif
