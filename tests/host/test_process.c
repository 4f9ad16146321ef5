// sources: kernel/process.c kernel/fork.c kernel/sys/proc.c
// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/fdtable.c kernel/file.c kernel/rights.c
/* The life of processes: fork, the ways to end, and what the descriptor tells of it. Reference
 * section 8. */
#include "tests/host/process_world.h"

/* ---- Fork ------------------------------------------------------------------------------------ */

static bool child_ran;

static void child_looks(void) {
  struct process *p = me();
  CHECK(p != process_first);
  CHECK(entry(p, 0) != NULL && entry(p, 1) != NULL);
  CHECK(entry(p, 0)->file == entry(process_first, 0)->file);
  CHECK(entry(p, 0)->base == 5 && entry(p, 1)->base == 6);
  CHECK(entry(p, 2) == NULL); /* its own descriptor */
  CHECK(p->program == process_first->program && p->load_bias == process_first->load_bias);
  CHECK(p->aspace->count == 2);
  CHECK(p->aspace->values[0] == PROCESS_CHILD);
  CHECK(p->aspace->values[1] == thread_current()->tid);
  CHECK(process_cpu_ns(p) < process_cpu_ns(process_first));
  CHECK(memcmp(&p->number, &process_first->number, sizeof p->number) != 0);
  child_ran = true;
  exit_with(42);
}

static void main_forks(void) {
  add_file(me(), 5);
  add_file(me(), 6);
  process_first->load_bias = 77;
  fake_now_ns += 1000;
  tid_t tid = thread_current()->tid;
  fd_t fd = fork_child(child_looks);
  CHECK(fd == 2);
  CHECK(thread_current()->tid == tid);
  CHECK(entry(me(), fd)->base == 0x40080000 && entry(me(), fd)->inheriting == 0);
  CHECK(process_of(fd)->threads.next->next == &process_of(fd)->threads);
  CHECK(!child_ran && !ask(fd, NULL).ready);
  expect_end(fd, 0, 42);
  CHECK(child_ran);
  CHECK(process_count() == 1 && spaces == 1);
}

static void test_fork(void **state) {
  (void)state;
  child_ran = false;
  machine_run(main_forks);
  assert_int_equal(end_exitcode, 0);
}

static fd_t bad_fd __attribute__((aligned(4096)));
static char bad_fd_rest[4096 - sizeof bad_fd] __attribute__((unused));

static void main_forks_badly(void) {
  fd_t fd = 4711;
  tid_t tid = 4711;
  struct thread *t = thread_current();
  fake_resume = child_waits;
  fake_bad_low = (uintptr_t)&bad_fd;
  fake_bad_high = fake_bad_low + 4;
  CHECK(sys_proc_fork(t, &bad_fd, &tid) == EFAULT);
  CHECK(sys_proc_fork(t, &fd, &bad_fd) == EFAULT);
  fake_bad_low = fake_bad_high = 0;
  bad_child_memory = true;
  CHECK(sys_proc_fork(t, &fd, &tid) == ENOMEM);
  bad_child_memory = false;
  pages_free = 10000 / 64;
  CHECK(sys_proc_fork(t, &fd, &tid) == ENOMEM);
  pages_free = 10000;
  CHECK(fd == 4711 && tid == 4711);
  thread_yield();
  CHECK(process_count() == 1 && me()->fds.count == 0 && spaces == 1);
}

static void test_fork_fails(void **state) {
  (void)state;
  machine_run(main_forks_badly);
}

static void main_without_memory(void) {
  add_file(me(), 5);
  fake_resume = child_waits;
  for (long n = 0;; n++) {
    fd_t fd = 4711;
    tid_t tid = 4711;
    fake_alloc_budget = n;
    errno_t e = sys_proc_fork(thread_current(), &fd, &tid);
    fake_alloc_budget = -1;
    if (e == 0)
      break;
    CHECK(e == ENOMEM && n < 20);
    CHECK(process_count() == 1 && spaces == 1 && me()->fds.count == 1);
  }
}

static void test_fork_without_memory(void **state) {
  (void)state;
  machine_run(main_without_memory);
}

static void main_forks_many(void) {
  fd_t fd;
  tid_t tid;
  for (unsigned i = 1; i < PROCESSES_MAX; i++)
    fork_child(child_waits);
  CHECK(process_count() == PROCESSES_MAX);
  CHECK(sys_proc_fork(thread_current(), &fd, &tid) == ENFILE);
  close_fd(PROCESSES_MAX - 2); /* the last one, which no sibling knows */
  CHECK(process_count_exiting() == 1);
  CHECK(fork_child(child_waits) == PROCESSES_MAX - 2); /* it makes room by itself */
}

static void test_too_many_processes(void **state) {
  (void)state;
  machine_run(main_forks_many);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static signal_t signal_to_raise;

static void child_raises(void) {
  raise_signal(signal_to_raise);
  exit_with(99); /* it was one of those that are ignored */
}

static bool signal_is_ignored(signal_t sig) {
  return sig == SIGCHLD || sig == SIGCONT || sig == SIGPIPE || sig == SIGURG;
}

static bool signal_stops(signal_t sig) {
  return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

static void main_raises_all(void) {
  for (signal_to_raise = SIGABRT; signal_to_raise <= SIGXFSZ; signal_to_raise++) {
    if (signal_stops(signal_to_raise))
      continue;
    fd_t fd = fork_child(child_raises);
    if (signal_is_ignored(signal_to_raise))
      expect_end(fd, 0, 99);
    else
      expect_end(fd, signal_to_raise, 0);
    close_fd(fd);
  }
  CHECK(sys_proc_raise(thread_current(), 0) == EINVAL);
  CHECK(sys_proc_raise(thread_current(), SIGXFSZ + 1) == EINVAL);
}

static void test_signals(void **state) {
  (void)state;
  machine_run(main_raises_all);
}

static void main_stops_children(void) {
  for (signal_to_raise = SIGABRT; signal_to_raise <= SIGXFSZ; signal_to_raise++) {
    if (!signal_stops(signal_to_raise))
      continue;
    fd_t fd = fork_child(child_raises);
    for (int i = 0; i < 5; i++)
      thread_yield();
    CHECK(!ask(fd, NULL).ready && process_count() == 2);
    close_fd(fd);
    thread_yield();
    CHECK(process_count() == 1);
  }
}

static void test_stopped_processes(void **state) {
  (void)state;
  machine_run(main_stops_children);
}

static void child_ends_thread(void) {
  thread_exit_current();
}

static void main_of_last_thread(void) {
  expect_end(fork_child(child_ends_thread), 0, 0);
}

static void test_the_last_thread(void **state) {
  (void)state;
  machine_run(main_of_last_thread);
}

static void main_closes(void) {
  fd_t fd = fork_child(child_waits), copy;
  until_waiting(1);
  file_ref(entry(me(), fd)->file);
  CHECK(fd_install(&me()->fds, entry(me(), fd)->file, 0, 0, &copy) == 0);
  close_fd(fd);
  thread_yield();
  CHECK(waiting == 1);
  close_fd(copy);
  thread_yield();
  CHECK(waiting == 0 && process_count() == 1);
  close_fd(fork_child(child_waits)); /* before it ran at all */
  thread_yield();
  CHECK(waiting == 0 && process_count() == 1);
}

static void test_kill_by_closing(void **state) {
  (void)state;
  machine_run(main_closes);
}

/* A child inherits the descriptors of its siblings. */
static void child_of_siblings(void) {
  CHECK(process_of(0) != me());
  CHECK(waitq_sleep(&at_the_end, NEVER_NS) == ECANCELED);
  fake_return_to_user();
}

static void main_of_siblings(void) {
  fd_t first = fork_child(child_waits);
  until_waiting(1);
  fd_t second = fork_child(child_of_siblings);
  thread_yield();
  close_fd(first);
  thread_yield();
  CHECK(waiting == 1 && process_count() == 3);
  close_fd(second); /* and with its table the last of the other */
  thread_yield();
  thread_yield();
  CHECK(waiting == 0 && process_count() == 1);
}

static void test_siblings(void **state) {
  (void)state;
  machine_run(main_of_siblings);
}

/* A descriptor of its own keeps a process alive, but not for ever. */
static void child_with_itself(void) {
  fd_t fd;
  waiting++;
  while (!me()->stopped && process_of(0) == me() && waiting == 1)
    thread_yield();
  CHECK(fd_copy(&me()->fds, &me()->fds, 0) == 0);
  CHECK(fd_lookup(&me()->fds, 1, &(struct fd_entry *){NULL}) == 0);
  (void)fd;
  waiting = 0;
  exit_with(3);
}

static void main_of_itself(void) {
  fd_t fd = fork_child(child_with_itself), in_child;
  struct process *child = process_of(fd);
  file_ref(entry(me(), fd)->file); /* as it would come over a socket */
  CHECK(fd_install(&child->fds, entry(me(), fd)->file, 0, 0, &in_child) == 0 && in_child == 0);
  close_fd(fd);
  until_waiting(1);
  for (int i = 0; i < 5; i++)
    thread_yield();
  CHECK(waiting == 1 && process_count() == 2);
  waiting = 2;
  until_waiting(0);
  thread_yield();
  CHECK(process_count() == 1);
}

static void test_a_process_that_holds_itself(void **state) {
  (void)state;
  machine_run(main_of_itself);
}

static void grandchildren(void) {
  fork_child(child_waits);
  fork_child(child_waits);
  child_waits();
}

static void main_ends_first(void) {
  fork_child(grandchildren);
  fork_child(grandchildren);
  signal_to_raise = SIGSTOP;
  fork_child(child_raises);
  until_waiting(6);
  CHECK(process_count() == 8);
  raise_signal(SIGTERM);
}

static void test_all_end_with_the_first(void **state) {
  (void)state;
  machine_run(main_ends_first);
  assert_int_equal(end_signal, SIGTERM);
  assert_int_equal(waiting, 0);
}

/* The machine may end while a fork is under way. */
static void main_ends_in_a_fork(void) {
  struct process *child;
  fake_resume = child_waits;
  CHECK(process_fork(&child) == 0);
  process_kill(child, SIGKILL, 0);
  thread_yield();
  CHECK(process_count() == 2);
  fd_t fd;
  CHECK(process_fork_start(child, &fd) == 0);
  expect_end(fd, SIGKILL, 0);
}

static void test_killed_before_the_start(void **state) {
  (void)state;
  machine_run(main_ends_in_a_fork);
}

/* Whoever has most goes, and its memory with it at once; the first process never. */
static void main_sacrifices(void) {
  fd_t small = fork_child(child_waits), large = fork_child(child_waits);
  fd_t nothing = fork_child(child_waits);
  me()->aspace->resident = 100;
  process_of(small)->aspace->resident = 3;
  process_of(large)->aspace->resident = 4;
  CHECK(process_sacrifice());
  CHECK(process_of(large)->exiting && process_of(large)->aspace->resident == 0);
  CHECK(!process_of(small)->exiting);
  CHECK(process_sacrifice());
  CHECK(process_of(small)->exiting);
  CHECK(!process_sacrifice());
  CHECK(!process_of(nothing)->exiting);
  expect_end(large, SIGKILL, 0);
  expect_end(small, SIGKILL, 0);
  CHECK(!process_sacrifice() && !me()->exiting);
}

static void test_sacrifice(void **state) {
  (void)state;
  machine_run(main_sacrifices);
}

static void main_churns(void) {
  for (int i = 0; i < 3000; i++) {
    signal_to_raise = SIGABRT;
    fd_t fd = fork_child(child_raises);
    if (i % 3 != 0)
      expect_end(fd, SIGABRT, 0);
    close_fd(fd);
    CHECK(process_count() <= 3);
  }
}

static void test_no_leak(void **state) {
  (void)state;
  machine_run(main_churns);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fork),
      cmocka_unit_test(test_fork_fails),
      cmocka_unit_test(test_fork_without_memory),
      cmocka_unit_test(test_too_many_processes),
      cmocka_unit_test(test_signals),
      cmocka_unit_test(test_stopped_processes),
      cmocka_unit_test(test_the_last_thread),
      cmocka_unit_test(test_kill_by_closing),
      cmocka_unit_test(test_siblings),
      cmocka_unit_test(test_a_process_that_holds_itself),
      cmocka_unit_test(test_all_end_with_the_first),
      cmocka_unit_test(test_killed_before_the_start),
      cmocka_unit_test(test_sacrifice),
      cmocka_unit_test(test_no_leak),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
