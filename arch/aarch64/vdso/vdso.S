/*
 * The vDSO's code: a function cloudabi_sys_NAME for every system call (reference 1.6, 1.7).
 *
 * Runs in the program, called as a C function. A stub traps with the call's number; the clocks are read
 * without a trap where the kernel's data page, which lies directly before this code, says so. Assembled
 * and linked on its own (vdso.ld), then embedded by vdso_image.S. The trap takes arguments in x0 to x6,
 * answers in x0, and leaves everything else as it is.
 */
#include "kernel/vdso_layout.h"

  .text
  .set number, 0x100 /* SYSCALL_BASE */

.macro STUB name, count
  .globl cloudabi_sys_\name
  .type cloudabi_sys_\name, %function
  .balign 8
cloudabi_sys_\name:
  hint #34 /* BTI: C code calls by pointer */
  .ifc \name, clock_time_get
  READ_CLOCK
  .endif
  mov w8, #number
  svc #0
  ret
  .size cloudabi_sys_\name, . - cloudabi_sys_\name
  .set number, number + 1
.endm

/* Serves clock_time_get(clock_id, precision, &time) for MONOTONIC and REALTIME and returns;
 * otherwise, or when the clock is not to be read here, goes on to the trap.
 * ns = base_ns + (cycles - base_cycles) * mult / 2^32 */
.macro READ_CLOCK
  adr x9, __ehdr_start - VDSO_DATA_BYTES
  ldr w10, [x9, #VDSO_USABLE]
  cbz w10, 2f
  mov x11, xzr
  cmp w0, #CLOCK_MONOTONIC
  b.eq 1f
  cmp w0, #CLOCK_REALTIME
  b.ne 2f
  ldr x11, [x9, #VDSO_REALTIME_OFFSET]
1:
  isb
  mrs x12, cntvct_el0
  ldp x13, x14, [x9, #VDSO_BASE_CYCLES] /* and base_ns */
  ldr x15, [x9, #VDSO_MULT]
  sub x12, x12, x13
  mul x16, x12, x15
  umulh x17, x12, x15
  extr x12, x17, x16, #32
  add x12, x12, x14
  add x12, x12, x11
  str x12, [x2]
  mov w0, wzr
  ret
2:
.endm

#define SYSCALL(name, count, ...) STUB name, count
#include "abi/syscalls.def"
