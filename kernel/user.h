/*
 * The program's memory, from the kernel. Nothing else dereferences a user pointer.
 *
 * Every call checks that the range lies in user space (lengths up to SIZE_MAX, wrapping
 * included) and returns EFAULT otherwise, or when a page can't be had. May run the fault
 * handler, never sleeps for long. The address space used is the current process's.
 */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

static inline bool user_range_ok(uintptr_t va, size_t n) {
  return va >= USER_START && va <= USER_END && n <= USER_END - va;
}

static inline errno_t user_copy_in(void *dst, const void *user_src, size_t n) {
  if (!user_range_ok((uintptr_t)user_src, n))
    return EFAULT;
  return arch_user_copy(dst, user_src, n) == 0 ? 0 : EFAULT;
}

static inline errno_t user_copy_out(void *user_dst, const void *src, size_t n) {
  if (!user_range_ok((uintptr_t)user_dst, n))
    return EFAULT;
  return arch_user_copy(user_dst, src, n) == 0 ? 0 : EFAULT;
}

/* What a system call gets in place of the address of its i-th result when results travel in
 * registers (kernel/sys/raw.c): below all that a program can map. */
#define USER_RESULTS 2
#define USER_RESULT(i) (((uintptr_t)(i) + 1) * sizeof(uint64_t))

/* kernel/user.c: user_put() of what is no user address. EFAULT unless it is a USER_RESULT() and the
 * current thread's call has results in registers. */
errno_t user_put_result(uintptr_t to, const void *value, size_t n);

static inline errno_t user_put_bytes(void *to, const void *value, size_t n) {
  if (__builtin_expect(!user_range_ok((uintptr_t)to, n), 0))
    return user_put_result((uintptr_t)to, value, n);
  return arch_user_copy(to, value, n) == 0 ? 0 : EFAULT;
}

/* Whether n bytes (up to 8) for a result can be stored there: 0 or EFAULT. Memory stays as it is.
 */
static inline errno_t user_touch(void *uptr, size_t n) {
  uint64_t bytes = 0;
  if (!user_range_ok((uintptr_t)uptr, n))
    return user_put_result((uintptr_t)uptr, &bytes, n);
  errno_t e = user_copy_in(&bytes, uptr, n);
  return e != 0 ? e : user_copy_out(uptr, &bytes, n);
}

/* Stores one result of a system call, a number or an address: *uptr = value. */
#define user_put(uptr, value)                               \
  ({                                                        \
    __typeof__(*(uptr)) user_put_v = (value);               \
    user_put_bytes((uptr), &user_put_v, sizeof user_put_v); \
  })

#endif
