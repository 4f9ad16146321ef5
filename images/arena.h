/*
 * Memory of the image builder: what lives until it ends, and byte strings that grow.
 *
 * The builder is a program that runs once, so memory that runs out ends it with a message. The
 * arena is freed as a whole; tests build many configurations in one process.
 */
#ifndef IMAGES_ARENA_H
#define IMAGES_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena {
  struct arena_block *blocks; /* {0}: an empty arena */
};

/* Zeroed memory, aligned for anything. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy with a NUL behind it. */
char *arena_copy(struct arena *arena, const void *bytes, size_t length);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *arena, const char *format,
                                                         ...);
void arena_free(struct arena *arena);

struct buffer {
  uint8_t *bytes; /* {0}: empty */
  size_t length;
  size_t capacity;
};

/* Room for that many more bytes, zeroed and already counted; valid until the buffer grows again. */
uint8_t *buffer_grow(struct buffer *buffer, size_t count);
void buffer_append(struct buffer *buffer, const void *bytes, size_t count);
/* Appends zeroes up to a multiple of `align`. */
void buffer_align(struct buffer *buffer, size_t align);
void buffer_free(struct buffer *buffer);

#endif
