/*
 * syscall(), for programs: stands for musl's. It takes the numbers of <sys/syscall.h>,
 * and a program that uses it contains the answer of every call.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <unistd.h>

#include "sdk/overlay/overlay.h"

HIDDEN long __syscall_ret(unsigned long);

static __linux_call *answer(long number) {
  switch (number) {
#define CALL(number, name) \
  case number:             \
    return __linux_##name;
#include "linux-calls.h"
#undef CALL
    default:
      return __linux_none;
  }
}

long syscall(long number, ...) {
  long argument[6];
  va_list more;

  va_start(more, number);
  for (int i = 0; i < 6; ++i)
    argument[i] = va_arg(more, long);
  va_end(more);
  return __syscall_ret(
      answer(number)(argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]));
}
