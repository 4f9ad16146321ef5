// sources: argdata/codec_read.c argdata/codec_write.c argdata/create.c argdata/get.c
// sources: argdata/iterate.c argdata/print.c argdata/serialize.c
/*
 * Argdata from anyone: every getter and every walk over arbitrary bytes, and what was serialised
 * must be what was there.
 *
 * Inputs: an even first byte is followed by the bytes of a value. An odd one is followed by
 * commands for the writer (see build()), so that deep and well-formed values come up without a
 * corpus; what the writer made is then read in the same way.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "argdata/argdata.h"
#include "argdata/codec.h"

#define OPEN_MAX 40

/* Each byte of the input writes one thing; its upper half is a small operand. */
static void build(struct ad_writer *writer, const uint8_t *data, size_t size) {
  size_t marks[OPEN_MAX];
  size_t open = 0;
  marks[open++] = ad_open(writer, AD_SEQ);
  for (size_t i = 0; i < size; i++) {
    int64_t operand = (int64_t)(data[i] >> 4) - 4;
    switch (data[i] & 15) {
      case 0:
        ad_put_null(writer);
        break;
      case 1:
        ad_put_bool(writer, operand > 0);
        break;
      case 2:
        ad_put_fd(writer, (uint32_t)operand);
        break;
      case 3:
        ad_put_int_s(writer, operand * 0x1234567);
        break;
      case 4:
        ad_put_int_u(writer, (uint64_t)operand);
        break;
      case 5:
        ad_put_str(writer, "some text\0with a NUL", (size_t)(operand + 4));
        break;
      case 6:
        ad_put_timestamp(writer, (struct ad_timestamp){operand * (INT64_C(1) << 40), 7});
        break;
      case 7:
        ad_put_float_bits(writer, (uint64_t)operand << 52);
        break;
      case 8:
        ad_put_binary(writer, data, size);
        break;
      case 9:
      case 10:
        if (open < OPEN_MAX) {
          marks[open++] = ad_open(writer, data[i] % 2 == 0 ? AD_MAP : AD_SEQ);
        }
        break;
      default:
        if (open > 1) {
          ad_close(writer, marks[--open]);
        }
    }
  }
  while (open > 0) {
    ad_close(writer, marks[--open]);
  }
}

static int convert(void *arg, size_t index) {
  (void)arg;
  return index < 100 ? (int)index : -1;
}

/* Every getter on every element, as deep as it goes. */
static void read_all(const argdata_t *value) {
  const void *data;
  const char *text;
  size_t length;
  bool truth;
  int fd;
  double real;
  long number;
  unsigned short small;
  struct timespec time;
  argdata_map_iterator_t it;
  const argdata_t *key, *element;
  argdata_get_binary(value, &data, &length);
  argdata_get_bool(value, &truth);
  argdata_get_fd(value, &fd);
  argdata_get_float(value, &real);
  argdata_get_int(value, &number);
  argdata_get_int(value, &small);
  argdata_get_timestamp(value, &time);
  if (argdata_get_str(value, &text, &length) == 0) {
    assert(text[length] == '\0');
  }
  if (argdata_get_str_c(value, &text) == 0) {
    assert(strlen(text) == length);
  }
  for (argdata_map_iterate(value, &it); argdata_map_get(&it, &key, &element);
       argdata_map_next(&it)) {
    read_all(key);
    read_all(element);
  }
  for (argdata_seq_iterate(value, &it); argdata_seq_get(&it, &element); argdata_seq_next(&it)) {
    read_all(element);
  }
}

static void check(const uint8_t *bytes, size_t size) {
  struct ad_value found;
  argdata_t *value = argdata_from_buffer(bytes, size, convert, NULL);
  read_all(value);
  ad_map_find((struct ad_value){bytes, size}, "a", &found);

  size_t length, fds;
  argdata_serialized_length(value, &length, &fds);
  assert(length == size);
  uint8_t *copy = malloc(length);
  int *table = malloc(fds * sizeof(int));
  size_t used = argdata_serialize(value, copy, table);
  assert(used <= fds);
  /* Without a table, only descriptors that there are not can change, and those once. */
  argdata_serialize(value, copy, NULL);
  argdata_t *again = argdata_from_buffer(copy, length, convert, NULL);
  uint8_t *second = malloc(length);
  argdata_serialize(again, second, NULL);
  assert(length == 0 || memcmp(copy, second, length) == 0);

  char *text;
  size_t text_length;
  FILE *stream = open_memstream(&text, &text_length);
  argdata_print_yaml(value, stream);
  fclose(stream);
  free(text);
  free(second);
  free(table);
  free(copy);
  argdata_free(again);
  argdata_free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) {
    return 0;
  }
  if (data[0] % 2 == 0) {
    check(data + 1, size - 1);
    return 0;
  }
  struct ad_writer writer;
  ad_writer_init(&writer, NULL, 0);
  build(&writer, data + 1, size - 1);
  size_t length = writer.length;
  uint8_t *bytes = malloc(length);
  ad_writer_init(&writer, bytes, length);
  build(&writer, data + 1, size - 1);
  assert(ad_writer_fits(&writer) && writer.length == length);
  check(bytes, length);
  free(bytes);
  return 0;
}
