/*
 * The 16550 UART at COM1 as the console's device: 16 bytes at a time, and an interrupt when they
 * are gone.
 *
 * serial_init: once, from kernel/main.c, after arch_init(). put and want_interrupt: kernel lock or
 * interrupt context.
 */
#include "arch/x86_64/serial.h"

#include "arch/x86_64/x86.h"
#include "drivers/drivers.h"
#include "kernel/console.h"
#include "kernel/log.h"

static size_t put(const char *s, size_t n) {
  if (!(x86_in8(COM1 + UART_LSR) & UART_LSR_EMPTY))
    return 0;
  if (n > UART_FIFO_BYTES)
    n = UART_FIFO_BYTES;
  for (size_t i = 0; i < n; i++)
    x86_out8(COM1 + UART_DATA, (uint8_t)s[i]);
  return n;
}

static void want_interrupt(bool on) {
  x86_out8(COM1 + UART_IER, on ? UART_IER_EMPTY : 0);
}

static void handle(void *arg) {
  (void)arg;
  x86_in8(COM1 + UART_IIR); /* acknowledges */
  console_drain();
}

static const struct console_device device = {put, want_interrupt};

void serial_init(void) {
  if (x86_isa_irq_connect(COM1_IRQ, handle, NULL) != 0) {
    log_warn("serial: no interrupt for COM1; the console is polled");
    return;
  }
  console_attach(&device);
}
