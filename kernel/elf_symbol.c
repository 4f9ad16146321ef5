/*
 * Finding a program's symbol for an address: elf_symbol() of elf_parse.h. Called when a crash
 * report prints a backtrace, in any context; takes no lock. A file without a symbol table, or with
 * a broken one, has no symbols.
 */
#include "kernel/elf_format.h"
#include "kernel/elf_parse.h"
#include "kernel/string.h"

struct view {
  const uint8_t *bytes;
  uint64_t size;
};

/* A part of the file; false when it is not all there. */
static bool part(struct view file, uint64_t offset, uint64_t size, struct view *result) {
  if (offset > file.size || size > file.size - offset) {
    return false;
  }
  *result = (struct view){.bytes = file.bytes + offset, .size = size};
  return true;
}

static bool section_contents(struct view file, struct view headers, unsigned index,
                             struct view *result) {
  if (index >= headers.size / SHDR_BYTES) {
    return false;
  }
  const uint8_t *header = headers.bytes + (uint64_t)index * SHDR_BYTES;
  return part(file, elf_read64(header + SHDR_OFFSET), elf_read64(header + SHDR_SIZE), result);
}

/* The symbol table and its names. */
static bool find_tables(struct view file, struct view *symbols, struct view *names) {
  if (file.size < EHDR_BYTES || memcmp(file.bytes, "\177ELF", 4) != 0 ||
      file.bytes[EHDR_CLASS] != ELF_CLASS_64 || file.bytes[EHDR_DATA] != ELF_DATA_LITTLE ||
      elf_read16(file.bytes + EHDR_SHENTSIZE) != SHDR_BYTES) {
    return false;
  }
  unsigned count = elf_read16(file.bytes + EHDR_SHNUM);
  struct view headers;
  if (!part(file, elf_read64(file.bytes + EHDR_SHOFF), (uint64_t)count * SHDR_BYTES, &headers)) {
    return false;
  }
  for (unsigned i = 0; i < count; i++) {
    const uint8_t *header = headers.bytes + (uint64_t)i * SHDR_BYTES;
    if (elf_read32(header + SHDR_TYPE) == ELF_SHT_SYMTAB) {
      return section_contents(file, headers, i, symbols) &&
             section_contents(file, headers, elf_read32(header + SHDR_LINK), names);
    }
  }
  return false;
}

static const char *symbol_name(struct view names, const uint8_t *symbol) {
  uint32_t at = elf_read32(symbol + SYMBOL_NAME);
  if (at == 0 || at >= names.size || memchr(names.bytes + at, 0, names.size - at) == NULL) {
    return NULL;
  }
  return (const char *)names.bytes + at;
}

/* Whether the symbol is a function at or below the address, and closer to it than *best. Other
 * symbols of code are marks that linkers make, at addresses of functions as well. */
static bool better(const uint8_t *symbol, uint64_t vaddr, uint64_t best) {
  unsigned type = symbol[SYMBOL_INFO] & 15;
  uint64_t value = elf_read64(symbol + SYMBOL_VALUE);
  uint64_t size = elf_read64(symbol + SYMBOL_SIZE);
  if (type != ELF_SYMBOL_FUNCTION || elf_read16(symbol + SYMBOL_SHNDX) == 0 || value > vaddr) {
    return false;
  }
  /* A function in assembly may have no size: it reaches up to the next symbol. */
  bool covers = size == 0 || vaddr - value < size;
  return covers && vaddr - value < best;
}

bool elf_symbol(const void *file, size_t size, uint64_t vaddr, const char **name,
                uint64_t *offset) {
  struct view symbols, names;
  if (!find_tables((struct view){.bytes = file, .size = size}, &symbols, &names)) {
    return false;
  }
  uint64_t best = UINT64_MAX;
  for (uint64_t at = 0; at + SYMBOL_BYTES <= symbols.size; at += SYMBOL_BYTES) {
    const uint8_t *symbol = symbols.bytes + at;
    const char *found = better(symbol, vaddr, best) ? symbol_name(names, symbol) : NULL;
    if (found != NULL) {
      best = vaddr - elf_read64(symbol + SYMBOL_VALUE);
      *name = found;
      *offset = best;
    }
  }
  return best != UINT64_MAX;
}
