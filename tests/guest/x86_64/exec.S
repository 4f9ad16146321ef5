/*
 * For abi/exec.c: the state in which a program starts, registers that hold something before, and
 * the code of programs made by hand.
 */
#include "proc.S"
#include "start.S"

  .section .rodata
  .globl tiny_code, tiny_code_end, fixed_code, fixed_code_end
/* Divides by zero. */
tiny_code:
  xor %ecx, %ecx
  div %ecx
tiny_code_end:

/* A breakpoint if the program's data and bss are what they should be (FIXED_ in abi/exec.c). */
fixed_code:
  cmpl $0x12345678, 0x601010
  jne 1f
  cmpl $0, 0x601014
  jne 1f
  cmpl $0, 0x603ffc
  jne 1f
  movl $1, 0x603ffc
  int3
1:
  ud2
fixed_code_end:

  .section .note.GNU-stack, "", @progbits
