/*
 * What GIC versions 2 and 3 have in common: the distributor's registers (IHI 0048, IHI 0069). Those
 * of private interrupts are laid out in the same way, in version 3's redistributor.
 *
 * Kernel lock, interrupts off.
 */
#include "arch/aarch64/a64.h"

enum {
  GICD_TYPER = 0x004,
  GIC_GROUP = 0x080, /* a bit an interrupt */
  GIC_SET_ENABLE = 0x100,
  GIC_CLEAR_ENABLE = 0x180,
  GIC_CLEAR_ACTIVE = 0x380,
  GIC_PRIORITY = 0x400, /* a byte */
  GIC_CONFIG = 0xc00,   /* two bits: 2 edge */
  PRIORITIES = (int)0xa0a0a0a0,
};

static unsigned lines;

unsigned a64_gicd_lines(void) {
  return lines;
}

void a64_gicd_init(volatile uint8_t *gicd) {
  lines = 32 * ((mmio_read32(gicd + GICD_TYPER) & 31) + 1);
  if (lines > A64_SPI_END)
    lines = A64_SPI_END;
  for (unsigned i = A64_SPI_FIRST; i < lines; i += 32)
    mmio_write32(gicd + GIC_CLEAR_ENABLE + i / 8, UINT32_MAX);
}

void a64_gic_enable(volatile uint8_t *regs, unsigned intid, bool level) {
  volatile uint8_t *word = regs + intid / 32 * 4;
  uint32_t bit = 1u << intid % 32;

  if (intid >= A64_SPI_FIRST) {
    volatile uint8_t *config = regs + GIC_CONFIG + intid / 16 * 4;
    uint32_t edge = 2u << 2 * (intid % 16);
    uint32_t v = mmio_read32(config);
    mmio_write32(config, level ? v & ~edge : v | edge);
  }
  mmio_write8(regs + GIC_PRIORITY + intid, PRIORITIES & 0xff);
  mmio_write32(word + GIC_CLEAR_ACTIVE, bit);
  mmio_write32(word + GIC_SET_ENABLE, bit);
}
