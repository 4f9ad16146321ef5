/*
 * Encoding argdata values: the serialisers of argdata.h. Called by programs and host tools.
 *
 * Encoded parts are copied as they are, unknown types and malformed rests included; only the
 * descriptors in them are rewritten. Section 10.5 of the semantics reference. The recursion is as
 * deep as the value.
 */
#include "argdata/value.h"

#include <string.h>

/* The next subfield of an encoded container, whatever it is; false at the end. */
static bool next_child(struct ad_iter *iter, const argdata_t *parent, argdata_t *child) {
  struct ad_value field;
  if (ad_iter_next(iter, &field) != AD_MORE) {
    return false;
  }
  *child = value_child(parent, field);
  return true;
}

static bool begin_children(struct ad_iter *iter, const argdata_t *value) {
  struct ad_value encoded = value_encoded(value);
  return ad_iter_begin(iter, encoded, AD_MAP) == AD_OK ||
         ad_iter_begin(iter, encoded, AD_SEQ) == AD_OK;
}

static size_t count_fds(const argdata_t *value) {
  size_t count = 0;
  if (value->kind == VALUE_BYTES) {
    int fd;
    struct ad_iter iter;
    argdata_t child;
    if (value_fd(value, &fd) == 0) {
      return 1;
    }
    if (begin_children(&iter, value)) {
      while (next_child(&iter, value, &child)) {
        count += count_fds(&child);
      }
    }
  } else if (value->kind == VALUE_MAP || value->kind == VALUE_SEQ) {
    for (size_t i = 0; i < value->list.count; i++) {
      count += value->list.keys != NULL ? count_fds(value->list.keys[i]) : 0;
      count += count_fds(value->list.values[i]);
    }
  }
  return count;
}

void argdata_serialized_length(const argdata_t *value, size_t *length, size_t *fd_count) {
  *length = value->length;
  if (fd_count != NULL) {
    *fd_count = count_fds(value);
  }
}

struct fd_table {
  int *fds; /* NULL: descriptors are written as they are */
  size_t count;
};

static uint32_t table_index(struct fd_table *table, int fd) {
  if (fd < 0) {
    return UINT32_MAX;
  }
  if (table->fds == NULL) {
    return (uint32_t)fd;
  }
  size_t i = 0;
  while (i < table->count && table->fds[i] != fd) {
    i++;
  }
  if (i == table->count) {
    table->fds[table->count++] = fd;
  }
  return (uint32_t)i;
}

/* Rewrites the descriptors in a copy of `value` that begins at `copy`. */
static void rewrite_fds(const argdata_t *value, uint8_t *copy, struct fd_table *table) {
  int fd;
  struct ad_iter iter;
  argdata_t child;
  if (value_fd(value, &fd) == 0) {
    uint32_t index = table_index(table, fd);
    for (int i = 4; i > 0; i--, index >>= 8) {
      copy[i] = (uint8_t)index;
    }
  } else if (begin_children(&iter, value)) {
    while (next_child(&iter, value, &child)) {
      if (child.length > 0) {
        rewrite_fds(&child, copy + (child.bytes.data - value->bytes.data), table);
      }
    }
  }
}

static void encode(const argdata_t *value, uint8_t *at, struct fd_table *table);

static uint8_t *encode_subfield(const argdata_t *value, uint8_t *at, struct fd_table *table) {
  uint8_t prefix[AD_PREFIX_MAX];
  size_t size = ad_prefix_encode(value->length, prefix);
  memcpy(at, prefix, size);
  encode(value, at + size, table);
  return at + size + value->length;
}

static void encode(const argdata_t *value, uint8_t *at, struct fd_table *table) {
  if (value->length == 0) {
    return;
  }
  if (value->kind == VALUE_BYTES) {
    memcpy(at, value->bytes.data, value->length);
    rewrite_fds(value, at, table);
  } else if (value->kind == VALUE_BINARY || value->kind == VALUE_STR) {
    at[value->length - 1] = 0; /* the NUL of a string */
    at[0] = value->kind == VALUE_STR ? AD_STR : AD_BINARY;
    if (value->given.length > 0) {
      memcpy(at + 1, value->given.data, value->given.length);
    }
  } else {
    *at++ = value->kind == VALUE_MAP ? AD_MAP : AD_SEQ;
    for (size_t i = 0; i < value->list.count; i++) {
      if (value->list.keys != NULL) {
        at = encode_subfield(value->list.keys[i], at, table);
      }
      at = encode_subfield(value->list.values[i], at, table);
    }
  }
}

size_t argdata_serialize(const argdata_t *value, void *buffer, int *fds) {
  struct fd_table table = {.fds = fds};
  encode(value, buffer, &table);
  return table.count;
}

void argdata_get_buffer_length(const argdata_t *value, size_t *length, size_t *fd_count) {
  argdata_serialized_length(value, length, fd_count);
}

size_t argdata_get_buffer(const argdata_t *value, void *buffer, int *fds) {
  return argdata_serialize(value, buffer, fds);
}
