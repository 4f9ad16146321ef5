/*
 * The wall clock: the PL031, whose counter is seconds since 1970. Read once at boot.
 */
#include "arch/aarch64/a64.h"

uint64_t arch_wallclock_ns(void) {
  if (a64_platform.rtc_pa == 0)
    return 0;
  const volatile void *data = arch_kmap_device(a64_platform.rtc_pa, PAGE_SIZE);
  return data == NULL ? 0 : mmio_read32(data) * 1000000000ull;
}
