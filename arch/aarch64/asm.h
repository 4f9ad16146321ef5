/*
 * Macros of the assembly files: where user memory is touched, and what to do when that fails.
 */
#ifndef ARCH_AARCH64_ASM_H
#define ARCH_AARCH64_ASM_H

#include "arch/aarch64/layout.h"

/* clang-format off */

/* Branch targets, where the processor checks them (BTI). */
#define BTI_C hint #34
#define BTI_J hint #36

/* Allow and forbid access to user pages: NOPs that cpu.c turns into MSR PAN where there is PAN. */
.macro PAN_SITE opcode
77:
  nop
  .pushsection .a64_pan_sites, "a"
  .quad 77b, \opcode
  .popsection
.endm
.macro USER_ACCESS_BEGIN
  PAN_SITE 0xd500409f
.endm
.macro USER_ACCESS_END
  PAN_SITE 0xd500419f
.endm

/* An instruction that may fault, and where to go on if it can't be helped. */
.macro USER_INSN target, insn:vararg
88:
  \insn
  .pushsection .a64_fixups, "a"
  .quad 88b, \target
  .popsection
.endm

.macro FUNCTION name
  .globl \name
  .type \name, %function
  .balign 16
\name:
  BTI_C
.endm

#endif
