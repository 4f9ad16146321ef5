/*
 * Attacks that only aarch64 knows: system registers, calls to other levels, addresses that are
 * none.
 */
#include "../hostile.h"

#include <stdlib.h>

#include "../abi/raw.h"

const unsigned char machine_return[8] = {0xc0, 0x03, 0x5f, 0xd6, 0xc0, 0x03, 0x5f, 0xd6}; /* RET */

#define DO(name, text)                                                        \
  static void name(void) {                                                    \
    __asm__ volatile(text ::: "x0", "x1", "x2", "x3", "x30", "memory", "cc"); \
  }

DO(read_sctlr, "mrs x0, sctlr_el1")
DO(write_ttbr, "msr ttbr0_el1, xzr")
DO(write_vbar, "msr vbar_el1, xzr")
DO(mask_interrupts, "msr daifset, #15")
DO(tlbi_all, "tlbi vmalle1")
DO(hypercall, "hvc #0")
DO(secure_call, "smc #0")
DO(return_from_exception, "eret")
DO(undefined, "udf #0")
DO(breakpoint, "brk #1")
DO(wait_for_interrupt, "wfi")
DO(jump_odd, "adr x0, 1f\n add x0, x0, #1\n br x0\n 1: nop")
DO(jump_beyond, "movz x0, #1, lsl #48\n br x0")
DO(read_beyond, "movz x0, #1, lsl #48\n ldr x0, [x0]")
DO(stack_odd, "mov x1, sp\n add x0, x1, #4\n mov sp, x0\n ldr x2, [sp]\n mov sp, x1")
DO(kernel_stack, "movn x0, #0x7fff\n mov sp, x0\n str x0, [sp, #-16]!")
/* The crash report follows x29 and reads code at the program counter. */
DO(bad_frame, "movn x0, #0x7fff\n mov x29, x0\n mov sp, x0\n ldr x0, [sp]")

static void call_numbers(void) {
  static const uint64_t numbers[] = {0,          1,          57,          58,         0xff,
                                     0x100 + 50, 0x100 + 51, 0x100 + 100, 0x7fffffff, 0x80000000,
                                     0xffffffff, 1ull << 32, 1ull << 63,  UINT64_MAX, 0x100000100};
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    register uint64_t x8 __asm__("x8") = numbers[i], x0 __asm__("x0") = 0xffffffff80100000;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8)
                     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "memory", "cc");
    if (x0 == 0)
      exit(43);
  }
}

static void call_immediates(void) {
  register uint64_t x8 __asm__("x8") = 0x7777, x0 __asm__("x0") = 0;
  __asm__ volatile("svc #1\n svc #0xffff" : "+r"(x0) : "r"(x8) : "x1", "x2", "x3", "memory", "cc");
}

const struct attack machine_attacks[] = {
#define A(name) \
  { #name, name }
    A(read_sctlr),  A(write_ttbr),   A(write_vbar),         A(mask_interrupts),
    A(tlbi_all),    A(hypercall),    A(secure_call),        A(return_from_exception),
    A(undefined),   A(breakpoint),   A(wait_for_interrupt), A(jump_odd),
    A(jump_beyond), A(read_beyond),  A(stack_odd),          A(kernel_stack),
    A(bad_frame),   A(call_numbers), A(call_immediates),    {NULL, NULL}};
