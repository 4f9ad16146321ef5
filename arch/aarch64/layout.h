/*
 * Numbers that C, assembly and the linker script share: the kernel's address map and structure
 * offsets. The offsets are asserted in cpu.c.
 *
 * The upper half (TTBR1) has 512 top-level entries of 512 GiB:
 *
 *   0          0xffff000000000000  the boot's view of memory, gone after the first moments
 *   256 … 510  0xffff800000000000  the direct map of physical memory, never executable
 *   511        of 1 GiB entries:
 *     509      0xffffffff40000000  stacks (upwards) and device registers (downwards)
 *     510      0xffffffff80000000  the kernel image
 */
#ifndef ARCH_AARCH64_LAYOUT_H
#define ARCH_AARCH64_LAYOUT_H

#define A64_BOOT_BASE 0xffff000000000000
#define A64_DIRECT_BASE 0xffff800000000000
#define A64_DIRECT_BYTES 0x00007f8000000000
#define A64_KVA_BASE 0xffffffff40000000
#define A64_KVA_END 0xffffffff80000000
#define A64_KERNEL_BASE 0xffffffff80000000
#define A64_L0_DIRECT 256
#define A64_L0_KERNEL 511
#define A64_L1_KVA 509
#define A64_L1_KERNEL 510

/* A kernel stack's size; stacks lie so that this bit of every address in one is set, and clear in
 * the unmapped space below it. */
#ifdef DEBUG
#define A64_KSTACK_SHIFT 14
#else
#define A64_KSTACK_SHIFT 13
#endif
#define A64_KSTACK_BYTES (1 << A64_KSTACK_SHIFT)

/* Memory types: indices of MAIR_EL1. */
#define A64_MAIR 0x00ff /* 0: write-back memory; 1: device-nGnRnE */

/* TCR_EL1: 48 bits of address in both halves, 4 KiB granule, tables write-back, inner shareable. */
#define A64_TCR 0xb5103510
#define A64_TCR_EPD0 (1 << 7)

/* SCTLR_EL1: what ARMv8.0 reserves as ones; MMU and caches off. */
#define A64_SCTLR_RES1 0x30d00800

/* struct trap_frame */
#define A64_FRAME_X(n) (8 * (n))
#define A64_FRAME_SP 248
#define A64_FRAME_PC 256
#define A64_FRAME_PSTATE 264
#define A64_FRAME_ESR 272
#define A64_FRAME_FAR 280
#define A64_FRAME_RECORD 288
#define A64_FRAME_BYTES 304

#endif
