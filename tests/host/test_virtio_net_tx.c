// sources: drivers/virtio/net.c drivers/virtio/net_rx.c drivers/virtio/net_tx.c
// sources: drivers/virtio/virtq.c drivers/virtio/virtio.c kernel/printf.c
/*
 * virtio-net, sending, and the device's state: what is sent is released once, also when the device
 * breaks; a full ring ends; the link goes up and down.
 */
#include "tests/host/virtio_net_sim.h"

static void release(void *cookie) {
  ++*(unsigned *)cookie;
}

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
  unsigned told[] = {sim.rings[0].notified, sim.rings[1].notified};
  armed->prev = NULL;
  armed->fire(armed); /* at the latest now it is released */
  assert_int_equal(done, 1);
  assert_false(timer_armed(armed));
  assert_int_equal(sim.rings[0].notified, told[0] + 1); /* should a notification have been lost */
  assert_int_equal(sim.rings[1].notified, told[1] + 1);
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
      cmocka_unit_test(sent_as_given), cmocka_unit_test(full_transmit_ring),
      cmocka_unit_test(many_sent),     cmocka_unit_test(broken_while_sending),
      cmocka_unit_test(link_state),    cmocka_unit_test(no_interrupts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
