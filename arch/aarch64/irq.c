/*
 * Device interrupts: which handler an interrupt number (INTID) has; wired lines and messages.
 *
 * Connecting: kernel lock, while devices are set up. Dispatch: interrupt context.
 */
#include "arch/aarch64/a64.h"
#include "arch/aarch64/its.h"
#include "kernel/log.h"

enum { ACTIONS_MAX = 96, BUCKETS = 16 };

/* A handler; those of one line, and of lines with the same hash, are linked. */
struct action {
  irq_handler_t *handler;
  void *arg;
  struct action *next;
  unsigned intid;
};

static struct action actions[ACTIONS_MAX];
static unsigned actions_used;
static struct action *buckets[BUCKETS];
static const struct a64_gic *gic;

void a64_irq_init(void) {
  if (a64_platform.gic_version == 2)
    gic = a64_gic2_init();
  else if (a64_platform.gic_version >= 3)
    gic = a64_gic3_init();
  if (gic == NULL)
    boot_fail("no interrupt controller that is known here: expected a GIC of version 2 or 3");
}

void a64_irq_dispatch(void) {
  unsigned intid = gic->acknowledge();
  if (intid >= A64_LPI_FIRST)
    a64_its_interrupt(intid);
  else if (intid >= A64_SPI_END)
    return; /* withdrawn meanwhile */
  for (const struct action *a = buckets[intid % BUCKETS]; a != NULL; a = a->next)
    if (a->intid == intid)
      a->handler(a->arg);
  gic->end(intid);
}

errno_t a64_irq_handle(unsigned intid, bool level, irq_handler_t *handler, void *arg) {
  if (intid >= A64_SPI_FIRST && intid >= a64_gicd_lines())
    return EINVAL;
  if (actions_used == ACTIONS_MAX)
    return ENOSPC;
  struct action *a = &actions[actions_used++];
  *a = (struct action){handler, arg, buckets[intid % BUCKETS], intid};
  buckets[intid % BUCKETS] = a;
  gic->enable(intid, level);
  return 0;
}

errno_t arch_irq_connect(unsigned line, bool level, irq_handler_t *handler, void *arg) {
  return line < A64_SPI_FIRST ? EINVAL : a64_irq_handle(line, level, handler, arg);
}

errno_t arch_msi_alloc(irq_handler_t *handler, void *arg, uint32_t device_id,
                       struct arch_msi *msi) {
  return gic->msi_alloc(handler, arg, device_id, msi);
}

void arch_wait_for_interrupt(void) {
  /* A pending interrupt ends WFI though it is masked: none is slept through. */
  __asm__ volatile("dsb sy; wfi; msr daifclr, #2; isb; msr daifset, #2" ::: "memory");
}
