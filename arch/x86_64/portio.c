/*
 * I/O ports for the neutral code: BARs of legacy virtio devices lie there. Any context.
 */
#include "arch/arch.h"

uint32_t arch_io_read(uint16_t port, unsigned width) {
  uint8_t v8;
  uint16_t v16;
  uint32_t v32;
  switch (width) {
    case 8:
      asm volatile("inb %1, %0" : "=a"(v8) : "Nd"(port) : "memory");
      return v8;
    case 16:
      asm volatile("inw %1, %0" : "=a"(v16) : "Nd"(port) : "memory");
      return v16;
    default:
      asm volatile("inl %1, %0" : "=a"(v32) : "Nd"(port) : "memory");
      return v32;
  }
}

void arch_io_write(uint16_t port, unsigned width, uint32_t value) {
  switch (width) {
    case 8:
      asm volatile("outb %0, %1" : : "a"((uint8_t)value), "Nd"(port) : "memory");
      return;
    case 16:
      asm volatile("outw %0, %1" : : "a"((uint16_t)value), "Nd"(port) : "memory");
      return;
    default:
      asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
  }
}
