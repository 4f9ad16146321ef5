/*
 * Links the program to the vDSO: the kernel's functions into the slots of calls.c.
 *
 * Runs once, before anything else makes a call. The vDSO is an ELF image linked at 0
 * (semantics 1.6); read are its program headers, DT_HASH for the number of symbols,
 * DT_SYMTAB and DT_STRTAB. A call that it does not have answers ENOSYS.
 */
#include <elf.h>
#include <string.h>

#include "sdk/overlay/overlay.h"

struct slot {
  void (*function)(void);
  char name[16];
};

_Static_assert(sizeof(struct slot) == 24, "calls.c lays the slots out");

/* The linker's names for the two ends of the section. */
extern struct slot __start_cloudabi_calls[] HIDDEN;
extern struct slot __stop_cloudabi_calls[] HIDDEN;

static const char prefix[] = "cloudabi_sys_";

static cloudabi_errno_t missing(void) {
  return CLOUDABI_ENOSYS;
}

/* Both lists are usually in the same order: the search starts behind the last find. */
static struct slot *fill(struct slot *from, const char *name, void (*function)(void)) {
  struct slot *slot = from;

  for (size_t i = __stop_cloudabi_calls - __start_cloudabi_calls; i > 0; --i, ++slot) {
    if (slot == __stop_cloudabi_calls)
      slot = __start_cloudabi_calls;
    if (strcmp(slot->name, name) == 0) {
      slot->function = function;
      return slot + 1;
    }
  }
  return from;
}

static void link_symbols(const char *image, const Elf64_Dyn *dynamic) {
  const Elf64_Sym *symbols = NULL;
  const char *strings = NULL;
  const uint32_t *hash = NULL;

  for (; dynamic->d_tag != DT_NULL; ++dynamic) {
    const void *at = image + dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_SYMTAB)
      symbols = at;
    else if (dynamic->d_tag == DT_STRTAB)
      strings = at;
    else if (dynamic->d_tag == DT_HASH)
      hash = at;
  }
  if (symbols == NULL || strings == NULL || hash == NULL)
    return;

  struct slot *slot = __start_cloudabi_calls;
  uint32_t count = hash[1];
  for (uint32_t i = 0; i < count; ++i) {
    const char *name = strings + symbols[i].st_name;
    if (symbols[i].st_info == ELF64_ST_INFO(STB_GLOBAL, STT_FUNC) &&
        strncmp(name, prefix, sizeof(prefix) - 1) == 0)
      slot = fill(slot, name + sizeof(prefix) - 1,
                  (void (*)(void))(uintptr_t)(image + symbols[i].st_value));
  }
}

void __link_calls(const void *vdso) {
  for (struct slot *slot = __start_cloudabi_calls; slot != __stop_cloudabi_calls; ++slot)
    slot->function = (void (*)(void))missing;
  if (vdso == NULL)
    return;

  const char *image = vdso;
  const Elf64_Ehdr *header = vdso;
  const Elf64_Phdr *segment = (const Elf64_Phdr *)(image + header->e_phoff);
  for (unsigned i = 0; i < header->e_phnum; ++i)
    if (segment[i].p_type == PT_DYNAMIC)
      link_symbols(image, (const Elf64_Dyn *)(image + segment[i].p_vaddr));
}
