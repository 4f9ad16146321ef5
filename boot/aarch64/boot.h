/*
 * What boot/aarch64 gives to arch/aarch64.
 */
#ifndef BOOT_AARCH64_BOOT_H
#define BOOT_AARCH64_BOOT_H

#include "arch/aarch64/platform.h"
#include "boot/bootinfo.h"

/* What the machine consists of: as EFI's entry found it by ACPI, else from the device tree, whose
 * memory it then gives to boot->ram. Called once by arch_init_early(), while the boot's view of
 * memory is still there. */
void boot_platform(struct bootinfo *boot, struct a64_platform *platform);

#endif
