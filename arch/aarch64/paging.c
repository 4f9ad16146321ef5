/*
 * The kernel's page tables: the direct map of all RAM, and the image with its protections. Nothing
 * is both writable and executable.
 *
 * Called once from arch_init_early(), on the boot tables of boot/aarch64/entry.S: the image's table
 * gets its final bits, the direct map is made new, and the boot's view of memory goes. Table pages
 * come from usable memory that the boot's view shows: what lies in the image's GiB.
 */
#include "arch/aarch64/a64.h"
#include "boot/bootinfo.h"
#include "boot/ranges.h"
#include "kernel/log.h"

enum { ENTRIES = 512, LEVEL_TOP = 4, LEVEL_PAGE = 1, LEVEL_LARGEST = 3 };
#define GIB (1ull << 30)

extern const char kernel_start[], kernel_rodata[], kernel_data[], kernel_bss_end[];

uint64_t a64_image_offset;

static unsigned level_shift(unsigned level) {
  return PAGE_SHIFT + 9 * (level - 1);
}

uint64_t a64_pte_bits(unsigned prot) {
  uint64_t bits = A64_PTE_VALID | A64_PTE_AF | A64_PTE_SHARED;
  if (prot & ARCH_DEVICE)
    bits |= A64_PTE_DEVICE;
  if (!(prot & ARCH_WRITE))
    bits |= A64_PTE_READ_ONLY;
  if (prot & ARCH_USER)
    bits |= A64_PTE_USER | A64_PTE_NG | A64_PTE_PXN | (prot & ARCH_EXEC ? 0 : A64_PTE_UXN);
  else
    bits |= A64_PTE_UXN | (prot & ARCH_EXEC ? A64_PTE_GUARDED : A64_PTE_PXN);
  return bits;
}

void a64_flush_kernel(uintptr_t va) {
  a64_dsb_stores();
  __asm__ volatile("tlbi vaae1is, %0" ::"r"(va >> PAGE_SHIFT & 0xfffffffffff) : "memory");
  a64_dsb();
  a64_isb();
}

/* A zeroed page out of the image's GiB. */
static pa_t take_table(struct bootinfo *boot) {
  pa_t low = boot->kernel_start_pa & ~(GIB - 1);
  for (size_t i = 0; i < boot->ram_count; i++) {
    const struct boot_range *r = &boot->ram[i];
    pa_t pa = r->start_pa < low ? low : r->start_pa;
    if (pa >= low + GIB || pa >= r->start_pa + r->size_bytes)
      continue;
    boot_ranges_remove(boot, pa, PAGE_SIZE);
    uint64_t *table = a64_boot_va(pa);
    for (unsigned k = 0; k < ENTRIES; k++)
      table[k] = 0;
    return pa;
  }
  boot_fail("no memory for page tables near the kernel");
}

/* The entry of the direct map at `level` for va, its tables made where missing. */
static uint64_t *direct_entry(struct bootinfo *boot, uintptr_t va, unsigned level) {
  uint64_t *table = a64_kernel_l0;
  for (unsigned l = LEVEL_TOP;; l--) {
    uint64_t *e = &table[va >> level_shift(l) & (ENTRIES - 1)];
    if (l == level)
      return e;
    if (*e == 0)
      *e = take_table(boot) | A64_PTE_VALID | A64_PTE_TABLE;
    table = a64_boot_va(*e & A64_PTE_ADDRESS);
  }
}

/* Shows [start, end) in the direct map, by pages as large as fit. */
static void map_direct(struct bootinfo *boot, pa_t start, pa_t end, unsigned prot) {
  while (start < end) {
    unsigned level = LEVEL_LARGEST;
    while (level > LEVEL_PAGE && ((start & ((1ull << level_shift(level)) - 1)) ||
                                  end - start < 1ull << level_shift(level)))
      level--;
    uint64_t bits = a64_pte_bits(prot) | (level == LEVEL_PAGE ? A64_PTE_TABLE : 0);
    *direct_entry(boot, (uintptr_t)pa_to_va(start), level) = start | bits;
    start += 1ull << level_shift(level);
  }
}

static const struct part {
  const char *start, *end;
  unsigned prot;
} parts[] = {
    {kernel_start, kernel_rodata, ARCH_READ | ARCH_EXEC},
    {kernel_rodata, kernel_data, ARCH_READ},
    {kernel_data, (const char *)a64_kernel_l0, ARCH_READ | ARCH_WRITE},
    /* Finished soon: read-only, they end a boot stack that overflows. */
    {(const char *)a64_kernel_l0, (const char *)(a64_kernel_l3 + ENTRIES), ARCH_READ},
    {(const char *)(a64_kernel_l3 + ENTRIES), kernel_bss_end, ARCH_READ | ARCH_WRITE},
};
enum { PARTS = sizeof parts / sizeof parts[0] };

static void protect_image(uint64_t *l3) {
  for (unsigned i = 0; i < PARTS; i++) {
    for (const char *va = parts[i].start; va < parts[i].end; va += PAGE_SIZE)
      l3[(va - kernel_start) / PAGE_SIZE] =
          va_to_pa(va) | a64_pte_bits(parts[i].prot) | A64_PTE_TABLE;
  }
}

void a64_paging_init(struct bootinfo *boot) {
  boot_ranges_remove(boot, A64_DIRECT_BYTES, UINT64_MAX - A64_DIRECT_BYTES);
  if (boot->ram_count == 0)
    boot_fail("the loader (%s) tells of no usable memory", boot->loader);

  struct boot_range ram[BOOT_RANGES_MAX]; /* before table pages are taken */
  size_t count = boot->ram_count;
  for (size_t i = 0; i < count; i++)
    ram[i] = boot->ram[i];
  for (size_t i = 0; i < count; i++)
    map_direct(boot, ram[i].start_pa, ram[i].start_pa + ram[i].size_bytes, ARCH_READ | ARCH_WRITE);
  for (unsigned i = 0; i < PARTS; i++)
    map_direct(boot, va_to_pa(parts[i].start), va_to_pa(parts[i].end), parts[i].prot & ~ARCH_EXEC);
  map_direct(boot, va_to_pa(kernel_bss_end), boot->kernel_end_pa, ARCH_READ); /* the payload */

  A64_WRITE(tcr_el1, A64_READ(tcr_el1) | A64_TCR_EPD0); /* no program yet */
  /* Through the boot's view: at their own addresses the two become read-only. */
  protect_image(a64_boot_va(va_to_pa(a64_kernel_l3)));
  *(volatile uint64_t *)a64_boot_va(va_to_pa(a64_kernel_l0)) = 0;
  a64_dsb_stores();
  A64_WRITE(ttbr0_el1, 0);
  a64_isb();
  __asm__ volatile("tlbi vmalle1is" ::: "memory");
  a64_dsb();
  a64_isb();
}
