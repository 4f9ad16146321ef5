// sources: drivers/virtio/virtq.c drivers/virtio/virtio.c kernel/printf.c
/*
 * Virtio's handshake and rings: what the driver gives is what the device sees and what comes back,
 * whatever the order; a device that lies gets one line in the log, and every buffer is returned
 * once.
 */
#include "tests/host/virtio_sim.h"

errno_t virtio_net_start(struct virtio_dev *d) {
  (void)d;
  return 0;
}

errno_t virtio_rng_start(struct virtio_dev *d) {
  (void)d;
  return ENODEV;
}

errno_t virtio_blk_start(struct virtio_dev *d) {
  (void)d;
  return ENODEV;
}

static struct virtio_dev dev;
static struct virtq q;
static unsigned cleanups;

static void on_queue(struct virtio_dev *d) {
  (void)d;
  cleanups++;
}

/* A device that is ready, with one ring of `size`. */
static void ready(uint64_t features, bool legacy, unsigned size) {
  sim_reset();
  sim.offered = features;
  sim.ring_max[0] = size;
  cleanups = 0;
  dev = (struct virtio_dev){.ops = &sim_transport,
                            .name = "test 0",
                            .legacy = legacy,
                            .fixed_rings = legacy,
                            .ring_align = 4096};
  assert_int_equal(virtio_begin(&dev, 0), 0);
  assert_int_equal(virtio_connect(&dev, on_queue, NULL), 0);
  assert_int_equal(virtq_create(&dev, &q, 0, size), 0);
  virtio_ready(&dev);
}

static void modern(unsigned size) {
  ready(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX, false, size);
}

static void add(unsigned out, unsigned in, uintptr_t cookie) {
  struct virtq_buf bufs[8];
  for (unsigned i = 0; i < out + in; i++)
    bufs[i] = (struct virtq_buf){cookie * 0x1000 + i, 100 + i};
  assert_int_equal(virtq_add(&q, bufs, out, in, (void *)cookie), 0);
}

/* The next finished chain's cookie; 0: none. */
static uintptr_t reap(uint32_t *len) {
  void *cookie;
  return virtq_reap(&q, &cookie, len) ? (uintptr_t)cookie : 0;
}

/* ---- Handshake ------------------------------------------------------------------------------- */

static void handshake_in_order(void **state) {
  (void)state;
  modern(8);
  assert_int_equal(sim.resets, 1);
  assert_int_equal(sim.status,
                   VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
  assert_true(sim.agreed == (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX));
  virtq_destroy(&q);

  ready(VIRTIO_F_EVENT_IDX | VIRTIO_F_ANY_LAYOUT, true, 8);
  assert_int_equal(sim.status, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
  virtq_destroy(&q);
}

static void begin_fails(const char *message) {
  dev = (struct virtio_dev){.ops = &sim_transport, .name = "test 0"};
  assert_int_equal(virtio_begin(&dev, 0), EIO);
  assert_string_equal(sim_log, message);
  assert_int_equal(sim_log_lines, 1);
}

static void handshake_refused(void **state) {
  (void)state;
  sim_reset();
  sim.deaf = true;
  sim.status = 0xff;
  begin_fails("test 0: does not answer a reset");

  sim_reset();
  sim.offered = 0;
  begin_fails("test 0: a modern device without VERSION_1");

  sim_reset();
  sim.refuses_features = true;
  begin_fails("test 0: refuses the features that it offered");

  sim_reset();
  sim.refuses_features = true;
  sim.offered |= VIRTIO_F_ACCESS_PLATFORM;
  begin_fails(
      "test 0: insists on ACCESS_PLATFORM, which is not supported (set iommu_platform=off)");
}

static void unhealthy_device(void **state) {
  (void)state;
  modern(8);
  assert_false(virtio_check(&dev));
  sim.status |= VIRTIO_NEEDS_RESET;
  assert_true(virtio_check(&dev));
  assert_string_equal(sim_log, "test 0: given up: the device reports an internal error");
  virtq_destroy(&q);

  modern(8);
  sim.status = 0xff;
  sim.deaf = true;
  assert_true(virtio_check(&dev));
  assert_true(virtio_check(&dev));
  assert_string_equal(sim_log, "test 0: given up: the device is gone");
  assert_int_equal(sim_log_lines, 1);
  assert_int_equal(cleanups, 1);
  virtq_destroy(&q);
}

static void device_types(void **state) {
  (void)state;
  sim_reset();
  dev = (struct virtio_dev){.name = "pci 00:03.0"};
  assert_int_equal(virtio_start(&dev, 1), 0);
  assert_string_equal(dev.name, "pci 00:03.0 virtio-net");
  assert_int_equal(virtio_start(&dev, 77), ENODEV);
}

/* ---- Ring setup ------------------------------------------------------------------------------ */

static void ring_sizes(void **state) {
  (void)state;
  static const struct {
    unsigned max, wanted, fixed;
    errno_t error;
    unsigned size;
  } cases[] = {
      {0, 8, 0, ENODEV, 0},     {256, 8, 0, 0, 8},           {256, 100, 0, 0, 128},
      {256, 999, 0, 0, 256},    {100, 128, 0, 0, 64},        {1, 128, 0, 0, 1},
      {65536, 8, 0, EINVAL, 0}, {256, 8, 1, 0, 256},         {100, 8, 1, EINVAL, 0},
      {1024, 8, 1, 0, 1024},    {32768, 32768, 0, 0, 32768},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sim_reset();
    sim.ring_max[0] = cases[i].max;
    dev = (struct virtio_dev){.ops = &sim_transport,
                              .name = "test 0",
                              .legacy = cases[i].fixed,
                              .fixed_rings = cases[i].fixed,
                              .ring_align = 4096};
    assert_int_equal(virtq_create(&dev, &q, 0, cases[i].wanted), cases[i].error);
    if (cases[i].error != 0)
      continue;
    assert_int_equal(q.size, cases[i].size);
    assert_int_equal(virtq_room(&q), cases[i].size);
    virtq_destroy(&q);
  }
}

static void legacy_layout(void **state) {
  (void)state;
  ready(0, true, 256);
  uintptr_t start = (uintptr_t)q.desc;
  assert_int_equal(start % 4096, 0);
  assert_int_equal((uintptr_t)q.avail - start, 4096);
  assert_int_equal((uintptr_t)q.used - start, 8192);
  virtq_destroy(&q);
}

static void ring_without_memory(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    sim_reset();
    dev = (struct virtio_dev){.ops = &sim_transport, .name = "test 0"};
    sim_alloc_fail_at = i;
    assert_int_equal(virtq_create(&dev, &q, 0, 16), ENOMEM);
  }
}

/* ---- Giving and taking back ------------------------------------------------------------------ */

static void chain_as_given(void **state) {
  (void)state;
  uint32_t len = 0;
  modern(8);
  add(2, 3, 5);
  assert_int_equal(sim_next(0), -1); /* nothing shows before the kick */
  virtq_kick(&q);
  int id = sim_next(0);
  assert_true(id >= 0);
  for (unsigned i = 0; i < 5; i++) {
    struct virtq_desc *d = sim_piece(0, id, i);
    assert_non_null(d);
    assert_int_equal(d->addr, 0x5000 + i);
    assert_int_equal(d->len, 100 + i);
    assert_int_equal(d->flags & VIRTQ_DESC_WRITE, i < 2 ? 0 : VIRTQ_DESC_WRITE);
  }
  assert_null(sim_piece(0, id, 5));
  assert_int_equal(reap(&len), 0);
  sim_done(0, (uint32_t)id, 102 + 103 + 104);
  assert_int_equal(reap(&len), 5);
  assert_int_equal(len, 309);
  assert_int_equal(virtq_room(&q), 8);
  virtq_destroy(&q);
}

static void full_ring(void **state) {
  (void)state;
  struct virtq_buf buf = {0x1000, 1};
  uint32_t len;
  modern(4);
  for (uintptr_t i = 1; i <= 4; i++)
    add(0, 1, i);
  assert_int_equal(virtq_add(&q, &buf, 1, 0, &buf), ENOBUFS);
  virtq_kick(&q);
  sim_done(0, (uint32_t)sim_next(0), 0);
  assert_int_equal(reap(&len), 1);
  assert_int_equal(virtq_add(&q, &buf, 1, 0, &buf), 0);
  assert_int_equal(virtq_add(&q, &buf, 0, 0, &buf), ENOBUFS);
  virtq_destroy(&q);
}

static void length_of_read_buffers_is_ignored(void **state) {
  (void)state;
  uint32_t len = 99;
  modern(4);
  add(2, 0, 1);
  virtq_kick(&q);
  sim_done(0, (uint32_t)sim_next(0), 12345);
  assert_int_equal(reap(&len), 1);
  assert_int_equal(len, 0);
  assert_false(dev.broken);
  virtq_destroy(&q);
}

/* Many rounds in any order, past the point where all 16-bit indices wrap. */
static void long_run(void **state) {
  (void)state;
  enum { SIZE = 16, ROUNDS = 200000 };
  int held[SIZE];
  unsigned held_count = 0, given = 0, taken = 0;
  uint8_t seen[ROUNDS + 1] = {0};
  uint32_t len;
  srand(1);
  modern(SIZE);
  while (taken < ROUNDS) {
    unsigned out = (unsigned)rand() % 3, in = (unsigned)rand() % 3 + (out == 0);
    if (given < ROUNDS && virtq_room(&q) >= out + in)
      add(out, in, ++given);
    if (rand() % 2)
      virtq_kick(&q);
    for (int id; rand() % 4 && (id = sim_next(0)) >= 0;)
      held[held_count++] = id;
    if (held_count > 0 && rand() % 3) {
      unsigned i = (unsigned)rand() % held_count;
      sim_done(0, (uint32_t)held[i], 0);
      held[i] = held[--held_count];
    }
    for (uintptr_t c; (c = reap(&len)) != 0; taken++) {
      assert_int_equal(seen[c], 0);
      seen[c] = 1;
    }
  }
  assert_int_equal(virtq_room(&q), SIZE);
  assert_false(dev.broken);
  virtq_destroy(&q);
}

/* ---- Notifications and interrupts ------------------------------------------------------------ */

static void notify_by_event_index(void **state) {
  (void)state;
  modern(8);
  *q.avail_event = 1; /* when the second is added */
  add(0, 1, 1);
  virtq_kick(&q);
  assert_int_equal(sim.rings[0].notified, 0);
  add(0, 1, 2);
  virtq_kick(&q);
  assert_int_equal(sim.rings[0].notified, 1);
  add(0, 1, 3);
  virtq_kick(&q);
  virtq_kick(&q);
  assert_int_equal(sim.rings[0].notified, 1);
  virtq_destroy(&q);
}

static void notify_by_flag(void **state) {
  (void)state;
  ready(VIRTIO_F_VERSION_1, false, 8);
  add(0, 1, 1);
  virtq_kick(&q);
  assert_int_equal(sim.rings[0].notified, 1);
  ((struct virtq_used *)q.used)->flags = VIRTQ_USED_NO_NOTIFY;
  add(0, 1, 2);
  virtq_kick(&q);
  assert_int_equal(sim.rings[0].notified, 1);
  virtq_destroy(&q);
}

static void interrupts(uint64_t features) {
  uint32_t len;
  ready(features, false, 8);
  for (uintptr_t i = 1; i <= 6; i++)
    add(0, 1, i);
  virtq_kick(&q);
  virtq_irq_off(&q);
  assert_false(sim_done(0, (uint32_t)sim_next(0), 0));
  assert_true(virtq_irq_on(&q, 1)); /* too late: one is done */
  assert_int_equal(reap(&len), 1);
  assert_false(virtq_irq_on(&q, 1));
  assert_true(sim_done(0, (uint32_t)sim_next(0), 0));
  assert_int_equal(reap(&len), 2);
  virtq_destroy(&q);
}

static void interrupts_wanted_and_not(void **state) {
  (void)state;
  interrupts(VIRTIO_F_VERSION_1);
  interrupts(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
}

static void interrupt_after_several(void **state) {
  (void)state;
  modern(8);
  for (uintptr_t i = 1; i <= 4; i++)
    add(0, 1, i);
  virtq_kick(&q);
  assert_false(virtq_irq_on(&q, 3));
  assert_false(sim_done(0, (uint32_t)sim_next(0), 0));
  assert_false(sim_done(0, (uint32_t)sim_next(0), 0));
  assert_true(sim_done(0, (uint32_t)sim_next(0), 0));
  assert_false(sim_done(0, (uint32_t)sim_next(0), 0));
  virtq_destroy(&q);
}

/* ---- Devices that lie ------------------------------------------------------------------------ */

/* Three chains are out; whatever the device did, all come back once and no more can be added. */
static void all_come_back(unsigned expected) {
  struct virtq_buf buf = {0x1000, 1};
  uint8_t seen[8] = {0};
  void *cookie;
  uint32_t len;
  unsigned n = 0;
  while (virtq_take_back(&q, &cookie)) {
    assert_int_equal(seen[(uintptr_t)cookie]++, 0);
    n++;
  }
  assert_int_equal(n, expected);
  assert_false(virtq_reap(&q, &cookie, &len));
  assert_int_equal(virtq_add(&q, &buf, 1, 0, &buf), EIO);
  assert_int_equal(virtq_room(&q), q.size);
  assert_int_equal(sim_log_lines, 1);
  assert_int_equal(sim.status, 0);
  assert_int_equal(cleanups, 1);
  virtq_destroy(&q);
}

static void three_out(void) {
  modern(8);
  for (uintptr_t i = 1; i <= 3; i++)
    add(0, 2, i);
  virtq_kick(&q);
}

static void lies(void **state) {
  (void)state;
  uint32_t len;
  three_out();
  sim_done(0, 8, 0);
  assert_int_equal(reap(&len), 0);
  assert_string_equal(sim_log, "test 0: given up: ring 0: descriptor 8 is done, but was not given");
  all_come_back(3);

  three_out();
  sim_done(0, UINT32_MAX, 0);
  assert_int_equal(reap(&len), 0);
  all_come_back(3);

  three_out(); /* the second piece of a chain is no chain */
  sim_done(0, 1, 0);
  assert_int_equal(reap(&len), 0);
  assert_string_equal(sim_log, "test 0: given up: ring 0: descriptor 1 is done, but was not given");
  all_come_back(3);

  three_out(); /* twice */
  sim_done(0, 0, 0);
  sim_done(0, 0, 0);
  assert_int_equal(reap(&len), 1);
  assert_int_equal(reap(&len), 0);
  all_come_back(2);

  three_out(); /* the buffer is 201 bytes */
  sim_done(0, 0, 202);
  assert_int_equal(reap(&len), 0);
  assert_string_equal(sim_log, "test 0: given up: ring 0: 202 bytes written to a buffer of 201");
  all_come_back(3);

  three_out();
  for (uint32_t i = 0; i < 4; i++)
    sim_done(0, i * 2, 0);
  assert_int_equal(reap(&len) + reap(&len) + reap(&len), 6);
  assert_int_equal(reap(&len), 0);
  assert_string_equal(sim_log, "test 0: given up: ring 0: more is done than was given");
  all_come_back(0);
}

/* A device that writes anything anywhere in its rings, at any time. */
static void random_lies(void **state) {
  (void)state;
  enum { SIZE = 16, CHAINS = 64 };
  srand(2);
  for (int round = 0; round < 20000; round++) {
    uint8_t out[CHAINS] = {0};
    uintptr_t cookie = 0;
    void *back;
    uint32_t len;
    modern(SIZE);
    for (int step = 0; step < 40 && !dev.broken; step++) {
      uint8_t *ring = (uint8_t *)q.desc;
      size_t used_at = (size_t)((uint8_t *)q.used - ring);
      switch (rand() % 4) {
        case 0:
          if (cookie + 1 < CHAINS && virtq_room(&q) >= 3) {
            add((unsigned)rand() % 2, 1 + (unsigned)rand() % 2, ++cookie);
            out[cookie] = 1;
          }
          break;
        case 1:
          virtq_kick(&q);
          break;
        case 2:
          if (rand() % 2)
            sim_done(0, (uint32_t)rand() % (SIZE + 1), (uint32_t)rand() % 260);
          else
            ring[(rand() % 2 ? used_at : 0) + (size_t)rand() % (16 * SIZE / 2)] = (uint8_t)rand();
          break;
        case 3:
          if (virtq_reap(&q, &back, &len)) {
            assert_int_equal(out[(uintptr_t)back]--, 1);
            assert_true(len <= 300);
          }
      }
    }
    virtio_break(&dev, "the end");
    assert_int_equal(sim_log_lines, 1);
    while (virtq_take_back(&q, &back))
      assert_int_equal(out[(uintptr_t)back]--, 1);
    for (int i = 0; i < CHAINS; i++)
      assert_int_equal(out[i], 0);
    assert_int_equal(virtq_room(&q), SIZE);
    virtq_destroy(&q);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handshake_in_order),
      cmocka_unit_test(handshake_refused),
      cmocka_unit_test(unhealthy_device),
      cmocka_unit_test(device_types),
      cmocka_unit_test(ring_sizes),
      cmocka_unit_test(legacy_layout),
      cmocka_unit_test(ring_without_memory),
      cmocka_unit_test(chain_as_given),
      cmocka_unit_test(full_ring),
      cmocka_unit_test(length_of_read_buffers_is_ignored),
      cmocka_unit_test(long_run),
      cmocka_unit_test(notify_by_event_index),
      cmocka_unit_test(notify_by_flag),
      cmocka_unit_test(interrupts_wanted_and_not),
      cmocka_unit_test(interrupt_after_several),
      cmocka_unit_test(lies),
      cmocka_unit_test(random_lies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
