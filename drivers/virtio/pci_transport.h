/*
 * Private to the PCI transport: the device as pci.c finds it, with the registers of either
 * interface (pci_modern.c, pci_legacy.c).
 */
#ifndef DRIVERS_VIRTIO_PCI_TRANSPORT_H
#define DRIVERS_VIRTIO_PCI_TRANSPORT_H

#include "drivers/pci.h"
#include "drivers/virtio/virtio.h"
#include "kernel/list.h"

#define VIRTIO_PCI_NO_VECTOR 0xffff

struct virtio_pci {
  struct virtio_dev dev;
  struct pci_dev *pci;
  /* MSI-X vectors, or VIRTIO_PCI_NO_VECTOR: then interrupts are wired, or unused */
  uint16_t queue_vector, config_vector;

  /* modern: registers (4.1.4) */
  volatile uint8_t *common, *isr, *config, *notify;
  uint32_t config_bytes, notify_bytes, notify_multiplier;

  /* legacy: the first I/O port (4.1.4.8) */
  uint16_t port;
};

static inline struct virtio_pci *virtio_pci_of(struct virtio_dev *d) {
  return container_of(d, struct virtio_pci, dev);
}

extern const struct virtio_transport virtio_pci_modern, virtio_pci_legacy;

/* Finds the interface's registers. ENODEV: it does not have this interface; EINVAL: it says
 * nonsense; ENOMEM. */
errno_t virtio_pci_modern_map(struct virtio_pci *p);
errno_t virtio_pci_legacy_map(struct virtio_pci *p);

/* Both interfaces' connect: MSI-X, else the wired line. `assign` tells the device its configuration
 * vector, and is false if it does not take it. */
errno_t virtio_pci_connect(struct virtio_pci *p, bool (*assign)(struct virtio_pci *p),
                           irq_handler_t *wired);

#endif
