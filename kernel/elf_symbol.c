/*
 * Finding a program's symbol for an address: elf_symbol() of elf_parse.h. Called when a crash
 * report prints a backtrace, by whoever may read the file; takes no lock. A file without a symbol
 * table, or with a broken one, has no symbols.
 */
#include "kernel/elf_format.h"
#include "kernel/elf_parse.h"
#include "kernel/string.h"

#define BATCH 16          /* symbols read at once */
#define UNSIZED_MAX 65536 /* bytes */

/* A part of the file, inside it. */
struct part {
  uint64_t offset, size;
};

static bool part_init(struct part *p, const struct elf_file *file, uint64_t offset, uint64_t size) {
  *p = (struct part){offset, size};
  return offset <= file->size && size <= file->size - offset;
}

static bool section_contents(struct elf_file *file, const struct part *headers, unsigned index,
                             struct part *contents) {
  uint8_t header[SHDR_BYTES];
  return index < headers->size / SHDR_BYTES &&
         elf_file_read(file, headers->offset + (uint64_t)index * SHDR_BYTES, header, SHDR_BYTES) &&
         part_init(contents, file, elf_read64(header + SHDR_OFFSET),
                   elf_read64(header + SHDR_SIZE));
}

static bool section_headers(struct elf_file *file, struct part *headers) {
  uint8_t header[EHDR_BYTES];
  if (!elf_file_read(file, 0, header, EHDR_BYTES) || memcmp(header, "\177ELF", 4) != 0 ||
      header[EHDR_CLASS] != ELF_CLASS_64 || header[EHDR_DATA] != ELF_DATA_LITTLE ||
      elf_read16(header + EHDR_SHENTSIZE) != SHDR_BYTES) {
    return false;
  }
  uint64_t count = elf_read16(header + EHDR_SHNUM);
  return part_init(headers, file, elf_read64(header + EHDR_SHOFF), count * SHDR_BYTES);
}

/* The symbol table and its names. */
static bool find_tables(struct elf_file *file, struct part *symbols, struct part *names) {
  struct part headers;
  if (!section_headers(file, &headers)) {
    return false;
  }
  for (unsigned i = 0; i < headers.size / SHDR_BYTES; i++) {
    uint8_t header[SHDR_BYTES];
    if (!elf_file_read(file, headers.offset + (uint64_t)i * SHDR_BYTES, header, SHDR_BYTES)) {
      return false;
    }
    if (elf_read32(header + SHDR_TYPE) == ELF_SHT_SYMTAB) {
      return section_contents(file, &headers, i, symbols) &&
             section_contents(file, &headers, elf_read32(header + SHDR_LINK), names);
    }
  }
  return false;
}

/* Whether the symbol is a function at or below the address, and closer to it than `best`. Other
 * symbols of code are marks that linkers make, at addresses of functions as well. */
static bool better(const uint8_t *symbol, uint64_t vaddr, uint64_t best) {
  unsigned type = symbol[SYMBOL_INFO] & 15;
  uint64_t value = elf_read64(symbol + SYMBOL_VALUE);
  uint64_t size = elf_read64(symbol + SYMBOL_SIZE);
  if (type != ELF_SYMBOL_FUNCTION || elf_read16(symbol + SYMBOL_SHNDX) == 0 ||
      elf_read32(symbol + SYMBOL_NAME) == 0 || value > vaddr) {
    return false;
  }
  /* A function in assembly may have no size: it reaches up to the next symbol, if one follows. */
  bool covers = vaddr - value < (size != 0 ? size : UNSIZED_MAX);
  return covers && vaddr - value < best;
}

/* What stands at `at` in the names; false: nothing, or no end. */
static bool read_name(struct elf_file *file, const struct part *names, uint32_t at, char *name,
                      size_t name_bytes) {
  if (at >= names->size) {
    return false;
  }
  uint64_t left = names->size - at;
  size_t n = left < name_bytes ? (size_t)left : name_bytes;
  if (!elf_file_read(file, names->offset + at, name, n)) {
    return false;
  }
  if (memchr(name, 0, n) == NULL && left <= n) {
    return false;
  }
  name[n - 1] = '\0';
  return name[0] != '\0';
}

bool elf_symbol(struct elf_file *file, uint64_t vaddr, char *name, size_t name_bytes,
                uint64_t *offset) {
  struct part symbols, names;
  uint8_t batch[BATCH * SYMBOL_BYTES];
  uint64_t best = UINT64_MAX;
  uint32_t best_name = 0;
  if (!find_tables(file, &symbols, &names)) {
    return false;
  }
  uint64_t count = symbols.size / SYMBOL_BYTES;
  for (uint64_t i = 0; i < count; i += BATCH) {
    size_t n = count - i < BATCH ? (size_t)(count - i) : BATCH;
    if (!elf_file_read(file, symbols.offset + i * SYMBOL_BYTES, batch, n * SYMBOL_BYTES)) {
      return false;
    }
    for (const uint8_t *symbol = batch; symbol < batch + n * SYMBOL_BYTES; symbol += SYMBOL_BYTES) {
      if (better(symbol, vaddr, best)) {
        best = vaddr - elf_read64(symbol + SYMBOL_VALUE);
        best_name = elf_read32(symbol + SYMBOL_NAME);
      }
    }
  }
  *offset = best;
  return best != UINT64_MAX && read_name(file, &names, best_name, name, name_bytes);
}
