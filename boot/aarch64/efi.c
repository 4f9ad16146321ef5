/*
 * The image as an EFI application: asks the firmware for all that struct bootinfo holds, ends the
 * boot services, and enters the image as QEMU's -kernel does. See efi.h.
 *
 * Called once by efi_entry.S, on the firmware's stack, identity mapped, at EL1 or EL2. The code
 * runs where the firmware put it and not where it is linked: addresses are relative to the program
 * counter, and there are no tables of pointers.
 */
#include "boot/aarch64/efi.h"

#include "arch/arch.h"
#include "boot/aarch64/efi_types.h"
#include "boot/fdt.h"
#include "boot/ranges.h"
#include "kernel/string.h"

enum {
  IMAGE_BYTES_OFFSET = 16, /* in the Linux header */
  MAP_SLACK_BYTES = 4096,  /* allocating the map's buffer may add entries to it */
  EXIT_TRIES = 8,
};

__attribute__((section(".data.efi"))) struct boot_efi boot_efi = {.used = 0};

static const struct efi_guid loaded_image_guid = {
    0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid rng_guid = {
    0x3152bca5, 0xeade, 0x433d, {0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44}};
static const struct efi_guid acpi20_guid = {
    0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
static const struct efi_guid fdt_guid = {
    0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};

struct memory_map {
  uint8_t *entries;
  size_t bytes, capacity, entry_bytes, key;
};

static efi_status fail(struct efi_system_table *table, const efi_char *why, efi_status status) {
  table->console->output_string(table->console, why);
  return status;
}

static uint64_t find_table(const struct efi_system_table *table, const struct efi_guid *which) {
  for (size_t i = 0; i < table->configuration_count; i++)
    if (memcmp(&table->configuration[i].which, which, sizeof *which) == 0)
      return (uint64_t)(uintptr_t)table->configuration[i].table;
  return 0;
}

/* Days from 1970 to a day of the Gregorian calendar: years begin in March. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day) {
  enum { DAYS_TO_1970 = 719468 };
  if (month < 3) {
    year--;
    month += 12;
  }
  return 365ull * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day -
         1 - DAYS_TO_1970;
}

/* 0: the firmware's clock tells nothing sensible. */
static uint64_t read_wallclock_ns(const struct efi_system_table *table) {
  struct efi_time t;
  if (table->runtime->get_time(&t, NULL) != EFI_OK || t.year < 1970 || t.month < 1 ||
      t.month > 12 || t.day < 1 || t.day > 31)
    return 0;
  int64_t seconds = (int64_t)days_since_1970(t.year, t.month, t.day) * 86400 + t.hour * 3600 +
                    t.minute * 60 + t.second;
  if (t.time_zone != EFI_TIME_ZONE_UNTOLD)
    seconds += t.time_zone * 60;
  return seconds > 0 ? (uint64_t)seconds * 1000000000 + t.nanosecond : 0;
}

static void read_seed(struct bootinfo *boot, const struct efi_system_table *table) {
  void *found;
  if (table->boot->locate_protocol(&rng_guid, NULL, &found) != EFI_OK)
    return;
  struct efi_rng *rng = found;
  if (rng->get(rng, NULL, BOOT_SEED_MAX, boot->seed) == EFI_OK)
    boot->seed_bytes = BOOT_SEED_MAX;
}

/* The device tree where there is one: it tells more than ACPI's static tables. */
static void find_machine(const struct efi_system_table *table) {
  boot_efi.boot.fdt_pa = find_table(table, &fdt_guid);
  boot_efi.boot.acpi_rsdp_pa = find_table(table, &acpi20_guid);
  if (boot_efi.boot.fdt_pa == 0 && boot_efi.boot.acpi_rsdp_pa != 0)
    boot_efi.have_platform = a64_platform_from_acpi(&boot_efi.platform, boot_efi.boot.acpi_rsdp_pa);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static efi_status read_map(struct memory_map *map, const struct efi_system_table *table) {
  uint32_t version;
  map->bytes = map->capacity;
  return table->boot->get_memory_map(&map->bytes, map->entries, &map->key, &map->entry_bytes,
                                     &version);
}

static efi_status make_map_buffer(struct memory_map *map, const struct efi_system_table *table) {
  void *buffer;
  *map = (struct memory_map){0};
  efi_status status = read_map(map, table);
  if (status != EFI_BUFFER_TOO_SMALL)
    return EFI_LOAD_ERROR;
  map->capacity = map->bytes + MAP_SLACK_BYTES;
  status = table->boot->allocate_pool(EFI_LOADER_DATA, map->capacity, &buffer);
  map->entries = buffer;
  return status;
}

static bool is_usable(const struct efi_memory *m) {
  bool kind =
      (m->type >= EFI_LOADER_CODE && m->type <= EFI_BOOT_DATA) || m->type == EFI_CONVENTIONAL;
  return kind && (m->attributes & EFI_MEMORY_WRITE_BACK) != 0;
}

static void use_map(struct bootinfo *boot, const struct memory_map *map) {
  if (map->entry_bytes < sizeof(struct efi_memory))
    return;
  for (size_t at = 0; at + map->entry_bytes <= map->bytes; at += map->entry_bytes) {
    const struct efi_memory *m = (const struct efi_memory *)(map->entries + at);
    if (is_usable(m))
      boot_ranges_add(boot, m->start_pa, m->pages * EFI_PAGE_BYTES);
  }
  if (boot->fdt_pa != 0)
    boot_ranges_remove(boot, boot->fdt_pa, fdt_bytes_needed((const void *)(uintptr_t)boot->fdt_pa));
}

/* The map must be the newest: events of the firmware may change it between the two calls. */
static efi_status exit_boot_services(efi_handle image, struct memory_map *map,
                                     const struct efi_system_table *table) {
  efi_status status = EFI_LOAD_ERROR;
  for (unsigned i = 0; i < EXIT_TRIES && status != EFI_OK; i++) {
    status = read_map(map, table);
    if (status == EFI_OK)
      status = table->boot->exit_boot_services(image, map->key);
  }
  return status;
}

/* The Linux header's: payload included. */
static uint64_t image_bytes(const struct efi_loaded_image *image) {
  uint64_t bytes;
  memcpy(&bytes, (const uint8_t *)image->base + IMAGE_BYTES_OFFSET, sizeof bytes);
  return bytes;
}

uint64_t efi_main(efi_handle handle, struct efi_system_table *table) {
  struct bootinfo *boot = &boot_efi.boot;
  struct memory_map map;
  void *found;

  if (table->boot->handle_protocol(handle, &loaded_image_guid, &found) != EFI_OK)
    return fail(table, u"virga: the firmware does not tell where the image is\r\n", EFI_LOAD_ERROR);
  const struct efi_loaded_image *image = found;
  efi_read_cmdline(boot, table, image);
  boot->wallclock_ns = read_wallclock_ns(table);
  read_seed(boot, table);
  find_machine(table);
  if (boot->fdt_pa == 0 && !boot_efi.have_platform)
    return fail(table, u"virga: neither a device tree nor ACPI's MADT is there\r\n",
                EFI_LOAD_ERROR);
  if (make_map_buffer(&map, table) != EFI_OK)
    return fail(table, u"virga: not enough memory for the memory map\r\n", EFI_LOAD_ERROR);
  if (exit_boot_services(handle, &map, table) != EFI_OK)
    return fail(table, u"virga: the boot services do not end\r\n", EFI_LOAD_ERROR);

  use_map(boot, &map);
  boot_efi.used = 1;
  efi_jump((uint64_t)(uintptr_t)image->base, image_bytes(image), boot->fdt_pa);
}
