/*
 * The vDSO's code: a function cloudabi_sys_NAME for every system call (reference 1.6, 1.7).
 *
 * Runs in the program, called as a C function. A stub traps with the call's number; the clocks are read
 * without a trap where the kernel's data page, which lies directly before this code, says so. Assembled
 * and linked on its own (vdso.ld), then embedded by vdso_image.S. The trap takes arguments in rdi rsi
 * rdx r10 r8 r9 and rbx, and answers in rax; it leaves rbx, rbp and r12 to r15 as they are and
 * destroys the others.
 */
#include "kernel/vdso_layout.h"

  .text
  .set number, 0x100 /* SYSCALL_BASE */

.macro TRAP count
  .if \count >= 4
  mov %rcx, %r10
  .endif
  mov $number, %eax
  syscall
.endm

.macro STUB name, count
  .globl cloudabi_sys_\name
  .type cloudabi_sys_\name, @function
  .balign 8
cloudabi_sys_\name:
  .ifc \name, clock_time_get
  call read_clock
  .endif
  .if \count == 7
  push %rbx
  mov 16(%rsp), %rbx
  TRAP \count
  pop %rbx
  .else
  TRAP \count
  .endif
  ret
  .size cloudabi_sys_\name, . - cloudabi_sys_\name
  .set number, number + 1
.endm

#define SYSCALL(name, count, ...) STUB name, count
#include "abi/syscalls.def"

/* Serves cloudabi_sys_clock_time_get(clock_id, precision, &time) for MONOTONIC and REALTIME and returns
 * to its caller; otherwise, or when the clock is not to be read here, returns to the stub.
 * ns = base_ns + (cycles - base_cycles) * mult / 2^32 */
  .balign 16
read_clock:
  lea __ehdr_start - VDSO_DATA_BYTES(%rip), %rcx
  cmpl $0, VDSO_USABLE(%rcx)
  je 2f
  cmp $CLOCK_MONOTONIC, %edi
  je 1f
  cmp $CLOCK_REALTIME, %edi
  jne 2f
1:
  mov %rdx, %r8
  lfence
  rdtsc
  shl $32, %rdx
  or %rdx, %rax
  sub VDSO_BASE_CYCLES(%rcx), %rax
  mulq VDSO_MULT(%rcx)
  shrd $32, %rdx, %rax
  add VDSO_BASE_NS(%rcx), %rax
  cmp $CLOCK_MONOTONIC, %edi
  je 3f
  add VDSO_REALTIME_OFFSET(%rcx), %rax
3:
  mov %rax, (%r8)
  xor %eax, %eax
  add $8, %rsp
2:
  ret
