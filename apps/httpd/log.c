/*
 * The log (log.h). A line that cannot be written is lost: serving goes on.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static int log_fd = -1;

void log_open(int fd) {
  log_fd = fd;
}

void log_line(const char *format, ...) {
  char line[400];
  va_list arguments;

  if (log_fd < 0)
    return;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof(line) - 1, format, arguments);
  va_end(arguments);
  if (length < 0)
    return;
  if ((size_t)length > sizeof(line) - 2)
    length = sizeof(line) - 2;
  for (int i = 0; i < length; ++i)
    if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
      line[i] = '?';
  line[length] = '\n';
  if (write(log_fd, line, length + 1) < 0)
    return;
}
