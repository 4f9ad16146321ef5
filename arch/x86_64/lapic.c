/*
 * The local APIC: end of interrupt, and the one-shot timer. Registers in memory, or MSRs when the
 * firmware has turned x2APIC mode on.
 *
 * Set up once from arch_init(); the others run with interrupts off, in any context.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"

enum {
  REG_ID = 0x20,
  REG_TPR = 0x80,
  REG_EOI = 0xb0,
  REG_SPURIOUS = 0xf0,
  REG_LVT_TIMER = 0x320,
  REG_LVT_LINT0 = 0x350,
  REG_LVT_LINT1 = 0x360,
  REG_LVT_ERROR = 0x370,
  REG_TIMER_INITIAL = 0x380,
  REG_TIMER_CURRENT = 0x390,
  REG_TIMER_DIVIDE = 0x3e0,
  SPURIOUS_ENABLE = 1 << 8,
  LVT_MASKED = 1 << 16,
  LVT_NMI = 4 << 8,
  TIMER_MODE_SHIFT = 17,
  DIVIDE_BY_1 = 11,
  BASE_X2APIC = 1 << 10,
  BASE_ENABLE = 1 << 11,
};

static uint8_t *regs; /* NULL: x2APIC mode */

static uint32_t read_reg(unsigned reg) {
  return regs != NULL ? mmio_read32(regs + reg) : (uint32_t)x86_rdmsr(MSR_X2APIC + reg / 16);
}

static void write_reg(unsigned reg, uint32_t v) {
  if (regs != NULL)
    mmio_write32(regs + reg, v);
  else
    x86_wrmsr(MSR_X2APIC + reg / 16, v);
}

void x86_lapic_init(void) {
  if (!(x86_cpuid(1, 0).edx >> 9 & 1))
    boot_fail("this processor has no local APIC");
  uint64_t base = x86_rdmsr(MSR_APIC_BASE);
  x86_wrmsr(MSR_APIC_BASE, base | BASE_ENABLE);
  if (!(base & BASE_X2APIC)) {
    regs = arch_kmap_device(base & X86_PTE_ADDRESS, PAGE_SIZE);
    if (regs == NULL)
      boot_fail("no memory to map the local APIC");
  }
  write_reg(REG_TPR, 0);
  write_reg(REG_LVT_TIMER, LVT_MASKED);
  write_reg(REG_LVT_LINT0, LVT_MASKED); /* the old PIC's way in */
  write_reg(REG_LVT_LINT1, LVT_NMI);
  write_reg(REG_LVT_ERROR, LVT_MASKED);
  write_reg(REG_TIMER_DIVIDE, DIVIDE_BY_1);
  write_reg(REG_SPURIOUS, SPURIOUS_ENABLE | X86_VECTOR_SPURIOUS);
}

uint32_t x86_lapic_id(void) {
  uint32_t id = read_reg(REG_ID);
  return regs != NULL ? id >> 24 : id;
}

void x86_lapic_eoi(void) {
  write_reg(REG_EOI, 0);
}

void x86_lapic_timer_mode(enum x86_lapic_timer_mode mode) {
  write_reg(REG_LVT_TIMER, X86_VECTOR_TIMER | (uint32_t)mode << TIMER_MODE_SHIFT);
  if (mode == X86_TIMER_DEADLINE) /* before the first write of the MSR */
    __asm__ volatile("mfence" ::: "memory");
}

void x86_lapic_timer_start(uint32_t ticks) {
  write_reg(REG_TIMER_INITIAL, ticks);
}

uint32_t x86_lapic_timer_count(void) {
  return read_reg(REG_TIMER_CURRENT);
}
