/*
 * PCI configuration space: in memory where the firmware's MCFG table says so, else by the ports
 * 0xcf8 and 0xcfc, which reach offsets below 256.
 *
 * Kernel lock, interrupts off.
 */
#include "arch/x86_64/x86.h"

enum {
  PORT_ADDRESS = 0xcf8,
  PORT_DATA = 0xcfc,
  ADDRESS_ENABLE = (int)0x80000000,
  BUS_SHIFT = 8, /* of a bdf */
  ECAM_BUS_SHIFT = 20,
  ECAM_FUNCTION_SHIFT = 12,
};

static uint8_t *ecam; /* NULL: by the ports */
static bool present;

bool arch_pci_present(void) {
  static bool probed;
  if (probed)
    return present;
  probed = true;
  if (x86_platform.ecam_pa != 0) {
    unsigned buses = x86_platform.ecam_bus_last - x86_platform.ecam_bus_first + 1u;
    ecam = arch_kmap_device(x86_platform.ecam_pa, (size_t)buses << ECAM_BUS_SHIFT);
  }
  x86_out32(PORT_ADDRESS, (uint32_t)ADDRESS_ENABLE);
  present = ecam != NULL || x86_in32(PORT_ADDRESS) == (uint32_t)ADDRESS_ENABLE;
  return present;
}

/* The address in memory, or NULL if the device is not reached that way. */
static uint8_t *ecam_address(unsigned bdf, unsigned offset) {
  unsigned bus = bdf >> BUS_SHIFT;
  if (ecam == NULL || bus < x86_platform.ecam_bus_first || bus > x86_platform.ecam_bus_last)
    return NULL;
  bdf -= (unsigned)x86_platform.ecam_bus_first << BUS_SHIFT;
  return ecam + ((size_t)bdf << ECAM_FUNCTION_SHIFT) + offset;
}

/* Selects a register; returns the data port of its first byte. */
static uint16_t select(unsigned bdf, unsigned offset) {
  x86_out32(PORT_ADDRESS, (uint32_t)ADDRESS_ENABLE | bdf << 8 | (offset & 0xfc));
  return (uint16_t)(PORT_DATA + (offset & 3));
}

uint32_t arch_pci_read(unsigned bdf, unsigned offset, unsigned width) {
  const uint8_t *p = ecam_address(bdf, offset);
  if (p != NULL)
    return width == 8 ? mmio_read8(p) : width == 16 ? mmio_read16(p) : mmio_read32(p);
  if (offset > 255 || bdf > 0xffff)
    return UINT32_MAX;
  uint16_t port = select(bdf, offset);
  return width == 8 ? x86_in8(port) : width == 16 ? x86_in16(port) : x86_in32(port);
}

void arch_pci_write(unsigned bdf, unsigned offset, unsigned width, uint32_t value) {
  uint8_t *p = ecam_address(bdf, offset);
  if (p != NULL && width == 8)
    mmio_write8(p, (uint8_t)value);
  else if (p != NULL && width == 16)
    mmio_write16(p, (uint16_t)value);
  else if (p != NULL)
    mmio_write32(p, value);
  if (p != NULL || offset > 255 || bdf > 0xffff)
    return;
  uint16_t port = select(bdf, offset);
  if (width == 8)
    x86_out8(port, (uint8_t)value);
  else if (width == 16)
    x86_out16(port, (uint16_t)value);
  else
    x86_out32(port, value);
}
