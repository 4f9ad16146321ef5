/*
 * The GIC, version 3 (IHI 0069): a distributor and redistributors in memory, the processor
 * interface in system registers; message interrupts by the ITS (its.c).
 *
 * Kernel lock, interrupts off; acknowledge and end: interrupt context.
 */
#include "arch/aarch64/a64.h"
#include "arch/aarch64/its.h"
#include "kernel/log.h"

enum {
  GICD_CTLR = 0x0000,
  GICD_BYTES = 0x10000,
  GICD_ROUTES = 0x6000, /* 8 bytes an interrupt, from 0 on */
  GICD_GROUPS = 0x080,
  CTLR_GROUP1 = 1 << 1,
  CTLR_AFFINITY = 1 << 4,
  CTLR_BUSY = (int)(1u << 31),
  GICR_TYPER = 0x008,
  GICR_WAKER = 0x014,
  GICR_SGI = 0x10000, /* the second frame: registers of private interrupts */
  GICR_BYTES = 0x20000,
  TYPER_VLPIS = 1 << 1,
  TYPER_LAST = 1 << 4,
  WAKER_SLEEP = 1 << 1,
  WAKER_ASLEEP = 1 << 2,
  TRIES = 1000000,
};

static volatile uint8_t *gicd, *gicr;
static pa_t gicr_pa;
static uint64_t affinity;

static unsigned acknowledge(void) {
  unsigned intid = (unsigned)A64_READ(s3_0_c12_c12_0); /* ICC_IAR1_EL1 */
  __asm__ volatile("dsb sy" ::: "memory");
  return intid;
}

static void end(unsigned intid) {
  A64_WRITE(s3_0_c12_c12_1, intid); /* ICC_EOIR1_EL1 */
  a64_isb();
}

static void enable(unsigned intid, bool level) {
  volatile uint8_t *regs = intid < A64_SPI_FIRST ? gicr + GICR_SGI : gicd;
  volatile uint8_t *group = regs + GICD_GROUPS + intid / 32 * 4;
  mmio_write32(group, mmio_read32(group) | 1u << intid % 32);
  if (intid >= A64_SPI_FIRST)
    mmio_write64(gicd + GICD_ROUTES + 8 * intid, affinity);
  a64_gic_enable(regs, intid, level);
}

/* Maps the redistributor of this processor, which has its affinity in its type register. */
static bool find_redistributor(void) {
  uint64_t mpidr = A64_READ(mpidr_el1);
  uint32_t wanted = (uint32_t)((mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24);
  affinity = (mpidr & 0xffffff) | (mpidr & 0xff00000000);

  for (unsigned i = 0; i < a64_platform.gicr_count; i++) {
    const struct a64_region *r = &a64_platform.gicr[i];
    uint64_t type = 0;
    for (uint64_t at = 0; at + GICR_BYTES <= r->bytes && !(type & TYPER_LAST);) {
      volatile uint8_t *frame = arch_kmap_device(r->pa + at, GICR_BYTES);
      if (frame == NULL)
        return false;
      type = mmio_read64(frame + GICR_TYPER);
      if (type >> 32 == wanted) {
        gicr = frame;
        gicr_pa = r->pa + at;
        return true;
      }
      a64_kunmap_last((void *)frame, GICR_BYTES);
      at += type & TYPER_VLPIS ? 2 * GICR_BYTES : GICR_BYTES;
    }
  }
  return false;
}

static void wait_distributor(void) {
  for (unsigned i = 0; i < TRIES && (mmio_read32(gicd + GICD_CTLR) & (uint32_t)CTLR_BUSY); i++)
    __asm__ volatile("yield");
}

static void wake_redistributor(void) {
  mmio_write32(gicr + GICR_WAKER, mmio_read32(gicr + GICR_WAKER) & ~(uint32_t)WAKER_SLEEP);
  for (unsigned i = 0; i < TRIES && (mmio_read32(gicr + GICR_WAKER) & WAKER_ASLEEP); i++)
    __asm__ volatile("yield");
}

static void processor_interface_init(void) {
  A64_WRITE(s3_0_c12_c12_5, A64_READ(s3_0_c12_c12_5) | 1); /* ICC_SRE_EL1: system registers */
  a64_isb();
  A64_WRITE(s3_0_c4_c6_0, 0xff); /* ICC_PMR_EL1: all priorities */
  A64_WRITE(s3_0_c12_c12_3, 0);  /* ICC_BPR1_EL1 */
  A64_WRITE(s3_0_c12_c12_4, 0);  /* ICC_CTLR_EL1: the end is one step */
  A64_WRITE(s3_0_c12_c12_7, 1);  /* ICC_IGRPEN1_EL1 */
  a64_isb();
}

static const struct a64_gic gic3 = {acknowledge, end, enable, a64_its_msi_alloc};

const struct a64_gic *a64_gic3_init(void) {
  gicd = arch_kmap_device(a64_platform.gicd_pa, GICD_BYTES);
  if (gicd == NULL || !find_redistributor())
    return NULL;
  mmio_write32(gicd + GICD_CTLR, 0);
  wait_distributor();
  a64_gicd_init(gicd);
  mmio_write32(gicd + GICD_CTLR, CTLR_AFFINITY | CTLR_GROUP1);
  wait_distributor();
  wake_redistributor();
  processor_interface_init();
  if (a64_platform.its_pa != 0)
    a64_its_init(a64_platform.its_pa, gicr_pa, gicr);
  return &gic3;
}
