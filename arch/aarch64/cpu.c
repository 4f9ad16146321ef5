/*
 * The processor: its features, and the bits that guard the kernel.
 *
 * Called from arch_init_early(), on the boot stack. DDI 0487, D17.
 */
#include "arch/aarch64/a64.h"
#include "boot/bootinfo.h"
#include "kernel/random.h"
#include "kernel/string.h"

struct a64_features a64_features;

#define ASSERT_OFFSET(member, value) \
  _Static_assert(offsetof(struct trap_frame, member) == (value), "layout.h: " #member)
ASSERT_OFFSET(x[30], A64_FRAME_X(30));
ASSERT_OFFSET(sp, A64_FRAME_SP);
ASSERT_OFFSET(pc, A64_FRAME_PC);
ASSERT_OFFSET(pstate, A64_FRAME_PSTATE);
ASSERT_OFFSET(esr, A64_FRAME_ESR);
ASSERT_OFFSET(far, A64_FRAME_FAR);
ASSERT_OFFSET(record, A64_FRAME_RECORD);
_Static_assert(sizeof(struct trap_frame) == A64_FRAME_BYTES, "layout.h: A64_FRAME_BYTES");

enum {
  SCTLR_M = 1 << 0,
  SCTLR_C = 1 << 2,
  SCTLR_SA = 1 << 3,
  SCTLR_SA0 = 1 << 4,
  SCTLR_I = 1 << 12,
  SCTLR_EN_DB = 1 << 13,
  SCTLR_DZE = 1 << 14, /* the program may DC ZVA, */
  SCTLR_UCT = 1 << 15, /* read CTR_EL0, */
  SCTLR_NTWI = 1 << 16,
  SCTLR_NTWE = 1 << 18,
  SCTLR_WXN = 1 << 19,
  SCTLR_SPAN = 1 << 23, /* a trap leaves PAN alone; reserved as one before PAN */
  SCTLR_UCI = 1 << 26,  /* and clean caches */
  SCTLR_EN_DA = 1 << 27,
  SCTLR_EN_IB = 1 << 30,
  CPACR_FP = 3 << 20,
  CNTKCTL_EL0_VIRTUAL_COUNTER = 1 << 1,
};
#define SCTLR_EN_IA (1u << 31)

static unsigned field(uint64_t reg, unsigned shift) {
  return reg >> shift & 15;
}

bool a64_has_crc32c;

static void find_features(void) {
  struct a64_features *f = &a64_features;
  uint64_t isar0 = A64_READ(id_aa64isar0_el1);
  uint64_t isar1 = A64_READ(id_aa64isar1_el1);
  uint64_t isar2 = A64_READ(s3_0_c0_c6_2);

  f->pan = field(A64_READ(id_aa64mmfr1_el1), 20) != 0;
  f->bti = field(A64_READ(id_aa64pfr1_el1), 0) != 0;
  a64_has_crc32c = field(isar0, 16) != 0;
  f->rng = field(isar0, 60) != 0;
  f->pauth = field(isar1, 4) != 0 || field(isar1, 8) != 0 || field(isar2, 12) != 0;
}

/* Writes MSR PAN over the NOPs at the recorded places, while text is still writable. */
static void patch_pan_sites(void) {
  struct site {
    uint64_t va, opcode;
  };
  extern const struct site a64_pan_sites[], a64_pan_sites_end[];

  if (!a64_features.pan)
    return;
  for (const struct site *s = a64_pan_sites; s < a64_pan_sites_end; s++) {
    *(volatile uint32_t *)s->va = (uint32_t)s->opcode;
    arch_sync_icache((const void *)s->va, 4);
  }
}

/* Its lowest byte is 0, so that no string runs over it unnoticed. */
static uint64_t make_canary(const struct bootinfo *boot) {
  uint64_t word, seed;
  memcpy(&seed, boot->seed, sizeof seed);
  if (!arch_random(&word))
    word = (arch_cycles() ^ seed) * 0x9e3779b97f4a7c15;
  return word & ~0xfful;
}

A64_NO_STACK_PROTECTOR void a64_cpu_init(const struct bootinfo *boot) {
  A64_WRITE(vbar_el1, a64_vectors);
  A64_WRITE(tpidr_el1, 0);
  A64_WRITE(tpidr_el0, 0);
  A64_WRITE(tpidrro_el0, 0);
  A64_WRITE(cpacr_el1, CPACR_FP);
  A64_WRITE(cntkctl_el1, CNTKCTL_EL0_VIRTUAL_COUNTER);
  A64_WRITE(mdscr_el1, 0);
  unsigned pmu = field(A64_READ(id_aa64dfr0_el1), 8);
  if (pmu != 0 && pmu != 15)
    A64_WRITE(pmuserenr_el0, 0);
  a64_isb();
  find_features();
  __stack_chk_guard = make_canary(boot);
  patch_pan_sites();
}

void a64_cpu_protect(void) {
  uint64_t sctlr = A64_SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_SA0 | SCTLR_I | SCTLR_DZE |
                   SCTLR_UCT | SCTLR_NTWI | SCTLR_NTWE | SCTLR_WXN | SCTLR_UCI;
  if (a64_features.pan)
    sctlr &= ~(uint64_t)SCTLR_SPAN;
  if (a64_features.pauth)
    sctlr |= SCTLR_EN_IA | SCTLR_EN_IB | SCTLR_EN_DA | SCTLR_EN_DB;
  A64_WRITE(sctlr_el1, sctlr);
  if (a64_features.pan)
    __asm__ volatile(".inst 0xd500419f"); /* MSR PAN, #1 */
  a64_isb();
}

/* The kernel signs nothing itself. One set of keys for all processes: they come from one image. */
void a64_pauth_init(void) {
  static bool done;
  if (done || !a64_features.pauth)
    return;
  done = true;
  A64_WRITE(s3_0_c2_c1_0, random_u64()); /* APIAKeyLo_EL1 … */
  A64_WRITE(s3_0_c2_c1_1, random_u64());
  A64_WRITE(s3_0_c2_c1_2, random_u64());
  A64_WRITE(s3_0_c2_c1_3, random_u64());
  A64_WRITE(s3_0_c2_c2_0, random_u64());
  A64_WRITE(s3_0_c2_c2_1, random_u64());
  A64_WRITE(s3_0_c2_c2_2, random_u64());
  A64_WRITE(s3_0_c2_c2_3, random_u64()); /* … APDBKeyHi_EL1 */
  a64_isb();
}
