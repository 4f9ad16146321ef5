/*
 * Named checks of a test program, a line each on the descriptor that it was granted for them:
 *
 *     ok CALL: WHAT
 *     FAIL CALL: WHAT: got THIS, want THAT
 *     nosys CALL: WHAT            the call answered ENOSYS where it should have worked
 *
 * CALL is the system call that the check is about, or "start", "vdso". The last line of a program
 * whose checks all ran is "checks N". tests/vm reads the lines.
 */
#ifndef TESTS_GUEST_CHECK_H
#define TESTS_GUEST_CHECK_H

#include <cloudabi_syscalls.h>
#include <cloudabi_types.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "args.h"

static int check_fd;
static unsigned check_count;

static inline const char *check_errno_name(unsigned e) {
  static const char *const names[] = {
      [0] = "0",
#define ABI_ERRNO(name, number) [number] = "E" #name,
#include <abi/errno.def>
#undef ABI_ERRNO
  };
  return e < sizeof(names) / sizeof(names[0]) ? names[e] : "no error number";
}

/* Where the lines go: the descriptor that the argument data has under "out". */
static inline void check_begin(const argdata_t *ad) {
  check_fd = arg_fd(ad, "out");
}

static inline _Noreturn void check_end(void) {
  dprintf(check_fd, "checks %u\n", check_count);
  exit(0);
}

/* The state of a thing, true or false. */
static inline bool check(const char *call, const char *what, bool ok) {
  check_count++;
  dprintf(check_fd, ok ? "ok %s: %s\n" : "FAIL %s: %s: got false, want true\n", call, what);
  return ok;
}

/* A number. */
static inline bool check_eq(const char *call, const char *what, uint64_t got, uint64_t want) {
  if (got == want)
    return check(call, what, true);
  check_count++;
  dprintf(check_fd, "FAIL %s: %s: got %llu (0x%llx), want %llu (0x%llx)\n", call, what,
          (unsigned long long)got, (unsigned long long)got, (unsigned long long)want,
          (unsigned long long)want);
  return false;
}

/* The result of a system call. */
static inline bool check_err(const char *call, const char *what, unsigned got, unsigned want) {
  if (got == want)
    return check(call, what, true);
  check_count++;
  if (got == CLOUDABI_ENOSYS)
    dprintf(check_fd, "nosys %s: %s\n", call, what);
  else
    dprintf(check_fd, "FAIL %s: %s: got %s, want %s\n", call, what, check_errno_name(got),
            check_errno_name(want));
  return false;
}

/* The result of a system call that may be one of two. */
static inline bool check_either(const char *call, const char *what, unsigned got, unsigned a,
                                unsigned b) {
  return check_err(call, what, got, got == b ? b : a);
}

#endif
