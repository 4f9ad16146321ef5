/*
 * Which era of the ABI a program is of, seen in its ELF file: whether it expects the rights of
 * retired calls on its descriptors (reference 2.3, 9.4).
 *
 * The image builder looks at the image's program, so that starting it costs nothing; proc_exec at
 * others. As in elf_parse.h the file may lie anywhere, and nothing is allocated.
 */
#ifndef KERNEL_ELF_ERA_H
#define KERNEL_ELF_ERA_H

#include "kernel/elf_parse.h"

/*
 * True: it is of the time when calls, now retired, existed. Its read-only bytes have the name of
 * one of these, for a C library names the calls that it takes from the vDSO; or it names none at
 * all and has the instruction by which programs trap.
 *
 * The image is the file's, from elf_parse(). Of what can't be read nothing is known.
 */
bool elf_is_retired(struct elf_file *file, const struct elf_image *image, unsigned machine);

#endif
