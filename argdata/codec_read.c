/*
 * Reading argdata: the getters and the walk over containers of codec.h. The bytes may come from
 * anyone, so every length is checked against what is left. Section 10 of the semantics reference.
 *
 * The memory functions go by their built-in names: the kernel has no <string.h>.
 */
#include "argdata/codec.h"

int ad_type(struct ad_value value) {
  return value.length == 0 ? AD_NULL : value.bytes[0];
}

/* What follows the type byte, when that is the expected one. */
static enum ad_error payload(struct ad_value value, int type, struct ad_value *rest) {
  if (ad_type(value) != type) {
    return AD_INVALID;
  }
  *rest = (struct ad_value){.bytes = value.bytes + 1, .length = value.length - 1};
  return AD_OK;
}

enum ad_error ad_get_binary(struct ad_value value, const void **data, size_t *length) {
  struct ad_value rest;
  if (payload(value, AD_BINARY, &rest) != AD_OK) {
    return AD_INVALID;
  }
  *data = rest.bytes;
  *length = rest.length;
  return AD_OK;
}

enum ad_error ad_get_bool(struct ad_value value, bool *result) {
  struct ad_value rest;
  if (payload(value, AD_BOOL, &rest) != AD_OK) {
    return AD_INVALID;
  }
  if (rest.length > 1 || (rest.length == 1 && rest.bytes[0] != 1)) {
    return AD_INVALID;
  }
  *result = rest.length == 1;
  return AD_OK;
}

static uint64_t big_endian(const uint8_t *bytes, size_t count) {
  uint64_t result = 0;
  for (size_t i = 0; i < count; i++) {
    result = result << 8 | bytes[i];
  }
  return result;
}

enum ad_error ad_get_fd(struct ad_value value, uint32_t *index) {
  struct ad_value rest;
  if (payload(value, AD_FD, &rest) != AD_OK || rest.length != 4) {
    return AD_INVALID;
  }
  *index = (uint32_t)big_endian(rest.bytes, 4);
  return AD_OK;
}

enum ad_error ad_get_float_bits(struct ad_value value, uint64_t *bits) {
  struct ad_value rest;
  if (payload(value, AD_FLOAT, &rest) != AD_OK || rest.length != 8) {
    return AD_INVALID;
  }
  *bits = big_endian(rest.bytes, 8);
  return AD_OK;
}

static bool negative(struct ad_value payload_bytes) {
  return payload_bytes.length > 0 && (payload_bytes.bytes[0] & 0x80) != 0;
}

enum ad_error ad_get_int_s(struct ad_value value, int64_t *result) {
  struct ad_value rest;
  if (payload(value, AD_INT, &rest) != AD_OK) {
    return AD_INVALID;
  }
  if (rest.length > 8) {
    return AD_RANGE;
  }
  uint64_t bits = big_endian(rest.bytes, rest.length);
  if (negative(rest) && rest.length < 8) {
    bits |= ~UINT64_C(0) << (8 * rest.length);
  }
  *result = (int64_t)bits;
  return AD_OK;
}

enum ad_error ad_get_int_u(struct ad_value value, uint64_t *result) {
  struct ad_value rest;
  if (payload(value, AD_INT, &rest) != AD_OK) {
    return AD_INVALID;
  }
  bool leading_zero = rest.length == 9 && rest.bytes[0] == 0;
  if (negative(rest) || (rest.length > 8 && !leading_zero)) {
    return AD_RANGE;
  }
  *result = big_endian(rest.bytes, rest.length);
  return AD_OK;
}

/* The length of the UTF-8 sequence at text, or 0 when it is malformed. */
static size_t utf8_sequence(const uint8_t *text, size_t left) {
  uint8_t lead = text[0];
  if (lead < 0x80) {
    return 1;
  }
  size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || size > left) {
    return 0;
  }
  /* The second byte's bounds keep overlong forms, surrogates and too large ones out. */
  uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (text[1] < low || text[1] > high) {
    return 0;
  }
  for (size_t i = 2; i < size; i++) {
    if ((text[i] & 0xc0) != 0x80) {
      return 0;
    }
  }
  return size;
}

bool ad_utf8_valid(const char *text, size_t length) {
  const uint8_t *bytes = (const uint8_t *)text;
  for (size_t i = 0; i < length;) {
    size_t size = utf8_sequence(bytes + i, length - i);
    if (size == 0) {
      return false;
    }
    i += size;
  }
  return true;
}

enum ad_error ad_get_str(struct ad_value value, const char **text, size_t *length) {
  struct ad_value rest;
  if (payload(value, AD_STR, &rest) != AD_OK || rest.length == 0 ||
      rest.bytes[rest.length - 1] != 0) {
    return AD_INVALID;
  }
  if (!ad_utf8_valid((const char *)rest.bytes, rest.length - 1)) {
    return AD_ENCODING;
  }
  *text = (const char *)rest.bytes;
  *length = rest.length - 1;
  return AD_OK;
}

enum ad_error ad_get_cstr(struct ad_value value, const char **text) {
  const char *found;
  size_t length;
  enum ad_error error = ad_get_str(value, &found, &length);
  if (error != AD_OK) {
    return error;
  }
  if (length > 0 && __builtin_memchr(found, 0, length) != NULL) {
    return AD_INVALID;
  }
  *text = found;
  return AD_OK;
}

/*
 * Divides a number of 96 bits, most significant word first, by 10^9 in place and returns the
 * remainder. By hand, because 128-bit division would want a compiler's run-time library.
 */
static uint32_t divide_by_billion(uint32_t words[3]) {
  uint64_t remainder = 0;
  for (int i = 0; i < 3; i++) {
    uint64_t part = remainder << 32 | words[i];
    words[i] = (uint32_t)(part / 1000000000);
    remainder = part % 1000000000;
  }
  return (uint32_t)remainder;
}

/* Two's complement of a 96-bit number. */
static void negate(uint32_t words[3]) {
  uint64_t carry = 1;
  for (int i = 2; i >= 0; i--) {
    uint64_t sum = (uint64_t)(uint32_t)~words[i] + carry;
    words[i] = (uint32_t)sum;
    carry = sum >> 32;
  }
}

enum ad_error ad_get_timestamp(struct ad_value value, struct ad_timestamp *result) {
  struct ad_value rest;
  if (payload(value, AD_TIMESTAMP, &rest) != AD_OK) {
    return AD_INVALID;
  }
  uint8_t bytes[12];
  if (rest.length > sizeof(bytes)) {
    return AD_RANGE;
  }
  bool below_zero = negative(rest);
  __builtin_memset(bytes, below_zero ? 0xff : 0, sizeof(bytes));
  if (rest.length > 0) {
    __builtin_memcpy(bytes + sizeof(bytes) - rest.length, rest.bytes, rest.length);
  }
  uint32_t words[3];
  for (int i = 0; i < 3; i++) {
    words[i] = (uint32_t)big_endian(bytes + 4 * i, 4);
  }

  /* Divide the magnitude; a negative time is then rounded down to whole seconds. */
  if (below_zero) {
    negate(words);
  }
  uint32_t nanoseconds = divide_by_billion(words);
  uint64_t seconds = (uint64_t)words[1] << 32 | words[2];
  if (below_zero && nanoseconds != 0) {
    nanoseconds = 1000000000 - nanoseconds;
    seconds++;
    words[0] += seconds == 0; /* the carry */
  }
  uint64_t limit = (uint64_t)INT64_MAX + below_zero;
  if (words[0] != 0 || seconds > limit) {
    return AD_RANGE;
  }
  result->seconds = (int64_t)(below_zero ? 0 - seconds : seconds);
  result->nanoseconds = nanoseconds;
  return AD_OK;
}

enum ad_error ad_iter_begin(struct ad_iter *iter, struct ad_value container, int type) {
  struct ad_value rest;
  if (payload(container, type, &rest) != AD_OK) {
    return AD_INVALID;
  }
  *iter = (struct ad_iter){.next = rest.bytes, .end = rest.bytes + rest.length};
  return AD_OK;
}

/* Reads a length prefix: groups of seven bits, the last one marked by its top bit. */
static bool prefix_decode(struct ad_iter *iter, size_t *length) {
  const uint8_t *at = iter->next;
  if (*at == 0) {
    return false; /* a leading group of zero */
  }
  size_t result = 0;
  while (at < iter->end) {
    if (result > SIZE_MAX >> 7) {
      return false;
    }
    result = result << 7 | (*at & 0x7f);
    if ((*at++ & 0x80) != 0) {
      iter->next = at;
      *length = result;
      return true;
    }
  }
  return false;
}

enum ad_step ad_iter_next(struct ad_iter *iter, struct ad_value *element) {
  if (iter->next == iter->end) {
    return AD_END;
  }
  const uint8_t *start = iter->next;
  size_t length;
  if (!prefix_decode(iter, &length) || length > (size_t)(iter->end - iter->next)) {
    iter->next = start; /* stay here: it is broken for good */
    return AD_BROKEN;
  }
  *element = (struct ad_value){.bytes = iter->next, .length = length};
  iter->next += length;
  return AD_MORE;
}

enum ad_step ad_iter_pair(struct ad_iter *iter, struct ad_value *key, struct ad_value *value) {
  struct ad_iter saved = *iter;
  struct ad_value found_key;
  enum ad_step step = ad_iter_next(iter, &found_key);
  if (step != AD_MORE) {
    return step;
  }
  if (ad_iter_next(iter, value) != AD_MORE) {
    *iter = saved;
    return AD_BROKEN;
  }
  *key = found_key;
  return AD_MORE;
}

bool ad_map_find(struct ad_value map, const char *key, struct ad_value *value) {
  struct ad_iter iter;
  if (ad_iter_begin(&iter, map, AD_MAP) != AD_OK) {
    return false;
  }
  bool found = false;
  struct ad_value entry_key, entry_value;
  while (ad_iter_pair(&iter, &entry_key, &entry_value) == AD_MORE) {
    const char *text;
    if (ad_get_cstr(entry_key, &text) == AD_OK && __builtin_strcmp(text, key) == 0) {
      *value = entry_value;
      found = true;
    }
  }
  return found;
}
