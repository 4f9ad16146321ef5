/*
 * What the units of address spaces share: a machine with some memory, and ways to look into what a
 * program would see.
 */
#ifndef TESTS_HOST_ASPACE_FIXTURE_H
#define TESTS_HOST_ASPACE_FIXTURE_H

#include "tests/host/fake_aspace.h"
#include "kernel/aspace.h"
#include "kernel/cpu.h"
#include "kernel/heap.h"
#include "kernel/list.h"
#include "kernel/mapping.h"
#include "kernel/pagecache.h"

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define RW (PROT_READ | PROT_WRITE)

#ifndef ASPACE_RAM_PAGES
#define ASPACE_RAM_PAGES 30000
#endif

struct cpu cpu_boot;

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  (void)dst, (void)src;
  return n;
}

/* What was logged. */
static char log_text[20000];
void log_printf(enum log_level level, const char *format, ...) {
  (void)level;
  va_list ap;
  va_start(ap, format);
  size_t n = strlen(log_text);
  vsnprintf(log_text + n, sizeof log_text - n, format, ap);
  va_end(ap);
  strcat(log_text, "\n");
}

static int setup(void **state) {
  (void)state;
  ram_init(ASPACE_RAM_PAGES);
  return 0;
}

static struct aspace *create(void) {
  struct aspace *as;
  assert_int_equal(aspace_create(&as), 0);
  return as;
}

/* The page that a program would see at va; NULL: none is present. */
static char *present(struct aspace *as, uintptr_t va) {
  pa_t pa;
  return arch_aspace_query(aspace_arch(as), va, &pa, NULL) ? pa_to_va(pa) : NULL;
}

static inline char *touch(struct aspace *as, uintptr_t va, unsigned access) {
  assert_int_equal(aspace_fault(as, va, access), 0);
  char *p = present(as, va);
  assert_non_null(p);
  return p;
}

static inline uintptr_t map_anon(struct aspace *as, size_t pages, mprot_t prot) {
  uintptr_t va = 0;
  assert_int_equal(aspace_map(as, &va, pages * PAGE_SIZE, prot, RWX, 0, NULL, 0, "anon"), 0);
  return va;
}

static _Alignas(PAGE_SIZE) char file_bytes[21 * PAGE_SIZE];
#define FILE_SIZE (20 * PAGE_SIZE + 100)

#endif
