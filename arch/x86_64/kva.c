/*
 * Kernel addresses beside the direct map, one GiB of them: thread stacks from the bottom up, each
 * above an unmapped page; device registers and firmware tables from the top down.
 *
 * Kernel lock; nothing sleeps. Needs the page allocator. Tables are never freed: stacks reuse their
 * slots. The entry of a free slot's guard page, which the processor ignores while it is not
 * present, holds the number of the next free slot.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/page.h"

#define SLOT_BYTES (KSTACK_SIZE + PAGE_SIZE)
#define TABLE_BITS (X86_PTE_P | X86_PTE_W)
enum { ENTRIES = 512, STACK_PAGES = KSTACK_SIZE / PAGE_SIZE };

static uint64_t slots_used; /* slots that ever were */
static uint64_t slot_free;  /* 1 + the first free slot; 0: none */
static uintptr_t devices_start = X86_KVA_END;

/* The table behind `entry`, made if missing; NULL: no memory. */
static uint64_t *descend(uint64_t *entry) {
  if (*entry == 0) {
    void *table = page_alloc_zero(0);
    if (table == NULL)
      return NULL;
    *entry = va_to_pa(table) | TABLE_BITS;
  }
  return pa_to_va(*entry & X86_PTE_ADDRESS);
}

static uint64_t *large_entry(uintptr_t va) {
  uint64_t *pd = descend(&x86_kernel_pdpt[X86_PDPT_KVA]);
  return pd == NULL ? NULL : &pd[(va >> 21) & (ENTRIES - 1)];
}

static uint64_t *small_entry(uintptr_t va) {
  uint64_t *pde = large_entry(va);
  uint64_t *pt = pde == NULL ? NULL : descend(pde);
  return pt == NULL ? NULL : &pt[(va >> PAGE_SHIFT) & (ENTRIES - 1)];
}

/* ---- Device registers and firmware tables ---------------------------------------------------- */

void *x86_kmap(pa_t pa, size_t size, unsigned prot) {
  uintptr_t offset = pa & (PAGE_SIZE - 1);
  size_t step = PAGE_SIZE;
  size += offset;
  pa -= offset;
  /* As large pages, if it begins like one: PCI's configuration space. */
  if (size >= ARCH_LARGE_PAGE_SIZE && (pa & (ARCH_LARGE_PAGE_SIZE - 1)) == 0)
    step = ARCH_LARGE_PAGE_SIZE;
  size = (size + step - 1) & ~(step - 1);

  if (size > X86_KVA_END - X86_KVA_BASE ||
      devices_start - size < X86_KVA_BASE + slots_used * SLOT_BYTES)
    return NULL;
  uintptr_t va = (devices_start - size) & ~(step - 1);
  uint64_t bits = x86_pte_bits(prot) | (step == PAGE_SIZE ? 0 : X86_PTE_LARGE);
  for (size_t done = 0; done < size; done += step) {
    uint64_t *e = step == PAGE_SIZE ? small_entry(va + done) : large_entry(va + done);
    if (e == NULL)
      return NULL;
    *e = (pa + done) | bits;
  }
  devices_start = va;
  return (void *)(va + offset);
}

void x86_kunmap_last(void *va, size_t size) {
  uintptr_t start = (uintptr_t)va & ~(PAGE_SIZE - 1);
  uintptr_t end = ((uintptr_t)va + size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
  ASSERT(start == devices_start);
  for (uintptr_t at = start; at < end; at += PAGE_SIZE) {
    *small_entry(at) = 0;
    x86_invlpg(at);
  }
  devices_start = end;
}

void *arch_kmap_device(pa_t pa, size_t size) {
  return x86_kmap(pa, size, ARCH_READ | ARCH_WRITE | ARCH_DEVICE);
}

/* ---- Stacks ---------------------------------------------------------------------------------- */

static uintptr_t slot_va(uint64_t slot) {
  return X86_KVA_BASE + slot * SLOT_BYTES;
}

static void unmap_stack(uintptr_t stack, unsigned pages) {
  for (unsigned i = 0; i < pages; i++) {
    uint64_t *e = small_entry(stack + i * PAGE_SIZE);
    page_free(pa_to_va(*e & X86_PTE_ADDRESS), 0);
    *e = 0;
    x86_invlpg(stack + i * PAGE_SIZE);
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
    *e = va_to_pa(page) | x86_pte_bits(ARCH_READ | ARCH_WRITE);
  }
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
  uintptr_t stack = slot_va(slot) + PAGE_SIZE;
  if (!map_stack(stack)) {
    slot_release(slot);
    return NULL;
  }
  return (void *)stack;
}

void arch_kstack_free(void *stack) {
  uint64_t slot = ((uintptr_t)stack - X86_KVA_BASE) / SLOT_BYTES;
  unmap_stack((uintptr_t)stack, STACK_PAGES);
  slot_release(slot);
}

/* ---- For the backtrace and the panic --------------------------------------------------------- */

bool x86_kernel_mapped(uintptr_t va) {
  if (va < X86_DIRECT_BASE)
    return false;
  const uint64_t *table = x86_kernel_pdpt;
  for (unsigned shift = 30;; shift -= 9) {
    uint64_t e = table[(va >> shift) & (ENTRIES - 1)];
    if (!(e & X86_PTE_P))
      return false;
    if (shift == PAGE_SHIFT || (e & X86_PTE_LARGE))
      return true;
    table = pa_to_va(e & X86_PTE_ADDRESS);
  }
}

bool x86_is_stack_guard(uintptr_t va) {
  uintptr_t pml4 = (uintptr_t)x86_kernel_pml4;
  if (va >= pml4 && va < pml4 + PAGE_SIZE)
    return true;
  return va >= X86_KVA_BASE && va < slot_va(slots_used) &&
         (va - X86_KVA_BASE) % SLOT_BYTES < PAGE_SIZE;
}
