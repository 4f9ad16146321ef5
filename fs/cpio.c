/* The cpio reader of cpio.h: any context, no lock, nothing allocated. */
#include "fs/cpio.h"

#include "kernel/string.h"

/* The numbers of a header that are used: eight hexadecimal digits each, after the magic. */
enum {
  FIELD_INO = 0,
  FIELD_MODE = 1,
  FIELD_NLINK = 4,
  FIELD_MTIME = 5,
  FIELD_SIZE = 6,
  FIELD_NAME_SIZE = 11,
  FIELD_COUNT = 13,
};

void cpio_begin(struct cpio_reader *reader, const void *archive, size_t size) {
  *reader = (struct cpio_reader){.archive = archive, .size = size};
}

static enum cpio_step broken(struct cpio_reader *reader, const char *error) {
  reader->error = error;
  return CPIO_BROKEN;
}

static int hex_digit(uint8_t c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_fields(const uint8_t *header, uint32_t fields[FIELD_COUNT]) {
  const uint8_t *at = header + sizeof(CPIO_MAGIC) - 1;
  for (int i = 0; i < FIELD_COUNT; i++) {
    fields[i] = 0;
    for (int digit = 0; digit < 8; digit++) {
      int value = hex_digit(*at++);
      if (value < 0) {
        return false;
      }
      fields[i] = fields[i] << 4 | (uint32_t)value;
    }
  }
  return true;
}

/* Steps over `size` bytes and the padding to four; false when they are not all there. */
static bool skip(const struct cpio_reader *reader, size_t *offset, size_t size) {
  if (size > reader->size - *offset) {
    return false;
  }
  size_t end = *offset + size;
  size_t padding = -end & 3;
  if (padding > reader->size - end) {
    return false;
  }
  *offset = end + padding;
  return true;
}

enum cpio_step cpio_next(struct cpio_reader *reader, struct cpio_entry *entry) {
  size_t offset = reader->offset;
  const uint8_t *header = reader->archive + offset;
  uint32_t fields[FIELD_COUNT];
  if (reader->error != NULL) {
    return CPIO_BROKEN;
  }
  if (reader->size - offset < CPIO_HEADER_BYTES) {
    return broken(reader, "the archive ends without a trailer");
  }
  if (memcmp(header, CPIO_MAGIC, sizeof(CPIO_MAGIC) - 1) != 0) {
    return broken(reader, "no cpio header where one must be");
  }
  if (!read_fields(header, fields)) {
    return broken(reader, "a header field is not a hexadecimal number");
  }
  /* Header and name are padded together. */
  size_t name_size = fields[FIELD_NAME_SIZE];
  const char *name = (const char *)header + CPIO_HEADER_BYTES;
  if (name_size > SIZE_MAX - CPIO_HEADER_BYTES ||
      !skip(reader, &offset, CPIO_HEADER_BYTES + name_size)) {
    return broken(reader, "a name reaches past the archive's end");
  }
  if (name_size < 2 || name[0] == '\0' || name[name_size - 1] != '\0') {
    return broken(reader, "a name is empty or has no end");
  }
  size_t data_offset = offset;
  if (!skip(reader, &offset, fields[FIELD_SIZE])) {
    return broken(reader, "a file reaches past the archive's end");
  }
  reader->offset = offset;
  if (strcmp(name, CPIO_TRAILER) == 0) {
    return CPIO_END;
  }
  *entry = (struct cpio_entry){
      .name = name,
      .name_length = strlen(name),
      .data = reader->archive + data_offset,
      .size = fields[FIELD_SIZE],
      .mode = fields[FIELD_MODE],
      .mtime_s = fields[FIELD_MTIME],
      .ino = fields[FIELD_INO],
      .nlink = fields[FIELD_NLINK],
  };
  return CPIO_ENTRY;
}
