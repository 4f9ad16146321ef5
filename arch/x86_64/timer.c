/*
 * Time: the time-stamp counter as the clock, the local APIC's one-shot timer (or the TSC deadline)
 * as the alarm. Nothing ticks.
 *
 * Reading: any context. Setting: kernel lock, interrupts off. x86_timer_fired: interrupt context.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/timer.h"

enum { NS_PER_S = 1000000000 };

static struct arch_clock_params clock; /* ns = base_ns + (cycles − base_cycles) · mult / 2^shift */
static uint64_t tsc_per_ns, lapic_per_ns; /* in 2^−32 */
static uint64_t armed_ns = UINT64_MAX;
static bool use_deadline;

static uint64_t scale(uint64_t v, uint64_t mult) {
  return (uint64_t)((unsigned __int128)v * mult >> 32);
}

/* numerator / denominator in 2^-32; one of them is 10^9. */
static uint64_t ratio(uint64_t numerator, uint64_t denominator) {
  return (numerator / denominator) << 32 | ((numerator % denominator) << 32) / denominator;
}

void x86_timer_init(void) {
  uint64_t boot_cycles = arch_cycles();
  uint64_t tsc_hz, lapic_hz;

  x86_calibrate(&tsc_hz, &lapic_hz);
  clock = (struct arch_clock_params){
      .base_cycles = boot_cycles,
      .mult = ratio(NS_PER_S, tsc_hz),
      .shift = 32,
      .usable = 1,
  };
  tsc_per_ns = ratio(tsc_hz, NS_PER_S);
  lapic_per_ns = ratio(lapic_hz, NS_PER_S);
  use_deadline = x86_features.tsc_deadline;
  x86_lapic_timer_mode(use_deadline ? X86_TIMER_DEADLINE : X86_TIMER_ONE_SHOT);
  log_info("timer: TSC %lu kHz, local APIC %lu kHz%s", tsc_hz / 1000, lapic_hz / 1000,
           use_deadline ? ", TSC deadline" : "");
}

uint64_t arch_time_ns(void) {
  return clock.base_ns + scale(arch_cycles() - clock.base_cycles, clock.mult);
}

void arch_clock_params(struct arch_clock_params *p) {
  *p = clock;
}

static void arm(uint64_t deadline_ns) {
  armed_ns = deadline_ns;
  if (use_deadline) {
    uint64_t cycles = 0; /* disarms */
    if (deadline_ns != UINT64_MAX)
      cycles = clock.base_cycles + scale(deadline_ns - clock.base_ns, tsc_per_ns) + 1;
    x86_wrmsr(MSR_TSC_DEADLINE, cycles);
    return;
  }
  if (deadline_ns == UINT64_MAX) {
    x86_lapic_timer_start(0);
    return;
  }
  uint64_t now = arch_time_ns();
  uint64_t ticks = deadline_ns > now ? scale(deadline_ns - now, lapic_per_ns) + 1 : 1;
  x86_lapic_timer_start(ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
}

void arch_timer_set(uint64_t deadline_ns) {
  if (deadline_ns != armed_ns)
    arm(deadline_ns);
}

void x86_timer_fired(void) {
  uint64_t deadline_ns = armed_ns;
  if (deadline_ns == UINT64_MAX)
    return; /* replaced while the interrupt was on its way */
  if (arch_time_ns() < deadline_ns) {
    arm(deadline_ns); /* longer than the counter holds, or counted by a clock a little fast */
    return;
  }
  armed_ns = UINT64_MAX;
  timer_interrupt();
}
