/*
 * I/O ports for the neutral code: BARs of legacy virtio devices lie there. Any context.
 */
#include "arch/x86_64/x86.h"

uint32_t arch_io_read(uint16_t port, unsigned width) {
  return width == 8 ? x86_in8(port) : width == 16 ? x86_in16(port) : x86_in32(port);
}

void arch_io_write(uint16_t port, unsigned width, uint32_t value) {
  if (width == 8)
    x86_out8(port, (uint8_t)value);
  else if (width == 16)
    x86_out16(port, (uint16_t)value);
  else
    x86_out32(port, value);
}
