/*
 * The first code of a program: relocates it and hands over to libc.
 *
 * The kernel calls _start as a C function with the auxiliary vector (semantics 1.3, 1.4).
 * Until the relocations are done no address of the program's own data may be read from
 * memory; the compiler makes none here, as everything is addressed by position.
 */
#include <elf.h>

#include "sdk/overlay/overlay.h"
#include "arch.h"

extern const Elf64_Dyn _DYNAMIC[] HIDDEN;

static void relocate(char *base) {
  const Elf64_Rela *rela = NULL;
  size_t bytes = 0;

  for (const Elf64_Dyn *entry = _DYNAMIC; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_RELA)
      rela = (const Elf64_Rela *)(base + entry->d_un.d_ptr);
    else if (entry->d_tag == DT_RELASZ)
      bytes = entry->d_un.d_val;
  }
  for (; bytes != 0; bytes -= sizeof(*rela), ++rela) {
    if (ELF64_R_TYPE(rela->r_info) != ARCH_RELATIVE)
      __builtin_trap();
    *(char **)(base + rela->r_offset) = base + rela->r_addend;
  }
}

_Noreturn void _start(const struct cloudabi_auxv *auxv) {
  char *base = NULL;

  for (const struct cloudabi_auxv *entry = auxv; entry->a_type != CLOUDABI_AT_NULL; ++entry)
    if (entry->a_type == CLOUDABI_AT_BASE)
      base = entry->a_ptr;
  relocate(base);
  __start_program(auxv);
}
