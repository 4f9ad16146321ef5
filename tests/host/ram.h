/*
 * Memory for units that need kernel/page.c: a piece of the host's, told as RAM to page_init(), and
 * a panic() that a test can expect.
 */
#ifndef TESTS_HOST_RAM_H
#define TESTS_HOST_RAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/bootinfo.h"
#include "kernel/log.h"
#include "kernel/page.h"

/* <sys/mman.h> has names of the ABI's in it. */
void *mmap(void *addr, size_t size, int prot, int flags, int fd, long offset);
int munmap(void *addr, size_t size);
int mincore(void *addr, size_t size, unsigned char *resident);

/* Memory that takes none before it is touched. */
static inline char *host_reserve(size_t size) {
  const int read_write = 3, private_anonymous_noreserve = 0x4022;
  char *p = mmap(NULL, size, read_write, private_anonymous_noreserve, -1, 0);
  assert_true(p != (char *)-1);
  return p;
}

static jmp_buf panic_jump;
static bool panic_expected;
static char panic_text[256];

static _Noreturn void panic_take(const char *format, va_list ap) {
  vsnprintf(panic_text, sizeof panic_text, format, ap);
  if (!panic_expected) {
    fprintf(stderr, "panic: %s\n", panic_text);
    abort();
  }
  panic_expected = false;
  longjmp(panic_jump, 1);
}

void panic(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  panic_take(format, ap);
}

void boot_fail(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  panic_take(format, ap);
}

/* Fails the test unless the statement panics. */
#define assert_panics(statement)            \
  do {                                      \
    panic_expected = true;                  \
    if (setjmp(panic_jump) == 0) {          \
      statement;                            \
      panic_expected = false;               \
      fail_msg("no panic: %s", #statement); \
    }                                       \
  } while (0)

static struct bootinfo ram_boot;
static char *ram_base; /* aligned to the largest block; behind it RAM_MAX bytes, not touched yet */
#define RAM_MAX (512ul << 20)

/* Forgets all ranges. */
static inline void ram_reset(void) {
  if (ram_base != NULL)
    munmap(ram_base, RAM_MAX);
  size_t align = PAGE_SIZE << PAGE_ORDER_MAX;
  char *p = host_reserve(RAM_MAX + align);
  ram_base = (char *)(((uintptr_t)p + align - 1) & ~(align - 1));
  if (ram_base > p)
    munmap(p, (size_t)(ram_base - p));
  munmap(ram_base + RAM_MAX, (size_t)(p + RAM_MAX + align - (ram_base + RAM_MAX)));
  ram_boot.ram_count = 0;
}

/* A range of RAM by page numbers from ram_base. */
static inline void ram_add(size_t first, size_t pages) {
  struct boot_range *r = &ram_boot.ram[ram_boot.ram_count++];
  r->start_pa = (uintptr_t)ram_base + first * PAGE_SIZE;
  r->size_bytes = pages * PAGE_SIZE;
}

/* One range of so many pages, taken over by page.c. */
static inline void ram_init(size_t pages) {
  ram_reset();
  ram_add(1, pages);
  page_init(&ram_boot);
}

/* The same numbers in every run. */
static uint64_t ram_seed = 88172645463325252ull;
static inline uint32_t ram_random(uint32_t below) {
  ram_seed ^= ram_seed << 13;
  ram_seed ^= ram_seed >> 7;
  ram_seed ^= ram_seed << 17;
  return (uint32_t)((ram_seed >> 20) % below);
}

#endif
