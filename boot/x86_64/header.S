/*
 * What loaders look for in the file: the PVH note (QEMU -kernel, microvm, Firecracker, Cloud
 * Hypervisor) and the multiboot2 header (GRUB on BIOS and UEFI), which must lie in the first 32 KiB.
 * Both name the physical address of a 32-bit entry.
 */
#include "arch/x86_64/layout.h"

#define PHYS(symbol) (symbol - X86_KERNEL_BASE)

#define NOTE_PVH_ENTRY 18

  .section .note.pvh, "a", @note
  .balign 4
  .long 4, 4, NOTE_PVH_ENTRY
  .asciz "Xen"
  .long PHYS(x86_pvh_entry)

#define MULTIBOOT2_MAGIC 0xe85250d6
#define MULTIBOOT2_I386 0
#define TAG_END 0
#define TAG_INFORMATION_REQUEST 1
#define TAG_ENTRY_ADDRESS 3
#define INFO_CMDLINE 1
#define INFO_MEMORY_MAP 6
#define INFO_ACPI_OLD 14
#define INFO_ACPI_NEW 15
#define OPTIONAL 1

  .section .multiboot2, "a"
  .balign 8
header:
  .long MULTIBOOT2_MAGIC, MULTIBOOT2_I386, header_end - header
  .long 0x100000000 - (MULTIBOOT2_MAGIC + MULTIBOOT2_I386 + (header_end - header))
  .balign 8
request:
  .short TAG_INFORMATION_REQUEST, 0
  .long request_end - request
  .long INFO_MEMORY_MAP
request_end:
  .balign 8
wish:
  .short TAG_INFORMATION_REQUEST, OPTIONAL
  .long wish_end - wish
  .long INFO_CMDLINE, INFO_ACPI_OLD, INFO_ACPI_NEW
wish_end:
  .balign 8
  .short TAG_ENTRY_ADDRESS, 0
  .long 12
  .long PHYS(x86_multiboot2_entry)
  .balign 8
  .short TAG_END, 0
  .long 8
header_end:
