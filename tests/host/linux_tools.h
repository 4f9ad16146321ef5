/*
 * Running Linux's programs on images in memory, from tests that do so thousands of times: no shell,
 * and no copy of the image, for the file is mapped. Its headers don't go together with the ABI's,
 * so it is a file of its own.
 */
#ifndef TESTS_HOST_LINUX_TOOLS_H
#define TESTS_HOST_LINUX_TOOLS_H

#include <stddef.h>

/* A new file of n bytes, all zero, mapped: what is written there is in the file. NULL: it can't be.
 */
void *tools_map(const char *path, size_t n);
void tools_unmap(void *p, size_t n);

/* Runs a program with these words (NULL behind the last), and waits for its end. What it says, both
 * ways, is in `output`, cut off at its end. Its exit status; -1: it could not be run, or crashed.
 */
int tools_run(const char *const words[], char *output, size_t room);

#endif
