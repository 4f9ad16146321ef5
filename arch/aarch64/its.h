/*
 * The GICv3's interrupt translation service: message interrupts as LPIs (IHI 0069H, chapters 5 and
 * 6).
 *
 * One processor, one collection, an LPI for each event. Kernel lock, interrupts off.
 */
#ifndef ARCH_AARCH64_ITS_H
#define ARCH_AARCH64_ITS_H

#include "arch/arch.h"

/* LPIs have the INTIDs from here on; the GICv3's interrupt entry gives them to a64_its_interrupt().
 */
enum { A64_LPI_FIRST = 8192 };

/* Tells where the ITS is, and this processor's redistributor: its physical address, and the same
 * mapped (128 KiB). Called once by the GICv3's start. Nothing is set up before the first message
 * interrupt is asked for: it takes 28 KiB. */
void a64_its_init(pa_t its_pa, pa_t gicr_pa, volatile uint8_t *gicr);

/* arch_msi_alloc() of a GICv3. device_id is what the ITS sees: the PCI requester id. ENOSPC,
 * ENOMEM; ENOTSUP: there is no ITS, or none that can be used. */
errno_t a64_its_msi_alloc(irq_handler_t *handler, void *arg, uint32_t device_id,
                          struct arch_msi *msi);

/* Runs the handler of an LPI. The caller ends the interrupt. */
void a64_its_interrupt(unsigned intid);

#endif
