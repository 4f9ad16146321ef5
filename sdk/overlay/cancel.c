/*
 * Cancellation points. A thread notices its cancellation when it enters one, or when it
 * is waiting for a lock, a condition or another thread (signal.c); nothing interrupts a
 * call that waits for a descriptor.
 */
#include "sdk/overlay/overlay.h"

HIDDEN long __cancel(void);

/* musl compares interrupted code's place with these; nothing is interrupted here. */
HIDDEN const char __cp_begin[1], __cp_end[1], __cp_cancel[1];

HIDDEN long __syscall_cp_asm(volatile int *cancelled, long call, long a, long b, long c, long d,
                             long e, long f) {
  if (*cancelled)
    return __cancel();
  return ((__linux_call *)call)(a, b, c, d, e, f);
}
