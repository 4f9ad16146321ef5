/*
 * <string.h> in the kernel, for code that it shares with the host or takes from others.
 */
#ifndef KERNEL_LIBC_STRING_H
#define KERNEL_LIBC_STRING_H

#include "kernel/string.h"

#endif
