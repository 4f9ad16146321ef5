/*
 * Threads: their creation and end, the choice of the next one, and sleeping.
 *
 * The ready threads of a processor are a queue in order of arrival. A thread that has to wait
 * while nobody is ready waits for interrupts on its own stack; when its own wake comes first, there
 * is no switch at all. User code is preempted after SLICE_NS by a timer that is armed only while
 * somebody else is ready.
 *
 * Under the kernel lock, which sleeping gives up; thread_wake() comes from any context.
 */
#include "kernel/thread.h"

#include "kernel/aspace.h"
#include "kernel/heap.h"
#include "kernel/lock_object.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/string.h"

#define SLICE_NS 10000000 /* 10 ms */
#define PAUSE_NS 20000    /* long enough that the timer's interrupt is still to come */
#define TID_MIN 2         /* 0 and 1 mean something else inside locks */
#define TID_MAX 0x3fffffff

struct cpu cpu_boot;
static struct thread boot_thread;
static struct list all_threads = LIST_INIT(all_threads);
static size_t all_count;

/* ---- The ready queue ------------------------------------------------------------------------- */

static __attribute__((noinline)) void make_ready(struct thread *t) {
  struct cpu *c = this_cpu();
  t->state = THREAD_READY;
  list_push_back(&c->ready, &t->run_link);
  if (!timer_armed(&c->slice))
    c->resched = true; /* whoever returns to user mode next arms it */
}

/* The next thread to run. Waits for one if need be and then moves *now_ns on. */
static struct thread *next_ready(struct cpu *c, uint64_t *now_ns) {
  bool waited = false;
  for (;;) {
    if (bh_pending != NULL)
      bh_run();
    if (!list_empty(&c->ready))
      break;
    if (bh_pending == NULL)
      arch_wait_for_interrupt();
    waited = true;
  }
  struct list *l = list_pop_front(&c->ready);
  if (list_empty(&c->ready))
    c->resched = false;
  if (waited)
    *now_ns = arch_time_ns();
  return container_of(l, struct thread, run_link);
}

/* What the thread before left to be done by the one after it. */
static void finish_switch(void) {
  struct cpu *c = this_cpu();
  struct thread *dead = c->dead;
  if (dead == NULL)
    return;
  c->dead = NULL;
  if (dead == &boot_thread)
    return;
  arch_thread_destroy(&dead->arch);
  arch_kstack_free(dead->kstack);
  kfree(dead);
}

void thread_use_aspace(struct aspace *as) {
  struct cpu *c = this_cpu();
  if (c->aspace == as)
    return;
  c->aspace = as;
  arch_aspace_switch(as == NULL ? NULL : aspace_arch(as));
}

/* Gives the processor away until the current thread, whose state is set, is chosen again. */
static void schedule(void) {
  struct cpu *c = this_cpu();
  struct thread *self = thread_current();
  uint64_t now_ns = arch_time_ns();
  self->sleeps++;
  self->cpu_ns += now_ns - self->slice_start_ns;
  struct thread *next = next_ready(c, &now_ns);
  next->slice_start_ns = now_ns;
  next->state = THREAD_RUNNING;
  if (next == self)
    return;
  if (self->state == THREAD_DEAD)
    c->dead = self;
  if (next->process != NULL) /* a kernel thread runs on whatever is there */
    thread_use_aspace(next->process->aspace);
  arch_set_current(next);
  arch_thread_switch(&self->arch, &next->arch);
  finish_switch();
}

void thread_wake(struct thread *t) {
  t->wake_pending = true;
  if (t->state == THREAD_SLEEPING)
    make_ready(t);
}

void thread_yield(void) {
  if (list_empty(&this_cpu()->ready))
    return;
  make_ready(thread_current());
  schedule();
}

/* ---- Sleeping -------------------------------------------------------------------------------- */

static void sleep_fire(struct timer *timer) {
  struct thread *t = container_of(timer, struct thread, sleep_timer);
  if (t->state == THREAD_SLEEPING)
    make_ready(t);
}

void thread_sleep_begin(void) {
  thread_current()->wake_pending = false;
}

errno_t thread_sleep(uint64_t deadline_ns) {
  struct thread *t = thread_current();
  if (t->dying)
    return ECANCELED;
  if (t->wake_pending)
    return 0;
  if (deadline_ns != NEVER_NS) {
    if (arch_time_ns() >= deadline_ns)
      return ETIMEDOUT;
    timer_set(&t->sleep_timer, deadline_ns);
  }
  t->state = THREAD_SLEEPING;
  schedule();
  timer_cancel(&t->sleep_timer);
  if (t->dying)
    return ECANCELED;
  return t->wake_pending ? 0 : ETIMEDOUT;
}

void thread_sleep_firmly(void) {
  struct thread *t = thread_current();
  if (t->wake_pending)
    return;
  t->state = THREAD_SLEEPING;
  schedule();
}

errno_t thread_pause(void) {
  thread_sleep_begin();
  return thread_sleep(arch_time_ns() + PAUSE_NS) == ECANCELED ? ECANCELED : 0;
}

/* ---- Creation -------------------------------------------------------------------------------- */

/* Numbers go round, so that one is not used again soon. */
static tid_t tid_new(void) {
  static tid_t last = TID_MIN - 1;
  static bool wrapped;
  do {
    if (last == TID_MAX) {
      last = TID_MIN - 1;
      wrapped = true;
    }
    last++;
  } while (wrapped && thread_by_tid(last) != NULL);
  return last;
}

static void enter_list(struct thread *t) {
  t->tid = tid_new();
  t->sleep_timer.fire = sleep_fire;
  list_push_back(&all_threads, &t->all_link);
  all_count++;
}

static errno_t create(void (*entry)(void *), struct thread **out) {
  if (all_count >= THREADS_MAX)
    return EAGAIN;
  struct thread *t = kzalloc(sizeof *t);
  if (t == NULL)
    return ENOMEM;
  t->kstack = arch_kstack_alloc();
  if (t->kstack == NULL) {
    kfree(t);
    return ENOMEM;
  }
  t->state = THREAD_SLEEPING;
  list_init(&t->process_link);
  arch_thread_init(&t->arch, t->kstack, entry, t);
  enter_list(t);
  *out = t;
  return 0;
}

static void leave_lists(struct thread *t) {
  list_remove(&t->process_link);
  list_remove(&t->all_link);
  all_count--;
  lock_thread_destroy(t);
}

void thread_discard(struct thread *t) {
  leave_lists(t);
  arch_thread_destroy(&t->arch);
  arch_kstack_free(t->kstack);
  kfree(t);
}

/* Makes t one of p's threads. */
static void enter_process(struct thread *t, struct process *p) {
  t->process = p;
  t->dying = p->exiting || p->stopped || p->sole != NULL;
  list_push_back(&p->threads, &t->process_link);
}

static errno_t create_in(struct process *p, void (*entry)(void *), struct thread **out) {
  struct thread *t;
  errno_t e = create(entry, &t);
  if (e != 0)
    return e;
  e = lock_thread_init(t);
  if (e != 0) {
    thread_discard(t);
    return e;
  }
  enter_process(t, p);
  *out = t;
  return 0;
}

static void user_main(void *arg) {
  struct thread *t = arg;
  finish_switch();
  thread_return_to_user();
  arch_user_enter(&t->user_start);
}

errno_t thread_create_user(struct process *p, const struct arch_user_start *start,
                           struct thread **out) {
  errno_t e = create_in(p, user_main, out);
  if (e == 0)
    (*out)->user_start = *start;
  return e;
}

static void forked_main(void *arg) {
  (void)arg;
  finish_switch();
  thread_return_to_user();
  arch_user_resume();
}

errno_t thread_create_fork(struct process *p, struct thread **out) {
  errno_t e = create_in(p, forked_main, out);
  if (e == 0)
    arch_thread_fork(&(*out)->arch);
  return e;
}

static void kernel_main_of_thread(void *arg) {
  struct thread *t = arg;
  finish_switch();
  t->kernel_start.fn(t->kernel_start.arg);
  thread_exit_current();
}

errno_t thread_create_kernel(void (*fn)(void *), void *arg, struct thread **out) {
  errno_t e = create(kernel_main_of_thread, out);
  if (e != 0)
    return e;
  (*out)->kernel_start.fn = fn;
  (*out)->kernel_start.arg = arg;
  make_ready(*out);
  return 0;
}

/* ---- The end --------------------------------------------------------------------------------- */

errno_t thread_end_others(void) {
  struct thread *self = thread_current();
  struct process *p = self->process;
  errno_t e = 0;
  if (self->dying)
    return ECANCELED;
  p->sole = self;
  list_for_each(l, &p->threads) {
    struct thread *t = container_of(l, struct thread, process_link);
    if (t == self)
      continue;
    t->dying = true;
    thread_wake(t);
  }
  while (e == 0 && p->threads.next->next != &p->threads) {
    thread_sleep_begin();
    e = thread_sleep(NEVER_NS);
  }
  p->sole = NULL;
  return e;
}

void thread_exit_current(void) {
  struct thread *t = thread_current();
  struct process *p = t->process;
  leave_lists(t);
  if (p != NULL) {
    p->cpu_ns += thread_cpu_ns(t);
    t->process = NULL;
    if (p->sole != NULL)
      thread_wake(p->sole);
    if (list_empty(&p->threads)) {
      thread_use_aspace(NULL); /* it may be freed */
      process_ended(p);
    }
  }
  t->state = THREAD_DEAD;
  schedule();
  panic("thread %u runs after its end", t->tid);
}

/* A thread that is to die, at the edge of user mode. One of a stopped process waits first. */
static _Noreturn void die(struct thread *t) {
  while (t->process != NULL && t->process->stopped && !t->process->exiting) {
    t->state = THREAD_SLEEPING;
    schedule();
  }
  thread_exit_current();
}

/* ---- The edge of user mode ------------------------------------------------------------------- */

void thread_return_to_user(void) {
  struct thread *t = thread_current();
  struct cpu *c = this_cpu();
  for (;;) {
    while (bh_pending != NULL)
      bh_run();
    if (t->dying)
      die(t);
    if (!c->resched)
      return;
    c->resched = false;
    if (list_empty(&c->ready))
      return;
    if (arch_time_ns() - t->slice_start_ns < SLICE_NS) {
      timer_set(&c->slice, t->slice_start_ns + SLICE_NS);
      return;
    }
    thread_yield();
  }
}

static void slice_fire(struct timer *timer) {
  (void)timer;
  this_cpu()->resched = true;
}

/* ---- Start, and questions -------------------------------------------------------------------- */

void thread_init(void) {
  struct cpu *c = this_cpu();
  list_init(&c->ready);
  c->slice.fire = slice_fire;
  boot_thread.state = THREAD_RUNNING;
  list_init(&boot_thread.process_link);
  boot_thread.slice_start_ns = arch_time_ns();
  enter_list(&boot_thread);
  arch_set_current(&boot_thread);
}

void thread_start_scheduler(void) {
  thread_exit_current();
}

uint64_t thread_cpu_ns(const struct thread *t) {
  if (t != thread_current())
    return t->cpu_ns;
  return t->cpu_ns + (arch_time_ns() - t->slice_start_ns);
}

size_t thread_count(void) {
  return all_count;
}

struct thread *thread_by_tid(tid_t tid) {
  list_for_each(l, &all_threads) {
    struct thread *t = container_of(l, struct thread, all_link);
    if (t->tid == tid)
      return t;
  }
  return NULL;
}
