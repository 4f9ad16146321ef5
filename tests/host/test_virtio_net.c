// sources: drivers/virtio/net.c drivers/virtio/net_rx.c drivers/virtio/net_tx.c
// sources: drivers/virtio/virtq.c drivers/virtio/virtio.c kernel/printf.c
/*
 * The network driver against a device played by the test: frames arrive as sent, in every header
 * format; a stack that keeps buffers does not stop receiving; what is sent is released once, also
 * when the device breaks.
 */
#include "tests/host/virtio_sim.h"

#include "drivers/virtio/net.h"

#define ETH_FRAME_MAX 1514
#define MODERN (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | NET_F_MAC | NET_F_STATUS)

/* ---- The kernel and the stack -----------------------------------------------------------------
 */

static struct netdev *nd;
static struct netbuf *kept[4096]; /* what rx got, in order */
static unsigned kept_count, rx_done_calls, link_calls, released;
static struct bh *scheduled;
static struct timer *armed;

errno_t virtio_rng_start(struct virtio_dev *d) {
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

static void release(void *cookie) {
  released++;
  ++*(unsigned *)cookie;
}

static void free_frame(struct netbuf *b) {
  while (b != NULL) {
    struct netbuf *next = b->next;
    b->free(b);
    b = next;
  }
}

static void free_kept(void) {
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

/* ---- Starting and stopping ----------------------------------------------------------------------
 */

static struct virtio_dev dev;

static uint16_t mtu_says; /* the configuration's field */

static void start(uint64_t features, bool legacy, size_t pages) {
  sim_reset();
  memcpy(sim.config + 10, &mtu_says, 2);
  nd = NULL;
  scheduled = NULL;
  armed = NULL;
  kept_count = rx_done_calls = link_calls = released = 0;
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
  void *cookie;
  free_kept();
  void *pages[256];
  unsigned page_count = 0;
  virtio_break(&dev, "the test ends");
  run_bh();
  while (virtq_take_back(&n->rx, &cookie)) {
    if ((uintptr_t)cookie % PAGE_SIZE == 0)
      pages[page_count++] = cookie;
  }
  assert_int_equal(page_count, n->rx_total / 2);
  for (unsigned i = 0; i < page_count; i++)
    free(pages[i]);
  virtq_destroy(&n->rx);
  virtq_destroy(&n->tx);
  kfree(n->tx_slots);
  kfree(n);
}

/* The device puts `len` bytes, header included, into the next receive buffer; false: it has none.
 */
static bool device_receives(const void *bytes, uint32_t len) {
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
static bool frame_arrives(uint32_t tag, uint32_t len, uint8_t flags, uint16_t buffers) {
  struct virtio_net *n = dev.driver;
  uint8_t bytes[NET_HDR_BYTES + ETH_FRAME_MAX];
  struct net_hdr hdr = {.flags = flags, .num_buffers = buffers};
  memcpy(bytes, &hdr, n->hdr_bytes);
  memset(bytes + n->hdr_bytes, (int)tag, len);
  memcpy(bytes + n->hdr_bytes, &tag, 4);
  return device_receives(bytes, n->hdr_bytes + len);
}

static uint32_t tag_of(const struct netbuf *b) {
  uint32_t tag;
  memcpy(&tag, b->data, 4);
  return tag;
}

/* ---- Receiving
 * ------------------------------------------------------------------------------------ */

static void formats(void **state) {
  (void)state;
  static const struct {
    uint64_t features;
    bool legacy;
    unsigned hdr;
  } cases[] = {
      {MODERN, false, 12},
      {MODERN | NET_F_MRG_RXBUF, false, 12},
      {NET_F_MAC, true, 10}, /* header and frame in two descriptors */
      {NET_F_MAC | VIRTIO_F_ANY_LAYOUT, true, 10},
      {NET_F_MAC | NET_F_MRG_RXBUF, true, 12},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    start(cases[i].features, cases[i].legacy, 16384);
    assert_non_null(nd);
    assert_int_equal(((struct virtio_net *)dev.driver)->hdr_bytes, cases[i].hdr);
    assert_memory_equal(nd->mac, "\x52\x54\x00\x12\x34\x56", 6);
    assert_int_equal(nd->mtu, 1500);
    for (uint32_t tag = 1; tag <= 1000; tag++) {
      uint32_t len = 14 + tag * 7 % 1500;
      assert_true(frame_arrives(tag, len, 0, 1));
      run_bh();
      assert_int_equal(kept_count, 1);
      assert_int_equal(kept[0]->len, len);
      assert_int_equal(tag_of(kept[0]), tag);
      assert_int_equal((uintptr_t)kept[0]->data % 4, 2); /* so that IP is aligned */
      assert_null(kept[0]->next);
      free_kept();
    }
    assert_int_equal(rx_done_calls, 1000);
    assert_int_equal(sim_log_lines, 0);
    stop();
  }
}

static void checksum_flags(void **state) {
  (void)state;
  start(MODERN | NET_F_GUEST_CSUM, false, 1024);
  assert_int_equal(nd->features, NETDEV_RX_CSUM);
  frame_arrives(1, 60, 0, 1);
  frame_arrives(2, 60, NET_HDR_DATA_VALID, 1);
  frame_arrives(3, 60, NET_HDR_NEEDS_CSUM, 1);
  run_bh();
  assert_int_equal(kept_count, 3);
  assert_false(kept[0]->csum_ok);
  assert_true(kept[1]->csum_ok);
  assert_true(kept[2]->csum_ok);
  stop();

  start(MODERN, false, 1024); /* nobody vouches */
  frame_arrives(2, 60, NET_HDR_DATA_VALID, 1);
  run_bh();
  assert_false(kept[0]->csum_ok);
  stop();
}

static void features_that_rest_on_others(void **state) {
  (void)state;
  start(MODERN | NET_F_HOST_TSO4 | NET_F_GUEST_TSO4, false, 16384);
  assert_int_equal(nd->features, 0);
  assert_true(sim.agreed == MODERN);
  stop();
  uint64_t all =
      MODERN | NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_HOST_TSO4 | NET_F_GUEST_TSO4 | NET_F_MRG_RXBUF;
  start(all, false, 16384);
  assert_int_equal(nd->features, NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4);
  assert_true(sim.agreed == all);
  stop();
  start(all, false, 1024); /* too few buffers for large frames */
  assert_true(sim.agreed == (all & ~NET_F_GUEST_TSO4));
  stop();
}

static void mtu(void **state) {
  (void)state;
  static const struct {
    uint64_t features;
    uint16_t says, is;
  } cases[] = {{MODERN | NET_F_MTU, 1400, 1400},
               {MODERN | NET_F_MTU, 9000, 1500},
               {MODERN | NET_F_MTU | NET_F_MRG_RXBUF, 9000, 9000},
               {MODERN | NET_F_MTU, 10, 1500}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    mtu_says = cases[i].says;
    start(cases[i].features, false, 1024);
    assert_int_equal(nd->mtu, cases[i].is);
    stop();
  }
}

static void frame_in_parts(void **state) {
  (void)state;
  uint8_t bytes[2000];
  struct net_hdr hdr = {.num_buffers = 3};
  memset(bytes, 7, sizeof bytes);
  memcpy(bytes, &hdr, sizeof hdr);
  start(MODERN | NET_F_MRG_RXBUF, false, 16384);
  device_receives(bytes, 1900);
  run_bh();
  assert_int_equal(kept_count, 0); /* the rest is still to come */
  device_receives(bytes + 12, 1900);
  device_receives(bytes + 12, 5);
  frame_arrives(9, 60, 0, 1);
  run_bh();
  assert_int_equal(kept_count, 2);
  assert_int_equal(kept[0]->len, 1888);
  assert_int_equal(kept[0]->next->len, 1900);
  assert_int_equal(kept[0]->next->next->len, 5);
  assert_null(kept[0]->next->next->next);
  assert_int_equal(kept[0]->next->next->data[4], 7);
  assert_int_equal(tag_of(kept[1]), 9);
  stop();
}

/* The rest of a frame never comes: what there is of it (here on the heap) is not lost. */
static void frame_cut_short(void **state) {
  (void)state;
  start(MODERN | NET_F_MRG_RXBUF, false, 1024);
  for (uint32_t tag = 0; tag < 13; tag++)
    frame_arrives(tag, 1000, 0, 1);
  frame_arrives(13, 1000, 0, 2);
  run_bh();
  assert_int_equal(kept_count, 13);
  stop();
}

/* The stack keeps all that comes: nothing is lost as long as there is memory. */
static void stack_keeps_everything(void **state) {
  (void)state;
  uint64_t features[] = {MODERN, MODERN | NET_F_MRG_RXBUF};
  for (int f = 0; f < 2; f++) {
    start(features[f], false, 1024);
    assert_int_equal(((struct virtio_net *)dev.driver)->rx_total, 16);
    for (uint32_t tag = 0; tag < 2000; tag++) {
      assert_true(frame_arrives(tag, tag % 2 ? 60 : ETH_FRAME_MAX, 0, 1));
      run_bh();
    }
    assert_int_equal(kept_count, 2000);
    for (uint32_t tag = 0; tag < 2000; tag++)
      assert_int_equal(tag_of(kept[tag]), tag);
    stop();
  }
}

/* Without memory frames are lost, but receiving goes on when there is some again. */
static void no_memory_for_copies(void **state) {
  (void)state;
  start(MODERN, false, 1024);
  for (uint32_t tag = 0; tag < 100; tag++) {
    sim_alloc_fail_at = 0;
    assert_true(frame_arrives(tag, 1000, 0, 1));
    run_bh();
  }
  unsigned got = kept_count;
  assert_true(got >= 12 && got < 16);
  sim_alloc_fail_at = -1;
  free_kept();
  assert_true(frame_arrives(77, 1000, 0, 1));
  run_bh();
  assert_int_equal(kept_count, 1);
  assert_int_equal(tag_of(kept[0]), 77);
  stop();
}

/* Buffers come back in any order and at any time, and the device always gets them again. */
static void buffers_return_in_any_order(void **state) {
  (void)state;
  uint32_t next = 0, expected = 0;
  srand(3);
  start(MODERN, false, 16384);
  for (int step = 0; step < 50000; step++) {
    if (rand() % 2 && kept_count < 200)
      next += frame_arrives(next, 60, 0, 1);
    if (rand() % 3 == 0)
      run_bh();
    if (kept_count > 0 && rand() % 2) {
      unsigned i = (unsigned)rand() % kept_count;
      free_frame(kept[i]);
      kept[i] = kept[--kept_count];
      expected++;
    }
  }
  run_bh();
  assert_true(next > 15000);
  assert_int_equal(next, expected + kept_count);
  stop();
}

static void runts_and_empty_slots(void **state) {
  (void)state;
  start(MODERN, false, 1024);
  frame_arrives(1, 13, 0, 1);
  run_bh();
  assert_int_equal(kept_count, 0);
  assert_false(dev.broken);
  frame_arrives(2, 14, 0, 1);
  run_bh();
  assert_int_equal(kept_count, 1);
  stop();
}

static void received_lies(void **state) {
  (void)state;
  struct net_hdr hdr = {.num_buffers = 0};
  start(MODERN | NET_F_MRG_RXBUF, false, 1024);
  device_receives(&hdr, sizeof hdr);
  run_bh();
  assert_true(dev.broken);
  assert_string_equal(sim_log, "test 0 virtio-net: given up: a frame of 12 bytes in 0 buffers");
  assert_false(nd->link_up);
  assert_int_equal(link_calls, 1);
  stop();
}

/* ---- Sending
 * --------------------------------------------------------------------------------------- */

static errno_t transmit(unsigned nsegs, unsigned *done_count) {
  static const uint8_t data[NETDEV_SEGS_MAX][8] = {"seg0", "seg1", "seg2"};
  struct netseg segs[NETDEV_SEGS_MAX];
  for (unsigned i = 0; i < nsegs; i++)
    segs[i] = (struct netseg){data[i], 5 + i};
  struct nettx tx = {.segs = segs, .nsegs = nsegs, .done = release, .cookie = done_count};
  return nd->ops->transmit(nd, &tx);
}

static void sent_as_given(void **state) {
  (void)state;
  unsigned done = 0;
  struct netseg segs[] = {{"headers", 7}, {"", 0}, {"payload!", 8}};
  struct nettx tx = {.segs = segs,
                     .nsegs = 3,
                     .csum = true,
                     .csum_start = 34,
                     .csum_offset = 16,
                     .gso_size = 1460,
                     .gso_header = 54,
                     .done = release,
                     .cookie = &done};
  start(MODERN | NET_F_CSUM | NET_F_HOST_TSO4, false, 16384);
  assert_int_equal(nd->ops->transmit(nd, &tx), 0);
  assert_int_equal(sim_next(1), -1);
  nd->ops->flush(nd);
  int id = sim_next(1);
  assert_true(id >= 0);
  struct net_hdr *hdr = pa_to_va(sim_piece(1, id, 0)->addr);
  assert_int_equal(sim_piece(1, id, 0)->len, 12);
  assert_int_equal(hdr->flags, NET_HDR_NEEDS_CSUM);
  assert_int_equal(hdr->csum_start, 34);
  assert_int_equal(hdr->csum_offset, 16);
  assert_int_equal(hdr->gso_type, NET_HDR_GSO_TCPV4);
  assert_int_equal(hdr->gso_size, 1460);
  assert_int_equal(hdr->hdr_len, 54);
  assert_memory_equal(pa_to_va(sim_piece(1, id, 1)->addr), "headers", 7);
  assert_memory_equal(pa_to_va(sim_piece(1, id, 2)->addr), "payload!", 8);
  assert_null(sim_piece(1, id, 3)); /* the empty one is left out */
  assert_int_equal(done, 0);
  assert_false(sim_done(1, (uint32_t)id, 0)); /* no interrupt for a frame that is sent */
  assert_non_null(armed);
  armed->prev = NULL;
  armed->fire(armed); /* at the latest now it is released */
  assert_int_equal(done, 1);
  assert_false(timer_armed(armed));
  stop();
}

static void full_transmit_ring(void **state) {
  (void)state;
  unsigned done = 0, sent = 0;
  start(MODERN, false, 1024);
  while (transmit(3, &done) == 0)
    sent++;
  assert_int_equal(sent, 16); /* 64 descriptors, 4 each */
  assert_int_equal(transmit(3, &done), ENOBUFS);
  run_bh();
  assert_int_equal(done, 0);
  bool irq = false;
  for (unsigned i = 0; i < 12; i++) {
    assert_false(irq);
    irq = sim_done(1, (uint32_t)sim_next(1), 0);
  }
  assert_true(irq); /* when most are sent */
  virtio_queue_irq(&dev);
  run_bh();
  assert_int_equal(done, 12);
  assert_int_equal(transmit(18, &done), 0);
  stop();
  assert_int_equal(done, 17);
}

/* Long traffic in both directions; each frame is released once. */
static void many_sent(void **state) {
  (void)state;
  static unsigned done[20000];
  memset(done, 0, sizeof done);
  srand(4);
  start(MODERN, false, 16384);
  for (unsigned i = 0; i < 20000;) {
    if (transmit((unsigned)rand() % 4, &done[i]) == 0)
      i++;
    else
      nd->ops->flush(nd);
    if (rand() % 4 == 0)
      nd->ops->flush(nd);
    for (int id; rand() % 4 && (id = sim_next(1)) >= 0;) {
      if (sim_done(1, (uint32_t)id, 0))
        virtio_queue_irq(&dev);
    }
    run_bh();
  }
  stop();
  for (unsigned i = 0; i < 20000; i++)
    assert_int_equal(done[i], 1);
}

static void broken_while_sending(void **state) {
  (void)state;
  unsigned done = 0;
  start(MODERN, false, 1024);
  for (int i = 0; i < 5; i++)
    assert_int_equal(transmit(2, &done), 0);
  nd->ops->flush(nd);
  sim_done(1, 60, 0); /* never given */
  nd->ops->flush(nd);
  assert_true(dev.broken);
  run_bh();
  assert_int_equal(done, 5); /* the stack has its memory back */
  assert_int_equal(transmit(2, &done), EIO);
  assert_int_equal(done, 5);
  assert_false(nd->link_up);
  assert_int_equal(sim_log_lines, 1);
  stop();
}

static void link_state(void **state) {
  (void)state;
  start(MODERN, false, 1024);
  assert_true(nd->link_up);
  sim.config[6] = 0;
  virtio_config_irq(&dev);
  run_bh();
  assert_false(nd->link_up);
  sim.config[6] = 1;
  virtio_config_irq(&dev);
  run_bh();
  assert_true(nd->link_up);
  assert_int_equal(link_calls, 2);
  sim.status |= VIRTIO_NEEDS_RESET;
  virtio_config_irq(&dev);
  run_bh();
  assert_false(nd->link_up);
  stop();
}

static void no_interrupts(void **state) {
  (void)state;
  sim_reset();
  nd = NULL;
  dev = (struct virtio_dev){.ops = &sim_transport, .name = "test 0"};
  sim.interrupts = false;
  sim.offered = MODERN;
  assert_int_equal(virtio_start(&dev, 1), 0);
  assert_null(nd);
  assert_string_equal(sim_log, "test 0 virtio-net: given up: can't be started (error 28)");
  kfree(dev.driver);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(formats),
      cmocka_unit_test(checksum_flags),
      cmocka_unit_test(features_that_rest_on_others),
      cmocka_unit_test(mtu),
      cmocka_unit_test(frame_in_parts),
      cmocka_unit_test(frame_cut_short),
      cmocka_unit_test(stack_keeps_everything),
      cmocka_unit_test(no_memory_for_copies),
      cmocka_unit_test(buffers_return_in_any_order),
      cmocka_unit_test(runts_and_empty_slots),
      cmocka_unit_test(received_lies),
      cmocka_unit_test(sent_as_given),
      cmocka_unit_test(full_transmit_ring),
      cmocka_unit_test(many_sent),
      cmocka_unit_test(broken_while_sending),
      cmocka_unit_test(link_state),
      cmocka_unit_test(no_interrupts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
