/*
 * All system calls as a table: what the tests that go through all of them see of each.
 */
#ifndef TESTS_GUEST_ABI_TABLE_H
#define TESTS_GUEST_ABI_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_ARGS_MAX 7

struct table_call {
  const char *name;
  unsigned count; /* of arguments */
  /* As the list of calls spells them: "fd_t", "fd"; "const struct iovec *", "iovs". */
  const char *type[TABLE_ARGS_MAX], *arg[TABLE_ARGS_MAX];
  /* Takes every argument as a register has it. */
  uint16_t (*call)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
};

extern const struct table_call table[];
extern const size_t table_count;

/* NULL: there is no such call. */
const struct table_call *table_find(const char *name);

static inline uint16_t table_make(const struct table_call *c, const uint64_t a[TABLE_ARGS_MAX]) {
  return c->call(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
}

#endif
