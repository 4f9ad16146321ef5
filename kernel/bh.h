/*
 * Bottom halves: work that an interrupt handler leaves for the time when the kernel lock is
 * held and the stack is shallow. Run before the return to user mode, and in the idle loop.
 * They must not sleep. Scheduling one twice runs it once.
 */
#ifndef KERNEL_BH_H
#define KERNEL_BH_H

#include <stdbool.h>

struct bh {
  void (*run)(struct bh *bh);
  struct bh *next; /* private */
  bool queued;     /* private */
};

extern struct bh *bh_pending; /* private: the list; non-NULL when there is work */

/* Any context. */
void bh_schedule(struct bh *bh);
/* Runs all that are queued, in order; what they queue meanwhile waits for the next round. */
void bh_run(void);

#endif
