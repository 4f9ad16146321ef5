/*
 * The order in which the machine is set up: arch_init_early() and arch_init().
 *
 * Called once each by kernel/main.c, on the boot stack, interrupts off.
 */
#include "arch/aarch64/a64.h"
#include "boot/aarch64/boot.h"
#include "boot/bootinfo.h"

struct a64_platform a64_platform;

A64_NO_STACK_PROTECTOR void arch_init_early(struct bootinfo *boot) {
  a64_cpu_init(boot); /* vectors first */
  boot_platform(boot, &a64_platform);
  a64_paging_init(boot);
  a64_cpu_protect();
  a64_kva_boot(boot);
  a64_console_init();
  a64_kva_boot(NULL);
}

void arch_init(const struct bootinfo *boot) {
  (void)boot;
  a64_irq_init();
  a64_timer_init();
}
