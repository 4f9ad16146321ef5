/*
 * An open file as an ELF file: what elf_parse() and elf_symbol() read programs from.
 *
 * Kernel lock; reading may sleep where the file does. It needs no right of the program's.
 */
#ifndef KERNEL_ELF_SOURCE_H
#define KERNEL_ELF_SOURCE_H

#include "kernel/elf_parse.h"
#include "kernel/file.h"

struct elf_source {
  struct elf_file elf;
  struct file *file; /* the caller's reference */
  errno_t error;     /* of the last read that failed; 0: none did */
};

/* EACCES: nothing that a program could lie in; errors of the file's stat. */
errno_t elf_source_init(struct elf_source *s, struct file *f);

#endif
