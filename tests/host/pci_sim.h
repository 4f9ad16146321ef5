/*
 * A machine's configuration space inside a unit test: functions with BARs and capabilities, bridges
 * that pass on what is behind them, and the calls of arch/arch.h that reach them.
 *
 * A test calls machine(), adds functions, runs pci_init() and looks at started[].
 */
#ifndef TESTS_HOST_PCI_SIM_H
#define TESTS_HOST_PCI_SIM_H

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

/* ---- The machine ----------------------------------------------------------------------------- */

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

/* ---- Building it ----------------------------------------------------------------------------- */

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

#endif
