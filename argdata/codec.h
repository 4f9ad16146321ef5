/*
 * Argdata in bytes: reading values where they lie and writing them.
 *
 * Argdata is how CloudABI hands structured data to a program: a null, a scalar, a sequence or a
 * map, encoded as a byte string. The kernel, the image builder and the library that programs see
 * (argdata.h) all read and write it through this file. It includes nothing of the project, never
 * allocates, keeps no state of its own and takes no lock: any context may call it.
 *
 * A value's length comes from outside: from the auxiliary vector or a message frame for a root,
 * from a length prefix inside a container. Nothing is validated ahead; every getter checks what
 * it is asked for. Encoding: section 10 of the semantics reference.
 */
#ifndef ARGDATA_CODEC_H
#define ARGDATA_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ad_type {               /* the first byte of a value; others may occur and are carried along */
               AD_NULL = -1, /* a value without any byte */
               AD_BINARY = 1,
               AD_BOOL = 2,
               AD_FD = 3,
               AD_FLOAT = 4,
               AD_INT = 5,
               AD_MAP = 6,
               AD_SEQ = 7,
               AD_STR = 8,
               AD_TIMESTAMP = 9,
};

enum ad_error {
  AD_OK = 0,
  AD_INVALID,  /* of another type, or malformed: EINVAL */
  AD_RANGE,    /* does not fit the result: ERANGE */
  AD_ENCODING, /* a string that is not UTF-8: EILSEQ */
};

/* One encoded value. The bytes belong to whoever holds the buffer. */
struct ad_value {
  const uint8_t *bytes;
  size_t length;
};

/* Seconds since 1970-01-01T00:00Z, rounded down, and the rest: 0 to 999,999,999 nanoseconds. */
struct ad_timestamp {
  int64_t seconds;
  uint32_t nanoseconds;
};

/* The type byte, or AD_NULL. */
int ad_type(struct ad_value value);

/*
 * Getters. Each stores its result and returns AD_OK, or leaves the result alone and returns an
 * error. Results that are pointers point into the value.
 */
enum ad_error ad_get_binary(struct ad_value value, const void **data, size_t *length);
enum ad_error ad_get_bool(struct ad_value value, bool *result);
enum ad_error ad_get_fd(struct ad_value value, uint32_t *index);
/* The bits of an IEEE 754 double: the kernel does not touch floating-point registers. */
enum ad_error ad_get_float_bits(struct ad_value value, uint64_t *bits);
enum ad_error ad_get_int_s(struct ad_value value, int64_t *result);
enum ad_error ad_get_int_u(struct ad_value value, uint64_t *result);
/* The length leaves out the final NUL; NULs inside are allowed. */
enum ad_error ad_get_str(struct ad_value value, const char **text, size_t *length);
/* As ad_get_str, but a NUL inside is AD_INVALID: the text is a C string. */
enum ad_error ad_get_cstr(struct ad_value value, const char **text);
enum ad_error ad_get_timestamp(struct ad_value value, struct ad_timestamp *result);

/* Walking over the elements of a sequence, or over the keys and values of a map. */
struct ad_iter {
  const uint8_t *next;
  const uint8_t *end;
};

enum ad_step {
  AD_END,    /* nothing is left */
  AD_MORE,   /* an element was stored */
  AD_BROKEN, /* the rest is malformed; those before it were good */
};

/* Prepares a walk over a value of the given type (AD_SEQ or AD_MAP); AD_INVALID when it is not. */
enum ad_error ad_iter_begin(struct ad_iter *iter, struct ad_value container, int type);

/* The next subfield: an element of a sequence, or alternately a key and a value of a map. */
enum ad_step ad_iter_next(struct ad_iter *iter, struct ad_value *element);

/* The next entry of a map. A key without a value is AD_BROKEN. */
enum ad_step ad_iter_pair(struct ad_iter *iter, struct ad_value *key, struct ad_value *value);

/*
 * Looks a string key up in a map. When it occurs more than once the last one counts, as ARPC wants
 * it. False when there is none or the value is not a map.
 */
bool ad_map_find(struct ad_value map, const char *key, struct ad_value *value);

/* Whether the text is well-formed UTF-8: no overlong form, no surrogate, nothing past U+10FFFF. */
bool ad_utf8_valid(const char *text, size_t length);

/*
 * Writing. The writer fills the caller's buffer and counts: past the capacity nothing is stored,
 * but the length still grows, so a first pass with capacity 0 (buffer may be NULL) measures. A
 * value is written either as the root or, between an open and its close, as a subfield with its
 * length in front. One root value per writer.
 */
struct ad_writer {
  uint8_t *buffer;
  size_t capacity;
  size_t length; /* bytes of the encoding so far; SIZE_MAX when it cannot be represented */
  unsigned depth;
};

void ad_writer_init(struct ad_writer *writer, void *buffer, size_t capacity);

/* Whether everything went into the buffer. */
bool ad_writer_fits(const struct ad_writer *writer);

void ad_put_null(struct ad_writer *writer);
void ad_put_binary(struct ad_writer *writer, const void *data, size_t length);
void ad_put_bool(struct ad_writer *writer, bool value);
void ad_put_fd(struct ad_writer *writer, uint32_t index);
void ad_put_float_bits(struct ad_writer *writer, uint64_t bits);
void ad_put_int_s(struct ad_writer *writer, int64_t value);
void ad_put_int_u(struct ad_writer *writer, uint64_t value);
/* The text must be UTF-8 (ad_utf8_valid); the final NUL is added. */
void ad_put_str(struct ad_writer *writer, const char *text, size_t length);
void ad_put_cstr(struct ad_writer *writer, const char *text);
/* Nanoseconds must be below 10^9. */
void ad_put_timestamp(struct ad_writer *writer, struct ad_timestamp value);
/* A value that is encoded already. */
void ad_put_value(struct ad_writer *writer, struct ad_value value);

/* Opens a container of type AD_MAP or AD_SEQ; the result is what ad_close wants. */
size_t ad_open(struct ad_writer *writer, int type);
void ad_close(struct ad_writer *writer, size_t mark);

/* How many bytes the length prefix of a subfield of that many bytes takes, and its encoding. */
#define AD_PREFIX_MAX 10
size_t ad_prefix_size(size_t length);
size_t ad_prefix_encode(size_t length, uint8_t prefix[AD_PREFIX_MAX]);

#endif
