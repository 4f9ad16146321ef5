/*
 * The kernel's ELF file and the place in it that the payload takes.
 *
 * The kernel is linked with a last PT_LOAD of one page, read-only and page aligned in memory and
 * in the file: the placeholder. The builder writes the same file with that segment grown to the
 * payload. docs/images.md explains how the kernel finds it.
 */
#ifndef IMAGES_KERNEL_ELF_H
#define IMAGES_KERNEL_ELF_H

#include <stdbool.h>

#include "images/arena.h"
#include "images/report.h"

struct kernel_elf {
  const char *name; /* of its file, for messages */
  const uint8_t *bytes;
  size_t size;
  unsigned machine; /* e_machine */
  unsigned phdr_count;
  uint64_t phdr_offset;
  unsigned placeholder;        /* index of its program header */
  uint64_t placeholder_offset; /* in the file */
  uint64_t placeholder_bytes;  /* in the file: a multiple of the page size */
  uint64_t place_va;           /* where the payload is in memory */
  uint64_t place_pa;
};

/* Checks the file and finds the placeholder. False with a report. The bytes stay the caller's. */
bool kernel_elf_read(struct kernel_elf *kernel, const char *name, const struct buffer *file,
                     struct report *report);

/*
 * Writes the file with the payload in the placeholder's stead, zero padded to whole pages. With
 * `strip` the section headers and what lies behind the segments are left out. False with a report.
 */
bool kernel_elf_write(const struct kernel_elf *kernel, const struct buffer *payload, bool strip,
                      struct buffer *output, struct report *report);

/* Stores a little-endian number of `bytes` bytes. */
void elf_store(uint8_t *at, unsigned bytes, uint64_t value);

/* "x86_64", "aarch64", or NULL for another e_machine. */
const char *machine_name(unsigned machine);
/* The other way round; 0 for an unknown name. */
unsigned machine_number(const char *name);

#endif
