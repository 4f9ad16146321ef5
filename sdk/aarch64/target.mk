# The aarch64 part of the SDK's build: what differs between the machines.
SDK_BUILTINS = $(wildcard /usr/lib/gcc-cross/aarch64-linux-gnu/12/libgcc.a)
SDK_BUILTINS_PACKAGE := libgcc-12-dev-arm64-cross
# Segments are apart by the machine's largest page, 64 KiB, in memory and not in the file.
SDK_LDFLAGS := -z noseparate-code
