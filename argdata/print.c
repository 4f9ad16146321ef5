/*
 * Argdata as YAML: argdata_print_yaml() of argdata.h. Called by programs, and by the image builder
 * for --dump.
 *
 * Every value reads back as what it was: texts that YAML could take for something else are quoted.
 * What has no YAML form (a malformed value, an unknown type) is printed as `!invalid` with its
 * bytes in hexadecimal.
 */
#include "argdata/value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 200 /* deeper values are cut: the printer must not exhaust the stack */
#define KEY_MAX 200   /* longer keys are written in the explicit form: YAML limits the short one */

static void print_value(const argdata_t *value, FILE *stream, unsigned depth);

/* Words that a YAML reader of any version takes for a null or a boolean. */
static bool reserved_word(const char *text, size_t length) {
  static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (strlen(words[i]) == length) {
      size_t same = 0;
      while (same < length && (text[same] | 0x20) == words[i][same]) {
        same++;
      }
      if (same == length) {
        return true;
      }
    }
  }
  return false;
}

static bool plain_char(char c, bool first) {
  bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  return letter || (!first && ((c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/'));
}

static bool plain_text(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (!plain_char(text[i], i == 0)) {
      return false;
    }
  }
  return length > 0 && !reserved_word(text, length);
}

static void print_text(const char *text, size_t length, FILE *stream) {
  if (plain_text(text, length)) {
    fwrite(text, 1, length, stream);
    return;
  }
  fputc('"', stream);
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '\n') {
      fputs("\\n", stream);
    } else if (c == '"' || c == '\\') {
      fprintf(stream, "\\%c", c);
    } else if (c < 0x20 || c == 0x7f) {
      fprintf(stream, "\\x%02x", c);
    } else if (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0) {
      fprintf(stream, "\\x%02x", (unsigned char)text[++i]); /* U+0080 to U+009F */
    } else if (c == 0xe2 && text[i + 1] == '\x80' && (text[i + 2] & 0xfe) == 0xa8) {
      fprintf(stream, "\\u20%02x", 0x28 | (text[i + 2] & 1)); /* line, paragraph separator */
      i += 2;
    } else if (c == 0xef && text[i + 1] == '\xbb' && text[i + 2] == '\xbf') {
      fputs("\\ufeff", stream); /* the byte order mark */
      i += 2;
    } else if (c == 0xef && text[i + 1] == '\xbf' && (unsigned char)text[i + 2] >= 0xbe) {
      fprintf(stream, "\\uff%02x", (unsigned char)text[i + 2] | 0x40); /* U+FFFE, U+FFFF */
      i += 2;
    } else {
      fputc(c, stream);
    }
  }
  fputc('"', stream);
}

static void print_base64(const uint8_t *data, size_t length, FILE *stream) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  fputs("!!binary \"", stream);
  for (size_t i = 0; i < length; i += 3) {
    size_t count = length - i < 3 ? length - i : 3;
    uint32_t group = (uint32_t)data[i] << 16;
    group |= count > 1 ? (uint32_t)data[i + 1] << 8 : 0;
    group |= count > 2 ? data[i + 2] : 0;
    for (size_t digit = 0; digit < 4; digit++) {
      fputc(digit <= count ? digits[group >> (18 - 6 * digit) & 63] : '=', stream);
    }
  }
  fputc('"', stream);
}

static void print_float(double number, FILE *stream) {
  if (isnan(number)) {
    fputs(".nan", stream);
  } else if (isinf(number)) {
    fputs(number < 0 ? "-.inf" : ".inf", stream);
  } else {
    char text[40];
    int digits = 1;
    do { /* the shortest form that reads back as the same number */
      snprintf(text, sizeof(text), "%.*g", digits++, number);
    } while (digits <= 17 && strtod(text, NULL) != number);
    fputs(text, stream);
    if (strpbrk(text, ".e") == NULL) {
      fputs(".0", stream); /* or it would be an integer */
    }
  }
}

static void print_timestamp(const struct timespec *time, FILE *stream) {
  struct tm date;
  if (gmtime_r(&time->tv_sec, &date) == NULL || date.tm_year < -1900 || date.tm_year > 8099) {
    fprintf(stream, "!invalid \"%" PRIdMAX ".%09ld seconds\"", (intmax_t)time->tv_sec,
            time->tv_nsec);
    return;
  }
  fprintf(stream, "!!timestamp %04d-%02d-%02dT%02d:%02d:%02d", date.tm_year + 1900, date.tm_mon + 1,
          date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec);
  if (time->tv_nsec != 0) {
    fprintf(stream, ".%09ld", time->tv_nsec);
  }
  fputc('Z', stream);
}

/* Anything but a container; false when it is none of these. */
static bool print_scalar(const argdata_t *value, FILE *stream) {
  const void *data;
  const char *text;
  size_t length;
  bool truth;
  int fd;
  double real;
  intmax_t number;
  uintmax_t natural;
  struct timespec time;
  if (value->length == 0) {
    fputs("null", stream);
  } else if (argdata_get_str(value, &text, &length) == 0) {
    print_text(text, length, stream);
  } else if (argdata_get_bool(value, &truth) == 0) {
    fputs(truth ? "true" : "false", stream);
  } else if (argdata_get_int(value, &number) == 0) {
    fprintf(stream, "%" PRIdMAX, number);
  } else if (argdata_get_int(value, &natural) == 0) {
    fprintf(stream, "%" PRIuMAX, natural);
  } else if (argdata_get_float(value, &real) == 0) {
    print_float(real, stream);
  } else if (argdata_get_binary(value, &data, &length) == 0) {
    print_base64(data, length, stream);
  } else if (argdata_get_timestamp(value, &time) == 0) {
    print_timestamp(&time, stream);
  } else if (argdata_get_fd(value, &fd) == 0) {
    fprintf(stream, "!fd %d", fd);
  } else if (argdata_get_fd(value, &fd) == EBADF) {
    fputs("!fd invalid", stream);
  } else {
    return false;
  }
  return true;
}

static void print_invalid(const argdata_t *value, FILE *stream) {
  fputs("!invalid \"", stream);
  for (size_t i = 0; value->kind == VALUE_BYTES && i < value->length; i++) {
    fprintf(stream, "%02x", value->bytes.data[i]);
  }
  fputc('"', stream);
}

static void new_line(FILE *stream, unsigned depth) {
  fprintf(stream, "\n%*s", (int)(2 * depth), "");
}

/* Whether a value is a container, and of which kind. */
static bool container(const argdata_t *value, bool *map) {
  argdata_map_iterator_t it;
  argdata_map_iterate(value, &it);
  *map = it.index != ARGDATA_ITERATOR_INVALID;
  if (!*map) {
    argdata_seq_iterate(value, &it);
  }
  return it.index != ARGDATA_ITERATOR_INVALID;
}

static bool empty(const argdata_t *value, bool map) {
  argdata_map_iterator_t it;
  if (map) {
    argdata_map_iterate(value, &it);
  } else {
    argdata_seq_iterate(value, &it);
  }
  return it.index == ARGDATA_ITERATOR_END;
}

/* What an entry holds: a scalar behind a blank, or a container on the lines below. */
static void print_nested(const argdata_t *value, FILE *stream, unsigned depth) {
  bool map;
  if (!container(value, &map) || empty(value, map) || depth >= DEPTH_MAX) {
    fputc(' ', stream);
  }
  print_value(value, stream, depth + 1);
}

static void print_key(const argdata_t *key, FILE *stream, unsigned depth) {
  bool map;
  if (key->length <= KEY_MAX && !container(key, &map)) {
    print_value(key, stream, depth);
    fputc(':', stream);
    return;
  }
  fputc('?', stream);
  print_nested(key, stream, depth);
  new_line(stream, depth);
  fputc(':', stream);
}

static size_t print_map(const argdata_t *map, FILE *stream, unsigned depth) {
  argdata_map_iterator_t it;
  const argdata_t *key, *value;
  for (argdata_map_iterate(map, &it); argdata_map_get(&it, &key, &value); argdata_map_next(&it)) {
    if (depth > 0 || it.index > 0) {
      new_line(stream, depth);
    }
    print_key(key, stream, depth);
    print_nested(value, stream, depth);
  }
  return it.index;
}

static size_t print_seq(const argdata_t *seq, FILE *stream, unsigned depth) {
  argdata_seq_iterator_t it;
  const argdata_t *element;
  for (argdata_seq_iterate(seq, &it); argdata_seq_get(&it, &element); argdata_seq_next(&it)) {
    if (depth > 0 || it.index > 0) {
      new_line(stream, depth);
    }
    fputc('-', stream);
    print_nested(element, stream, depth);
  }
  return it.index;
}

static void print_value(const argdata_t *value, FILE *stream, unsigned depth) {
  bool map;
  if (print_scalar(value, stream)) {
    return;
  }
  if (depth > DEPTH_MAX || !container(value, &map)) {
    print_invalid(value, stream);
  } else if (empty(value, map)) {
    fputs(map ? "{}" : "[]", stream);
  } else {
    size_t end = map ? print_map(value, stream, depth) : print_seq(value, stream, depth);
    if (end == ARGDATA_ITERATOR_INVALID) {
      new_line(stream, depth);
      fputs("# the rest is malformed", stream);
    }
  }
}

void argdata_print_yaml(const argdata_t *value, FILE *stream) {
  fputs("%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\n", stream);
  print_value(value, stream, 0);
  fputc('\n', stream);
}
