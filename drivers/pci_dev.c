/*
 * What drivers ask of a PCI function: capabilities, mapped BARs, interrupts.
 *
 * Called by probe functions at boot. PCI Local Bus 3.0, 6.7 (capabilities), 6.8.2 (MSI-X). What the
 * device says is checked against its own BARs.
 */
#include "drivers/pci_bus.h"

#define CAPS_MAX 48 /* as many as fit between 0x40 and 0xff */

enum { /* MSI-X capability and table */
       MSIX_CONTROL = 2,
       MSIX_TABLE = 4,
       MSIX_ENABLE = 0x8000,
       MSIX_MASK_ALL = 0x4000,
       MSIX_COUNT = 0x07ff,
       ENTRY_BYTES = 16,
       ENTRY_ADDRESS = 0,
       ENTRY_ADDRESS_HIGH = 4,
       ENTRY_DATA = 8,
       ENTRY_CONTROL = 12,
       ENTRY_MASKED = 1,
};

uint8_t pci_next_cap(const struct pci_dev *d, struct pci_cap_iter *it, uint8_t id) {
  if (it->steps == 0) {
    if (!(pci_read(d, PCI_STATUS, 16) & PCI_STATUS_CAPABILITIES))
      return 0;
    it->at = PCI_CAPABILITIES - 1; /* its "next" byte is the list's head */
  }
  while (it->steps++ < CAPS_MAX) {
    it->at = (uint8_t)(pci_read(d, it->at + 1u, 8) & ~3u);
    if (it->at < 0x40)
      break;
    if (pci_read(d, it->at, 8) == id)
      return it->at;
  }
  it->steps = CAPS_MAX;
  return 0;
}

errno_t pci_map(const struct pci_dev *d, unsigned n, uint32_t offset, uint32_t length,
                volatile uint8_t **va) {
  if (n >= PCI_BARS || length == 0)
    return EINVAL;
  const struct pci_bar *bar = &d->bars[n];
  if (bar->io || bar->base == 0 || offset > bar->size || length > bar->size - offset)
    return EINVAL;
  *va = arch_kmap_device(bar->base + offset, length);
  return *va == NULL ? ENOMEM : 0;
}

errno_t pci_msix_init(struct pci_dev *d) {
  struct pci_cap_iter it = {0};
  uint8_t cap = pci_next_cap(d, &it, PCI_CAP_MSIX);
  if (cap == 0)
    return ENOTSUP;
  uint32_t control = pci_read(d, cap + MSIX_CONTROL, 16);
  uint32_t table = pci_read(d, cap + MSIX_TABLE, 32);
  uint16_t count = (uint16_t)((control & MSIX_COUNT) + 1);
  errno_t e = pci_map(d, table & 7, table & ~7u, (uint32_t)count * ENTRY_BYTES, &d->msix_table);
  if (e != 0)
    return e;
  control |= MSIX_ENABLE; /* entries are masked one by one since reset */
  control &= ~(uint32_t)MSIX_MASK_ALL;
  pci_write(d, cap + MSIX_CONTROL, 16, control);
  d->msix_cap = cap;
  d->msix_count = count;
  return 0;
}

errno_t pci_msix_connect(struct pci_dev *d, unsigned vector, irq_handler_t *handler, void *arg) {
  struct arch_msi msi;
  if (vector >= d->msix_count)
    return ENOSPC;
  errno_t e = arch_msi_alloc(handler, arg, d->bdf, &msi);
  if (e != 0)
    return e;
  volatile uint8_t *entry = d->msix_table + vector * ENTRY_BYTES;
  mmio_write32(entry + ENTRY_ADDRESS, (uint32_t)msi.address);
  mmio_write32(entry + ENTRY_ADDRESS_HIGH, (uint32_t)(msi.address >> 32));
  mmio_write32(entry + ENTRY_DATA, msi.data);
  mmio_write32(entry + ENTRY_CONTROL, mmio_read32(entry + ENTRY_CONTROL) & ~(uint32_t)ENTRY_MASKED);
  return 0;
}

void pci_msix_off(struct pci_dev *d) {
  struct pci_cap_iter it = {0};
  uint8_t cap = pci_next_cap(d, &it, PCI_CAP_MSIX);
  d->msix_cap = 0;
  d->msix_count = 0;
  if (cap != 0)
    pci_write(d, cap + MSIX_CONTROL, 16,
              pci_read(d, cap + MSIX_CONTROL, 16) & ~(uint32_t)MSIX_ENABLE);
}

errno_t pci_intx_connect(struct pci_dev *d, irq_handler_t *handler, void *arg) {
  uint32_t line = pci_read(d, PCI_INTERRUPT_LINE, 8);
  if (line == 0 || line == 0xff)
    return EINVAL;
  errno_t e = arch_irq_connect(line, true, handler, arg);
  if (e != 0)
    return e;
  pci_write(d, PCI_COMMAND, 16, pci_read(d, PCI_COMMAND, 16) & ~(uint32_t)PCI_COMMAND_INTX_OFF);
  return 0;
}
