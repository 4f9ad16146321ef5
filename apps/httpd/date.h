/*
 * Dates in HTTP: "Sun, 06 Nov 1994 08:49:37 GMT" and back.
 */
#ifndef HTTPD_DATE_H
#define HTTPD_DATE_H

#include <stdbool.h>
#include <time.h>

enum { DATE_BYTES = 32 };

void date_format(char text[static DATE_BYTES], time_t time);

/* False if the text is not of that form. */
bool date_parse(const char *text, time_t *time);

#endif
