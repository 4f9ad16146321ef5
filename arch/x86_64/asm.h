/*
 * Macros of the assembly files: where user memory is touched, and what to do when that fails.
 */
#ifndef ARCH_X86_64_ASM_H
#define ARCH_X86_64_ASM_H

#include "arch/x86_64/layout.h"

/* clang-format off */

/* Allow and forbid access to user pages: NOPs that cpu.c turns into STAC and CLAC where there is
 * SMAP. */
.macro SMAP_SITE opcode
77:
  nopl (%rax)
  .pushsection .x86_smap_sites, "a"
  .quad 77b, \opcode
  .popsection
.endm
.macro USER_ACCESS_BEGIN
  SMAP_SITE 0xcb
.endm
.macro USER_ACCESS_END
  SMAP_SITE 0xca
.endm

/* An instruction that may fault at a user address, and where to go on if it can't be helped. */
.macro USER_INSN target, insn:vararg
88:
  \insn
  .pushsection .x86_fixups, "a"
  .quad 88b, \target
  .popsection
.endm

.macro FUNCTION name
  .globl \name
  .type \name, @function
  .balign 16
\name:
.endm

#endif
