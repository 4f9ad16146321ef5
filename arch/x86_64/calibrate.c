/*
 * How fast the time-stamp counter and the local APIC's timer run, measured against a clock of known
 * rate across a HLT: never by spinning, which is expensive where a machine is emulated.
 *
 * Called once from x86_timer_init(), interrupts off but for the HLT. CPUID's leaves 0x15 and 0x16
 * are not believed: QEMU's emulation fills them with rubbish. A hypervisor's own leaf is.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"

enum {
  PIT_HZ = 1193182,
  PIT_CHANNEL0 = 0x40,
  PIT_COMMAND = 0x43,
  PIT_LATCH_0 = 0x00,
  PIT_MODE0_16BIT = 0x30,
  PM_TIMER_HZ = 3579545,
  CPUID_HYPERVISOR_MAX = 0x40000000,
  CPUID_HYPERVISOR_HZ = 0x40000010,
  GUESS_TICKS = 400000, /* of the local APIC: 0.4 ms at 1 GHz, 16 ms at 25 MHz */
  MEASURE_NS = 8000000,
  TRIES = 3,
};
#define NS_PER_S 1000000000ull
#define QEMU_LAPIC_HZ 1000000000ull

/* A clock of known rate: counts up, modulo mask + 1. */
struct reference {
  uint32_t (*read)(void);
  uint32_t mask, hz;
};

static uint32_t read_pit(void) {
  x86_out8(PIT_COMMAND, PIT_LATCH_0);
  uint32_t lo = x86_in8(PIT_CHANNEL0);
  uint32_t hi = x86_in8(PIT_CHANNEL0);
  return ~(hi << 8 | lo); /* it counts down */
}

static uint32_t read_pm_timer(void) {
  return x86_in32(x86_platform.pm_timer_port);
}

/* The counters at one moment: the reading that took least time of a few. */
struct moment {
  uint64_t tsc;
  uint32_t reference, lapic;
};

static struct moment read_moment(const struct reference *ref) {
  struct moment best = {0};
  uint64_t best_width = UINT64_MAX;
  for (unsigned i = 0; i < TRIES; i++) {
    uint64_t before = arch_cycles();
    uint32_t r = ref->read();
    uint32_t l = x86_lapic_timer_count();
    uint64_t after = arch_cycles();
    if (after - before >= best_width)
      continue;
    best_width = after - before;
    best = (struct moment){.tsc = before + best_width / 2, .reference = r, .lapic = l};
  }
  return best;
}

struct measured {
  uint64_t tsc_hz, lapic_hz;
};

/* The moments before and after a sleep of `ticks` of the local APIC's timer, which begins anew once
 * meanwhile. */
static void sleep_between(const struct reference *ref, uint32_t ticks, struct moment *a,
                          struct moment *b) {
  x86_lapic_timer_start(ticks);
  *a = read_moment(ref);
  arch_wait_for_interrupt();
  *b = read_moment(ref);
  x86_lapic_timer_start(0);
  /* The next period may have ended already: its interrupt must not end the next sleep. */
  __asm__ volatile("sti; nop; cli" ::: "memory");
}

/* False: the reference does not run. */
static bool measure(const struct reference *ref, uint32_t ticks, struct measured *out) {
  struct moment a, b;
  sleep_between(ref, ticks, &a, &b);
  uint64_t elapsed = (b.reference - a.reference) & ref->mask;
  if (elapsed < 10)
    return false;
  out->tsc_hz = (b.tsc - a.tsc) * ref->hz / elapsed;
  out->lapic_hz = ((uint64_t)a.lapic + (ticks - b.lapic)) * ref->hz / elapsed;
  return true;
}

static bool differ(uint64_t a, uint64_t b) {
  return a > b + b / 4 || b > a + a / 4;
}

/* A coarse measurement tells how long the precise one may sleep. When the host holds the machine up
 * for more than a period, the two disagree, and it is done again. */
static bool measure_with(const struct reference *ref, struct measured *out) {
  for (unsigned i = 0; i < TRIES; i++) {
    struct measured coarse;
    if (!measure(ref, GUESS_TICKS, &coarse))
      return false;
    uint64_t ticks = coarse.lapic_hz * (MEASURE_NS / 1000000) / 1000;
    if (ticks == 0 || ticks > UINT32_MAX)
      return false;
    if (!measure(ref, (uint32_t)ticks, out))
      return false;
    if (!differ(coarse.lapic_hz, out->lapic_hz) && !differ(coarse.tsc_hz, out->tsc_hz))
      return true;
  }
  return true; /* a busy host: the last figures must do */
}

/* VMware's leaf, which KVM and others have too: kHz of both clocks. */
static bool ask_hypervisor(struct measured *out) {
  if (!(x86_cpuid(1, 0).ecx >> 31))
    return false;
  uint32_t max = x86_cpuid(CPUID_HYPERVISOR_MAX, 0).eax;
  if (max < CPUID_HYPERVISOR_HZ || max > CPUID_HYPERVISOR_MAX + 0xffff)
    return false;
  struct x86_cpuid leaf = x86_cpuid(CPUID_HYPERVISOR_HZ, 0);
  out->tsc_hz = leaf.eax * 1000ull;
  out->lapic_hz = leaf.ebx * 1000ull;
  return out->tsc_hz != 0 && out->lapic_hz != 0;
}

static bool ask_pit(struct measured *out) {
  static const struct reference pit = {read_pit, 0xffff, PIT_HZ};
  x86_out8(PIT_COMMAND, PIT_MODE0_16BIT); /* counts down from 65536, over and over */
  x86_out8(PIT_CHANNEL0, 0);
  x86_out8(PIT_CHANNEL0, 0);
  return measure_with(&pit, out);
}

static bool ask_pm_timer(struct measured *out) {
  static const struct reference pm = {read_pm_timer, 0xffffff, PM_TIMER_HZ};
  return x86_platform.pm_timer_port != 0 && measure_with(&pm, out);
}

/* Nothing to compare with: the local APIC's timer itself, at the rate it has in QEMU. */
static void assume_lapic(struct measured *out) {
  static const struct reference lapic = {.read = x86_lapic_timer_count};
  const uint32_t ticks = QEMU_LAPIC_HZ * (MEASURE_NS / 1000000) / 1000;
  struct moment a, b;
  log_warn("timer: no clock to calibrate with; the local APIC's is taken to run at 1 GHz");
  sleep_between(&lapic, ticks, &a, &b);
  out->lapic_hz = QEMU_LAPIC_HZ;
  out->tsc_hz = (b.tsc - a.tsc) * QEMU_LAPIC_HZ / (a.lapic + (ticks - b.lapic));
}

void x86_calibrate(uint64_t *tsc_hz, uint64_t *lapic_hz) {
  struct measured m;
  x86_lapic_timer_mode(X86_TIMER_PERIODIC);
  if (!ask_hypervisor(&m) && !ask_pit(&m) && !ask_pm_timer(&m))
    assume_lapic(&m);
  *tsc_hz = m.tsc_hz;
  *lapic_hz = m.lapic_hz;
}
