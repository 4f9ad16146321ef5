/*
 * The ABI under its short names (EBADF, fd_t, struct iovec) for the kernel, which has
 * no libc to quarrel with. See abi/cloudabi.h.
 */
#ifndef KERNEL_ABI_H
#define KERNEL_ABI_H

#define ABI(name) name
#define ABI_T(name) name
#include "abi/cloudabi.h"

/* Trap numbers of the vDSO's stubs; lower numbers are raw traps of v0.1 to v0.3. */
enum {
  SYSCALL_BASE = 0x100,
  SYSCALL_FIRST_MINUS_ONE = SYSCALL_BASE - 1,
#define SYSCALL(name, ...) SYSCALL_##name,
#include "abi/syscalls.def"
  SYSCALL_END
};

#endif
