/*
 * The kernel's page tables: the direct map of all RAM, and within it and the kernel's window the
 * image with its protections. Nothing is both writable and executable.
 *
 * Called once from arch_init_early(), on the boot tables of boot/x86_64/entry.S, which it refines
 * in place. The first GiB's directory serves the direct map and the kernel's window; the direct
 * map's entry of it forbids execution of everything, the window's leaves it to the pages. Table
 * pages come from the first usable memory.
 */
#include "arch/x86_64/x86.h"
#include "boot/bootinfo.h"
#include "boot/ranges.h"
#include "kernel/log.h"

enum { ENTRIES = 512 };
#define GIB (1ull << 30)
#define TABLE_BITS (X86_PTE_P | X86_PTE_W)
#define DATA_BITS (X86_PTE_P | X86_PTE_W | X86_PTE_G | X86_PTE_A | X86_PTE_D | X86_PTE_NX)
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

static uint64_t range_end(const struct boot_range *r) {
  return r->start_pa + r->size_bytes;
}

/* Sets the part of [start, end) that lies in a table's reach: `table` shows memory from `base` on,
 * an entry for every `step` bytes. */
static void set_entries(uint64_t *table, uint64_t base, uint64_t step, uint64_t start, uint64_t end,
                        uint64_t bits) {
  uint64_t limit = base + step * ENTRIES;
  start = start < base ? base : start & ~(step - 1);
  end = end > limit ? limit : end;
  if (start >= end)
    return;
  for (uint64_t *e = &table[(start - base) / step]; start < end; start += step)
    *e++ = start | bits;
}

/* The table of small pages for the 2 MiB at `base`, which holds a part of the image. */
static void fill_image_table(const struct bootinfo *boot, const struct ram_map *ram, uint64_t *pt,
                             uint64_t base) {
  const struct {
    uint64_t start, end, bits;
  } parts[] = {
      {boot->kernel_start_pa, va_to_pa(kernel_rodata), TEXT_BITS},
      {va_to_pa(kernel_rodata), va_to_pa(kernel_data), RODATA_BITS},
      {va_to_pa(kernel_data), va_to_pa(kernel_bss_end), DATA_BITS},
      /* The PML4 is finished: read-only, it ends a boot stack that overflows. */
      {va_to_pa(x86_kernel_pml4), va_to_pa(x86_kernel_pml4) + PAGE_SIZE, RODATA_BITS},
      {va_to_pa(kernel_bss_end), boot->kernel_end_pa, RODATA_BITS}, /* the payload */
  };
  for (size_t i = 0; i < ram->count; i++)
    set_entries(pt, base, PAGE_SIZE, ram->range[i].start_pa, range_end(&ram->range[i]), DATA_BITS);
  for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
    set_entries(pt, base, PAGE_SIZE, parts[i].start, parts[i].end, parts[i].bits);
}

static uint64_t max(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/* The directory of the first GiB, which is in use: the entries of the image's own large pages are
 * replaced one by one, each by a finished table. */
static void fill_first_gib(struct bootinfo *boot, const struct ram_map *ram) {
  uint64_t step = ARCH_LARGE_PAGE_SIZE;
  uint64_t image_end = (boot->kernel_end_pa + step - 1) & ~(step - 1);

  for (uint64_t i = image_end / step; i < ENTRIES; i++)
    x86_kernel_pd[i] = 0;
  for (size_t i = 0; i < ram->count; i++)
    set_entries(x86_kernel_pd, 0, step, max(image_end, ram->range[i].start_pa),
                range_end(&ram->range[i]), DATA_BITS | X86_PTE_LARGE);
  for (uint64_t pa = 0; pa < image_end; pa += step) {
    uint64_t *entry = &x86_kernel_pd[pa / step];
    if (pa >= va_to_pa(kernel_bss_end) && pa + step <= boot->kernel_end_pa) {
      *entry = pa | RODATA_BITS | X86_PTE_LARGE;
      continue;
    }
    uint64_t *pt = pa == 0 ? x86_kernel_pt : take_table(boot);
    fill_image_table(boot, ram, pt, pa);
    *entry = va_to_pa(pt) | TABLE_BITS;
  }
  x86_kernel_pdpt[0] = va_to_pa(x86_kernel_pd) | TABLE_BITS | X86_PTE_NX;
}

/* One range of memory above the first GiB. */
static void map_high(struct bootinfo *boot, const struct boot_range *r) {
  uint64_t pa = r->start_pa < GIB ? GIB : r->start_pa & ~(GIB - 1);
  for (; pa < range_end(r); pa += GIB) {
    uint64_t *entry = &x86_kernel_pdpt[pa / GIB];
    if (x86_features.huge_pages && pa >= r->start_pa && pa + GIB <= range_end(r)) {
      *entry = pa | DATA_BITS | X86_PTE_LARGE;
      continue;
    }
    if (*entry == 0)
      *entry = va_to_pa(take_table(boot)) | TABLE_BITS | X86_PTE_NX;
    set_entries(pa_to_va(*entry & X86_PTE_ADDRESS), pa, ARCH_LARGE_PAGE_SIZE, r->start_pa,
                range_end(r), DATA_BITS | X86_PTE_LARGE);
  }
}

void x86_paging_init(struct bootinfo *boot) {
  uint64_t limit = X86_DIRECT_GIB * GIB;
  boot_ranges_remove(boot, limit, UINT64_MAX - limit);
  if (boot->ram_count == 0)
    boot_fail("the loader (%s) tells of no usable memory", boot->loader);
  if (boot->kernel_end_pa > GIB)
    boot_fail("the image is too large: it must end below 1 GiB");

  struct ram_map ram = {.count = boot->ram_count};
  for (size_t i = 0; i < ram.count; i++)
    ram.range[i] = boot->ram[i];
  x86_kernel_pml4[0] = 0; /* what entry.S ran on */
  fill_first_gib(boot, &ram);
  for (size_t i = 0; i < ram.count; i++)
    map_high(boot, &ram.range[i]);
  x86_write_cr3(va_to_pa(x86_kernel_pml4));
}
