/*
 * The I/O APICs: wired interrupt lines to vectors. And the old PICs, which are masked.
 *
 * Kernel lock, interrupts off.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"

enum {
  REG_SELECT = 0x00,
  REG_WINDOW = 0x10,
  INDEX_VERSION = 1,
  INDEX_REDIRECTION = 16, /* two words a pin */
  PIN_ACTIVE_LOW = 1 << 13,
  PIN_LEVEL = 1 << 15,
  PIN_MASKED = 1 << 16,
  PIC1 = 0x20,
  PIC2 = 0xa0,
};

static struct ioapic {
  uint8_t *regs; /* NULL: could not be mapped */
  unsigned gsi_base, pins;
} ioapics[X86_IOAPICS_MAX];

static uint32_t read_index(const struct ioapic *io, unsigned index) {
  mmio_write32(io->regs + REG_SELECT, index);
  return mmio_read32(io->regs + REG_WINDOW);
}

static void write_index(const struct ioapic *io, unsigned index, uint32_t v) {
  mmio_write32(io->regs + REG_SELECT, index);
  mmio_write32(io->regs + REG_WINDOW, v);
}

/* Moves the PICs' vectors away from the exceptions and masks every line. */
static void mask_pics(void) {
  static const uint8_t init[][2] = {
      {PIC1, 0x11},     {PIC2, 0x11},     /* edge triggered, cascaded, four words */
      {PIC1 + 1, 32},   {PIC2 + 1, 40},   /* vectors */
      {PIC1 + 1, 4},    {PIC2 + 1, 2},    /* the cascade */
      {PIC1 + 1, 1},    {PIC2 + 1, 1},    /* 8086 mode */
      {PIC1 + 1, 0xff}, {PIC2 + 1, 0xff}, /* all masked */
  };
  for (unsigned i = 0; i < sizeof init / sizeof init[0]; i++)
    x86_out8(init[i][0], init[i][1]);
}

void x86_ioapic_init(void) {
  mask_pics();
  for (unsigned i = 0; i < x86_platform.ioapics; i++) {
    struct ioapic *io = &ioapics[i];
    io->regs = arch_kmap_device(x86_platform.ioapic[i].pa, PAGE_SIZE);
    if (io->regs == NULL)
      boot_fail("no memory to map an I/O APIC");
    io->gsi_base = x86_platform.ioapic[i].gsi_base;
    io->pins = (read_index(io, INDEX_VERSION) >> 16 & 0xff) + 1;
    for (unsigned pin = 0; pin < io->pins; pin++)
      write_index(io, INDEX_REDIRECTION + 2 * pin, PIN_MASKED);
  }
}

errno_t x86_ioapic_route(unsigned gsi, bool level, bool active_low, unsigned vector) {
  for (unsigned i = 0; i < x86_platform.ioapics; i++) {
    const struct ioapic *io = &ioapics[i];
    if (io->regs == NULL || gsi < io->gsi_base || gsi - io->gsi_base >= io->pins)
      continue;
    unsigned index = INDEX_REDIRECTION + 2 * (gsi - io->gsi_base);
    write_index(io, index + 1, x86_lapic_id() << 24);
    write_index(io, index, vector | (level ? PIN_LEVEL : 0) | (active_low ? PIN_ACTIVE_LOW : 0));
    return 0;
  }
  return EINVAL;
}
