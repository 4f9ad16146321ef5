/*
 * The ELF64 structures that are read here, little-endian, as offsets into bytes: files may be
 * misaligned in memory, so nothing is overlaid with a struct. For elf_parse.c, elf_symbol.c and the
 * image builder.
 */
#ifndef KERNEL_ELF_FORMAT_H
#define KERNEL_ELF_FORMAT_H

#include <stdint.h>

/* File header. */
enum {
  EHDR_BYTES = 64,
  EHDR_CLASS = 4,
  EHDR_DATA = 5,
  EHDR_IDENT_VERSION = 6,
  EHDR_OSABI = 7,
  EHDR_ABIVERSION = 8,
  EHDR_TYPE = 16,
  EHDR_MACHINE = 18,
  EHDR_VERSION = 20,
  EHDR_ENTRY = 24,
  EHDR_PHOFF = 32,
  EHDR_SHOFF = 40,
  EHDR_PHENTSIZE = 54,
  EHDR_PHNUM = 56,
  EHDR_SHENTSIZE = 58,
  EHDR_SHNUM = 60,
  EHDR_SHSTRNDX = 62,
};

/* Program header. */
enum {
  PHDR_BYTES = 56,
  PHDR_TYPE = 0,
  PHDR_FLAGS = 4,
  PHDR_OFFSET = 8,
  PHDR_VADDR = 16,
  PHDR_PADDR = 24,
  PHDR_FILESZ = 32,
  PHDR_MEMSZ = 40,
  PHDR_ALIGN = 48,
};

/* Section header. */
enum {
  SHDR_BYTES = 64,
  SHDR_TYPE = 4,
  SHDR_ADDR = 16,
  SHDR_OFFSET = 24,
  SHDR_SIZE = 32,
  SHDR_LINK = 40,
  SHDR_ENTSIZE = 56,
};

/* Symbol. */
enum {
  SYMBOL_BYTES = 24,
  SYMBOL_NAME = 0,
  SYMBOL_INFO = 4,
  SYMBOL_SHNDX = 6,
  SYMBOL_VALUE = 8,
  SYMBOL_SIZE = 16,
};

enum {
  ELF_CLASS_64 = 2,
  ELF_DATA_LITTLE = 1,
  ELF_VERSION = 1,
  ELF_OSABI_FREEBSD = 9,
  ELF_OSABI_CLOUDABI = 17,
  ELF_TYPE_EXEC = 2,
  ELF_TYPE_DYN = 3,
  ELF_PT_LOAD = 1,
  ELF_PT_INTERP = 3,
  ELF_PT_TLS = 7,
  ELF_SHT_SYMTAB = 2,
  ELF_SHT_NOBITS = 8,
  ELF_SYMBOL_OBJECT = 1,
  ELF_SYMBOL_FUNCTION = 2,
  ELF_SYMBOL_SECTION = 3,
};

static inline uint64_t elf_read(const uint8_t *at, unsigned bytes) {
  uint64_t value = 0;
  while (bytes-- > 0) {
    value = value << 8 | at[bytes];
  }
  return value;
}

static inline uint16_t elf_read16(const uint8_t *at) {
  return (uint16_t)elf_read(at, 2);
}

static inline uint32_t elf_read32(const uint8_t *at) {
  return (uint32_t)elf_read(at, 4);
}

static inline uint64_t elf_read64(const uint8_t *at) {
  return elf_read(at, 8);
}

#endif
