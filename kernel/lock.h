/*
 * The kernel's part of CloudABI's locks and condition variables (reference section 4).
 *
 * The words belong to the program, which handles the uncontended cases alone. The kernel keeps
 * objects for those that threads wait for, and hands a lock over directly: who returns from a wait
 * owns it. There are no spurious wakeups.
 *
 * Pointers are the program's and are checked here. All calls are for the current thread, under the
 * kernel lock. Common errors: EINVAL (unknown scope), EFAULT (a misaligned word, too).
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

/* Waits for the lock, for writing or for reading. 0: the thread has it. ETIMEDOUT at deadline_ns
 * (monotonic, NEVER_NS: none; one that passed already makes this a try); EDEADLK: it has it already
 * for writing; EINVAL: the word says that threads wait in the kernel, and none does; EAGAIN: too
 * many readers; ECANCELED: the thread is to die. */
errno_t lock_wait(lock_t *lock, scope_t scope, bool write, uint64_t deadline_ns);

/* Gives the lock, held for writing, to those who wait, or frees it. EPERM: threads wait for it and
 * another one holds it. After success the word is not touched any more. */
errno_t lock_unlock(lock_t *lock, scope_t scope);

/* Releases the lock, waits for a signal, and takes the lock again for writing. ETIMEDOUT: the
 * deadline came first; the thread has the lock nevertheless. EPERM: it doesn't hold the lock;
 * EINVAL: others wait on the variable with another lock; ECANCELED. */
errno_t condvar_wait(condvar_t *condvar, scope_t condvar_scope, lock_t *lock, scope_t lock_scope,
                     uint64_t deadline_ns);

/* Lets up to n waiters go on, in order: they get the lock one after the other. */
errno_t condvar_signal(condvar_t *condvar, scope_t scope, nthreads_t n);

#endif
