/*
 * ACPI's static tables. See acpi.h.
 */
#include "boot/acpi.h"

#include "kernel/string.h"

/* Offsets in the tables. */
enum {
  RSDP_V1_BYTES = 20,
  RSDP_REVISION = 15,
  RSDP_RSDT = 16,
  RSDP_XSDT = 24,
  HEADER_LENGTH = 4,
  MADT_ENTRIES = 44,
  FADT_DSDT = 40,
  FADT_PM1A_CONTROL = 64,
  FADT_PM1B_CONTROL = 68,
  FADT_PM_TIMER = 76,
  FADT_V1_BYTES = 116,
  FADT_X_DSDT = 140,
  FADT_X_PM1A_CONTROL = 172,
  FADT_X_PM1B_CONTROL = 184,
  FADT_X_PM_TIMER = 208,
  FADT_SLEEP_CONTROL = 244,
  GAS_BYTES = 12,
  GAS_ADDRESS = 4,
  MCFG_ENTRIES = 44,
  MCFG_ENTRY_BYTES = 16,
};

enum { TABLE_BYTES_MAX = 16 << 20 };

bool acpi_checksum_ok(const void *table, size_t size) {
  const uint8_t *p = table;
  uint8_t sum = 0;
  for (size_t i = 0; i < size; i++)
    sum = (uint8_t)(sum + p[i]);
  return sum == 0;
}

bool acpi_rsdp(const void *rsdp, size_t size, uint64_t *root_pa, bool *root_is_xsdt) {
  const uint8_t *p = rsdp;
  if (size < RSDP_V1_BYTES || memcmp(p, "RSD PTR ", 8) != 0 || !acpi_checksum_ok(p, RSDP_V1_BYTES))
    return false;
  *root_is_xsdt = size >= ACPI_RSDP_BYTES && p[RSDP_REVISION] >= 2 &&
                  acpi_get64(p + RSDP_XSDT) != 0 && acpi_checksum_ok(p, ACPI_RSDP_BYTES);
  *root_pa = *root_is_xsdt ? acpi_get64(p + RSDP_XSDT) : acpi_get32(p + RSDP_RSDT);
  return *root_pa != 0;
}

size_t acpi_table_bytes(const void *table) {
  uint32_t n = acpi_get32((const uint8_t *)table + HEADER_LENGTH);
  return n >= ACPI_HEADER_BYTES && n <= TABLE_BYTES_MAX ? n : 0;
}

bool acpi_has_signature(const void *table, const char signature[4]) {
  return memcmp(table, signature, 4) == 0;
}

bool acpi_root_entry(const void *root, size_t size, bool is_xsdt, size_t i, uint64_t *pa) {
  size_t width = is_xsdt ? 8 : 4;
  if (size < ACPI_HEADER_BYTES || i >= (size - ACPI_HEADER_BYTES) / width)
    return false;
  const uint8_t *p = (const uint8_t *)root + ACPI_HEADER_BYTES + i * width;
  *pa = is_xsdt ? acpi_get64(p) : acpi_get32(p);
  return true;
}

bool acpi_madt_next(const void *madt, size_t size, size_t *at, struct acpi_madt_entry *entry) {
  const uint8_t *p = madt;
  if (*at == 0)
    *at = MADT_ENTRIES;
  if (*at > size || size - *at < 2)
    return false;
  size_t n = p[*at + 1];
  if (n < 2 || n > size - *at)
    return false;
  *entry = (struct acpi_madt_entry){.type = p[*at], .data = p + *at, .size = n};
  *at += n;
  return true;
}

bool acpi_madt_ioapic(const struct acpi_madt_entry *entry, struct acpi_ioapic *out) {
  if (entry->type != ACPI_MADT_IOAPIC || entry->size < 12)
    return false;
  out->pa = acpi_get32(entry->data + 4);
  out->gsi_base = acpi_get32(entry->data + 8);
  return true;
}

bool acpi_madt_override(const struct acpi_madt_entry *entry, struct acpi_override *out) {
  enum { POLARITY = 3, ACTIVE_LOW = 3, TRIGGER = 3 << 2, LEVEL = 3 << 2 };
  if (entry->type != ACPI_MADT_OVERRIDE || entry->size < 10)
    return false;
  out->irq = entry->data[3];
  out->gsi = acpi_get32(entry->data + 4);
  out->active_low = (entry->data[8] & POLARITY) == ACTIVE_LOW;
  out->level = (entry->data[8] & TRIGGER) == LEVEL;
  return true;
}

/* A register by its 64-bit description if there is one, else by its old port number. */
static struct acpi_register get_register(const uint8_t *p, size_t size, size_t gas, size_t port) {
  if (size >= gas + GAS_BYTES && acpi_get64(p + gas + GAS_ADDRESS) != 0)
    return (struct acpi_register){.space = p[gas], .address = acpi_get64(p + gas + GAS_ADDRESS)};
  return (struct acpi_register){.space = ACPI_SPACE_IO,
                                .address = port != 0 ? acpi_get32(p + port) : 0};
}

bool acpi_fadt(const void *fadt, size_t size, struct acpi_fadt *out) {
  const uint8_t *p = fadt;
  if (size < FADT_V1_BYTES)
    return false;
  out->dsdt_pa = acpi_get32(p + FADT_DSDT);
  if (size >= FADT_X_DSDT + 8 && acpi_get64(p + FADT_X_DSDT) != 0)
    out->dsdt_pa = acpi_get64(p + FADT_X_DSDT);
  out->pm1a_control = get_register(p, size, FADT_X_PM1A_CONTROL, FADT_PM1A_CONTROL);
  out->pm1b_control = get_register(p, size, FADT_X_PM1B_CONTROL, FADT_PM1B_CONTROL);
  out->pm_timer = get_register(p, size, FADT_X_PM_TIMER, FADT_PM_TIMER);
  out->sleep_control = get_register(p, size, FADT_SLEEP_CONTROL, 0);
  return true;
}

bool acpi_mcfg(const void *mcfg, size_t size, uint64_t *pa, uint8_t *bus_first, uint8_t *bus_last) {
  if (size < MCFG_ENTRIES + MCFG_ENTRY_BYTES)
    return false;
  const uint8_t *p = (const uint8_t *)mcfg + MCFG_ENTRIES;
  *pa = acpi_get64(p);
  *bus_first = p[10];
  *bus_last = p[11];
  return *pa != 0 && *bus_first <= *bus_last;
}

/* A small integer constant of AML at p; advances past it. */
static bool aml_integer(const uint8_t **p, const uint8_t *end, uint8_t *value) {
  enum { ZERO = 0, ONE = 1, BYTE_PREFIX = 0x0a, WORD_PREFIX = 0x0b, DWORD_PREFIX = 0x0c };
  if (*p == end)
    return false;
  uint8_t op = *(*p)++;
  if (op == ZERO || op == ONE) {
    *value = op;
    return true;
  }
  size_t n = op == BYTE_PREFIX ? 1 : op == WORD_PREFIX ? 2 : op == DWORD_PREFIX ? 4 : 0;
  if (n == 0 || (size_t)(end - *p) < n)
    return false;
  *value = **p; /* sleep types have three bits */
  *p += n;
  return true;
}

/* NameOp "_S5_" PackageOp PkgLength NumElements integer integer … */
static bool parse_s5(const uint8_t *p, const uint8_t *end, uint8_t *type_a, uint8_t *type_b) {
  enum { PACKAGE_OP = 0x12 };
  if (end - p < 4 || *p++ != PACKAGE_OP)
    return false;
  p += 1 + (*p >> 6); /* the length's first byte tells how many follow */
  if (end - p < 2)
    return false;
  uint8_t elements = *p++;
  *type_b = 0;
  if (elements < 1 || !aml_integer(&p, end, type_a))
    return false;
  return elements < 2 || aml_integer(&p, end, type_b);
}

bool acpi_find_s5(const void *dsdt, size_t size, uint8_t *type_a, uint8_t *type_b) {
  const uint8_t *p = dsdt, *end = p + size;
  for (p += ACPI_HEADER_BYTES < size ? ACPI_HEADER_BYTES : size; end - p > 4; p++)
    if (memcmp(p, "_S5_", 4) == 0 && parse_s5(p + 4, end, type_a, type_b))
      return true;
  return false;
}
