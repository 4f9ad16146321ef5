/*
 * From the loaders to kernel_main(): fills struct bootinfo.
 *
 * Called once by entry.S, on the boot stack, interrupts off, with the first GiB mapped writable at
 * the kernel's address. Nothing of arch/ has been set up: no message can be printed yet.
 */
#include "arch/x86_64/x86.h"
#include "boot/ranges.h"
#include "boot/x86_64/boot.h"

struct elf64_header {
  uint8_t ident[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, phoff, shoff;
  uint32_t flags;
  uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_segment {
  uint32_t type, flags;
  uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

enum { PT_LOAD = 1 };

extern const char kernel_start[]; /* kernel.ld: the ELF header, as loaded */

static struct bootinfo bootinfo;

/* The kernel window's last two large pages show what is asked for; paging.c ends that. */
const void *boot_window(uint64_t pa) {
  enum { SLOT = 510 };
  uintptr_t va = X86_KERNEL_BASE + SLOT * ARCH_LARGE_PAGE_SIZE;
  uint64_t base = pa & ~(ARCH_LARGE_PAGE_SIZE - 1);

  for (unsigned i = 0; i < 2; i++) {
    x86_kernel_pd[SLOT + i] =
        (base + i * ARCH_LARGE_PAGE_SIZE) | X86_PTE_P | X86_PTE_W | X86_PTE_LARGE;
    x86_invlpg(va + i * ARCH_LARGE_PAGE_SIZE);
  }
  return (const void *)(va + (pa - base));
}

void boot_set_cmdline(struct bootinfo *boot, const char *text, size_t max) {
  size_t i = 0;
  while (i < max && i < BOOT_CMDLINE_MAX - 1 && text[i] != '\0') {
    boot->cmdline[i] = text[i];
    i++;
  }
  boot->cmdline[i] = '\0';
}

/* The kernel's last segment in memory is the payload: the image builder has set its size. */
static void find_payload(struct bootinfo *boot) {
  const struct elf64_header *eh = (const struct elf64_header *)kernel_start;
  const struct elf64_segment *payload = NULL;

  for (unsigned i = 0; i < eh->phnum; i++) {
    const struct elf64_segment *s =
        (const struct elf64_segment *)(kernel_start + eh->phoff + i * eh->phentsize);
    if (s->type == PT_LOAD)
      payload = s;
  }
  boot->payload = pa_to_va(payload->paddr);
  boot->payload_bytes = payload->memsz;
  boot->kernel_start_pa = va_to_pa(kernel_start);
  boot->kernel_end_pa = (payload->paddr + payload->memsz + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

_Noreturn void boot_main(uint32_t loader, uint32_t info_pa);

_Noreturn void boot_main(uint32_t loader, uint32_t info_pa) {
  struct bootinfo *boot = &bootinfo;

  if (loader == LOADER_PVH)
    boot_pvh(boot, info_pa);
  else
    boot_multiboot2(boot, info_pa);
  find_payload(boot);
  boot_ranges_remove(boot, 0, PAGE_SIZE);
  boot_ranges_remove(boot, boot->kernel_start_pa, boot->kernel_end_pa - boot->kernel_start_pa);
  kernel_main(boot);
}
