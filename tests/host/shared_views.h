#ifndef TESTS_HOST_SHARED_VIEWS_H
#define TESTS_HOST_SHARED_VIEWS_H

#define _GNU_SOURCE
#include <stddef.h>

/* Maps the same `bytes` bytes of zeroes (whole pages) n times. */
void shared_views(void *views[], unsigned n, size_t bytes);

#endif
