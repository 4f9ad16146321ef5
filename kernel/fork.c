/*
 * Fork: a process like the current one, with a single thread.
 *
 * Called by proc_fork; kernel lock; does not sleep, but lets others run before it begins. Reference
 * section 8.1.
 */
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/process.h"
#include "kernel/rights.h"
#include "kernel/thread.h"

/* What a fork leaves of the memory: both sides will copy the pages that they write to, and who
 * can't have one that it was promised is killed. */
static size_t reserve_pages(void) {
  return 64 + page_total() / 64;
}

/* All that the child has. */
static errno_t fill(struct process *child, struct process *parent) {
  struct thread *thread;
  errno_t e = aspace_fork(parent->aspace, &child->aspace);
  if (e != 0)
    return e;
  child->program = file_ref(parent->program);
  child->load_bias = parent->load_bias;
  child->retired_rights = parent->retired_rights;
  e = fdtable_copy(&child->fds, &parent->fds);
  return e != 0 ? e : thread_create_fork(child, &thread);
}

errno_t process_fork(struct process **out) {
  struct process *child;
  if (process_count_exiting() > 0)
    thread_yield(); /* they make room */
  if (page_free_count() < reserve_pages())
    return ENOMEM;
  errno_t e = process_create(&child);
  if (e != 0)
    return e;
  e = fill(child, thread_current()->process);
  if (e != 0) {
    process_destroy(child);
    return e;
  }
  child->watched = true;
  child->held = true;
  *out = child;
  return 0;
}

struct thread *process_fork_thread(struct process *child) {
  return container_of(child->threads.next, struct thread, process_link);
}

static void release(struct process *child) {
  child->held = false;
  thread_wake(process_fork_thread(child));
}

void process_fork_abandon(struct process *child) {
  process_kill(child, SIGKILL, 0);
  release(child);
  file_unref(&child->descriptor);
}

errno_t process_fork_start(struct process *child, fd_t *fd) {
  struct process *parent = thread_current()->process;
  rights_t base, inheriting;
  rights_max(FILETYPE_PROCESS, false, &base, &inheriting);
  errno_t e = fd_install(&parent->fds, &child->descriptor, base, inheriting, fd);
  if (e != 0) {
    process_fork_abandon(child);
    return e;
  }
  log_debug("process %u forked process %u", parent->number, child->number);
  release(child);
  return 0;
}
