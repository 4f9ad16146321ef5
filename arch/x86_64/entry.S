/*
 * Ways into the kernel, and out of it: the stubs of all vectors, the system call entry, and the
 * returns to user mode.
 *
 * All build a struct trap_frame at the top of the current thread's kernel stack (for a trap in the
 * kernel: below whatever is there). Interrupts are off throughout. %gs is the program's in user mode
 * and struct x86_cpu in the kernel.
 */
#include "arch/x86_64/asm.h"

/* From `vector` and `error` down to r15; the order is struct trap_frame's, upwards. */
.macro PUSH_REGISTERS
  push %rbx
  push %r9
  push %r8
  push %r10
  push %rdx
  push %rsi
  push %rdi
  push %rax
  push %rcx
  push %r11
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
.endm

.macro POP_REGISTERS
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %r11
  pop %rcx
  pop %rax
  pop %rdi
  pop %rsi
  pop %rdx
  pop %r10
  pop %r8
  pop %r9
  pop %rbx
.endm

  .section .text.entry, "ax"

/* One stub of 16 bytes a vector. The processor pushes an error code for some; a 0 for the others
 * makes the frames equal. */
  .globl x86_trap_stubs
  .balign 16
x86_trap_stubs:
  .set vector, 0
  .rept X86_VECTORS
  .balign 16
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
  push $0
  .endif
  push $vector
  .if vector == 2 || vector == 8 || vector == 18
  jmp trap_emergency
  .else
  jmp trap_common
  .endif
  .set vector, vector + 1
  .endr

  .balign 16
trap_common:
  testb $3, 24(%rsp) /* cs */
  jz trap_in_kernel
  swapgs
  PUSH_REGISTERS
  cld
  USER_ACCESS_END /* the program's AC flag is still set */
  mov %rsp, %rdi
  call x86_trap
return_to_user:
  POP_REGISTERS
  add $16, %rsp /* vector, error */
  swapgs
  iretq

trap_in_kernel:
  PUSH_REGISTERS
  cld
  USER_ACCESS_END /* it may be a user copy that faulted; IRET restores the flag */
  mov %rsp, %rdi
  /* A frame record for the backtrace: the interrupted instruction as a call, a byte long. */
  push X86_FRAME_RIP(%rdi)
  incq (%rsp)
  push %rbp
  mov %rsp, %rbp
  call x86_trap
  add $16, %rsp
  POP_REGISTERS
  add $16, %rsp
  iretq

/* On the emergency stack, from anywhere, the few instructions around SWAPGS included: the GS base
 * itself says whose it is. Does not return. */
trap_emergency:
  PUSH_REGISTERS
  cld
  USER_ACCESS_END
  mov $0xc0000101, %ecx /* MSR_GS_BASE */
  rdmsr
  test %edx, %edx
  js 1f
  swapgs
1:
  mov %rsp, %rdi
  push X86_FRAME_RIP(%rdi)
  incq (%rsp)
  push %rbp
  mov %rsp, %rbp
  call x86_trap_fatal
  ud2

/* void x86_return_to_user(struct trap_frame *) */
FUNCTION x86_return_to_user
  mov %rdi, %rsp
  jmp return_to_user

/* SYSCALL: rcx = rip, r11 = rflags, the stack is still the program's; FMASK has cleared IF, DF, AC. */
FUNCTION x86_syscall_entry
  swapgs
  mov %rsp, %gs:X86_CPU_USER_RSP
  mov %gs:X86_CPU_KERNEL_RSP, %rsp
  push $X86_USER_DS
  push %gs:X86_CPU_USER_RSP
  push %r11
  push $X86_USER_CS
  push %rcx
  push $0
  push $X86_FRAME_SYSCALL
  PUSH_REGISTERS
  mov %rsp, %rdi
  call x86_syscall /* true: the whole frame counts */
  test %al, %al
  jnz return_to_user

  /* The callee-saved registers still hold the program's values; the others are not for it. */
  mov X86_FRAME_RAX(%rsp), %rax
  mov X86_FRAME_RIP(%rsp), %rcx
  mov X86_FRAME_RFLAGS(%rsp), %r11
  mov X86_FRAME_RSP(%rsp), %rsp
  xor %edx, %edx
  xor %esi, %esi
  xor %edi, %edi
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  swapgs
  sysretq
