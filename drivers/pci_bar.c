/*
 * Where PCI devices appear in memory: measuring BARs, and assigning them on machines whose firmware
 * has not (microvm with PCIe, aarch64 `virt` without firmware).
 *
 * Called by pci.c's scan only: at boot, one function at a time. PCI Local Bus 3.0, 6.2.5.1;
 * PCI-to-PCI Bridge 1.2, 3.2.5. Addresses are handed out upwards and never given back.
 */
#include "drivers/pci_bus.h"
#include "kernel/log.h"

#define BRIDGE_GRAIN 0x100000u /* a bridge's memory window counts in MiB */
#define IO_FIRST 0x1000u       /* ports below belong to old ISA devices */
#define IO_END 0x10000u
#define BELOW_4G 0x100000000ull

static pa_t window_next, window_end;
static uint32_t io_next;

void pci_window_init(void) {
  uint64_t size = 0;
  window_next = 0;
  arch_pci_window(&window_next, &size);
  window_end = window_next + size;
  io_next = IO_FIRST;
}

bool pci_window_usable(void) {
  return window_next < window_end;
}

static pa_t align_up(pa_t a, uint64_t align) {
  return (a + align - 1) & ~(align - 1);
}

/* A naturally aligned place for `size` bytes (a power of two), 0: there is none. */
static pa_t window_take(uint64_t size, bool io) {
  if (io) {
    uint64_t port = align_up(io_next, size);
    if (!pci_window_usable() || size > IO_END - IO_FIRST || port + size > IO_END)
      return 0;
    io_next = (uint32_t)(port + size);
    return port;
  }
  pa_t base = align_up(window_next, size);
  if (base < window_next || base >= window_end || window_end - base < size)
    return 0;
  window_next = base + size;
  return base;
}

/* Puts a BAR that lies nowhere into the window. */
static void bar_assign(const struct pci_dev *d, unsigned n, bool wide) {
  struct pci_bar *bar = (struct pci_bar *)&d->bars[n];
  pa_t base = window_take(bar->size, bar->io);
  if (base != 0 && !wide && base + bar->size > BELOW_4G)
    base = 0; /* the window lies where a narrow BAR can't reach */
  if (base == 0) {
    log_warn("%s: no address for BAR %u (0x%llx bytes)", d->name, n, (unsigned long long)bar->size);
    return;
  }
  bar->base = base;
  pci_write(d, PCI_BAR0 + n * 4, 32, (uint32_t)base);
  if (wide)
    pci_write(d, PCI_BAR0 + n * 4 + 4, 32, (uint32_t)(base >> 32));
}

/* Reads what BAR n decodes; returns how many registers it takes. */
static unsigned bar_measure(struct pci_dev *d, unsigned n) {
  unsigned reg = PCI_BAR0 + n * 4;
  struct pci_bar *bar = &d->bars[n];
  uint32_t low = pci_read(d, reg, 32), high = 0;
  bar->io = low & 1;
  uint32_t flags = bar->io ? 3 : 15;
  bool wide = !bar->io && (low & 6) == 4 && n + 1 < PCI_BARS;

  pci_write(d, reg, 32, UINT32_MAX);
  uint64_t mask = pci_read(d, reg, 32) & ~flags;
  pci_write(d, reg, 32, low);
  if (mask == 0 && !wide)
    return 1;
  if (wide) {
    high = pci_read(d, reg + 4, 32);
    pci_write(d, reg + 4, 32, UINT32_MAX);
    mask |= (uint64_t)pci_read(d, reg + 4, 32) << 32;
    pci_write(d, reg + 4, 32, high);
  } else {
    mask |= bar->io ? ~0xffffull : ~0xffffffffull; /* ports have 16 bits that count */
  }
  bar->base = (low & ~flags) | (uint64_t)high << 32;
  bar->size = mask & -mask; /* the lowest bit that can be set */
  if (bar->size != 0 && bar->base == 0)
    bar_assign(d, n, wide);
  return wide ? 2 : 1;
}

void pci_bars_init(struct pci_dev *d) {
  uint32_t command = pci_read(d, PCI_COMMAND, 16);
  pci_write(d, PCI_COMMAND, 16, command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
  for (unsigned n = 0; n < PCI_BARS;)
    n += bar_measure(d, n);
  pci_write(
      d, PCI_COMMAND, 16,
      command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
}

void pci_bridge_open(unsigned bdf, pa_t *start) {
  window_next = align_up(window_next, BRIDGE_GRAIN);
  *start = window_next;
  arch_pci_write(bdf, PCI_IO_BASE, 16, 0x00f0);           /* base above limit: closed */
  arch_pci_write(bdf, PCI_PREFETCH_BASE, 32, 0x0000fff0); /* the same */
}

void pci_bridge_close(unsigned bdf, pa_t start) {
  uint32_t range = 0x0000fff0;
  window_next = align_up(window_next, BRIDGE_GRAIN);
  if (window_next > start && window_next <= BELOW_4G)
    range = (uint32_t)(start >> 16 & 0xfff0) | (uint32_t)((window_next - 1) & 0xfff00000u);
  arch_pci_write(bdf, PCI_MEMORY_BASE, 32, range);
  arch_pci_write(bdf, PCI_COMMAND, 16, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}
