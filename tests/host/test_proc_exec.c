// sources: kernel/process.c kernel/fork.c kernel/sys/proc.c kernel/sys/proc_exec.c
// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/fdtable.c kernel/file.c kernel/rights.c kernel/uio.c
/* proc_exec: what a program hands over, what it loses, and what fails before anything is lost.
 * Reference section 8.2. */
#include "tests/host/process_world.h"

static errno_t exec_result;
static size_t exec_argdata_bytes;
static void (*exec_main)(void);
static unsigned execs;

static void new_program(uint64_t arg0, uint64_t arg1) {
  execs++;
  exec_main();
  exit_with(50);
}

errno_t exec_load(struct file *program, struct uio *argdata, const uint8_t uuid[16], tid_t tid,
                  struct exec_image *image, bool *retired, const char **why) {
  exec_argdata_bytes = argdata->resid;
  *retired = exec_argdata_bytes == 3;
  CHECK(why == NULL && tid == thread_current()->tid && uuid == me()->uuid);
  struct aspace *as = exec_result == 0 ? space_new() : NULL;
  if (as == NULL)
    return exec_result != 0 ? exec_result : ENOMEM;
  *image = (struct exec_image){as, file_ref(program), 1234, {.pc = (uintptr_t)new_program}};
  return 0;
}

void exec_image_destroy(struct exec_image *image) {
  aspace_destroy(image->aspace);
  file_unref(image->program);
}

static void looks_after_exec(void) {
  struct process *p = me();
  CHECK(p->fds.count == 3);
  CHECK(entry(p, 0)->base == 11 && entry(p, 1)->base == 10 && entry(p, 2)->base == 11);
  CHECK(entry(p, 0)->file == entry(p, 2)->file);
  CHECK(entry(p, 3) == NULL);
  CHECK(p->retired_rights && !thread_current()->raw);
  CHECK(p->load_bias == 1234 && this_cpu()->aspace == p->aspace);
  CHECK(p->threads.next->next == &p->threads);
}

static errno_t exec_with(fd_t fd, const fd_t *fds, size_t n) {
  return sys_proc_exec(thread_current(), fd, "abc", 3, fds, n);
}

static void child_execs(void) {
  fd_t program = add_file(me(), RIGHT_PROC_EXEC);
  add_file(me(), 10);
  add_file(me(), 11);
  static const fd_t list[] = {2, 1, 2};
  exec_main = looks_after_exec;
  exec_with(program, list, 3);
  CHECK(!"exec came back");
}

static void main_execs(void) {
  fd_t fd = fork_child(child_execs);
  expect_end(fd, 0, 50);
  CHECK(execs == 1 && files == 1 && exec_argdata_bytes == 3);
}

static void test_exec(void **state) {
  (void)state;
  execs = 0;
  machine_run(main_execs);
}

static void main_execs_badly(void) {
  fd_t program = add_file(me(), RIGHT_PROC_EXEC), other = add_file(me(), ~RIGHT_PROC_EXEC);
  struct thread *t = thread_current();
  fd_t writable = add_file(me(), RIGHT_PROC_EXEC | RIGHT_FD_WRITE);
  const fd_t good[] = {program, other}, bad[] = {program, 99};
  struct aspace *as = me()->aspace;
  CHECK(exec_with(99, bad, 2) == EBADF);
  CHECK(exec_with(other, bad, 2) == ENOTCAPABLE);
  CHECK(exec_with(writable, good, 2) == EBADF);
  CHECK(exec_with(program, bad, 2) == EBADF);
  CHECK(sys_proc_exec(t, program, NULL, 2ul << 20, good, 2) == E2BIG);
  CHECK(exec_with(program, good, FD_MAX + 1) == E2BIG);
  CHECK(exec_with(program, (const fd_t *)1, 1) == EFAULT);
  exec_result = ENOEXEC;
  CHECK(exec_with(program, good, 2) == ENOEXEC);
  exec_result = 0;
  for (long n = 0; n < 2; n++) {
    fake_alloc_budget = n;
    CHECK(exec_with(program, good, 2) == ENOMEM);
  }
  fake_alloc_budget = -1;
  CHECK(me()->aspace == as && spaces == 1);
  CHECK(me()->fds.count == 3 && files == 4);
  CHECK(entry(me(), program)->file->refs == 1 && entry(me(), other)->file->refs == 1);
}

static void test_exec_fails(void **state) {
  (void)state;
  machine_run(main_execs_badly);
}

static unsigned bystanders;
static struct waitq bystander_queue;

static void bystander(uint64_t tid, uint64_t arg) {
  bystanders++;
  while (waitq_sleep(&bystander_queue, NEVER_NS) != ECANCELED)
    ;
  /* What a thread that dies can still do. */
  struct arch_user_start start = {.pc = (uintptr_t)bystander};
  struct thread *t;
  CHECK(thread_create_user(me(), &start, &t) == 0);
  thread_wake(t);
  for (uint64_t i = 0; i < arg; i++)
    thread_yield();
  bystanders--;
  fake_return_to_user();
  CHECK(!"a thread outlives an exec");
}

static void add_bystanders(void) {
  waitq_init(&bystander_queue);
  for (uint64_t i = 0; i < 5; i++) {
    struct arch_user_start start = {.pc = (uintptr_t)bystander, .arg1 = i};
    struct thread *t;
    CHECK(thread_create_user(me(), &start, &t) == 0);
    thread_wake(t);
  }
  while (bystanders < 5)
    thread_yield();
}

static void alone(void) {
  CHECK(bystanders == 0);
  CHECK(me()->threads.next->next == &me()->threads);
  CHECK(me()->sole == NULL && !thread_current()->dying);
}

static void main_execs_among_threads(void) {
  fd_t program = add_file(me(), RIGHT_PROC_EXEC);
  add_bystanders();
  exec_main = alone;
  exec_with(program, NULL, 0);
  CHECK(!"exec came back");
}

static void test_exec_ends_other_threads(void **state) {
  (void)state;
  execs = 0;
  machine_run(main_execs_among_threads);
  assert_int_equal(execs, 1);
  assert_int_equal(end_exitcode, 50);
}

/* Killed while it waits for the others. */
static void child_execs_too_late(void) {
  fd_t program = add_file(me(), RIGHT_PROC_EXEC);
  add_bystanders();
  waiting = 1;
  exec_with(program, NULL, 0);
  fake_return_to_user();
  CHECK(!"exec of a killed process");
}

static void main_kills_an_exec(void) {
  fd_t fd = fork_child(child_execs_too_late);
  until_waiting(1);
  waiting = 0;
  process_kill(process_of(fd), SIGTERM, 0);
  expect_end(fd, SIGTERM, 0);
  CHECK(bystanders == 0 && execs == 0 && spaces == 1);
}

static void test_exec_of_a_killed_process(void **state) {
  (void)state;
  execs = 0;
  machine_run(main_kills_an_exec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exec),
      cmocka_unit_test(test_exec_fails),
      cmocka_unit_test(test_exec_ends_other_threads),
      cmocka_unit_test(test_exec_of_a_killed_process),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
