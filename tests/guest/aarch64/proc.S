/*
 * For abi/proc.c: a fork amid known registers, and instructions that fault.
 */
#define PATTERN(n) (0x0101010101010101 * ((n) + 1))
#define ROUND_DOWN_SHIFT 23 /* in FPCR */

  .text
/* unsigned fork_registers(errno_t (*fork)(fd_t *, tid_t *), fd_t *, tid_t *): what fork returned, and
 * bits 16 to 18 if general registers, vector registers or the rounding mode had changed. */
  .globl fork_registers
fork_registers:
  stp x29, x30, [sp, #-192]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mrs x9, fpcr
  orr x10, x9, #1 << ROUND_DOWN_SHIFT
  stp x9, x10, [sp, #160]
  msr fpcr, x10
  mov x9, x0
  mov x0, x1
  mov x1, x2
  .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28
  ldr x\n, =PATTERN(\n)
  .endr
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  ldr x10, =PATTERN(\n)
  dup v\n\().2d, x10
  .endr
  blr x9
  and x0, x0, #0xffff
  .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28
  ldr x10, =PATTERN(\n)
  cmp x\n, x10
  cset x12, ne
  orr x0, x0, x12, lsl #16
  .endr
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  ldr x10, =PATTERN(\n)
  umov x12, v\n\().d[0]
  umov x13, v\n\().d[1]
  cmp x12, x10
  ccmp x13, x10, #0, eq
  cset x12, ne
  orr x0, x0, x12, lsl #17
  .endr
  ldp x9, x10, [sp, #160]
  mrs x12, fpcr
  cmp x12, x10
  cset x12, ne
  orr x0, x0, x12, lsl #18
  msr fpcr, x9
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  ldp x29, x30, [sp], #192
  ret
  .ltorg

  .globl fault_divide, fault_illegal, fault_breakpoint
/* This machine's answer is 0. */
fault_divide:
  mov x0, #1
  udiv x0, x0, xzr
  ret
fault_illegal:
  udf #0
fault_breakpoint:
  brk #0
  ret

  .section .note.GNU-stack, "", %progbits
