# How the kernel is compiled and linked for x86-64.
ARCH_TARGET := x86_64-unknown-none-elf
ARCH_CFLAGS := -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fstack-protector-strong
ARCH_FAST := $(addprefix arch/x86_64/,irq.c lapic.c thread.c timer.c trap.c)
ARCH_LDSCRIPT := boot/x86_64/kernel.ld
ARCH_LDEMULATION := elf_x86_64
