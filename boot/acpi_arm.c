/*
 * ACPI's static tables of Arm machines. See acpi_arm.h.
 */
#include "boot/acpi_arm.h"

enum { MADT_GICC = 11, MADT_GICD = 12, MADT_MSI_FRAME = 13, MADT_GICR = 14, MADT_ITS = 15 };

/* Offsets in the entries and tables. */
enum {
  GICC_FLAGS = 12,
  GICC_PA = 32,
  GICC_GICR_PA = 60,
  GICC_V5_BYTES = 40, /* the shortest that has registers */
  GICD_PA = 8,
  GICD_VERSION = 20,
  GICD_BYTES = 24,
  MSI_FRAME_PA = 8,
  MSI_FRAME_FLAGS = 16,
  MSI_FRAME_COUNT = 20,
  MSI_FRAME_FIRST = 22,
  MSI_FRAME_BYTES = 24,
  GICR_PA = 4,
  GICR_LENGTH = 12,
  GICR_BYTES = 16,
  ITS_PA = 8,
  ITS_BYTES = 20,
  GTDT_VIRTUAL = 64,
  SPCR_TYPE = 36,
  SPCR_BASE_SPACE = 40,
  SPCR_BASE = 44,
  SPCR_INTERRUPT_TYPE = 52,
  SPCR_INTID = 54,
  SPCR_BYTES = 58,
  FADT_ARM_FLAGS = 129,
};

enum {
  GICC_ENABLED = 1,
  MSI_FRAME_TOLD = 1, /* count and first are given here */
  SPCR_INTERRUPT_GIC = 1 << 3,
  FADT_PSCI = 1,
  FADT_PSCI_HVC = 2,
};

bool acpi_madt_gicc(const struct acpi_madt_entry *entry, struct acpi_gicc *out) {
  if (entry->type != MADT_GICC || entry->size < GICC_V5_BYTES)
    return false;
  out->enabled = acpi_get32(entry->data + GICC_FLAGS) & GICC_ENABLED;
  out->pa = acpi_get64(entry->data + GICC_PA);
  out->gicr_pa = entry->size >= GICC_GICR_PA + 8 ? acpi_get64(entry->data + GICC_GICR_PA) : 0;
  return true;
}

bool acpi_madt_gicd(const struct acpi_madt_entry *entry, struct acpi_gicd *out) {
  if (entry->type != MADT_GICD || entry->size < GICD_BYTES)
    return false;
  out->pa = acpi_get64(entry->data + GICD_PA);
  out->version = entry->data[GICD_VERSION];
  return true;
}

bool acpi_madt_gicr(const struct acpi_madt_entry *entry, struct acpi_gicr *out) {
  if (entry->type != MADT_GICR || entry->size < GICR_BYTES)
    return false;
  out->pa = acpi_get64(entry->data + GICR_PA);
  out->bytes = acpi_get32(entry->data + GICR_LENGTH);
  return true;
}

bool acpi_madt_msi_frame(const struct acpi_madt_entry *entry, struct acpi_msi_frame *out) {
  if (entry->type != MADT_MSI_FRAME || entry->size < MSI_FRAME_BYTES)
    return false;
  bool told = acpi_get32(entry->data + MSI_FRAME_FLAGS) & MSI_FRAME_TOLD;
  out->pa = acpi_get64(entry->data + MSI_FRAME_PA);
  out->spi_count = told ? acpi_get16(entry->data + MSI_FRAME_COUNT) : 0;
  out->spi_first = told ? acpi_get16(entry->data + MSI_FRAME_FIRST) : 0;
  return true;
}

bool acpi_madt_its(const struct acpi_madt_entry *entry, uint64_t *pa) {
  if (entry->type != MADT_ITS || entry->size < ITS_BYTES)
    return false;
  *pa = acpi_get64(entry->data + ITS_PA);
  return true;
}

bool acpi_gtdt(const void *gtdt, size_t size, uint32_t *virtual_intid) {
  if (size < GTDT_VIRTUAL + 4)
    return false;
  *virtual_intid = acpi_get32((const uint8_t *)gtdt + GTDT_VIRTUAL);
  return *virtual_intid != 0;
}

bool acpi_spcr(const void *spcr, size_t size, struct acpi_spcr *out) {
  const uint8_t *p = spcr;
  if (size < SPCR_BYTES)
    return false;
  out->type = p[SPCR_TYPE];
  out->base =
      (struct acpi_register){.space = p[SPCR_BASE_SPACE], .address = acpi_get64(p + SPCR_BASE)};
  out->intid = p[SPCR_INTERRUPT_TYPE] & SPCR_INTERRUPT_GIC ? acpi_get32(p + SPCR_INTID) : 0;
  return out->base.address != 0;
}

bool acpi_fadt_psci(const void *fadt, size_t size, bool *hvc) {
  if (size < FADT_ARM_FLAGS + 2)
    return false;
  unsigned flags = acpi_get16((const uint8_t *)fadt + FADT_ARM_FLAGS);
  *hvc = flags & FADT_PSCI_HVC;
  return flags & FADT_PSCI;
}
