/*
 * Virtio over PCI: which interface a function has, and its interrupts (specification 4.1).
 *
 * pci_init() calls the probe at boot. A function with both interfaces is used as a modern one.
 * MSI-X: vector 0 for the configuration and 1 for all rings; if the device has just one, for
 * the rings. Without MSI-X the wired line, if firmware told where it leads.
 */
#include "drivers/virtio/pci_transport.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/printf.h"

enum {
  DEVICE_FIRST_MODERN = 0x1040, /* plus the virtio type; below: transitional */
};

static void queue_handler(void *arg) {
  virtio_queue_irq(arg);
}

static void config_handler(void *arg) {
  virtio_config_irq(arg);
}

static errno_t connect_msix(struct virtio_pci *p) {
  errno_t e = pci_msix_init(p->pci);
  if (e != 0)
    return e;
  p->queue_vector = p->pci->msix_count > 1 ? 1 : 0;
  e = pci_msix_connect(p->pci, p->queue_vector, queue_handler, &p->dev);
  if (e == 0 && p->queue_vector == 1 && pci_msix_connect(p->pci, 0, config_handler, &p->dev) == 0)
    p->config_vector = 0;
  return e;
}

errno_t virtio_pci_connect(struct virtio_pci *p, bool (*assign)(struct virtio_pci *p),
                           irq_handler_t *wired) {
  if (connect_msix(p) == 0) {
    if (p->config_vector == VIRTIO_PCI_NO_VECTOR || assign(p))
      return 0;
    p->config_vector = VIRTIO_PCI_NO_VECTOR; /* it goes without news of the configuration */
    return 0;
  }
  pci_msix_off(p->pci);
  p->queue_vector = p->config_vector = VIRTIO_PCI_NO_VECTOR;
  return pci_intx_connect(p->pci, wired, p);
}

errno_t virtio_pci_probe(struct pci_dev *pci) {
  struct virtio_pci *p = kzalloc(sizeof *p);
  if (p == NULL) {
    log_warn("%s: no memory", pci->name);
    return ENOMEM;
  }
  p->pci = pci;
  p->queue_vector = p->config_vector = VIRTIO_PCI_NO_VECTOR;
  ksnprintf(p->dev.name, sizeof p->dev.name, "%s", pci->name);
  pci_msix_off(pci);

  unsigned type = pci->device - (unsigned)DEVICE_FIRST_MODERN;
  if (pci->device < DEVICE_FIRST_MODERN)
    type = pci_read(pci, PCI_SUBSYSTEM_ID, 16);
  p->dev.ops = &virtio_pci_modern;
  errno_t e = virtio_pci_modern_map(p);
  if (e == ENODEV && pci->device < DEVICE_FIRST_MODERN) {
    p->dev.ops = &virtio_pci_legacy;
    e = virtio_pci_legacy_map(p);
  }
  if (e == 0)
    e = virtio_start(&p->dev, type);
  else
    log_warn("%s: virtio type %u: its registers can't be reached", pci->name, type);
  if (e != 0)
    kfree(p);
  return e;
}
