# The SDK: a C compiler for CloudABI programs, $(SDK_CC), and its sysroot. Included by the
# Makefile at the top; paths are from there. `make sdk` builds it for $(ARCH).
#
# musl comes from Debian's source package (tools/sources.mk) and is compiled as it is, by
# one rule, over the overlay; see docs/sdk.md.

BUILD ?= build
ARCH ?= x86_64
Q ?= $(if $(V),,@)

include tools/sources.mk
include sdk/$(ARCH)/target.mk

SDK_CLANG ?= clang-14
SDK_AR ?= llvm-ar-14
SDK_TARGET := $(ARCH)-unknown-cloudabi
SDK_CC := $(BUILD)/sdk/bin/$(SDK_TARGET)-cc
SDK_ROOT := $(BUILD)/sdk/$(ARCH)
SDK_OBJ := $(SDK_ROOT)/obj
SDK_LIBC := $(SDK_ROOT)/lib/libc.a
SDK_CRT0 := $(SDK_ROOT)/lib/crt0.o
SDK_MUSL_HEADERS := $(SDK_ROOT)/include/.musl
SDK_HEADERS := $(SDK_ROOT)/include/.installed
SDK_MUSL := $(BUILD)/src/musl
SDK_LIST := $(SDK_OBJ)/include/bits/syscall.h $(SDK_OBJ)/include/linux-calls.h

# Every program of the SDK depends on these: when they are new, it is linked again.
SDK_FILES := $(SDK_CC) $(SDK_CRT0) $(SDK_LIBC) $(SDK_ROOT)/lib/libbuiltins.a

.PHONY: sdk
sdk: $(SDK_FILES)

$(SDK_MUSL)/.fetched: tools/sources.mk
	@echo "  FETCH   musl $(MUSL_VERSION)"
	$(Q)BUILD=$(BUILD) tools/fetch-source musl $(MUSL_VERSION) $(MUSL_SHA256) $(SDK_MUSL)
	$(Q)touch $@

# Headers: musl's with the machine's and the two generated ones; then ours.
$(SDK_MUSL_HEADERS): $(SDK_MUSL)/.fetched
	@echo "  HEADERS $(@D)"
	$(Q)rm -rf $(@D) && mkdir -p $(@D)
	$(Q)cp -r $(SDK_MUSL)/include/. $(SDK_MUSL)/arch/generic/bits $(SDK_MUSL)/arch/$(ARCH)/bits $(@D)
	$(Q)rm -f $(@D)/*.in $(@D)/bits/*.in
	$(Q)sed -f $(SDK_MUSL)/tools/mkalltypes.sed $(SDK_MUSL)/arch/$(ARCH)/bits/alltypes.h.in \
	  $(SDK_MUSL)/include/alltypes.h.in > $(@D)/bits/alltypes.h
	$(Q)sed -e p -e 's/__NR_/SYS_/' $(SDK_MUSL)/arch/$(ARCH)/bits/syscall.h.in \
	  > $(@D)/bits/syscall.h
	$(Q)touch $@

SDK_OWN_HEADERS := $(wildcard sdk/include/*.h) argdata/argdata.h
SDK_SYS_HEADERS := $(wildcard sdk/include/sys/*.h)
SDK_ABI_HEADERS := abi/cloudabi.h abi/retired.h abi/errno.def abi/syscalls.def

$(SDK_HEADERS): $(SDK_MUSL_HEADERS) $(SDK_OWN_HEADERS) $(SDK_SYS_HEADERS) $(SDK_ABI_HEADERS) sdk/gen-syscalls.awk
	$(Q)mkdir -p $(@D)/abi
	$(Q)cp $(SDK_OWN_HEADERS) $(@D)
	$(Q)cp $(SDK_SYS_HEADERS) $(@D)/sys
	$(Q)cp $(SDK_ABI_HEADERS) $(@D)/abi
	$(Q)awk -f sdk/gen-syscalls.awk abi/syscalls.def > $(@D)/cloudabi_syscalls.h
	$(Q)touch $@

$(SDK_OBJ)/include/bits/syscall.h: sdk/calls.list sdk/gen-calls.awk $(SDK_MUSL)/.fetched
	$(Q)mkdir -p $(@D)
	$(Q)awk -v want=header -f sdk/gen-calls.awk sdk/calls.list \
	  $(SDK_MUSL)/arch/$(ARCH)/bits/syscall.h.in > $@

$(SDK_OBJ)/include/linux-calls.h: sdk/calls.list sdk/gen-calls.awk $(SDK_MUSL)/.fetched
	$(Q)mkdir -p $(@D)
	$(Q)awk -v want=table -f sdk/gen-calls.awk sdk/calls.list \
	  $(SDK_MUSL)/arch/$(ARCH)/bits/syscall.h.in > $@

$(SDK_OBJ)/include/version.h: $(SDK_MUSL)/.fetched
	$(Q)mkdir -p $(@D)
	$(Q)echo '#define VERSION "$(MUSL_VERSION)"' > $@

# One set of flags for all of libc. SafeStack, the target's default, is left out; unwind
# tables as well: what crashes is shown by the kernel, with frame pointers where they are.
SDK_CFLAGS := --target=$(SDK_TARGET) -Os -fPIE -fno-sanitize=safe-stack -nostdinc -ffreestanding \
  -ffunction-sections -fdata-sections -fomit-frame-pointer -fno-unwind-tables \
  -fno-asynchronous-unwind-tables -fno-stack-protector
SDK_MUSL_INCLUDES = $(addprefix $(1),$(SDK_MUSL)/arch/$(ARCH) $(SDK_MUSL)/arch/generic \
  $(SDK_OBJ)/include $(SDK_MUSL)/src/include $(SDK_MUSL)/src/internal $(SDK_ROOT)/include \
  $(SDK_MUSL))

$(SDK_OBJ)/musl.stamp: $(SDK_MUSL_HEADERS) $(SDK_LIST) $(SDK_OBJ)/include/version.h \
  $(wildcard sdk/overlay/include/*.h) sdk/compile-musl sdk/sdk.mk
	@echo "  MUSL    $(SDK_OBJ)/musl (a minute)"
	$(Q)sdk/compile-musl $(SDK_MUSL) $(ARCH) $(SDK_OBJ)/musl $(SDK_CLANG) $(SDK_CFLAGS) \
	  -std=c99 -D_XOPEN_SOURCE=700 -frounding-math -fno-strict-aliasing -w -Qunused-arguments \
	  -Isdk/overlay/include $(call SDK_MUSL_INCLUDES,-I) -c
	$(Q)touch $@

# Our own parts of libc, warnings on; musl's headers are a system's.
SDK_SRCS := $(wildcard sdk/overlay/*.c) \
  $(addprefix argdata/,codec_read.c codec_write.c create.c get.c iterate.c print.c serialize.c)
SDK_OBJS := $(SDK_SRCS:%.c=$(SDK_OBJ)/%.o)

$(SDK_OBJS) $(SDK_CRT0:%.o=$(SDK_OBJ)/sdk/crt/crt0.o): $(SDK_OBJ)/%.o: %.c \
  $(SDK_HEADERS) $(SDK_LIST) sdk/sdk.mk
	@echo "  CC      $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(SDK_CLANG) $(SDK_CFLAGS) -std=gnu17 -Wall -Wextra -Werror -MMD -MP \
	  -I. -Isdk/$(ARCH) -isystem sdk/overlay/include $(call SDK_MUSL_INCLUDES,-isystem ) \
	  -c -o $@ $<

-include $(SDK_OBJS:.o=.d) $(SDK_OBJ)/sdk/crt/crt0.d

$(SDK_CRT0): $(SDK_OBJ)/sdk/crt/crt0.o
	$(Q)mkdir -p $(@D)
	$(Q)cp $< $@

# Names repeat between the parts: append, don't replace. The empty libraries are what
# makefiles written for other systems link against.
$(SDK_LIBC): $(SDK_OBJ)/musl.stamp $(SDK_OBJS)
	@echo "  AR      $@"
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)find $(SDK_OBJ)/musl -name '*.o' | sort | xargs $(SDK_AR) qcS $@
	$(Q)$(SDK_AR) qcs $@ $(SDK_OBJS)
	$(Q)for name in m rt pthread util dl; do \
	  rm -f $(@D)/lib$$name.a && $(SDK_AR) qc $(@D)/lib$$name.a; done

$(SDK_ROOT)/lib/libbuiltins.a:
	$(Q)mkdir -p $(@D)
	$(Q)test -f "$(SDK_BUILTINS)" || \
	  { echo "the compiler's runtime library is missing: install $(SDK_BUILTINS_PACKAGE)" >&2; false; }
	$(Q)cp $(SDK_BUILTINS) $@

$(SDK_CC): sdk/cc.in sdk/$(ARCH)/target.mk
	$(Q)mkdir -p $(@D)
	$(Q)sed -e 's|@ARCH@|$(ARCH)|g' -e 's|@CLANG@|$(SDK_CLANG)|g' \
	  -e 's|@LDFLAGS@|$(SDK_LDFLAGS)|g' $< > $@
	$(Q)chmod +x $@
	$(Q)printf '#!/bin/sh\nexec $(SDK_AR) "$$@"\n' > $(@D)/$(SDK_TARGET)-ar
	$(Q)chmod +x $(@D)/$(SDK_TARGET)-ar
