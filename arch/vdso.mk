# The vDSO of $(ARCH): an ELF file of its own, linked at 0, that the kernel embeds.

VDSO_SRC := arch/$(ARCH)/vdso
VDSO_CLANG := clang --target=$(ARCH_TARGET) -D__ASSEMBLER__ -I.
VDSO_OBJ := $(OUT)/vdso/image.o

$(OUT)/vdso/vdso.o: $(VDSO_SRC)/vdso.S abi/syscalls.def kernel/vdso_layout.h | $(PACKAGES)
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(VDSO_CLANG) -c $< -o $@

$(OUT)/vdso/vdso.so: $(OUT)/vdso/vdso.o $(VDSO_SRC)/vdso.ld
	$(call say,LD,$@)
	$(Q)ld.lld -m $(ARCH_LDEMULATION) -shared --hash-style=sysv --build-id=none -soname=vdso \
	  -z norelro -T $(VDSO_SRC)/vdso.ld -o $@.full $<
	$(Q)llvm-objcopy --strip-sections $@.full $@

$(VDSO_OBJ): arch/vdso_image.S $(OUT)/vdso/vdso.so
	$(call say,AS,$@)
	$(Q)$(VDSO_CLANG) -DVDSO_FILE='"$(OUT)/vdso/vdso.so"' -c $< -o $@
