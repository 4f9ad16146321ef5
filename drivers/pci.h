/*
 * The PCI bus for drivers: what a probed function looks like.
 *
 * Boot only (probe functions), except pci_read/pci_write. Nothing sleeps. All that the device says
 * of itself is bounded here: capability lists, BAR sizes, table places.
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

#define PCI_BARS 6

struct pci_bar {
  pa_t base;     /* an address, or a port number when `io`; 0: none */
  uint64_t size; /* 0: not there */
  bool io;
};

struct pci_dev {
  uint16_t bdf; /* bus << 8 | slot << 3 | function */
  uint16_t vendor, device;
  char name[16]; /* "pci 00:03.0", for messages */
  struct pci_bar bars[PCI_BARS];
  uint8_t msix_cap; /* where the capability is; 0: none, or not set up */
  uint16_t msix_count;
  volatile uint8_t *msix_table;
  struct pci_dev *next; /* private: in order of discovery */
};

/* Configuration registers used by drivers. */
enum {
  PCI_SUBSYSTEM_ID = 0x2e,
  PCI_INTERRUPT_LINE = 0x3c,
  PCI_CAP_VENDOR = 0x09,
  PCI_CAP_MSIX = 0x11,
};

static inline uint32_t pci_read(const struct pci_dev *d, unsigned offset, unsigned width) {
  return arch_pci_read(d->bdf, offset, width);
}

static inline void pci_write(const struct pci_dev *d, unsigned offset, unsigned width, uint32_t v) {
  arch_pci_write(d->bdf, offset, width, v);
}

/* Walks the capabilities with one id: start from {0}; each call gives the next one's offset, 0 at
 * the end. A list that runs in circles ends too. */
struct pci_cap_iter {
  uint8_t at, steps;
};
uint8_t pci_next_cap(const struct pci_dev *d, struct pci_cap_iter *it, uint8_t id);

/* Maps [offset, offset + length) of a memory BAR. EINVAL: not inside it; ENOMEM. */
errno_t pci_map(const struct pci_dev *d, unsigned bar, uint32_t offset, uint32_t length,
                volatile uint8_t **va);

/* Turns MSI-X on with all vectors masked; msix_count tells how many there are. ENOTSUP: the
 * device has none (msix_count 0); EINVAL: it lies about the table; ENOMEM. */
errno_t pci_msix_init(struct pci_dev *d);
/* Directs one vector to a handler and unmasks it. ENOSPC. */
errno_t pci_msix_connect(struct pci_dev *d, unsigned vector, irq_handler_t *handler, void *arg);
/* Turns MSI-X off again. */
void pci_msix_off(struct pci_dev *d);
/* The wired interrupt instead, when firmware told where it goes. EINVAL: it did not. */
errno_t pci_intx_connect(struct pci_dev *d, irq_handler_t *handler, void *arg);

#endif
