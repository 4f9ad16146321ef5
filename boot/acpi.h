/*
 * Reading ACPI's static tables (ACPI 6.4, chapter 5). No AML is interpreted.
 *
 * Pure functions over bytes that the caller has mapped: everything is checked against the length
 * given, and nothing else is read. Any context.
 */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Little-endian numbers at any address. */
static inline uint16_t acpi_get16(const uint8_t *p) {
  return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t acpi_get32(const uint8_t *p) {
  return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t acpi_get64(const uint8_t *p) {
  return acpi_get32(p) | (uint64_t)acpi_get32(p + 4) << 32;
}

enum { ACPI_HEADER_BYTES = 36, ACPI_RSDP_BYTES = 36 };

/* Where the root pointer leads. `rsdp` has at least 20 readable bytes, and `size` in all. False: it
 * is not one, or its checksum is wrong. */
bool acpi_rsdp(const void *rsdp, size_t size, uint64_t *root_pa, bool *root_is_xsdt);

/* The length that a table's header (ACPI_HEADER_BYTES, readable) claims; 0: nonsense. */
size_t acpi_table_bytes(const void *table);
bool acpi_has_signature(const void *table, const char signature[4]);
/* Whether the bytes of a table, all mapped, add up to 0. */
bool acpi_checksum_ok(const void *table, size_t size);

/* The i-th table that an RSDT or XSDT names; false: there are no more. */
bool acpi_root_entry(const void *root, size_t size, bool is_xsdt, size_t i, uint64_t *pa);

/* MADT (APIC): the interrupt controllers. */
enum {
  ACPI_MADT_IOAPIC = 1,
  ACPI_MADT_OVERRIDE = 2,
};
struct acpi_madt_entry {
  uint8_t type;
  const uint8_t *data; /* the whole entry, its two header bytes included */
  size_t size;
};
/* Steps through the entries; `*at` begins as 0. False: no more, or a malformed one. */
bool acpi_madt_next(const void *madt, size_t size, size_t *at, struct acpi_madt_entry *entry);

struct acpi_ioapic {
  uint32_t pa, gsi_base;
};
bool acpi_madt_ioapic(const struct acpi_madt_entry *entry, struct acpi_ioapic *out);

/* An ISA interrupt that arrives elsewhere, or otherwise. */
struct acpi_override {
  uint8_t irq;
  uint32_t gsi;
  bool level, active_low;
};
bool acpi_madt_override(const struct acpi_madt_entry *entry, struct acpi_override *out);

/* A register somewhere (Generic Address Structure). */
enum { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };
struct acpi_register {
  uint8_t space;
  uint64_t address; /* 0: there is none */
};

/* FADT (FACP): what power-off and the timer need. */
struct acpi_fadt {
  uint64_t dsdt_pa;
  struct acpi_register pm1a_control, pm1b_control, pm_timer;
  struct acpi_register sleep_control; /* of a machine with reduced hardware */
};
bool acpi_fadt(const void *fadt, size_t size, struct acpi_fadt *out);

/* MCFG: the first segment's PCI configuration space in memory. False: none. */
bool acpi_mcfg(const void *mcfg, size_t size, uint64_t *pa, uint8_t *bus_first, uint8_t *bus_last);

/* The sleep types of soft-off, out of the package named _S5_ in a DSDT. False: it was not found. */
bool acpi_find_s5(const void *dsdt, size_t size, uint8_t *type_a, uint8_t *type_b);

#endif
