/* The image builder's error message: report.h. */
#include "images/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUOTE_MAX 60

static void append(struct report *report, const char *format, va_list arguments) {
  size_t used = strlen(report->message);
  vsnprintf(report->message + used, sizeof(report->message) - used, format, arguments);
  report->failed = true;
}

bool report_at(struct report *report, struct position at, const char *format, ...) {
  if (!report->failed) {
    snprintf(report->message, sizeof(report->message), "%s:%u:%u: ", report->config, at.line,
             at.column);
    va_list arguments;
    va_start(arguments, format);
    append(report, format, arguments);
    va_end(arguments);
  }
  return false;
}

bool report_plain(struct report *report, const char *format, ...) {
  if (!report->failed) {
    report->message[0] = '\0';
    va_list arguments;
    va_start(arguments, format);
    append(report, format, arguments);
    va_end(arguments);
  }
  return false;
}

struct quoted report_quote(const char *text, size_t length) {
  struct quoted result;
  size_t kept = length;
  if (length > QUOTE_MAX) {
    kept = QUOTE_MAX;
    while (kept > 0 && (text[kept] & 0xc0) == 0x80) {
      kept--; /* do not cut a character in two */
    }
  }
  char *at = result.text;
  *at++ = '"';
  for (size_t i = 0; i < kept; i++) {
    unsigned char c = (unsigned char)text[i];
    *at++ = c < 0x20 || c == 0x7f ? '?' : (char)c;
  }
  strcpy(at, kept < length ? "…\"" : "\"");
  return result;
}
