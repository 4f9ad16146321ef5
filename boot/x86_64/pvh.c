/*
 * The PVH loaders' start information (Xen's x86/HVM direct boot ABI, hvm_start_info).
 *
 * Called by main.c. It lies in memory of the loader's choice, below 4 GiB.
 */
#include "boot/ranges.h"
#include "boot/x86_64/boot.h"

struct pvh_info {
  uint32_t magic;
  uint32_t version; /* 1 and later have the memory map */
  uint32_t flags, nr_modules;
  uint64_t modlist_pa, cmdline_pa, rsdp_pa;
  uint64_t memmap_pa;
  uint32_t memmap_entries, reserved;
};

struct pvh_memmap {
  uint64_t start, size;
  uint32_t type, reserved;
};

enum {
  PVH_MAGIC = 0x336ec578,
  PVH_TYPE_RAM = 1,
  PVH_ENTRIES_MAX = 1024,
};

void boot_pvh(struct bootinfo *boot, uint64_t info_pa) {
  const struct pvh_info *window = boot_window(info_pa);
  boot->loader = "PVH";
  if (window->magic != PVH_MAGIC || window->version < 1)
    return;
  struct pvh_info info = *window;

  boot->acpi_rsdp_pa = info.rsdp_pa;
  if (info.cmdline_pa != 0)
    boot_set_cmdline(boot, boot_window(info.cmdline_pa), BOOT_WINDOW_BYTES);

  const struct pvh_memmap *map = boot_window(info.memmap_pa);
  uint32_t n = info.memmap_entries < PVH_ENTRIES_MAX ? info.memmap_entries : PVH_ENTRIES_MAX;
  for (uint32_t i = 0; i < n; i++) {
    if (map[i].type == PVH_TYPE_RAM)
      boot_ranges_add(boot, map[i].start, map[i].size);
  }
  for (uint32_t i = 0; i < n; i++) {
    if (map[i].type != PVH_TYPE_RAM)
      boot_ranges_remove(boot, map[i].start, map[i].size);
  }
}
