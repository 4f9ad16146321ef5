// sources: argdata/codec_read.c argdata/codec_write.c argdata/create.c argdata/get.c
// sources: argdata/iterate.c argdata/print.c argdata/serialize.c
// cflags: -Iargdata
/*
 * <argdata.h> as programs use it: both eras' walks, integers of every type, the errors, descriptor
 * tables, and YAML output.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <argdata.h>
#include <cmocka.h>

/* Serialises into a buffer of exactly the promised size. */
static uint8_t *serialize(const argdata_t *value, size_t *length, int *fds, size_t *fd_count) {
  argdata_serialized_length(value, length, NULL);
  uint8_t *buffer = malloc(*length);
  size_t count = argdata_serialize(value, buffer, fds);
  if (fd_count != NULL) {
    *fd_count = count;
  }
  return buffer;
}

static void serializes_to(const argdata_t *value, const void *expected, size_t expected_length) {
  size_t length;
  uint8_t *buffer = serialize(value, &length, NULL, NULL);
  assert_int_equal(length, expected_length);
  assert_memory_equal(buffer, expected, length);
  free(buffer);
}

/* ---- The manual's first program, once per era; what it would print goes to a counter. -------- */

static int greeted[8];
static size_t greetings;

static bool greet(const argdata_t *ad, void *unused) {
  (void)unused;
  int fd;
  if (argdata_get_fd(ad, &fd) == 0) {
    greeted[greetings++] = fd;
  }
  return true;
}

static void hello_2015(const argdata_t *ad) {
  argdata_iterate_seq(ad, greet, NULL);
}

static void hello_2018(const argdata_t *ad) {
  argdata_seq_iterator_t it;
  argdata_seq_iterate(ad, &it);
  const argdata_t *value;
  while (argdata_seq_get(&it, &value)) {
    int fd;
    if (argdata_get_fd(value, &fd) == 0) {
      greeted[greetings++] = fd;
    }
    argdata_seq_next(&it);
  }
}

static const uint8_t three_fds[] = {7, 0x85, 3, 0,    0, 0, 0, 0x85, 3, 0,
                                    0, 0,    1, 0x85, 3, 0, 0, 0,    2};

static void manual_program(void **state) {
  (void)state;
  void (*const programs[])(const argdata_t *) = {hello_2015, hello_2018};
  for (size_t i = 0; i < 2; i++) {
    argdata_t *ad = argdata_create_buffer(three_fds, sizeof(three_fds));
    greetings = 0;
    programs[i](ad);
    assert_int_equal(greetings, 3);
    assert_int_equal(greeted[0], 0);
    assert_int_equal(greeted[2], 2);
    argdata_free(ad);
  }
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void constants(void **state) {
  (void)state;
  bool truth = false;
  assert_int_equal(argdata_get_bool(&argdata_true, &truth), 0);
  assert_true(truth);
  assert_int_equal(argdata_get_bool(&argdata_false, &truth), 0);
  assert_false(truth);
  assert_int_equal(argdata_get_bool(&argdata_null, &truth), EINVAL);
  serializes_to(&argdata_null, "", 0);
  serializes_to(&argdata_false, "\x02", 1);
  serializes_to(&argdata_true, "\x02\x01", 2);
}

#define FITS(type, number)                              \
  do {                                                  \
    type result = 0;                                    \
    argdata_t *ad = argdata_create_int((type)(number)); \
    assert_int_equal(argdata_get_int(ad, &result), 0);  \
    assert_true(result == (type)(number));              \
    argdata_free(ad);                                   \
  } while (0)

#define TOO_LARGE(type, number)                             \
  do {                                                      \
    type result = 42;                                       \
    argdata_t *ad = argdata_create_int(number);             \
    assert_int_equal(argdata_get_int(ad, &result), ERANGE); \
    assert_true(result == 42);                              \
    argdata_free(ad);                                       \
  } while (0)

static void integers(void **state) {
  (void)state;
  FITS(char, 'x');
  FITS(signed char, SCHAR_MIN);
  FITS(unsigned char, UCHAR_MAX);
  FITS(short, SHRT_MIN);
  FITS(unsigned short, USHRT_MAX);
  FITS(int, INT_MIN);
  FITS(unsigned int, UINT_MAX);
  FITS(long, LONG_MIN);
  FITS(unsigned long, ULONG_MAX);
  FITS(long long, LLONG_MAX);
  FITS(unsigned long long, ULLONG_MAX);
  TOO_LARGE(signed char, 128);
  TOO_LARGE(unsigned char, 256);
  TOO_LARGE(unsigned char, -1);
  TOO_LARGE(short, -32769);
  TOO_LARGE(unsigned int, -1);
  TOO_LARGE(int, 1L << 31);
  TOO_LARGE(long, ULONG_MAX);
  TOO_LARGE(unsigned long, LONG_MIN);
}

static void other_scalars(void **state) {
  (void)state;
  struct timespec time = {.tv_sec = -5, .tv_nsec = 250}, found_time;
  double found_float;
  const void *data;
  const char *text;
  size_t length;
  int fd;
  argdata_t *number = argdata_create_float(1.5), *stamp = argdata_create_timestamp(&time);
  argdata_t *binary = argdata_create_binary("\1\2\3", 3), *string = argdata_create_str("abc", 2);
  argdata_t *descriptor = argdata_create_fd(12), *empty = argdata_create_binary(NULL, 0);

  assert_int_equal(argdata_get_float(number, &found_float), 0);
  assert_true(found_float == 1.5);
  assert_int_equal(argdata_get_timestamp(stamp, &found_time), 0);
  assert_int_equal(found_time.tv_sec, -5);
  assert_int_equal(found_time.tv_nsec, 250);
  assert_int_equal(argdata_get_binary(binary, &data, &length), 0);
  assert_int_equal(length, 3);
  assert_int_equal(argdata_get_str(string, &text, &length), 0);
  assert_int_equal(length, 2);
  assert_int_equal(argdata_get_fd(descriptor, &fd), 0);
  assert_int_equal(fd, 12);
  serializes_to(binary, "\x01\1\2\3", 4);
  serializes_to(empty, "\x01", 1);
  serializes_to(string,
                "\x08"
                "ab\0",
                4);

  assert_int_equal(argdata_get_float(string, &found_float), EINVAL);
  assert_int_equal(argdata_get_timestamp(binary, &found_time), EINVAL);
  assert_int_equal(argdata_get_binary(number, &data, &length), EINVAL);
  assert_int_equal(argdata_get_str(stamp, &text, &length), EINVAL);
  assert_int_equal(argdata_get_fd(string, &fd), EINVAL);
  time.tv_nsec = 1000000000;
  assert_null(argdata_create_timestamp(&time));
  assert_int_equal(errno, EINVAL);
  argdata_free(number);
  argdata_free(stamp);
  argdata_free(binary);
  argdata_free(string);
  argdata_free(descriptor);
  argdata_free(empty);
  argdata_free(NULL);
}

static void strings(void **state) {
  (void)state;
  const char *text;
  errno = 0;
  assert_null(argdata_create_str("\xc0\x80", 2));
  assert_int_equal(errno, EILSEQ);
  assert_null(argdata_create_str_c("\xed\xa0\x80"));
  argdata_t *inner_nul = argdata_create_str("a\0b", 3), *plain = argdata_create_str_c("hé");
  assert_int_equal(argdata_get_str_c(inner_nul, &text), EINVAL);
  assert_int_equal(argdata_get_str_c(plain, &text), 0);
  assert_string_equal(text, "hé");
  argdata_free(inner_nul);
  argdata_free(plain);
  argdata_t *bad = argdata_create_buffer("\x08\xff\0", 3);
  size_t length;
  assert_int_equal(argdata_get_str(bad, &text, &length), EILSEQ);
  argdata_free(bad);
}

/* ---- Containers ------------------------------------------------------------------------------ */

static void containers(void **state) {
  (void)state;
  static const uint8_t expected[] = {6,   0x83, 8,    'a', 0,    0x82, 2, 1, 0x83, 8,
                                     'b', 0,    0x87, 7,   0x85, 3,    0, 0, 0,    0};
  argdata_t *a = argdata_create_str_c("a"), *b = argdata_create_str_c("b"),
            *fd = argdata_create_fd(0);
  const argdata_t *elements[] = {fd};
  argdata_t *seq = argdata_create_seq(elements, 1);
  const argdata_t *keys[] = {a, b}, *values[] = {&argdata_true, seq};
  argdata_t *map = argdata_create_map(keys, values, 2);
  serializes_to(map, expected, sizeof(expected));

  argdata_map_iterator_t it;
  const argdata_t *key, *value;
  argdata_map_iterate(map, &it);
  assert_int_equal(it.index, 0);
  assert_true(argdata_map_get(&it, &key, &value));
  assert_ptr_equal(key, a);
  argdata_map_next(&it);
  assert_int_equal(it.index, 1);
  assert_true(argdata_map_get(&it, &key, &value));
  assert_ptr_equal(value, seq);
  argdata_map_next(&it);
  assert_int_equal(it.index, ARGDATA_ITERATOR_END);
  assert_false(argdata_map_get(&it, &key, &value));
  argdata_map_next(&it);
  assert_int_equal(it.index, ARGDATA_ITERATOR_END);
  argdata_seq_iterate(map, &it);
  assert_int_equal(it.index, ARGDATA_ITERATOR_INVALID);
  argdata_free(map);
  argdata_free(seq);
  argdata_free(fd);
  argdata_free(b);
  argdata_free(a);
}

static bool count(const argdata_t *key, const argdata_t *value, void *thunk) {
  (void)key;
  (void)value;
  int *left = thunk;
  return --*left > 0;
}

static void walk_of_2015(void **state) {
  (void)state;
  static const uint8_t map[] = {6, 0x80, 0x80, 0x81, 2, 0x80}, odd[] = {6, 0x80, 0x80, 0x80};
  argdata_t *ad = argdata_create_buffer(map, sizeof(map));
  int left = 10;
  assert_int_equal(argdata_iterate_map(ad, count, &left), 0);
  assert_int_equal(left, 8);
  left = 1; /* the callback ends it */
  assert_int_equal(argdata_iterate_map(ad, count, &left), 0);
  assert_int_equal(left, 0);
  assert_int_equal(argdata_iterate_seq(ad, greet, NULL), EINVAL);
  argdata_free(ad);
  ad = argdata_create_buffer(odd, sizeof(odd));
  left = 10;
  assert_int_equal(argdata_iterate_map(ad, count, &left), EINVAL);
  assert_int_equal(left, 9); /* the entry before the broken one was seen */
  argdata_free(ad);
}

static void empty_containers(void **state) {
  (void)state;
  argdata_t *seq = argdata_create_seq(NULL, 0), *map = argdata_create_map(NULL, NULL, 0);
  argdata_seq_iterator_t it;
  argdata_seq_iterate(seq, &it);
  assert_int_equal(it.index, ARGDATA_ITERATOR_END);
  serializes_to(seq, "\x07", 1);
  serializes_to(map, "\x06", 1);
  argdata_free(seq);
  argdata_free(map);
}

/* An iterator may be copied, as any structure. */
static void copied_iterator(void **state) {
  (void)state;
  argdata_t *ad = argdata_create_buffer(three_fds, sizeof(three_fds));
  argdata_seq_iterator_t it, copy;
  const argdata_t *value;
  int fd;
  argdata_seq_iterate(ad, &it);
  copy = it;
  argdata_seq_next(&it);
  assert_true(argdata_seq_get(&copy, &value));
  assert_int_equal(argdata_get_fd(value, &fd), 0);
  assert_int_equal(fd, 0);
  argdata_free(ad);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static int tenfold(void *arg, size_t index) {
  (void)arg;
  return index < 3 ? (int)index * 10 + 10 : -1;
}

static void descriptor_conversion(void **state) {
  (void)state;
  int fd = -7;
  argdata_t *ad = argdata_from_buffer("\3\0\0\0\2", 5, tenfold, NULL);
  assert_int_equal(argdata_get_fd(ad, &fd), 0);
  assert_int_equal(fd, 30);
  argdata_free(ad);
  ad = argdata_from_buffer("\3\0\0\0\3", 5, tenfold, NULL);
  assert_int_equal(argdata_get_fd(ad, &fd), EBADF);
  argdata_free(ad);
  ad = argdata_from_buffer("\3\0\0\0\0", 5, NULL, NULL);
  assert_int_equal(argdata_get_fd(ad, &fd), EBADF);
  argdata_free(ad);
  ad = argdata_create_buffer("\3\x80\0\0\0", 5); /* above INT_MAX */
  assert_int_equal(argdata_get_fd(ad, &fd), EBADF);
  assert_int_equal(fd, 30); /* untouched */
  argdata_free(ad);
}

static void descriptor_table(void **state) {
  (void)state;
  /* [9, {4: 9}, an encoded [10, 30, lost, 20]] */
  static const uint8_t inner[] = {7,    0x85, 3, 0, 0, 0, 0,    0x85, 3, 0, 0, 0, 2,
                                  0x85, 3,    0, 0, 0, 9, 0x85, 3,    0, 0, 0, 1};
  static const uint8_t expected[] = {7, 0x85, 3,   0,    0,   0,    0, 0x8d, 6, 0x85, 3, 0,
                                     0, 0,    1,   0x85, 3,   0,    0, 0,    0, 0x99, 7, 0x85,
                                     3, 0,    0,   0,    2,   0x85, 3, 0,    0, 0,    3, 0x85,
                                     3, 255,  255, 255,  255, 0x85, 3, 0,    0, 0,    4};
  argdata_t *nine = argdata_create_fd(9), *four = argdata_create_fd(4);
  argdata_t *encoded = argdata_from_buffer(inner, sizeof(inner), tenfold, NULL);
  const argdata_t *keys[] = {four}, *values[] = {nine};
  argdata_t *map = argdata_create_map(keys, values, 1);
  const argdata_t *elements[] = {nine, map, encoded};
  argdata_t *seq = argdata_create_seq(elements, 3);
  int fds[8];
  size_t length, count;
  argdata_serialized_length(seq, &length, &count);
  assert_int_equal(count, 7);
  uint8_t *buffer = serialize(seq, &length, fds, &count);
  assert_int_equal(length, sizeof(expected));
  assert_memory_equal(buffer, expected, length);
  assert_int_equal(count, 5);
  static const int wanted[] = {9, 4, 10, 30, 20};
  assert_memory_equal(fds, wanted, sizeof(wanted));
  /* The names of 2015, without a table: descriptors stay as they are. */
  argdata_get_buffer_length(seq, &length, &count);
  assert_int_equal(argdata_get_buffer(seq, buffer, NULL), 0);
  assert_int_equal(buffer[6], 9);
  free(buffer);
  argdata_free(seq);
  argdata_free(map);
  argdata_free(encoded);
  argdata_free(four);
  argdata_free(nine);
}

/* Unknown types and malformed rests survive a round trip. */
static void unknown_bytes(void **state) {
  (void)state;
  static const uint8_t bytes[] = {7, 0x82, 200, 1, 0x83, 3, 0, 0, 0x85, 3, 0, 0, 0, 5, 0x00, 0x42};
  argdata_t *ad = argdata_create_buffer(bytes, sizeof(bytes));
  serializes_to(ad, bytes, sizeof(bytes));
  argdata_free(ad);
}

/* ---- YAML ------------------------------------------------------------------------------------ */

static void prints(const void *bytes, size_t length, const char *expected) {
  char *text;
  size_t size;
  FILE *stream = open_memstream(&text, &size);
  argdata_t *ad = argdata_create_buffer(bytes, length);
  argdata_print_yaml(ad, stream);
  fclose(stream);
  assert_int_equal(strncmp(text, "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\n", 38), 0);
  assert_string_equal(text + 38, expected);
  argdata_free(ad);
  free(text);
}

#define PRINTS(bytes, expected) prints(bytes, sizeof(bytes) - 1, expected)

static void yaml(void **state) {
  (void)state;
  PRINTS("", "null\n");
  PRINTS("\x02", "false\n");
  PRINTS("\x02\x01", "true\n");
  PRINTS("\x05\xff", "-1\n");
  PRINTS("\x05\x00\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615\n");
  PRINTS("\x04\x3f\xf8\0\0\0\0\0\0", "1.5\n");
  PRINTS("\x04\x3f\xf0\0\0\0\0\0\0", "1.0\n");
  PRINTS("\x04\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1\n");
  PRINTS("\x04\x80\0\0\0\0\0\0\0", "-0.0\n");
  PRINTS("\x04\xff\xf0\0\0\0\0\0\0", "-.inf\n");
  PRINTS("\x04\x7f\xf8\0\0\0\0\0\0", ".nan\n");
  PRINTS("\x01\xde\xad\xbe\xef", "!!binary \"3q2+7w==\"\n");
  PRINTS("\x01", "!!binary \"\"\n");
  PRINTS("\x09\x3b\x9a\xca\x01", "!!timestamp 1970-01-01T00:00:01.000000001Z\n");
  PRINTS("\x09", "!!timestamp 1970-01-01T00:00:00Z\n");
  PRINTS("\x03\0\0\0\x03", "!fd 3\n");
  PRINTS("\x03\xff\xff\xff\xff", "!fd invalid\n");
  PRINTS("\x08hello\0", "hello\n");
  PRINTS("\x08\0", "\"\"\n");
  PRINTS("\x08Yes\0", "\"Yes\"\n");
  PRINTS(
      "\x08"
      "12\0",
      "\"12\"\n");
  PRINTS(
      "\x08"
      "a \"b\"\n\x01\0",
      "\"a \\\"b\\\"\\n\\x01\"\n");
  PRINTS("\x08\xc2\x85\xe2\x80\xa8\xc3\xa9\0", "\"\\x85\\u2028é\"\n");
  PRINTS("\x06", "{}\n");
  PRINTS("\x07", "[]\n");
  PRINTS(
      "\x06\x83\x08"
      "a\0\x87\x07\x85\x03\0\0\0\0\x82\x08\0\x81\x06",
      "a:\n  - !fd 0\n\"\": {}\n");
  PRINTS("\x07\x83\x07\x81\x07\x80", "-\n  - []\n- null\n");
  PRINTS("\x06\x83\x07\x81\x02\x81\x05", "?\n  - false\n: 0\n");
  PRINTS("\x07\x81\x02\x00", "- false\n# the rest is malformed\n");
  PRINTS("\xc8\x01", "!invalid \"c801\"\n");
  PRINTS("\x08\xff\0", "!invalid \"08ff00\"\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(manual_program),
      cmocka_unit_test(constants),
      cmocka_unit_test(integers),
      cmocka_unit_test(other_scalars),
      cmocka_unit_test(strings),
      cmocka_unit_test(containers),
      cmocka_unit_test(walk_of_2015),
      cmocka_unit_test(empty_containers),
      cmocka_unit_test(copied_iterator),
      cmocka_unit_test(descriptor_conversion),
      cmocka_unit_test(descriptor_table),
      cmocka_unit_test(unknown_bytes),
      cmocka_unit_test(yaml),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
