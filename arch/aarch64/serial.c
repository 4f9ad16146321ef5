/*
 * The PL011 UART as the console's device: as many bytes as its FIFO takes, and an interrupt when it
 * has room again.
 *
 * serial_init: once, from kernel/main.c, after arch_init(). put and want_interrupt: kernel lock or
 * interrupt context.
 */
#include "arch/aarch64/pl011.h"
#include "drivers/drivers.h"
#include "kernel/console.h"
#include "kernel/log.h"

static size_t put(const char *s, size_t n) {
  size_t done = 0;
  while (done < n && !(mmio_read32(a64_uart + UART_FLAGS) & UART_FLAGS_FULL))
    mmio_write32(a64_uart + UART_DATA, (uint8_t)s[done++]);
  return done;
}

static void want_interrupt(bool on) {
  mmio_write32(a64_uart + UART_MASK, on ? UART_IRQ_TRANSMIT : 0);
}

static void handle(void *arg) {
  (void)arg;
  mmio_write32(a64_uart + UART_CLEAR, UART_IRQ_TRANSMIT);
  console_drain();
}

static const struct console_device device = {put, want_interrupt};

void serial_init(void) {
  if (a64_uart == NULL)
    return;
  unsigned intid = a64_platform.uart_intid;
  if (intid == 0 || a64_irq_handle(intid, true, handle, NULL) != 0) {
    log_warn("serial: no interrupt for the PL011; the console is polled");
    return;
  }
  console_attach(&device);
}
