/*
 * Virtio: what device drivers, transports and the core say to each other. Virtual I/O Device
 * Specification 1.1 and its legacy interfaces.
 *
 * A driver is a table entry and a start function:
 *
 *     virtio_begin(dev, wanted)       reset, features agreed in dev->features
 *     virtio_connect(dev, …)          interrupts, if it wants any
 *     virtq_create(dev, &q, 0, 64)    each ring
 *     virtio_ready(dev)               the device may run
 *     virtq_add(), virtq_kick()       give buffers
 *     virtq_reap()                    take them back
 *
 * and never touches a register. A transport (pci.c, mmio.c) fills in struct virtio_transport and
 * calls virtio_start(). Everything runs under the kernel lock, handlers excepted: these only mark.
 *
 * A device that breaks the rules (an id that it was not given, a length beyond the buffer) is
 * broken from then on: one line in the log, a reset, virtq_reap() gives nothing more, and
 * virtq_take_back() returns what it still had.
 */
#ifndef DRIVERS_VIRTIO_VIRTIO_H
#define DRIVERS_VIRTIO_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

struct pci_dev;
struct virtio_dev;
struct virtq;

/* Feature bits of all devices (6). */
#define VIRTIO_F_ANY_LAYOUT (1ull << 27)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)

enum { /* device status (2.1) */
       VIRTIO_ACKNOWLEDGE = 1,
       VIRTIO_DRIVER = 2,
       VIRTIO_DRIVER_OK = 4,
       VIRTIO_FEATURES_OK = 8,
       VIRTIO_NEEDS_RESET = 64,
       VIRTIO_FAILED = 128,
};

/* ---- Devices --------------------------------------------------------------------------------- */

/* How registers are reached; all calls at start, except notify and read_config. */
struct virtio_transport {
  uint64_t (*read_features)(struct virtio_dev *d);
  void (*write_features)(struct virtio_dev *d, uint64_t features);
  uint8_t (*read_status)(struct virtio_dev *d);
  void (*write_status)(struct virtio_dev *d, uint8_t status);
  /* n = 1, 2 or 4: one access of that width; other n: bytes. */
  void (*read_config)(struct virtio_dev *d, unsigned offset, void *buf, unsigned n);
  uint32_t (*config_generation)(struct virtio_dev *d);
  /* Makes interrupts arrive at virtio_queue_irq() and virtio_config_irq(). */
  errno_t (*connect)(struct virtio_dev *d);
  unsigned (*queue_size)(struct virtio_dev *d, unsigned index); /* the largest; 0: no such ring */
  /* Tells the device where the ring is, and sets q->notify_reg. ENOSPC, EINVAL. */
  errno_t (*queue_start)(struct virtio_dev *d, struct virtq *q);
  void (*notify)(struct virtq *q);
};

struct virtio_dev {
  /* the transport's, before virtio_start() */
  const struct virtio_transport *ops;
  bool legacy;         /* the interface from before 1.0: no FEATURES_OK, 32 features */
  bool fixed_rings;    /* the device says how long its rings are */
  uint16_t ring_align; /* legacy: where the used ring starts, and the page size of ring addresses */
  char name[40];       /* "pci 00:03.0"; the core adds the kind of device */

  /* the core's */
  uint64_t features; /* agreed */
  bool broken;

  /* the driver's, by virtio_connect(): interrupt context; mark and return */
  void (*on_queue)(struct virtio_dev *d);
  void (*on_config)(struct virtio_dev *d);
  void *driver;
};

/* A transport found a device of virtio type `type`. ENODEV: there is no driver for it, or it did
 * not start (the reason is in the log) and d is not referred to any more; else d must stay. */
errno_t virtio_start(struct virtio_dev *d, unsigned type);
/* For transports' handlers. */
static inline void virtio_queue_irq(struct virtio_dev *d) {
  if (d->on_queue != NULL)
    d->on_queue(d);
}
static inline void virtio_config_irq(struct virtio_dev *d) {
  if (d->on_config != NULL)
    d->on_config(d);
}

/* Resets the device and agrees on `wanted` as far as it offers them. Logs why it fails. EIO. */
errno_t virtio_begin(struct virtio_dev *d, uint64_t wanted);
/* Interrupts to these two from now on. EINVAL, ENOSPC: there is no way for them. */
errno_t virtio_connect(struct virtio_dev *d, void (*on_queue)(struct virtio_dev *),
                       void (*on_config)(struct virtio_dev *));
/* The device may use its rings. */
void virtio_ready(struct virtio_dev *d);
/* Stops the device. EIO: it does not answer, and may still use its rings' memory. */
errno_t virtio_reset(struct virtio_dev *d);
/* Logs the reason, gives the device up (see above) and calls on_queue once more, so that the driver
 * cleans up. Any number of times; the first counts. */
__attribute__((format(printf, 2, 3))) void virtio_break(struct virtio_dev *d, const char *format,
                                                        ...);
/* After a configuration interrupt: true if the device asks to be reset, or is gone; it is broken
 * then. */
bool virtio_check(struct virtio_dev *d);

static inline bool virtio_has(const struct virtio_dev *d, uint64_t feature) {
  return (d->features & feature) != 0;
}

/* Configuration fields; consistent if the device changes them meanwhile. */
uint16_t virtio_config16(struct virtio_dev *d, unsigned offset);
void virtio_config_bytes(struct virtio_dev *d, unsigned offset, void *buf, unsigned n);

/* ---- Rings ----------------------------------------------------------------------------------- */

struct virtq_desc;
struct virtq_avail;
struct virtq_used;

/* What the driver knows of a descriptor; the device can't write here. */
struct virtq_slot {
  void *cookie;
  uint32_t in_bytes; /* what the device may write, of a chain's head */
  uint16_t next;     /* in its chain, or in the free list */
  uint16_t count;    /* descriptors of the chain that starts here; 0: none in flight does */
};

struct virtq {
  struct virtio_dev *dev;
  struct virtq_desc *desc;
  struct virtq_avail *avail;
  volatile struct virtq_used *used;
  struct virtq_slot *slots;
  const volatile uint16_t *used_idx; /* written by the device: how many it is done with */
  uint16_t *used_event;              /* written by us: interrupt when passed */
  volatile uint16_t *avail_event;    /* written by the device: notify when passed */
  uint16_t index, size;
  uint16_t free_head, free_count; /* descriptors */
  uint16_t avail_next;            /* index of the next chain to give */
  uint16_t published;             /* what the device was told of */
  uint16_t last_used;             /* index of the next chain to take back */
  bool event_idx;
  volatile void *notify_reg; /* transport's */
};

/* One piece of memory, by physical address. */
struct virtq_buf {
  pa_t base;
  uint32_t len;
};

/* Makes ring `index` with as many descriptors as the device allows, up to `wanted` (legacy PCI: as
 * many as it has). ENODEV: the device has no such ring; EINVAL, ENOSPC: it can't be set up; ENOMEM.
 */
errno_t virtq_create(struct virtio_dev *d, struct virtq *q, unsigned index, unsigned wanted);
/* Frees the memory; the device has been reset. */
void virtq_destroy(struct virtq *q);

/* Gives the device a chain: first `out` pieces that it reads, then `in` that it writes. The cookie
 * comes back by virtq_reap. It sees nothing before virtq_kick(). ENOBUFS: no room; EIO: broken. */
errno_t virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned out, unsigned in,
                  void *cookie);
/* The same for one piece that the device writes: the way of receive buffers. */
errno_t virtq_add_in(struct virtq *q, pa_t base, uint32_t len, void *cookie);
/* Shows the device what was added, and notifies it if it wants that. */
void virtq_kick(struct virtq *q);
/* Notifies it in any case. */
void virtq_nudge(struct virtq *q);
/* Whether virtq_reap may find something: cheap. */
static inline bool virtq_pending(const struct virtq *q) {
  return *q->used_idx != q->last_used;
}
/* A chain that the device is done with: its cookie, and how many bytes it wrote (never more than
 * fit). False: none. */
bool virtq_reap(struct virtq *q, void **cookie, uint32_t *len);
/* Of a broken or reset device: the chains it still had, one by one. */
bool virtq_take_back(struct virtq *q, void **cookie);

/* Asks for an interrupt when `after` more chains (1: the next) are done. True: they already are,
 * none will come. */
bool virtq_irq_on(struct virtq *q, uint16_t after);
/* No interrupts, as far as the device listens. Any context. */
void virtq_irq_off(struct virtq *q);

/* The id of the chain that the next virtq_add makes: below q->size, and not in flight. */
static inline uint16_t virtq_next_id(const struct virtq *q) {
  return q->free_head;
}
static inline uint16_t virtq_room(const struct virtq *q) {
  return q->free_count;
}
/* Chains given, and not taken back. */
static inline uint16_t virtq_in_flight(const struct virtq *q) {
  return (uint16_t)(q->avail_next - q->last_used);
}
/* Chains added, and not shown to the device yet. */
static inline uint16_t virtq_unpublished(const struct virtq *q) {
  return (uint16_t)(q->avail_next - q->published);
}

/* ---- The devices, and the transport that pci.c knows ----------------------------------------- */

/* ENODEV as virtio_start. */
errno_t virtio_net_start(struct virtio_dev *d);
errno_t virtio_blk_start(struct virtio_dev *d);
errno_t virtio_rng_start(struct virtio_dev *d);
errno_t virtio_pci_probe(struct pci_dev *d);

#endif
