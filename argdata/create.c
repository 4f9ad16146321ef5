/*
 * Making argdata values: the create functions of argdata.h. Called by programs and host tools.
 */
#include "argdata/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OWN_BYTES_MAX 16 /* the longest number: a timestamp of 13 bytes */

static const uint8_t encoded_false[] = {AD_BOOL};
static const uint8_t encoded_true[] = {AD_BOOL, 1};

const argdata_t argdata_false = {.length = 1, .bytes.data = encoded_false};
const argdata_t argdata_null = {.length = 0};
const argdata_t argdata_true = {.length = 2, .bytes.data = encoded_true};

argdata_t *argdata_from_buffer(const void *buffer, size_t length,
                               int (*convert_fd)(void *arg, size_t index), void *arg) {
  argdata_t *value = calloc(1, sizeof(*value));
  if (value != NULL) {
    value->kind = VALUE_BYTES;
    value->length = length;
    value->bytes.data = buffer;
    value->bytes.convert_fd = convert_fd;
    value->bytes.convert_arg = arg;
  }
  return value;
}

static int same_fd(void *arg, size_t index) {
  (void)arg;
  return index <= INT_MAX ? (int)index : -1;
}

argdata_t *argdata_create_buffer(const void *buffer, size_t length) {
  return argdata_from_buffer(buffer, length, same_fd, NULL);
}

/* A value whose few encoded bytes are kept right behind it. */
static argdata_t *create_own(const struct ad_writer *writer) {
  argdata_t *value = calloc(1, sizeof(*value) + writer->length);
  if (value != NULL) {
    memcpy(value + 1, writer->buffer, writer->length);
    value->kind = VALUE_BYTES;
    value->length = writer->length;
    value->bytes.data = (const uint8_t *)(value + 1);
    value->bytes.convert_fd = same_fd;
  }
  return value;
}

argdata_t *argdata_create_fd(int fd) {
  uint8_t bytes[OWN_BYTES_MAX];
  struct ad_writer writer;
  ad_writer_init(&writer, bytes, sizeof(bytes));
  ad_put_fd(&writer, (uint32_t)fd);
  return create_own(&writer);
}

argdata_t *argdata_create_float(double number) {
  uint8_t bytes[OWN_BYTES_MAX];
  uint64_t bits;
  memcpy(&bits, &number, sizeof(bits));
  struct ad_writer writer;
  ad_writer_init(&writer, bytes, sizeof(bytes));
  ad_put_float_bits(&writer, bits);
  return create_own(&writer);
}

argdata_t *argdata_create_int_s(intmax_t number) {
  uint8_t bytes[OWN_BYTES_MAX];
  struct ad_writer writer;
  ad_writer_init(&writer, bytes, sizeof(bytes));
  ad_put_int_s(&writer, number);
  return create_own(&writer);
}

argdata_t *argdata_create_int_u(uintmax_t number) {
  uint8_t bytes[OWN_BYTES_MAX];
  struct ad_writer writer;
  ad_writer_init(&writer, bytes, sizeof(bytes));
  ad_put_int_u(&writer, number);
  return create_own(&writer);
}

argdata_t *argdata_create_timestamp(const struct timespec *time) {
  if (time->tv_nsec < 0 || time->tv_nsec >= 1000000000) {
    errno = EINVAL;
    return NULL;
  }
  uint8_t bytes[OWN_BYTES_MAX];
  struct ad_writer writer;
  ad_writer_init(&writer, bytes, sizeof(bytes));
  ad_put_timestamp(&writer, (struct ad_timestamp){.seconds = time->tv_sec,
                                                  .nanoseconds = (uint32_t)time->tv_nsec});
  return create_own(&writer);
}

/* A value over what the program gave; `extra` bytes go around it. */
static argdata_t *create_given(enum value_kind kind, const void *data, size_t length,
                               size_t extra) {
  if (length > SIZE_MAX - extra) {
    errno = ENOMEM;
    return NULL;
  }
  argdata_t *value = calloc(1, sizeof(*value));
  if (value != NULL) {
    value->kind = kind;
    value->length = length + extra;
    value->given.data = data;
    value->given.length = length;
  }
  return value;
}

argdata_t *argdata_create_binary(const void *data, size_t length) {
  return create_given(VALUE_BINARY, data, length, 1);
}

argdata_t *argdata_create_str(const char *text, size_t length) {
  if (!ad_utf8_valid(text, length)) {
    errno = EILSEQ;
    return NULL;
  }
  return create_given(VALUE_STR, text, length, 2);
}

argdata_t *argdata_create_str_c(const char *text) {
  return argdata_create_str(text, strlen(text));
}

/* Adds a subfield's size; false when the sum cannot be represented. */
static bool add_subfield(size_t *length, const argdata_t *value) {
  return !__builtin_add_overflow(*length, ad_prefix_size(value->length), length) &&
         !__builtin_add_overflow(*length, value->length, length);
}

static argdata_t *create_list(enum value_kind kind, const argdata_t *const *keys,
                              const argdata_t *const *values, size_t count) {
  size_t length = 1;
  for (size_t i = 0; i < count; i++) {
    bool fits =
        (keys == NULL || add_subfield(&length, keys[i])) && add_subfield(&length, values[i]);
    if (!fits) {
      errno = ENOMEM;
      return NULL;
    }
  }
  argdata_t *value = calloc(1, sizeof(*value));
  if (value != NULL) {
    value->kind = kind;
    value->length = length;
    value->list.keys = keys;
    value->list.values = values;
    value->list.count = count;
  }
  return value;
}

argdata_t *argdata_create_map(const argdata_t *const *keys, const argdata_t *const *values,
                              size_t count) {
  return create_list(VALUE_MAP, keys, values, count);
}

argdata_t *argdata_create_seq(const argdata_t *const *elements, size_t count) {
  return create_list(VALUE_SEQ, NULL, elements, count);
}

void argdata_free(argdata_t *value) {
  free(value);
}
