/* The image builder's memory: arena.h. */
#define _GNU_SOURCE /* vasprintf */
#include "images/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16384

struct arena_block {
  struct arena_block *next;
  size_t used, size;
  _Alignas(16) uint8_t bytes[];
};

static _Noreturn void out_of_memory(void) {
  fputs("mkimage: out of memory\n", stderr);
  exit(1);
}

void *arena_alloc(struct arena *arena, size_t size) {
  if (size > SIZE_MAX / 2) {
    out_of_memory();
  }
  size = (size + 15) & ~(size_t)15;
  struct arena_block *block = arena->blocks;
  if (block == NULL || block->size - block->used < size) {
    size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    block = calloc(1, sizeof(*block) + room);
    if (block == NULL) {
      out_of_memory();
    }
    block->size = room;
    block->next = arena->blocks;
    arena->blocks = block;
  }
  void *result = block->bytes + block->used;
  block->used += size;
  return result;
}

char *arena_copy(struct arena *arena, const void *bytes, size_t length) {
  char *copy = arena_alloc(arena, length + 1);
  if (length > 0) {
    memcpy(copy, bytes, length);
  }
  return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text;
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (length < 0) {
    out_of_memory();
  }
  char *copy = arena_copy(arena, text, (size_t)length);
  free(text);
  return copy;
}

void arena_free(struct arena *arena) {
  while (arena->blocks != NULL) {
    struct arena_block *block = arena->blocks;
    arena->blocks = block->next;
    free(block);
  }
}

uint8_t *buffer_grow(struct buffer *buffer, size_t count) {
  if (count > SIZE_MAX / 4 - buffer->length) {
    out_of_memory();
  }
  size_t end = buffer->length + count;
  if (end > buffer->capacity) {
    size_t capacity = buffer->capacity == 0 ? 4096 : buffer->capacity;
    while (capacity < end) {
      capacity *= 2;
    }
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL) {
      out_of_memory();
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
  }
  uint8_t *result = buffer->bytes + buffer->length;
  memset(result, 0, count);
  buffer->length = end;
  return result;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t count) {
  if (count > 0) {
    memcpy(buffer_grow(buffer, count), bytes, count);
  }
}

void buffer_align(struct buffer *buffer, size_t align) {
  size_t past = buffer->length % align;
  if (past != 0) {
    buffer_grow(buffer, align - past);
  }
}

void buffer_free(struct buffer *buffer) {
  free(buffer->bytes);
  *buffer = (struct buffer){0};
}
