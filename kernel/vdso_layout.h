/*
 * The page that the kernel shows to programs directly below the vDSO: where its fields are, for the
 * vDSO's assembly. kernel/vdso.c asserts that struct vdso_data agrees.
 */
#ifndef KERNEL_VDSO_LAYOUT_H
#define KERNEL_VDSO_LAYOUT_H

#define VDSO_DATA_BYTES 4096

#define VDSO_BASE_CYCLES 0
#define VDSO_BASE_NS 8
#define VDSO_MULT 16
#define VDSO_SHIFT 24
#define VDSO_USABLE 28
#define VDSO_REALTIME_OFFSET 32

#ifdef __ASSEMBLER__
#define CLOCK_MONOTONIC 1
#define CLOCK_REALTIME 3
#endif

#endif
