/*
 * A virtio device inside a unit test, and the little of the kernel that drivers call: memory from
 * malloc (so that the sanitizer watches it), a log that keeps its last line, a clock that stands
 * still until it is asked.
 *
 * A test fills in sim (features, ring sizes, configuration) and sets dev.ops = &sim_transport. Then
 * it plays the device with sim_next() and sim_done(), or writes nonsense to the used ring by
 * itself.
 */
#ifndef TESTS_HOST_VIRTIO_SIM_H
#define TESTS_HOST_VIRTIO_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/virtio/ring.h"
#include "drivers/virtio/virtio.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"

#define SIM_RINGS 2
#define SIM_PAGES_MAX 256

struct sim_ring {
  struct virtq *q;
  uint16_t next_avail, used_idx; /* the device's own counters */
  unsigned notified;
};

struct sim {
  uint64_t offered, agreed;
  uint8_t status;
  uint8_t config[64];
  unsigned ring_max[SIM_RINGS];
  bool refuses_features, deaf; /* clears FEATURES_OK; never resets */
  bool interrupts;             /* what connect answered */
  unsigned resets;
  struct sim_ring rings[SIM_RINGS];
};

static struct sim sim;
static char sim_log[256];
static unsigned sim_log_lines;
static long sim_alloc_fail_at = -1; /* the n-th allocation from now fails */
static size_t sim_pages = 16384;
static uint64_t sim_now_ns;

/* ---- The kernel ------------------------------------------------------------------------------ */

enum log_level log_max = LOG_DEBUG;

void log_printf(enum log_level level, const char *format, ...) {
  if (level > LOG_WARN)
    return;
  va_list ap;
  va_start(ap, format);
  vsnprintf(sim_log, sizeof sim_log, format, ap);
  va_end(ap);
  sim_log_lines++;
}

void panic(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vfprintf(stderr, format, ap);
  va_end(ap);
  abort();
}

static bool alloc_fails(void) {
  return sim_alloc_fail_at >= 0 && sim_alloc_fail_at-- == 0;
}

void *kmalloc(size_t size) {
  return alloc_fails() ? NULL : malloc(size);
}

void *kzalloc(size_t size) {
  return alloc_fails() ? NULL : calloc(1, size);
}

void kfree(void *p) {
  free(p);
}

static void *sim_single_pages[SIM_PAGES_MAX]; /* handed out and not given back */
static unsigned sim_single_count;

void *page_alloc(unsigned order) {
  void *p = alloc_fails() ? NULL : aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);
  if (p != NULL && order == 0) {
    assert_true(sim_single_count < SIM_PAGES_MAX);
    sim_single_pages[sim_single_count++] = p;
  }
  return p;
}

void *page_alloc_zero(unsigned order) {
  void *p = page_alloc(order);
  if (p != NULL)
    memset(p, 0, PAGE_SIZE << order);
  return p;
}

void page_free(void *page, unsigned order) {
  for (unsigned i = 0; order == 0 && i < sim_single_count; i++) {
    if (sim_single_pages[i] == page)
      sim_single_pages[i] = sim_single_pages[--sim_single_count];
  }
  free(page);
}

size_t page_total(void) {
  return sim_pages;
}

uint64_t arch_time_ns(void) {
  return sim_now_ns += 1000;
}

/* ---- The device's registers ------------------------------------------------------------------ */

static uint64_t sim_read_features(struct virtio_dev *d) {
  (void)d;
  assert_true(sim.status & VIRTIO_DRIVER);
  return sim.offered;
}

static void sim_write_features(struct virtio_dev *d, uint64_t features) {
  (void)d;
  assert_false(sim.status & VIRTIO_FEATURES_OK);
  assert_int_equal(features & ~sim.offered, 0);
  sim.agreed = features;
}

static uint8_t sim_read_status(struct virtio_dev *d) {
  (void)d;
  return sim.status;
}

static void sim_write_status(struct virtio_dev *d, uint8_t status) {
  (void)d;
  if (sim.deaf)
    return;
  if (status == 0) {
    sim.resets++;
    sim.agreed = 0;
  }
  sim.status = status;
  if (sim.refuses_features)
    sim.status &= (uint8_t)~VIRTIO_FEATURES_OK;
}

static void sim_read_config(struct virtio_dev *d, unsigned offset, void *buf, unsigned n) {
  (void)d;
  memcpy(buf, sim.config + offset, n);
}

static uint32_t sim_generation(struct virtio_dev *d) {
  (void)d;
  return 7;
}

static errno_t sim_connect(struct virtio_dev *d) {
  (void)d;
  return sim.interrupts ? 0 : EINVAL;
}

static unsigned sim_queue_size(struct virtio_dev *d, unsigned index) {
  (void)d;
  return index < SIM_RINGS ? sim.ring_max[index] : 0;
}

static errno_t sim_queue_start(struct virtio_dev *d, struct virtq *q) {
  (void)d;
  sim.rings[q->index] = (struct sim_ring){.q = q};
  return 0;
}

static void sim_notify(struct virtq *q) {
  sim.rings[q->index].notified++;
}

static const struct virtio_transport sim_transport = {
    .read_features = sim_read_features,
    .write_features = sim_write_features,
    .read_status = sim_read_status,
    .write_status = sim_write_status,
    .read_config = sim_read_config,
    .config_generation = sim_generation,
    .connect = sim_connect,
    .queue_size = sim_queue_size,
    .queue_start = sim_queue_start,
    .notify = sim_notify,
};

/* ---- What the device does -------------------------------------------------------------------- */

/* The id of the next chain that the driver has shown, or -1. */
static inline int sim_next(unsigned ring) {
  struct sim_ring *r = &sim.rings[ring];
  if (r->next_avail == r->q->avail->idx)
    return -1;
  return r->q->avail->ring[r->next_avail++ & (r->q->size - 1)];
}

/* The n-th piece of a chain; NULL: it has fewer. */
static inline struct virtq_desc *sim_piece(unsigned ring, int id, unsigned n) {
  struct virtq *q = sim.rings[ring].q;
  struct virtq_desc *d = &q->desc[id];
  for (; n > 0; n--) {
    if (!(d->flags & VIRTQ_DESC_NEXT))
      return NULL;
    d = &q->desc[d->next];
  }
  return d;
}

/* Puts an element in the used ring, whatever it is. True: the driver wants an interrupt now. */
static inline bool sim_done(unsigned ring, uint32_t id, uint32_t len) {
  struct sim_ring *r = &sim.rings[ring];
  struct virtq *q = r->q;
  struct virtq_used *used = (struct virtq_used *)q->used;
  used->ring[r->used_idx & (q->size - 1)] = (struct virtq_used_elem){id, len};
  uint16_t old = r->used_idx++;
  used->idx = r->used_idx;
  if (!q->event_idx)
    return !(q->avail->flags & VIRTQ_AVAIL_NO_IRQ);
  return (uint16_t)(r->used_idx - *q->used_event - 1) < (uint16_t)(r->used_idx - old);
}

static inline void sim_reset(void) {
  memset(&sim, 0, sizeof sim);
  sim.interrupts = true;
  sim.ring_max[0] = sim.ring_max[1] = 256;
  sim.offered = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX;
  sim_log[0] = '\0';
  sim_log_lines = 0;
  sim_alloc_fail_at = -1;
  sim_pages = 16384;
}

#endif
