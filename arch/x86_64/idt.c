/*
 * The interrupt descriptor table: 128 gates to the stubs of entry.S.
 *
 * Called once from x86_cpu_init().
 */
#include "arch/x86_64/x86.h"

struct gate {
  uint16_t offset_low, selector;
  uint8_t ist, type;
  uint16_t offset_middle;
  uint32_t offset_high, reserved;
};

enum {
  GATE_INTERRUPT = 0x8e, /* present, ring 0, clears IF */
  GATE_USER = 0x60,      /* the program may use it: int3 */
  VECTOR_NMI = 2,
  VECTOR_BREAKPOINT = 3,
  VECTOR_DOUBLE_FAULT = 8,
  VECTOR_MACHINE_CHECK = 18,
};

extern const char x86_trap_stubs[]; /* entry.S: 16 bytes a vector */

static struct gate idt[X86_VECTORS];

void x86_idt_init(void) {
  for (unsigned v = 0; v < X86_VECTORS; v++) {
    uint64_t stub = (uint64_t)(x86_trap_stubs + 16 * v);
    idt[v] = (struct gate){
        .offset_low = (uint16_t)stub,
        .selector = X86_KERNEL_CS,
        .type = GATE_INTERRUPT,
        .offset_middle = (uint16_t)(stub >> 16),
        .offset_high = (uint32_t)(stub >> 32),
    };
  }
  idt[VECTOR_NMI].ist = 1;
  idt[VECTOR_DOUBLE_FAULT].ist = 1;
  idt[VECTOR_MACHINE_CHECK].ist = 1;
  idt[VECTOR_BREAKPOINT].type |= GATE_USER;

  struct {
    uint16_t limit;
    uint64_t base;
  } __attribute__((packed)) pointer = {sizeof idt - 1, (uint64_t)idt};
  __asm__ volatile("lidt %0" ::"m"(pointer));
}
