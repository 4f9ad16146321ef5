/*
 * A machine with processes for units: what a program does in user mode is a function, and an
 * address space a counter. For tests that link process.c, fork.c and sys/proc*.c.
 */
#ifndef TESTS_HOST_PROCESS_WORLD_H
#define TESTS_HOST_PROCESS_WORLD_H

#include "kernel/end.h"
#include "kernel/exec.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "kernel/sys/sys.h"
#include "tests/host/fake_machine.h"

/* ---- The rest of the kernel ------------------------------------------------------------------ */

static unsigned spaces;           /* address spaces alive */
static size_t pages_free = 10000; /* of 10000 */

struct aspace {
  uint64_t written[2]; /* the addresses of a child's results */
  uint32_t values[2];
  unsigned count;
  size_t resident;
};

static inline struct aspace *space_new(void) {
  struct aspace *as = kzalloc(sizeof *as);
  spaces += as != NULL;
  return as;
}

errno_t aspace_fork(struct aspace *parent, struct aspace **child) {
  CHECK(parent == thread_current()->process->aspace);
  *child = space_new();
  return *child == NULL ? ENOMEM : 0;
}

void aspace_destroy(struct aspace *as) {
  CHECK(this_cpu()->aspace != as || as == NULL);
  spaces -= as != NULL;
  kfree(as);
}

size_t aspace_resident_pages(const struct aspace *as) {
  return as->resident;
}

errno_t aspace_unmap(struct aspace *as, uintptr_t va, size_t size) {
  CHECK(va == USER_START && size == USER_END - USER_START);
  as->resident = 0;
  return 0;
}

static bool bad_child_memory;

errno_t aspace_write(struct aspace *as, uintptr_t va, const void *src, size_t n) {
  CHECK(n == sizeof as->values[0]);
  if (bad_child_memory)
    return ENOMEM;
  as->written[as->count] = va;
  memcpy(&as->values[as->count++], src, n);
  return 0;
}

void arch_user_set_results(struct thread *t, uint64_t first, uint64_t second) {
  CHECK(!"no raw traps here");
}

size_t page_total(void) {
  return 10000;
}

size_t page_free_count(void) {
  return pages_free;
}

void random_bytes(void *buf, size_t n) {
  memset(buf, 0xff, n);
}

static bool machine_ended;
static signal_t end_signal;
static exitcode_t end_exitcode;
static struct waitq at_the_end;
static struct thread *last_threads[64]; /* nobody frees them */
static unsigned last_thread;

_Noreturn void machine_end(signal_t signal, exitcode_t exitcode) {
  CHECK(process_count() == 0);
  machine_ended = true;
  end_signal = signal;
  end_exitcode = exitcode;
  waitq_wake_all(&at_the_end);
  last_threads[last_thread++] = thread_current();
  for (;;)
    waitq_wait(&(struct waitq){LIST_INIT(at_the_end.waiters)});
}

/* ---- Files ----------------------------------------------------------------------------------- */

static unsigned files; /* open descriptions */

static inline void file_closed(struct file *f) {
  files--;
  kfree(f);
}

static const struct file_ops file_ops = {.close = file_closed};

static inline fd_t add_file(struct process *p, rights_t base) {
  struct file *f = kzalloc(sizeof *f);
  fd_t fd;
  CHECK(f != NULL);
  file_init(f, &file_ops, FILETYPE_REGULAR_FILE, 0);
  CHECK(fd_install(&p->fds, f, base, 0, &fd) == 0);
  files++;
  return fd;
}

static inline struct fd_entry *entry(struct process *p, fd_t fd) {
  struct fd_entry *e;
  return fd_lookup(&p->fds, fd, &e) == 0 ? e : NULL;
}

/* ---- A first process, whose program is a list of steps --------------------------------------- */

static inline struct process *me(void) {
  return thread_current()->process;
}

static void (*first_main)(void);

static inline void first_thread(uint64_t tid, uint64_t arg) {
  first_main();
  process_kill(me(), 0, 0);
  fake_return_to_user();
}

/* Runs main as the program of a machine, which ends with it and leaves nothing behind. */
static inline void machine_run(void (*main)(void)) {
  static const struct file_ops program_ops = {.close = file_closed};
  struct arch_user_start start = {.pc = (uintptr_t)first_thread};
  struct thread *t;
  size_t threads = thread_count();
  machine_ended = false;
  waitq_init(&at_the_end);
  assert_int_equal(process_create(&process_first), 0);
  process_first->aspace = space_new();
  process_first->program = kzalloc(sizeof(struct file));
  file_init(process_first->program, &program_ops, FILETYPE_REGULAR_FILE, 0);
  files++;
  first_main = main;
  assert_int_equal(thread_create_user(process_first, &start, &t), 0);
  thread_wake(t);
  while (!machine_ended)
    assert_int_equal(waitq_sleep(&at_the_end, NEVER_NS), 0);
  assert_int_equal(thread_count(), threads);
  assert_int_equal(process_count(), 0);
  assert_int_equal(process_count_exiting(), 0);
  assert_int_equal(spaces, 0);
  assert_int_equal(files, 0);
  kfree(process_first);
  process_first = NULL;
}

/* Forks a child that runs fn; its descriptor. */
static inline fd_t fork_child(void (*fn)(void)) {
  fd_t fd = 4711;
  tid_t tid = 4711;
  fake_resume = fn;
  errno_t e = sys_proc_fork(thread_current(), &fd, &tid);
  CHECK(e == 0);
  CHECK(fd != 4711);
  return fd;
}

static inline struct process *process_of(fd_t fd) {
  CHECK(entry(me(), fd)->file->type == FILETYPE_PROCESS);
  return container_of(entry(me(), fd)->file, struct process, descriptor);
}

static inline struct poll_state ask(fd_t fd, struct waiter *w) {
  struct poll_state st;
  struct file *f = entry(me(), fd)->file;
  f->ops->poll(f, EVENTTYPE_PROC_TERMINATE, &st, w);
  return st;
}

static inline void expect_end(fd_t fd, signal_t signal, exitcode_t exitcode) {
  struct waiter w = {.link = LIST_INIT(w.link), .thread = thread_current()};
  thread_sleep_begin();
  struct poll_state st = ask(fd, &w);
  if (!st.ready) {
    CHECK(thread_sleep(NEVER_NS) == 0);
    CHECK(list_empty(&w.link));
  }
  for (int i = 0; i < 3; i++) {
    st = ask(fd, NULL);
    CHECK(st.ready && st.error == 0);
    CHECK(st.signal == signal && st.exitcode == exitcode);
  }
}

static inline void exit_with(exitcode_t code) {
  CHECK(sys_proc_exit(thread_current(), code) == 0);
  fake_return_to_user();
  CHECK(!"a process goes on after its end");
}

static inline void raise_signal(signal_t sig) {
  CHECK(sys_proc_raise(thread_current(), sig) == 0);
  fake_return_to_user();
}

static inline void close_fd(fd_t fd) {
  CHECK(fd_close(&me()->fds, fd) == 0);
}

/* What a child does that only waits for its end. */
static unsigned waiting;

static inline void child_waits(void) {
  struct waitq nobody;
  waitq_init(&nobody);
  waiting++;
  CHECK(waitq_sleep(&nobody, NEVER_NS) == ECANCELED);
  waiting--;
  fake_return_to_user();
  CHECK(!"a killed thread goes on");
}

static inline void until_waiting(unsigned n) {
  for (int i = 0; waiting != n; i++) {
    CHECK(i < 100);
    thread_yield();
  }
}

#endif
