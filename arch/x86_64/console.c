/*
 * The first serial port, polled: the early console, and the last one at a panic. See serial.c for
 * the rest of the time.
 *
 * Any context.
 */
#include "arch/x86_64/serial.h"
#include "arch/x86_64/x86.h"

void x86_console_init(void) {
  x86_out8(COM1 + UART_IER, 0);
  x86_out8(COM1 + UART_LCR, UART_LCR_DIVISOR);
  x86_out8(COM1 + UART_DATA, 1); /* 115,200 baud */
  x86_out8(COM1 + UART_IER, 0);
  x86_out8(COM1 + UART_LCR, UART_LCR_8N1);
  x86_out8(COM1 + UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR);
  x86_out8(COM1 + UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
}

/* Waits for room. False: the port is stuck, for longer than any sane line takes. */
static bool wait_room(void) {
  static bool stuck;
  enum { SPINS_MAX = 50000000 };
  for (unsigned i = 0; !stuck; i++) {
    if (x86_in8(COM1 + UART_LSR) & UART_LSR_EMPTY)
      return true;
    __asm__ volatile("pause");
    stuck = i > SPINS_MAX;
  }
  return false;
}

void arch_console_write(const char *s, size_t n) {
  while (n > 0 && wait_room()) {
    size_t chunk = n < UART_FIFO_BYTES ? n : UART_FIFO_BYTES;
    for (size_t i = 0; i < chunk; i++)
      x86_out8(COM1 + UART_DATA, (uint8_t)s[i]);
    s += chunk;
    n -= chunk;
  }
}
