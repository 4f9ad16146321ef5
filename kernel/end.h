/*
 * The end of the machine, in order: what the program left to be done, the last line, power off.
 */
#ifndef KERNEL_END_H
#define KERNEL_END_H

#include <stdbool.h>

#include "kernel/abi.h"

/* Work that a program's end does not cut off: what it wrote to a connection before it closed it. */
struct unfinished {
  bool (*some_left)(void); /* asked again whenever something happened; does not sleep */
  struct unfinished *next; /* private */
};

/* machine_end() waits, some seconds at the most, until nothing is left of it. Once for each, at
 * start. */
void machine_end_waits_for(struct unfinished *u);

/* Work that has to be done before the machine goes off, whether the program exited, crashed or was
 * never started; after a panic it is not. */
struct last_work {
  void (*run)(void);      /* on a thread's stack; may sleep */
  struct last_work *next; /* private */
};

/* machine_end() does it first of all, and so does boot_fail(). Once for each; threads exist. */
void machine_end_does(struct last_work *w);

/* The first process is gone: does the last work, waits for unfinished work, prints the last line
 * (`exit status N`, `killed by SIGSEGV`) and powers off with the code of docs/kernel.md. On a
 * thread's stack, kernel lock held. */
_Noreturn void machine_end(signal_t signal, exitcode_t exitcode);

#endif
