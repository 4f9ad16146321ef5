/*
 * Checking an ELF file and saying what is to be mapped: section 1.1 of the semantics reference.
 *
 * The kernel uses it to load the program, the image builder to refuse a bad one before an image is
 * made of it. It reads bytes only (any alignment), allocates nothing and keeps no state: any
 * context may call it. Every offset is checked; the file may come from anyone.
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
  bool dynamic;           /* ET_DYN: goes to any base; else addresses are absolute */
  unsigned segment_count; /* at least 1 */
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
bool elf_parse(const void *file, size_t size, unsigned machine, struct elf_image *image,
               const char **why);

/*
 * The symbol of the file's .symtab that covers an address (as linked, without the load bias), for
 * backtraces. False when there is none. *name points into the file and is NUL-terminated; *offset
 * is the distance from the symbol's start. The file need not have passed elf_parse().
 */
bool elf_symbol(const void *file, size_t size, uint64_t vaddr, const char **name, uint64_t *offset);

#endif
