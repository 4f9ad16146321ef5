/*
 * Processes: their creation, how they are told to end, and their end.
 *
 * Called by main.c, the system calls, the crash report and thread.c; kernel lock; never sleeps.
 * Reference sections 1.3 (the UUID) and 8.3.
 */
#include "kernel/process.h"

#include "kernel/end.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/thread.h"

struct process *process_first;

/* A random UUID: version 4, variant 1 of RFC 4122. */
static void uuid_create(uint8_t uuid[16]) {
  random_bytes(uuid, 16);
  uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
  uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

errno_t process_create(struct process **out) {
  struct process *p = kzalloc(sizeof *p);
  if (p == NULL)
    return ENOMEM;
  errno_t e = aspace_create(&p->aspace);
  if (e != 0) {
    kfree(p);
    return e;
  }
  fdtable_init(&p->fds);
  list_init(&p->threads);
  uuid_create(p->uuid);
  *out = p;
  return 0;
}

void process_destroy(struct process *p) {
  if (p == NULL)
    return;
  ASSERT(list_empty(&p->threads));
  fdtable_destroy(&p->fds);
  aspace_destroy(p->aspace);
  kfree(p);
}

void process_kill(struct process *p, signal_t signal, exitcode_t exitcode) {
  if (p->exiting)
    return;
  p->exiting = true;
  p->signal = signal;
  p->exitcode = exitcode;
  list_for_each(l, &p->threads) {
    struct thread *t = container_of(l, struct thread, process_link);
    t->dying = true;
    thread_wake(t);
  }
}

void process_ended(struct process *p) {
  fdtable_destroy(&p->fds); /* those who are connected to it are told */
  if (p == process_first)
    machine_end(p->signal, p->exitcode);
  process_destroy(p);
}

uint64_t process_cpu_ns(struct process *p) {
  uint64_t sum_ns = p->cpu_ns;
  list_for_each(l, &p->threads) sum_ns +=
      thread_cpu_ns(container_of(l, struct thread, process_link));
  return sum_ns;
}
