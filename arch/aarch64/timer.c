/*
 * Time: the generic timer's virtual counter as the clock, its comparator as the alarm. Nothing
 * ticks.
 *
 * Reading: any context. Setting: kernel lock, interrupts off. fired: interrupt context.
 */
#include "arch/aarch64/a64.h"
#include "kernel/log.h"
#include "kernel/timer.h"

enum {
  NS_PER_S = 1000000000,
  CTL_ENABLE = 1,
  DEFAULT_INTID = 27, /* of the virtual timer: Arm's Base System Architecture */
};

static struct arch_clock_params clock; /* ns = base_ns + (cycles − base_cycles) · mult / 2^shift */
static uint64_t cycles_per_ns;         /* in 2^−32 */
static uint64_t armed_ns = UINT64_MAX;

static uint64_t scale(uint64_t v, uint64_t mult) {
  return (uint64_t)((unsigned __int128)v * mult >> 32);
}

/* numerator / denominator in 2^-32; one of them is 10^9. */
static uint64_t ratio(uint64_t numerator, uint64_t denominator) {
  return (numerator / denominator) << 32 | ((numerator % denominator) << 32) / denominator;
}

uint64_t arch_time_ns(void) {
  return clock.base_ns + scale(arch_cycles() - clock.base_cycles, clock.mult);
}

void arch_clock_params(struct arch_clock_params *p) {
  *p = clock;
}

static void arm(uint64_t deadline_ns) {
  armed_ns = deadline_ns;
  if (deadline_ns == UINT64_MAX) {
    A64_WRITE(cntv_ctl_el0, 0);
    return;
  }
  A64_WRITE(cntv_cval_el0,
            clock.base_cycles + scale(deadline_ns - clock.base_ns, cycles_per_ns) + 1);
  A64_WRITE(cntv_ctl_el0, CTL_ENABLE);
}

void arch_timer_set(uint64_t deadline_ns) {
  if (deadline_ns != armed_ns)
    arm(deadline_ns);
}

static void fired(void *arg) {
  (void)arg;
  uint64_t deadline_ns = armed_ns;
  A64_WRITE(cntv_ctl_el0, 0);
  a64_isb(); /* the line falls before the interrupt ends */
  if (deadline_ns == UINT64_MAX)
    return; /* replaced while the interrupt was on its way */
  if (arch_time_ns() < deadline_ns) {
    arm(deadline_ns); /* rounding */
    return;
  }
  armed_ns = UINT64_MAX;
  timer_interrupt();
}

void a64_timer_init(void) {
  uint64_t boot_cycles = arch_cycles();
  uint64_t hz = A64_READ(cntfrq_el0);
  unsigned intid = a64_platform.timer_intid != 0 ? a64_platform.timer_intid : DEFAULT_INTID;

  if (hz == 0)
    boot_fail("the firmware has not set the timer's frequency (CNTFRQ_EL0)");
  clock = (struct arch_clock_params){
      .base_cycles = boot_cycles,
      .mult = ratio(NS_PER_S, hz),
      .shift = 32,
      .usable = 1,
  };
  cycles_per_ns = ratio(hz, NS_PER_S);
  A64_WRITE(cntv_ctl_el0, 0);
  if (a64_irq_handle(intid, true, fired, NULL) != 0)
    boot_fail("no interrupt for the timer");
  log_info("timer: %lu kHz, interrupt %u", hz / 1000, intid);
}
