/*
 * What the tests of tests/guest/abi need to know of x86-64: the state in which a thread starts.
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

/* struct trap, for traps.S: the registers before and after, in this order: rax rbx rcx rdx rsi rdi
 * rbp r8…r15; then the flags before and after. */
#define TRAP_REGISTERS 15
#define TRAP_FLAGS (16 * TRAP_REGISTERS)

#ifndef __ASSEMBLER__
#include <stdint.h>

struct machine_state {
  uint64_t argument[2];
  uint64_t stack;
  uint64_t tcb;   /* where the thread pointer says that the TCB lies */
  uint64_t flags; /* RFLAGS */
  uint64_t fp;    /* MXCSR, and the x87 control word in the upper half */
  /* rax rbx rcx rdx rbp r8…r15, xmm0…xmm15 */
  uint64_t other[13 + 32];
};

#define MACHINE_ELF 62
#define MACHINE_USER_END 0x7ffffffff000ul /* the first address that no program has */
/* As if the entry had been called. */
#define MACHINE_STACK_OK(s) (((s)->stack + 8) % 16 == 0)
/* Interrupts are on, the reserved bit is set; nothing else. */
#define MACHINE_FLAGS_OK(s) ((s)->flags == 0x202)
/* What the processor starts with. */
#define MACHINE_FP_OK(s) ((s)->fp == (0x37full << 32 | 0x1f80))

/* Raw traps: where number, arguments and results go. */
#define TRAP_NUMBER 0
static const unsigned char trap_arguments[] = {5, 4, 3, 9, 7, 8};
static const unsigned char trap_results[] = {0, 3};
#define TRAP_MAY_CHANGE(i) ((i) == 2 || (i) == 10) /* rcx and r11, by the instruction itself */
#define TRAP_FLAGS_BASE 0x202
#define TRAP_CARRY 1

/* A raw trap as programs of v0.1 had it in their code. */
struct machine_answer {
  uint64_t result[2];
  unsigned char carry;
};

static inline struct machine_answer machine_trap(uint64_t number, uint64_t a, uint64_t b,
                                                 uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  register uint64_t r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  struct machine_answer answer;
  __asm__ volatile("syscall\n setc %2"
                   : "+a"(number), "+d"(c), "=b"(answer.carry), "+r"(r10), "+r"(r8), "+r"(r9)
                   : "D"(a), "S"(b)
                   : "rcx", "r11", "memory", "cc");
  answer.result[0] = number;
  answer.result[1] = c;
  return answer;
}

/* How such a program installs its thread-locals, which end at `end`: a word leads there, whose
 * address the kernel is told. */
static inline void machine_install_tls(uint64_t *word, void *start, void *end) {
  (void)start;
  *word = (uintptr_t)end;
  machine_trap(55, (uintptr_t)word, 0, 0, 0, 0, 0);
}

/* Whether the thread pointer is the one that was set: a word's address, here the word itself. */
static inline int machine_tcb_is(const uint64_t *word) {
  uint64_t v;
  __asm__ volatile("mov %%fs:0, %0" : "=r"(v));
  return v == *word;
}

#define MACHINE_DIVIDE_SIGNAL 6 /* what a division by zero is */
#define MACHINE_TINY_SIGNAL 6   /* how tiny_code of exec.S ends */
#endif

#endif
