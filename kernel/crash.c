/*
 * The crash report: what a program did wrong, where, with registers, a backtrace and its mappings.
 * The image's program gets all of it; of another process, which its parent can ask about, no more
 * than a line and a backtrace, and a program that makes such processes without end gets a few.
 *
 * Called from a trap of the program, on its thread's kernel stack; may sleep where the program's
 * file does. The program dies of it.
 */
#include "arch/arch.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/signal_names.h"
#include "kernel/symbols.h"
#include "kernel/thread.h"

#define CHILDREN_REPORTED_MAX 50

static void print_backtrace(const struct process *p, const struct trap_frame *frame) {
  uintptr_t pc[24];
  char name[96];
  size_t n = arch_user_backtrace(frame, pc, sizeof pc / sizeof pc[0]);
  for (size_t i = 0; i < n; i++) {
    symbols_format_user(p, pc[i], name, sizeof name);
    log_error("  #%zu %s", i, name);
  }
}

/* Whether there is to be a report of another process than the first. */
static bool child_counts(void) {
  static unsigned reported;
  if (reported == CHILDREN_REPORTED_MAX)
    log_warn("further crashes of child processes are not reported");
  return reported++ < CHILDREN_REPORTED_MAX;
}

static void report_child(const struct process *p, struct trap_frame *frame, signal_t sig,
                         const char *what, uintptr_t address) {
  char where[96];
  if (!child_counts())
    return;
  symbols_format_user(p, arch_frame_pc(frame), where, sizeof where);
  log_error("crash: %s (%s) at %s, address 0x%lx, process %u, thread %u", signal_name(sig), what,
            where, address, p->number, thread_current()->tid);
  print_backtrace(p, frame);
}

static void report_first(const struct process *p, struct trap_frame *frame, signal_t sig,
                         const char *what, uintptr_t address) {
  char where[96];
  symbols_format_user(p, arch_frame_pc(frame), where, sizeof where);
  log_error("crash: %s (%s) at %s, address 0x%lx, thread %u", signal_name(sig), what, where,
            address, thread_current()->tid);
  arch_print_registers(frame);
  print_backtrace(p, frame);
  aspace_print(p->aspace, address);
}

void fault_user(struct trap_frame *frame, signal_t sig, const char *what, uintptr_t address) {
  struct process *p = thread_current()->process;
  if (p == process_first)
    report_first(p, frame, sig, what, address);
  else
    report_child(p, frame, sig, what, address);
  process_kill(p, sig, 0);
}
