/*
 * Processes: their creation, how they are told to end, their end, and what is left of them.
 *
 * Called by main.c, the system calls, the crash report and thread.c; kernel lock. Only the first
 * process's end sleeps. Reference sections 1.3 (the UUID), 8.1 (descriptors) and 8.3.
 */
#include "kernel/process.h"

#include "kernel/end.h"
#include "kernel/exec.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/thread.h"

struct process *process_first;
static struct list all = LIST_INIT(all);
static size_t count, count_exiting;
static struct waitq one_ended = {LIST_INIT(one_ended.waiters)};
static const struct file_ops descriptor_ops;

/* ---- Birth ----------------------------------------------------------------------------------- */

/* A random UUID: version 4, variant 1 of RFC 4122. */
static void uuid_create(uint8_t uuid[16]) {
  random_bytes(uuid, 16);
  uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
  uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

errno_t process_create(struct process **out) {
  static uint32_t last_number;
  if (count >= PROCESSES_MAX)
    return ENFILE;
  struct process *p = kzalloc(sizeof *p);
  if (p == NULL)
    return ENOMEM;
  file_init(&p->descriptor, &descriptor_ops, FILETYPE_PROCESS, 0);
  fdtable_init(&p->fds);
  list_init(&p->threads);
  waitq_init(&p->watchers);
  uuid_create(p->uuid);
  p->number = ++last_number;
  list_push_back(&all, &p->all_link);
  count++;
  *out = p;
  return 0;
}

void process_become(struct process *p, struct exec_image *image) {
  struct aspace *old = p->aspace;
  struct file *old_program = p->program;
  p->aspace = image->aspace;
  p->program = image->program;
  p->load_bias = image->load_bias;
  if (thread_current()->process == p)
    thread_use_aspace(p->aspace);
  aspace_destroy(old);
  if (old_program != NULL)
    file_unref(old_program);
}

/* ---- Death ----------------------------------------------------------------------------------- */

static void for_each_thread_to_die(struct process *p) {
  list_for_each(l, &p->threads) {
    struct thread *t = container_of(l, struct thread, process_link);
    t->dying = true;
    if (!p->held)
      thread_wake(t);
  }
}

void process_kill(struct process *p, signal_t signal, exitcode_t exitcode) {
  if (p->exiting)
    return;
  p->exiting = true;
  count_exiting++;
  p->signal = signal;
  p->exitcode = exitcode;
  for_each_thread_to_die(p);
}

void process_stop(struct process *p) {
  p->stopped = true;
  for_each_thread_to_die(p);
}

/* Gives everything back but the structure itself. */
static void release(struct process *p) {
  ASSERT(list_empty(&p->threads));
  process_kill(p, 0, 0);    /* unless it was: should one of its descriptors be its own */
  fdtable_destroy(&p->fds); /* those who are connected to it are told, its children killed */
#ifdef DEBUG
  if (p->aspace != NULL)
    aspace_verify(p->aspace);
#endif
  aspace_destroy(p->aspace);
  p->aspace = NULL;
  if (p->program != NULL)
    file_unref(p->program);
  p->program = NULL;
  list_remove(&p->all_link);
  count--;
  count_exiting--;
}

void process_destroy(struct process *p) {
  if (p == NULL)
    return;
  release(p);
  kfree(p);
}

/* No process outlives the first one. */
static void end_all(void) {
  list_for_each(l, &all) process_kill(container_of(l, struct process, all_link), SIGKILL, 0);
  while (count > 0)
    waitq_wait(&one_ended);
}

void process_ended(struct process *p) {
  release(p);
  if (p == process_first) {
    end_all();
    machine_end(p->signal, p->exitcode);
  }
  log_debug("process %u ended: signal %u, exit code %u", p->number, p->signal, p->exitcode);
  p->ended = true;
  waitq_wake_all(&p->watchers);
  waitq_wake_all(&one_ended);
  if (!p->watched)
    kfree(p);
}

bool process_sacrifice(void) {
  struct process *largest = NULL;
  size_t most = 0;
  list_for_each(l, &all) {
    struct process *p = container_of(l, struct process, all_link);
    if (p == process_first || p->aspace == NULL || aspace_resident_pages(p->aspace) <= most)
      continue;
    largest = p;
    most = aspace_resident_pages(p->aspace);
  }
  if (largest == NULL)
    return false;
  log_info("out of memory: process %u is killed, with %zu pages", largest->number, most);
  process_kill(largest, SIGKILL, 0);
  /* Its threads will not see user mode again; in the kernel they find nothing there. */
  aspace_unmap(largest->aspace, USER_START, USER_END - USER_START);
  return true;
}

/* ---- The descriptor -------------------------------------------------------------------------- */

static void descriptor_close(struct file *f) {
  struct process *p = container_of(f, struct process, descriptor);
  p->watched = false;
  if (p->ended)
    kfree(p);
  else
    process_kill(p, SIGKILL, 0);
}

static void descriptor_poll(struct file *f, eventtype_t type, struct poll_state *st,
                            struct waiter *w) {
  struct process *p = container_of(f, struct process, descriptor);
  (void)type; /* no right lets anyone ask for another one */
  *st = (struct poll_state){.ready = p->ended};
  if (p->ended) {
    st->signal = p->signal;
    st->exitcode = p->exitcode;
  } else {
    waitq_leave(&p->watchers, w, false);
  }
}

static const struct file_ops descriptor_ops = {.close = descriptor_close, .poll = descriptor_poll};

/* ---- Questions ------------------------------------------------------------------------------- */

uint64_t process_cpu_ns(struct process *p) {
  uint64_t sum_ns = p->cpu_ns;
  list_for_each(l, &p->threads) sum_ns +=
      thread_cpu_ns(container_of(l, struct thread, process_link));
  return sum_ns;
}

size_t process_count(void) {
  return count;
}

size_t process_count_exiting(void) {
  return count_exiting;
}
