/*
 * What the firmware's ACPI tables say of this machine: I/O APICs, moved ISA interrupts, the PM
 * timer, PCI's configuration space; and how to power off.
 *
 * x86_acpi_init: once, from arch_init(). x86_acpi_poweroff: at the end, any context. The tables are
 * mapped one at a time.
 */
#include "arch/x86_64/x86.h"
#include "boot/acpi.h"
#include "boot/bootinfo.h"
#include "kernel/log.h"
#include "kernel/string.h"

enum {
  BIOS_AREA_PA = 0xe0000,
  BIOS_AREA_BYTES = 0x20000,
  IOAPIC_DEFAULT_PA = 0xfec00000,
};

struct x86_platform x86_platform;

static struct acpi_fadt fadt;

static void use_madt(const void *madt, size_t size) {
  struct acpi_madt_entry entry;
  struct acpi_ioapic io;
  struct acpi_override over;

  for (size_t at = 0; acpi_madt_next(madt, size, &at, &entry);) {
    if (acpi_madt_ioapic(&entry, &io) && x86_platform.ioapics < X86_IOAPICS_MAX)
      x86_platform.ioapic[x86_platform.ioapics++] = (struct x86_ioapic_info){io.pa, io.gsi_base};
    if (acpi_madt_override(&entry, &over) && over.irq < 16)
      x86_platform.isa[over.irq] = (struct x86_isa_irq){over.gsi, over.level, over.active_low};
  }
}

static void use_fadt(const void *table, size_t size) {
  if (acpi_fadt(table, size, &fadt) && fadt.pm_timer.space == ACPI_SPACE_IO)
    x86_platform.pm_timer_port = (uint16_t)fadt.pm_timer.address;
}

static void use_mcfg(const void *table, size_t size) {
  uint64_t pa;
  if (acpi_mcfg(table, size, &pa, &x86_platform.ecam_bus_first, &x86_platform.ecam_bus_last))
    x86_platform.ecam_pa = pa;
}

static const struct {
  char signature[4];
  void (*use)(const void *table, size_t size);
} users[] = {{"APIC", use_madt}, {"FACP", use_fadt}, {"MCFG", use_mcfg}};

static void read_table(uint64_t pa) {
  const void *header = x86_kmap(pa, ACPI_HEADER_BYTES, ARCH_READ);
  if (header == NULL)
    return;
  size_t size = acpi_table_bytes(header), user = 0;
  while (user < 3 && !acpi_has_signature(header, users[user].signature))
    user++;
  x86_kunmap_last((void *)header, ACPI_HEADER_BYTES);
  if (user == 3 || size == 0)
    return;

  void *table = x86_kmap(pa, size, ARCH_READ);
  if (table == NULL)
    return;
  if (acpi_checksum_ok(table, size))
    users[user].use(table, size);
  else
    log_warn("acpi: table %.4s has a wrong checksum", users[user].signature);
  x86_kunmap_last(table, size);
}

/* The addresses in the root table, read before the tables themselves. */
static void read_root(uint64_t root_pa, bool is_xsdt) {
  enum { TABLES_MAX = 32 };
  uint64_t tables[TABLES_MAX];
  size_t count = 0;

  const void *header = x86_kmap(root_pa, ACPI_HEADER_BYTES, ARCH_READ);
  if (header == NULL)
    return;
  size_t size = acpi_table_bytes(header);
  x86_kunmap_last((void *)header, ACPI_HEADER_BYTES);
  void *root = size == 0 ? NULL : x86_kmap(root_pa, size, ARCH_READ);
  if (root == NULL)
    return;
  if (acpi_checksum_ok(root, size))
    while (count < TABLES_MAX && acpi_root_entry(root, size, is_xsdt, count, &tables[count]))
      count++;
  x86_kunmap_last(root, size);
  for (size_t i = 0; i < count; i++)
    read_table(tables[i]);
}

static bool read_rsdp(uint64_t pa) {
  uint64_t root_pa;
  bool is_xsdt;
  void *rsdp = x86_kmap(pa, ACPI_RSDP_BYTES, ARCH_READ);
  bool ok = rsdp != NULL && acpi_rsdp(rsdp, ACPI_RSDP_BYTES, &root_pa, &is_xsdt);
  if (rsdp != NULL)
    x86_kunmap_last(rsdp, ACPI_RSDP_BYTES);
  if (ok)
    read_root(root_pa, is_xsdt);
  return ok;
}

/* Loaders that don't tell: the BIOS keeps it in its area, on a 16-byte boundary. */
static uint64_t scan_bios_area(void) {
  const char *area = x86_kmap(BIOS_AREA_PA, BIOS_AREA_BYTES, ARCH_READ);
  uint64_t found = 0;
  if (area == NULL)
    return 0;
  for (size_t i = 0; i < BIOS_AREA_BYTES && found == 0; i += 16)
    if (memcmp(area + i, "RSD PTR ", 8) == 0)
      found = BIOS_AREA_PA + i;
  x86_kunmap_last((void *)area, BIOS_AREA_BYTES);
  return found;
}

void x86_acpi_init(const struct bootinfo *boot) {
  for (unsigned i = 0; i < 16; i++)
    x86_platform.isa[i].gsi = i;
  uint64_t rsdp_pa = boot->acpi_rsdp_pa != 0 ? boot->acpi_rsdp_pa : scan_bios_area();
  if (rsdp_pa == 0 || !read_rsdp(rsdp_pa))
    log_info("acpi: no tables");
  if (x86_platform.ioapics == 0) {
    x86_platform.ioapic[0].pa = IOAPIC_DEFAULT_PA;
    x86_platform.ioapics = 1;
  }
}

/* ---- The end --------------------------------------------------------------------------------- */

enum {
  PM1_SLEEP_ENABLE = 1 << 13,
  PM1_TYPE_SHIFT = 10,
  SLEEP_CONTROL_ENABLE = 1 << 5,
  SLEEP_CONTROL_TYPE_SHIFT = 2,
};

static void write_register(const struct acpi_register *reg, uint16_t value, bool byte) {
  if (reg->address == 0)
    return;
  if (reg->space == ACPI_SPACE_IO && byte)
    x86_out8((uint16_t)reg->address, (uint8_t)value);
  else if (reg->space == ACPI_SPACE_IO)
    x86_out16((uint16_t)reg->address, value);
  void *p = reg->space == ACPI_SPACE_MEMORY ? arch_kmap_device(reg->address, 2) : NULL;
  if (p != NULL && byte)
    mmio_write8(p, (uint8_t)value);
  else if (p != NULL)
    mmio_write16(p, value);
}

void x86_acpi_poweroff(void) {
  uint8_t type_a, type_b;
  if (fadt.dsdt_pa == 0)
    return;
  const void *header = x86_kmap(fadt.dsdt_pa, ACPI_HEADER_BYTES, ARCH_READ);
  size_t size = header != NULL ? acpi_table_bytes(header) : 0;
  const void *dsdt = size != 0 ? x86_kmap(fadt.dsdt_pa, size, ARCH_READ) : NULL;
  if (dsdt == NULL || !acpi_find_s5(dsdt, size, &type_a, &type_b))
    return;
  write_register(&fadt.sleep_control,
                 (uint16_t)(type_a << SLEEP_CONTROL_TYPE_SHIFT | SLEEP_CONTROL_ENABLE), true);
  write_register(&fadt.pm1a_control, (uint16_t)(type_a << PM1_TYPE_SHIFT | PM1_SLEEP_ENABLE),
                 false);
  write_register(&fadt.pm1b_control, (uint16_t)(type_b << PM1_TYPE_SHIFT | PM1_SLEEP_ENABLE),
                 false);
}
