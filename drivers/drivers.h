/*
 * The devices, as kernel/main.c finds them: each call probes a bus and starts what it knows.
 */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

/* The machine's serial port as the console, interrupt-driven. */
void serial_init(void);
/* Enumerates PCI, assigns missing BARs, starts known devices. */
void pci_init(void);
/* virtio-mmio devices: of the command line (virtio_mmio.device=SIZE@BASE:IRQ), else of the
 * platform. */
void virtio_mmio_init(void);

#endif
