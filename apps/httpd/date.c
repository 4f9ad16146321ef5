/*
 * Dates in HTTP (RFC 9110, 5.6.7). Only the form that servers send is understood; clients
 * that ask If-Modified-Since repeat what they got.
 */
#include "date.h"

#include <stdio.h>
#include <string.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void date_format(char text[static DATE_BYTES], time_t time) {
  struct tm tm;

  if (gmtime_r(&time, &tm) == NULL) {
    strcpy(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    return;
  }
  snprintf(text, DATE_BYTES, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday,
           tm.tm_mday, months + 3 * tm.tm_mon, (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
           tm.tm_sec);
}

/* Reads digits digits; −1 if there are others. */
static int number(const char *text, int digits) {
  int value = 0;

  for (; digits > 0; --digits, ++text) {
    if (*text < '0' || *text > '9')
      return -1;
    value = value * 10 + *text - '0';
  }
  return value;
}

static int month_number(const char *name) {
  for (int i = 0; i < 12; ++i)
    if (memcmp(name, months + 3 * i, 3) == 0)
      return i;
  return -1;
}

/*      012345678901234567890123456789 */
/*      Sun, 06 Nov 1994 08:49:37 GMT  */
bool date_parse(const char *text, time_t *time) {
  if (strlen(text) != 29 || strcmp(text + 25, " GMT") != 0)
    return false;
  struct tm tm = {
      .tm_mday = number(text + 5, 2),
      .tm_mon = month_number(text + 8),
      .tm_year = number(text + 12, 4) - 1900,
      .tm_hour = number(text + 17, 2),
      .tm_min = number(text + 20, 2),
      .tm_sec = number(text + 23, 2),
  };
  if (tm.tm_mday < 0 || tm.tm_mon < 0 || tm.tm_year < 0 || tm.tm_hour < 0 || tm.tm_min < 0 ||
      tm.tm_sec < 0)
    return false;
  *time = timegm(&tm);
  return true;
}
