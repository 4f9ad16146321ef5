/*
 * Writing argdata: the writer of codec.h. Numbers take their minimal form. The length in front of
 * a container is known only when it is closed, so closing moves the contents up to make room.
 * Section 10 of the semantics reference.
 *
 * The memory functions go by their built-in names: the kernel has no <string.h>.
 */
#include "argdata/codec.h"

void ad_writer_init(struct ad_writer *writer, void *buffer, size_t capacity) {
  *writer = (struct ad_writer){.buffer = buffer, .capacity = capacity};
}

bool ad_writer_fits(const struct ad_writer *writer) {
  return writer->length <= writer->capacity;
}

/* Appends bytes, or only counts them once the buffer is full. */
static void append(struct ad_writer *writer, const void *bytes, size_t count) {
  size_t end;
  if (__builtin_add_overflow(writer->length, count, &end)) {
    end = SIZE_MAX;
  }
  if (end <= writer->capacity && count > 0) {
    __builtin_memcpy(writer->buffer + writer->length, bytes, count);
  }
  writer->length = end;
}

size_t ad_prefix_size(size_t length) {
  size_t size = 1;
  while ((length >>= 7) != 0) {
    size++;
  }
  return size;
}

size_t ad_prefix_encode(size_t length, uint8_t prefix[AD_PREFIX_MAX]) {
  size_t size = ad_prefix_size(length);
  for (size_t i = size; i-- > 0; length >>= 7) {
    prefix[i] = length & 0x7f;
  }
  prefix[size - 1] |= 0x80;
  return size;
}

static void put_prefix(struct ad_writer *writer, size_t length) {
  if (writer->depth > 0) {
    uint8_t prefix[AD_PREFIX_MAX];
    append(writer, prefix, ad_prefix_encode(length, prefix));
  }
}

/* A value of which the payload comes in one piece. */
static void put(struct ad_writer *writer, uint8_t type, const void *payload, size_t length) {
  put_prefix(writer, length + 1);
  append(writer, &type, 1);
  append(writer, payload, length);
}

void ad_put_null(struct ad_writer *writer) {
  put_prefix(writer, 0);
}

void ad_put_binary(struct ad_writer *writer, const void *data, size_t length) {
  put(writer, AD_BINARY, data, length);
}

void ad_put_bool(struct ad_writer *writer, bool value) {
  static const uint8_t one = 1;
  put(writer, AD_BOOL, &one, value);
}

static void store_big_endian(uint8_t *bytes, size_t count, uint64_t value) {
  for (size_t i = count; i-- > 0; value >>= 8) {
    bytes[i] = (uint8_t)value;
  }
}

void ad_put_fd(struct ad_writer *writer, uint32_t index) {
  uint8_t bytes[4];
  store_big_endian(bytes, sizeof(bytes), index);
  put(writer, AD_FD, bytes, sizeof(bytes));
}

void ad_put_float_bits(struct ad_writer *writer, uint64_t bits) {
  uint8_t bytes[8];
  store_big_endian(bytes, sizeof(bytes), bits);
  put(writer, AD_FLOAT, bytes, sizeof(bytes));
}

/* Two's complement without superfluous leading bytes; zero has no byte at all. */
static void put_number(struct ad_writer *writer, int type, const uint8_t *bytes, size_t count) {
  uint8_t fill = (bytes[0] & 0x80) != 0 ? 0xff : 0;
  while (count > 1 && bytes[0] == fill && ((bytes[1] ^ fill) & 0x80) == 0) {
    bytes++;
    count--;
  }
  if (count == 1 && bytes[0] == 0) {
    count = 0;
  }
  put(writer, (uint8_t)type, bytes, count);
}

void ad_put_int_s(struct ad_writer *writer, int64_t value) {
  uint8_t bytes[8];
  store_big_endian(bytes, sizeof(bytes), (uint64_t)value);
  put_number(writer, AD_INT, bytes, sizeof(bytes));
}

void ad_put_int_u(struct ad_writer *writer, uint64_t value) {
  uint8_t bytes[9] = {0};
  store_big_endian(bytes + 1, 8, value);
  put_number(writer, AD_INT, bytes, sizeof(bytes));
}

void ad_put_str(struct ad_writer *writer, const char *text, size_t length) {
  static const uint8_t type = AD_STR;
  put_prefix(writer, length + 2);
  append(writer, &type, 1);
  append(writer, text, length);
  append(writer, "", 1);
}

void ad_put_cstr(struct ad_writer *writer, const char *text) {
  ad_put_str(writer, text, __builtin_strlen(text));
}

void ad_put_timestamp(struct ad_writer *writer, struct ad_timestamp value) {
  __int128 total = (__int128)value.seconds * 1000000000 + value.nanoseconds;
  uint8_t bytes[16];
  store_big_endian(bytes, 8, (uint64_t)(total >> 64));
  store_big_endian(bytes + 8, 8, (uint64_t)total);
  put_number(writer, AD_TIMESTAMP, bytes, sizeof(bytes));
}

void ad_put_value(struct ad_writer *writer, struct ad_value value) {
  put_prefix(writer, value.length);
  append(writer, value.bytes, value.length);
}

size_t ad_open(struct ad_writer *writer, int type) {
  size_t mark = writer->length;
  uint8_t byte = (uint8_t)type;
  append(writer, &byte, 1);
  writer->depth++;
  return mark;
}

void ad_close(struct ad_writer *writer, size_t mark) {
  writer->depth--;
  if (writer->depth == 0) {
    return; /* the root: its length travels elsewhere */
  }
  size_t content = writer->length - mark;
  uint8_t prefix[AD_PREFIX_MAX];
  size_t size = ad_prefix_encode(content, prefix);
  append(writer, prefix, size);
  if (ad_writer_fits(writer)) {
    __builtin_memmove(writer->buffer + mark + size, writer->buffer + mark, content);
    __builtin_memcpy(writer->buffer + mark, prefix, size);
  }
}
