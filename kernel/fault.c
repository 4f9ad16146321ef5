/*
 * Page faults: from the processor to the current process's address space.
 *
 * Called by arch from the page fault trap, in user mode or inside a user copy, on the thread's
 * kernel stack, kernel lock held. What was wrong is remembered for the trap's next step, the
 * signal; nothing runs in between.
 */
#include "arch/arch.h"
#include "kernel/aspace.h"
#include "kernel/pagecache.h"
#include "kernel/process.h"
#include "kernel/thread.h"

static errno_t last;

bool fault_page(uintptr_t va, unsigned access) {
  const struct thread *t = thread_current();
  struct process *p = t != NULL ? t->process : NULL;
  if (p == NULL) {
    last = EFAULT;
    return false;
  }
  /* The machine ends with its first process: rather any other one ends, and if that one needs the
   * memory itself, it does. Before that files' pages are written, so that they may go. */
  errno_t e;
  do
    e = aspace_fault(p->aspace, va, access);
  while (e == ENOMEM && (pagecache_write_some() || (p == process_first && process_sacrifice())));
  last = e; /* not before: others may fault while this one sleeps */
  return e == 0;
}

signal_t fault_last_signal(void) {
  switch (last) {
    case EFAULT:
      return SIGSEGV;
    case ENOMEM:
      return SIGKILL;
    default:
      return SIGBUS;
  }
}

const char *fault_last_reason(void) {
  switch (last) {
    case EFAULT:
      return "page fault";
    case ENOMEM:
      return "out of memory";
    case ERANGE:
      return "beyond the end of a mapped file";
    default:
      return "a mapped file can't be read";
  }
}
