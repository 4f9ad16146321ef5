/*
 * ELF files made in memory for tests: a CloudABI program and a kernel with a payload placeholder.
 */
#ifndef TESTS_HOST_ELF_FIXTURE_H
#define TESTS_HOST_ELF_FIXTURE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/elf_format.h"
#include "kernel/elf_parse.h"

struct elf_fixture {
  uint8_t bytes[0x4000];
  size_t size;
};

/* Indexes of the program's program headers. */
enum {
  FIXTURE_R,
  FIXTURE_X,
  FIXTURE_W,
  FIXTURE_TLS,
  FIXTURE_STACK,
  FIXTURE_PHDRS,
};

static inline void fixture_store(uint8_t *at, unsigned width, uint64_t value) {
  for (unsigned i = 0; i < width; i++, value >>= 8) {
    at[i] = (uint8_t)value;
  }
}

/* Where a field of a program header is in the file. */
static inline size_t fixture_phdr(unsigned index, unsigned field) {
  return EHDR_BYTES + index * PHDR_BYTES + field;
}

struct fixture_segment {
  uint32_t type, flags;
  uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static inline void fixture_put_segment(struct elf_fixture *elf, unsigned index,
                                       const struct fixture_segment *segment) {
  uint8_t *at = elf->bytes + fixture_phdr(index, 0);
  fixture_store(at + PHDR_TYPE, 4, segment->type);
  fixture_store(at + PHDR_FLAGS, 4, segment->flags);
  fixture_store(at + PHDR_OFFSET, 8, segment->offset);
  fixture_store(at + PHDR_VADDR, 8, segment->vaddr);
  fixture_store(at + PHDR_PADDR, 8, segment->paddr);
  fixture_store(at + PHDR_FILESZ, 8, segment->filesz);
  fixture_store(at + PHDR_MEMSZ, 8, segment->memsz);
  fixture_store(at + PHDR_ALIGN, 8, segment->align);
}

static inline void fixture_put_header(struct elf_fixture *elf, unsigned osabi, unsigned type,
                                      unsigned machine, unsigned phdrs, uint64_t entry) {
  uint8_t *at = elf->bytes;
  memcpy(at, "\177ELF\2\1\1", 7);
  at[EHDR_OSABI] = (uint8_t)osabi;
  fixture_store(at + EHDR_TYPE, 2, type);
  fixture_store(at + EHDR_MACHINE, 2, machine);
  fixture_store(at + EHDR_VERSION, 4, 1);
  fixture_store(at + EHDR_ENTRY, 8, entry);
  fixture_store(at + EHDR_PHOFF, 8, EHDR_BYTES);
  fixture_store(at + 52, 2, EHDR_BYTES);
  fixture_store(at + EHDR_PHENTSIZE, 2, PHDR_BYTES);
  fixture_store(at + EHDR_PHNUM, 2, phdrs);
  fixture_store(at + EHDR_SHENTSIZE, 2, SHDR_BYTES);
}

static inline void fixture_put_section(struct elf_fixture *elf, uint64_t table, unsigned index,
                                       uint32_t type, uint64_t addr, uint64_t offset, uint64_t size,
                                       uint32_t link) {
  uint8_t *at = elf->bytes + table + index * SHDR_BYTES;
  fixture_store(at + SHDR_TYPE, 4, type);
  fixture_store(at + SHDR_ADDR, 8, addr);
  fixture_store(at + SHDR_OFFSET, 8, offset);
  fixture_store(at + SHDR_SIZE, 8, size);
  fixture_store(at + SHDR_LINK, 4, link);
  fixture_store(at + SHDR_ENTSIZE, 8, type == ELF_SHT_SYMTAB ? SYMBOL_BYTES : 0);
}

static inline void fixture_put_symbol(uint8_t *at, uint32_t name, unsigned type, uint64_t value,
                                      uint64_t size) {
  fixture_store(at + SYMBOL_NAME, 4, name);
  at[SYMBOL_INFO] = (uint8_t)type;
  fixture_store(at + SYMBOL_SHNDX, 2, 1);
  fixture_store(at + SYMBOL_VALUE, 8, value);
  fixture_store(at + SYMBOL_SIZE, 8, size);
}

#define FIXTURE_SYMBOLS 0x2200
#define FIXTURE_NAMES 0x2300
#define FIXTURE_SECTIONS 0x2400

/* A static PIE as lld lays it out, with three symbols: _start, main and the label `loop`. */
static inline void fixture_program(struct elf_fixture *elf, unsigned machine) {
  static const struct fixture_segment segments[FIXTURE_PHDRS] = {
      [FIXTURE_R] = {ELF_PT_LOAD, 4, 0, 0, 0, 0x400, 0x400, 0x1000},
      [FIXTURE_X] = {ELF_PT_LOAD, 5, 0x1000, 0x1000, 0x1000, 0x100, 0x100, 0x1000},
      [FIXTURE_W] = {ELF_PT_LOAD, 6, 0x2000, 0x2000, 0x2000, 0x200, 0x100000, 0x1000},
      [FIXTURE_TLS] = {ELF_PT_TLS, 4, 0x2000, 0x2000, 0x2000, 0x10, 0x40, 16},
      [FIXTURE_STACK] = {0x6474e551, 6, 0, 0, 0, 0, 0, 0},
  };
  static const char names[] = "\0_start\0main\0loop";
  memset(elf, 0, sizeof(*elf));
  fixture_put_header(elf, ELF_OSABI_CLOUDABI, ELF_TYPE_DYN, machine, FIXTURE_PHDRS, 0x1000);
  for (unsigned i = 0; i < FIXTURE_PHDRS; i++) {
    fixture_put_segment(elf, i, &segments[i]);
  }
  uint8_t *symbols = elf->bytes + FIXTURE_SYMBOLS;
  fixture_put_symbol(symbols + SYMBOL_BYTES, 1, ELF_SYMBOL_FUNCTION, 0x1000, 0x20);
  fixture_put_symbol(symbols + 2 * SYMBOL_BYTES, 8, ELF_SYMBOL_FUNCTION, 0x1040, 0x40);
  fixture_put_symbol(symbols + 3 * SYMBOL_BYTES, 13, 0, 0x1080, 0);
  memcpy(elf->bytes + FIXTURE_NAMES, names, sizeof(names));
  fixture_put_section(elf, FIXTURE_SECTIONS, 1, ELF_SHT_SYMTAB, 0, FIXTURE_SYMBOLS,
                      4 * SYMBOL_BYTES, 2);
  fixture_put_section(elf, FIXTURE_SECTIONS, 2, 3, 0, FIXTURE_NAMES, sizeof(names), 0);
  fixture_store(elf->bytes + EHDR_SHOFF, 8, FIXTURE_SECTIONS);
  fixture_store(elf->bytes + EHDR_SHNUM, 2, 3);
  elf->size = FIXTURE_SECTIONS + 3 * SHDR_BYTES;
}

#define FIXTURE_PLACE_VA UINT64_C(0xffffffff80120000)
#define FIXTURE_PLACE_OFFSET 0x2000

/* A kernel: text, data with BSS, the placeholder, then sections and something behind them. */
static inline void fixture_kernel(struct elf_fixture *elf, unsigned machine) {
  static const struct fixture_segment segments[] = {
      {ELF_PT_LOAD, 5, 0, 0xffffffff80100000, 0x100000, 0x900, 0x900, 0x1000},
      {ELF_PT_LOAD, 6, 0x1000, 0xffffffff80101000, 0x101000, 0x400, 0x1f000, 0x1000},
      {ELF_PT_LOAD, 4, FIXTURE_PLACE_OFFSET, FIXTURE_PLACE_VA, 0x120000, 0x1000, 0x1000, 0x1000},
      {4 /* PT_NOTE */, 4, 0x300, 0xffffffff80100300, 0x100300, 0x20, 0x20, 4},
  };
  memset(elf, 0, sizeof(*elf));
  fixture_put_header(elf, 0, ELF_TYPE_EXEC, machine, 4, 0xffffffff80100000);
  for (unsigned i = 0; i < 4; i++) {
    fixture_put_segment(elf, i, &segments[i]);
  }
  memcpy(elf->bytes + 0x800, "kernel text", 11);
  memcpy(elf->bytes + 0x1000, "kernel data", 11);
  memcpy(elf->bytes + 0x3000, "kernel symbols", 14);
  fixture_put_section(elf, 0x3100, 1, 1, FIXTURE_PLACE_VA, FIXTURE_PLACE_OFFSET, 0x1000, 0);
  fixture_put_section(elf, 0x3100, 2, ELF_SHT_SYMTAB, 0, 0x3000, 0x60, 0);
  fixture_store(elf->bytes + EHDR_SHOFF, 8, 0x3100);
  fixture_store(elf->bytes + EHDR_SHNUM, 2, 3);
  elf->size = 0x3100 + 3 * SHDR_BYTES;
}

#endif
