#ifndef TESTS_HOST_SHARED_VIEWS_H
#define TESTS_HOST_SHARED_VIEWS_H

#define _GNU_SOURCE
#include <stddef.h>

/* Maps the same `bytes` bytes of zeroes (whole pages) twice. */
void shared_views(void *views[2], size_t bytes);

#endif
