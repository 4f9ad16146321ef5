/*
 * thread_create, thread_exit, thread_yield and the retired thread_tcb_set, from inside: {out: fd}.
 * Reference 1.5, 4.2 and 9.2.
 *
 * What a new thread's registers hold is in start.c.
 */
#include <program.h>
#include <stdatomic.h>

#include "../check.h"
#include "machine.h"
#include "raw.h"

static void count(struct raw_thread *t) {
  (*(_Atomic unsigned *)t->arg)++;
}

static void check_create(void) {
  static struct raw_thread t[10];
  _Atomic unsigned counter = 0;
  bool distinct = true, same = true;
  for (int i = 0; i < 10; i++)
    check_err("thread_create", "a thread", raw_spawn(&t[i], count, &counter), 0);
  for (int i = 0; i < 10; i++)
    raw_join(&t[i]);
  check_eq("thread_create", "all have run", counter, 10);
  for (int i = 0; i < 10; i++) {
    same = same && t[i].tid == t[i].own && t[i].tid > 0 && t[i].tid < 0x40000000;
    for (int j = 0; j < i; j++)
      distinct = distinct && t[i].tid != t[j].tid;
  }
  check("thread_create", "creator and thread are told the same number, below 2^30", same);
  check("thread_create", "no number twice", distinct);
}

static void above_stack(struct raw_thread *t) {
  volatile char frame[3000];
  for (size_t i = 0; i < sizeof(frame); i++)
    frame[i] = (char)i;
  t->step = 1;
}

/* The program's own data lies directly above and below a stack. */
static void check_stack_borders(void) {
  struct raw_thread t = {.run = above_stack};
  char *area = raw_memory(4 * RAW_PAGE);
  memset(area, 0x77, 4 * RAW_PAGE);
  struct cloudabi_threadattr attr = {raw_thread_main, area + RAW_PAGE + 8, 2 * RAW_PAGE - 20, &t};
  check_err("thread_create", "a stack at odd addresses", cloudabi_sys_thread_create(&attr, &t.tid),
            0);
  raw_until(&t.step, 1);
  t.stack = NULL;
  struct cloudabi_event ev;
  raw_wait(raw_lock_sub(&t.done, CLOUDABI_EVENTTYPE_LOCK_RDLOCK), 0, &ev);
  check("thread_create", "nothing is written below the stack", raw_all(area, RAW_PAGE + 8, 0x77));
  check("thread_create", "nothing is written above the stack",
        raw_all(area + 3 * RAW_PAGE - 12, RAW_PAGE + 12, 0x77));
  cloudabi_sys_mem_unmap(area, 4 * RAW_PAGE);
}

static void check_refusals(void) {
  char *stack = raw_memory(RAW_STACK_BYTES);
  cloudabi_tid_t tid = 77;
  static const struct {
    const char *what;
    uintptr_t entry, stack;
    size_t len;
  } bad[] = {
      {"an entry in the kernel", 0xffffffff80100000, 1, RAW_STACK_BYTES},
      {"an entry that is no address", MACHINE_USER_END, 1, RAW_STACK_BYTES},
      {"an entry far behind the last address", 0x1234000000000000, 1, RAW_STACK_BYTES},
      {"a stack in the kernel", 0, 0xffffffff80200000, RAW_STACK_BYTES},
      {"a stack that is no address", 0, MACHINE_USER_END, RAW_STACK_BYTES},
      {"a stack that wraps", 0, 1, SIZE_MAX},
      {"a stack of 2^63 bytes", 0, 1, 1ull << 63},
      {"a stack of 0 bytes", 0, 1, 0},
      {"a stack of 16 bytes", 0, 1, 16},
      {"a stack at NULL", 0, 0, 0},
      {"a stack that is not mapped", 0, 0x100000, RAW_PAGE},
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct cloudabi_threadattr attr = {raw_thread_main, stack, bad[i].len, NULL};
    if (bad[i].entry != 0)
      memcpy(&attr.entry_point, &bad[i].entry, sizeof(bad[i].entry));
    if (bad[i].stack != 1)
      attr.stack = (void *)bad[i].stack;
    cloudabi_errno_t e = cloudabi_sys_thread_create(&attr, &tid);
    check("thread_create", bad[i].what, e == CLOUDABI_EFAULT || e == CLOUDABI_EINVAL);
  }
  check_eq("thread_create", "failures leave the result alone", tid, 77);
  cloudabi_sys_mem_unmap(stack, RAW_STACK_BYTES);
}

static void free_own_stack(struct raw_thread *t) {
  t->step = 1;
}

/* The reader of `done` may free the stack as soon as it has the lock. */
static void check_exit(void) {
  struct raw_thread t;
  bool good = true;
  for (int i = 0; i < 100; i++) {
    raw_spawn(&t, free_own_stack, NULL);
    raw_join(&t);
    good = good && t.step == 1 && (t.done & CLOUDABI_LOCK_WRLOCKED) == 0;
  }
  check("thread_exit", "gives its lock to who waits, 100 times", good);
  raw_spawn(&t, free_own_stack, NULL);
  raw_until(&t.step, 1);
  raw_sleep(10 * RAW_MS);
  check_eq("thread_exit", "frees its lock when nobody waits", t.done, 0);
  cloudabi_sys_mem_unmap(t.stack, RAW_STACK_BYTES);
}

static _Atomic bool stop;

static void yield_loop(struct raw_thread *t) {
  while (!stop) {
    t->step++;
    cloudabi_sys_thread_yield();
  }
}

static void busy_loop(struct raw_thread *t) {
  while (!stop)
    t->step++;
}

static void check_sharing(void) {
  static struct raw_thread t[2];
  check_err("thread_yield", "alone", cloudabi_sys_thread_yield(), 0);
  stop = false;
  raw_spawn(&t[0], yield_loop, NULL);
  raw_spawn(&t[1], yield_loop, NULL);
  check("thread_yield", "lets the others run",
        raw_until(&t[0].step, 100) && raw_until(&t[1].step, 100));
  stop = true;
  raw_join(&t[0]);
  raw_join(&t[1]);
  stop = false;
  raw_spawn(&t[0], busy_loop, NULL);
  raw_spawn(&t[1], busy_loop, NULL);
  check("thread_create", "threads that never call share the processor",
        raw_until(&t[0].step, 1000) && raw_until(&t[1].step, 1000));
  stop = true;
  raw_join(&t[0]);
  raw_join(&t[1]);
}

/* ---- The thread pointer ---------------------------------------------------------------------- */

static const uint64_t word[1];
static cloudabi_errno_t tcb_error;
static bool tcb_shown;

static void set_tcb(struct raw_thread *t) {
  tcb_error = cloudabi_sys_thread_tcb_set((void *)(uintptr_t)word);
  tcb_shown = machine_tcb_is(word);
  t->step = 1;
}

static void check_tcb(void) {
  struct raw_thread t;
  check_err("thread_tcb_set", "a thread for it", raw_spawn(&t, set_tcb, NULL), 0);
  raw_until(&t.step, 1);
  raw_join(&t);
  check_err("thread_tcb_set", "an address of the program", tcb_error, 0);
  check("thread_tcb_set", "is the thread pointer afterwards", tcb_shown);
  check_err("thread_tcb_set", "the kernel", cloudabi_sys_thread_tcb_set((void *)0xffff800000000000),
            CLOUDABI_EFAULT);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_create();
  check_stack_borders();
  check_refusals();
  check_exit();
  check_sharing();
  check_tcb();
  check_end();
}
