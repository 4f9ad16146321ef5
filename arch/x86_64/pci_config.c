/*
 * PCI configuration space: in memory where the firmware's MCFG table or the device tree says so,
 * else by the ports 0xcf8 and 0xcfc, which reach offsets below 256.
 *
 * Kernel lock, interrupts off.
 */
#include "arch/x86_64/x86.h"

enum {
  PORT_ADDRESS = 0xcf8,
  PORT_DATA = 0xcfc,
  BUS_SHIFT = 8, /* of a bdf */
  ECAM_BUS_SHIFT = 20,
  ECAM_FUNCTION_SHIFT = 12,
  BUSES_MAX = 256,
};
#define ADDRESS_ENABLE 0x80000000u

static uint8_t *ecam; /* NULL: by the ports */
static unsigned ecam_bus_first, ecam_bus_end;

static void use_ecam(pa_t pa, unsigned bus_first, size_t buses) {
  if (buses > BUSES_MAX - bus_first)
    buses = BUSES_MAX - bus_first;
  ecam = arch_kmap_device(pa, buses << ECAM_BUS_SHIFT);
  ecam_bus_first = bus_first;
  ecam_bus_end = bus_first + (unsigned)buses;
}

static bool have_ports(void) {
  x86_out32(PORT_ADDRESS, ADDRESS_ENABLE);
  return x86_in32(PORT_ADDRESS) == ADDRESS_ENABLE;
}

bool arch_pci_present(void) {
  const struct x86_platform *p = &x86_platform;
  const struct x86_fdt_pci *fdt;
  if (ecam != NULL)
    return true;
  if (p->ecam_pa != 0)
    use_ecam(p->ecam_pa, p->ecam_bus_first, p->ecam_bus_last - p->ecam_bus_first + 1u);
  if (ecam != NULL || have_ports())
    return true;
  fdt = x86_fdt_pci();
  if (fdt != NULL)
    use_ecam(fdt->ecam_pa, 0, fdt->ecam_bytes >> ECAM_BUS_SHIFT);
  return ecam != NULL;
}

void arch_pci_window(pa_t *start, uint64_t *size) {
  /* Where there are ports there is firmware, and it has assigned everything. */
  const struct x86_fdt_pci *fdt = have_ports() ? NULL : x86_fdt_pci();
  *start = fdt != NULL ? fdt->window_pa : 0;
  *size = fdt != NULL ? fdt->window_bytes : 0;
}

/* The address in memory, or NULL if the device is not reached that way. */
static uint8_t *ecam_address(unsigned bdf, unsigned offset) {
  unsigned bus = bdf >> BUS_SHIFT;
  if (ecam == NULL || bus < ecam_bus_first || bus >= ecam_bus_end)
    return NULL;
  bdf -= ecam_bus_first << BUS_SHIFT;
  return ecam + ((size_t)bdf << ECAM_FUNCTION_SHIFT) + offset;
}

/* Selects a register; returns the data port of its first byte. */
static uint16_t select(unsigned bdf, unsigned offset) {
  x86_out32(PORT_ADDRESS, ADDRESS_ENABLE | bdf << 8 | (offset & 0xfc));
  return (uint16_t)(PORT_DATA + (offset & 3));
}

uint32_t arch_pci_read(unsigned bdf, unsigned offset, unsigned width) {
  const uint8_t *p = ecam_address(bdf, offset);
  if (p != NULL)
    return width == 8 ? mmio_read8(p) : width == 16 ? mmio_read16(p) : mmio_read32(p);
  if (offset > 255 || bdf > 0xffff)
    return UINT32_MAX;
  return arch_io_read(select(bdf, offset), width);
}

void arch_pci_write(unsigned bdf, unsigned offset, unsigned width, uint32_t value) {
  uint8_t *p = ecam_address(bdf, offset);
  if (p != NULL && width == 8)
    mmio_write8(p, (uint8_t)value);
  else if (p != NULL && width == 16)
    mmio_write16(p, (uint16_t)value);
  else if (p != NULL)
    mmio_write32(p, value);
  else if (offset <= 255 && bdf <= 0xffff)
    arch_io_write(select(bdf, offset), width, value);
}
