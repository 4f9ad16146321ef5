/*
 * Tracing of system calls, one line each: `[3] fd_close(4) = 0`.
 *
 * Called by dispatch.c, kernel lock held. Pointers are printed, not followed.
 */
#include "kernel/sys/trace.h"

#include "kernel/cmdline.h"
#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/printf.h"
#include "kernel/string.h"
#include "kernel/thread.h"

bool trace_sys;

/* How an argument is printed, by its type. */
#define KIND(type)              \
  _Generic(*(type *)0, uint8_t  \
           : 'b', uint16_t      \
           : 'h', uint32_t      \
           : 'u', uint64_t      \
           : 'U', int64_t       \
           : 'D', struct lookup \
           : 'L', default       \
           : 'p')
#define SYSCALL0(n, ...) {#n, {0}},
#define SYSCALL1(n, t1, a1) {#n, {KIND(t1)}},
#define SYSCALL2(n, t1, a1, t2, a2) {#n, {KIND(t1), KIND(t2)}},
#define SYSCALL3(n, t1, a1, t2, a2, t3, a3) {#n, {KIND(t1), KIND(t2), KIND(t3)}},
#define SYSCALL4(n, t1, a1, t2, a2, t3, a3, t4, a4) {#n, {KIND(t1), KIND(t2), KIND(t3), KIND(t4)}},
#define SYSCALL5(n, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
  {#n, {KIND(t1), KIND(t2), KIND(t3), KIND(t4), KIND(t5)}},
#define SYSCALL6(n, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
  {#n, {KIND(t1), KIND(t2), KIND(t3), KIND(t4), KIND(t5), KIND(t6)}},
#define SYSCALL7(n, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6, t7, a7) \
  {#n, {KIND(t1), KIND(t2), KIND(t3), KIND(t4), KIND(t5), KIND(t6), KIND(t7)}},

static const struct {
  char name[16];
  char kinds[8];
} calls[] = {
#include "abi/syscalls.def"
};

static const char errno_names[][16] = {
#define ABI_ERRNO(name, number) [number] = "E" #name,
#include "abi/errno.def"
#undef ABI_ERRNO
};

const char *errno_name(errno_t e) {
  if (e == 0)
    return "0";
  return e < sizeof errno_names / sizeof errno_names[0] ? errno_names[e] : "E?";
}

void trace_init(void) {
  const char *value = cmdline_get("trace");
  if (value == NULL)
    return;
  if (strcmp(value, "sys") != 0)
    boot_fail("trace=%s on the command line: expected sys", value);
  trace_sys = true;
}

static int format_argument(char *to, size_t n, char kind, uint64_t value) {
  switch (kind) {
    case 'b':
      return ksnprintf(to, n, "%u", (unsigned)(uint8_t)value);
    case 'h':
      return ksnprintf(to, n, "%u", (unsigned)(uint16_t)value);
    case 'u':
      return ksnprintf(to, n, (uint32_t)value == UINT32_MAX ? "-1" : "%u", (unsigned)value);
    case 'U':
      return ksnprintf(to, n, "%lu", (unsigned long)value);
    case 'D':
      return ksnprintf(to, n, "%ld", (long)value);
    case 'L':
      return ksnprintf(to, n, "%u%s", (unsigned)value, (value >> 32) != 0 ? "/follow" : "");
    default:
      return ksnprintf(to, n, value == 0 ? "NULL" : "0x%lx", (unsigned long)value);
  }
}

static void print(const struct thread *t, unsigned index, const uint64_t *args,
                  const char *result) {
  char line[256]; /* enough for the longest name and seven numbers */
  size_t used = (size_t)ksnprintf(line, sizeof line, "[%u] %s(", t->tid, calls[index].name);
  for (const char *kind = calls[index].kinds; *kind != 0; kind++) {
    if (kind != calls[index].kinds)
      used += (size_t)ksnprintf(line + used, sizeof line - used, ", ");
    used += (size_t)format_argument(line + used, sizeof line - used, *kind, *args++);
  }
  used +=
      (size_t)ksnprintf(line + used, sizeof line - used, ")%s%s\n", *result ? " = " : "", result);
  console_write(line, used);
}

void trace_call(const struct thread *t, unsigned index, const uint64_t *args) {
  print(t, index, args, "");
}

void trace_result(const struct thread *t, unsigned index, const uint64_t *args, errno_t result) {
  print(t, index, args, errno_name(result));
}
