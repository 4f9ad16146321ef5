/*
 * What the image builder tells a person when it gives up: one message, the first one.
 *
 * A message about the configuration is `FILE:LINE:COLUMN: what was found; what is accepted`; one
 * about another file begins with that file's name.
 */
#ifndef IMAGES_REPORT_H
#define IMAGES_REPORT_H

#include <stdbool.h>
#include <stddef.h>

/* A place in the configuration; both numbers count from 1. */
struct position {
  unsigned line;
  unsigned column;
};

struct report {
  const char *config; /* the configuration's name as the user gave it */
  bool failed;
  char message[8192]; /* no final newline */
};

/* Both return false, for the caller to return. */
__attribute__((format(printf, 3, 4))) bool report_at(struct report *report, struct position at,
                                                     const char *format, ...);
__attribute__((format(printf, 2, 3))) bool report_plain(struct report *report, const char *format,
                                                        ...);

/* A user's text for a message: in quotes, control characters replaced, cut when it is long. */
struct quoted {
  char text[96];
};
struct quoted report_quote(const char *text, size_t length);

#endif
