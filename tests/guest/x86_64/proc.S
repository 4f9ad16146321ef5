/*
 * For abi/proc.c: a fork amid known registers, and instructions that fault.
 */
#define PATTERN(n) (0x0101010101010101 * ((n) + 1))
#define ROUND_DOWN 0x2000 /* in MXCSR */

  .text
/* unsigned fork_registers(errno_t (*fork)(fd_t *, tid_t *), fd_t *, tid_t *): what fork returned, and
 * bits 16 to 18 if general registers, vector registers or the rounding mode had changed. */
  .globl fork_registers
fork_registers:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  sub $24, %rsp
  stmxcsr (%rsp)
  mov (%rsp), %eax
  or $ROUND_DOWN, %eax
  mov %eax, 4(%rsp)
  ldmxcsr 4(%rsp)
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  .set n, 0
  .irp r, rbx, rbp, r12, r13, r14, r15
  movabs $PATTERN(n), %\r
  .set n, n + 1
  .endr
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  movabs $PATTERN(\i), %rcx
  movq %rcx, %xmm\i
  punpcklqdq %xmm\i, %xmm\i
  .endr
  call *%rax
  movzwl %ax, %eax
  .set n, 0
  .irp r, rbx, rbp, r12, r13, r14, r15
  movabs $PATTERN(n), %rcx
  cmp %rcx, %\r
  je 1f
  or $1 << 16, %eax
1:
  .set n, n + 1
  .endr
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  movabs $PATTERN(\i), %rcx
  movq %xmm\i, %rdx
  cmp %rcx, %rdx
  jne 1f
  punpckhqdq %xmm\i, %xmm\i
  movq %xmm\i, %rdx
  cmp %rcx, %rdx
  je 2f
1:
  or $1 << 17, %eax
2:
  .endr
  stmxcsr 8(%rsp)
  mov 8(%rsp), %ecx
  cmp 4(%rsp), %ecx
  je 1f
  or $1 << 18, %eax
1:
  ldmxcsr (%rsp)
  add $24, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret

  .globl fault_divide, fault_illegal, fault_breakpoint
fault_divide:
  xor %edx, %edx
  xor %ecx, %ecx
  mov $1, %eax
  div %ecx
  ret
fault_illegal:
  ud2
fault_breakpoint:
  int3
  ret

  .section .note.GNU-stack, "", @progbits
