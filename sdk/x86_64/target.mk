# The x86-64 part of the SDK's build: what differs between the machines.
SDK_BUILTINS = $(shell $(SDK_CLANG) -print-file-name=lib/linux/libclang_rt.builtins-x86_64.a)
SDK_BUILTINS_PACKAGE := libclang-rt-14-dev
# Pages of 4 KiB; no page of the file is mapped twice.
SDK_LDFLAGS := -z separate-code
