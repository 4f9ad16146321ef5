/*
 * The crash report: what a program did wrong, where, with registers, a backtrace and its mappings.
 *
 * Called from a trap of the program, on its thread's kernel stack; the program dies of it.
 */
#include "arch/arch.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/signal_names.h"
#include "kernel/symbols.h"
#include "kernel/thread.h"

static void print_backtrace(const struct process *p, const struct trap_frame *frame) {
  uintptr_t pc[24];
  char name[96];
  size_t n = arch_user_backtrace(frame, pc, sizeof pc / sizeof pc[0]);
  for (size_t i = 0; i < n; i++) {
    symbols_format_user(p, pc[i], name, sizeof name);
    log_error("  #%zu %s", i, name);
  }
}

void fault_user(struct trap_frame *frame, signal_t sig, const char *what, uintptr_t address) {
  struct thread *t = thread_current();
  struct process *p = t->process;
  char where[96];
  symbols_format_user(p, arch_frame_pc(frame), where, sizeof where);
  log_error("crash: %s (%s) at %s, address 0x%lx, thread %u", signal_name(sig), what, where,
            address, t->tid);
  arch_print_registers(frame);
  print_backtrace(p, frame);
  aspace_print(p->aspace, address);
  process_kill(p, sig, 0);
}
