/*
 * Messages to the console, assertions, and the end by panic.
 *
 * Any context. A message is a whole line without its newline. The format language is
 * kernel/printf.h's. Levels: the command line's `log=` sets the highest that is printed.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_max; /* default LOG_WARN */

void log_vprintf(enum log_level level, const char *format, va_list ap);
__attribute__((format(printf, 2, 3))) void log_printf(enum log_level level, const char *format,
                                                      ...);

#define log_error(...) log_printf(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_printf(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_printf(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_printf(LOG_DEBUG, __VA_ARGS__)

/* A bug of ours: prints the message, a backtrace with names and `panic: …` as the last line, and
 * ends the machine with code 127. Touches no disk. */
__attribute__((format(printf, 1, 2))) _Noreturn void panic(const char *format, ...);

/* The boot can't go on for a reason that its user can mend (no entropy, a missing device, a bad
 * payload): the message as `boot failed: …`, then code 127, without a backtrace. */
__attribute__((format(printf, 1, 2))) _Noreturn void boot_fail(const char *format, ...);

/* Stays on in all builds; the condition has no side effect; for our own bugs only. */
#define ASSERT(cond) \
  ((cond) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond))

#endif
