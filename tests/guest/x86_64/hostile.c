/*
 * Attacks that only x86-64 knows: privileged instructions, segments, flags, addresses that are
 * none.
 */
#include "../hostile.h"

#include <stdlib.h>

#include "../abi/raw.h"

const unsigned char machine_return[8] = {0xc3, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};

#define DO(name, text)                                                                   \
  static void name(void) {                                                               \
    __asm__ volatile(text ::: "rax", "rcx", "rdx", "rdi", "rsi", "r11", "memory", "cc"); \
  }

DO(hlt, "hlt")
DO(cli, "cli")
DO(sti, "sti")
DO(in_port, "mov $0xf4, %%edx\n in %%dx, %%al")
DO(out_port, "mov $0xf4, %%edx\n out %%al, %%dx")
DO(wrmsr, "mov $0xc0000082, %%ecx\n xor %%eax, %%eax\n xor %%edx, %%edx\n wrmsr")
DO(rdmsr, "mov $0xc0000082, %%ecx\n rdmsr")
DO(read_cr0, "mov %%cr0, %%rax")
DO(write_cr3, "xor %%eax, %%eax\n mov %%rax, %%cr3")
DO(write_dr7, "xor %%eax, %%eax\n mov %%rax, %%dr7")
DO(invlpg, "invlpg (%%rsp)")
DO(swapgs, "swapgs")
DO(sysret, "sysretq")
DO(lgdt, "lgdt -128(%%rsp)")
DO(lidt, "lidt -128(%%rsp)")
DO(ltr, "mov $0x28, %%eax\n ltr %%ax")
DO(wbinvd, "wbinvd")
DO(int_0x80, "xor %%eax, %%eax\n int $0x80")
DO(int_2, "int $2")
DO(int_8, "int $8")
DO(int_14, "int $14")
DO(int_32, "int $32")
DO(int3, "int3")
DO(ud2, "ud2")
DO(vmcall, "vmcall")
DO(sysenter, "sysenter")
DO(divide, "xor %%ecx, %%ecx\n mov $1, %%eax\n xor %%edx, %%edx\n div %%ecx")
DO(float_exception,
   "movl $0x1d80, -64(%%rsp)\n ldmxcsr -64(%%rsp)\n pxor %%xmm0, %%xmm0\n divss %%xmm0, %%xmm0")
DO(bad_mxcsr, "movl $0xffffffff, -64(%%rsp)\n ldmxcsr -64(%%rsp)")
DO(not_canonical_read, "movabs $0x800000000000, %%rax\n mov (%%rax), %%rax")
DO(not_canonical_jump, "movabs $0x800000000000, %%rax\n jmp *%%rax")
DO(not_canonical_stack, "movabs $0x800000000000, %%rsp\n push %%rax")
DO(kernel_stack, "movabs $0xffffffff80200000, %%rsp\n push %%rax")
/* The crash report follows rbp and reads code at rip. */
DO(bad_frame, "movabs $0xffffffff80200000, %%rbp\n mov %%rbp, %%rsp\n ud2")
DO(looping_frame, "lea -256(%%rsp), %%rbp\n mov %%rbp, (%%rbp)\n ud2")
DO(odd_frame, "movabs $0x7fffffffffff, %%rbp\n xor %%esp, %%esp\n ud2")
/* A selector of ring 0, one of 32-bit code, one beyond the table. */
DO(kernel_code, "push $8\n lea 1f(%%rip), %%rax\n push %%rax\n lretq\n 1:")
DO(kernel_data, "mov $0x10, %%eax\n mov %%eax, %%ss")
DO(far_selector, "mov $0xfff3, %%eax\n mov %%eax, %%ds")
DO(iret_to_ring_0,
   "mov %%rsp, %%rax\n push $0x10\n push %%rax\n pushfq\n push $8\n lea 1f(%%rip), %%rax\n push "
   "%%rax\n"
   "iretq\n 1:")
DO(iret_not_canonical,
   "mov %%rsp, %%rax\n mov %%ss, %%ecx\n push %%rcx\n push %%rax\n pushfq\n mov %%cs, %%ecx\n"
   "push %%rcx\n movabs $0x8000000000000000, %%rax\n push %%rax\n iretq")
/* Flags that stay set across the entry into the kernel: by a number that is no call, from which the
 * kernel returns by IRETQ, and by thread_yield, from which it returns by SYSRET. */
#define FLAG_CALL(bit)                  \
  "mov $99, %%eax\n pushfq\n orq $" bit \
  ", (%%rsp)\n popfq\n syscall\n"       \
  "mov $0x130, %%eax\n syscall\n pushfq\n andq $~" bit ", (%%rsp)\n popfq"
DO(flag_trap, FLAG_CALL("0x100"))
DO(flag_direction, FLAG_CALL("0x400"))
DO(flag_nested, FLAG_CALL("0x4000"))
DO(flag_alignment, FLAG_CALL("0x40000"))
DO(flag_id, FLAG_CALL("0x200000"))
DO(flag_iopl, FLAG_CALL("0x3000") "\n in $0x60, %%al")
/* Without a call: an interrupt comes sooner or later. */
DO(flag_nested_fault, "pushfq\n orq $0x4000, (%%rsp)\n popfq\n ud2")
DO(flag_direction_fault, "std\n ud2")
DO(trap_step, "pushfq\n orq $0x100, (%%rsp)\n popfq\n nop\n nop")
DO(trap_mov_ss,
   "mov %%ss, %%ecx\n pushfq\n orq $0x100, (%%rsp)\n popfq\n mov %%ecx, %%ss\n syscall\n nop")
DO(int3_mov_ss, "mov %%ss, %%ecx\n mov %%ecx, %%ss\n int3")
/* Selectors without a base: the kernel has its own, whatever these become. */
DO(clear_gs,
   "xor %%eax, %%eax\n mov %%eax, %%gs\n mov $0x130, %%eax\n syscall\n mov $0x130, %%eax\n "
   "syscall")
DO(clear_fs, "xor %%eax, %%eax\n mov %%eax, %%fs\n mov $0x130, %%eax\n syscall\n mov %%fs:0, %%rax")
DO(wrgsbase, "movabs $0xffffffff80000000, %%rax\n wrgsbase %%rax")
DO(kernel_rsp_call,
   "mov %%rsp, %%rdi\n movabs $0xffffffff80200000, %%rsp\n mov $0x130, %%eax\n syscall\n"
   "mov %%rdi, %%rsp\n ud2")

/* System calls by numbers that are none, with garbage in all registers. */
static void call_numbers(void) {
  static const uint64_t numbers[] = {0,          1,          57,           58,         0xff,
                                     0x100 + 50, 0x100 + 51, 0x100 + 4096, 0x7fffffff, 0x80000000,
                                     0xffffffff, 1ull << 32, 1ull << 63,   UINT64_MAX, 0x100000100};
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    uint64_t result = numbers[i];
    register uint64_t r10 __asm__("r10") = 0xffffffff80100000, r8 __asm__("r8") = UINT64_MAX;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(0xffffffff80100000), "S"(UINT64_MAX), "d"(0x800000000000), "r"(r10),
                       "r"(r8)
                     : "rcx", "r11", "r9", "memory", "cc");
    if (result == 0)
      exit(43);
  }
}

/* SYSCALL as the last instruction of the address space: its return address lies behind. */
static void call_at_the_end(void) {
  unsigned char *page = (void *)(0x7ffffffff000 - RAW_PAGE), *got = NULL;
  if (cloudabi_sys_mem_map(page, RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE,
                           CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE | CLOUDABI_MAP_FIXED,
                           CLOUDABI_MAP_ANON_FD, 0, (void **)&got) != 0)
    exit(43);
  page[RAW_PAGE - 2] = 0x0f;
  page[RAW_PAGE - 1] = 0x05;
  cloudabi_sys_mem_protect(page, RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_EXEC);
  ((void (*)(void))(uintptr_t)(page + RAW_PAGE - 2))();
}

/* Every place in the vDSO, in a thread of its own: most die of it; nobody asks how. */
static void vdso_middle(void) {
  uint64_t vdso = 0;
  for (uint64_t p = (uint64_t)__builtin_frame_address(0); vdso == 0; p += 8) {
    uint64_t type = *(volatile uint64_t *)p;
    if (type == CLOUDABI_AT_SYSINFO_EHDR)
      vdso = *(volatile uint64_t *)(p + 8);
  }
  ((void (*)(void))(vdso + 0xa3d))();
}

const struct attack machine_attacks[] = {
#define A(name) \
  { #name, name }
    A(hlt),
    A(cli),
    A(sti),
    A(in_port),
    A(out_port),
    A(wrmsr),
    A(rdmsr),
    A(read_cr0),
    A(write_cr3),
    A(write_dr7),
    A(invlpg),
    A(swapgs),
    A(sysret),
    A(lgdt),
    A(lidt),
    A(ltr),
    A(wbinvd),
    A(int_0x80),
    A(int_2),
    A(int_8),
    A(int_14),
    A(int_32),
    A(int3),
    A(ud2),
    A(vmcall),
    A(sysenter),
    A(divide),
    A(float_exception),
    A(bad_mxcsr),
    A(not_canonical_read),
    A(not_canonical_jump),
    A(not_canonical_stack),
    A(kernel_stack),
    A(bad_frame),
    A(looping_frame),
    A(odd_frame),
    A(kernel_code),
    A(kernel_data),
    A(far_selector),
    A(iret_to_ring_0),
    A(iret_not_canonical),
    A(flag_trap),
    A(flag_direction),
    A(flag_nested),
    A(flag_alignment),
    A(flag_id),
    A(flag_iopl),
    A(flag_nested_fault),
    A(flag_direction_fault),
    A(trap_step),
    A(trap_mov_ss),
    A(int3_mov_ss),
    A(clear_gs),
    A(clear_fs),
    A(wrgsbase),
    A(kernel_rsp_call),
    A(call_numbers),
    A(call_at_the_end),
    A(vdso_middle),
    {NULL, NULL}};
