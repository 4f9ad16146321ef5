// sources: fs/cpio.c images/cpio_write.c images/arena.c
/*
 * Archives from anyone: the reader stays inside them.
 *
 * Inputs: an even first byte is followed by an archive. An odd one is followed by changes to a good
 * archive, three bytes each: an offset (two bytes, modulo the size) and the byte to be there.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/cpio.h"
#include "images/cpio_write.h"

static void check(const uint8_t *data, size_t size) {
  uint8_t *archive = malloc(size);
  if (size > 0) {
    memcpy(archive, data, size);
  }
  struct cpio_reader reader;
  struct cpio_entry entry;
  enum cpio_step step;
  unsigned sum = 0;
  cpio_begin(&reader, archive, size);
  while ((step = cpio_next(&reader, &entry)) == CPIO_ENTRY) {
    assert(entry.name_length > 0 && strlen(entry.name) == entry.name_length);
    for (size_t i = 0; i < entry.size; i++) {
      sum += entry.data[i];
    }
  }
  assert(reader.offset <= size);
  assert((step == CPIO_BROKEN) == (reader.error != NULL));
  assert(sum != 1 || step != CPIO_ENTRY); /* the sum is used */
  free(archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) {
    return 0;
  }
  if (data[0] % 2 == 0) {
    check(data + 1, size - 1);
    return 0;
  }
  struct cpio_writer writer = {0};
  cpio_put(&writer, &(struct cpio_file){.name = "dir", .mode = CPIO_DIRECTORY | 0755});
  cpio_put(&writer, &(struct cpio_file){
                        .name = "dir/file", .mode = CPIO_REGULAR, .data = "12345", .size = 5});
  cpio_put(&writer, &(struct cpio_file){
                        .name = "link", .mode = CPIO_SYMLINK, .data = "dir/file", .size = 8});
  cpio_put_trailer(&writer);
  for (size_t i = 1; i + 3 <= size; i += 3) {
    writer.archive.bytes[(size_t)(data[i] << 8 | data[i + 1]) % writer.archive.length] =
        data[i + 2];
  }
  check(writer.archive.bytes, writer.archive.length);
  buffer_free(&writer.archive);
  return 0;
}
