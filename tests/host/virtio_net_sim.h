/*
 * The network driver's surroundings in a unit test: a device played by virtio_sim.h, and a stack
 * that keeps what it gets until the test frees it.
 *
 * A test calls start(), lets frames arrive or sends some, runs the bottom half, and calls stop(),
 * after which nothing may be left.
 */
#ifndef TESTS_HOST_VIRTIO_NET_SIM_H
#define TESTS_HOST_VIRTIO_NET_SIM_H

#include "tests/host/virtio_sim.h"

#include "drivers/virtio/net.h"

#define ETH_FRAME_MAX 1514
#define MODERN (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | NET_F_MAC | NET_F_STATUS)

/* ---- The kernel and the stack ---------------------------------------------------------------- */

static struct netdev *nd;
static struct netbuf *kept[4096]; /* what rx got, in order */
static unsigned kept_count, rx_done_calls, link_calls;
static struct bh *scheduled;
static struct timer *armed;

errno_t virtio_rng_start(struct virtio_dev *d) {
  (void)d;
  return ENODEV;
}

errno_t virtio_blk_start(struct virtio_dev *d) {
  (void)d;
  return ENODEV;
}

void bh_schedule(struct bh *bh) {
  scheduled = bh;
}

void timer_set(struct timer *t, uint64_t deadline_ns) {
  assert_true(deadline_ns <= sim_now_ns + 250000000);
  t->prev = t;
  armed = t;
}

void timer_cancel(struct timer *t) {
  t->prev = NULL;
}

bool arch_random(uint64_t *word) {
  *word = 0xffffffffffffffff;
  return true;
}

static void stack_rx(struct netdev *dev, struct netbuf *b) {
  assert_ptr_equal(dev, nd);
  kept[kept_count++] = b;
}

static void stack_rx_done(struct netdev *dev) {
  (void)dev;
  rx_done_calls++;
}

static void stack_link(struct netdev *dev) {
  (void)dev;
  link_calls++;
}

void netdev_register(struct netdev *dev) {
  nd = dev;
  dev->rx = stack_rx;
  dev->rx_done = stack_rx_done;
  dev->link_changed = stack_link;
}

static void free_frame(struct netbuf *b) {
  while (b != NULL) {
    struct netbuf *next = b->next;
    b->free(b);
    b = next;
  }
}

static inline void free_kept(void) {
  for (unsigned i = 0; i < kept_count; i++)
    free_frame(kept[i]);
  kept_count = 0;
}

static void run_bh(void) {
  for (int i = 0; i < 100 && scheduled != NULL; i++) {
    struct bh *bh = scheduled;
    scheduled = NULL;
    bh->run(bh);
  }
  assert_null(scheduled);
}

/* ---- Starting and stopping ------------------------------------------------------------------- */

static struct virtio_dev dev;

static uint16_t mtu_says; /* the configuration's field */

static void start(uint64_t features, bool legacy, size_t pages) {
  sim_reset();
  memcpy(sim.config + 10, &mtu_says, 2);
  nd = NULL;
  scheduled = NULL;
  armed = NULL;
  kept_count = rx_done_calls = link_calls = 0;
  sim_pages = pages;
  sim.offered = features;
  memcpy(sim.config, "\x52\x54\x00\x12\x34\x56\x01\x00", 8);
  dev = (struct virtio_dev){.ops = &sim_transport,
                            .name = "test 0",
                            .legacy = legacy,
                            .fixed_rings = legacy,
                            .ring_align = 4096};
  assert_int_equal(virtio_start(&dev, 1), 0);
}

/* Frees everything, so that the sanitizer sees what was lost. */
static void stop(void) {
  struct virtio_net *n = dev.driver;
  free_kept();
  virtio_break(&dev, "the test ends");
  run_bh();
  virtq_destroy(&n->rx);
  virtq_destroy(&n->tx);
  kfree(n->tx_slots);
  kfree(n);
  while (sim_single_count > 0) /* the receive buffers, which the driver keeps for ever */
    page_free(sim_single_pages[0], 0);
}

/* The device puts `len` bytes, header included, into the next receive buffer; false: it has none.
 */
static inline bool device_receives(const void *bytes, uint32_t len) {
  const uint8_t *from = bytes;
  int id = sim_next(0);
  if (id < 0)
    return false;
  uint32_t left = len;
  for (unsigned i = 0; left > 0; i++) {
    struct virtq_desc *d = sim_piece(0, id, i);
    assert_non_null(d);
    assert_true(d->flags & VIRTQ_DESC_WRITE);
    uint32_t n = left < d->len ? left : d->len;
    memcpy(pa_to_va(d->addr), from, n);
    from += n;
    left -= n;
  }
  if (sim_done(0, (uint32_t)id, len))
    virtio_queue_irq(&dev);
  return true;
}

/* A frame of `len` bytes that starts with `tag`, behind a header of the right length. */
static inline bool frame_arrives(uint32_t tag, uint32_t len, uint8_t flags, uint16_t buffers) {
  struct virtio_net *n = dev.driver;
  uint8_t bytes[NET_HDR_BYTES + ETH_FRAME_MAX];
  struct net_hdr hdr = {.flags = flags, .num_buffers = buffers};
  memcpy(bytes, &hdr, n->hdr_bytes);
  memset(bytes + n->hdr_bytes, (int)tag, len);
  memcpy(bytes + n->hdr_bytes, &tag, 4);
  return device_receives(bytes, n->hdr_bytes + len);
}

static inline uint32_t tag_of(const struct netbuf *b) {
  uint32_t tag;
  memcpy(&tag, b->data, 4);
  return tag;
}

#endif
