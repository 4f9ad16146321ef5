/*
 * <argdata.h>: the structured data that a CloudABI program is started with.
 *
 * Programs read it from the value that program_main() is given, and build it to hand it on. The
 * names are those of CloudABI's own C library, of both eras: the callbacks of 2015
 * (argdata_iterate_seq) and the iterators of 2017 and later (argdata_seq_iterate).
 *
 * Functions that return int return 0 or an error number of <errno.h>. A getter that fails leaves
 * its result alone. Values may be read by several threads at once.
 *
 * This file and those beside it need a C library: they are for programs and for host tools. The
 * kernel uses codec.h.
 */
#ifndef ARGDATA_H
#define ARGDATA_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct timespec;

#ifndef argdata_t
typedef struct argdata_t argdata_t;
#define argdata_t argdata_t
#endif

extern const argdata_t argdata_false;
extern const argdata_t argdata_null;
extern const argdata_t argdata_true;

/*
 * A value over encoded bytes, which are not copied and must outlive it. Descriptors in it are
 * indexes: convert_fd turns one into a descriptor of this process, or -1 where there is none; with
 * a NULL convert_fd there are none at all. NULL when memory is short.
 */
argdata_t *argdata_from_buffer(const void *buffer, size_t length,
                               int (*convert_fd)(void *arg, size_t index), void *arg);
/* The same with every index standing for itself (2015). */
argdata_t *argdata_create_buffer(const void *buffer, size_t length);

/*
 * New values; NULL with errno set when memory is short, or to EILSEQ for text that is not UTF-8.
 * Arrays, texts, data and elements are not copied and must outlive the value. Numbers and
 * timestamps are.
 */
argdata_t *argdata_create_binary(const void *data, size_t length);
argdata_t *argdata_create_fd(int fd);
argdata_t *argdata_create_float(double value);
argdata_t *argdata_create_int_s(intmax_t value);
argdata_t *argdata_create_int_u(uintmax_t value);
argdata_t *argdata_create_map(const argdata_t *const *keys, const argdata_t *const *values,
                              size_t count);
argdata_t *argdata_create_seq(const argdata_t *const *elements, size_t count);
argdata_t *argdata_create_str(const char *text, size_t length);
argdata_t *argdata_create_str_c(const char *text);
argdata_t *argdata_create_timestamp(const struct timespec *time);

/* Frees one value, not its elements. Takes NULL. */
void argdata_free(argdata_t *value);

/*
 * Getters. EINVAL: the value is of another type, or malformed. Results that are pointers live as
 * long as the value's bytes.
 */
int argdata_get_binary(const argdata_t *value, const void **data, size_t *length);
int argdata_get_bool(const argdata_t *value, bool *result);
/* EBADF: a descriptor that this process does not have. */
int argdata_get_fd(const argdata_t *value, int *fd);
int argdata_get_float(const argdata_t *value, double *result);
/* ERANGE: not within the bounds. argdata_get_int() takes them from its result's type. */
int argdata_get_int_s(const argdata_t *value, intmax_t *result, intmax_t min, intmax_t max);
int argdata_get_int_u(const argdata_t *value, uintmax_t *result, uintmax_t max);
/* EILSEQ: not UTF-8. The length leaves out the final NUL. */
int argdata_get_str(const argdata_t *value, const char **text, size_t *length);
/* As argdata_get_str, and EINVAL for a text that has a NUL inside. */
int argdata_get_str_c(const argdata_t *value, const char **text);
/* ERANGE: does not fit a timespec. */
int argdata_get_timestamp(const argdata_t *value, struct timespec *result);

/*
 * Iterators. `index` counts the entries, or says that there are none any more. What get() stores
 * is valid until the iterator moves. A malformed rest makes the index INVALID after the entries
 * before it; so does a value of another type, at once.
 */
#define ARGDATA_ITERATOR_END SIZE_MAX
#define ARGDATA_ITERATOR_INVALID (SIZE_MAX - 1)

typedef struct {
  size_t index;
  union {
    void *align_pointer;
    uint64_t align_word;
    char bytes[192];
  } state; /* the library's own */
} argdata_map_iterator_t;

typedef argdata_map_iterator_t argdata_seq_iterator_t;

void argdata_map_iterate(const argdata_t *map, argdata_map_iterator_t *it);
bool argdata_map_get(const argdata_map_iterator_t *it, const argdata_t **key,
                     const argdata_t **value);
void argdata_map_next(argdata_map_iterator_t *it);

void argdata_seq_iterate(const argdata_t *seq, argdata_seq_iterator_t *it);
bool argdata_seq_get(const argdata_seq_iterator_t *it, const argdata_t **element);
void argdata_seq_next(argdata_seq_iterator_t *it);

/*
 * The walk of 2015: calls back for every entry, with the thunk last, until a call returns false.
 * EINVAL: another type, or a malformed rest.
 */
int argdata_iterate_map(const argdata_t *map,
                        bool (*callback)(const argdata_t *key, const argdata_t *value, void *thunk),
                        void *thunk);
int argdata_iterate_seq(const argdata_t *seq,
                        bool (*callback)(const argdata_t *element, void *thunk), void *thunk);

/*
 * Encoding. The first gives the bytes that the second writes, and how many descriptors (counting
 * repeats) occur, where `fd_count` is not NULL. With a table, descriptors are written as indexes
 * into it: each distinct one gets the next index in order of appearance, keys before values; the
 * result is the number of table entries. With a NULL table descriptors are written as they are,
 * and the result is 0. One that this process does not have is written as 0xffffffff.
 */
void argdata_serialized_length(const argdata_t *value, size_t *length, size_t *fd_count);
size_t argdata_serialize(const argdata_t *value, void *buffer, int *fds);
/* Their names of 2015. */
void argdata_get_buffer_length(const argdata_t *value, size_t *length, size_t *fd_count);
size_t argdata_get_buffer(const argdata_t *value, void *buffer, int *fds);

/* Writes the value as a YAML document. Descriptors are printed as `!fd N`. */
void argdata_print_yaml(const argdata_t *value, FILE *stream);

#ifdef __cplusplus
}
#endif

/* argdata_create_int(value) and argdata_get_int(value, &result) for every integer type. */
#define ARGDATA_GETTER_SIGNED(suffix, type, min, max)                             \
  static inline int argdata_get_int_##suffix(const argdata_t *ad, type *result) { \
    intmax_t number;                                                              \
    int error = argdata_get_int_s(ad, &number, min, max);                         \
    if (error == 0) {                                                             \
      *result = (type)number;                                                     \
    }                                                                             \
    return error;                                                                 \
  }
#define ARGDATA_GETTER_UNSIGNED(suffix, type, max)                                \
  static inline int argdata_get_int_##suffix(const argdata_t *ad, type *result) { \
    uintmax_t number;                                                             \
    int error = argdata_get_int_u(ad, &number, max);                              \
    if (error == 0) {                                                             \
      *result = (type)number;                                                     \
    }                                                                             \
    return error;                                                                 \
  }

ARGDATA_GETTER_SIGNED(char, char, CHAR_MIN, CHAR_MAX)
ARGDATA_GETTER_SIGNED(schar, signed char, SCHAR_MIN, SCHAR_MAX)
ARGDATA_GETTER_UNSIGNED(uchar, unsigned char, UCHAR_MAX)
ARGDATA_GETTER_SIGNED(short, short, SHRT_MIN, SHRT_MAX)
ARGDATA_GETTER_UNSIGNED(ushort, unsigned short, USHRT_MAX)
ARGDATA_GETTER_SIGNED(int, int, INT_MIN, INT_MAX)
ARGDATA_GETTER_UNSIGNED(uint, unsigned int, UINT_MAX)
ARGDATA_GETTER_SIGNED(long, long, LONG_MIN, LONG_MAX)
ARGDATA_GETTER_UNSIGNED(ulong, unsigned long, ULONG_MAX)
ARGDATA_GETTER_SIGNED(llong, long long, LLONG_MIN, LLONG_MAX)
ARGDATA_GETTER_UNSIGNED(ullong, unsigned long long, ULLONG_MAX)

#undef ARGDATA_GETTER_SIGNED
#undef ARGDATA_GETTER_UNSIGNED

#ifndef __cplusplus
/* clang-format off */
#define argdata_create_int(value)           \
  _Generic((value),                         \
      char: argdata_create_int_s,           \
      signed char: argdata_create_int_s,    \
      unsigned char: argdata_create_int_u,  \
      short: argdata_create_int_s,          \
      unsigned short: argdata_create_int_u, \
      int: argdata_create_int_s,            \
      unsigned int: argdata_create_int_u,   \
      long: argdata_create_int_s,           \
      unsigned long: argdata_create_int_u,  \
      long long: argdata_create_int_s,      \
      unsigned long long: argdata_create_int_u)(value)
#define argdata_get_int(value, result)        \
  _Generic(*(result),                         \
      char: argdata_get_int_char,             \
      signed char: argdata_get_int_schar,     \
      unsigned char: argdata_get_int_uchar,   \
      short: argdata_get_int_short,           \
      unsigned short: argdata_get_int_ushort, \
      int: argdata_get_int_int,               \
      unsigned int: argdata_get_int_uint,     \
      long: argdata_get_int_long,             \
      unsigned long: argdata_get_int_ulong,   \
      long long: argdata_get_int_llong,       \
      unsigned long long: argdata_get_int_ullong)((value), (result))
/* clang-format on */
#endif

#endif
