/*
 * The clocks: monotonic is arch_time_ns(); realtime adds an offset fixed at boot.
 */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdint.h>

struct bootinfo;

/* Takes the wall clock from the loader or the machine. */
void clock_init(const struct bootinfo *boot);
uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_ns(void);
/* realtime − monotonic */
uint64_t clock_offset_ns(void);

#endif
