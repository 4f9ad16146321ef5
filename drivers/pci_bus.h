/*
 * Private to the PCI bus: finding functions (pci.c) and giving them addresses (pci_bar.c).
 */
#ifndef DRIVERS_PCI_BUS_H
#define DRIVERS_PCI_BUS_H

#include "drivers/pci.h"

enum { /* configuration header */
       PCI_VENDOR_ID = 0x00,
       PCI_COMMAND = 0x04,
       PCI_STATUS = 0x06,
       PCI_HEADER_TYPE = 0x0e,
       PCI_BAR0 = 0x10,
       PCI_BUSES = 0x18,
       PCI_IO_BASE = 0x1c,
       PCI_MEMORY_BASE = 0x20,
       PCI_PREFETCH_BASE = 0x24,
       PCI_CAPABILITIES = 0x34,

       PCI_COMMAND_IO = 1,
       PCI_COMMAND_MEMORY = 2,
       PCI_COMMAND_MASTER = 4,
       PCI_COMMAND_INTX_OFF = 0x400,
       PCI_STATUS_CAPABILITIES = 0x10,
};

/* Takes the window that arch offers for BARs nobody has assigned. */
void pci_window_init(void);
bool pci_window_usable(void);
/* Measures the BARs of d, assigns those at 0, turns decoding and bus mastering on. */
void pci_bars_init(struct pci_dev *d);
/* Opens a bridge's memory window at the next free address, and closes it behind what was assigned
 * since. Only for bridges that firmware left alone. */
void pci_bridge_open(unsigned bdf, pa_t *start);
void pci_bridge_close(unsigned bdf, pa_t start);

#endif
