/*
 * Formatting without a libc: d i u x X p s c % with width, 0, -, precision, and the
 * lengths hh h l ll z j t. No floating point.
 */
#ifndef KERNEL_PRINTF_H
#define KERNEL_PRINTF_H

#include <stdarg.h>
#include <stddef.h>

/* As in C: returns the length that was wanted; writes at most n bytes, always with a NUL if n > 0.
 */
int kvsnprintf(char *buf, size_t n, const char *format, va_list ap);
__attribute__((format(printf, 3, 4))) int ksnprintf(char *buf, size_t n, const char *format, ...);

#endif
