/*
 * What an aarch64 machine consists of, whoever tells: a device tree (platform_fdt.c) or ACPI's
 * static tables (platform_acpi.c). Physical addresses; 0 means that there is none.
 *
 * Filled once, before or in arch_init(); read by the drivers of the machine.
 */
#ifndef ARCH_AARCH64_PLATFORM_H
#define ARCH_AARCH64_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { A64_GICR_REGIONS_MAX = 8 };

enum a64_psci { A64_PSCI_NONE, A64_PSCI_HVC, A64_PSCI_SMC };

struct a64_region {
  uint64_t pa, bytes;
};

struct a64_platform {
  /* Interrupt controller: version 2 has gicc, version 3 and later have redistributors. */
  unsigned gic_version; /* 2, 3, 4; 0: none was found */
  uint64_t gicd_pa, gicc_pa;
  struct a64_region gicr[A64_GICR_REGIONS_MAX]; /* frames of 128 KiB, one a processor (v4: 256) */
  unsigned gicr_count;
  uint64_t its_pa;                       /* message interrupts of version 3 */
  uint64_t v2m_pa;                       /* message interrupts of version 2 */
  unsigned v2m_spi_first, v2m_spi_count; /* INTIDs; count 0: the frame's own register tells */

  unsigned timer_intid; /* the virtual timer's private interrupt, 16 … 31 */

  uint64_t uart_pa; /* PL011 */
  unsigned uart_intid;
  uint64_t rtc_pa; /* PL031 */
  enum a64_psci psci;

  /* PCI: configuration space, and the windows where BARs may be assigned if nobody has. */
  uint64_t ecam_pa, ecam_bytes;
  unsigned ecam_bus_first;
  struct a64_region pci_window; /* below 4 GiB; empty: firmware has assigned everything */
  struct a64_region pci_io;     /* where the bus's I/O ports appear in memory */
};

/*
 * Fills `platform` from the tables that the root pointer leads to. False: they don't name an
 * interrupt controller. Called by boot/aarch64/efi.c while the firmware's identity mapping is still
 * on: all memory is readable at its physical address, and no absolute address of the kernel may be
 * used (no tables of pointers).
 */
bool a64_platform_from_acpi(struct a64_platform *platform, uint64_t rsdp_pa);

#endif
