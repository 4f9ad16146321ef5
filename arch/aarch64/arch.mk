# How the kernel is compiled and linked for aarch64.
ARCH_TARGET := aarch64-unknown-none-elf
ARCH_CFLAGS := -march=armv8-a -mgeneral-regs-only -mbranch-protection=bti -mno-outline-atomics \
  -fstack-protector-strong
ARCH_FAST := $(addprefix arch/aarch64/,gic2.c gic3.c irq.c thread.c timer.c trap.c)
ARCH_LDSCRIPT := boot/aarch64/kernel.ld
ARCH_LDEMULATION := aarch64elf
