/*
 * Writes device trees for tests: nodes and properties one after the other, then make().
 */
#ifndef TESTS_HOST_FDT_WRITER_H
#define TESTS_HOST_FDT_WRITER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint8_t nodes[4096], strings[512];
static size_t nodes_len, strings_len;

static void put32(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 24);
  p[1] = (uint8_t)(v >> 16);
  p[2] = (uint8_t)(v >> 8);
  p[3] = (uint8_t)v;
}

static void word(uint32_t v) {
  put32(nodes + nodes_len, v);
  nodes_len += 4;
}

static void bytes(const void *p, size_t n) {
  memcpy(nodes + nodes_len, p, n);
  memset(nodes + nodes_len + n, 0, 4);
  nodes_len += (n + 3) & ~(size_t)3;
}

static void begin(const char *name) {
  word(1);
  bytes(name, strlen(name) + 1);
}

static void end(void) {
  word(2);
}

static void prop(const char *name, const void *value, size_t n) {
  word(3);
  word((uint32_t)n);
  word((uint32_t)strings_len);
  bytes(value, n);
  strcpy((char *)strings + strings_len, name);
  strings_len += strlen(name) + 1;
}

static void prop_words(const char *name, size_t n, const uint32_t *values) {
  uint8_t value[256];
  for (size_t i = 0; i < n; i++)
    put32(value + 4 * i, values[i]);
  prop(name, value, 4 * n);
}
#define WORDS(name, ...) \
  prop_words(name, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (const uint32_t[]){__VA_ARGS__})

/* header, nodes, strings in one block of exactly `*size` bytes. */
static uint8_t *make(size_t *size) {
  *size = 40 + nodes_len + strings_len;
  uint8_t *blob = calloc(1, *size);
  const uint32_t header[10] = {
      0xd00dfeed, 1 << 20, 40, (uint32_t)(40 + nodes_len), 40,
      17,         16,      0,  (uint32_t)strings_len,      (uint32_t)nodes_len};
  for (size_t i = 0; i < 10; i++)
    put32(blob + 4 * i, header[i]);
  memcpy(blob + 40, nodes, nodes_len);
  memcpy(blob + 40 + nodes_len, strings, strings_len);
  return blob;
}

#endif
