/*
 * The wall clock of a machine under KVM that has no CMOS clock (microvm, Firecracker): KVM's
 * paravirtual clock, asked once at boot. Linux: Documentation/virt/kvm/x86/msr.rst, cpuid.rst.
 *
 * Called by rtc.c.
 */
#include "arch/x86_64/x86.h"
#include "kernel/string.h"

enum {
  CPUID_SIGNATURE = 0x40000000,
  CPUID_FEATURES = 0x40000001,
  FEATURE_CLOCKSOURCE2 = 1 << 3,
  MSR_WALL_CLOCK = 0x4b564d00,
  MSR_SYSTEM_TIME = 0x4b564d01,
  SYSTEM_TIME_ENABLE = 1,
};

/* Both are written by the hypervisor, at a physical address; an odd version: it is at it. */
struct wall_clock { /* realtime when the system time was 0 */
  uint32_t version, s, ns;
};
struct system_time { /* ns, and the TSC at that moment */
  uint32_t version, reserved;
  uint64_t tsc, ns;
  uint32_t tsc_to_ns_mul; /* in 2^-32, of the TSC shifted left by tsc_shift */
  int8_t tsc_shift;
  uint8_t flags, reserved2[2];
};

static _Alignas(64) volatile struct system_time system_time;
static _Alignas(64) volatile struct wall_clock wall_clock;

static bool have_clock(void) {
  if (!(x86_cpuid(1, 0).ecx >> 31))
    return false;
  struct x86_cpuid id = x86_cpuid(CPUID_SIGNATURE, 0);
  uint32_t signature[3] = {id.ebx, id.ecx, id.edx};
  if (memcmp(signature, "KVMKVMKVM\0\0", 12) != 0 || (id.eax != 0 && id.eax < CPUID_FEATURES))
    return false;
  return x86_cpuid(CPUID_FEATURES, 0).eax & FEATURE_CLOCKSOURCE2;
}

static uint64_t system_now_ns(void) {
  uint64_t cycles = arch_cycles() - system_time.tsc;
  int shift = system_time.tsc_shift;
  cycles = shift < 0 ? cycles >> -shift : cycles << shift;
  return system_time.ns + (uint64_t)((unsigned __int128)cycles * system_time.tsc_to_ns_mul >> 32);
}

uint64_t x86_kvm_wallclock_ns(void) {
  if (!have_clock())
    return 0;
  /* Written while the instruction runs; this processor is not in two places at once. */
  x86_wrmsr(MSR_WALL_CLOCK, va_to_pa((const void *)&wall_clock));
  x86_wrmsr(MSR_SYSTEM_TIME, va_to_pa((const void *)&system_time) | SYSTEM_TIME_ENABLE);
  uint64_t ns = wall_clock.s * 1000000000ull + wall_clock.ns + system_now_ns();
  x86_wrmsr(MSR_SYSTEM_TIME, 0);
  return wall_clock.s != 0 ? ns : 0;
}
