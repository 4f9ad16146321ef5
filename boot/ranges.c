/*
 * Ascending, disjoint lists of usable memory. See ranges.h.
 */
#include "boot/ranges.h"

#include "arch/arch.h"

static uint64_t end_of(const struct boot_range *r) {
  return r->start_pa + r->size_bytes;
}

static void erase(struct bootinfo *boot, size_t i) {
  boot->ram_count--;
  for (; i < boot->ram_count; i++)
    boot->ram[i] = boot->ram[i + 1];
}

/* False: the list is full. */
static bool insert(struct bootinfo *boot, size_t i, uint64_t start, uint64_t end) {
  if (boot->ram_count == BOOT_RANGES_MAX)
    return false;
  for (size_t k = boot->ram_count; k > i; k--)
    boot->ram[k] = boot->ram[k - 1];
  boot->ram[i] = (struct boot_range){.start_pa = start, .size_bytes = end - start};
  boot->ram_count++;
  return true;
}

/* The end of a range, cut where addresses end. */
static uint64_t clamp_end(uint64_t start, uint64_t size) {
  uint64_t last_page = UINT64_MAX & ~(uint64_t)(PAGE_SIZE - 1);
  return size > last_page - start ? last_page : start + size;
}

void boot_ranges_add(struct bootinfo *boot, uint64_t start, uint64_t size) {
  if (start > UINT64_MAX - 2 * PAGE_SIZE)
    return;
  uint64_t end = clamp_end(start, size) & ~(uint64_t)(PAGE_SIZE - 1);
  start = (start + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
  if (start >= end)
    return;

  size_t i = 0;
  while (i < boot->ram_count && end_of(&boot->ram[i]) < start)
    i++;
  /* Range i is the first that ends at or behind start: merge all that touch the new one. */
  while (i < boot->ram_count && boot->ram[i].start_pa <= end) {
    if (boot->ram[i].start_pa < start)
      start = boot->ram[i].start_pa;
    if (end_of(&boot->ram[i]) > end)
      end = end_of(&boot->ram[i]);
    erase(boot, i);
  }
  insert(boot, i, start, end);
}

void boot_ranges_remove(struct bootinfo *boot, uint64_t start, uint64_t size) {
  if (size == 0)
    return;
  uint64_t end = clamp_end(start, size);
  if (end < UINT64_MAX - PAGE_SIZE)
    end = (end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
  start &= ~(uint64_t)(PAGE_SIZE - 1);

  size_t i = 0;
  while (i < boot->ram_count) {
    struct boot_range *r = &boot->ram[i];
    uint64_t r_start = r->start_pa, r_end = end_of(r);
    if (r_end <= start || r_start >= end) {
      i++;
      continue;
    }
    if (r_start >= start && r_end <= end) {
      erase(boot, i);
      continue;
    }
    if (r_start >= start) { /* its lower part goes */
      r->start_pa = end;
      r->size_bytes = r_end - end;
    } else {
      r->size_bytes = start - r_start;
      if (r_end > end)
        insert(boot, i + 1, end, r_end);
    }
    i++;
  }
}
