/*
 * Kernel addresses beside the direct map, one GiB of them: thread stacks from the bottom up, each
 * above as much unmapped space; device registers and firmware tables from the top down.
 *
 * Kernel lock; nothing sleeps. Before there is a page allocator, tables come from the boot's list
 * of memory. Tables are never freed: stacks reuse their slots. The entry of a free slot's first
 * page, which the processor ignores while it is not valid, holds the number of the next free slot.
 */
#include "arch/aarch64/a64.h"
#include "boot/bootinfo.h"
#include "boot/ranges.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define SLOT_BYTES (2 * KSTACK_SIZE) /* the lower half stays empty; see layout.h */
#define TABLE_BITS (A64_PTE_VALID | A64_PTE_TABLE)
enum { ENTRIES = 512, STACK_PAGES = KSTACK_SIZE / PAGE_SIZE };

static uint64_t slots_used; /* slots that ever were */
static uint64_t slot_free;  /* 1 + the first free slot; 0: none */
static uintptr_t devices_start = A64_KVA_END;

static struct bootinfo *early; /* NULL: the page allocator works */

void a64_kva_boot(struct bootinfo *boot) {
  early = boot;
}

static void *new_table(void) {
  if (early == NULL)
    return page_alloc_zero(0);
  if (early->ram_count == 0)
    return NULL;
  pa_t pa = early->ram[0].start_pa;
  boot_ranges_remove(early, pa, PAGE_SIZE);
  return memset(pa_to_va(pa), 0, PAGE_SIZE);
}

/* The table behind `entry`, made if missing; NULL: no memory. */
static uint64_t *descend(uint64_t *entry) {
  if (*entry == 0) {
    void *table = new_table();
    if (table == NULL)
      return NULL;
    a64_dsb_stores(); /* a walk that sees the entry sees a table of zeroes */
    *entry = va_to_pa(table) | TABLE_BITS;
  }
  return pa_to_va(*entry & A64_PTE_ADDRESS);
}

static uint64_t *large_entry(uintptr_t va) {
  uint64_t *l2 = descend(&a64_kernel_l1[A64_L1_KVA]);
  return l2 == NULL ? NULL : &l2[(va >> 21) & (ENTRIES - 1)];
}

static uint64_t *small_entry(uintptr_t va) {
  uint64_t *large = large_entry(va);
  uint64_t *l3 = large == NULL ? NULL : descend(large);
  return l3 == NULL ? NULL : &l3[(va >> PAGE_SHIFT) & (ENTRIES - 1)];
}

/* Of entries that were not valid before. */
static void new_entries_visible(void) {
  a64_dsb_stores();
  a64_isb();
}

/* ---- Device registers and firmware tables ---------------------------------------------------- */

void *a64_kmap(pa_t pa, size_t size, unsigned prot) {
  uintptr_t offset = pa & (PAGE_SIZE - 1);
  size_t step = PAGE_SIZE;
  size += offset;
  pa -= offset;
  /* As large pages, if it begins like one: PCI's configuration space. */
  if (size >= ARCH_LARGE_PAGE_SIZE && (pa & (ARCH_LARGE_PAGE_SIZE - 1)) == 0)
    step = ARCH_LARGE_PAGE_SIZE;
  size = (size + step - 1) & ~(step - 1);

  if (size > A64_KVA_END - A64_KVA_BASE ||
      devices_start - size < A64_KVA_BASE + slots_used * SLOT_BYTES)
    return NULL;
  uintptr_t va = (devices_start - size) & ~(step - 1);
  uint64_t bits = a64_pte_bits(prot) | (step == PAGE_SIZE ? A64_PTE_TABLE : 0);
  for (size_t done = 0; done < size; done += step) {
    uint64_t *e = step == PAGE_SIZE ? small_entry(va + done) : large_entry(va + done);
    if (e == NULL)
      return NULL;
    *e = (pa + done) | bits;
  }
  new_entries_visible();
  devices_start = va;
  return (void *)(va + offset);
}

void a64_kunmap_last(void *va, size_t size) {
  uintptr_t start = (uintptr_t)va & ~(PAGE_SIZE - 1);
  uintptr_t end = ((uintptr_t)va + size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
  ASSERT(start == devices_start);
  for (uintptr_t at = start; at < end; at += PAGE_SIZE) {
    *small_entry(at) = 0;
    a64_flush_kernel(at);
  }
  devices_start = end;
}

void *arch_kmap_device(pa_t pa, size_t size) {
  return a64_kmap(pa, size, ARCH_READ | ARCH_WRITE | ARCH_DEVICE);
}

/* ---- Stacks ---------------------------------------------------------------------------------- */

static uintptr_t slot_va(uint64_t slot) {
  return A64_KVA_BASE + slot * SLOT_BYTES;
}

static void unmap_stack(uintptr_t stack, unsigned pages) {
  for (unsigned i = 0; i < pages; i++) {
    uint64_t *e = small_entry(stack + i * PAGE_SIZE);
    page_free(pa_to_va(*e & A64_PTE_ADDRESS), 0);
    *e = 0;
    a64_flush_kernel(stack + i * PAGE_SIZE);
  }
}

/* Maps fresh pages at the stack's address. */
static bool map_stack(uintptr_t stack) {
  for (unsigned i = 0; i < STACK_PAGES; i++) {
    uint64_t *e = small_entry(stack + i * PAGE_SIZE);
    void *page = e == NULL ? NULL : page_alloc(0);
    if (page == NULL) {
      unmap_stack(stack, i);
      return false;
    }
    *e = va_to_pa(page) | a64_pte_bits(ARCH_READ | ARCH_WRITE) | A64_PTE_TABLE;
  }
  new_entries_visible();
  return true;
}

/* A slot goes to the free list, all its pages unmapped; its guard's table exists. */
static void slot_release(uint64_t slot) {
  *small_entry(slot_va(slot)) = slot_free << 1;
  slot_free = slot + 1;
}

void *arch_kstack_alloc(void) {
  uint64_t slot;

  if (slot_free != 0) {
    slot = slot_free - 1;
    uint64_t *guard = small_entry(slot_va(slot));
    slot_free = *guard >> 1;
    *guard = 0;
  } else {
    slot = slots_used;
    if (slot_va(slot + 1) > devices_start || small_entry(slot_va(slot)) == NULL)
      return NULL;
    slots_used++;
  }
  uintptr_t stack = slot_va(slot) + KSTACK_SIZE;
  if (!map_stack(stack)) {
    slot_release(slot);
    return NULL;
  }
  return (void *)stack;
}

void arch_kstack_free(void *stack) {
  uint64_t slot = ((uintptr_t)stack - A64_KVA_BASE) / SLOT_BYTES;
  unmap_stack((uintptr_t)stack, STACK_PAGES);
  slot_release(slot);
}

/* ---- For the backtrace and the panic --------------------------------------------------------- */

bool a64_kernel_mapped(uintptr_t va) {
  if (va < A64_DIRECT_BASE)
    return false;
  const uint64_t *table = a64_kernel_l0;
  for (unsigned shift = 39;; shift -= 9) {
    uint64_t e = table[(va >> shift) & (ENTRIES - 1)];
    if (!(e & A64_PTE_VALID))
      return false;
    if (shift == PAGE_SHIFT || !(e & A64_PTE_TABLE))
      return true;
    table = pa_to_va(e & A64_PTE_ADDRESS);
  }
}
