/*
 * Writing a cpio archive (format "newc") into memory; fs/cpio.h reads it.
 *
 * The same entries give the same bytes: inode numbers count up from 1, owner and devices are 0.
 */
#ifndef IMAGES_CPIO_WRITE_H
#define IMAGES_CPIO_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/arena.h"

#define CPIO_PAGE_BYTES 4096

struct cpio_writer {
  struct buffer archive;
  uint32_t entries; /* so far */
};

struct cpio_file {
  const char *name;
  uint32_t mode; /* type and permissions */
  uint32_t mtime_s;
  const void *data; /* a symlink's is its target */
  size_t size;
  bool page_aligned; /* the data begins at a multiple of 4096 in the archive */
};

/* False: the file is too large for the format (4 GiB - 1). */
bool cpio_put(struct cpio_writer *writer, const struct cpio_file *file);
void cpio_put_trailer(struct cpio_writer *writer);

#endif
