/*
 * What the tests of tests/guest/abi need to know of aarch64: the state in which a thread starts.
 */
#ifndef TESTS_GUEST_MACHINE_H
#define TESTS_GUEST_MACHINE_H

/* Offsets into struct machine_state, for start.S. */
#define STATE_ARGUMENTS 0
#define STATE_STACK 16
#define STATE_TCB 24
#define STATE_FLAGS 32
#define STATE_FP 40
#define STATE_OTHER 48

/* struct trap, for traps.S: x0…x30 before and after; then NZCV before and after. */
#define TRAP_REGISTERS 31
#define TRAP_FLAGS (16 * TRAP_REGISTERS)

#ifndef __ASSEMBLER__
#include <stdint.h>

struct machine_state {
  uint64_t argument[2];
  uint64_t stack;
  uint64_t tcb;   /* TPIDR_EL0 */
  uint64_t flags; /* NZCV */
  uint64_t fp;    /* FPCR, and FPSR in the upper half */
  /* x2…x30, v0…v31 */
  uint64_t other[29 + 64];
};

#define MACHINE_ELF 183
#define MACHINE_USER_END 0x1000000000000ul /* the first address that no program has */
#define MACHINE_STACK_OK(s) ((s)->stack % 16 == 0)
#define MACHINE_FLAGS_OK(s) ((s)->flags == 0)
#define MACHINE_FP_OK(s) ((s)->fp == 0)

/* Raw traps: where number, arguments and results go. */
#define TRAP_NUMBER 8
static const unsigned char trap_arguments[] = {0, 1, 2, 3, 4, 5};
static const unsigned char trap_results[] = {0, 1};
#define TRAP_MAY_CHANGE(i) 0
#define TRAP_FLAGS_BASE 0
#define TRAP_CARRY (1u << 29)

/* A raw trap without arguments: what comes back in the first register. */
static inline uint64_t machine_trap(uint64_t number) {
  register uint64_t x8 __asm__("x8") = number, x0 __asm__("x0") = 0;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8) : "x1", "memory", "cc");
  return x0;
}

/* Whether the thread pointer is the one that was set: a word's address. */
static inline int machine_tcb_is(const uint64_t *word) {
  const uint64_t *v;
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(v));
  return v == word;
}
#endif

#endif
