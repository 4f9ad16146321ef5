/*
 * The only instructions that touch user memory: see arch_user_* of arch/arch.h.
 *
 * A fault there that fault_page() can't serve continues at the fixup (trap.c).
 */
#include "arch/aarch64/asm.h"

  .text

/* size_t arch_user_copy(void *dst, const void *src, size_t n): 64 bytes at a time, then 16, then the
 * last 16 once more, overlapping, for the rest. Where that faults for good, what is not known to be
 * copied goes byte by byte, so that the count is exact. Returns the bytes not copied. */
FUNCTION arch_user_copy
  USER_ACCESS_BEGIN
  cmp x2, #16
  b.lo 4f
  subs x3, x2, #64
  b.lo 2f
1:
  USER_INSN 6f, ldp x4, x5, [x1]
  USER_INSN 6f, ldp x6, x7, [x1, #16]
  USER_INSN 6f, ldp x8, x9, [x1, #32]
  USER_INSN 6f, ldp x10, x11, [x1, #48]
  USER_INSN 6f, stp x4, x5, [x0]
  USER_INSN 6f, stp x6, x7, [x0, #16]
  USER_INSN 6f, stp x8, x9, [x0, #32]
  USER_INSN 6f, stp x10, x11, [x0, #48]
  mov x2, x3
  add x1, x1, #64
  add x0, x0, #64
  subs x3, x3, #64
  b.hs 1b
  cmp x2, #16
  b.lo 3f
2: /* x2: 16 or more */
  USER_INSN 6f, ldp x4, x5, [x1]
  USER_INSN 6f, stp x4, x5, [x0]
  sub x2, x2, #16
  add x1, x1, #16
  add x0, x0, #16
  cmp x2, #16
  b.hs 2b
3: /* 0 to 15 bytes, with 16 before them */
  cbz x2, 8f
  sub x3, x2, #16
  add x6, x1, x3
  add x7, x0, x3
  USER_INSN 6f, ldp x4, x5, [x6]
  USER_INSN 6f, stp x4, x5, [x7]
  b 8f

4: /* 0 to 15 bytes */
  tbz x2, #3, 5f
  USER_INSN 6f, ldr x4, [x1]
  USER_INSN 6f, str x4, [x0]
  subs x3, x2, #8
  b.eq 8f
  USER_INSN 6f, ldr x4, [x1, x3]
  USER_INSN 6f, str x4, [x0, x3]
  b 8f
5: /* 0 to 7 bytes */
  tbz x2, #2, 6f
  USER_INSN 6f, ldr w4, [x1]
  USER_INSN 6f, str w4, [x0]
  and x2, x2, #3
  add x1, x1, #4
  add x0, x0, #4
6:
  cbz x2, 8f
7:
  USER_INSN 9f, ldrb w4, [x1]
  USER_INSN 9f, strb w4, [x0]
  add x1, x1, #1
  add x0, x0, #1
  subs x2, x2, #1
  b.ne 7b
8:
  USER_ACCESS_END
  mov x0, xzr
  ret
9:
  USER_ACCESS_END
  mov x0, x2
  ret

/* bool arch_user_load32(const uint32_t *uaddr, uint32_t *value) */
FUNCTION arch_user_load32
  USER_ACCESS_BEGIN
  USER_INSN fail, ldar w2, [x0]
  USER_ACCESS_END
  str w2, [x1]
  mov w0, #1
  ret

/* bool arch_user_store32(uint32_t *uaddr, uint32_t value) */
FUNCTION arch_user_store32
  USER_ACCESS_BEGIN
  USER_INSN fail, stlr w1, [x0]
  USER_ACCESS_END
  mov w0, #1
  ret

/* bool arch_user_cmpxchg32(uint32_t *uaddr, uint32_t *expected, uint32_t desired, bool *swapped) */
FUNCTION arch_user_cmpxchg32
  ldr w4, [x1]
  USER_ACCESS_BEGIN
1:
  USER_INSN fail, ldaxr w5, [x0]
  cmp w5, w4
  b.ne 2f
  USER_INSN fail, stlxr w6, w2, [x0]
  cbnz w6, 1b
2:
  USER_ACCESS_END
  clrex
  cmp w5, w4
  cset w6, eq
  strb w6, [x3]
  str w5, [x1]
  mov w0, #1
  ret

fail:
  USER_ACCESS_END
  mov w0, wzr
  ret
