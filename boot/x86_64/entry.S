/*
 * The first instructions, in 32-bit protected mode without paging, from either loader: builds
 * page tables that show the first GiB at 0, in the direct map and at the kernel's address, turns
 * on long mode, and calls boot_main(loader, info_pa) on the boot stack.
 *
 * arch/x86_64/paging.c refines the same tables later.
 */
#include "arch/x86_64/layout.h"
#include "boot/x86_64/loader.h"

#define PHYS(symbol) (symbol - X86_KERNEL_BASE)

#ifdef DEBUG
#define BOOT_STACK_BYTES 16384
#else
#define BOOT_STACK_BYTES 8192
#endif

#define CR4_PAE (1 << 5)
#define CR0_BITS 0x80050033 /* PG AM WP NE ET MP PE */
#define MSR_EFER 0xc0000080
#define EFER_BITS 0x901 /* NXE LME SCE */
#define CPUID_EXTENDED 0x80000001
#define CPUID_LM_NX ((1 << 29) | (1 << 20))
#define PTE_TABLE 0x3 /* present, writable */
#define PTE_LARGE 0x83

  .section .boot.text, "ax"
  .code32
  .globl x86_pvh_entry, x86_multiboot2_entry
x86_pvh_entry:
  mov $LOADER_PVH, %esi
  jmp common
x86_multiboot2_entry:
  mov $LOADER_MULTIBOOT2, %esi
common:
  cli
  cld
  mov $PHYS(x86_boot_stack_top), %esp
  mov %ebx, %edi

  mov $0x80000000, %eax
  cpuid
  cmp $CPUID_EXTENDED, %eax
  jb unsuitable
  mov $CPUID_EXTENDED, %eax
  cpuid
  and $CPUID_LM_NX, %edx
  cmp $CPUID_LM_NX, %edx
  jne unsuitable

  /* The loader has zeroed .bss, where the tables lie. */
  movl $(PHYS(x86_kernel_pdpt) + PTE_TABLE), PHYS(x86_kernel_pml4)
  movl $(PHYS(x86_kernel_pdpt) + PTE_TABLE), PHYS(x86_kernel_pml4 + 8 * X86_PML4_KERNEL)
  movl $(PHYS(x86_kernel_pd) + PTE_TABLE), PHYS(x86_kernel_pdpt)
  movl $(PHYS(x86_kernel_pd) + PTE_TABLE), PHYS(x86_kernel_pdpt + 8 * X86_PDPT_KERNEL)
  mov $PTE_LARGE, %eax
  mov $PHYS(x86_kernel_pd), %edx
1:
  mov %eax, (%edx)
  add $8, %edx
  add $0x200000, %eax
  cmp $(0x40000000 + PTE_LARGE), %eax
  jne 1b

  mov $CR4_PAE, %eax
  mov %eax, %cr4
  mov $PHYS(x86_kernel_pml4), %eax
  mov %eax, %cr3
  mov $MSR_EFER, %ecx
  mov $EFER_BITS, %eax
  xor %edx, %edx
  wrmsr
  mov $CR0_BITS, %eax
  mov %eax, %cr0
  lgdt PHYS(gdt_pointer)
  ljmp $X86_KERNEL_CS, $PHYS(long_mode)

/* No 64-bit mode, or no NX: says so on COM1 and stops. */
unsuitable:
  mov $PHYS(unsuitable_text), %esi
2:
  mov $0x3fd, %dx
  inb %dx, %al
  test $0x20, %al
  jz 2b
  lodsb
  test %al, %al
  jz 3f
  mov $0x3f8, %dx
  outb %al, %dx
  jmp 2b
3:
  mov $127, %al
  outb %al, $0xf4 /* isa-debug-exit, if there is one */
  hlt
  jmp 3b

unsuitable_text:
  .asciz "boot failed: this processor has no 64-bit mode with NX\r\n"

  .balign 8
gdt:
  .quad 0
  .quad 0x00af9b000000ffff /* X86_KERNEL_CS */
  .quad 0x00cf93000000ffff /* X86_KERNEL_DS */
gdt_pointer:
  .short . - gdt - 1
  .long PHYS(gdt)

  .code64
long_mode:
  mov $X86_KERNEL_DS, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  mov $x86_boot_stack_top, %rsp
  mov $4f, %rax
  jmp *%rax
4:
  xchg %esi, %edi /* zero-extends both */
  xor %ebp, %ebp
  call boot_main
  ud2

  /* The PML4 is never written again once the kernel's tables stand, and is made read-only then:
   * so it guards the end of the boot stack. */
  .section .bss.boot, "aw", @nobits
  .balign 4096
  .globl x86_kernel_pml4, x86_kernel_pdpt, x86_kernel_pd, x86_kernel_pt
  .globl x86_boot_stack, x86_boot_stack_top
x86_kernel_pml4:
  .skip 4096
x86_boot_stack:
  .skip BOOT_STACK_BYTES
x86_boot_stack_top:
x86_kernel_pdpt:
  .skip 4096
x86_kernel_pd:
  .skip 4096
x86_kernel_pt:
  .skip 4096
