# Virga: one CloudABI program, one machine. `make help` tells what can be made.

ARCH ?= x86_64
APP ?= httpd
MEM ?= 64
PORT ?= 8080
BUILD := build
OUT := $(BUILD)/$(ARCH)
HOSTDIR := $(BUILD)/host
Q := $(if $(V),,@)
comma := ,
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')
PYTHON := /usr/bin/python3

# What a plain `make test` builds and tests; with ARCH= it is that one alone.
TEST_ARCHS := $(if $(filter file,$(origin ARCH)),x86_64 aarch64,$(ARCH))

ifeq ($(filter $(ARCH),x86_64 aarch64),)
$(error ARCH=$(ARCH): expected x86_64 or aarch64)
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- What the machine needs ----------------------------------------------------------

PACKAGES := $(BUILD)/.packages
$(PACKAGES): tools/packages.txt tools/install-packages
	@tools/install-packages
	@mkdir -p $(@D)
	@touch $@

# Everything but these needs the packages, and they are installed before anything is read.
ifneq ($(filter-out help clean format,$(or $(MAKECMDGOALS),help)),)
-include $(PACKAGES).mk
$(PACKAGES).mk: $(PACKAGES)
	@touch $@
endif

include tools/sources.mk

# ---- The kernel ----------------------------------------------------------------------

include arch/$(ARCH)/arch.mk
include arch/vdso.mk

VARIANT := $(if $(DEBUG),-debug)$(if $(UBSAN),-ubsan)
KOBJ := $(OUT)/kernel$(VARIANT)
KERNEL := $(OUT)/kernel$(VARIANT).elf

# Not -ffreestanding: it would make every memcpy() of a few bytes a call. A kernel stack has two pages.
KERNEL_CFLAGS := --target=$(ARCH_TARGET) -std=gnu17 -fno-pic -Oz -g -flto \
  -fno-omit-frame-pointer -fno-common -fno-strict-aliasing -ffunction-sections -fdata-sections \
  -fno-asynchronous-unwind-tables -fvisibility=hidden -Wall -Wextra -Werror -Wno-unused-parameter \
  -Wvla -Wframe-larger-than=1536 -nostdlibinc -Ikernel/libc -Wstrict-prototypes -Wmissing-prototypes -I. -Iarch/$(ARCH) $(ARCH_CFLAGS) \
  $(if $(DEBUG),-DDEBUG) $(if $(UBSAN),-fsanitize=undefined -fsanitize-trap=undefined)

# All is made small but the files that a request passes through.
FAST := -O2 -mllvm -inline-threshold=400

include net/net.mk
include sdk/sdk.mk

KERNEL_C := $(sort $(wildcard arch/$(ARCH)/*.c boot/*.c boot/$(ARCH)/*.c kernel/*.c kernel/sys/*.c \
  fs/*.c fs/ext4/*.c ipc/*.c drivers/*.c drivers/virtio/*.c net/*.c net/port/*.c))
KERNEL_S := $(sort $(wildcard arch/$(ARCH)/*.S boot/$(ARCH)/*.S))
KERNEL_OBJS := $(KERNEL_C:%.c=$(KOBJ)/%.o) $(KERNEL_S:%.S=$(KOBJ)/%.o) \
  $(LWIP_SRCS:%.c=$(KOBJ)/%.o) $(VDSO_OBJ)

$(KOBJ)/%.o: %.c | $(PACKAGES)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(KERNEL_CFLAGS) $(CFLAGS_$(<)) -MMD -MP -c $< -o $@

$(KOBJ)/%.o: %.S | $(PACKAGES)
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(filter-out -flto,$(KERNEL_CFLAGS)) -D__ASSEMBLER__ -MMD -MP -c $< -o $@

# What a request passes through; net/net.mk has a list of its own.
KERNEL_FAST := kernel/bh.c kernel/blkdev.c kernel/fdtable.c kernel/heap.c kernel/page.c kernel/pagecache.c \
  kernel/pagecache_room.c kernel/pagetree.c kernel/string.c kernel/thread.c drivers/virtio/blk_io.c fs/ext4/file_read.c \
  kernel/timer.c kernel/uio.c kernel/waitq.c kernel/sys/dispatch.c kernel/sys/fd.c kernel/sys/poll.c \
  kernel/sys/sock.c ipc/channel_read.c ipc/channel_write.c ipc/socket.c drivers/virtio/net.c \
  drivers/virtio/net_rx.c drivers/virtio/net_tx.c drivers/virtio/virtq.c $(ARCH_FAST)
$(foreach f,$(KERNEL_FAST),$(eval CFLAGS_$(f) := $(FAST)))

# These define what the compiler would turn their loops into.
CFLAGS_kernel/string.c += -fno-builtin -fno-lto

$(KERNEL): $(KERNEL_OBJS) $(ARCH_LDSCRIPT)
	$(call say,LD,$@)
	$(Q)ld.lld -m $(ARCH_LDEMULATION) -T $(ARCH_LDSCRIPT) --gc-sections --fatal-warnings \
	  --lto-O2 -mllvm -align-loops=1 -z max-page-size=4096 \
	  -z noexecstack -z separate-code --build-id=none -o $@ $(KERNEL_OBJS)

# What a backtrace prints: functions by their offset from the start of the image.
$(OUT)/kernel$(VARIANT).symbols: $(KERNEL) tools/kernel-symbols
	$(Q)tools/kernel-symbols $< > $@

-include $(KERNEL_OBJS:.o=.d)

# ---- Host programs -------------------------------------------------------------------

HOST_CFLAGS := -std=gnu17 -O2 -g -Wall -Wextra -Werror -I. -Iarch/host
MKIMAGE := $(HOSTDIR)/mkimage
MKIMAGE_C := $(sort $(wildcard images/*.c)) $(sort $(wildcard argdata/*.c)) kernel/elf_parse.c kernel/elf_era.c \
  kernel/rights.c fs/cpio.c

$(HOSTDIR)/obj/%.o: %.c | $(PACKAGES)
	$(call say,HOSTCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(MKIMAGE): $(MKIMAGE_C:%.c=$(HOSTDIR)/obj/%.o)
	$(call say,HOSTLD,$@)
	$(Q)clang -o $@ $^ -lyaml

-include $(MKIMAGE_C:%.c=$(HOSTDIR)/obj/%.d)

# ext4 with what it needs of the kernel, on a machine of one thread.
EXT4_HOST := $(filter-out fs/ext4/flush.c,$(wildcard fs/ext4/*.c)) \
  $(addprefix kernel/,bh.c blkdev.c heap.c memobj.c mutex.c page.c pagecache.c pagecache_room.c \
  pagetree.c printf.c uio.c) \
  $(addprefix arch/host/,alone.c blkfile.c waits.c)

EXT4TOOL := $(HOSTDIR)/ext4tool
EXT4TOOL_C := $(sort $(wildcard tools/ext4tool/*.c)) $(EXT4_HOST) fs/partition.c fs/gpt.c

$(HOSTDIR)/ext4/%.o: %.c | $(PACKAGES)
	$(call say,HOSTCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(HOST_CFLAGS) -DHOST -Wno-unused-parameter -fno-strict-aliasing -MMD -MP -c $< -o $@

$(EXT4TOOL): $(EXT4TOOL_C:%.c=$(HOSTDIR)/ext4/%.o)
	$(call say,HOSTLD,$@)
	$(Q)clang -o $@ $^

ext4tool: $(EXT4TOOL)

-include $(EXT4TOOL_C:%.c=$(HOSTDIR)/ext4/%.d)

# ---- Programs and images -------------------------------------------------------------

APPS := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard apps/*/*.c)))))
APP_ELFS := $(APPS:%=$(OUT)/apps/%)

define app_rule
$(OUT)/apps/$(1): $(wildcard apps/$(1)/*.c apps/$(1)/*.h) $(SDK_FILES)
	$$(call say,APPCC,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(SDK_CC) -Os -Wall -Wextra -o $$@ $(wildcard apps/$(1)/*.c)
endef
$(foreach app,$(APPS),$(eval $(call app_rule,$(app))))

# APP is a folder of apps/, or the path of a CloudABI ELF file.
NAME := $(basename $(notdir $(APP)))
OUR_APP := $(filter $(APP),$(APPS))
PROGRAM := $(if $(OUR_APP),$(OUT)/apps/$(APP),$(APP))
CONFIG ?= $(if $(OUR_APP),apps/$(APP)/$(APP).yaml,$(error APP=$(APP) is no folder of apps/ \
  ($(APPS)): if it is a program of your own, name its YAML file with CONFIG=))
IMAGE := $(OUT)/$(NAME)
# What a loader takes: an ELF file, or raw memory; then the ELF file is for debuggers.
BOOTABLE := $(IMAGE).$(if $(filter aarch64,$(ARCH)),image,elf)
VM_FLAGS = --arch $(ARCH) --mem $(MEM) --port $(PORT) --program $(PROGRAM) --config $(CONFIG) --disk "$(DISK)"

.PHONY: ext4tool kernel image-elf image run run-machine run-gdb test bench conformance lint format size clean help FORCE
kernel: $(KERNEL) $(OUT)/kernel$(VARIANT).symbols

# Always made again: the YAML file names more files than make knows.
image-elf: kernel $(if $(OUR_APP),$(PROGRAM)) $(MKIMAGE)
	$(Q)for out in $(sort $(IMAGE).elf $(BOOTABLE)); do \
	  $(MKIMAGE) --kernel $(KERNEL) --symbols $(OUT)/kernel$(VARIANT).symbols \
	  --program $(PROGRAM) --config $(CONFIG) -o $$out || exit 1; done

image: image-elf
	$(Q)images/mkdisk $(BOOTABLE) $(IMAGE).img "$(CMDLINE)"
	@tools/vm.py describe $(VM_FLAGS) --append "$(CMDLINE)" $(IMAGE)

# Ends with the program's own status, which make alone can't (tools/make_exit.c).
run: run-machine
	$(exit $(file <$(OUT)/status))

run-machine: image-elf
	@tools/vm.py run $(VM_FLAGS) --append "$(CMDLINE)" $(IMAGE); echo $$? > $(OUT)/status

ifneq ($(filter run,$(MAKECMDGOALS)),)
-load $(BUILD)/make_exit.so(make_exit_setup)
$(BUILD)/make_exit.so: tools/make_exit.c | $(PACKAGES)
	$(Q)clang -O2 -shared -fPIC -Wall -Wextra -o $@ $<
endif

run-gdb: image-elf
	@tools/vm.py run --gdb $(VM_FLAGS) --append "$(CMDLINE)" $(IMAGE)

# ---- Tests ---------------------------------------------------------------------------

include tests/guest/sqlite/sqlite.mk

HOST_TESTS := $(patsubst tests/host/%.c,$(HOSTDIR)/tests/%,$(sort $(wildcard tests/host/test_*.c)))
FUZZERS := $(patsubst tests/host/%.c,$(HOSTDIR)/tests/%,$(sort $(wildcard tests/host/fuzz_*.c)))
SAN_CFLAGS := -std=gnu17 -g -O1 -fno-sanitize-recover=all -DHOST -I. -Iarch/host -Wall -Wextra -Werror \
  -Wno-unused-parameter

# A unit names its sources in its first lines: `// sources: kernel/heap.c`, `// cflags:`, `// libs:`.
unit_field = $(shell sed -n 's,^// $(2): ,,p' tests/host/$(1).c)
define unit_rule
$(HOSTDIR)/tests/$(1): tests/host/$(1).c $(call unit_field,$(1),sources) $(ALL_HEADERS) $(LWIP_STAMP)
	$$(call say,TESTCC,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)clang $(SAN_CFLAGS) -fsanitize=address,undefined$(2) $(call unit_field,$(1),cflags) \
	  -o $$@ $$(filter %.c,$$^) $(if $(2),,-lcmocka) $(call unit_field,$(1),libs)
endef
ALL_HEADERS := $(wildcard abi/* argdata/*.h images/*.h kernel/*.h kernel/sys/*.h fs/*.h fs/ext4/*.h ipc/*.h net/*.h \
  net/port/*.h net/port/*/*.h drivers/*.h drivers/virtio/*.h arch/*.h arch/*/platform.h arch/host/*.h boot/*.h tests/host/*.h tools/ext4tool/*.h)
$(foreach t,$(notdir $(HOST_TESTS)),$(eval $(call unit_rule,$(t),)))
$(foreach t,$(notdir $(FUZZERS)),$(eval $(call unit_rule,$(t),$(comma)fuzzer)))

.PHONY: test-programs guest-programs
guest-programs: kernel $(APP_ELFS) $(SQLITE_PROGRAMS)
# ext4tool with sanitizers, for its tests.
EXT4TOOL_TESTED := $(HOSTDIR)/tests/ext4tool
$(EXT4TOOL_TESTED): $(EXT4TOOL_C) $(ALL_HEADERS)
	$(call say,TESTCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(SAN_CFLAGS) -fsanitize=address,undefined -o $@ $(filter %.c,$^)

test-programs: $(HOST_TESTS) $(FUZZERS) $(EXT4TOOL_TESTED) $(MKIMAGE) guest-programs
	@for arch in $(filter-out $(ARCH),$(TEST_ARCHS)); do \
	  $(MAKE) --no-print-directory ARCH=$$arch guest-programs || exit 1; done
	@for arch in $(TEST_ARCHS); do \
	  $(MAKE) --no-print-directory ARCH=$$arch DEBUG=1 UBSAN=1 kernel || exit 1; done

test:
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$$(nproc)) test-programs
	@VIRGA_ARCHS="$(TEST_ARCHS)" $(PYTHON) -m pytest -q -p no:cacheprovider -n 2 $(if $(T),-k '$(T)') tests

bench: guest-programs $(MKIMAGE)
	@$(PYTHON) tests/bench/bench.py --arch $(ARCH) --write

conformance: $(MKIMAGE)
	@for arch in $(TEST_ARCHS); do \
	  $(MAKE) --no-print-directory ARCH=$$arch guest-programs || exit 1; done
	@$(PYTHON) tools/conformance $(TEST_ARCHS)

lint:
	@tools/lint

format:
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

size: $(KERNEL)
	@llvm-size $(KERNEL)

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#: \{0,1\}//p' Makefile

#: Virga makes a virtual machine of one CloudABI program.
#:
#:   make run [APP=httpd] [CONFIG=x.yaml] [MEM=64] [PORT=8080] [CMDLINE="log=info"]
#:                        build the image, boot it in QEMU, show its console
#:   make run DISK=a.img  the same with a disk (several: DISK="a.img b.img"), made if it is missing
#:   make image APP=…     build/ARCH/NAME.elf (for -kernel; aarch64: NAME.image) and a disk, NAME.img
#:   make test [T=name]   all tests, or those whose name contains it
#:   make conformance     which system calls pass how many checks: docs/conformance.md
#:   make bench           what requests, booting and memory cost
#:   make run-gdb         boot stopped, with a debugger waiting at port 1234
#:   make sdk             the C compiler for programs, build/sdk/bin/
#:   make lint            the rules that a compiler doesn't check
#:   make ext4tool        build/host/ext4tool: looks into a disk, changes and checks it
#:   make size, format, clean
#:
#: APP is a folder of apps/ or the path of a CloudABI ELF file; CONFIG is its YAML file.
#: ARCH=x86_64 (default) or aarch64. V=1 shows the commands. DEBUG=1, UBSAN=1: checked kernels.
