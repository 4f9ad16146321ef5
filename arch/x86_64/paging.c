/*
 * The kernel's page tables: the direct map of all RAM, and within it and the kernel's window the
 * image with its protections. Nothing is both writable and executable.
 *
 * Called once from arch_init_early(), on the boot tables of boot/x86_64/entry.S, which it refines in
 * place. The first GiB's directory serves the direct map and the kernel's window; the direct map's
 * entry of it forbids execution of everything, the window's leaves it to the pages.
 * Table pages come from the first usable memory.
 */
#include "arch/x86_64/x86.h"
#include "boot/bootinfo.h"
#include "boot/ranges.h"
#include "kernel/log.h"

enum { ENTRIES = 512 };
#define GIB (1ull << 30)
#define TABLE_BITS (X86_PTE_P | X86_PTE_W)
#define DATA_BITS \
  (X86_PTE_P | X86_PTE_W | X86_PTE_G | X86_PTE_A | X86_PTE_D | X86_PTE_NX)
#define RODATA_BITS (X86_PTE_P | X86_PTE_G | X86_PTE_A | X86_PTE_NX)
#define TEXT_BITS (X86_PTE_P | X86_PTE_G | X86_PTE_A)

extern const char kernel_start[], kernel_rodata[], kernel_data[], kernel_bss_end[];

/* The memory map as the loader gave it, before table pages were taken. */
struct ram_map {
  struct boot_range range[BOOT_RANGES_MAX];
  size_t count;
};

uint64_t x86_pte_bits(unsigned prot) {
  uint64_t bits = X86_PTE_P | X86_PTE_A;
  if (prot & ARCH_WRITE)
    bits |= X86_PTE_W | X86_PTE_D;
  if (!(prot & ARCH_EXEC))
    bits |= X86_PTE_NX;
  bits |= prot & ARCH_USER ? X86_PTE_U : X86_PTE_G;
  if (prot & ARCH_DEVICE)
    bits |= X86_PTE_PCD | X86_PTE_PWT;
  return bits;
}

/* A zeroed page below 1 GiB: the boot tables show it already. */
static uint64_t *take_table(struct bootinfo *boot) {
  for (size_t i = 0; i < boot->ram_count; i++) {
    uint64_t pa = boot->ram[i].start_pa;
    if (pa >= GIB)
      break;
    boot_ranges_remove(boot, pa, PAGE_SIZE);
    uint64_t *table = pa_to_va(pa);
    for (unsigned k = 0; k < ENTRIES; k++)
      table[k] = 0;
    return table;
  }
  boot_fail("no memory for page tables");
}

/* Whether [pa, pa + size) has usable memory; all of it, or any. */
static bool ram_within(const struct ram_map *ram, uint64_t pa, uint64_t size, bool all) {
  for (size_t i = 0; i < ram->count; i++) {
    uint64_t start = ram->range[i].start_pa;
    uint64_t end = start + ram->range[i].size_bytes;
    if (start >= pa + size)
      return false;
    if (all ? (start <= pa && end >= pa + size) : (end > pa))
      return true;
  }
  return false;
}

/* The leaf for a 4 KiB page near the kernel image; 0: nobody's. */
static uint64_t small_leaf(const struct bootinfo *boot, const struct ram_map *ram, uint64_t pa) {
  if (pa < boot->kernel_start_pa || pa >= boot->kernel_end_pa)
    return ram_within(ram, pa, PAGE_SIZE, true) ? pa | DATA_BITS : 0;
  if (pa < va_to_pa(kernel_rodata))
    return pa | TEXT_BITS;
  if (pa < va_to_pa(kernel_data))
    return pa | RODATA_BITS;
  if (pa >= va_to_pa(kernel_bss_end)) /* the payload */
    return pa | RODATA_BITS;
  /* The PML4 is finished: read-only, it ends a boot stack that overflows. */
  return pa == va_to_pa(x86_kernel_pml4) ? pa | RODATA_BITS : pa | DATA_BITS;
}

/* The directory's entry for the 2 MiB at pa, in the first GiB. */
static uint64_t first_gib_entry(struct bootinfo *boot, const struct ram_map *ram, uint64_t pa) {
  uint64_t end = pa + ARCH_LARGE_PAGE_SIZE;

  if (end <= boot->kernel_start_pa || pa >= boot->kernel_end_pa)
    return ram_within(ram, pa, ARCH_LARGE_PAGE_SIZE, false) ? pa | DATA_BITS | X86_PTE_LARGE : 0;
  if (pa >= va_to_pa(kernel_bss_end) && end <= boot->kernel_end_pa)
    return pa | RODATA_BITS | X86_PTE_LARGE;

  uint64_t *pt = pa == 0 ? x86_kernel_pt : take_table(boot);
  for (unsigned i = 0; i < ENTRIES; i++)
    pt[i] = small_leaf(boot, ram, pa + i * PAGE_SIZE);
  return va_to_pa(pt) | TABLE_BITS;
}

/* The pointer table's entry for the GiB at pa. */
static uint64_t gib_entry(struct bootinfo *boot, const struct ram_map *ram, uint64_t pa) {
  if (x86_features.huge_pages && ram_within(ram, pa, GIB, true))
    return pa | DATA_BITS | X86_PTE_LARGE;

  uint64_t *pd = take_table(boot);
  for (unsigned i = 0; i < ENTRIES; i++) {
    uint64_t at = pa + i * ARCH_LARGE_PAGE_SIZE;
    if (ram_within(ram, at, ARCH_LARGE_PAGE_SIZE, false) ||
        (at < boot->kernel_end_pa && at + ARCH_LARGE_PAGE_SIZE > boot->kernel_start_pa))
      pd[i] = at | DATA_BITS | X86_PTE_LARGE;
  }
  return va_to_pa(pd) | TABLE_BITS | X86_PTE_NX;
}

void x86_paging_init(struct bootinfo *boot) {
  uint64_t limit = X86_DIRECT_GIB * GIB;
  boot_ranges_remove(boot, limit, UINT64_MAX - limit);
  if (boot->ram_count == 0)
    boot_fail("the loader (%s) tells of no usable memory", boot->loader);
  if (va_to_pa(kernel_bss_end) > GIB)
    boot_fail("the kernel lies above 1 GiB");

  struct ram_map ram = {.count = boot->ram_count};
  for (size_t i = 0; i < ram.count; i++)
    ram.range[i] = boot->ram[i];
  const struct boot_range *last = &ram.range[ram.count - 1];
  uint64_t end = last->start_pa + last->size_bytes;
  if (end < boot->kernel_end_pa)
    end = boot->kernel_end_pa;

  x86_kernel_pml4[0] = 0; /* what entry.S ran on */
  for (unsigned i = 0; i < ENTRIES; i++)
    x86_kernel_pd[i] = first_gib_entry(boot, &ram, i * ARCH_LARGE_PAGE_SIZE);
  x86_kernel_pdpt[0] = va_to_pa(x86_kernel_pd) | TABLE_BITS | X86_PTE_NX;
  for (uint64_t pa = GIB; pa < end; pa += GIB)
    if (ram_within(&ram, pa, GIB, false) || pa < boot->kernel_end_pa)
      x86_kernel_pdpt[pa / GIB] = gib_entry(boot, &ram, pa);

  x86_write_cr3(va_to_pa(x86_kernel_pml4));
}
