/*
 * The parts of ACPI's static tables that only Arm machines have (ACPI 6.4: 5.2.12.14 to 5.2.12.18,
 * 5.2.25; Microsoft's "Serial Port Console Redirection Table").
 *
 * Pure functions as those of acpi.h: nothing beyond the length given is read. Any context. They are
 * also called where code does not run at its linked address: no tables of pointers.
 */
#ifndef BOOT_ACPI_ARM_H
#define BOOT_ACPI_ARM_H

#include "boot/acpi.h"

/* A processor's interface to the interrupt controller. Addresses are 0 where there is none. */
struct acpi_gicc {
  bool enabled;
  uint64_t pa;      /* version 2's registers */
  uint64_t gicr_pa; /* version 3's redistributor, where no GICR entry tells */
};
bool acpi_madt_gicc(const struct acpi_madt_entry *entry, struct acpi_gicc *out);

/* The distributor. */
struct acpi_gicd {
  uint64_t pa;
  uint8_t version; /* 0: not told */
};
bool acpi_madt_gicd(const struct acpi_madt_entry *entry, struct acpi_gicd *out);

/* A row of redistributors. */
struct acpi_gicr {
  uint64_t pa;
  uint32_t bytes;
};
bool acpi_madt_gicr(const struct acpi_madt_entry *entry, struct acpi_gicr *out);

/* A GICv2m frame. */
struct acpi_msi_frame {
  uint64_t pa;
  uint16_t spi_first, spi_count; /* count 0: the frame's own register tells */
};
bool acpi_madt_msi_frame(const struct acpi_madt_entry *entry, struct acpi_msi_frame *out);

/* An interrupt translation service. */
bool acpi_madt_its(const struct acpi_madt_entry *entry, uint64_t *pa);

/* GTDT: the interrupt of the virtual timer at EL1. */
bool acpi_gtdt(const void *gtdt, size_t size, uint32_t *virtual_intid);

/* SPCR: the serial console. */
enum { ACPI_SPCR_PL011 = 3, ACPI_SPCR_SBSA_32 = 13, ACPI_SPCR_SBSA = 14 };
struct acpi_spcr {
  uint8_t type;
  struct acpi_register base;
  uint32_t intid; /* 0: none */
};
bool acpi_spcr(const void *spcr, size_t size, struct acpi_spcr *out);

/* FADT: how the machine's PSCI is called. False: it has none. */
bool acpi_fadt_psci(const void *fadt, size_t size, bool *hvc);

#endif
