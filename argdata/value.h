/*
 * What an argdata_t is, for the files of the library itself (argdata.h is for programs).
 *
 * A value either lies encoded somewhere (VALUE_BYTES: a caller's buffer, or `own` for numbers) or
 * refers to what the program gave (the other kinds), and is encoded when it is serialised.
 */
#ifndef ARGDATA_VALUE_H
#define ARGDATA_VALUE_H

#include "argdata/argdata.h"
#include "argdata/codec.h"

enum value_kind {
  VALUE_BYTES,  /* encoded already */
  VALUE_BINARY, /* the program's bytes */
  VALUE_STR,    /* the program's text, checked to be UTF-8 */
  VALUE_MAP,
  VALUE_SEQ,
};

struct argdata_t {
  enum value_kind kind;
  size_t length; /* of the encoding */
  union {
    struct {
      const uint8_t *data;
      int (*convert_fd)(void *arg, size_t index);
      void *convert_arg;
    } bytes;
    struct {
      const void *data;
      size_t length;
    } given; /* binary and str */
    struct {
      const argdata_t *const *keys; /* NULL for a sequence */
      const argdata_t *const *values;
      size_t count;
    } list;
  };
};

static inline struct ad_value value_encoded(const argdata_t *value) {
  return (struct ad_value){.bytes = value->bytes.data, .length = value->length};
}

/* A subfield of an encoded value: it converts descriptors as its parent does. */
static inline argdata_t value_child(const argdata_t *parent, struct ad_value field) {
  argdata_t child = *parent;
  child.length = field.length;
  child.bytes.data = field.bytes;
  return child;
}

/* The descriptor in an encoded fd value, or -1. EINVAL when it is not one. */
int value_fd(const argdata_t *value, int *fd);

#endif
