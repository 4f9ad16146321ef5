/*
 * Ways into the kernel, and out of it: the exception vectors and the returns.
 *
 * All build a struct trap_frame: from user mode at the top of the current thread's kernel stack,
 * where the kernel's stack pointer stands while the program runs; for a trap in the kernel, below whatever
 * is there. Interrupts are off throughout, and the processor has set PAN.
 */
#include "arch/aarch64/asm.h"

#define EC_SVC64 0x15

  .section .text.vectors, "ax"

.macro SAVE_GENERAL
  stp x0, x1, [sp, #A64_FRAME_X(0)]
  stp x2, x3, [sp, #A64_FRAME_X(2)]
  stp x4, x5, [sp, #A64_FRAME_X(4)]
  stp x6, x7, [sp, #A64_FRAME_X(6)]
  stp x8, x9, [sp, #A64_FRAME_X(8)]
  stp x10, x11, [sp, #A64_FRAME_X(10)]
  stp x12, x13, [sp, #A64_FRAME_X(12)]
  stp x14, x15, [sp, #A64_FRAME_X(14)]
  stp x16, x17, [sp, #A64_FRAME_X(16)]
  stp x18, x19, [sp, #A64_FRAME_X(18)]
  stp x20, x21, [sp, #A64_FRAME_X(20)]
  stp x22, x23, [sp, #A64_FRAME_X(22)]
  stp x24, x25, [sp, #A64_FRAME_X(24)]
  stp x26, x27, [sp, #A64_FRAME_X(26)]
  stp x28, x29, [sp, #A64_FRAME_X(28)]
.endm

/* Those that a C function loses, and x30. */
.macro RESTORE_CALLER_SAVED
  ldp x0, x1, [sp, #A64_FRAME_X(0)]
  ldp x2, x3, [sp, #A64_FRAME_X(2)]
  ldp x4, x5, [sp, #A64_FRAME_X(4)]
  ldp x6, x7, [sp, #A64_FRAME_X(6)]
  ldp x8, x9, [sp, #A64_FRAME_X(8)]
  ldp x10, x11, [sp, #A64_FRAME_X(10)]
  ldp x12, x13, [sp, #A64_FRAME_X(12)]
  ldp x14, x15, [sp, #A64_FRAME_X(14)]
  ldp x16, x17, [sp, #A64_FRAME_X(16)]
  ldr x18, [sp, #A64_FRAME_X(18)]
  ldr x30, [sp, #A64_FRAME_X(30)]
.endm

.macro RESTORE_CALLEE_SAVED
  ldr x19, [sp, #A64_FRAME_X(19)]
  ldp x20, x21, [sp, #A64_FRAME_X(20)]
  ldp x22, x23, [sp, #A64_FRAME_X(22)]
  ldp x24, x25, [sp, #A64_FRAME_X(24)]
  ldp x26, x27, [sp, #A64_FRAME_X(26)]
  ldp x28, x29, [sp, #A64_FRAME_X(28)]
.endm

.macro VECTOR target
  .balign 128
  b \target
.endm

/* An exception that can't be. x0: the frame; x1: which vector. */
.macro VECTOR_FATAL number
  .balign 128
  sub sp, sp, #A64_FRAME_BYTES
  SAVE_GENERAL
  mov x1, #\number
  b trap_fatal
.endm

  .balign 2048
  .globl a64_vectors
a64_vectors:
  VECTOR_FATAL 0 /* the kernel on the program's stack pointer: never */
  VECTOR_FATAL 1
  VECTOR_FATAL 2
  VECTOR_FATAL 3
  VECTOR kernel_sync
  VECTOR kernel_irq
  VECTOR_FATAL 6
  VECTOR_FATAL 7

  .balign 128
  sub sp, sp, #A64_FRAME_BYTES
  SAVE_GENERAL
  mrs x1, sp_el0
  mrs x2, elr_el1
  stp x30, x1, [sp, #A64_FRAME_X(30)]
  mrs x3, spsr_el1
  mrs x4, esr_el1
  stp x2, x3, [sp, #A64_FRAME_PC]
  lsr x5, x4, #26
  mov x0, sp
  cmp x5, #EC_SVC64
  b.ne user_exception
  b user_call

  VECTOR user_irq
  VECTOR_FATAL 10
  VECTOR_FATAL 11
  VECTOR_FATAL 12 /* from 32-bit programs: never */
  VECTOR_FATAL 13
  VECTOR_FATAL 14
  VECTOR_FATAL 15

user_call:
  bl a64_syscall /* true: the whole frame counts */
  tbnz w0, #0, return_to_user
  /* The callee-saved registers still hold the program's values. */
  ldp x1, x2, [sp, #A64_FRAME_SP]
  ldr x3, [sp, #A64_FRAME_PSTATE]
  msr sp_el0, x1
  msr elr_el1, x2
  msr spsr_el1, x3
  RESTORE_CALLER_SAVED
  add sp, sp, #A64_FRAME_BYTES
  eret

user_exception:
  mrs x5, far_el1
  stp x4, x5, [sp, #A64_FRAME_ESR]
  bl a64_user_exception
return_to_user:
  ldp x1, x2, [sp, #A64_FRAME_SP]
  ldr x3, [sp, #A64_FRAME_PSTATE]
  msr sp_el0, x1
  msr elr_el1, x2
  msr spsr_el1, x3
  RESTORE_CALLEE_SAVED
  RESTORE_CALLER_SAVED
  add sp, sp, #A64_FRAME_BYTES
  eret

user_irq:
  sub sp, sp, #A64_FRAME_BYTES
  SAVE_GENERAL
  mrs x1, sp_el0
  mrs x2, elr_el1
  stp x30, x1, [sp, #A64_FRAME_X(30)]
  mrs x3, spsr_el1
  stp x2, x3, [sp, #A64_FRAME_PC]
  bl a64_user_irq
  b return_to_user

/* void a64_return_to_user(struct trap_frame *) */
FUNCTION a64_return_to_user
  mov sp, x0
  b return_to_user

/* A trap in the kernel. A stack pointer below its stack is told by one bit, with no register to
 * spare; see layout.h. */
.macro KERNEL_ENTER
  sub sp, sp, #A64_FRAME_BYTES
  add sp, sp, x0 /* sp + x0 */
  sub x0, sp, x0 /* sp */
  tbz x0, #A64_KSTACK_SHIFT, stack_overflow
  sub x0, sp, x0 /* x0 */
  sub sp, sp, x0 /* sp */
  SAVE_GENERAL
  add x1, sp, #A64_FRAME_BYTES
.endm

/* x1: the stack pointer before the trap. */
.macro KERNEL_SAVE_REST
  stp x30, x1, [sp, #A64_FRAME_X(30)]
  mrs x2, elr_el1
  mrs x3, spsr_el1
  stp x2, x3, [sp, #A64_FRAME_PC]
  mrs x4, esr_el1
  mrs x5, far_el1
  stp x4, x5, [sp, #A64_FRAME_ESR]
  add x2, x2, #1 /* for the backtrace: the interrupted instruction as a call, a byte long */
  stp x29, x2, [sp, #A64_FRAME_RECORD]
  add x29, sp, #A64_FRAME_RECORD
  mov x0, sp
.endm

kernel_sync:
  KERNEL_ENTER
  KERNEL_SAVE_REST
  bl a64_kernel_exception
kernel_return:
  ldp x2, x3, [sp, #A64_FRAME_PC]
  msr elr_el1, x2
  msr spsr_el1, x3
  RESTORE_CALLEE_SAVED
  RESTORE_CALLER_SAVED
  add sp, sp, #A64_FRAME_BYTES
  eret

kernel_irq:
  KERNEL_ENTER
  KERNEL_SAVE_REST
  bl a64_kernel_irq
  b kernel_return

stack_overflow:
  sub x0, sp, x0
  sub sp, sp, x0
  msr tpidrro_el0, x0
  mov x0, sp
  msr sp_el0, x0
  adrp x0, a64_emergency_stack_top
  add x0, x0, :lo12:a64_emergency_stack_top
  mov sp, x0
  mrs x0, tpidrro_el0
  sub sp, sp, #A64_FRAME_BYTES
  SAVE_GENERAL
  mrs x1, sp_el0
  add x1, x1, #A64_FRAME_BYTES
  KERNEL_SAVE_REST
  bl a64_stack_overflow
  brk #0

trap_fatal:
  mov x6, x1
  add x1, sp, #A64_FRAME_BYTES
  KERNEL_SAVE_REST
  mov x1, x6
  bl a64_unexpected
  brk #0

  .bss
  .balign 16
  .skip 4096
a64_emergency_stack_top:
