/*
 * The way in from EFI firmware, and the way out of its world into the entry of all loaders.
 *
 * The firmware's calling convention is ours: x0 the image's handle, x1 the system table. It runs at
 * EL1 or EL2, with an identity mapping and caches on.
 */
#define SCTLR_M (1 << 0)
#define SCTLR_C (1 << 2)
#define SCTLR_I (1 << 12)

  .section .text.efi_entry, "ax"
  .global efi_entry
  .hidden efi_entry
  .balign 4
efi_entry:
  stp x29, x30, [sp, #-16]!
  mov x29, sp
  bl efi_main
  ldp x29, x30, [sp], #16
  ret

/* Cleans and invalidates the data cache for [\start, \end), down to memory. Changes \start. */
  .macro clean_to_memory start, end, line, tmp
  mrs \line, ctr_el0
  ubfx \tmp, \line, #16, #4
  mov \line, #4
  lsl \line, \line, \tmp
  sub \tmp, \line, #1
  bic \start, \start, \tmp
1:
  dc civac, \start
  add \start, \start, \line
  cmp \start, \end
  b.lo 1b
  .endm

/* efi_jump(base, bytes, fdt_pa). From the MMU's end on, instructions come from memory: these too. */
  .section .text.efi_jump, "ax"
  .global efi_jump
  .hidden efi_jump
  .balign 64
efi_jump:
  msr daifset, #15
  mov x19, x0
  mov x20, x2
  add x1, x0, x1
  clean_to_memory x0, x1, x3, x4
  adr x0, efi_jump
  adr x1, efi_jump_end
  clean_to_memory x0, x1, x3, x4
  dsb sy
  ic iallu
  dsb sy
  isb

  mov x1, #SCTLR_M | SCTLR_C
  orr x1, x1, #SCTLR_I
  mrs x0, CurrentEL
  cmp x0, #(2 << 2)
  b.eq 2f
  mrs x0, sctlr_el1
  bic x0, x0, x1
  msr sctlr_el1, x0
  isb
  b 3f
2:
  mrs x0, sctlr_el2
  bic x0, x0, x1
  msr sctlr_el2, x0
  isb
3:
  ic iallu
  dsb sy
  isb
  mov x0, x20
  mov x1, xzr
  mov x2, xzr
  mov x3, xzr
  br x19
efi_jump_end:
