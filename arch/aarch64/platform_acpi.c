/*
 * The machine by ACPI's static tables: MADT, GTDT, MCFG, SPCR, FADT. No AML: what only its
 * namespace tells (virtio-mmio, the PL031, PCI's windows) stays unknown.
 *
 * Runs under the firmware's identity mapping, not at the linked address: see platform.h.
 */
#include "arch/aarch64/platform.h"
#include "boot/acpi_arm.h"

enum {
  GICR_FRAME_BYTES = 128 << 10, /* the two frames of one version-3 redistributor */
  ECAM_BUS_BYTES = 1 << 20,
  TABLES_MAX = 64,
};

static void add_gicr(struct a64_platform *p, uint64_t pa, uint64_t bytes) {
  if (pa != 0 && bytes != 0 && p->gicr_count < A64_GICR_REGIONS_MAX)
    p->gicr[p->gicr_count++] = (struct a64_region){pa, bytes};
}

static void use_madt_entry(struct a64_platform *p, const struct acpi_madt_entry *entry,
                           struct acpi_gicc *boot_cpu) {
  struct acpi_gicc gicc;
  struct acpi_gicd gicd;
  struct acpi_gicr gicr;
  struct acpi_msi_frame frame;
  uint64_t its_pa;

  if (acpi_madt_gicc(entry, &gicc) && gicc.enabled && !boot_cpu->enabled)
    *boot_cpu = gicc; /* firmware lists the processor that it runs on first */
  if (acpi_madt_gicd(entry, &gicd)) {
    p->gicd_pa = gicd.pa;
    p->gic_version = gicd.version;
  }
  if (acpi_madt_gicr(entry, &gicr))
    add_gicr(p, gicr.pa, gicr.bytes);
  if (acpi_madt_msi_frame(entry, &frame) && p->v2m_pa == 0) {
    p->v2m_pa = frame.pa;
    p->v2m_spi_first = frame.spi_first;
    p->v2m_spi_count = frame.spi_count;
  }
  if (acpi_madt_its(entry, &its_pa) && p->its_pa == 0)
    p->its_pa = its_pa;
}

static void use_madt(struct a64_platform *p, const void *madt, size_t size) {
  struct acpi_madt_entry entry;
  struct acpi_gicc boot_cpu = {0};

  for (size_t at = 0; acpi_madt_next(madt, size, &at, &entry);)
    use_madt_entry(p, &entry, &boot_cpu);
  p->gicc_pa = boot_cpu.pa;
  if (p->gicr_count == 0)
    add_gicr(p, boot_cpu.gicr_pa, GICR_FRAME_BYTES);
  if (p->gic_version == 0)
    p->gic_version = p->gicr_count != 0 ? 3 : 2;
}

static void use_spcr(struct a64_platform *p, const void *table, size_t size) {
  struct acpi_spcr spcr;
  if (!acpi_spcr(table, size, &spcr) || spcr.base.space != ACPI_SPACE_MEMORY)
    return;
  /* SBSA's generic UART is the part of a PL011 that is used here. */
  if (spcr.type != ACPI_SPCR_PL011 && spcr.type != ACPI_SPCR_SBSA && spcr.type != ACPI_SPCR_SBSA_32)
    return;
  p->uart_pa = spcr.base.address;
  p->uart_intid = spcr.intid;
}

static void use_mcfg(struct a64_platform *p, const void *table, size_t size) {
  uint64_t pa;
  uint8_t first, last;
  if (!acpi_mcfg(table, size, &pa, &first, &last))
    return;
  p->ecam_pa = pa + (uint64_t)first * ECAM_BUS_BYTES;
  p->ecam_bytes = (last - first + 1ull) * ECAM_BUS_BYTES;
  p->ecam_bus_first = first;
}

static void use_table(struct a64_platform *p, const void *table) {
  size_t size = acpi_table_bytes(table);
  uint32_t intid;
  bool hvc;

  if (size == 0 || !acpi_checksum_ok(table, size))
    return;
  if (acpi_has_signature(table, "APIC"))
    use_madt(p, table, size);
  else if (acpi_has_signature(table, "GTDT") && acpi_gtdt(table, size, &intid))
    p->timer_intid = intid;
  else if (acpi_has_signature(table, "SPCR"))
    use_spcr(p, table, size);
  else if (acpi_has_signature(table, "MCFG"))
    use_mcfg(p, table, size);
  else if (acpi_has_signature(table, "FACP") && acpi_fadt_psci(table, size, &hvc))
    p->psci = hvc ? A64_PSCI_HVC : A64_PSCI_SMC;
}

static const void *at(uint64_t pa) {
  return (const void *)(uintptr_t)pa;
}

bool a64_platform_from_acpi(struct a64_platform *platform, uint64_t rsdp_pa) {
  uint64_t root_pa, pa;
  bool is_xsdt;

  if (!acpi_rsdp(at(rsdp_pa), ACPI_RSDP_BYTES, &root_pa, &is_xsdt))
    return false;
  size_t size = acpi_table_bytes(at(root_pa));
  if (size == 0 || !acpi_checksum_ok(at(root_pa), size))
    return false;
  for (size_t i = 0; i < TABLES_MAX && acpi_root_entry(at(root_pa), size, is_xsdt, i, &pa); i++)
    if (pa != 0)
      use_table(platform, at(pa));
  return platform->gicd_pa != 0;
}
