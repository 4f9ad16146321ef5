/*
 * PCI: configuration space in memory, and the window where the bus's I/O ports appear.
 *
 * Kernel lock, interrupts off. PCI Express Base Specification, 7.2.2.
 */
#include "arch/aarch64/a64.h"

enum {
  BUS_SHIFT = 8, /* of a bdf */
  ECAM_BUS_SHIFT = 20,
  ECAM_FUNCTION_SHIFT = 12,
  INTERRUPT_LINE = 0x3c,
  INTERRUPT_PIN = 0x3d,
  IO_BYTES = 0x10000,
};

static uint8_t *ecam; /* NULL: not mapped yet, or none */
static uint8_t *io;

bool arch_pci_present(void) {
  if (ecam == NULL && a64_platform.ecam_pa != 0)
    ecam = arch_kmap_device(a64_platform.ecam_pa, a64_platform.ecam_bytes);
  if (io == NULL && a64_platform.pci_io.bytes >= IO_BYTES)
    io = arch_kmap_device(a64_platform.pci_io.pa, IO_BYTES);
  return ecam != NULL;
}

void arch_pci_window(pa_t *start, uint64_t *size) {
  *start = a64_platform.pci_window.pa;
  *size = a64_platform.pci_window.bytes;
}

/* NULL: beyond what the machine has. */
static uint8_t *address(unsigned bdf, unsigned offset) {
  uint64_t at = (uint64_t)(bdf - (a64_platform.ecam_bus_first << BUS_SHIFT)) << ECAM_FUNCTION_SHIFT;
  if (ecam == NULL || bdf >> BUS_SHIFT < a64_platform.ecam_bus_first ||
      at >= a64_platform.ecam_bytes)
    return NULL;
  return ecam + at + offset;
}

static uint32_t read(const volatile void *p, unsigned width) {
  return width == 8 ? mmio_read8(p) : width == 16 ? mmio_read16(p) : mmio_read32(p);
}

static void write(volatile void *p, unsigned width, uint32_t value) {
  if (width == 8)
    mmio_write8(p, (uint8_t)value);
  else if (width == 16)
    mmio_write16(p, (uint16_t)value);
  else
    mmio_write32(p, value);
}

/* The register where firmware notes a function's wired interrupt. Where there is no firmware, the
 * device tree's map tells instead. */
static uint32_t interrupt_line(unsigned bdf) {
  unsigned pin = mmio_read8(address(bdf, INTERRUPT_PIN));
  unsigned line = pin == 0 ? 0 : a64_intx_line(bdf, pin);
  return line < 0xff ? line : 0;
}

uint32_t arch_pci_read(unsigned bdf, unsigned offset, unsigned width) {
  const uint8_t *p = address(bdf, offset);
  if (p == NULL)
    return UINT32_MAX;
  if (offset == INTERRUPT_LINE && width == 8)
    return interrupt_line(bdf);
  return read(p, width);
}

void arch_pci_write(unsigned bdf, unsigned offset, unsigned width, uint32_t value) {
  uint8_t *p = address(bdf, offset);
  if (p != NULL)
    write(p, width, value);
}

uint32_t arch_io_read(uint16_t port, unsigned width) {
  return io == NULL ? UINT32_MAX : read(io + port, width);
}

void arch_io_write(uint16_t port, unsigned width, uint32_t value) {
  if (io != NULL)
    write(io + port, width, value);
}
