// sources: argdata/codec_read.c argdata/codec_write.c
/*
 * The argdata codec: every example of the semantics reference's section 10, what comes back from
 * what was written, and malformed bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "argdata/codec.h"

struct bytes {
  uint8_t data[64];
  size_t length;
};

/* "05 00 80" to bytes. */
static struct bytes hex(const char *text) {
  struct bytes result = {0};
  char *end;
  for (; *text != '\0'; text = end + strspn(end, " |")) {
    result.data[result.length++] = (uint8_t)strtoul(text, &end, 16);
  }
  return result;
}

/* A value in memory of exactly its size, so that a read past it is caught. Freed by drop(). */
static struct ad_value value(const char *text) {
  struct bytes bytes = hex(text);
  uint8_t *copy = malloc(bytes.length);
  memcpy(copy, bytes.data, bytes.length);
  return (struct ad_value){.bytes = copy, .length = bytes.length};
}

static void drop(struct ad_value v) {
  free((void *)v.bytes);
}

static void assert_bytes(const uint8_t *found, size_t length, const char *expected) {
  struct bytes bytes = hex(expected);
  assert_int_equal(length, bytes.length);
  assert_memory_equal(found, bytes.data, length);
}

/* Writes with `put` into a buffer of the measured size, and compares. */
#define WRITES(expected, put, ...)                 \
  do {                                             \
    struct ad_writer writer;                       \
    ad_writer_init(&writer, NULL, 0);              \
    put(&writer, ##__VA_ARGS__);                   \
    size_t measured = writer.length;               \
    uint8_t *buffer = malloc(measured);            \
    ad_writer_init(&writer, buffer, measured);     \
    put(&writer, ##__VA_ARGS__);                   \
    assert_true(ad_writer_fits(&writer));          \
    assert_bytes(buffer, writer.length, expected); \
    free(buffer);                                  \
  } while (0)

static void integers_written(void **state) {
  (void)state;
  WRITES("05", ad_put_int_s, 0);
  WRITES("05", ad_put_int_u, 0);
  WRITES("05 ff", ad_put_int_s, -1);
  WRITES("05 01", ad_put_int_s, 1);
  WRITES("05 7f", ad_put_int_s, 127);
  WRITES("05 00 80", ad_put_int_s, 128);
  WRITES("05 00 80", ad_put_int_u, 128);
  WRITES("05 80", ad_put_int_s, -128);
  WRITES("05 ff 7f", ad_put_int_s, -129);
  WRITES("05 01 00", ad_put_int_s, 256);
  WRITES("05 7f ff ff ff ff ff ff ff", ad_put_int_s, INT64_MAX);
  WRITES("05 80 00 00 00 00 00 00 00", ad_put_int_s, INT64_MIN);
  WRITES("05 00 ff ff ff ff ff ff ff ff", ad_put_int_u, UINT64_MAX);
  WRITES("05 00 80 00 00 00 00 00 00 00", ad_put_int_u, UINT64_C(1) << 63);
}

static void scalars_written(void **state) {
  (void)state;
  WRITES("", ad_put_null);
  WRITES("01 de ad", ad_put_binary, "\xde\xad", 2);
  WRITES("01", ad_put_binary, "", 0);
  WRITES("02", ad_put_bool, false);
  WRITES("02 01", ad_put_bool, true);
  WRITES("03 00 00 00 07", ad_put_fd, 7);
  WRITES("03 ff ff ff ff", ad_put_fd, UINT32_MAX);
  WRITES("04 3f f8 00 00 00 00 00 00", ad_put_float_bits, UINT64_C(0x3ff8000000000000));
  WRITES("08 00", ad_put_cstr, "");
  WRITES("08 61 62 00", ad_put_cstr, "ab");
  WRITES("08 61 00 62 00", ad_put_str, "a\0b", 3);
}

static struct ad_timestamp at(int64_t seconds, uint32_t nanoseconds) {
  return (struct ad_timestamp){.seconds = seconds, .nanoseconds = nanoseconds};
}

static void timestamps_written(void **state) {
  (void)state;
  WRITES("09", ad_put_timestamp, at(0, 0));
  WRITES("09 01", ad_put_timestamp, at(0, 1));
  WRITES("09 3b 9a ca 00", ad_put_timestamp, at(1, 0));
  WRITES("09 ff", ad_put_timestamp, at(-1, 999999999));
  WRITES("09 c4 65 36 00", ad_put_timestamp, at(-1, 0));
}

static void prefixes(void **state) {
  (void)state;
  static const struct {
    size_t length;
    const char *encoding;
  } table[] = {{0, "80"},           {1, "81"},
               {127, "ff"},         {128, "01 80"},
               {300, "02 ac"},      {16383, "7f ff"},
               {16384, "01 00 80"}, {SIZE_MAX, "01 7f 7f 7f 7f 7f 7f 7f 7f ff"}};
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    uint8_t prefix[AD_PREFIX_MAX];
    size_t size = ad_prefix_encode(table[i].length, prefix);
    assert_int_equal(size, ad_prefix_size(table[i].length));
    assert_bytes(prefix, size, table[i].encoding);
  }
}

/* Subfields of every size around the places where the prefix grows come back. */
static void prefixes_read(void **state) {
  (void)state;
  static const size_t lengths[] = {0, 1, 126, 127, 128, 300, 16382, 16383, 16384, 70000};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    size_t length = lengths[i];
    uint8_t *field = calloc(1, length + 1), *encoding = calloc(1, length + 16);
    struct ad_writer writer;
    ad_writer_init(&writer, encoding, length + 16);
    size_t mark = ad_open(&writer, AD_SEQ);
    ad_put_value(&writer, (struct ad_value){field, length});
    ad_close(&writer, mark);
    assert_int_equal(writer.length, 1 + ad_prefix_size(length) + length);
    struct ad_iter iter;
    struct ad_value element;
    assert_int_equal(ad_iter_begin(&iter, (struct ad_value){encoding, writer.length}, AD_SEQ),
                     AD_OK);
    assert_int_equal(ad_iter_next(&iter, &element), AD_MORE);
    assert_int_equal(element.length, length);
    assert_int_equal(ad_iter_next(&iter, &element), AD_END);
    free(field);
    free(encoding);
  }
}

static void reference_map(struct ad_writer *writer) {
  size_t map = ad_open(writer, AD_MAP);
  ad_put_cstr(writer, "a");
  ad_put_bool(writer, true);
  ad_put_cstr(writer, "b");
  size_t seq = ad_open(writer, AD_SEQ);
  ad_put_fd(writer, 0);
  ad_close(writer, seq);
  ad_close(writer, map);
}

#define REFERENCE_MAP "06 | 83 08 61 00 | 82 02 01 | 83 08 62 00 | 87 07 85 03 00 00 00 00"

static void containers_written(void **state) {
  (void)state;
  WRITES(REFERENCE_MAP, reference_map);
}

static void containers_read(void **state) {
  (void)state;
  struct ad_value map = value(REFERENCE_MAP), found, key, element;
  struct ad_iter iter;
  bool truth = false;
  uint32_t index = 9;
  assert_true(ad_map_find(map, "a", &found));
  assert_int_equal(ad_get_bool(found, &truth), AD_OK);
  assert_true(truth);
  assert_true(ad_map_find(map, "b", &found));
  assert_int_equal(ad_iter_begin(&iter, found, AD_SEQ), AD_OK);
  assert_int_equal(ad_iter_next(&iter, &element), AD_MORE);
  assert_int_equal(ad_get_fd(element, &index), AD_OK);
  assert_int_equal(index, 0);
  assert_int_equal(ad_iter_next(&iter, &element), AD_END);
  assert_false(ad_map_find(map, "c", &found));
  assert_false(ad_map_find(element, "a", &found));
  assert_int_equal(ad_iter_begin(&iter, map, AD_MAP), AD_OK);
  assert_int_equal(ad_iter_pair(&iter, &key, &found), AD_MORE);
  assert_int_equal(ad_iter_pair(&iter, &key, &found), AD_MORE);
  assert_int_equal(ad_iter_pair(&iter, &key, &found), AD_END);
  drop(map);
}

static void last_duplicate_counts(void **state) {
  (void)state;
  struct ad_value map = value("06 83 08 61 00 82 05 01 83 08 61 00 82 05 02"), found;
  int64_t number;
  assert_true(ad_map_find(map, "a", &found));
  assert_int_equal(ad_get_int_s(found, &number), AD_OK);
  assert_int_equal(number, 2);
  drop(map);
}

/* A buffer that is too small is not overrun, and the length still tells what it takes. */
static void writer_counts(void **state) {
  (void)state;
  for (size_t capacity = 0; capacity < 19; capacity++) {
    uint8_t *buffer = malloc(capacity + 1);
    buffer[capacity] = 0x5a;
    struct ad_writer writer;
    ad_writer_init(&writer, buffer, capacity);
    reference_map(&writer);
    assert_int_equal(writer.length, 20);
    assert_false(ad_writer_fits(&writer));
    assert_int_equal(buffer[capacity], 0x5a);
    free(buffer);
  }
}

static void integers_read(void **state) {
  (void)state;
  static const struct {
    const char *encoding;
    int signed_error, unsigned_error;
    int64_t as_signed;
    uint64_t as_unsigned;
  } table[] = {
      {"05", AD_OK, AD_OK, 0, 0},
      {"05 00", AD_OK, AD_OK, 0, 0},
      {"05 7f", AD_OK, AD_OK, 127, 127},
      {"05 00 00 00 80", AD_OK, AD_OK, 128, 128}, /* not minimal: fine */
      {"05 ff ff", AD_OK, AD_RANGE, -1, 0},
      {"05 80", AD_OK, AD_RANGE, -128, 0},
      {"05 7f ff ff ff ff ff ff ff", AD_OK, AD_OK, INT64_MAX, INT64_MAX},
      {"05 80 00 00 00 00 00 00 00", AD_OK, AD_RANGE, INT64_MIN, 0},
      {"05 00 ff ff ff ff ff ff ff ff", AD_RANGE, AD_OK, 0, UINT64_MAX},
      {"05 01 00 00 00 00 00 00 00 00", AD_RANGE, AD_RANGE, 0, 0},
      {"05 00 00 ff ff ff ff ff ff ff ff", AD_RANGE, AD_RANGE, 0, 0},
      {"08 00", AD_INVALID, AD_INVALID, 0, 0},
      {"", AD_INVALID, AD_INVALID, 0, 0},
  };
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    struct ad_value v = value(table[i].encoding);
    int64_t s = 0;
    uint64_t u = 0;
    assert_int_equal(ad_get_int_s(v, &s), table[i].signed_error);
    assert_int_equal(ad_get_int_u(v, &u), table[i].unsigned_error);
    assert_true(s == table[i].as_signed);
    assert_true(u == table[i].as_unsigned);
    drop(v);
  }
}

static void integers_round_trip(void **state) {
  (void)state;
  for (int shift = 0; shift < 64; shift++) {
    for (int64_t near = -2; near <= 2; near++) {
      uint64_t bits = (UINT64_C(1) << shift) + (uint64_t)near;
      uint8_t buffer[10];
      struct ad_writer writer;
      int64_t s;
      uint64_t u;
      ad_writer_init(&writer, buffer, sizeof(buffer));
      ad_put_int_s(&writer, (int64_t)bits);
      assert_int_equal(ad_get_int_s((struct ad_value){buffer, writer.length}, &s), AD_OK);
      assert_true(s == (int64_t)bits);
      ad_writer_init(&writer, buffer, sizeof(buffer));
      ad_put_int_u(&writer, bits);
      assert_int_equal(ad_get_int_u((struct ad_value){buffer, writer.length}, &u), AD_OK);
      assert_true(u == bits);
    }
  }
}

static void timestamps_round_trip(void **state) {
  (void)state;
  static const int64_t seconds[] = {0,         1,         -1,         1435708800,  -62135596800,
                                    INT64_MAX, INT64_MIN, 4294967296, -4294967297, 253402300799};
  static const uint32_t rests[] = {0, 1, 500000000, 999999999};
  for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
    for (size_t j = 0; j < sizeof(rests) / sizeof(rests[0]); j++) {
      uint8_t buffer[16];
      struct ad_writer writer;
      struct ad_timestamp found = {0};
      ad_writer_init(&writer, buffer, sizeof(buffer));
      ad_put_timestamp(&writer, at(seconds[i], rests[j]));
      struct ad_value v = {buffer, writer.length};
      assert_true(ad_writer_fits(&writer));
      assert_true(writer.length <= 13);
      assert_int_equal(ad_get_timestamp(v, &found), AD_OK);
      assert_true(found.seconds == seconds[i]);
      assert_int_equal(found.nanoseconds, rests[j]);
    }
  }
}

static void timestamps_read(void **state) {
  (void)state;
  static const struct {
    const char *encoding;
    int error;
    int64_t seconds;
    uint32_t nanoseconds;
  } table[] = {
      {"09", AD_OK, 0, 0},
      {"09 ff", AD_OK, -1, 999999999},
      {"09 00 00 00 00 00 00 00 00 00 00 00 05", AD_OK, 0, 5},
      {"09 00 00 00 00 00 00 00 00 00 00 00 00 05", AD_RANGE, 0, 0}, /* 13 bytes */
      {"09 7f ff ff ff ff ff ff ff ff ff ff ff", AD_RANGE, 0, 0},
      {"09 80 00 00 00 00 00 00 00 00 00 00 00", AD_RANGE, 0, 0},
      {"05", AD_INVALID, 0, 0},
  };
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    struct ad_value v = value(table[i].encoding);
    struct ad_timestamp found = {0};
    assert_int_equal(ad_get_timestamp(v, &found), table[i].error);
    assert_true(found.seconds == table[i].seconds);
    assert_int_equal(found.nanoseconds, table[i].nanoseconds);
    drop(v);
  }
}

static void strings_read(void **state) {
  (void)state;
  static const struct {
    const char *encoding;
    int error, c_error;
    size_t length;
  } table[] = {
      {"08 00", AD_OK, AD_OK, 0},
      {"08 61 00", AD_OK, AD_OK, 1},
      {"08 61 00 62 00", AD_OK, AD_INVALID, 3},
      {"08", AD_INVALID, AD_INVALID, 0},
      {"08 61", AD_INVALID, AD_INVALID, 0},
      {"08 c3 a9 00", AD_OK, AD_OK, 2},
      {"08 e2 82 ac 00", AD_OK, AD_OK, 3},
      {"08 f0 9f 98 80 00", AD_OK, AD_OK, 4},
      {"08 f4 8f bf bf 00", AD_OK, AD_OK, 4},
      {"08 c0 80 00", AD_ENCODING, AD_ENCODING, 0},       /* overlong NUL */
      {"08 e0 80 80 00", AD_ENCODING, AD_ENCODING, 0},    /* overlong */
      {"08 f0 80 80 80 00", AD_ENCODING, AD_ENCODING, 0}, /* overlong */
      {"08 ed a0 80 00", AD_ENCODING, AD_ENCODING, 0},    /* a surrogate */
      {"08 f4 90 80 80 00", AD_ENCODING, AD_ENCODING, 0}, /* past U+10FFFF */
      {"08 f8 88 80 80 80 00", AD_ENCODING, AD_ENCODING, 0},
      {"08 80 00", AD_ENCODING, AD_ENCODING, 0}, /* a continuation alone */
      {"08 c3 00", AD_ENCODING, AD_ENCODING, 0}, /* cut off */
      {"08 e2 82 00", AD_ENCODING, AD_ENCODING, 0},
      {"01 61 00", AD_INVALID, AD_INVALID, 0},
  };
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    struct ad_value v = value(table[i].encoding);
    const char *text;
    size_t length = 0;
    assert_int_equal(ad_get_str(v, &text, &length), table[i].error);
    assert_int_equal(length, table[i].length);
    assert_int_equal(ad_get_cstr(v, &text), table[i].c_error);
    drop(v);
  }
}

static void malformed_scalars(void **state) {
  (void)state;
  static const char *const bools[] = {"02 00", "02 02", "02 01 01", "05 01", ""};
  static const char *const fds[] = {"03", "03 00", "03 00 00 00", "03 00 00 00 00 00", "05"};
  static const char *const floats[] = {"04", "04 00 00 00 00 00 00 00", "05",
                                       "04 00 00 00 00 00 00 00 00 00"};
  bool truth;
  uint32_t index;
  uint64_t bits;
  for (size_t i = 0; i < sizeof(bools) / sizeof(bools[0]); i++) {
    struct ad_value v = value(bools[i]);
    assert_int_equal(ad_get_bool(v, &truth), AD_INVALID);
    drop(v);
  }
  for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
    struct ad_value v = value(fds[i]);
    assert_int_equal(ad_get_fd(v, &index), AD_INVALID);
    drop(v);
  }
  for (size_t i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
    struct ad_value v = value(floats[i]);
    assert_int_equal(ad_get_float_bits(v, &bits), AD_INVALID);
    drop(v);
  }
}

/* What comes before the malformed part is seen; then the iterator stays broken. */
static void malformed_containers(void **state) {
  (void)state;
  static const struct {
    const char *encoding;
    int good;
  } table[] = {
      {"07 82 05 01 00", 1},                   /* a prefix of 00 */
      {"07 82 05 01 00 81", 1},                /* a leading zero group */
      {"07 82 05 01 83 05 01", 1},             /* longer than what is left */
      {"07 82 05 01 01", 1},                   /* a prefix cut off */
      {"07 02", 0},                            /* likewise */
      {"07 7f 7f 7f 7f 7f 7f 7f 7f 7f ff", 0}, /* a length beyond size_t */
      {"07 01 7f 7f 7f 7f 7f 7f 7f 7f ff", 0}, /* SIZE_MAX */
      {"07 04 00 00 00 00 00 00 00 00 80", 0}, /* wraps to 0 if unchecked */
  };
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    struct ad_value v = value(table[i].encoding), element;
    struct ad_iter iter;
    int good = 0;
    enum ad_step step;
    assert_int_equal(ad_iter_begin(&iter, v, AD_SEQ), AD_OK);
    while ((step = ad_iter_next(&iter, &element)) == AD_MORE) {
      good++;
    }
    assert_int_equal(step, AD_BROKEN);
    assert_int_equal(good, table[i].good);
    assert_int_equal(ad_iter_next(&iter, &element), AD_BROKEN);
    drop(v);
  }
}

static void key_without_value(void **state) {
  (void)state;
  struct ad_value v = value("06 81 02 81 02 82 05 01"), key, element;
  struct ad_iter iter;
  assert_int_equal(ad_iter_begin(&iter, v, AD_MAP), AD_OK);
  assert_int_equal(ad_iter_pair(&iter, &key, &element), AD_MORE);
  assert_int_equal(ad_iter_pair(&iter, &key, &element), AD_BROKEN);
  assert_int_equal(ad_iter_pair(&iter, &key, &element), AD_BROKEN);
  assert_int_equal(ad_iter_begin(&iter, v, AD_SEQ), AD_INVALID);
  drop(v);
}

static void types(void **state) {
  (void)state;
  static const uint8_t unknown[] = {0}, high[] = {200, 1};
  assert_int_equal(ad_type((struct ad_value){NULL, 0}), AD_NULL);
  assert_int_equal(ad_type((struct ad_value){unknown, 1}), 0);
  assert_int_equal(ad_type((struct ad_value){high, 2}), 200);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(integers_written),    cmocka_unit_test(scalars_written),
      cmocka_unit_test(timestamps_written),  cmocka_unit_test(prefixes),
      cmocka_unit_test(prefixes_read),       cmocka_unit_test(containers_written),
      cmocka_unit_test(containers_read),     cmocka_unit_test(last_duplicate_counts),
      cmocka_unit_test(writer_counts),       cmocka_unit_test(integers_read),
      cmocka_unit_test(integers_round_trip), cmocka_unit_test(timestamps_round_trip),
      cmocka_unit_test(timestamps_read),     cmocka_unit_test(strings_read),
      cmocka_unit_test(malformed_scalars),   cmocka_unit_test(malformed_containers),
      cmocka_unit_test(key_without_value),   cmocka_unit_test(types),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
