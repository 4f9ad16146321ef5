/*
 * The entropy device (specification 5.4): asked once, at boot, for enough to seed the generator.
 *
 * Called by the core at boot, before random_start(). No interrupts: the ring is looked at, with
 * sleeps that get longer, for a bounded time. Afterwards the device is reset and its memory freed.
 */
#include "drivers/virtio/virtio.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/string.h"
#include "kernel/timer.h"

#define WANTED_BYTES 64 /* twice what seeds the generator */
#define SPINS 32        /* looks before the first sleep */
#define NAP_FIRST_NS 20000ull
#define NAP_MAX_NS 10000000ull
#define LIMIT_NS 2000000000ull

static void fired(struct timer *t) {
  (void)t; /* the interrupt itself is what was wanted */
}

/* Sleeps for about `ns`; other interrupts end it earlier. */
static void nap(uint64_t ns) {
  struct timer t = {.fire = fired};
  timer_set(&t, arch_time_ns() + ns);
  arch_wait_for_interrupt();
  timer_cancel(&t);
}

/* Waits for the buffer; false: it did not come. */
static bool wait_done(struct virtq *q, uint32_t *len) {
  void *cookie;
  for (int i = 0; i < SPINS; i++) {
    if (virtq_reap(q, &cookie, len))
      return true;
  }
  uint64_t limit = arch_time_ns() + LIMIT_NS;
  for (uint64_t ns = NAP_FIRST_NS; !q->dev->broken && arch_time_ns() < limit;) {
    nap(ns);
    if (virtq_reap(q, &cookie, len))
      return true;
    ns = ns * 2 < NAP_MAX_NS ? ns * 2 : NAP_MAX_NS;
  }
  return false;
}

/* Asks for bytes until there are enough; a device may give fewer than asked. */
static void collect(struct virtio_dev *d, struct virtq *q, uint8_t *bytes) {
  struct virtq_buf buf = {va_to_pa(bytes), WANTED_BYTES};
  for (uint32_t len, have = 0; have < WANTED_BYTES; have += len) {
    if (virtq_add(q, &buf, 0, 1, bytes) != 0)
      return;
    virtq_kick(q);
    if (!wait_done(q, &len) || len == 0) {
      if (!d->broken)
        log_warn("%s: gives no random numbers", d->name);
      return;
    }
    random_add(bytes, len, true);
  }
}

errno_t virtio_rng_start(struct virtio_dev *d) {
  struct virtq q;
  uint8_t *bytes = kzalloc(WANTED_BYTES);
  errno_t e = ENOMEM;
  if (bytes == NULL)
    goto out;
  e = virtio_begin(d, 0);
  if (e != 0)
    goto out_logged;
  e = virtq_create(d, &q, 0, 2);
  if (e != 0)
    goto out;
  virtio_ready(d);
  collect(d, &q, bytes);
  memset(bytes, 0, WANTED_BYTES);
  if (virtio_reset(d) != 0)
    return 0; /* it may still write to ring and buffer: they stay */
  virtq_destroy(&q);
out:
  if (e != 0)
    log_warn("%s: can't be started (error %u)", d->name, e);
out_logged:
  kfree(bytes);
  return ENODEV;
}
