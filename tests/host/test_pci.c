// sources: drivers/pci.c drivers/pci_bar.c drivers/pci_dev.c kernel/printf.c
// sources: drivers/virtio/pci.c drivers/virtio/pci_modern.c drivers/virtio/pci_legacy.c
/*
 * The PCI bus in front of a simulated configuration space: devices are found behind bridges, get
 * addresses where firmware gave none, and what a device says wrongly (lists in circles, tables
 * outside its BARs) is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/pci_bus.h"
#include "drivers/virtio/pci_transport.h"
#include "kernel/heap.h"
#include "kernel/log.h"

#define WINDOW 0xc0000000u
#define FUNCTIONS_MAX 8

/* ---- The machine ---------------------------------------------------------------------------- */

struct function {
  unsigned slot_fn; /* slot << 3 | function */
  int behind;       /* index of the bridge it is behind; -1: bus 0 */
  uint32_t bar_mask[6];
  uint8_t config[256];
};

static struct function functions[FUNCTIONS_MAX];
static unsigned function_count, accesses;
static uint64_t window_bytes;
static char last_log[256];
static uint8_t registers[65536]; /* what any device address shows, by its low bits */

static void put32(uint8_t *at, uint32_t v) {
  memcpy(at, &v, 4);
}

static uint32_t get32(const uint8_t *at) {
  uint32_t v;
  memcpy(&v, at, 4);
  return v;
}

/* The function that answers at bdf: bridges pass what is behind their secondary bus number. */
static struct function *at(unsigned bdf) {
  for (unsigned i = 0; i < function_count; i++) {
    struct function *f = &functions[i];
    unsigned bus = f->behind < 0 ? 0 : functions[f->behind].config[0x19];
    if ((f->behind < 0 || bus != 0) && bdf == (bus << 8 | f->slot_fn))
      return f;
  }
  return NULL;
}

bool arch_pci_present(void) {
  return true;
}

uint32_t arch_pci_read(unsigned bdf, unsigned offset, unsigned width) {
  struct function *f = at(bdf);
  uint32_t v = UINT32_MAX;
  accesses++;
  assert_int_equal(offset % (width / 8), 0);
  assert_true(offset + width / 8 <= 256);
  if (f != NULL)
    memcpy(&v, f->config + offset, width / 8);
  return width == 32 ? v : v & ((1u << width) - 1);
}

void arch_pci_write(unsigned bdf, unsigned offset, unsigned width, uint32_t value) {
  struct function *f = at(bdf);
  accesses++;
  assert_non_null(f);
  unsigned bar = (offset - PCI_BAR0) / 4;
  if ((f->config[PCI_HEADER_TYPE] & 0x7f) == 0 && offset >= PCI_BAR0 && bar < 6) {
    uint32_t flags = get32(f->config + offset) & ~f->bar_mask[bar] & 15;
    /* decoding must be off while a BAR is all ones */
    if (value == UINT32_MAX)
      assert_int_equal(f->config[PCI_COMMAND] & 3, 0);
    value = (value & f->bar_mask[bar]) | flags;
  }
  memcpy(f->config + offset, &value, width / 8);
}

void arch_pci_window(pa_t *start, uint64_t *size) {
  *start = WINDOW;
  *size = window_bytes;
}

void *arch_kmap_device(pa_t pa, size_t size) {
  assert_true((pa & 0xffff) + size <= sizeof registers);
  return &registers[pa & 0xffff];
}

static irq_handler_t *handlers[8];
static unsigned handler_count, msi_left, wired_line;

errno_t arch_msi_alloc(irq_handler_t *handler, void *arg, uint32_t device_id,
                       struct arch_msi *msi) {
  (void)arg;
  (void)device_id;
  if (msi_left == 0)
    return ENOSPC;
  msi_left--;
  handlers[handler_count] = handler;
  *msi = (struct arch_msi){0x1fee00000, 0x40 + handler_count++};
  return 0;
}

errno_t arch_irq_connect(unsigned line, bool level, irq_handler_t *handler, void *arg) {
  (void)handler;
  (void)arg;
  assert_true(level);
  wired_line = line;
  return 0;
}

static uint32_t ports[64];

uint32_t arch_io_read(uint16_t port, unsigned width) {
  uint32_t v;
  memcpy(&v, (uint8_t *)ports + (port & 0x3f), 4);
  return width == 32 ? v : v & ((1u << width) - 1);
}

void arch_io_write(uint16_t port, unsigned width, uint32_t value) {
  memcpy((uint8_t *)ports + (port & 0x3f), &value, width / 8);
}

uint8_t mmio_read8(const volatile void *reg) {
  return *(const volatile uint8_t *)reg;
}
uint16_t mmio_read16(const volatile void *reg) {
  return *(const volatile uint16_t *)reg;
}
uint32_t mmio_read32(const volatile void *reg) {
  return *(const volatile uint32_t *)reg;
}
void mmio_write8(volatile void *reg, uint8_t v) {
  *(volatile uint8_t *)reg = v;
}
void mmio_write16(volatile void *reg, uint16_t v) {
  *(volatile uint16_t *)reg = v;
}
void mmio_write32(volatile void *reg, uint32_t v) {
  *(volatile uint32_t *)reg = v;
}

void log_printf(enum log_level level, const char *format, ...) {
  va_list ap;
  if (level > LOG_WARN)
    return;
  va_start(ap, format);
  vsnprintf(last_log, sizeof last_log, format, ap);
  va_end(ap);
}

void *kzalloc(size_t size) {
  return calloc(1, size);
}

void kfree(void *p) {
  free(p);
}

/* The driver's end: remembers what was found. */
static struct virtio_pci started[FUNCTIONS_MAX];
static struct pci_dev started_pci[FUNCTIONS_MAX];
static unsigned started_type[FUNCTIONS_MAX], started_count;
static void (*inspect)(struct virtio_pci *p);

errno_t virtio_start(struct virtio_dev *d, unsigned type) {
  struct virtio_pci *p = virtio_pci_of(d);
  started[started_count] = *p;
  started_pci[started_count] = *p->pci;
  started_type[started_count++] = type;
  if (inspect != NULL)
    inspect(p);
  return ENODEV;
}

/* ---- Building it ------------------------------------------------------------------------------
 */

static void machine(uint64_t window) {
  memset(functions, 0, sizeof functions);
  memset(registers, 0, sizeof registers);
  memset(ports, 0, sizeof ports);
  function_count = accesses = started_count = handler_count = wired_line = 0;
  msi_left = 8;
  window_bytes = window;
  inspect = NULL;
  last_log[0] = '\0';
}

static struct function *function(unsigned slot_fn, int behind, uint16_t vendor, uint16_t device) {
  struct function *f = &functions[function_count++];
  f->slot_fn = slot_fn;
  f->behind = behind;
  put32(f->config, vendor | (uint32_t)device << 16);
  return f;
}

static int bridge(unsigned slot_fn, int behind, unsigned secondary, unsigned subordinate) {
  struct function *f = function(slot_fn, behind, 0x8086, 0x1234);
  f->config[PCI_HEADER_TYPE] = 1;
  f->config[0x19] = (uint8_t)secondary;
  f->config[0x1a] = (uint8_t)subordinate;
  return (int)function_count - 1;
}

/* A BAR of `size` bytes at `base`; flags: 0 narrow memory, 4 wide, 1 ports. */
static void bar(struct function *f, unsigned n, uint64_t base, uint64_t size, unsigned flags) {
  put32(f->config + PCI_BAR0 + n * 4, (uint32_t)base | flags);
  f->bar_mask[n] = (uint32_t) ~(size - 1);
  if (flags == 4) {
    put32(f->config + PCI_BAR0 + n * 4 + 4, (uint32_t)(base >> 32));
    f->bar_mask[n + 1] = (uint32_t)(~(size - 1) >> 32);
  }
}

/* Appends a capability at `where`. */
static void cap(struct function *f, uint8_t where, uint8_t id, uint8_t next) {
  f->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
  f->config[where] = id;
  f->config[where + 1] = next;
}

static void virtio_cap(struct function *f, uint8_t where, uint8_t next, uint8_t type,
                       uint8_t in_bar, uint32_t offset, uint32_t length) {
  cap(f, where, PCI_CAP_VENDOR, next);
  f->config[where + 3] = type;
  f->config[where + 4] = in_bar;
  put32(f->config + where + 8, offset);
  put32(f->config + where + 12, length);
}

/* A modern network device as QEMU shows it: wide BAR 4 with registers, narrow BAR 1 with MSI-X. */
static struct function *virtio_net(unsigned slot_fn, int behind, bool assigned) {
  struct function *f = function(slot_fn, behind, 0x1af4, 0x1041);
  f->config[PCI_CAPABILITIES] = 0x40;
  virtio_cap(f, 0x40, 0x50, 1, 4, 0, 0x38);
  virtio_cap(f, 0x50, 0x60, 3, 4, 0x1000, 4);
  virtio_cap(f, 0x60, 0x70, 4, 4, 0x2000, 0x1000);
  virtio_cap(f, 0x70, 0x90, 2, 4, 0x3000, 0x1000);
  put32(f->config + 0x80, 4); /* notify multiplier */
  cap(f, 0x90, PCI_CAP_MSIX, 0);
  f->config[0x92] = 2; /* three vectors */
  put32(f->config + 0x94, 1);
  bar(f, 1, assigned ? 0xfebd0000 : 0, 4096, 0);
  bar(f, 4, assigned ? 0xfe004000 : 0, 16384, 4);
  return f;
}

/* ---- Finding
 * ------------------------------------------------------------------------------------- */

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

/* ---- What the device says
 * ------------------------------------------------------------------------- */

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
