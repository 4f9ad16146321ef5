/*
 * What the EFI entry (efi.c) hands to the entry that all loaders share, and what it wants of it.
 *
 * efi_entry runs as an EFI application: it asks the firmware for everything, ends the boot
 * services, copies the image to a 2 MiB boundary, turns the MMU and the caches off (at EL1 or EL2)
 * and jumps to the image's first byte, where QEMU's -kernel enters as well. x0 is then the physical
 * address of the device tree, or 0 where the firmware has ACPI instead. That entry sees that
 * boot_efi.used is set and takes what is in boot_efi.boot and boot_efi.platform instead of looking
 * in the device tree.
 *
 * boot_efi lies in .data, not in .bss: it is filled before that entry runs.
 */
#ifndef BOOT_AARCH64_EFI_H
#define BOOT_AARCH64_EFI_H

#include "arch/aarch64/platform.h"
#include "boot/bootinfo.h"

struct boot_efi {
  uint64_t used; /* 1: the image was started by EFI */
  /* ram (device tree taken out; the image is not), acpi_rsdp_pa, fdt_pa, wallclock_ns, seed and
   * cmdline are set; loader, payload and the kernel's place are not. */
  struct bootinfo boot;
  bool have_platform; /* platform is filled, from ACPI; else the device tree has to tell */
  struct a64_platform platform;
};
extern struct boot_efi boot_efi;

struct efi_system_table;
struct efi_loaded_image;

/* efi.c; called by efi_entry.S on the firmware's stack. Returns only when it can't boot. */
uint64_t efi_main(void *image_handle, struct efi_system_table *table);

/* efi_cmdline.c: the command line, from the load options or the file `virga.cmdline`. */
void efi_read_cmdline(struct bootinfo *boot, struct efi_system_table *table,
                      const struct efi_loaded_image *image);

/* efi_entry.S: behind the end of the boot services. Makes the image at `base` visible to a
 * processor without caches, turns MMU and caches off, and enters the image with fdt_pa in x0. */
_Noreturn void efi_jump(uint64_t base, uint64_t bytes, uint64_t fdt_pa);

#endif
