/*
 * multiboot2's boot information (Multiboot2 Specification 2.0, section 3.6).
 *
 * Called by main.c. The information lies in memory that its own map calls available, so everything
 * that is needed later is copied. Modules are not used.
 */
#include "arch/arch.h"
#include "boot/ranges.h"
#include "boot/x86_64/boot.h"

struct mb2_info {
  uint32_t total_size, reserved;
};

struct mb2_tag {
  uint32_t type, size; /* the next tag begins at the next multiple of 8 */
};

struct mb2_memmap {
  struct mb2_tag tag;
  uint32_t entry_size, entry_version;
};

struct mb2_memmap_entry {
  uint64_t start, size;
  uint32_t type, reserved;
};

enum {
  MB2_END = 0,
  MB2_CMDLINE = 1,
  MB2_MEMMAP = 6,
  MB2_ACPI_OLD = 14,
  MB2_ACPI_NEW = 15,
  MB2_TYPE_RAM = 1,
  RSDP_MAX = 36,
};

/* GRUB on UEFI gives a copy of the RSDP, and no address of another. */
static _Alignas(16) uint8_t rsdp_copy[RSDP_MAX];

static void read_memmap(struct bootinfo *boot, const struct mb2_memmap *m, bool usable) {
  if (m->tag.size < sizeof *m || m->entry_size < sizeof(struct mb2_memmap_entry))
    return;
  const uint8_t *p = (const uint8_t *)(m + 1);
  const uint8_t *end = (const uint8_t *)m + m->tag.size;
  for (; (size_t)(end - p) >= m->entry_size; p += m->entry_size) {
    const struct mb2_memmap_entry *e = (const struct mb2_memmap_entry *)p;
    if ((e->type == MB2_TYPE_RAM) != usable)
      continue;
    if (usable)
      boot_ranges_add(boot, e->start, e->size);
    else
      boot_ranges_remove(boot, e->start, e->size);
  }
}

static void read_rsdp(struct bootinfo *boot, const struct mb2_tag *tag) {
  const uint8_t *rsdp = (const uint8_t *)(tag + 1);
  size_t n = tag->size - sizeof *tag;
  if (n > RSDP_MAX)
    n = RSDP_MAX;
  for (size_t i = 0; i < n; i++)
    rsdp_copy[i] = rsdp[i];
  boot->acpi_rsdp_pa = va_to_pa(rsdp_copy);
}

static void read_tag(struct bootinfo *boot, const struct mb2_tag *tag) {
  switch (tag->type) {
    case MB2_CMDLINE:
      boot_set_cmdline(boot, (const char *)(tag + 1), tag->size - sizeof *tag);
      break;
    case MB2_MEMMAP:
      read_memmap(boot, (const struct mb2_memmap *)tag, true);
      read_memmap(boot, (const struct mb2_memmap *)tag, false);
      break;
    case MB2_ACPI_OLD:
      if (boot->acpi_rsdp_pa == 0) /* the newer one is better */
        read_rsdp(boot, tag);
      break;
    case MB2_ACPI_NEW:
      read_rsdp(boot, tag);
      break;
  }
}

void boot_multiboot2(struct bootinfo *boot, uint64_t info_pa) {
  const struct mb2_info *info = boot_window(info_pa);
  size_t total = info->total_size < BOOT_WINDOW_BYTES ? info->total_size : BOOT_WINDOW_BYTES;
  size_t at = sizeof *info;
  boot->loader = "multiboot2";

  while (at + sizeof(struct mb2_tag) <= total) {
    const struct mb2_tag *tag = (const struct mb2_tag *)((const uint8_t *)info + at);
    if (tag->type == MB2_END || tag->size < sizeof *tag || tag->size > total - at)
      break;
    read_tag(boot, tag);
    at += (tag->size + 7) & ~(size_t)7;
  }
}
