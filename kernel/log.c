/*
 * Messages to the console. Any context; no locks but the kernel's.
 */
#include "kernel/log.h"

#include "kernel/console.h"
#include "kernel/printf.h"

enum log_level log_max = LOG_WARN;

void log_vprintf(enum log_level level, const char *format, va_list ap) {
  char line[256];
  if (level > log_max)
    return;
  int n = kvsnprintf(line, sizeof line - 1, format, ap);
  if (n > (int)sizeof line - 2)
    n = sizeof line - 2;
  line[n++] = '\n';
  console_write(line, (size_t)n);
}

void log_printf(enum log_level level, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  log_vprintf(level, format, ap);
  va_end(ap);
}
