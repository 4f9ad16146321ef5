// sources: drivers/pci.c drivers/pci_bar.c drivers/pci_dev.c kernel/printf.c
// sources: drivers/virtio/pci.c drivers/virtio/pci_modern.c drivers/virtio/pci_legacy.c
/*
 * The PCI bus in front of a simulated configuration space: devices are found behind bridges, get
 * addresses where firmware gave none, and what a device says wrongly (lists in circles, tables
 * outside its BARs) is refused.
 */
#include "tests/host/pci_sim.h"

/* ---- Finding --------------------------------------------------------------------------------- */

static void empty_machine_is_cheap(void **state) {
  (void)state;
  machine(0);
  function(0, -1, 0x8086, 0x29c0);
  pci_init();
  assert_int_equal(started_count, 0);
  assert_int_equal(accesses, 32 + 1);
}

static void found_with_addresses_of_firmware(void **state) {
  (void)state;
  machine(0);
  function(0, -1, 0x8086, 0x29c0);
  virtio_net(3 << 3, -1, true);
  pci_init();
  assert_int_equal(started_count, 1);
  assert_int_equal(started_type[0], 1);
  assert_string_equal(started[0].dev.name, "pci 00:03.0");
  assert_int_equal(started_pci[0].bars[1].base, 0xfebd0000);
  assert_int_equal(started_pci[0].bars[1].size, 4096);
  assert_int_equal(started_pci[0].bars[4].base, 0xfe004000);
  assert_int_equal(started_pci[0].bars[4].size, 16384);
  assert_int_equal(get32(functions[1].config + PCI_BAR0 + 16), 0xfe004004);
  assert_int_equal(functions[1].config[PCI_COMMAND] & 7, 7);
  assert_ptr_equal(started[0].notify, &registers[0x4000 + 0x3000]);
  assert_int_equal(started[0].notify_multiplier, 4);
}

static void functions_beside_the_first(void **state) {
  (void)state;
  machine(0);
  struct function *f = function(0x1f << 3, -1, 0x8086, 0x2918);
  f->config[PCI_HEADER_TYPE] = 0x80;
  virtio_net(0x1f << 3 | 7, -1, true);
  virtio_net(4 << 3 | 1, -1, true); /* without a function 0 there is no slot */
  pci_init();
  assert_int_equal(started_count, 1);
  assert_string_equal(started[0].dev.name, "pci 00:1f.7");
}

static void behind_numbered_bridges(void **state) {
  (void)state;
  machine(0);
  int outer = bridge(1 << 3, -1, 1, 3);
  int inner = bridge(5 << 3, outer, 2, 3);
  virtio_net(0, inner, true);
  int second = bridge(2 << 3, -1, 4, 4);
  virtio_net(6 << 3, second, true);
  pci_init();
  assert_int_equal(started_count, 2);
  assert_string_equal(started[0].dev.name, "pci 02:00.0");
  assert_string_equal(started[1].dev.name, "pci 04:06.0");
}

static void bridges_in_circles(void **state) {
  (void)state;
  machine(0);
  int a = bridge(1 << 3, -1, 1, 255);
  bridge(0, a, 1, 255);     /* leads back to its own bus */
  bridge(2 << 3, -1, 1, 1); /* a number that is taken */
  bridge(3 << 3, -1, 9, 2); /* backwards */
  bridge(4 << 3, -1, 0, 0); /* never numbered, and nobody assigns here */
  pci_init();
  assert_int_equal(started_count, 0);
  assert_true(accesses < 300);
}

static void nobody_assigned(void **state) {
  (void)state;
  machine(0x10000000);
  int outer = bridge(1 << 3, -1, 0, 0);
  int inner = bridge(2 << 3, outer, 0, 0);
  virtio_net(0, inner, false);
  virtio_net(7 << 3, -1, false);
  pci_init();
  assert_int_equal(started_count, 2);
  assert_string_equal(started[0].dev.name, "pci 02:00.0");
  assert_int_equal(functions[outer].config[0x19], 1);
  assert_int_equal(functions[outer].config[0x1a], 2);
  assert_int_equal(functions[inner].config[0x19], 2);
  /* the windows of both bridges hold the device's BARs, and only they */
  assert_int_equal(get32(functions[outer].config + PCI_MEMORY_BASE), 0xc000c000);
  assert_int_equal(get32(functions[inner].config + PCI_MEMORY_BASE), 0xc000c000);
  assert_int_equal(functions[outer].config[PCI_COMMAND] & 6, 6);
  for (int i = 0; i < 2; i++) {
    for (int n = 1; n <= 4; n += 3) {
      const struct pci_bar *b = &started_pci[i].bars[n];
      assert_int_equal(b->base % b->size, 0);
      assert_int_equal(b->base >> 20, 0xc00 + i);
    }
    assert_int_not_equal(started_pci[i].bars[1].base, started_pci[i].bars[4].base);
  }
  assert_int_equal(get32(functions[2].config + PCI_BAR0 + 16),
                   (uint32_t)started_pci[0].bars[4].base | 4);
}

static void window_too_small(void **state) {
  (void)state;
  machine(8192);
  virtio_net(1 << 3, -1, false);
  pci_init();
  assert_int_equal(started_count, 0);
  assert_string_equal(last_log, "pci 00:01.0: virtio type 1: its registers can't be reached");
}

/* ---- What the device says -------------------------------------------------------------------- */

static void capabilities_in_circles(void **state) {
  (void)state;
  machine(0);
  struct function *f = virtio_net(1 << 3, -1, true);
  f->config[0x91] = 0x40; /* the last points to the first */
  pci_init();
  assert_int_equal(started_count, 1);
  machine(0);
  f = virtio_net(1 << 3, -1, true);
  f->config[PCI_CAPABILITIES] = 0x10; /* inside the header: no list */
  pci_init();
  assert_int_equal(started_count, 0);
}

static void registers_outside_their_bar(void **state) {
  (void)state;
  static const struct {
    uint8_t where;
    uint32_t value;
  } cases[] = {
      {0x48, 0x3fff},                   /* common: offset such that it sticks out */
      {0x48, 0xffffffff}, {0x4c, 0x37}, /* too short */
      {0x44, 6},                        /* no such BAR */
      {0x44, 0},                        /* not there */
      {0x78, 0x4000},                   /* notifications behind the end */
      {0x7c, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    machine(0);
    struct function *f = virtio_net(1 << 3, -1, true);
    put32(f->config + cases[i].where, cases[i].value);
    pci_init();
    assert_int_equal(started_count, 0);
    assert_string_equal(last_log, "pci 00:01.0: virtio type 1: its registers can't be reached");
  }
}

static errno_t connected;

static void connect(struct virtio_pci *p) {
  connected = p->dev.ops->connect(&p->dev);
  started[started_count - 1] = *p;
}

static void message_interrupts(void **state) {
  (void)state;
  machine(0);
  virtio_net(1 << 3, -1, true);
  registers[12] = registers[28] = 1; /* masked at reset; the table is the BAR's start */
  inspect = connect;
  pci_init();
  assert_int_equal(connected, 0);
  assert_int_equal(started[0].queue_vector, 1);
  assert_int_equal(started[0].config_vector, 0);
  assert_int_equal(get32(registers + 0), 0xfee00000);
  assert_int_equal(get32(registers + 4), 1);
  assert_int_equal(get32(registers + 8), 0x41);
  assert_int_equal(get32(registers + 24), 0x40);
  assert_int_equal(get32(registers + 28), 0);
  assert_int_equal(functions[0].config[0x93] & 0xc0, 0x80);
  assert_ptr_not_equal(handlers[0], handlers[1]);
}

static void no_message_interrupts(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    machine(0);
    struct function *f = virtio_net(1 << 3, -1, true);
    f->config[PCI_INTERRUPT_LINE] = i == 3 ? 0 : 11;
    if (i == 0)
      f->config[0x71] = 0; /* no capability */
    if (i == 1)
      put32(f->config + 0x94, 1 | 0xff8); /* the table sticks out of its BAR */
    if (i == 2 || i == 3)
      msi_left = 0;
    inspect = connect;
    pci_init();
    assert_int_equal(connected, i == 3 ? EINVAL : 0);
    assert_int_equal(wired_line, i == 3 ? 0 : 11);
    assert_int_equal(started[0].queue_vector, VIRTIO_PCI_NO_VECTOR);
    assert_int_equal(f->config[0x93] & 0x80, 0); /* MSI-X is off */
  }
}

static errno_t ring_error;

static void start_ring(struct virtio_pci *p) {
  static struct virtq_slot slots[8];
  struct virtq q = {.dev = &p->dev, .size = 8, .slots = slots};
  registers[0x4000 + 0x1e] = 0xff; /* notify offset 0x3ff or 0x400 */
  ring_error = p->dev.ops->queue_start(&p->dev, &q);
}

static void notify_offset_outside(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    machine(0);
    virtio_net(1 << 3, -1, true);
    registers[0x4000 + 0x1f] = i == 0 ? 3 : 4;
    inspect = start_ring;
    pci_init();
    assert_int_equal(ring_error, i == 0 ? 0 : EINVAL);
  }
}

/* Before 1.0: I/O ports, the type in the subsystem id, the configuration behind two vectors if
 * MSI-X is on. */
static void legacy_config(struct virtio_pci *p) {
  uint8_t mac[6];
  p->dev.ops->read_config(&p->dev, 0, mac, 6);
  assert_int_equal(mac[0], 20);
  assert_int_equal(p->dev.ops->connect(&p->dev), 0);
  p->dev.ops->read_config(&p->dev, 0, mac, 6);
  assert_int_equal(mac[0], 24);
  assert_int_equal(mac[5], 29);
}

static void legacy(void **state) {
  (void)state;
  machine(0);
  struct function *f = virtio_net(1 << 3, -1, true);
  put32(f->config, 0x10001af4);
  f->config[PCI_SUBSYSTEM_ID] = 1;
  f->config[PCI_CAPABILITIES] = 0x90; /* MSI-X only */
  bar(f, 0, 0xc040, 64, 1);
  for (int i = 0; i < 64; i++)
    ((uint8_t *)ports)[i] = (uint8_t)i;
  inspect = legacy_config;
  pci_init();
  assert_int_equal(started_count, 1);
  assert_int_equal(started_type[0], 1);
  assert_true(started[0].dev.legacy);
  assert_int_equal(started[0].port, 0xc040);
}

static void transitional_is_modern(void **state) {
  (void)state;
  machine(0);
  struct function *f = virtio_net(1 << 3, -1, true);
  put32(f->config, 0x10051af4);
  f->config[PCI_SUBSYSTEM_ID] = 4;
  bar(f, 0, 0xc040, 64, 1);
  pci_init();
  assert_int_equal(started_count, 1);
  assert_int_equal(started_type[0], 4);
  assert_false(started[0].dev.legacy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(empty_machine_is_cheap),
      cmocka_unit_test(found_with_addresses_of_firmware),
      cmocka_unit_test(functions_beside_the_first),
      cmocka_unit_test(behind_numbered_bridges),
      cmocka_unit_test(bridges_in_circles),
      cmocka_unit_test(nobody_assigned),
      cmocka_unit_test(window_too_small),
      cmocka_unit_test(capabilities_in_circles),
      cmocka_unit_test(registers_outside_their_bar),
      cmocka_unit_test(message_interrupts),
      cmocka_unit_test(no_message_interrupts),
      cmocka_unit_test(notify_offset_outside),
      cmocka_unit_test(legacy),
      cmocka_unit_test(transitional_is_modern),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
