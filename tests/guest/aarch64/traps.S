/*
 * void trap_now(struct trap *): loads all registers and the flags, traps, notes them all again
 * (abi/traps.h).
 */
#include "machine.h"

#define AFTER (8 * TRAP_REGISTERS)

  .text
  .globl trap_now
  .type trap_now, %function
trap_now:
  stp x29, x30, [sp, #-112]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  str x0, [sp, #96]
  ldr x1, [x0, #TRAP_FLAGS]
  msr nzcv, x1
  .set at, 8
  .irp n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29
  ldr x\n, [x0, #at]
  .set at, at + 16
  .endr
  .set at, 16
  .irp n, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
  ldr x\n, [x0, #at]
  .set at, at + 16
  .endr
  ldr x0, [x0]
  svc #0
  stp x0, x1, [sp, #-16]!
  ldr x0, [sp, #112]
  .set at, AFTER + 16
  .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
  str x\n, [x0, #at]
  .set at, at + 8
  .endr
  mrs x1, nzcv
  str x1, [x0, #TRAP_FLAGS + 8]
  ldp x2, x3, [sp], #16
  str x2, [x0, #AFTER]
  str x3, [x0, #AFTER + 8]
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp x29, x30, [sp], #112
  ret

  .section .note.GNU-stack, "", %progbits
