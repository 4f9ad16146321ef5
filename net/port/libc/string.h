/*
 * <string.h> for lwIP in the kernel; host units use the C library's.
 *
 * A freestanding compiler takes memcpy() for a function like any other; by these names it knows
 * how to copy a few bytes in place.
 */
#ifndef NET_PORT_LIBC_STRING_H
#define NET_PORT_LIBC_STRING_H

#include "kernel/string.h"

#define memcpy __builtin_memcpy
#define memset __builtin_memset
#define memcmp __builtin_memcmp

#endif
