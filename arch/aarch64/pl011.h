/*
 * The registers of the PL011 UART (DDI 0183), for console.c and serial.c.
 */
#ifndef ARCH_AARCH64_PL011_H
#define ARCH_AARCH64_PL011_H

#include "arch/aarch64/a64.h"

enum {
  UART_DATA = 0x00,
  UART_FLAGS = 0x18,
  UART_LINE = 0x2c,
  UART_CONTROL = 0x30,
  UART_LEVELS = 0x34,
  UART_MASK = 0x38,
  UART_CLEAR = 0x44,
  UART_FLAGS_FULL = 1 << 5,
  UART_LINE_8N1_FIFO = 0x70,
  UART_CONTROL_ON = 0x301, /* and transmit, receive */
  UART_IRQ_TRANSMIT = 1 << 5,
};

/* NULL: there is none. */
extern volatile uint8_t *a64_uart;

#endif
