/*
 * Timestamps as YAML's !!timestamp writes them: scalar_timestamp() of scalars.h.
 *
 *   YYYY-M-D
 *   YYYY-M-D [t|T|blanks] h:mm:ss [.fraction] [blanks] [Z | ±h[:mm]]
 */
#include <stdlib.h>
#include <string.h>

#include "images/scalars.h"

/* What is left of the text. */
struct scan {
  const char *at;
  const char *end;
};

static bool take_char(struct scan *scan, char c) {
  if (scan->at == scan->end || *scan->at != c) {
    return false;
  }
  scan->at++;
  return true;
}

static bool take_blanks(struct scan *scan) {
  const char *start = scan->at;
  while (take_char(scan, ' ') || take_char(scan, '\t')) {
  }
  return scan->at > start;
}

/* A number of so many digits. */
static bool take_number(struct scan *scan, int least, int most, int *value) {
  int count = 0;
  *value = 0;
  while (count < most && scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
    *value = *value * 10 + (*scan->at++ - '0');
    count++;
  }
  return count >= least;
}

static bool leap_year(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; false when there is no such date. */
static bool days_since_1970(int year, int month, int day, int64_t *days) {
  static const int before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
  if (month < 1 || month > 12) {
    return false;
  }
  bool leap = leap_year(year);
  int month_days = before_month[month] - before_month[month - 1] + (leap && month == 2);
  if (day < 1 || day > month_days) {
    return false;
  }
  int64_t past = year - 1; /* whole years since the year 0 ended */
  int64_t leap_days = past / 4 - past / 100 + past / 400;
  if (year == 0) {
    past = -1;
    leap_days = -1; /* the year 0 is a leap year itself */
  }
  *days = past * 365 + leap_days + before_month[month - 1] + (leap && month > 2) + day - 1 - 719162;
  return true;
}

static bool take_date(struct scan *scan, int64_t *seconds) {
  int year, month, day;
  int64_t days;
  bool form = take_number(scan, 4, 4, &year) && take_char(scan, '-') &&
              take_number(scan, 1, 2, &month) && take_char(scan, '-') &&
              take_number(scan, 1, 2, &day);
  if (!form || !days_since_1970(year, month, day, &days)) {
    return false;
  }
  *seconds = days * 86400;
  return true;
}

/* Digits beyond the ninth are dropped. */
static bool take_fraction(struct scan *scan, uint32_t *nanoseconds) {
  const char *start = scan->at;
  uint32_t weight = 100000000;
  *nanoseconds = 0;
  while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
    *nanoseconds += weight * (uint32_t)(*scan->at++ - '0');
    weight /= 10;
  }
  return scan->at > start;
}

static bool take_time(struct scan *scan, struct ad_timestamp *value) {
  int hour, minute, second;
  bool form = take_number(scan, 1, 2, &hour) && take_char(scan, ':') &&
              take_number(scan, 2, 2, &minute) && take_char(scan, ':') &&
              take_number(scan, 2, 2, &second);
  if (!form || hour > 23 || minute > 59 || second > 60) {
    return false;
  }
  value->seconds += hour * 3600 + minute * 60 + second;
  return !take_char(scan, '.') || take_fraction(scan, &value->nanoseconds);
}

static bool take_zone(struct scan *scan, struct ad_timestamp *value) {
  take_blanks(scan);
  if (scan->at == scan->end || take_char(scan, 'Z')) {
    return true;
  }
  bool west = take_char(scan, '-');
  int hours, minutes = 0;
  if (!west && !take_char(scan, '+')) {
    return false;
  }
  if (!take_number(scan, 1, 2, &hours) || hours > 23 ||
      (take_char(scan, ':') && (!take_number(scan, 2, 2, &minutes) || minutes > 59))) {
    return false;
  }
  int offset = hours * 3600 + minutes * 60;
  value->seconds += west ? offset : -offset;
  return true;
}

enum parsed scalar_timestamp(const char *text, size_t length, struct ad_timestamp *value) {
  struct scan scan = {.at = text, .end = text + length};
  *value = (struct ad_timestamp){0};
  if (!take_date(&scan, &value->seconds)) {
    return NOT_PARSED;
  }
  if (scan.at == scan.end) {
    return PARSED;
  }
  bool separated = take_char(&scan, 't') || take_char(&scan, 'T') || take_blanks(&scan);
  bool whole = separated && take_time(&scan, value) && take_zone(&scan, value);
  return whole && scan.at == scan.end ? PARSED : NOT_PARSED;
}
