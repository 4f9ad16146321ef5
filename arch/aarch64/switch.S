/*
 * From one kernel stack to another.
 */
#include "arch/aarch64/asm.h"

  .text

/* void a64_switch_stack(uint64_t *save_sp, uint64_t sp): the other registers are the compiler's to
 * lose. The layout is struct switch_frame of thread.c. */
FUNCTION a64_switch_stack
  stp x19, x20, [sp, #-96]!
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp x19, x20, [sp], #96
  ret

/* The first code of a thread: entry (x19) with its argument (x20). It does not return. */
FUNCTION a64_thread_trampoline
  mov x0, x20
  mov x29, xzr
  mov x30, xzr
  blr x19
  brk #0

/* Floating-point and vector registers of a user thread: 32 of 16 bytes, then FPSR and FPCR. */
  .arch_extension fp
  .arch_extension simd

/* void a64_fpu_save(void *area) */
FUNCTION a64_fpu_save
  stp q0, q1, [x0, #0]
  stp q2, q3, [x0, #32]
  stp q4, q5, [x0, #64]
  stp q6, q7, [x0, #96]
  stp q8, q9, [x0, #128]
  stp q10, q11, [x0, #160]
  stp q12, q13, [x0, #192]
  stp q14, q15, [x0, #224]
  stp q16, q17, [x0, #256]
  stp q18, q19, [x0, #288]
  stp q20, q21, [x0, #320]
  stp q22, q23, [x0, #352]
  stp q24, q25, [x0, #384]
  stp q26, q27, [x0, #416]
  stp q28, q29, [x0, #448]
  stp q30, q31, [x0, #480]
  mrs x1, fpsr
  mrs x2, fpcr
  add x0, x0, #512
  stp w1, w2, [x0]
  ret

/* void a64_fpu_restore(const void *area) */
FUNCTION a64_fpu_restore
  ldp q0, q1, [x0, #0]
  ldp q2, q3, [x0, #32]
  ldp q4, q5, [x0, #64]
  ldp q6, q7, [x0, #96]
  ldp q8, q9, [x0, #128]
  ldp q10, q11, [x0, #160]
  ldp q12, q13, [x0, #192]
  ldp q14, q15, [x0, #224]
  ldp q16, q17, [x0, #256]
  ldp q18, q19, [x0, #288]
  ldp q20, q21, [x0, #320]
  ldp q22, q23, [x0, #352]
  ldp q24, q25, [x0, #384]
  ldp q26, q27, [x0, #416]
  ldp q28, q29, [x0, #448]
  ldp q30, q31, [x0, #480]
  add x0, x0, #512
  ldp w1, w2, [x0]
  msr fpsr, x1
  msr fpcr, x2
  ret
