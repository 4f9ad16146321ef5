/*
 * Entries that note the machine's state before anything else: the program's, which goes on to the C
 * library's, and a thread's, which goes on to thread_started() (abi/start.c).
 */
#include "machine.h"

.macro NOTE state
  mov %rdi, \state + STATE_ARGUMENTS(%rip)
  mov %rsi, \state + STATE_ARGUMENTS + 8(%rip)
  mov %rsp, \state + STATE_STACK(%rip)
  .set at, STATE_OTHER
  .irp r, rax, rbx, rcx, rdx, rbp, r8, r9, r10, r11, r12, r13, r14, r15
  mov %\r, \state + at(%rip)
  .set at, at + 8
  .endr
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  movups %xmm\n, \state + at(%rip)
  .set at, at + 16
  .endr
  stmxcsr \state + STATE_FP(%rip)
  fnstcw \state + STATE_FP + 4(%rip)
  pushfq
  pop %rax
  mov %rax, \state + STATE_FLAGS(%rip)
  mov %fs:0, %rax
  mov %rax, \state + STATE_TCB(%rip)
.endm

  .text
  .globl test_entry, thread_entry
test_entry:
  NOTE start_state
  jmp _start

thread_entry:
  NOTE thread_state
  jmp thread_started

  .section .note.GNU-stack, "", @progbits
