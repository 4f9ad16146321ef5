/*
 * Texts of scalars to values: the parsers that typing.c chooses from, and those of attributes. Each
 * takes the whole text, which may contain NULs, and says whether it is one of its kind.
 * docs/configuration.md has the forms.
 */
#ifndef IMAGES_SCALARS_H
#define IMAGES_SCALARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "argdata/codec.h"

enum parsed {
  PARSED,
  NOT_PARSED, /* another form altogether */
  TOO_LARGE,  /* the right form, a value that cannot be represented */
};

bool scalar_is_null(const char *text, size_t length);

/* true and false in three spellings each. */
enum parsed scalar_bool(const char *text, size_t length, bool *value);
/* Also y, yes, on, n, no, off, as an explicit !!bool may be written. */
enum parsed scalar_bool_word(const char *text, size_t length, bool *value);

/* Decimal with an optional sign, 0o octal, 0x hexadecimal; -2^63 to 2^64 - 1. */
struct scalar_int {
  bool negative;
  uint64_t bits; /* two's complement when negative */
};
enum parsed scalar_int(const char *text, size_t length, struct scalar_int *value);

/* A number of bytes: decimal digits, and K, M or G (of 1024) behind them if wanted, then B or iB.
 */
enum parsed scalar_size(const char *text, size_t length, uint64_t *bytes);

/* The numbers of YAML 1.2's core schema, integers included, .inf and .nan. */
enum parsed scalar_float(const char *text, size_t length, double *value);

/* YYYY-MM-DD, or that and a time of day with fraction and zone; UTC when no zone is given. */
enum parsed scalar_timestamp(const char *text, size_t length, struct ad_timestamp *value);

/* Base64; blanks and line ends are skipped, padding is optional. The result needs 3/4 of the length
 * as room. */
enum parsed scalar_base64(const char *text, size_t length, uint8_t *bytes, size_t *count);

#endif
