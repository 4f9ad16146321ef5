// sources: drivers/virtio/net.c drivers/virtio/net_rx.c drivers/virtio/net_tx.c
// sources: drivers/virtio/virtq.c drivers/virtio/virtio.c kernel/printf.c
/*
 * virtio-net, receiving: frames arrive as sent, in every header format; a stack that keeps buffers
 * does not stop it; a device that lies is given up.
 */
#include "tests/host/virtio_net_sim.h"

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

/* What the stack keeps is never so much that the device can't place the largest frame. */
static void largest_frame_always_fits(void **state) {
  (void)state;
  static const struct {
    uint64_t features;
    uint16_t mtu;
    size_t pages;
    unsigned buffers;
  } cases[] = {{NET_F_GUEST_CSUM | NET_F_GUEST_TSO4, 1500, 16384, 35},
               {NET_F_GUEST_CSUM | NET_F_GUEST_TSO4, 1500, 65536, 35},
               {NET_F_MTU, 9000, 1024, 5},
               {NET_F_MTU, 65535, 1024, 35},
               {0, 1500, 1024, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    mtu_says = cases[i].mtu;
    start(MODERN | NET_F_MRG_RXBUF | cases[i].features, false, cases[i].pages);
    const struct virtq *q = sim.rings[0].q;
    for (uint32_t tag = 0; tag < 1000; tag++) {
      frame_arrives(tag, tag % 2 ? 60 : ETH_FRAME_MAX, 0, 1);
      run_bh();
      unsigned with_device = (uint16_t)(q->avail->idx - sim.rings[0].next_avail);
      assert_true(with_device >= cases[i].buffers);
    }
    assert_int_equal(kept_count, 1000);
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

/* A device that says anything: what reaches the stack lies inside its buffers, and nothing is lost.
 */
static void random_lies(void **state) {
  (void)state;
  srand(5);
  for (int round = 0; round < 3000; round++) {
    bool merge = rand() % 2;
    start(MODERN | (merge ? NET_F_MRG_RXBUF : 0), false, 1024);
    for (int step = 0; step < 60; step++) {
      uint16_t buffers = (uint16_t)(rand() % 8 == 0 ? rand() % 20 : 1);
      switch (rand() % 8) {
        case 0:
          if (rand() % 8 == 0)
            sim_done(0, (uint32_t)rand() % 20, (uint32_t)rand() % 2100);
          break;
        case 1:
          free_kept();
          break;
        case 2:
          sim_alloc_fail_at = rand() % 4 - 1;
          break;
        default:
          frame_arrives(1, (uint32_t)rand() % ETH_FRAME_MAX, 0, buffers);
      }
      run_bh();
      for (unsigned i = 0; i < kept_count; i++) {
        for (struct netbuf *b = kept[i]; b != NULL; b = b->next)
          memset(b->data, 0, b->len);
      }
    }
    sim_alloc_fail_at = -1;
    stop();
  }
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
      cmocka_unit_test(largest_frame_always_fits),
      cmocka_unit_test(no_memory_for_copies),
      cmocka_unit_test(buffers_return_in_any_order),
      cmocka_unit_test(runts_and_empty_slots),
      cmocka_unit_test(received_lies),
      cmocka_unit_test(random_lies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
