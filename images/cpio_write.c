/* The cpio writer of cpio_write.h. */
#include "images/cpio_write.h"

#include <stdio.h>
#include <string.h>

#include "fs/cpio.h"

/* The name's size with its NUL, and with more NULs where the data must begin on a page. */
static size_t name_size(const struct cpio_writer *writer, const struct cpio_file *file) {
  size_t size = strlen(file->name) + 1;
  if (file->page_aligned) {
    size_t data = writer->archive.length + CPIO_HEADER_BYTES + size;
    size += -data % CPIO_PAGE_BYTES;
  }
  return size;
}

static void put_entry(struct cpio_writer *writer, const struct cpio_file *file, uint32_t ino,
                      uint32_t nlink) {
  size_t name_bytes = name_size(writer, file);
  char header[CPIO_HEADER_BYTES + 1];
  snprintf(header, sizeof(header),
           CPIO_MAGIC "%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ino, file->mode, 0, 0,
           nlink, file->mtime_s, (uint32_t)file->size, 0, 0, 0, 0, (uint32_t)name_bytes, 0);
  buffer_append(&writer->archive, header, CPIO_HEADER_BYTES);
  uint8_t *name = buffer_grow(&writer->archive, name_bytes);
  memcpy(name, file->name, strlen(file->name));
  buffer_align(&writer->archive, 4);
  buffer_append(&writer->archive, file->data, file->size);
  buffer_align(&writer->archive, 4);
}

bool cpio_put(struct cpio_writer *writer, const struct cpio_file *file) {
  if (file->size > UINT32_MAX) {
    return false;
  }
  bool directory = (file->mode & CPIO_TYPE) == CPIO_DIRECTORY;
  put_entry(writer, file, ++writer->entries, directory ? 2 : 1);
  return true;
}

void cpio_put_trailer(struct cpio_writer *writer) {
  struct cpio_file trailer = {.name = CPIO_TRAILER};
  put_entry(writer, &trailer, 0, 1);
}
