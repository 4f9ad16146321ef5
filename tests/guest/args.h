/*
 * The argument data of a test program: a map with string keys.
 */
#ifndef TESTS_GUEST_ARGS_H
#define TESTS_GUEST_ARGS_H

#include <argdata.h>
#include <stdlib.h>
#include <string.h>

/* The value of a key; NULL without it. */
static inline const argdata_t *arg_if(const argdata_t *ad, const char *name) {
  argdata_map_iterator_t it;
  const argdata_t *key, *value;
  const char *text;
  argdata_map_iterate(ad, &it);
  for (; argdata_map_get(&it, &key, &value); argdata_map_next(&it)) {
    if (argdata_get_str_c(key, &text) == 0 && strcmp(text, name) == 0)
      return value;
  }
  return NULL;
}

/* The value of a key; the test is wrong without it. */
static inline const argdata_t *arg(const argdata_t *ad, const char *name) {
  const argdata_t *value = arg_if(ad, name);
  if (value == NULL)
    abort();
  return value;
}

static inline int arg_fd(const argdata_t *ad, const char *name) {
  int fd;
  if (argdata_get_fd(arg(ad, name), &fd) != 0)
    abort();
  return fd;
}

static inline int arg_int(const argdata_t *ad, const char *name) {
  int value;
  if (argdata_get_int(arg(ad, name), &value) != 0)
    abort();
  return value;
}

static inline const char *arg_str(const argdata_t *ad, const char *name) {
  const char *text;
  if (argdata_get_str_c(arg(ad, name), &text) != 0)
    abort();
  return text;
}

#endif
