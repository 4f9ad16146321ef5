/*
 * Calls to what lies below the kernel: a debugger's semihosting, and the firmware's PSCI.
 */
#include "arch/aarch64/asm.h"

  .text

/* void a64_semihosting(uint64_t operation, const void *arguments). Where nobody serves it, HLT is
 * an invalid instruction, which goes on at the fixup. */
FUNCTION a64_semihosting
  USER_INSN 1f, hlt #0xf000
1:
  ret

/* void a64_hvc(uint64_t function), a64_smc(uint64_t function): SMCCC, no more arguments. */
FUNCTION a64_hvc
  mov x1, xzr
  mov x2, xzr
  mov x3, xzr
  .inst 0xd4000002 /* hvc #0 */
  ret

FUNCTION a64_smc
  mov x1, xzr
  mov x2, xzr
  mov x3, xzr
  .inst 0xd4000003 /* smc #0 */
  ret
