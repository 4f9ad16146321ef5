/*
 * The clocks: monotonic is the machine's; realtime adds what the wall clock said at boot.
 *
 * Any context.
 */
#include "kernel/clock.h"

#include "arch/arch.h"
#include "boot/bootinfo.h"
#include "kernel/log.h"

static uint64_t offset_ns;

void clock_init(const struct bootinfo *boot) {
  uint64_t wall_ns = boot->wallclock_ns != 0 ? boot->wallclock_ns : arch_wallclock_ns();
  if (wall_ns == 0) {
    log_warn("clock: the machine has no wall clock; the time starts at 1970-01-01");
    return;
  }
  offset_ns = wall_ns - arch_time_ns();
}

uint64_t clock_monotonic_ns(void) {
  return arch_time_ns();
}

uint64_t clock_realtime_ns(void) {
  return arch_time_ns() + offset_ns;
}

uint64_t clock_offset_ns(void) {
  return offset_ns;
}
