/*
 * The end of the machine: semihosting, which reports a code, else PSCI's SYSTEM_OFF, else WFI.
 *
 * Any context, a panic included. Arm: "Semihosting for AArch32 and AArch64", 7.14; DEN 0022 (PSCI).
 */
#include "arch/aarch64/a64.h"

enum {
  SYS_EXIT_EXTENDED = 0x20,
  STOPPED_APPLICATION_EXIT = 0x20026,
};
#define PSCI_SYSTEM_OFF 0x84000008

void a64_semihosting(uint64_t operation, const void *arguments);
void a64_hvc(uint64_t function);
void a64_smc(uint64_t function);

_Noreturn void arch_poweroff(unsigned code) {
  static bool again; /* after a fault on this way */
  const uint64_t exit[2] = {STOPPED_APPLICATION_EXIT, code};

  __asm__ volatile("msr daifset, #0xf");
  if (!again) {
    again = true;
    a64_semihosting(SYS_EXIT_EXTENDED, exit);
    if (a64_platform.psci == A64_PSCI_HVC)
      a64_hvc(PSCI_SYSTEM_OFF);
    else if (a64_platform.psci == A64_PSCI_SMC)
      a64_smc(PSCI_SYSTEM_OFF);
  }
  for (;;)
    __asm__ volatile("wfi");
}
