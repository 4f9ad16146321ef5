/*
 * Numbers that C, assembly and the linker script share: the kernel's address map, selectors,
 * vectors and structure offsets. The offsets are asserted in cpu.c.
 *
 * Everything of the kernel lies in the last PML4 slot, so that an address space shares it by
 * one entry. Each line is an entry of that slot's page-directory-pointer table:
 *
 *   0 … 508   0xffffff8000000000  the direct map of physical memory, never executable
 *   509       0xffffffff40000000  stacks (upwards) and device registers (downwards)
 *   510       0xffffffff80000000  the kernel image: physical 0 … 1 GiB once more
 *   511                           nothing
 */
#ifndef ARCH_X86_64_LAYOUT_H
#define ARCH_X86_64_LAYOUT_H

#define X86_DIRECT_BASE 0xffffff8000000000
#define X86_DIRECT_GIB 509
#define X86_KVA_BASE 0xffffffff40000000
#define X86_KVA_END 0xffffffff80000000
#define X86_KERNEL_BASE 0xffffffff80000000
#define X86_PDPT_KVA 509
#define X86_PDPT_KERNEL 510
#define X86_PML4_KERNEL 511

/* Selectors. SYSRET wants user data directly before user code. */
#define X86_KERNEL_CS 0x08
#define X86_KERNEL_DS 0x10
#define X86_USER_DS 0x1b
#define X86_USER_CS 0x23
#define X86_TSS_SELECTOR 0x28

/* Vectors: exceptions, the masked PICs' 32 to 47, devices, the timer, spurious ones. */
#define X86_VECTOR_DEVICES 48
#define X86_DEVICE_VECTORS 64
#define X86_VECTOR_TIMER 112
#define X86_VECTOR_SPURIOUS 127
#define X86_VECTORS 128
#define X86_FRAME_SYSCALL 256 /* trap_frame.vector of a system call */

/* struct x86_cpu, at %gs:0 in the kernel. */
#define X86_CPU_SELF 0
#define X86_CPU_CURRENT 8
#define X86_CPU_USER_RSP 16
#define X86_CPU_KERNEL_RSP 24

/* struct trap_frame */
#define X86_FRAME_RAX 56
#define X86_FRAME_RIP 136
#define X86_FRAME_CS 144
#define X86_FRAME_RFLAGS 152
#define X86_FRAME_RSP 160
#define X86_FRAME_BYTES 176

#endif
