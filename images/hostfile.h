/*
 * Files of the machine that builds: reading one whole, and writing one so that it is either
 * complete or not there.
 */
#ifndef IMAGES_HOSTFILE_H
#define IMAGES_HOSTFILE_H

#include <stddef.h>

#include "images/arena.h"

/* Appends a file's contents. Returns NULL, or what went wrong. */
const char *hostfile_read(const char *path, struct buffer *contents);

/*
 * Writes to a temporary file beside `path` and renames it, so an older file stays as it is until
 * the new one is complete. Returns NULL, or what went wrong; then nothing is left behind.
 */
const char *hostfile_write(const char *path, const void *bytes, size_t size);

#endif
