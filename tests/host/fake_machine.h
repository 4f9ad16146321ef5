/*
 * A machine for the units that need kernel/thread.c: threads are fibers of the host, the clock is a
 * counter, and waiting for interrupts jumps to the timer's deadline. Everything is deterministic.
 *
 * The test itself runs as the boot thread and may sleep. A wait that nothing can end is reported
 * and fails the test. Fibers must not use cmocka's assertions (these jump to the main stack):
 * CHECK().
 */
#ifndef TESTS_HOST_FAKE_MACHINE_H
#define TESTS_HOST_FAKE_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <cmocka.h>

#include "kernel/aspace.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define CHECK(cond)                                                                             \
  ((cond) ? (void)0                                                                             \
          : (fprintf(stderr, "%s:%d: check failed: %s (seed %lu)\n", __FILE__, __LINE__, #cond, \
                     fake_seed),                                                                \
             abort()))

static unsigned long fake_seed; /* named by a failing check */

/* ---- Time and interrupts --------------------------------------------------------------------- */

static uint64_t fake_now_ns = 1000;
static uint64_t fake_timer_ns = UINT64_MAX;
static unsigned fake_timer_programmed, fake_waits, fake_switches;
static void (*fake_device)(void); /* an interrupt that comes when nothing else does */
static struct thread *fake_current;

uint64_t arch_time_ns(void) {
  return fake_now_ns++;
}

void arch_timer_set(uint64_t deadline_ns) {
  fake_timer_ns = deadline_ns;
  fake_timer_programmed++;
}

/* The timer's interrupt, if its time has come. */
static void fake_interrupt(void) {
  if (fake_now_ns < fake_timer_ns)
    return;
  fake_timer_ns = UINT64_MAX;
  timer_interrupt();
}

void arch_wait_for_interrupt(void) {
  fake_waits++;
  if (fake_device != NULL) {
    void (*device)(void) = fake_device;
    fake_device = NULL;
    device();
    return;
  }
  if (fake_timer_ns == UINT64_MAX) {
    fprintf(stderr, "deadlock: nothing will wake anybody (seed %lu)\n", fake_seed);
    abort();
  }
  if (fake_now_ns < fake_timer_ns)
    fake_now_ns = fake_timer_ns;
  fake_interrupt();
}

struct thread *arch_current(void) {
  return fake_current;
}

void arch_set_current(struct thread *t) {
  fake_current = t;
}

/* ---- Fibers ---------------------------------------------------------------------------------- */

struct fiber {
  ucontext_t context;
  void *asan_stack;
  const void *stack;
  size_t stack_bytes;
  void (*entry)(void *);
  void *arg;
  void (*resume)(void); /* of a forked thread: what it does in user mode */
};

static struct fiber *fiber_leaving;

static void fiber_arrive(struct fiber *self) {
  const void *stack;
  size_t bytes;
  __sanitizer_finish_switch_fiber(self->asan_stack, &stack, &bytes);
  if (fiber_leaving->stack == NULL) { /* the main stack: the sanitizer knows where it is */
    fiber_leaving->stack = stack;
    fiber_leaving->stack_bytes = bytes;
  }
}

static void fiber_main(unsigned low, unsigned high) {
  struct fiber *self = (struct fiber *)((uintptr_t)low | (uintptr_t)high << 32);
  fiber_arrive(self);
  self->entry(self->arg);
  CHECK(!"a thread's first function returned");
}

void arch_thread_init(struct arch_thread *at, void *kstack, void (*entry)(void *), void *arg) {
  struct fiber *f = calloc(1, sizeof *f);
  f->stack = kstack;
  f->stack_bytes = KSTACK_SIZE;
  f->entry = entry;
  f->arg = arg;
  getcontext(&f->context);
  f->context.uc_stack.ss_sp = kstack;
  f->context.uc_stack.ss_size = KSTACK_SIZE;
  makecontext(&f->context, (void (*)(void))fiber_main, 2, (unsigned)(uintptr_t)f,
              (unsigned)((uintptr_t)f >> 32));
  at->unused = f;
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to) {
  if (from->unused == NULL)
    from->unused = calloc(1, sizeof(struct fiber));
  struct fiber *self = from->unused, *other = to->unused;
  fake_switches++;
  fiber_leaving = self;
  __sanitizer_start_switch_fiber(&self->asan_stack, other->stack, other->stack_bytes);
  swapcontext(&self->context, &other->context);
  fiber_arrive(self);
}

void arch_thread_destroy(struct arch_thread *at) {
  free(at->unused);
}

static void *fake_stacks[4096];
static size_t fake_stacks_count;

void *arch_kstack_alloc(void) {
  if (fake_stacks_count == 0)
    return malloc(KSTACK_SIZE);
  void *stack = fake_stacks[--fake_stacks_count];
  __asan_unpoison_memory_region(stack, KSTACK_SIZE);
  return stack;
}

void arch_kstack_free(void *stack) {
  if (fake_stacks_count == 64) {
    free(stack);
    return;
  }
  __asan_poison_memory_region(stack, KSTACK_SIZE);
  fake_stacks[fake_stacks_count++] = stack;
}

/* ---- User mode ------------------------------------------------------------------------------- */

/* As after every trap. */
static void fake_return_to_user(void) {
  if (thread_work_pending(thread_current()))
    thread_return_to_user();
}

void arch_user_enter(const struct arch_user_start *start) {
  void (*entry)(uint64_t, uint64_t) = (void (*)(uint64_t, uint64_t))start->pc;
  entry(start->arg0, start->arg1);
  thread_exit_current();
}

/* Where a thread that is forked now goes on. */
static void (*fake_resume)(void);

void arch_thread_fork(struct arch_thread *child) {
  ((struct fiber *)child->unused)->resume = fake_resume;
}

void arch_user_resume(void) {
  ((struct fiber *)fake_current->arch.unused)->resume();
  thread_exit_current();
}

/* An address range that behaves as unmapped. */
static uintptr_t fake_bad_low, fake_bad_high;

static bool (*fake_unmapped_hook)(const void *p); /* or what this one says */

static bool fake_bad(const void *p, size_t n) {
  if (fake_unmapped_hook != NULL && fake_unmapped_hook(p))
    return true;
  return (uintptr_t)p < fake_bad_high && (uintptr_t)p + n > fake_bad_low;
}

errno_t user_put_result(uintptr_t to, const void *value, size_t n) {
  return EFAULT; /* no raw traps here */
}

static bool fake_copies_sleep; /* while the program's memory is brought in, others run */

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  if (fake_copies_sleep)
    thread_yield();
  if (fake_bad(dst, n) || fake_bad(src, n))
    return n;
  memcpy(dst, src, n);
  return 0;
}

/* Asked whether the page has to come from a disk (NULL: it has not); and how long that takes. */
static bool (*fake_slow)(void);
static void (*fake_slow_access)(void) = thread_yield;

bool arch_user_load32(const uint32_t *uaddr, uint32_t *value) {
  if (fake_slow != NULL && fake_slow())
    fake_slow_access();
  if (fake_bad(uaddr, 4))
    return false;
  *value = *uaddr;
  return true;
}

bool arch_user_store32(uint32_t *uaddr, uint32_t value) {
  if (fake_bad(uaddr, 4))
    return false;
  *uaddr = value;
  return true;
}

bool arch_user_cmpxchg32(uint32_t *uaddr, uint32_t *expected, uint32_t desired, bool *swapped) {
  if (fake_bad(uaddr, 4))
    return false;
  *swapped = *uaddr == *expected;
  if (*swapped)
    *uaddr = desired;
  else
    *expected = *uaddr;
  return true;
}

/* ---- What else the scheduler asks for -------------------------------------------------------- */

static long fake_alloc_budget = -1; /* allocations until memory is out; -1: never */
static long fake_live;              /* blocks handed out now */

void *kmalloc(size_t size) {
  if (fake_alloc_budget == 0)
    return NULL;
  if (fake_alloc_budget > 0)
    fake_alloc_budget--;
  fake_live++;
  return malloc(size);
}

void *kzalloc(size_t size) {
  void *p = kmalloc(size);
  if (p != NULL)
    memset(p, 0, size);
  return p;
}

void kfree(void *p) {
  fake_live -= p != NULL;
  free(p);
}

void arch_aspace_switch(struct arch_aspace *as) {
  (void)as;
}

struct arch_aspace *aspace_arch(struct aspace *as) {
  return (struct arch_aspace *)as;
}

void log_printf(enum log_level level, const char *format, ...) {
  (void)level;
  (void)format;
}

void panic(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vfprintf(stderr, format, ap);
  va_end(ap);
  fprintf(stderr, " (panic, seed %lu)\n", fake_seed);
  abort();
}

static struct process fake_process;
static struct waitq fake_process_done;

/* Tests with more than one process link the real ones. */
__attribute__((weak)) void process_kill(struct process *p, signal_t signal, exitcode_t exitcode) {
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

__attribute__((weak)) void process_ended(struct process *p) {
  (void)p;
  waitq_wake_all(&fake_process_done);
}

/* The process of the next round: without threads. */
static void fake_process_reset(void) {
  struct fdtable fds = fake_process.fds;
  fake_process = (struct process){.aspace = (struct aspace *)&fake_process, .fds = fds};
  list_init(&fake_process.threads);
  waitq_init(&fake_process_done);
}

/* A ready user thread of p that runs fn(tid, arg). */
static inline struct thread *fake_thread_of(struct process *p,
                                            void (*fn)(uint64_t tid, uint64_t arg), uint64_t arg) {
  struct arch_user_start start = {.pc = (uintptr_t)fn, .arg1 = arg};
  struct thread *t;
  errno_t e = thread_create_user(p, &start, &t);
  CHECK(e == 0);
  t->user_start.arg0 = t->tid;
  thread_wake(t);
  return t;
}

static inline struct thread *fake_thread(void (*fn)(uint64_t tid, uint64_t arg), uint64_t arg) {
  return fake_thread_of(&fake_process, fn, arg);
}

/* The test waits until every thread of fake_process is gone. */
static inline void fake_process_wait(void) {
  while (!list_empty(&fake_process.threads))
    CHECK(waitq_sleep(&fake_process_done, NEVER_NS) == 0);
}

static int fake_setup(void **state) {
  (void)state;
  thread_init();
  fake_process_reset();
  return 0;
}

/* ---- Chance ---------------------------------------------------------------------------------- */

static uint64_t fake_random_state;

static inline void fake_random_seed(unsigned long seed) {
  fake_seed = seed;
  fake_random_state = seed * 0x9e3779b97f4a7c15 + 1;
}

/* Below n. */
static inline unsigned fake_random(unsigned n) {
  fake_random_state ^= fake_random_state << 13;
  fake_random_state ^= fake_random_state >> 7;
  fake_random_state ^= fake_random_state << 17;
  return (unsigned)((fake_random_state >> 33) % n);
}

static void (*fake_step_hook)(void); /* decides in chance's stead */

/* Between two instructions of user mode: time may pass, interrupts may come, others may run. */
static inline void fake_user_step(void) {
  if (fake_step_hook != NULL) {
    fake_step_hook();
    return;
  }
  fake_now_ns += fake_random(8);
  fake_interrupt();
  fake_return_to_user();
  if (fake_random(3) != 0)
    return;
  struct list *ready = &this_cpu()->ready;
  for (unsigned i = fake_random(4); i > 0 && !list_empty(ready); i--)
    list_push_back(ready, list_pop_front(ready));
  thread_yield();
}

#endif
