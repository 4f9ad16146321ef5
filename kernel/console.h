/*
 * The console: a ring that everything printed goes through, emptied by the serial driver's
 * interrupts, or by polling before interrupts work, at the end, and at a panic. Nothing is lost: a
 * program that writes more than fits sleeps; the kernel's own messages are pushed out by polling.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/abi.h"

struct file;

/* The serial driver. */
struct console_device {
  /* Gives bytes to the device without waiting; returns how many it took. */
  size_t (*put)(const char *s, size_t n);
  /* Asks for, or ends, an interrupt when it can take more; the handler calls console_drain(). */
  void (*want_interrupt)(bool on);
};

/* Drivers: from now on use this device with interrupts. */
void console_attach(const struct console_device *dev);
/* Interrupt context: moves bytes from the ring to the device, wakes writers. */
void console_drain(void);
/* The kernel's messages: any context, never sleeps, never loses. '\n' becomes "\r\n". */
void console_write(const char *s, size_t n);
/* Ends a line that a program left open. Any context. */
void console_fresh_line(void);
/* Ends the line if the last byte written did not, so that a message begins on a fresh one. */
void console_fresh_line(void);
/* Empties the ring by polling. Any context. */
void console_flush(void);
/* A new description of the console as a character device (write only; reads give end of file).
 * ENOMEM. */
errno_t console_open(struct file **f);

#endif
