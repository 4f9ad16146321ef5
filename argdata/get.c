/*
 * Reading argdata values: the getters of argdata.h over the codec. Called by programs and host
 * tools. Errors: sections 10.1 to 10.6 of the semantics reference.
 */
#include "argdata/value.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static int error_number(enum ad_error error) {
  switch (error) {
    case AD_OK:
      return 0;
    case AD_RANGE:
      return ERANGE;
    case AD_ENCODING:
      return EILSEQ;
    case AD_INVALID:
      break;
  }
  return EINVAL;
}

int argdata_get_binary(const argdata_t *value, const void **data, size_t *length) {
  if (value->kind == VALUE_BINARY) {
    *data = value->given.data;
    *length = value->given.length;
    return 0;
  }
  if (value->kind != VALUE_BYTES) {
    return EINVAL;
  }
  return error_number(ad_get_binary(value_encoded(value), data, length));
}

int argdata_get_bool(const argdata_t *value, bool *result) {
  if (value->kind != VALUE_BYTES) {
    return EINVAL;
  }
  return error_number(ad_get_bool(value_encoded(value), result));
}

int value_fd(const argdata_t *value, int *fd) {
  uint32_t index;
  if (value->kind != VALUE_BYTES || ad_get_fd(value_encoded(value), &index) != AD_OK) {
    return EINVAL;
  }
  *fd = -1;
  if (value->bytes.convert_fd != NULL) {
    *fd = value->bytes.convert_fd(value->bytes.convert_arg, index);
  }
  return 0;
}

int argdata_get_fd(const argdata_t *value, int *fd) {
  int found;
  int error = value_fd(value, &found);
  if (error != 0) {
    return error;
  }
  if (found < 0) {
    return EBADF;
  }
  *fd = found;
  return 0;
}

int argdata_get_float(const argdata_t *value, double *result) {
  uint64_t bits;
  if (value->kind != VALUE_BYTES || ad_get_float_bits(value_encoded(value), &bits) != AD_OK) {
    return EINVAL;
  }
  memcpy(result, &bits, sizeof(bits));
  return 0;
}

int argdata_get_int_s(const argdata_t *value, intmax_t *result, intmax_t min, intmax_t max) {
  if (value->kind != VALUE_BYTES) {
    return EINVAL;
  }
  int64_t number;
  enum ad_error error = ad_get_int_s(value_encoded(value), &number);
  if (error != AD_OK) {
    return error_number(error);
  }
  if (number < min || number > max) {
    return ERANGE;
  }
  *result = number;
  return 0;
}

int argdata_get_int_u(const argdata_t *value, uintmax_t *result, uintmax_t max) {
  if (value->kind != VALUE_BYTES) {
    return EINVAL;
  }
  uint64_t number;
  enum ad_error error = ad_get_int_u(value_encoded(value), &number);
  if (error != AD_OK) {
    return error_number(error);
  }
  if (number > max) {
    return ERANGE;
  }
  *result = number;
  return 0;
}

int argdata_get_str(const argdata_t *value, const char **text, size_t *length) {
  if (value->kind == VALUE_STR) {
    *text = value->given.data;
    *length = value->given.length;
    return 0;
  }
  if (value->kind != VALUE_BYTES) {
    return EINVAL;
  }
  return error_number(ad_get_str(value_encoded(value), text, length));
}

int argdata_get_str_c(const argdata_t *value, const char **text) {
  const char *found;
  size_t length;
  int error = argdata_get_str(value, &found, &length);
  if (error != 0) {
    return error;
  }
  if (length > 0 && memchr(found, 0, length) != NULL) {
    return EINVAL;
  }
  *text = found;
  return 0;
}

int argdata_get_timestamp(const argdata_t *value, struct timespec *result) {
  if (value->kind != VALUE_BYTES) {
    return EINVAL;
  }
  struct ad_timestamp time;
  enum ad_error error = ad_get_timestamp(value_encoded(value), &time);
  if (error != AD_OK) {
    return error_number(error);
  }
  if ((time_t)time.seconds != time.seconds) {
    return ERANGE;
  }
  *result = (struct timespec){.tv_sec = (time_t)time.seconds, .tv_nsec = time.nanoseconds};
  return 0;
}
