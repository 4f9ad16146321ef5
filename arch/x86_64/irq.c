/*
 * Device interrupts: which handler a vector has, messages (MSI) and wired lines.
 *
 * Connecting: kernel lock, while devices are set up. Dispatch: interrupt context.
 */
#include "arch/x86_64/x86.h"
#include "kernel/log.h"

/* A handler. Those that share a wired line are linked; each takes a slot of the table, and the
 * first one's slot gives the vector. */
struct action {
  irq_handler_t *handler; /* NULL: free */
  void *arg;
  struct action *next;
  uint16_t line;
  bool wired;
};

static struct action actions[X86_DEVICE_VECTORS];
static unsigned actions_used;

static struct action *action_new(irq_handler_t *handler, void *arg) {
  if (actions_used == X86_DEVICE_VECTORS)
    return NULL;
  struct action *a = &actions[actions_used++];
  a->arg = arg;
  a->handler = handler;
  return a;
}

static unsigned vector_of(const struct action *a) {
  return X86_VECTOR_DEVICES + (unsigned)(a - actions);
}

void x86_irq_dispatch(unsigned vector) {
  if (vector == X86_VECTOR_TIMER) {
    x86_lapic_eoi();
    x86_timer_fired();
    return;
  }
  /* The local APIC's spurious vector, or a PIC's in spite of its mask: no end is told. */
  if (vector < X86_VECTOR_DEVICES || vector == X86_VECTOR_SPURIOUS)
    return;
  unsigned i = vector - X86_VECTOR_DEVICES;
  for (const struct action *a = i < actions_used ? &actions[i] : NULL; a != NULL; a = a->next)
    a->handler(a->arg);
  x86_lapic_eoi();
}

errno_t arch_msi_alloc(irq_handler_t *handler, void *arg, uint32_t device_id,
                       struct arch_msi *msi) {
  (void)device_id;
  struct action *a = action_new(handler, arg);
  if (a == NULL)
    return ENOSPC;
  msi->address = 0xfee00000 | x86_lapic_id() << 12;
  msi->data = vector_of(a);
  return 0;
}

static struct action *find_line(unsigned line) {
  for (unsigned i = 0; i < actions_used; i++)
    if (actions[i].wired && actions[i].line == line)
      return &actions[i];
  return NULL;
}

static errno_t connect_line(unsigned line, bool level, bool active_low, irq_handler_t *handler,
                            void *arg) {
  struct action *first = find_line(line);
  struct action *a = action_new(handler, arg);
  if (a == NULL)
    return EINVAL;
  if (first != NULL) {
    a->next = first->next;
    first->next = a;
    return 0;
  }
  a->wired = true;
  a->line = (uint16_t)line;
  errno_t e = x86_ioapic_route(line, level, active_low, vector_of(a));
  if (e != 0)
    *a = actions[--actions_used] = (struct action){0};
  return e;
}

errno_t arch_irq_connect(unsigned line, bool level, irq_handler_t *handler, void *arg) {
  return connect_line(line, level, false, handler, arg);
}

errno_t x86_isa_irq_connect(unsigned irq, irq_handler_t *handler, void *arg) {
  const struct x86_isa_irq *isa = &x86_platform.isa[irq];
  return connect_line(isa->gsi, isa->level, isa->active_low, handler, arg);
}

void arch_wait_for_interrupt(void) {
  /* STI takes effect after HLT has begun: no interrupt is slept through. */
  __asm__ volatile("sti; hlt; cli" ::: "memory");
}
