/*
 * Names for addresses, for backtraces: the kernel's from the payload's `symbols`, the program's
 * from its own ELF symbol table when it has one. Nothing is allocated. The kernel's come in any
 * context, a program's where its file may be read.
 */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct process;

/* Where the kernel's own symbols lie: text, a line "offset name" each, offsets in hexadecimal from
 * the start of the kernel image, ascending. Not copied. */
void symbols_init(const char *text, size_t bytes);

/* "name+0x12", or "0x…" when the address has no name; always terminated. */
void symbols_format_kernel(uintptr_t pc, char *buf, size_t n);
void symbols_format_user(const struct process *p, uintptr_t pc, char *buf, size_t n);

#endif
