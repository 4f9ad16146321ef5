/* The typing of scalars: typing.h. */
#include "images/typing.h"

#include <string.h>

#include "images/scalars.h"

#define INTEGER_RANGE "-9223372036854775808 to 18446744073709551615"
#define BOOLEAN_WORDS "true, yes, on, y, false, no, off, n"
#define TIMESTAMP_FORMS \
  "YYYY-MM-DD or YYYY-MM-DDThh:mm:ss, with .fraction and Z or +hh:mm if wanted"
#define SCALAR_TAGS "!!binary, !!bool, !!float, !!int, !!null, !!str, !!timestamp"

struct typing {
  struct arena *arena;
  struct report *report;
  struct node *node;
};

/* Encodes a value: measured first, then written. */
#define ENCODE(typing, put, ...)                                        \
  do {                                                                  \
    struct ad_writer writer;                                            \
    ad_writer_init(&writer, NULL, 0);                                   \
    put(&writer, __VA_ARGS__);                                          \
    size_t encoded_length = writer.length;                              \
    void *encoded = arena_alloc((typing)->arena, encoded_length);       \
    ad_writer_init(&writer, encoded, encoded_length);                   \
    put(&writer, __VA_ARGS__);                                          \
    (typing)->node->value = (struct ad_value){encoded, encoded_length}; \
  } while (0)

static bool wrong(struct typing *typing, const char *what, const char *accepted) {
  return report_at(typing->report, typing->node->at, "%s %s; accepted: %s",
                   report_quote(typing->node->text, typing->node->length).text, what, accepted);
}

static bool put_str(struct typing *typing) {
  ENCODE(typing, ad_put_str, typing->node->text, typing->node->length);
  return true;
}

static bool put_null(struct typing *typing) {
  typing->node->value = (struct ad_value){0};
  return true;
}

static bool put_bool(struct typing *typing, bool value) {
  ENCODE(typing, ad_put_bool, value);
  return true;
}

static bool put_int(struct typing *typing, struct scalar_int value) {
  if (value.negative) {
    ENCODE(typing, ad_put_int_s, (int64_t)value.bits);
  } else {
    ENCODE(typing, ad_put_int_u, value.bits);
  }
  return true;
}

static bool put_float(struct typing *typing, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  ENCODE(typing, ad_put_float_bits, bits);
  return true;
}

static bool int_too_large(struct typing *typing) {
  return wrong(typing, "is too large an integer", INTEGER_RANGE ", or quotes for a string");
}

static bool float_too_large(struct typing *typing) {
  return wrong(typing, "is too large a number", "what a double can hold, or quotes for a string");
}

static bool type_bool(struct typing *typing) {
  bool value;
  if (scalar_bool_word(typing->node->text, typing->node->length, &value) != PARSED) {
    return wrong(typing, "is not a boolean", BOOLEAN_WORDS);
  }
  return put_bool(typing, value);
}

static bool type_int(struct typing *typing) {
  struct scalar_int value;
  switch (scalar_int(typing->node->text, typing->node->length, &value)) {
    case PARSED:
      return put_int(typing, value);
    case TOO_LARGE:
      return wrong(typing, "is too large an integer", INTEGER_RANGE);
    default:
      return wrong(typing, "is not an integer", "decimal, 0o octal or 0x hexadecimal digits");
  }
}

static bool type_float(struct typing *typing) {
  double value;
  switch (scalar_float(typing->node->text, typing->node->length, &value)) {
    case PARSED:
      return put_float(typing, value);
    case TOO_LARGE:
      return wrong(typing, "is too large a number", "what a double can hold");
    default:
      return wrong(typing, "is not a number",
                   "decimal digits, with .fraction and e+exponent, .inf "
                   "or .nan");
  }
}

static bool type_binary(struct typing *typing) {
  uint8_t *bytes = arena_alloc(typing->arena, typing->node->length);
  size_t count;
  if (scalar_base64(typing->node->text, typing->node->length, bytes, &count) != PARSED) {
    return wrong(typing, "is not base64", "A-Z, a-z, 0-9, + and /, in groups of four");
  }
  ENCODE(typing, ad_put_binary, bytes, count);
  return true;
}

static bool type_timestamp(struct typing *typing) {
  struct ad_timestamp value;
  if (scalar_timestamp(typing->node->text, typing->node->length, &value) != PARSED) {
    return wrong(typing, "is not a timestamp", TIMESTAMP_FORMS);
  }
  ENCODE(typing, ad_put_timestamp, value);
  return true;
}

/* A plain scalar: null, boolean, integer, float, and a string if none of them. */
static bool type_plain(struct typing *typing) {
  const char *text = typing->node->text;
  size_t length = typing->node->length;
  bool truth;
  struct scalar_int integer;
  double number;
  if (scalar_is_null(text, length)) {
    return put_null(typing);
  }
  if (scalar_bool(text, length, &truth) == PARSED) {
    return put_bool(typing, truth);
  }
  switch (scalar_int(text, length, &integer)) {
    case PARSED:
      return put_int(typing, integer);
    case TOO_LARGE:
      return int_too_large(typing);
    case NOT_PARSED:
      break;
  }
  switch (scalar_float(text, length, &number)) {
    case PARSED:
      return put_float(typing, number);
    case TOO_LARGE:
      return float_too_large(typing);
    case NOT_PARSED:
      break;
  }
  return put_str(typing);
}

static const struct {
  const char *tag;
  bool (*type)(struct typing *typing);
} scalar_tags[] = {
    {"binary", type_binary}, {"bool", type_bool}, {"float", type_float},         {"int", type_int},
    {"null", put_null},      {"str", put_str},    {"timestamp", type_timestamp},
};

bool typing_scalar(struct arena *arena, struct report *report, struct node *node) {
  struct typing typing = {.arena = arena, .report = report, .node = node};
  if (node->tag == NULL) {
    return node->plain ? type_plain(&typing) : put_str(&typing);
  }
  if (strcmp(node->tag, "!") == 0) {
    return put_str(&typing);
  }
  const char *name = node->tag + strlen(TAG_YAML);
  for (size_t i = 0; i < sizeof(scalar_tags) / sizeof(scalar_tags[0]); i++) {
    if (strcmp(name, scalar_tags[i].tag) == 0) {
      return scalar_tags[i].type(&typing);
    }
  }
  return report_at(report, node->at, "tag !!%.60s on a scalar; accepted: " SCALAR_TAGS, name);
}

bool typing_container(struct report *report, const struct node *node) {
  bool map = node->kind == NODE_MAP;
  const char *wanted = map ? "map" : "seq";
  const char *name = node->tag + strlen(TAG_YAML);
  if (strcmp(name, wanted) == 0) {
    return true;
  }
  return report_at(report, node->at, "tag !!%.60s on a %s; accepted: !!%s", name,
                   map ? "map" : "sequence", wanted);
}
