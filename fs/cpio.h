/*
 * Reading a cpio archive (format "newc") that lies in memory: the payload of an image.
 *
 * The kernel's bootfs and host tools use it. It allocates nothing and keeps no state but the
 * reader's: any context may call it. Nothing in the archive is trusted.
 *
 * An entry is a header of 110 characters (a magic and 13 numbers in hexadecimal), the name with a
 * NUL, padding to 4 bytes, the data, padding to 4 bytes. The image builder adds NULs to a name to
 * bring the data behind it to a page boundary.
 */
#ifndef FS_CPIO_H
#define FS_CPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPIO_HEADER_BYTES 110
#define CPIO_MAGIC "070701"
#define CPIO_TRAILER "TRAILER!!!"

/* File type bits of a mode. */
enum {
  CPIO_TYPE = 0170000,
  CPIO_DIRECTORY = 0040000,
  CPIO_REGULAR = 0100000,
  CPIO_SYMLINK = 0120000,
};

struct cpio_reader {
  const uint8_t *archive;
  size_t size;       /* an upper bound: the trailer ends the archive */
  size_t offset;     /* of the next entry; after CPIO_END, the archive's length in bytes */
  const char *error; /* after CPIO_BROKEN: what is wrong with the entry at `offset` */
};

/* Pointers into the archive. */
struct cpio_entry {
  const char *name; /* NUL-terminated, not empty */
  size_t name_length;
  const uint8_t *data;
  size_t size;
  uint32_t mode; /* type and permissions */
  uint32_t mtime_s;
  uint32_t ino;
  uint32_t nlink;
};

enum cpio_step {
  CPIO_ENTRY,  /* an entry was stored */
  CPIO_END,    /* the trailer */
  CPIO_BROKEN, /* malformed, or cut off before a trailer; stays so */
};

void cpio_begin(struct cpio_reader *reader, const void *archive, size_t size);
enum cpio_step cpio_next(struct cpio_reader *reader, struct cpio_entry *entry);

#endif
