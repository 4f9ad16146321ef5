/*
 * The order in which the machine is set up: arch_init_early() and arch_init().
 *
 * Called once each by kernel/main.c, on the boot stack, interrupts off.
 */
#include "arch/x86_64/x86.h"
#include "boot/bootinfo.h"

X86_NO_STACK_PROTECTOR void arch_init_early(struct bootinfo *boot) {
  x86_console_init();
  x86_cpu_init(); /* descriptor tables first: from here on a fault tells of itself */
  x86_paging_init(boot);
  x86_cpu_protect();
  x86_fpu_init();
}

void arch_init(const struct bootinfo *boot) {
  x86_acpi_init(boot);
  x86_lapic_init();
  x86_ioapic_init();
  x86_timer_init();
}
