/*
 * Checking an ELF file and saying what is to be mapped: section 1.1 of the semantics reference.
 *
 * The kernel uses it to load programs, the image builder to refuse a bad one before an image is
 * made of it. The file may lie in memory or anywhere else; it is read in small pieces. Nothing is
 * allocated and no state kept: any context may call it that may read the file. Every offset is
 * checked; the file may come from anyone.
 */
#ifndef KERNEL_ELF_PARSE_H
#define KERNEL_ELF_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_PAGE_BYTES 4096
#define ELF_SEGMENTS_MAX 16
#define ELF_WHY_BYTES 128

/* No address may reach this one, and no program may span more: far below every user limit. */
#define ELF_ADDRESS_END (UINT64_C(1) << 46)
#define ELF_ALIGN_MAX (UINT64_C(1) << 30)

/* A file, wherever its bytes are. */
struct elf_file {
  uint64_t size;
  /* Stores the bytes [offset, offset + n), which lie inside the file. False: they can't be read. */
  bool (*read)(struct elf_file *file, uint64_t offset, void *to, size_t n);
};

/* One whose bytes lie in memory. */
struct elf_memory {
  struct elf_file file;
  const uint8_t *bytes;
};
void elf_memory_init(struct elf_memory *memory, const void *bytes, size_t size);

/* E_machine of the machines that there are. */
enum {
  ELF_MACHINE_X86_64 = 62,
  ELF_MACHINE_AARCH64 = 183,
};

/* Permissions of a segment; never write and execute together. */
enum {
  ELF_EXECUTE = 1,
  ELF_WRITE = 2,
  ELF_READ = 4,
};

/* A PT_LOAD that occupies memory. With file bytes, vaddr and offset are equal modulo the page. */
struct elf_segment {
  uint64_t vaddr;
  uint64_t memsz_bytes;
  uint64_t offset; /* the file bytes [offset, offset + filesz_bytes) lie inside the file */
  uint64_t filesz_bytes;
  unsigned flags;
};

struct elf_image {
  bool branded; /* as a CloudABI program; false: as FreeBSD's tools leave one that nobody branded */
  bool dynamic; /* ET_DYN: goes to any base; else addresses are absolute */
  unsigned segment_count;                        /* at least 1 */
  struct elf_segment segments[ELF_SEGMENTS_MAX]; /* ascending; no two share a page */
  uint64_t start;                                /* of the first segment, rounded down to a page */
  uint64_t span_bytes;  /* from start to the last segment's end, rounded up to a page */
  uint64_t align_bytes; /* of the base: the largest p_align, at least a page; a power of two */
  uint64_t entry;       /* inside an executable segment */
  uint64_t phdr_vaddr;  /* of the program headers, when has_phdr_vaddr */
  bool has_phdr_vaddr;  /* false: no segment holds them */
  uint64_t phdr_offset; /* in the file; phdr_count entries of 56 bytes */
  unsigned phdr_count;
  char why[ELF_WHY_BYTES]; /* the message when the file is refused */
};

/*
 * Checks the file for the given e_machine and fills *image. False: the file is not one that can
 * run here, and *why points to a message for a person, which lies in *image.
 */
bool elf_parse(struct elf_file *file, unsigned machine, struct elf_image *image, const char **why);

/*
 * The symbol of the file's .symtab that covers an address (as linked, without the load bias), for
 * backtraces. False when there is none. `name` gets as much of it as fits in name_bytes, with a
 * NUL; *offset is the distance from the symbol's start. The file need not have passed elf_parse().
 */
bool elf_symbol(struct elf_file *file, uint64_t vaddr, char *name, size_t name_bytes,
                uint64_t *offset);

/* elf_parse.c for elf_symbol.c: reads n bytes at offset; false: they are not all there. */
bool elf_file_read(struct elf_file *file, uint64_t offset, void *to, size_t n);

#endif
