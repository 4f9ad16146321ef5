# How the kernel is compiled and linked for x86-64.
ARCH_TARGET := x86_64-unknown-none-elf
ARCH_CFLAGS := -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fstack-protector-strong
ARCH_FAST := $(addprefix arch/x86_64/,irq.c lapic.c thread.c timer.c trap.c)
ARCH_LDSCRIPT := boot/x86_64/kernel.ld
ARCH_LDEMULATION := elf_x86_64

# The vDSO is an ELF file of its own, linked at 0, that the kernel embeds.
VDSO_SRC := arch/x86_64/vdso
VDSO_CLANG := clang --target=$(ARCH_TARGET) -D__ASSEMBLER__ -I.
ARCH_OBJS := $(OUT)/vdso/image.o

$(OUT)/vdso/vdso.o: $(VDSO_SRC)/vdso.S abi/syscalls.def kernel/vdso_layout.h | $(PACKAGES)
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(VDSO_CLANG) -c $< -o $@

$(OUT)/vdso/vdso.so: $(OUT)/vdso/vdso.o $(VDSO_SRC)/vdso.ld
	$(call say,LD,$@)
	$(Q)ld.lld -m $(ARCH_LDEMULATION) -shared --hash-style=sysv --build-id=none -soname=vdso \
	  -z norelro -T $(VDSO_SRC)/vdso.ld -o $@.full $<
	$(Q)llvm-objcopy --strip-sections $@.full $@

$(OUT)/vdso/image.o: $(VDSO_SRC)/image.S $(OUT)/vdso/vdso.so
	$(call say,AS,$@)
	$(Q)$(VDSO_CLANG) -DVDSO_FILE='"$(OUT)/vdso/vdso.so"' -c $< -o $@
