/*
 * The end of the machine: QEMU's isa-debug-exit, which reports a code, else ACPI's soft-off, else
 * HLT.
 *
 * Any context, a panic included.
 */
#include "arch/x86_64/x86.h"

enum { DEBUG_EXIT_PORT = 0xf4 };

_Noreturn void arch_poweroff(unsigned code) {
  __asm__ volatile("cli");
  x86_out8(DEBUG_EXIT_PORT, (uint8_t)code); /* QEMU ends here with status 2 · code + 1 */
  x86_acpi_poweroff();
  for (;;)
    __asm__ volatile("hlt");
}
