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

/* A raw trap as programs of v0.1 had it in their code. */
struct machine_answer {
  uint64_t result[2];
  unsigned char carry;
};

static inline struct machine_answer machine_trap(uint64_t number, uint64_t a, uint64_t b,
                                                 uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  register uint64_t x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
                       x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e,
                       x5 __asm__("x5") = f;
  uint64_t carry;
  __asm__ volatile("svc #0\n cset %0, cs"
                   : "=r"(carry), "+r"(x0), "+r"(x1)
                   : "r"(x8), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory", "cc");
  return (struct machine_answer){{x0, x1}, (unsigned char)carry};
}

/* How such a program installs its thread-locals, which begin at `start`: the thread pointer, a
 * register that it sets itself, leads below them, to two words. */
static inline void machine_install_tls(uint64_t *word, void *start, void *end) {
  (void)word, (void)end;
  __asm__ volatile("msr tpidr_el0, %0" : : "r"((char *)start - 16) : "memory");
}

/* Whether the thread pointer is the one that was set: a word's address. */
static inline int machine_tcb_is(const uint64_t *word) {
  const uint64_t *v;
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(v));
  return v == word;
}

#define MACHINE_DIVIDE_SIGNAL 0 /* what a division by zero is */
#define MACHINE_TINY_SIGNAL 8   /* how tiny_code of exec.S ends */
#endif

#endif
