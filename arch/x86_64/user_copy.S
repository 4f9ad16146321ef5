/*
 * The only instructions that touch user memory: see arch_user_* of arch/arch.h.
 *
 * A fault there that aspace_fault() can't serve continues at the fixup (trap.c).
 */
#include "arch/x86_64/asm.h"

  .text

/* size_t arch_user_copy(void *dst, const void *src, size_t n): whole words by MOVSQ, then the last
 * word once more, overlapping, for the rest. Returns the bytes not copied. */
FUNCTION arch_user_copy
  USER_ACCESS_BEGIN
  cmp $8, %rdx
  jb 2f
  je 5f
  mov %rdx, %rcx
  shr $3, %rcx
  and $7, %edx /* the rest */
  USER_INSN 7f, rep movsq
  jz 1f /* of AND: MOVSQ leaves the flags */
  USER_INSN 8f, mov -8(%rsi, %rdx), %rax
  USER_INSN 8f, mov %rax, -8(%rdi, %rdx)
1:
  USER_ACCESS_END
  xor %eax, %eax
  ret

5: /* 8 bytes, the result of most calls */
  USER_INSN 8f, mov (%rsi), %rax
  USER_INSN 8f, mov %rax, (%rdi)
  jmp 1b

2: /* 0 to 7 bytes */
  test $4, %dl
  jz 3f
  USER_INSN 8f, mov (%rsi), %eax
  USER_INSN 8f, mov %eax, (%rdi)
  and $3, %edx
  jz 1b
  USER_INSN 8f, mov (%rsi, %rdx), %eax /* the last four, overlapping */
  USER_INSN 8f, mov %eax, (%rdi, %rdx)
  jmp 1b
3:
  test %edx, %edx
  jz 1b
4:
  USER_INSN 8f, movb (%rsi), %al
  USER_INSN 8f, movb %al, (%rdi)
  inc %rsi
  inc %rdi
  dec %edx
  jnz 4b
  jmp 1b

7: /* in MOVSQ: the words left, and the rest */
  lea (%rdx, %rcx, 8), %rdx
8:
  USER_ACCESS_END
  mov %rdx, %rax
  ret

/* bool arch_user_load32(const uint32_t *uaddr, uint32_t *value) */
FUNCTION arch_user_load32
  USER_ACCESS_BEGIN
  USER_INSN fail, mov (%rdi), %eax
  USER_ACCESS_END
  mov %eax, (%rsi)
  mov $1, %eax
  ret

/* bool arch_user_store32(uint32_t *uaddr, uint32_t value) */
FUNCTION arch_user_store32
  USER_ACCESS_BEGIN
  USER_INSN fail, mov %esi, (%rdi)
  USER_ACCESS_END
  mov $1, %eax
  ret

/* bool arch_user_cmpxchg32(uint32_t *uaddr, uint32_t *expected, uint32_t desired, bool *swapped) */
FUNCTION arch_user_cmpxchg32
  mov %rcx, %r8
  mov (%rsi), %eax
  USER_ACCESS_BEGIN
  USER_INSN fail, lock cmpxchg %edx, (%rdi)
  USER_ACCESS_END
  sete (%r8)
  mov %eax, (%rsi)
  mov $1, %eax
  ret

fail:
  USER_ACCESS_END
  xor %eax, %eax
  ret
