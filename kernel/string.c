/*
 * Memory and string functions for the kernel, in words where that pays.
 *
 * Any context. Compiled without the compiler's habit of turning such loops into calls of
 * themselves (-fno-builtin for this file alone).
 */
#include "kernel/string.h"

#include <stdint.h>

/* A word at any alignment, allowed to alias anything. */
typedef uint64_t __attribute__((aligned(1), may_alias)) word_t;

#define WORD sizeof(word_t)

static void copy_forward(unsigned char *d, const unsigned char *s, size_t n) {
  for (; n >= 4 * WORD; n -= 4 * WORD, d += 4 * WORD, s += 4 * WORD) {
    word_t w0 = *(const word_t *)s, w1 = *(const word_t *)(s + 8);
    word_t w2 = *(const word_t *)(s + 16), w3 = *(const word_t *)(s + 24);
    *(word_t *)d = w0;
    *(word_t *)(d + 8) = w1;
    *(word_t *)(d + 16) = w2;
    *(word_t *)(d + 24) = w3;
  }
  for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
    *(word_t *)d = *(const word_t *)s;
  while (n-- > 0)
    *d++ = *s++;
}

static void copy_backward(unsigned char *d, const unsigned char *s, size_t n) {
  for (d += n, s += n; n >= WORD; n -= WORD) {
    d -= WORD;
    s -= WORD;
    *(word_t *)d = *(const word_t *)s;
  }
  while (n-- > 0)
    *--d = *--s;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n) {
  copy_forward(dst, src, n);
  return dst;
}

void *memmove(void *dst, const void *src, size_t n) {
  if ((uintptr_t)dst - (uintptr_t)src >= n)
    copy_forward(dst, src, n);
  else
    copy_backward(dst, src, n);
  return dst;
}

void *memset(void *dst, int c, size_t n) {
  unsigned char *d = dst;
  word_t w = (unsigned char)c * 0x0101010101010101ull;
  for (; n >= 4 * WORD; n -= 4 * WORD, d += 4 * WORD) {
    *(word_t *)d = w;
    *(word_t *)(d + 8) = w;
    *(word_t *)(d + 16) = w;
    *(word_t *)(d + 24) = w;
  }
  for (; n >= WORD; n -= WORD, d += WORD)
    *(word_t *)d = w;
  while (n-- > 0)
    *d++ = (unsigned char)c;
  return dst;
}

int memcmp(const void *a, const void *b, size_t n) {
  const unsigned char *x = a, *y = b;
  for (; n > 0; n--, x++, y++)
    if (*x != *y)
      return *x - *y;
  return 0;
}

void *memchr(const void *s, int c, size_t n) {
  for (const unsigned char *p = s; n > 0; n--, p++)
    if (*p == (unsigned char)c)
      return (void *)p;
  return NULL;
}

size_t strlen(const char *s) {
  size_t n = 0;
  while (s[n] != '\0')
    n++;
  return n;
}

size_t strnlen(const char *s, size_t max) {
  size_t n = 0;
  while (n < max && s[n] != '\0')
    n++;
  return n;
}

int strcmp(const char *a, const char *b) {
  for (; *a != '\0' && *a == *b; a++, b++) {
  }
  return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n) {
  for (; n > 0 && *a != '\0' && *a == *b; n--, a++, b++) {
  }
  return n == 0 ? 0 : (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *s, int c) {
  for (;; s++) {
    if (*s == (char)c)
      return (char *)s;
    if (*s == '\0')
      return NULL;
  }
}
