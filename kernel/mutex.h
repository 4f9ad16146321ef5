/*
 * Sleeping locks, for what takes longer than the kernel lock is held: a file system that waits for
 * its disk in the middle of an operation. Threads only; not even their death ends the wait. Fields
 * are mutex.c's.
 */
#ifndef KERNEL_MUTEX_H
#define KERNEL_MUTEX_H

#include <stdbool.h>

#include "kernel/waitq.h"

struct mutex {
  struct thread *owner; /* NULL: free */
  struct waitq waiters;
};

void mutex_init(struct mutex *m);
/* Not by the thread that has it. */
void mutex_lock(struct mutex *m);
/* By the thread that has it. */
void mutex_unlock(struct mutex *m);
/* Whether somebody has it; whether the current thread has. */
bool mutex_locked(const struct mutex *m);
bool mutex_held(const struct mutex *m);

#endif
