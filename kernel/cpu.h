/*
 * What each processor has for itself. There is one so far; whoever needs such data goes through
 * this_cpu() and asks again after a sleep.
 *
 * Kernel lock.
 */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <stdbool.h>

#include "kernel/list.h"
#include "kernel/timer.h"

struct aspace;
struct thread;

struct cpu {
  struct list ready; /* threads that could run, in order of arrival */
  bool resched;      /* the next return to user mode is to look at `ready` */
  struct timer slice;
  struct aspace *aspace; /* the one that its page tables show; NULL: the kernel alone */
  struct thread *dead;   /* has ended and switched away; the next thread frees it */
};

extern struct cpu cpu_boot;

static inline struct cpu *this_cpu(void) {
  return &cpu_boot;
}

#endif
