/*
 * Formatting into a buffer. No state, no allocation, any context.
 */
#include "kernel/printf.h"

#include <stdbool.h>
#include <stdint.h>

#include "kernel/string.h"

struct out {
  char *buf;
  size_t size, length; /* length counts what did not fit as well */
};

struct spec {
  bool left, zero;
  int width, precision; /* precision −1: none */
  int bytes;            /* size of the integer argument */
};

static void put(struct out *o, char c) {
  if (o->length + 1 < o->size)
    o->buf[o->length] = c;
  o->length++;
}

static void pad(struct out *o, char c, int n) {
  while (n-- > 0)
    put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text, int n) {
  if (!s->left)
    pad(o, ' ', s->width - n);
  for (int i = 0; i < n; i++)
    put(o, text[i]);
  if (s->left)
    pad(o, ' ', s->width - n);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool upper,
                       const char *sign) {
  const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  char text[24];
  int n = 0;
  do {
    text[sizeof text - 1 - n++] = digits[v % base];
    v /= base;
  } while (v != 0);
  int least = s->precision >= 0 ? s->precision : 1;
  int signs = (int)strlen(sign);
  if (s->zero && !s->left && s->precision < 0)
    least = s->width - signs;
  int zeros = least > n ? least - n : 0;
  if (!s->left)
    pad(o, ' ', s->width - signs - zeros - n);
  while (*sign != '\0')
    put(o, *sign++);
  pad(o, '0', zeros);
  for (int i = 0; i < n; i++)
    put(o, text[(int)sizeof text - n + i]);
  if (s->left)
    pad(o, ' ', s->width - signs - zeros - n);
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap) {
  *s = (struct spec){.precision = -1, .bytes = sizeof(int)};
  for (;; f++) {
    if (*f == '-')
      s->left = true;
    else if (*f == '0')
      s->zero = true;
    else
      break;
  }
  if (*f == '*') {
    s->width = va_arg(*ap, int);
    f++;
  }
  for (; *f >= '0' && *f <= '9'; f++)
    s->width = s->width * 10 + (*f - '0');
  if (*f == '.') {
    s->precision = 0;
    if (*++f == '*') {
      s->precision = va_arg(*ap, int);
      f++;
    }
    for (; *f >= '0' && *f <= '9'; f++)
      s->precision = s->precision * 10 + (*f - '0');
  }
  for (;; f++) {
    if (*f == 'h')
      s->bytes /= 2;
    else if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't')
      s->bytes = 8;
    else
      return f;
  }
}

static uint64_t get_unsigned(const struct spec *s, va_list *ap) {
  uint64_t v = s->bytes == 8 ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned);
  return s->bytes >= 8 ? v : v & ((1ull << (s->bytes * 8)) - 1);
}

static void put_signed(struct out *o, const struct spec *s, va_list *ap) {
  int64_t v = s->bytes == 8 ? va_arg(*ap, int64_t) : va_arg(*ap, int);
  put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, false, v < 0 ? "-" : "");
}

static void put_string(struct out *o, const struct spec *s, const char *text) {
  if (text == NULL)
    text = "(null)";
  size_t n = s->precision >= 0 ? strnlen(text, (size_t)s->precision) : strlen(text);
  put_text(o, s, text, (int)n);
}

static void put_conversion(struct out *o, const struct spec *s, char c, va_list *ap) {
  char ch;
  switch (c) {
    case 'd':
    case 'i':
      put_signed(o, s, ap);
      break;
    case 'u':
      put_number(o, s, get_unsigned(s, ap), 10, false, "");
      break;
    case 'x':
    case 'X':
      put_number(o, s, get_unsigned(s, ap), 16, c == 'X', "");
      break;
    case 'p':
      put_number(o, s, (uintptr_t)va_arg(*ap, void *), 16, false, "0x");
      break;
    case 's':
      put_string(o, s, va_arg(*ap, const char *));
      break;
    case 'c':
      ch = (char)va_arg(*ap, int);
      put_text(o, s, &ch, 1);
      break;
    default:
      put(o, c);
      break;
  }
}

int kvsnprintf(char *buf, size_t n, const char *format, va_list ap) {
  struct out o = {buf, n, 0};
  va_list args;
  va_copy(args, ap);
  for (const char *f = format; *f != '\0'; f++) {
    if (*f != '%') {
      put(&o, *f);
      continue;
    }
    struct spec s;
    f = parse_spec(f + 1, &s, &args);
    if (*f == '\0')
      break;
    put_conversion(&o, &s, *f, &args);
  }
  va_end(args);
  if (n > 0)
    buf[o.length < n ? o.length : n - 1] = '\0';
  return (int)o.length;
}

int ksnprintf(char *buf, size_t n, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int length = kvsnprintf(buf, n, format, ap);
  va_end(ap);
  return length;
}
