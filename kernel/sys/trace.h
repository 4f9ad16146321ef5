/*
 * Tracing: `trace=sys` on the command line prints a line for every system call.
 */
#ifndef KERNEL_SYS_TRACE_H
#define KERNEL_SYS_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi.h"

struct thread;

extern bool trace_sys;

/* Reads the command line; boot_fail() on a value that isn't known. */
void trace_init(void);

/* Prints the call with its arguments, without the end of the line's result: for the calls that
 * don't come back. */
void trace_call(const struct thread *t, unsigned index, const uint64_t *args);
/* Prints the call and its result. The index is the number without SYSCALL_BASE. */
void trace_result(const struct thread *t, unsigned index, const uint64_t *args, errno_t result);

/* "EBADF"; "0"; "E?" for what is no error number. */
const char *errno_name(errno_t e);

#endif
