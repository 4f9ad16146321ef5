/*
 * Virtio over PCI, the interface from before 1.0: registers at I/O ports of BAR 0
 * (specification 4.1.4.8).
 *
 * Called by the core at boot, and for notifications. Rings have the device's size and lie on pages.
 * With MSI-X on, two vector registers push the device's configuration back by four bytes.
 */
#include "drivers/virtio/pci_transport.h"

enum {
  DEVICE_FEATURES = 0,
  DRIVER_FEATURES = 4,
  QUEUE_PAGE = 8,
  QUEUE_SIZE = 12,
  QUEUE_SELECT = 14,
  QUEUE_NOTIFY = 16,
  DEVICE_STATUS = 18,
  ISR_STATUS = 19,
  CONFIG = 20,
  MSIX_CONFIG = 20, /* these two with MSI-X only */
  QUEUE_MSIX_VECTOR = 22,
  CONFIG_MSIX = 24,
};

#define RING_ALIGN 4096

errno_t virtio_pci_legacy_map(struct virtio_pci *p) {
  const struct pci_bar *bar = &p->pci->bars[0];
  if (!bar->io || bar->base == 0 || bar->size < CONFIG_MSIX || bar->base > 0x10000 - bar->size)
    return EINVAL;
  p->port = (uint16_t)bar->base;
  p->dev.legacy = true;
  p->dev.fixed_rings = true;
  p->dev.ring_align = RING_ALIGN;
  return 0;
}

static uint32_t in(struct virtio_dev *d, unsigned reg, unsigned width) {
  return arch_io_read((uint16_t)(virtio_pci_of(d)->port + reg), width);
}

static void out(struct virtio_dev *d, unsigned reg, unsigned width, uint32_t v) {
  arch_io_write((uint16_t)(virtio_pci_of(d)->port + reg), width, v);
}

static uint64_t legacy_read_features(struct virtio_dev *d) {
  return in(d, DEVICE_FEATURES, 32);
}

static void legacy_write_features(struct virtio_dev *d, uint64_t features) {
  out(d, DRIVER_FEATURES, 32, (uint32_t)features);
}

static uint8_t legacy_read_status(struct virtio_dev *d) {
  return (uint8_t)in(d, DEVICE_STATUS, 8);
}

static void legacy_write_status(struct virtio_dev *d, uint8_t status) {
  out(d, DEVICE_STATUS, 8, status);
}

static void legacy_read_config(struct virtio_dev *d, unsigned offset, void *buf, unsigned n) {
  unsigned reg = offset + (virtio_pci_of(d)->pci->msix_cap != 0 ? CONFIG_MSIX : CONFIG);
  if (n == 2) {
    *(uint16_t *)buf = (uint16_t)in(d, reg, 16);
  } else if (n == 4) {
    *(uint32_t *)buf = in(d, reg, 32);
  } else {
    for (unsigned i = 0; i < n; i++)
      ((uint8_t *)buf)[i] = (uint8_t)in(d, reg + i, 8);
  }
}

static uint32_t legacy_config_generation(struct virtio_dev *d) {
  (void)d;
  return 0; /* there is none */
}

static void legacy_wired(void *arg) {
  struct virtio_pci *p = arg;
  uint32_t isr = in(&p->dev, ISR_STATUS, 8); /* reading ends the interrupt */
  if (isr & 1)
    virtio_queue_irq(&p->dev);
  if (isr & 2)
    virtio_config_irq(&p->dev);
}

static bool assign_config_vector(struct virtio_pci *p) {
  out(&p->dev, MSIX_CONFIG, 16, p->config_vector);
  return in(&p->dev, MSIX_CONFIG, 16) == p->config_vector;
}

static errno_t legacy_connect(struct virtio_dev *d) {
  return virtio_pci_connect(virtio_pci_of(d), assign_config_vector, legacy_wired);
}

static unsigned legacy_queue_size(struct virtio_dev *d, unsigned index) {
  out(d, QUEUE_SELECT, 16, index);
  return in(d, QUEUE_SIZE, 16);
}

static errno_t legacy_queue_start(struct virtio_dev *d, struct virtq *q) {
  struct virtio_pci *p = virtio_pci_of(d);
  pa_t page = va_to_pa(q->desc) / RING_ALIGN;
  if (page > UINT32_MAX)
    return EINVAL;
  out(d, QUEUE_SELECT, 16, q->index);
  if (p->pci->msix_cap != 0) {
    out(d, QUEUE_MSIX_VECTOR, 16, p->queue_vector);
    if (in(d, QUEUE_MSIX_VECTOR, 16) != p->queue_vector)
      return ENOSPC;
  }
  out(d, QUEUE_PAGE, 32, (uint32_t)page);
  return 0;
}

static void legacy_notify(struct virtq *q) {
  out(q->dev, QUEUE_NOTIFY, 16, q->index);
}

const struct virtio_transport virtio_pci_legacy = {
    .read_features = legacy_read_features,
    .write_features = legacy_write_features,
    .read_status = legacy_read_status,
    .write_status = legacy_write_status,
    .read_config = legacy_read_config,
    .config_generation = legacy_config_generation,
    .connect = legacy_connect,
    .queue_size = legacy_queue_size,
    .queue_start = legacy_queue_start,
    .notify = legacy_notify,
};
