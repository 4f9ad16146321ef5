/*
 * Raw traps, with all registers in view: number and arguments go in, results, the carry flag and
 * what became of the other registers come out. Reference 1.7, 9.3.
 */
#ifndef TESTS_GUEST_ABI_TRAPS_H
#define TESTS_GUEST_ABI_TRAPS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../check.h"
#include "machine.h"

struct trap {
  uint64_t before[TRAP_REGISTERS], after[TRAP_REGISTERS];
  uint64_t flags_before, flags_after;
};

_Static_assert(offsetof(struct trap, flags_before) == TRAP_FLAGS, "traps.S");

void trap_now(struct trap *t); /* ARCH/traps.S */

struct trap_answer {
  uint64_t result[2];
  bool carry, kept; /* kept: all registers but those of results */
};

/* `results`: how many registers may change. The carry flag is the opposite before. */
static inline struct trap_answer trap_call(unsigned results, bool carry_before, uint64_t number,
                                           const uint64_t arguments[6]) {
  struct trap t;
  struct trap_answer a = {.kept = true};
  for (unsigned i = 0; i < TRAP_REGISTERS; i++)
    t.before[i] = 0x5e5e00005e5e0000 + i;
  for (unsigned i = 0; i < 6; i++)
    t.before[trap_arguments[i]] = arguments[i];
  t.before[TRAP_NUMBER] = number;
  t.flags_before = TRAP_FLAGS_BASE | (carry_before ? TRAP_CARRY : 0);
  trap_now(&t);
  for (unsigned i = 0; i < TRAP_REGISTERS; i++) {
    bool result = i == trap_results[0] || (i == trap_results[1] && results == 2);
    if (!result && !TRAP_MAY_CHANGE(i) && t.after[i] != t.before[i])
      a.kept = false;
  }
  a.result[0] = t.after[trap_results[0]];
  a.result[1] = t.after[trap_results[1]];
  a.carry = (t.flags_after & TRAP_CARRY) != 0;
  return a;
}

/* An argument of any type; six of them. */
#define TRAP_ARGUMENTS(...) ((const uint64_t[6]){__VA_ARGS__})
#define P(pointer) ((uintptr_t)(pointer))

/* A call that works, with so many results. Returns them. */
static inline struct trap_answer trap_ok(const char *name, unsigned results, uint64_t number,
                                         const uint64_t arguments[6]) {
  struct trap_answer a = trap_call(results, true, number, arguments);
  char what[80];
  snprintf(what, sizeof(what), "%s: works", name);
  check_err("raw", what, a.carry ? (unsigned)a.result[0] : 0, 0);
  if (results == 0) {
    snprintf(what, sizeof(what), "%s: its result is 0", name);
    check_eq("raw", what, a.result[0], 0);
  }
  snprintf(what, sizeof(what), "%s: keeps the other registers", name);
  check("raw", what, a.kept);
  return a;
}

/* One that fails. */
static inline void trap_fails(const char *name, unsigned error, uint64_t number,
                              const uint64_t arguments[6]) {
  struct trap_answer a = trap_call(0, false, number, arguments);
  char what[80];
  snprintf(what, sizeof(what), "%s: %s, with the carry flag", name, check_errno_name(error));
  check_err("raw", what, a.carry ? (unsigned)a.result[0] : 0, error);
  snprintf(what, sizeof(what), "%s: %s, and the other registers as they were", name,
           check_errno_name(error));
  check("raw", what, a.kept);
}

#endif
