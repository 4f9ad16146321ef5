/*
 * The data page that the vDSO reads: the clocks' parameters, which do not change after the boot.
 *
 * Called once from kernel/main.c.
 */
#include "kernel/vdso.h"

#include "kernel/clock.h"
#include "kernel/string.h"

#define ASSERT_OFFSET(member, value) \
  _Static_assert(offsetof(struct vdso_data, member) == (value), "vdso_layout.h: " #member)
ASSERT_OFFSET(clock.base_cycles, VDSO_BASE_CYCLES);
ASSERT_OFFSET(clock.base_ns, VDSO_BASE_NS);
ASSERT_OFFSET(clock.mult, VDSO_MULT);
ASSERT_OFFSET(clock.shift, VDSO_SHIFT);
ASSERT_OFFSET(clock.usable, VDSO_USABLE);
ASSERT_OFFSET(realtime_offset_ns, VDSO_REALTIME_OFFSET);

/* A page of its own: whatever else lay in it would be shown to programs. */
_Alignas(VDSO_DATA_BYTES) uint8_t vdso_data_page[VDSO_DATA_BYTES];

void vdso_init(void) {
  struct vdso_data data = {.realtime_offset_ns = clock_offset_ns()};
  arch_clock_params(&data.clock);
  memcpy(vdso_data_page, &data, sizeof data);
}
