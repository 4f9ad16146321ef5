/*
 * What every loader's entry hands to kernel_main(), whatever the loader was.
 *
 * boot/ fills it on the boot stack, with interrupts off, before any allocator runs, and
 * copies into it (or into static buffers beside it) what lies in memory that the loader's
 * own map calls available.
 */
#ifndef BOOT_BOOTINFO_H
#define BOOT_BOOTINFO_H

#include <stddef.h>
#include <stdint.h>

#define BOOT_RANGES_MAX 64
#define BOOT_CMDLINE_MAX 2048
#define BOOT_SEED_MAX 64

struct boot_range {
  uint64_t start_pa;   /* page aligned */
  uint64_t size_bytes; /* a multiple of the page size, not 0 */
};

struct bootinfo {
  const char *loader; /* "PVH", "multiboot2", … for the log */
  /* Usable memory, ascending, disjoint. The kernel, its payload and page 0 are not in it. */
  struct boot_range ram[BOOT_RANGES_MAX];
  size_t ram_count;
  uint64_t kernel_start_pa; /* page aligned; the image including BSS and payload */
  uint64_t kernel_end_pa;
  const void *payload;         /* a cpio archive, mapped read-only; see docs/images.md */
  size_t payload_bytes;        /* an upper bound: the archive's own trailer ends it */
  uint64_t acpi_rsdp_pa;       /* 0: none */
  uint64_t fdt_pa;             /* 0: none */
  uint64_t wallclock_ns;       /* realtime at boot if the loader told it, else 0 */
  uint8_t seed[BOOT_SEED_MAX]; /* random bytes that the loader gave */
  size_t seed_bytes;
  char cmdline[BOOT_CMDLINE_MAX]; /* NUL-terminated; cut if longer */
};

/* kernel/main.c. Called once by boot/, on the boot stack, interrupts off, paging as arch
 * wants it. Never returns. */
_Noreturn void kernel_main(struct bootinfo *boot);

#endif
