/*
 * Threads and the scheduler.
 *
 * A thread is a CloudABI thread or one of the kernel's own; it has a kernel stack with a guard
 * page. The kernel is not preempted inside itself; user code is, by a timer armed only when another
 * thread is ready. The running thread is arch_current(). One kernel lock; one processor so far.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <stdbool.h>

#include "arch/arch.h"
#include "kernel/bh.h"
#include "kernel/cpu.h"
#include "kernel/list.h"
#include "kernel/timer.h"
#include "kernel/user.h"
#include "kernel/waitq.h"

struct aspace;
struct lock_object;
struct process;

#define THREADS_MAX 4096 /* of all processes, then EAGAIN */

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_SLEEPING, THREAD_DEAD };

struct thread {
  struct arch_thread arch; /* first: assembly knows its offset is 0 */
  void *kstack;            /* lowest address */
  struct process *process; /* NULL: a kernel thread */
  struct list process_link;
  struct list all_link;
  struct list run_link;
  enum thread_state state;
  bool wake_pending; /* a wake came since thread_sleep_begin() */
  bool dying;        /* to end at the next return to user mode; sleeps return ECANCELED */
  uint32_t sleeps;   /* how often it let others run: whatever it knew before may have changed */
  bool raw;          /* the results of its system call go to raw_results (kernel/sys/raw.c) */
  uint64_t raw_results[USER_RESULTS];
  tid_t tid;       /* 2 … 2^30 − 1, unique among all live threads */
  uint64_t cpu_ns; /* time used, without the current slice */
  uint64_t slice_start_ns;
  struct timer sleep_timer;
  struct lock_object *lock_spare; /* lock_object.h: what its waits will need */
  union {                         /* of a thread that has not run yet */
    struct arch_user_start user_start;
    struct {
      void (*fn)(void *);
      void *arg;
    } kernel_start;
  };
};

#define thread_current() arch_current()

/* True when the current thread, t, must return to user mode by thread_return_to_user(). */
static inline bool thread_work_pending(const struct thread *t) {
  return bh_pending != NULL || this_cpu()->resched || t->dying;
}

/* Makes the boot stack a thread, so that what runs there may sleep. */
void thread_init(void);
/* A thread of p that will enter user mode by `start`, not yet ready. ENOMEM, EAGAIN (too many). */
errno_t thread_create_user(struct process *p, const struct arch_user_start *start,
                           struct thread **out);
/* One that will return to user mode with the registers that the current thread entered the kernel
 * with, as from a system call whose result is 0; not yet ready. ENOMEM, EAGAIN. */
errno_t thread_create_fork(struct process *p, struct thread **out);
/* Frees a thread that was created and never made ready. */
void thread_discard(struct thread *t);
/* A kernel thread, ready. It ends when fn returns. ENOMEM, EAGAIN. */
errno_t thread_create_kernel(void (*fn)(void *), void *arg, struct thread **out);
/* Makes a created or sleeping thread ready. Any context. */
void thread_wake(struct thread *t);
/* Lets the threads that are ready run first. */
void thread_yield(void);
/* For long work inside the kernel, now and then: lets in interrupts and all other threads.
 * ECANCELED when the thread is to die. */
errno_t thread_pause(void);
/* Makes `as` (NULL: none) the one that the processor's page tables show. */
void thread_use_aspace(struct aspace *as);
/* Ends the current thread; the last of a process ends it with exit code 0. */
_Noreturn void thread_exit_current(void);
/* Ends all other threads of the current process, and waits until they are gone. ECANCELED: the
 * current one is to die as well. */
errno_t thread_end_others(void);
/* From the boot stack, which has no more to do: runs the other threads for ever. */
_Noreturn void thread_start_scheduler(void);
/* CPU time used by t, the current slice included. */
uint64_t thread_cpu_ns(const struct thread *t);
/* Live threads of all processes. */
size_t thread_count(void);
/* NULL: there is none. */
struct thread *thread_by_tid(tid_t tid);

#endif
