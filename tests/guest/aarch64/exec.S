/*
 * For abi/exec.c: the state in which a program starts, registers that hold something before, and
 * the code of programs made by hand.
 */
#include "proc.S"
#include "start.S"

  .section .rodata
  .globl tiny_code, tiny_code_end, fixed_code, fixed_code_end
/* No instruction: a division by zero is no fault here. */
tiny_code:
  udf #0
tiny_code_end:

/* A breakpoint if the program's data and bss are what they should be (FIXED_ in abi/exec.c). */
fixed_code:
  movz x1, #0x60, lsl #16
  movk x1, #0x1010
  movz w2, #0x1234, lsl #16
  movk w2, #0x5678
  ldr w0, [x1]
  cmp w0, w2
  b.ne 1f
  ldr w0, [x1, #4]
  cbnz w0, 1f
  movz x1, #0x60, lsl #16
  movk x1, #0x3ffc
  ldr w0, [x1]
  cbnz w0, 1f
  str w2, [x1]
  brk #0
1:
  udf #0
fixed_code_end:

  .section .note.GNU-stack, "", %progbits
