/*
 * The PCI bus: finds the functions that a driver here knows, and starts them.
 *
 * kernel/main.c calls pci_init() once at boot. In two passes: first the whole tree is walked, which
 * gives bridges their bus numbers and windows where firmware has not; then drivers are probed.
 * Configuration accesses are slow, so a slot that is empty costs one and a function nobody wants
 * two. PCI Local Bus 3.0, chapter 6; PCI-to-PCI Bridge 1.2, chapter 3.
 */
#include "drivers/pci.h"

#include "drivers/drivers.h"
#include "drivers/pci_bus.h"
#include "drivers/virtio/virtio.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/printf.h"

#define DEPTH_MAX 8 /* bridges behind bridges */
#define BUS_MAX 255

struct pci_driver {
  uint16_t vendor, first, last; /* device ids */
  /* Starts the device; says why not. The device stays its own on success. */
  errno_t (*probe)(struct pci_dev *d);
};

static const struct pci_driver drivers[] = {
    {0x1af4, 0x1000, 0x107f, virtio_pci_probe},
};

static struct pci_dev *found, **found_end;
static unsigned last_bus; /* the highest number in use */

static void scan_bus(unsigned bus, unsigned depth);

static const struct pci_driver *driver_for(uint16_t vendor, uint16_t device) {
  for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
    const struct pci_driver *drv = &drivers[i];
    if (drv->vendor == vendor && drv->first <= device && device <= drv->last)
      return drv;
  }
  return NULL;
}

/* Remembers a function that has a driver. */
static void found_add(unsigned bdf, uint32_t id) {
  struct pci_dev *d = kzalloc(sizeof *d);
  if (d == NULL) {
    log_warn("pci %02x:%02x.%x: no memory", bdf >> 8, bdf >> 3 & 31, bdf & 7);
    return;
  }
  d->bdf = (uint16_t)bdf;
  d->vendor = (uint16_t)id;
  d->device = (uint16_t)(id >> 16);
  ksnprintf(d->name, sizeof d->name, "pci %02x:%02x.%x", bdf >> 8, bdf >> 3 & 31, bdf & 7);
  pci_bars_init(d);
  *found_end = d;
  found_end = &d->next;
}

/* A bridge without a number: gets the next one, and a window around what lies behind. */
static void bridge_number(unsigned bdf, unsigned depth) {
  pa_t start;
  if (!pci_window_usable() || last_bus == BUS_MAX)
    return; /* firmware assigns, and has left this one out */
  unsigned secondary = ++last_bus;
  arch_pci_write(bdf, PCI_BUSES, 32, bdf >> 8 | secondary << 8 | (uint32_t)BUS_MAX << 16);
  pci_bridge_open(bdf, &start);
  scan_bus(secondary, depth + 1);
  arch_pci_write(bdf, PCI_BUSES, 32, bdf >> 8 | secondary << 8 | last_bus << 16);
  pci_bridge_close(bdf, start);
}

static void bridge_enter(unsigned bdf, unsigned depth) {
  uint32_t buses = arch_pci_read(bdf, PCI_BUSES, 32);
  unsigned secondary = buses >> 8 & 255, subordinate = buses >> 16 & 255;
  if (depth == DEPTH_MAX)
    return;
  if (secondary == 0) {
    bridge_number(bdf, depth);
    return;
  }
  /* Numbers rise towards the leaves: whatever does not would send the walk in circles. */
  if (secondary <= last_bus || subordinate < secondary)
    return;
  last_bus = secondary;
  scan_bus(secondary, depth + 1);
  if (subordinate > last_bus)
    last_bus = subordinate;
}

/* One function; false: there is none. */
static bool scan_function(unsigned bdf, unsigned depth, bool *more_functions) {
  uint32_t id = arch_pci_read(bdf, PCI_VENDOR_ID, 32);
  if ((id & 0xffff) == 0xffff)
    return false;
  uint32_t type = arch_pci_read(bdf, PCI_HEADER_TYPE, 8);
  *more_functions = type & 0x80;
  if ((type & 0x7f) == 1)
    bridge_enter(bdf, depth);
  else if ((type & 0x7f) == 0 && driver_for((uint16_t)id, (uint16_t)(id >> 16)) != NULL)
    found_add(bdf, id);
  return true;
}

static void scan_bus(unsigned bus, unsigned depth) {
  for (unsigned slot = 0; slot < 32; slot++) {
    unsigned bdf = bus << 8 | slot << 3;
    bool more = false, ignored;
    if (!scan_function(bdf, depth, &more) || !more)
      continue;
    for (unsigned fn = 1; fn < 8; fn++)
      scan_function(bdf | fn, depth, &ignored);
  }
}

void pci_init(void) {
  if (!arch_pci_present())
    return;
  found = NULL;
  found_end = &found;
  last_bus = 0;
  pci_window_init();
  scan_bus(0, 0);
  while (found != NULL) {
    struct pci_dev *d = found;
    found = d->next;
    if (driver_for(d->vendor, d->device)->probe(d) != 0)
      kfree(d);
  }
}
