/*
 * The first instructions, with the MMU off, at EL2 or EL1, wherever the image lies: goes to EL1,
 * builds tables that show the kernel at its address and the memory around it, turns the MMU on, and
 * calls boot_main(fdt_pa, image_pa) on the boot stack.
 *
 * The code finds everything relative to itself. arch/aarch64/paging.c makes the final tables.
 * Linux: Documentation/arm64/booting.rst. Registers: DDI 0487, D17.
 */
#include "arch/aarch64/asm.h"

#define SPSR_EL1H 0x3c5 /* D A I F masked, EL1 with its own stack pointer */
#define HCR_RW (1 << 31)
#define HCR_APK_API (3 << 40)
#define CNTHCTL_EL1 3 /* counter and timer are EL1's */
#define ICC_SRE_ENABLE 9
#define CPTR_EL2_NONE 0x33ff
#define PTE_TABLE 0x3
#define PTE_BLOCK 0x701 /* AF, inner shareable, memory type 0 */
#define PTE_PAGE 0x703

/* What a cache holds of the tables and the stack from before is not to come back. */
.macro FORGET_BOOT_AREA
  adrp x0, a64_boot_area
  adrp x1, a64_boot_area_end
  mrs x2, ctr_el0
  ubfx x2, x2, #16, #4
  mov x3, #4
  lsl x2, x3, x2
9:
  dc ivac, x0
  add x0, x0, x2
  cmp x0, x1
  b.lo 9b
  dsb sy
.endm

  .section .boot.text, "ax"
  .globl a64_entry
a64_entry:
  msr daifset, #0xf
  mov x20, x0
  adr x21, a64_image
  mrs x0, CurrentEL
  cmp x0, #(2 << 2)
  b.ne at_el1

  /* From EL2: everything belongs to EL1, nothing traps. */
  mov x0, #HCR_RW
  movk x0, #(HCR_APK_API >> 32), lsl #32
  msr hcr_el2, x0
  isb
  mov x0, #CNTHCTL_EL1
  msr cnthctl_el2, x0
  msr cntvoff_el2, xzr
  msr vttbr_el2, xzr
  mov x0, #CPTR_EL2_NONE
  msr cptr_el2, x0
  msr hstr_el2, xzr
  mrs x0, midr_el1
  msr vpidr_el2, x0
  mrs x0, mpidr_el1
  msr vmpidr_el2, x0
  mrs x1, id_aa64dfr0_el1
  ubfx x1, x1, #8, #4 /* PMUVer */
  mov x0, xzr
  cbz x1, 1f
  cmp x1, #0xf
  b.eq 1f
  mrs x0, pmcr_el0
  ubfx x0, x0, #11, #5 /* all counters */
1:
  msr mdcr_el2, x0
  mrs x0, id_aa64mmfr0_el1
  ubfx x0, x0, #56, #4 /* fine-grained traps */
  cbz x0, 2f
  msr s3_4_c1_c1_4, xzr /* HFGRTR_EL2 */
  msr s3_4_c1_c1_5, xzr /* HFGWTR_EL2 */
  msr s3_4_c1_c1_6, xzr /* HFGITR_EL2 */
  msr s3_4_c3_c1_4, xzr /* HDFGRTR_EL2 */
  msr s3_4_c3_c1_5, xzr /* HDFGWTR_EL2 */
2:
  mrs x0, id_aa64pfr0_el1
  ubfx x0, x0, #24, #4 /* GIC system registers */
  cbz x0, 3f
  mrs x0, s3_4_c12_c9_5 /* ICC_SRE_EL2 */
  mov x1, #ICC_SRE_ENABLE
  orr x0, x0, x1
  msr s3_4_c12_c9_5, x0
  isb
  mrs x0, s3_4_c12_c9_5
  tbz x0, #0, 3f /* there is none after all */
  msr s3_4_c12_c11_0, xzr /* ICH_HCR_EL2 */
3:
  ldr x0, =A64_SCTLR_RES1
  msr sctlr_el1, x0
  mov x0, #SPSR_EL1H
  msr spsr_el2, x0
  adr x0, at_el1
  msr elr_el2, x0
  eret

at_el1:
  ldr x0, =A64_SCTLR_RES1
  msr sctlr_el1, x0
  isb
  msr spsel, #1

  FORGET_BOOT_AREA /* now, lest it is written back over what comes; */
  adrp x10, a64_kernel_l0
  adrp x11, a64_boot_l1
  adrp x12, a64_kernel_l1
  adrp x13, a64_kernel_l2
  adrp x14, a64_kernel_l3
  orr x0, x11, #PTE_TABLE
  str x0, [x10] /* for both halves: identical addresses, and A64_BOOT_BASE */
  orr x0, x12, #PTE_TABLE
  str x0, [x10, #(8 * A64_L0_KERNEL)]
  orr x0, x13, #PTE_TABLE
  str x0, [x12, #(8 * A64_L1_KERNEL)]
  orr x0, x14, #PTE_TABLE
  str x0, [x13]

  /* The GiB around the image, and the one of the device tree. */
  mov x2, #PTE_BLOCK
  lsr x0, x21, #30
  orr x1, x2, x0, lsl #30
  str x1, [x11, x0, lsl #3]
  cbz x20, 5f
  lsr x0, x20, #30
  cmp x0, #512
  b.hs 5f
  orr x1, x2, x0, lsl #30
  str x1, [x11, x0, lsl #3]
5:
  /* The image without its payload. */
  mov x2, #PTE_PAGE
  adrp x1, payload_start
  mov x0, x21
6:
  orr x3, x0, x2
  str x3, [x14], #8
  add x0, x0, #0x1000
  cmp x0, x1
  b.lo 6b
  dsb sy
  FORGET_BOOT_AREA /* and what a neighbour's reading may have fetched since */

  mov x0, #A64_MAIR
  msr mair_el1, x0
  ldr x0, =A64_TCR
  mrs x1, id_aa64mmfr0_el1
  and x1, x1, #7 /* PARange: 48 bits at most, in what TCR can say */
  cmp x1, #5
  mov x2, #5
  csel x1, x1, x2, lo
  orr x0, x0, x1, lsl #32
  msr tcr_el1, x0
  msr ttbr0_el1, x10
  msr ttbr1_el1, x10
  isb
  tlbi vmalle1
  ic iallu
  dsb sy
  isb
  mrs x0, sctlr_el1
  mov x1, #0x1005 /* I C M */
  orr x0, x0, x1
  msr sctlr_el1, x0
  isb
  ldr x0, =high
  br x0

high:
  BTI_J
  ldr x0, =a64_boot_stack_top
  mov sp, x0
  mov x29, xzr
  mov x30, xzr
  mov x0, x20
  mov x1, x21
  bl boot_main
  brk #0
  .ltorg

  /* The kernel's tables. Below the boot stack lies what is read-only when it is finished; so an
   * overflow faults, and is recognized by the address like that of any other stack. */
  .section .bss.boot, "aw", @nobits
  .balign (2 * A64_KSTACK_BYTES)
  .globl a64_kernel_l0, a64_kernel_l1, a64_kernel_l2, a64_kernel_l3
  .globl a64_boot_l1, a64_boot_stack, a64_boot_stack_top
a64_boot_area:
  .skip A64_KSTACK_BYTES - 8192
a64_kernel_l0:
  .skip 4096
a64_kernel_l3:
  .skip 4096
a64_boot_stack:
  .skip A64_KSTACK_BYTES
a64_boot_stack_top:
a64_kernel_l1:
  .skip 4096
a64_kernel_l2:
  .skip 4096
a64_boot_l1:
  .skip 4096
a64_boot_area_end:
