/*
 * void trap_now(struct trap *): loads all registers and the flags, traps, notes them all again
 * (abi/traps.h).
 */
#include "machine.h"

#define AFTER (8 * TRAP_REGISTERS)

  .text
  .globl trap_now
  .type trap_now, @function
trap_now:
  .irp r, rbx, rbp, r12, r13, r14, r15, rdi
  push %\r
  .endr
  push TRAP_FLAGS(%rdi)
  .set at, 0
  .irp r, rax, rbx, rcx, rdx, rsi, skip, rbp, r8, r9, r10, r11, r12, r13, r14, r15
  .ifnc \r, skip
  mov at(%rdi), %\r
  .endif
  .set at, at + 8
  .endr
  popfq
  mov 40(%rdi), %rdi
  syscall
  pushfq
  push %rdi
  mov 16(%rsp), %rdi
  .set at, AFTER
  .irp r, rax, rbx, rcx, rdx, rsi, skip, rbp, r8, r9, r10, r11, r12, r13, r14, r15
  .ifnc \r, skip
  mov %\r, at(%rdi)
  .endif
  .set at, at + 8
  .endr
  pop AFTER + 40(%rdi)
  pop TRAP_FLAGS + 8(%rdi)
  .irp r, rdi, r15, r14, r13, r12, rbp, rbx
  pop %\r
  .endr
  ret

  .section .note.GNU-stack, "", @progbits
