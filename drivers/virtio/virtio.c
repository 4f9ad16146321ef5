/*
 * The virtio handshake: from a reset device to one that may run (specification 3.1), and back.
 *
 * Called by transports and drivers at boot; virtio_break() and virtio_check() also from bottom
 * halves. Kernel lock; nothing sleeps, every wait is bounded.
 */
#include "drivers/virtio/virtio.h"

#include "kernel/log.h"
#include "kernel/printf.h"
#include "kernel/string.h"

#define RESET_LIMIT_NS 100000000ull
#define GENERATION_TRIES 16

struct virtio_driver {
  unsigned type;
  const char *name;
  errno_t (*start)(struct virtio_dev *d);
};

static const struct virtio_driver drivers[] = {
    {1, "virtio-net", virtio_net_start},
    {2, "virtio-blk", virtio_blk_start},
    {4, "virtio-rng", virtio_rng_start},
};

errno_t virtio_start(struct virtio_dev *d, unsigned type) {
  for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
    if (drivers[i].type != type)
      continue;
    size_t n = strlen(d->name);
    ksnprintf(d->name + n, sizeof d->name - n, " %s", drivers[i].name);
    return drivers[i].start(d);
  }
  log_info("%s: no driver for virtio type %u", d->name, type);
  return ENODEV;
}

errno_t virtio_reset(struct virtio_dev *d) {
  d->ops->write_status(d, 0);
  if (d->ops->read_status(d) == 0)
    return 0;
  uint64_t limit = arch_time_ns() + RESET_LIMIT_NS;
  while (arch_time_ns() < limit) {
    if (d->ops->read_status(d) == 0)
      return 0;
  }
  return EIO;
}

static errno_t give_up(struct virtio_dev *d, const char *why) {
  log_warn("%s: %s", d->name, why);
  d->ops->write_status(d, VIRTIO_FAILED);
  d->broken = true;
  return EIO;
}

errno_t virtio_begin(struct virtio_dev *d, uint64_t wanted) {
  uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;
  d->broken = false;
  if (virtio_reset(d) != 0)
    return give_up(d, "does not answer a reset");
  d->ops->write_status(d, VIRTIO_ACKNOWLEDGE);
  d->ops->write_status(d, status);

  uint64_t offered = d->ops->read_features(d);
  wanted |= VIRTIO_F_EVENT_IDX | (d->legacy ? VIRTIO_F_ANY_LAYOUT : VIRTIO_F_VERSION_1);
  d->features = offered & wanted;
  if (!d->legacy && !virtio_has(d, VIRTIO_F_VERSION_1))
    return give_up(d, "a modern device without VERSION_1");
  d->ops->write_features(d, d->features);
  if (d->legacy)
    return 0;
  d->ops->write_status(d, status | VIRTIO_FEATURES_OK);
  if (d->ops->read_status(d) & VIRTIO_FEATURES_OK)
    return 0;
  if (offered & VIRTIO_F_ACCESS_PLATFORM)
    return give_up(d,
                   "insists on ACCESS_PLATFORM, which is not supported (set iommu_platform=off)");
  return give_up(d, "refuses the features that it offered");
}

errno_t virtio_connect(struct virtio_dev *d, void (*on_queue)(struct virtio_dev *),
                       void (*on_config)(struct virtio_dev *)) {
  d->on_queue = on_queue;
  d->on_config = on_config;
  return d->ops->connect(d);
}

void virtio_ready(struct virtio_dev *d) {
  uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK;
  if (!d->legacy)
    status |= VIRTIO_FEATURES_OK;
  d->ops->write_status(d, status);
}

void virtio_break(struct virtio_dev *d, const char *format, ...) {
  if (d->broken)
    return;
  char why[96];
  va_list ap;
  va_start(ap, format);
  kvsnprintf(why, sizeof why, format, ap);
  va_end(ap);
  log_warn("%s: given up: %s", d->name, why);
  d->broken = true;
  virtio_reset(d);     /* if it does not answer, nothing more can be done */
  virtio_queue_irq(d); /* the driver's bottom half cleans up */
}

bool virtio_check(struct virtio_dev *d) {
  if (d->broken)
    return true;
  uint8_t status = d->ops->read_status(d);
  if (status == 0xff)
    virtio_break(d, "the device is gone");
  else if (status & VIRTIO_NEEDS_RESET)
    virtio_break(d, "the device reports an internal error");
  return d->broken;
}

void virtio_config_bytes(struct virtio_dev *d, unsigned offset, void *buf, unsigned n) {
  for (unsigned i = 0; i < GENERATION_TRIES; i++) {
    uint32_t before = d->ops->config_generation(d);
    d->ops->read_config(d, offset, buf, n);
    if (d->ops->config_generation(d) == before)
      return;
  }
}

uint16_t virtio_config16(struct virtio_dev *d, unsigned offset) {
  uint16_t v;
  virtio_config_bytes(d, offset, &v, sizeof v);
  return v;
}
