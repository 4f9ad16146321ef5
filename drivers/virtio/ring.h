/*
 * The split ring as it lies in memory (specification 2.6), for virtq.c and for the test's device.
 * All fields little-endian: both architectures are.
 */
#ifndef DRIVERS_VIRTIO_RING_H
#define DRIVERS_VIRTIO_RING_H

#include <stdint.h>

#define VIRTQ_SIZE_MAX 32768

struct virtq_desc {
  uint64_t addr;
  uint32_t len;
  uint16_t flags;
  uint16_t next;
};

enum {
  VIRTQ_DESC_NEXT = 1,
  VIRTQ_DESC_WRITE = 2,     /* by the device */
  VIRTQ_USED_NO_NOTIFY = 1, /* used->flags */
  VIRTQ_AVAIL_NO_IRQ = 1,   /* avail->flags */
};

struct virtq_avail {
  uint16_t flags;
  uint16_t idx;
  uint16_t ring[]; /* size entries, then used_event */
};

struct virtq_used_elem {
  uint32_t id;
  uint32_t len;
};

struct virtq_used {
  uint16_t flags;
  uint16_t idx;
  struct virtq_used_elem ring[]; /* size entries, then avail_event */
};

_Static_assert(sizeof(struct virtq_desc) == 16, "descriptor");
_Static_assert(sizeof(struct virtq_used_elem) == 8, "used element");

static inline uint32_t virtq_avail_bytes(unsigned size) {
  return 4 + 2 * size + 2;
}

static inline uint32_t virtq_used_bytes(unsigned size) {
  return 4 + 8 * size + 2;
}

/* Where the used ring starts behind descriptors and available ring. */
static inline uint32_t virtq_used_offset(unsigned size, unsigned align) {
  return (16 * size + virtq_avail_bytes(size) + align - 1) & ~(align - 1);
}

static inline uint32_t virtq_bytes(unsigned size, unsigned align) {
  return virtq_used_offset(size, align) + virtq_used_bytes(size);
}

#endif
