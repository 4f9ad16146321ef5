/*
 * The GIC, version 2 (IHI 0048): a distributor and a processor interface in memory; message
 * interrupts by a frame of the version 2m, which raises shared interrupts.
 *
 * Kernel lock, interrupts off; acknowledge and end: interrupt context.
 */
#include "arch/aarch64/a64.h"

enum {
  GICD_CTLR = 0x000,
  GICD_TARGETS = 0x800, /* a byte an interrupt: a bit a processor */
  GICC_CTLR = 0x00,
  GICC_MASK = 0x04,
  GICC_ACKNOWLEDGE = 0x0c,
  GICC_END = 0x10,
  GICC_BYTES = 0x2000,
  INTID_MASK = 0x3ff,
  V2M_TYPER = 0x008,
  V2M_SET_SPI = 0x040,
};

static volatile uint8_t *gicd, *gicc;
static uint8_t own_target;
static unsigned msi_next, msi_end; /* INTIDs */

static unsigned acknowledge(void) {
  return mmio_read32(gicc + GICC_ACKNOWLEDGE) & INTID_MASK;
}

static void end(unsigned intid) {
  mmio_write32(gicc + GICC_END, intid);
}

static void enable(unsigned intid, bool level) {
  if (intid >= A64_SPI_FIRST)
    mmio_write8(gicd + GICD_TARGETS + intid, own_target);
  a64_gic_enable(gicd, intid, level);
}

static void v2m_init(void) {
  const struct a64_platform *p = &a64_platform;
  unsigned first = p->v2m_spi_first, count = p->v2m_spi_count;
  if (p->v2m_pa == 0)
    return;
  if (count == 0) {
    volatile uint8_t *frame = arch_kmap_device(p->v2m_pa, PAGE_SIZE);
    if (frame == NULL)
      return;
    uint32_t typer = mmio_read32(frame + V2M_TYPER);
    first = typer >> 16 & 0x3ff;
    count = typer & 0x3ff;
  }
  if (first < A64_SPI_FIRST || first + count > a64_gicd_lines())
    return;
  msi_next = first;
  msi_end = first + count;
}

static errno_t msi_alloc(irq_handler_t *handler, void *arg, uint32_t device_id,
                         struct arch_msi *msi) {
  (void)device_id;
  if (msi_next == msi_end)
    return ENOSPC;
  errno_t e = a64_irq_handle(msi_next, false, handler, arg);
  if (e != 0)
    return e;
  msi->address = a64_platform.v2m_pa + V2M_SET_SPI;
  msi->data = msi_next++;
  return 0;
}

static const struct a64_gic gic2 = {acknowledge, end, enable, msi_alloc};

const struct a64_gic *a64_gic2_init(void) {
  gicd = arch_kmap_device(a64_platform.gicd_pa, PAGE_SIZE);
  gicc = arch_kmap_device(a64_platform.gicc_pa, GICC_BYTES);
  if (gicd == NULL || gicc == NULL)
    return NULL;
  a64_gicd_init(gicd);
  own_target = mmio_read8(gicd + GICD_TARGETS); /* private interrupts tell who reads */
  if (own_target == 0)
    own_target = 1;
  mmio_write32(gicd + GICD_CTLR, 1);
  mmio_write32(gicc + GICC_MASK, 0xff);
  mmio_write32(gicc + GICC_CTLR, 1);
  v2m_init();
  return &gic2;
}
