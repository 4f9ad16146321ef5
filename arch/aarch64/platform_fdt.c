/*
 * What the device tree says of the machine.
 *
 * a64_platform_from_fdt: once, before the final page tables. The tree is gone afterwards;
 * virtio-mmio devices and the wiring of PCI's INTx are remembered here. Bindings: Linux,
 * Documentation/devicetree/bindings.
 */
#include "arch/aarch64/a64.h"
#include "boot/fdt.h"
#include "kernel/string.h"

enum {
  DEVICES_MAX = 40,
  INTX_MAX = 32,
  INTERRUPT_CELLS = 3, /* of the GIC: kind, number, flags */
  KIND_PRIVATE = 1,
  FLAGS_LEVEL = 1 << 2 | 1 << 3,
  SPI_FIRST = 32,
  PPI_FIRST = 16,
};

struct mmio_device {
  pa_t base;
  uint32_t size;
  uint16_t line;
  bool level;
};

/* A line of the map from PCI's slot and pin to INTIDs. */
struct intx {
  uint32_t address;
  uint16_t pin, line;
};

static struct mmio_device devices[DEVICES_MAX];
static unsigned device_count;
static struct intx intx[INTX_MAX];
static unsigned intx_count;
static uint32_t intx_address_mask, intx_pin_mask;

static uint32_t cell(const uint8_t *p, unsigned i) {
  return (uint32_t)fdt_number(p + 4 * i, 1);
}

static uint32_t number_property(const struct fdt_node *n, const char *name, uint32_t missing) {
  size_t bytes;
  const uint8_t *p = fdt_property(n, name, &bytes);
  return p != NULL && bytes == 4 ? cell(p, 0) : missing;
}

/* Three cells of the GIC's binding. */
static unsigned intid_of(const uint8_t *p) {
  return cell(p, 1) + (cell(p, 0) == KIND_PRIVATE ? PPI_FIRST : SPI_FIRST);
}

/* The i-th of `interrupts`; 0: there is none. */
static unsigned interrupt(const struct fdt_node *n, unsigned i, bool *level) {
  size_t bytes;
  const uint8_t *p = fdt_property(n, "interrupts", &bytes);
  if (p == NULL || bytes < (i + 1) * INTERRUPT_CELLS * 4)
    return 0;
  p += i * INTERRUPT_CELLS * 4;
  if (level != NULL)
    *level = (cell(p, 2) & FLAGS_LEVEL) != 0;
  return intid_of(p);
}

static void use_gic2(struct a64_platform *m, const struct fdt_node *n) {
  uint64_t size;
  if (m->gic_version == 0 && fdt_reg(n, 0, &m->gicd_pa, &size) && fdt_reg(n, 1, &m->gicc_pa, &size))
    m->gic_version = 2;
}

static void use_gic3(struct a64_platform *m, const struct fdt_node *n) {
  uint64_t size;
  uint32_t regions = number_property(n, "#redistributor-regions", 1);
  if (m->gic_version != 0 || !fdt_reg(n, 0, &m->gicd_pa, &size))
    return;
  m->gic_version = 3;
  while (m->gicr_count < regions && m->gicr_count < A64_GICR_REGIONS_MAX &&
         fdt_reg(n, 1 + m->gicr_count, &m->gicr[m->gicr_count].pa, &m->gicr[m->gicr_count].bytes))
    m->gicr_count++;
}

static void use_its(struct a64_platform *m, const struct fdt_node *n) {
  uint64_t size;
  if (m->its_pa == 0)
    fdt_reg(n, 0, &m->its_pa, &size);
}

static void use_v2m(struct a64_platform *m, const struct fdt_node *n) {
  uint64_t size;
  if (m->v2m_pa != 0 || !fdt_reg(n, 0, &m->v2m_pa, &size))
    return;
  m->v2m_spi_first = number_property(n, "arm,msi-base-spi", 0);
  m->v2m_spi_count = number_property(n, "arm,msi-num-spis", 0);
}

static void use_timer(struct a64_platform *m, const struct fdt_node *n) {
  enum { VIRTUAL = 2 }; /* secure, physical, virtual, hypervisor's */
  m->timer_intid = interrupt(n, VIRTUAL, NULL);
}

static void use_uart(struct a64_platform *m, const struct fdt_node *n) {
  uint64_t size;
  if (m->uart_pa == 0 && fdt_reg(n, 0, &m->uart_pa, &size))
    m->uart_intid = interrupt(n, 0, NULL);
}

static void use_rtc(struct a64_platform *m, const struct fdt_node *n) {
  uint64_t size;
  if (m->rtc_pa == 0)
    fdt_reg(n, 0, &m->rtc_pa, &size);
}

static void use_psci(struct a64_platform *m, const struct fdt_node *n) {
  size_t bytes;
  const uint8_t *p = fdt_property(n, "method", &bytes);
  if (p != NULL && bytes == 4)
    m->psci = memcmp(p, "hvc", 4) == 0 ? A64_PSCI_HVC : A64_PSCI_SMC;
}

static void use_virtio(struct a64_platform *m, const struct fdt_node *n) {
  (void)m;
  uint64_t base, size;
  bool level;
  unsigned line = interrupt(n, 0, &level);
  if (device_count < DEVICES_MAX && line != 0 && fdt_reg(n, 0, &base, &size))
    devices[device_count++] = (struct mmio_device){base, (uint32_t)size, (uint16_t)line, level};
}

/* The configuration space is `reg`; `ranges` are the windows: the bus's address in 3 words, ours in
 * 2, the size in 2. BARs hold our addresses, so only a window with the same on the bus will do. */
static void use_pci(struct a64_platform *m, const struct fdt_node *n) {
  enum {
    ENTRY_BYTES = 28,
    SPACE_MASK = 0x03000000,
    SPACE_IO = 0x01000000,
    SPACE_MEM32 = 0x02000000
  };
  size_t bytes;
  const uint8_t *p;
  if (m->ecam_pa != 0 || !fdt_reg(n, 0, &m->ecam_pa, &m->ecam_bytes))
    return;
  p = fdt_property(n, "bus-range", &bytes);
  m->ecam_bus_first = p != NULL && bytes == 8 ? cell(p, 0) : 0;
  p = fdt_property(n, "ranges", &bytes);
  for (size_t i = 0; p != NULL && i < bytes / ENTRY_BYTES; i++, p += ENTRY_BYTES) {
    struct a64_region window = {fdt_number(p + 12, 2), fdt_number(p + 20, 2)};
    uint32_t space = cell(p, 0) & SPACE_MASK;
    uint64_t bus = fdt_number(p + 4, 2);
    if (space == SPACE_IO && bus == 0)
      m->pci_io = window;
    else if (space == SPACE_MEM32 && bus == window.pa)
      m->pci_window = window;
  }
}

/* `interrupt-map`: PCI's address in 3 words and a pin; the controller, its address in as many words
 * as it says, and its 3 words of interrupt. */
static void read_intx(const struct fdt_node *n, unsigned gic_address_cells) {
  unsigned entry = 4 + 1 + gic_address_cells + INTERRUPT_CELLS;
  size_t bytes;
  const uint8_t *p = fdt_property(n, "interrupt-map-mask", &bytes);
  if (p == NULL || bytes != 16)
    return;
  intx_address_mask = cell(p, 0);
  intx_pin_mask = cell(p, 3);
  p = fdt_property(n, "interrupt-map", &bytes);
  for (size_t i = 0; p != NULL && i < bytes / (4 * entry) && intx_count < INTX_MAX; i++) {
    unsigned line = intid_of(p + 4 * (5 + gic_address_cells));
    intx[intx_count++] = (struct intx){cell(p, 0), (uint16_t)cell(p, 3), (uint16_t)line};
    p += 4 * entry;
  }
}

unsigned a64_intx_line(unsigned bdf, unsigned pin) {
  for (unsigned i = 0; i < intx_count; i++)
    if (intx[i].address == (bdf << 8 & intx_address_mask) && intx[i].pin == (pin & intx_pin_mask))
      return intx[i].line;
  return 0;
}

static const struct {
  const char *compatible;
  void (*use)(struct a64_platform *m, const struct fdt_node *n);
} users[] = {
    {"arm,cortex-a15-gic", use_gic2}, {"arm,gic-400", use_gic2},
    {"arm,gic-v3", use_gic3},         {"arm,gic-v3-its", use_its},
    {"arm,gic-v2m-frame", use_v2m},   {"arm,armv8-timer", use_timer},
    {"arm,pl011", use_uart},          {"arm,pl031", use_rtc},
    {"arm,psci-1.0", use_psci},       {"arm,psci-0.2", use_psci},
    {"virtio,mmio", use_virtio},      {"pci-host-ecam-generic", use_pci},
};

bool a64_platform_from_fdt(struct a64_platform *m, const void *blob, size_t max) {
  struct fdt f;
  struct fdt_node n;
  unsigned gic_address_cells = 0;

  if (!fdt_open(&f, blob, max))
    return false;
  for (fdt_start(&n, &f); fdt_next(&n);) {
    for (unsigned i = 0; i < sizeof users / sizeof users[0]; i++)
      if (fdt_compatible(&n, users[i].compatible) && fdt_enabled(&n))
        users[i].use(m, &n);
    size_t bytes;
    if (n.depth == 1 && fdt_property(&n, "interrupt-controller", &bytes) != NULL &&
        number_property(&n, "#interrupt-cells", 0) == INTERRUPT_CELLS)
      gic_address_cells = number_property(&n, "#address-cells", 0);
  }
  for (fdt_start(&n, &f); fdt_next(&n);)
    if (fdt_compatible(&n, "pci-host-ecam-generic") && intx_count == 0)
      read_intx(&n, gic_address_cells);
  return true;
}

void arch_mmio_devices(void (*found)(pa_t base, size_t size, unsigned line, bool level)) {
  for (unsigned i = 0; i < device_count; i++)
    found(devices[i].base, devices[i].size, devices[i].line, devices[i].level);
}
