/*
 * The PL011 UART, polled: the early console, and the last one at a panic. See serial.c for the rest
 * of the time.
 *
 * Any context.
 */
#include "arch/aarch64/pl011.h"

volatile uint8_t *a64_uart;

void a64_console_init(void) {
  if (a64_platform.uart_pa == 0)
    return;
  volatile uint8_t *regs = arch_kmap_device(a64_platform.uart_pa, PAGE_SIZE);
  if (regs == NULL)
    return;
  mmio_write32(regs + UART_MASK, 0);
  mmio_write32(regs + UART_CONTROL, 0);
  mmio_write32(regs + UART_LINE, UART_LINE_8N1_FIFO); /* the speed is the firmware's */
  mmio_write32(regs + UART_CONTROL, UART_CONTROL_ON);
  a64_uart = regs;
}

/* Waits for room. False: the port is stuck, for longer than any sane line takes. */
static bool wait_room(void) {
  static bool stuck;
  enum { SPINS_MAX = 50000000 };
  for (unsigned i = 0; !stuck; i++) {
    if (!(mmio_read32(a64_uart + UART_FLAGS) & UART_FLAGS_FULL))
      return true;
    __asm__ volatile("yield");
    stuck = i > SPINS_MAX;
  }
  return false;
}

void arch_console_write(const char *s, size_t n) {
  for (; a64_uart != NULL && n > 0 && wait_room(); n--)
    mmio_write32(a64_uart + UART_DATA, (uint8_t)*s++);
}
