/*
 * The registers of the 16550 UART at COM1, for console.c and serial.c.
 */
#ifndef ARCH_X86_64_SERIAL_H
#define ARCH_X86_64_SERIAL_H

enum {
  COM1 = 0x3f8,
  COM1_IRQ = 4,
  UART_DATA = 0, /* and the divisor's low byte */
  UART_IER = 1,  /* and its high byte */
  UART_IIR = 2,  /* read */
  UART_FCR = 2,  /* write */
  UART_LCR = 3,
  UART_MCR = 4,
  UART_LSR = 5,
  UART_FIFO_BYTES = 16,
  UART_IER_EMPTY = 1 << 1, /* interrupt when the transmitter is empty */
  UART_FCR_ENABLE = 1 << 0,
  UART_FCR_CLEAR = 3 << 1,
  UART_LCR_8N1 = 3,
  UART_LCR_DIVISOR = 1 << 7,
  UART_MCR_DTR = 1 << 0,
  UART_MCR_RTS = 1 << 1,
  UART_MCR_OUT2 = 1 << 3,  /* lets interrupts out */
  UART_LSR_EMPTY = 1 << 5, /* the transmitter takes UART_FIFO_BYTES more */
};

#endif
