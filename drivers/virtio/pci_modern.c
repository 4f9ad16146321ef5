/*
 * Virtio over PCI, the interface of version 1.0 and later: registers in memory, found by vendor
 * capabilities (specification 4.1.4).
 *
 * Called by the core at boot, and for notifications. Places come from the device: checked by
 * pci_map().
 */
#include "drivers/virtio/pci_transport.h"

#include "kernel/string.h"

enum { /* struct virtio_pci_cap (4.1.4) */
       CAP_TYPE = 3,
       CAP_BAR = 4,
       CAP_OFFSET = 8,
       CAP_LENGTH = 12,
       CAP_NOTIFY_MULTIPLIER = 16,

       TYPE_COMMON = 1,
       TYPE_NOTIFY = 2,
       TYPE_ISR = 3,
       TYPE_DEVICE = 4,
};

enum { /* struct virtio_pci_common_cfg (4.1.4.3) */
       DEVICE_FEATURE_SELECT = 0x00,
       DEVICE_FEATURE = 0x04,
       DRIVER_FEATURE_SELECT = 0x08,
       DRIVER_FEATURE = 0x0c,
       MSIX_CONFIG = 0x10,
       NUM_QUEUES = 0x12,
       DEVICE_STATUS = 0x14,
       CONFIG_GENERATION = 0x15,
       QUEUE_SELECT = 0x16,
       QUEUE_SIZE = 0x18,
       QUEUE_MSIX_VECTOR = 0x1a,
       QUEUE_ENABLE = 0x1c,
       QUEUE_NOTIFY_OFF = 0x1e,
       QUEUE_DESC = 0x20,
       QUEUE_DRIVER = 0x28,
       QUEUE_DEVICE = 0x30,
       COMMON_BYTES = 0x38,
};

#define CONFIG_BYTES_MAX 4096u
#define NOTIFY_BYTES_MAX 65536u

static uint32_t at_most(uint32_t a, uint32_t b) {
  return a < b ? a : b;
}

/* Maps what one capability tells of; the first usable of each type counts. */
static void map_cap(struct virtio_pci *p, uint8_t cap) {
  const struct pci_dev *pci = p->pci;
  uint32_t offset = pci_read(pci, cap + CAP_OFFSET, 32);
  uint32_t length = pci_read(pci, cap + CAP_LENGTH, 32);
  unsigned bar = pci_read(pci, cap + CAP_BAR, 8);

  switch (pci_read(pci, cap + CAP_TYPE, 8)) {
    case TYPE_COMMON:
      if (p->common == NULL && length >= COMMON_BYTES)
        pci_map(pci, bar, offset, COMMON_BYTES, &p->common);
      break;
    case TYPE_ISR:
      if (p->isr == NULL && length >= 1)
        pci_map(pci, bar, offset, 1, &p->isr);
      break;
    case TYPE_DEVICE:
      length = at_most(length, CONFIG_BYTES_MAX);
      if (p->config == NULL && pci_map(pci, bar, offset, length, &p->config) == 0)
        p->config_bytes = length;
      break;
    case TYPE_NOTIFY:
      length = at_most(length, NOTIFY_BYTES_MAX);
      if (p->notify == NULL && pci_map(pci, bar, offset, length, &p->notify) == 0) {
        p->notify_bytes = length;
        p->notify_multiplier = pci_read(pci, cap + CAP_NOTIFY_MULTIPLIER, 32);
      }
      break;
  }
}

errno_t virtio_pci_modern_map(struct virtio_pci *p) {
  struct pci_cap_iter it = {0};
  uint8_t cap;
  bool any = false;
  while ((cap = pci_next_cap(p->pci, &it, PCI_CAP_VENDOR)) != 0) {
    map_cap(p, cap);
    any = true;
  }
  if (!any)
    return ENODEV;
  return p->common != NULL && p->notify != NULL && p->isr != NULL ? 0 : EINVAL;
}

static uint64_t modern_read_features(struct virtio_dev *d) {
  volatile uint8_t *c = virtio_pci_of(d)->common;
  mmio_write32(c + DEVICE_FEATURE_SELECT, 0);
  uint64_t low = mmio_read32(c + DEVICE_FEATURE);
  mmio_write32(c + DEVICE_FEATURE_SELECT, 1);
  return low | (uint64_t)mmio_read32(c + DEVICE_FEATURE) << 32;
}

static void modern_write_features(struct virtio_dev *d, uint64_t features) {
  volatile uint8_t *c = virtio_pci_of(d)->common;
  mmio_write32(c + DRIVER_FEATURE_SELECT, 0);
  mmio_write32(c + DRIVER_FEATURE, (uint32_t)features);
  mmio_write32(c + DRIVER_FEATURE_SELECT, 1);
  mmio_write32(c + DRIVER_FEATURE, (uint32_t)(features >> 32));
}

static uint8_t modern_read_status(struct virtio_dev *d) {
  return mmio_read8(virtio_pci_of(d)->common + DEVICE_STATUS);
}

static void modern_write_status(struct virtio_dev *d, uint8_t status) {
  mmio_write8(virtio_pci_of(d)->common + DEVICE_STATUS, status);
}

static void modern_read_config(struct virtio_dev *d, unsigned offset, void *buf, unsigned n) {
  struct virtio_pci *p = virtio_pci_of(d);
  memset(buf, 0, n);
  if (p->config == NULL || offset > p->config_bytes || n > p->config_bytes - offset)
    return;
  volatile uint8_t *from = p->config + offset;
  if (n == 2) {
    *(uint16_t *)buf = mmio_read16(from);
  } else if (n == 4) {
    *(uint32_t *)buf = mmio_read32(from);
  } else {
    for (unsigned i = 0; i < n; i++)
      ((uint8_t *)buf)[i] = mmio_read8(from + i);
  }
}

static uint32_t modern_config_generation(struct virtio_dev *d) {
  return mmio_read8(virtio_pci_of(d)->common + CONFIG_GENERATION);
}

/* Reading the status register ends a wired interrupt (4.1.4.5). */
static void modern_wired(void *arg) {
  struct virtio_pci *p = arg;
  uint8_t isr = mmio_read8(p->isr);
  if (isr & 1)
    virtio_queue_irq(&p->dev);
  if (isr & 2)
    virtio_config_irq(&p->dev);
}

static bool assign_config_vector(struct virtio_pci *p) {
  mmio_write16(p->common + MSIX_CONFIG, p->config_vector);
  return mmio_read16(p->common + MSIX_CONFIG) == p->config_vector;
}

static errno_t modern_connect(struct virtio_dev *d) {
  return virtio_pci_connect(virtio_pci_of(d), assign_config_vector, modern_wired);
}

static unsigned modern_queue_size(struct virtio_dev *d, unsigned index) {
  volatile uint8_t *c = virtio_pci_of(d)->common;
  if (index >= mmio_read16(c + NUM_QUEUES))
    return 0;
  mmio_write16(c + QUEUE_SELECT, (uint16_t)index);
  return mmio_read16(c + QUEUE_SIZE);
}

static void write_address(volatile uint8_t *reg, const volatile void *va) {
  pa_t pa = va_to_pa((const void *)va);
  mmio_write32(reg, (uint32_t)pa);
  mmio_write32(reg + 4, (uint32_t)(pa >> 32));
}

static errno_t modern_queue_start(struct virtio_dev *d, struct virtq *q) {
  struct virtio_pci *p = virtio_pci_of(d);
  volatile uint8_t *c = p->common;
  mmio_write16(c + QUEUE_SELECT, q->index);
  uint64_t notify = (uint64_t)mmio_read16(c + QUEUE_NOTIFY_OFF) * p->notify_multiplier;
  if (notify + 2 > p->notify_bytes)
    return EINVAL;
  q->notify_reg = p->notify + notify;
  mmio_write16(c + QUEUE_SIZE, q->size);
  write_address(c + QUEUE_DESC, q->desc);
  write_address(c + QUEUE_DRIVER, q->avail);
  write_address(c + QUEUE_DEVICE, q->used);
  mmio_write16(c + QUEUE_MSIX_VECTOR, p->queue_vector);
  if (mmio_read16(c + QUEUE_MSIX_VECTOR) != p->queue_vector)
    return ENOSPC;
  mmio_write16(c + QUEUE_ENABLE, 1);
  return 0;
}

static void modern_notify(struct virtq *q) {
  mmio_write16(q->notify_reg, q->index);
}

const struct virtio_transport virtio_pci_modern = {
    .read_features = modern_read_features,
    .write_features = modern_write_features,
    .read_status = modern_read_status,
    .write_status = modern_write_status,
    .read_config = modern_read_config,
    .config_generation = modern_config_generation,
    .connect = modern_connect,
    .queue_size = modern_queue_size,
    .queue_start = modern_queue_start,
    .notify = modern_notify,
};
