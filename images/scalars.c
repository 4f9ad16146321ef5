/* Nulls, booleans, numbers and base64: scalars.h. */
#include "images/scalars.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool one_of(const char *text, size_t length, const char *const *words) {
  for (; *words != NULL; words++) {
    if (strlen(*words) == length && memcmp(text, *words, length) == 0) {
      return true;
    }
  }
  return false;
}

bool scalar_is_null(const char *text, size_t length) {
  static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
  return one_of(text, length, words);
}

enum parsed scalar_bool(const char *text, size_t length, bool *value) {
  static const char *const yes[] = {"true", "True", "TRUE", NULL};
  static const char *const no[] = {"false", "False", "FALSE", NULL};
  *value = one_of(text, length, yes);
  return *value || one_of(text, length, no) ? PARSED : NOT_PARSED;
}

enum parsed scalar_bool_word(const char *text, size_t length, bool *value) {
  static const char *const yes[] = {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", NULL};
  static const char *const no[] = {"n", "N", "no", "No", "NO", "off", "Off", "OFF", NULL};
  if (scalar_bool(text, length, value) == PARSED) {
    return PARSED;
  }
  *value = one_of(text, length, yes);
  return *value || one_of(text, length, no) ? PARSED : NOT_PARSED;
}

static int digit_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* At least one digit and nothing else. */
static enum parsed natural(const char *text, size_t length, int base, uint64_t *value) {
  bool fits = true;
  *value = 0;
  for (size_t i = 0; i < length; i++) {
    int digit = digit_value(text[i]);
    if (digit >= base) {
      return NOT_PARSED;
    }
    fits = fits && !__builtin_mul_overflow(*value, (uint64_t)base, value) &&
           !__builtin_add_overflow(*value, (uint64_t)digit, value);
  }
  return length == 0 ? NOT_PARSED : fits ? PARSED : TOO_LARGE;
}

enum parsed scalar_int(const char *text, size_t length, struct scalar_int *value) {
  *value = (struct scalar_int){0};
  if (length > 2 && text[0] == '0' && (text[1] == 'o' || text[1] == 'x')) {
    return natural(text + 2, length - 2, text[1] == 'o' ? 8 : 16, &value->bits);
  }
  bool sign = length > 0 && (text[0] == '-' || text[0] == '+');
  uint64_t magnitude;
  enum parsed parsed = natural(text + sign, length - sign, 10, &magnitude);
  if (parsed != PARSED) {
    return parsed;
  }
  value->negative = sign && text[0] == '-' && magnitude != 0;
  if (value->negative && magnitude > UINT64_C(1) << 63) {
    return TOO_LARGE;
  }
  value->bits = value->negative ? 0 - magnitude : magnitude;
  return PARSED;
}

enum parsed scalar_size(const char *text, size_t length, uint64_t *bytes) {
  static const char units[] = "KMG";
  unsigned shift = 0;
  bool has_b = length > 0 && text[length - 1] == 'B';
  length -= has_b;
  bool binary = has_b && length > 0 && text[length - 1] == 'i';
  length -= binary;
  const char *unit = length > 0 ? memchr(units, text[length - 1], sizeof(units) - 1) : NULL;
  if (unit != NULL) {
    shift = 10 * (unsigned)(unit - units + 1);
    length--;
  } else if (binary) {
    return NOT_PARSED;
  }
  enum parsed parsed = natural(text, length, 10, bytes);
  if (parsed == PARSED && *bytes > (uint64_t)INT64_MAX >> shift) {
    return TOO_LARGE;
  }
  *bytes <<= shift;
  return parsed;
}

static size_t digits(const char *text) {
  return strspn(text, "0123456789");
}

/* Whether the C string is a decimal number: digits with an optional point and exponent. */
static bool decimal_form(const char *text) {
  text += *text == '-' || *text == '+';
  size_t before = digits(text), after = 0;
  text += before;
  if (*text == '.') {
    after = digits(++text);
    text += after;
  }
  if (before + after == 0) {
    return false;
  }
  if (*text == 'e' || *text == 'E') {
    text++;
    text += *text == '-' || *text == '+';
    size_t exponent = digits(text);
    text += exponent;
    if (exponent == 0) {
      return false;
    }
  }
  return *text == '\0';
}

enum parsed scalar_float(const char *text, size_t length, double *value) {
  static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
  static const char *const no_numbers[] = {".nan", ".NaN", ".NAN", NULL};
  size_t sign = length > 0 && (text[0] == '-' || text[0] == '+');
  if (one_of(text, length, no_numbers)) {
    *value = NAN;
    return PARSED;
  }
  if (one_of(text + sign, length - sign, infinities)) {
    *value = text[0] == '-' ? -INFINITY : INFINITY;
    return PARSED;
  }
  if (strlen(text) != length || !decimal_form(text)) {
    return NOT_PARSED;
  }
  *value = strtod(text, NULL);
  return isinf(*value) ? TOO_LARGE : PARSED;
}

static int base64_value(char c) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *found = c == '\0' ? NULL : strchr(alphabet, c);
  return found != NULL ? (int)(found - alphabet) : -1;
}

enum parsed scalar_base64(const char *text, size_t length, uint8_t *bytes, size_t *count) {
  uint32_t group = 0;
  size_t held = 0, padding = 0, written = 0;
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      continue;
    }
    int value = base64_value(c);
    if (c == '=') {
      padding++;
      continue;
    }
    if (value < 0 || padding > 0) {
      return NOT_PARSED;
    }
    group = group << 6 | (uint32_t)value;
    if (++held == 4) {
      bytes[written++] = (uint8_t)(group >> 16);
      bytes[written++] = (uint8_t)(group >> 8);
      bytes[written++] = (uint8_t)group;
      held = 0;
    }
  }
  /* Two digits make one more byte, three make two; one alone makes none. */
  if (held == 1 || (padding > 0 && (held == 0 || held + padding != 4))) {
    return NOT_PARSED;
  }
  group <<= 6 * (4 - held);
  for (size_t i = 1; i < held; i++) {
    bytes[written++] = (uint8_t)(group >> (24 - 8 * i));
  }
  *count = written;
  return PARSED;
}
