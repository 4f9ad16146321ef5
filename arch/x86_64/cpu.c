/*
 * The processor: its features, its descriptor tables, and the bits that guard the kernel.
 *
 * Called once from arch_init_early(), on the boot stack.
 */
#include "arch/x86_64/x86.h"
#include "kernel/string.h"

struct x86_features x86_features;

static struct x86_cpu boot_cpu;
/* Where double faults, NMIs and machine checks are told of; none of them returns. */
static _Alignas(16) uint8_t emergency_stack[PAGE_SIZE];

#define ASSERT_OFFSET(type, member, value) \
  _Static_assert(offsetof(type, member) == (value), "layout.h: " #member)
ASSERT_OFFSET(struct x86_cpu, self, X86_CPU_SELF);
ASSERT_OFFSET(struct x86_cpu, current, X86_CPU_CURRENT);
ASSERT_OFFSET(struct x86_cpu, user_rsp, X86_CPU_USER_RSP);
ASSERT_OFFSET(struct x86_cpu, kernel_rsp, X86_CPU_KERNEL_RSP);
ASSERT_OFFSET(struct trap_frame, rax, X86_FRAME_RAX);
ASSERT_OFFSET(struct trap_frame, rip, X86_FRAME_RIP);
ASSERT_OFFSET(struct trap_frame, cs, X86_FRAME_CS);
ASSERT_OFFSET(struct trap_frame, rflags, X86_FRAME_RFLAGS);
ASSERT_OFFSET(struct trap_frame, rsp, X86_FRAME_RSP);
ASSERT_OFFSET(struct trap_frame, rbx, offsetof(struct trap_frame, rdi) + 6 * 8);
_Static_assert(sizeof(struct trap_frame) == X86_FRAME_BYTES, "layout.h: X86_FRAME_BYTES");
_Static_assert(sizeof(struct x86_tss) == 104, "the processor's task state segment");
/* The system call path returns by SYSRET without a look at the address. */
_Static_assert(USER_END <= 0x7ffffffff000ul, "the page below the canonical hole stays empty");

enum {
  CR4_DE = 1 << 3,
  CR4_MCE = 1 << 6,
  CR4_PGE = 1 << 7,
  CR4_OSFXSR = 1 << 9,
  CR4_OSXMMEXCPT = 1 << 10,
  CR4_UMIP = 1 << 11,
  CR4_OSXSAVE = 1 << 18,
  CR4_SMEP = 1 << 20,
  CR4_SMAP = 1 << 21,
};

bool x86_has_crc32c;

static void find_features(void) {
  struct x86_features *f = &x86_features;
  struct x86_cpuid max = x86_cpuid(0, 0);
  struct x86_cpuid one = x86_cpuid(1, 0);
  struct x86_cpuid ext = x86_cpuid(0x80000001, 0);

  x86_has_crc32c = one.ecx >> 20 & 1;
  f->mce = one.edx >> 7 & 1;
  f->tsc_deadline = one.ecx >> 24 & 1;
  f->xsave = one.ecx >> 26 & 1;
  f->rdrand = one.ecx >> 30 & 1;
  f->huge_pages = ext.edx >> 26 & 1;
  if (max.eax >= 7) {
    struct x86_cpuid seven = x86_cpuid(7, 0);
    f->smep = seven.ebx >> 7 & 1;
    f->rdseed = seven.ebx >> 18 & 1;
    f->smap = seven.ebx >> 20 & 1;
    f->umip = seven.ecx >> 2 & 1;
  }
}

/* Writes STAC and CLAC over the 3-byte NOPs at the recorded places, while text is still writable.
 */
static void patch_smap_sites(void) {
  struct site {
    uint64_t va;
    uint64_t opcode; /* the last byte: 0xcb STAC, 0xca CLAC */
  };
  extern const struct site x86_smap_sites[], x86_smap_sites_end[];

  if (!x86_features.smap)
    return;
  for (const struct site *s = x86_smap_sites; s < x86_smap_sites_end; s++) {
    volatile uint8_t *p = (volatile uint8_t *)s->va;
    p[0] = 0x0f;
    p[1] = 0x01;
    p[2] = (uint8_t)s->opcode;
  }
}

static void load_tables(struct x86_cpu *cpu) {
  uint64_t tss = (uint64_t)&cpu->tss;
  cpu->tss.ist[0] = (uint64_t)(emergency_stack + sizeof emergency_stack);
  cpu->tss.iomap_base = sizeof cpu->tss;
  cpu->gdt[X86_KERNEL_CS / 8] = 0x00af9b000000ffff;
  cpu->gdt[X86_KERNEL_DS / 8] = 0x00cf93000000ffff;
  cpu->gdt[X86_USER_DS / 8] = 0x00cff3000000ffff;
  cpu->gdt[X86_USER_CS / 8] = 0x00affb000000ffff;
  cpu->gdt[X86_TSS_SELECTOR / 8] =
      (sizeof cpu->tss - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
  cpu->gdt[X86_TSS_SELECTOR / 8 + 1] = tss >> 32;

  struct {
    uint16_t limit;
    uint64_t base;
  } __attribute__((packed)) pointer = {sizeof cpu->gdt - 1, (uint64_t)cpu->gdt};
  __asm__ volatile("lgdt %0" ::"m"(pointer));
  __asm__ volatile("ltr %w0" ::"r"(X86_TSS_SELECTOR));
  __asm__ volatile("mov %0, %%ss" ::"r"(X86_KERNEL_DS));
}

static void init_syscall(void) {
  x86_wrmsr(MSR_STAR, (uint64_t)(X86_USER_DS - 8) << 48 | (uint64_t)X86_KERNEL_CS << 32);
  x86_wrmsr(MSR_LSTAR, (uint64_t)x86_syscall_entry);
  x86_wrmsr(MSR_FMASK,
            X86_RFLAGS_IF | X86_RFLAGS_DF | X86_RFLAGS_TF | X86_RFLAGS_AC | X86_RFLAGS_NT);
}

/* Its lowest byte is 0, so that no string runs over it unnoticed. */
static uint64_t make_canary(void) {
  uint64_t word;
  if (!arch_random(&word))
    word = arch_cycles() * 0x9e3779b97f4a7c15;
  return word & ~0xfful;
}

void x86_cpu_init(void) {
  struct x86_cpu *cpu = &boot_cpu;

  find_features();
  patch_smap_sites();
  cpu->self = cpu;
  __stack_chk_guard = make_canary();
  load_tables(cpu);
  x86_wrmsr(MSR_GS_BASE, (uint64_t)cpu);
  x86_wrmsr(MSR_KERNEL_GS_BASE, 0);
  x86_idt_init();
  init_syscall();
}

void x86_cpu_protect(void) {
  const struct x86_features *f = &x86_features;
  uint64_t cr4 = x86_read_cr4() | CR4_DE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
  cr4 |= f->mce ? CR4_MCE : 0;
  cr4 |= f->xsave ? CR4_OSXSAVE : 0;
  cr4 |= f->smep ? CR4_SMEP : 0;
  cr4 |= f->smap ? CR4_SMAP : 0;
  cr4 |= f->umip ? CR4_UMIP : 0;
  x86_write_cr4(cr4);
}
