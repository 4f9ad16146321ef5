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
#endif

#endif
