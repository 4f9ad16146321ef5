// sources: kernel/sys/poll.c kernel/sys/poll_lock.c kernel/lock.c kernel/lock_object.c
// sources: kernel/lock_word.c kernel/condvar.c kernel/thread.c kernel/waitq.c kernel/timer.c
// sources: kernel/bh.c kernel/fdtable.c kernel/file.c
/* poll: what is reported, when, and with which errors (reference section 5). */
#include "kernel/sys/sys.h"
#include "tests/host/lock_memory.h"

#define OFFSET_NS 1000000000000ull /* realtime minus monotonic */

uint64_t clock_monotonic_ns(void) {
  return arch_time_ns();
}

uint64_t clock_offset_ns(void) {
  return OFFSET_NS;
}

/* ---- Objects that become ready when the test says so ----------------------------------------- */

struct object {
  struct file file;
  struct waitq queue;
  struct poll_state state;
  unsigned asked, closed;
  bool always_add; /* leaves the waiter even with an error */
};

static void object_poll(struct file *f, eventtype_t type, struct poll_state *st, struct waiter *w) {
  struct object *o = (struct object *)f;
  CHECK((type == EVENTTYPE_PROC_TERMINATE) == (f->type == FILETYPE_PROCESS));
  o->asked++;
  *st = o->state;
  if (!st->ready && w != NULL && (st->error == 0 || o->always_add))
    waitq_add(&o->queue, w);
}

static void object_close(struct file *f) {
  ((struct object *)f)->closed++;
}

static const struct file_ops object_ops = {.poll = object_poll, .close = object_close};
static const struct file_ops plain_ops = {.close = object_close};

#define OBJECTS 2000
static struct object objects[OBJECTS];
static struct subscription subs[OBJECTS + 1];
static struct event events[OBJECTS + 1];

#define RIGHTS (RIGHT_POLL_FD_READWRITE | RIGHT_FD_READ | RIGHT_FD_WRITE)

static void add_object(size_t i, const struct file_ops *ops, rights_t rights) {
  fd_t fd;
  objects[i] = (struct object){0};
  waitq_init(&objects[i].queue);
  file_init(&objects[i].file, ops, FILETYPE_SOCKET_STREAM, 0);
  assert_int_equal(fd_install(&fake_process.fds, &objects[i].file, rights, 0, &fd), 0);
  assert_int_equal(fd, i);
}

static void add_objects(size_t n) {
  for (size_t i = 0; i < n; i++)
    add_object(i, &object_ops, RIGHTS);
}

static int reset(void **state) {
  (void)state;
  fake_process_reset();
  fdtable_init(&fake_process.fds);
  thread_current()->process = &fake_process;
  memset(subs, 0, sizeof subs);
  memset(events, 0xee, sizeof events);
  fake_device = NULL;
  return 0;
}

static int clean(void **state) {
  (void)state;
  fdtable_destroy(&fake_process.fds);
  for (size_t i = 0; i < OBJECTS; i++) {
    if (objects[i].file.ops != NULL && (objects[i].closed != 1 || objects[i].file.refs != 0))
      return -1; /* a reference was lost, or dropped twice */
    objects[i].file.ops = NULL;
  }
  return 0;
}

static size_t nevents;

static errno_t call(size_t n) {
  nevents = 4711;
  return sys_poll(thread_current(), subs, events, n, &nevents);
}

static void want(size_t i, eventtype_t type, fd_t fd) {
  subs[i] = (struct subscription){.userdata = 100 + i, .type = type};
  subs[i].fd_readwrite.fd = fd;
  subs[i].fd_readwrite.flags = SUBSCRIPTION_FD_READWRITE_POLL;
}

static void want_clock(size_t i, clock_id_t clock, uint64_t timeout, subclockflags_t flags) {
  subs[i] = (struct subscription){.userdata = 100 + i, .type = EVENTTYPE_CLOCK};
  subs[i].clock.identifier = 0x1d;
  subs[i].clock.clock_id = clock;
  subs[i].clock.timeout = timeout;
  subs[i].clock.flags = flags;
}

static void expect(size_t i, userdata_t userdata, eventtype_t type, errno_t error) {
  assert_true(i < nevents);
  assert_int_equal(events[i].userdata, userdata);
  assert_int_equal(events[i].type, type);
  assert_int_equal(events[i].error, error);
}

/* An interrupt makes an object ready. */
static size_t interrupting;

static void interrupt_ready(void) {
  objects[interrupting].state.ready = true;
  waitq_wake_all(&objects[interrupting].queue);
}

static void interrupt_for_nothing(void) {
  waitq_wake_all(&objects[interrupting].queue);
  fake_device = interrupt_ready;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void test_nothing(void **state) {
  (void)state;
  assert_int_equal(call(0), 0);
  assert_int_equal(nevents, 0);
}

static void test_all_that_is_ready(void **state) {
  (void)state;
  add_objects(3);
  objects[0].state = (struct poll_state){.ready = true, .nbytes = 55};
  objects[2].state = (struct poll_state){.ready = true, .flags = EVENT_FD_READWRITE_HANGUP};
  want(0, EVENTTYPE_FD_READ, 0);
  want(1, EVENTTYPE_FD_READ, 1);
  want(2, EVENTTYPE_FD_WRITE, 2);
  assert_int_equal(call(3), 0);
  assert_int_equal(nevents, 2);
  expect(0, 100, EVENTTYPE_FD_READ, 0);
  assert_int_equal(events[0].fd_readwrite.nbytes, 55);
  assert_int_equal(events[0].fd_readwrite.flags, 0);
  expect(1, 102, EVENTTYPE_FD_WRITE, 0);
  assert_int_equal(events[1].fd_readwrite.flags, EVENT_FD_READWRITE_HANGUP);
  assert_int_equal(events[1].fd_readwrite.fd, 2); /* for programs up to v0.16 */
  assert_true(list_empty(&objects[1].queue.waiters));
}

static void test_every_byte_of_an_event_is_set(void **state) {
  (void)state;
  struct event expected = {.userdata = 100, .error = EBADF, .type = EVENTTYPE_FD_WRITE};
  memset(&expected.clock, 0, 16);
  ((unsigned char *)&expected)[11] = 0;
  memset((char *)&expected + 12, 0, 4);
  expected.fd_readwrite.fd = 5;
  want(0, EVENTTYPE_FD_WRITE, 5);
  assert_int_equal(call(1), 0);
  assert_memory_equal(&events[0], &expected, sizeof expected);
}

static void test_wait(void **state) {
  (void)state;
  add_objects(4);
  for (size_t i = 0; i < 4; i++)
    want(i, EVENTTYPE_FD_READ, (fd_t)i);
  interrupting = 2;
  fake_device = interrupt_ready;
  assert_int_equal(call(4), 0);
  assert_int_equal(nevents, 1);
  expect(0, 102, EVENTTYPE_FD_READ, 0);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(objects[i].asked, i == 2 ? 2 : 1); /* only who called is asked again */
    assert_true(list_empty(&objects[i].queue.waiters));
  }
}

/* A wake after which the object isn't ready is no event. */
static void test_false_alarm(void **state) {
  (void)state;
  add_objects(1);
  want(0, EVENTTYPE_FD_READ, 0);
  interrupting = 0;
  fake_device = interrupt_for_nothing;
  assert_int_equal(call(1), 0);
  assert_int_equal(nevents, 1);
  assert_int_equal(objects[0].asked, 3);
}

static void test_files_are_always_ready(void **state) {
  (void)state;
  add_object(0, &plain_ops, RIGHTS);
  want(0, EVENTTYPE_FD_READ, 0);
  want(1, EVENTTYPE_FD_WRITE, 0);
  assert_int_equal(call(2), 0);
  assert_int_equal(nevents, 2);
}

static void test_errors_of_subscriptions(void **state) {
  (void)state;
  add_object(0, &object_ops, RIGHTS & ~(rights_t)RIGHT_POLL_FD_READWRITE);
  add_object(1, &object_ops, RIGHTS & ~(rights_t)RIGHT_FD_READ);
  add_object(2, &object_ops, RIGHTS);
  objects[2].state.error = ECONNRESET;
  objects[2].always_add = true;
  want(0, EVENTTYPE_FD_READ, 2);
  want(1, EVENTTYPE_FD_READ, 0);
  want(2, EVENTTYPE_FD_READ, 1);
  want(3, EVENTTYPE_FD_READ, 3);
  want(4, EVENTTYPE_FD_WRITE, UINT32_MAX);
  want(5, EVENTTYPE_PROC_TERMINATE, 1);
  want(6, EVENTTYPE_PROC_TERMINATE, 9);
  want(7, 99, 0);
  assert_int_equal(call(8), 0);
  assert_int_equal(nevents, 8);
  expect(0, 100, EVENTTYPE_FD_READ, ECONNRESET);
  expect(1, 101, EVENTTYPE_FD_READ, ENOTCAPABLE);
  expect(2, 102, EVENTTYPE_FD_READ, ENOTCAPABLE);
  expect(3, 103, EVENTTYPE_FD_READ, EBADF);
  expect(4, 104, EVENTTYPE_FD_WRITE, EBADF);
  expect(5, 105, EVENTTYPE_PROC_TERMINATE, ENOTCAPABLE);
  assert_int_equal(events[5].proc_terminate.fd, 1);
  expect(6, 106, EVENTTYPE_PROC_TERMINATE, EBADF);
  expect(7, 107, 99, EINVAL);
  assert_true(list_empty(&objects[2].queue.waiters));
}

/* An error makes the call return together with what is ready, without waiting. */
static void test_error_beside_waiting(void **state) {
  (void)state;
  add_objects(2);
  objects[1].state.ready = true;
  want(0, EVENTTYPE_FD_READ, 0);
  want(1, EVENTTYPE_FD_READ, 7);
  want(2, EVENTTYPE_FD_READ, 1);
  assert_int_equal(call(3), 0);
  assert_int_equal(nevents, 2);
  expect(0, 101, EVENTTYPE_FD_READ, EBADF);
  expect(1, 102, EVENTTYPE_FD_READ, 0);
}

static void test_many(void **state) {
  (void)state;
  add_objects(OBJECTS);
  for (size_t i = 0; i < OBJECTS; i++)
    want(i, EVENTTYPE_FD_READ, (fd_t)i);
  interrupting = 1234;
  fake_device = interrupt_ready;
  assert_int_equal(call(OBJECTS), 0);
  assert_int_equal(nevents, 1);
  expect(0, 100 + 1234, EVENTTYPE_FD_READ, 0);
  for (size_t i = 0; i < OBJECTS; i++)
    objects[i].state = (struct poll_state){.ready = i % 3 == 0, .nbytes = i};
  assert_int_equal(call(OBJECTS), 0);
  assert_int_equal(nevents, (OBJECTS + 2) / 3);
  for (size_t i = 0; i < nevents; i++) {
    expect(i, 100 + 3 * i, EVENTTYPE_FD_READ, 0);
    assert_int_equal(events[i].fd_readwrite.nbytes, 3 * i);
  }
}

static void test_same_array_in_and_out(void **state) {
  (void)state;
  add_object(0, &plain_ops, RIGHTS);
  for (size_t i = 0; i < 20; i++)
    want(i, EVENTTYPE_FD_READ, 0);
  assert_int_equal(sys_poll(thread_current(), subs, (struct event *)(void *)subs, 20, &nevents), 0);
  assert_int_equal(nevents, 20);
  for (size_t i = 0; i < 20; i++)
    assert_int_equal(((struct event *)(void *)subs)[i].userdata, 100 + i);
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

static void check_clock(clock_id_t clock, uint64_t timeout, subclockflags_t flags,
                        uint64_t deadline_ns) {
  want_clock(0, clock, timeout, flags);
  assert_int_equal(call(1), 0);
  assert_int_equal(nevents, 1);
  expect(0, 100, EVENTTYPE_CLOCK, 0);
  assert_int_equal(events[0].clock.identifier, 0x1d);
  assert_true(fake_now_ns >= deadline_ns);
  assert_true(fake_now_ns <= deadline_ns + 100);
}

static void test_clocks(void **state) {
  (void)state;
  check_clock(CLOCK_MONOTONIC, 5000, 0, fake_now_ns + 5000);
  check_clock(CLOCK_REALTIME, 5000, 0, fake_now_ns + 5000);
  check_clock(CLOCK_MONOTONIC, fake_now_ns + 7000, SUBSCRIPTION_CLOCK_ABSTIME, fake_now_ns + 7000);
  check_clock(CLOCK_REALTIME, OFFSET_NS + fake_now_ns + 7000, SUBSCRIPTION_CLOCK_ABSTIME,
              fake_now_ns + 7000);
  check_clock(CLOCK_MONOTONIC, 0, 0, fake_now_ns);
  check_clock(CLOCK_MONOTONIC, 1, SUBSCRIPTION_CLOCK_ABSTIME, fake_now_ns);
  check_clock(CLOCK_REALTIME, 1, SUBSCRIPTION_CLOCK_ABSTIME, fake_now_ns);
}

static void test_clock_errors(void **state) {
  (void)state;
  want_clock(0, CLOCK_PROCESS_CPUTIME_ID, 0, 0);
  want_clock(1, CLOCK_THREAD_CPUTIME_ID, 0, 0);
  want_clock(2, 0, 0, 0);
  want_clock(3, 5, 0, 0);
  want_clock(4, CLOCK_MONOTONIC, 1000000000, 0);
  assert_int_equal(call(5), 0);
  assert_int_equal(nevents, 4);
  expect(0, 100, EVENTTYPE_CLOCK, ENOTSUP);
  expect(1, 101, EVENTTYPE_CLOCK, ENOTSUP);
  expect(2, 102, EVENTTYPE_CLOCK, EINVAL);
  expect(3, 103, EVENTTYPE_CLOCK, EINVAL);
}

/* The earliest wins; those that are due at the same time come together. */
static void test_several_clocks(void **state) {
  (void)state;
  uint64_t now_ns = fake_now_ns;
  want_clock(0, CLOCK_MONOTONIC, now_ns + 90000, SUBSCRIPTION_CLOCK_ABSTIME);
  want_clock(1, CLOCK_MONOTONIC, now_ns + 5000, SUBSCRIPTION_CLOCK_ABSTIME);
  want_clock(2, CLOCK_REALTIME, OFFSET_NS + now_ns + 5000, SUBSCRIPTION_CLOCK_ABSTIME);
  assert_int_equal(call(3), 0);
  assert_int_equal(nevents, 2);
  expect(0, 101, EVENTTYPE_CLOCK, 0);
  expect(1, 102, EVENTTYPE_CLOCK, 0);
}

static void test_object_before_clock(void **state) {
  (void)state;
  add_objects(1);
  want_clock(0, CLOCK_MONOTONIC, 1000000, 0);
  want(1, EVENTTYPE_FD_READ, 0);
  interrupting = 0;
  fake_device = interrupt_ready;
  uint64_t before_ns = fake_now_ns;
  assert_int_equal(call(2), 0);
  assert_int_equal(nevents, 1);
  expect(0, 101, EVENTTYPE_FD_READ, 0);
  assert_true(fake_now_ns < before_ns + 1000);
}

static void test_clock_before_object(void **state) {
  (void)state;
  add_objects(1);
  want(0, EVENTTYPE_FD_READ, 0);
  want_clock(1, CLOCK_MONOTONIC, 5000, 0);
  assert_int_equal(call(2), 0);
  assert_int_equal(nevents, 1);
  expect(0, 101, EVENTTYPE_CLOCK, 0);
  assert_true(list_empty(&objects[0].queue.waiters));
}

/* Times that don't fit are never, and not the past. */
static void test_endless_clocks(void **state) {
  (void)state;
  add_objects(1);
  want(0, EVENTTYPE_FD_READ, 0);
  want_clock(1, CLOCK_MONOTONIC, UINT64_MAX, 0);
  want_clock(2, CLOCK_MONOTONIC, UINT64_MAX - 1, 0);
  want_clock(3, CLOCK_REALTIME, UINT64_MAX, SUBSCRIPTION_CLOCK_ABSTIME);
  want_clock(4, CLOCK_REALTIME, UINT64_MAX - 5, 0);
  interrupting = 0;
  fake_device = interrupt_ready;
  assert_int_equal(call(5), 0);
  assert_int_equal(nevents, 1);
  expect(0, 100, EVENTTYPE_FD_READ, 0);
}

/* ---- Errors of the call, death --------------------------------------------------------------- */

static void test_call_errors(void **state) {
  (void)state;
  add_objects(1);
  objects[0].state.ready = true;
  want(0, EVENTTYPE_FD_READ, 0);
  struct thread *t = thread_current();
  assert_int_equal(call(65537), EINVAL);
  assert_int_equal(call(SIZE_MAX), EINVAL);
  assert_int_equal(sys_poll(t, NULL, events, 1, &nevents), EFAULT);
  assert_int_equal(sys_poll(t, subs, NULL, 1, &nevents), EFAULT);
  assert_int_equal(sys_poll(t, subs, events, 1, NULL), EFAULT);
  assert_int_equal(sys_poll(t, (void *)(USER_END - 56), events, 2, &nevents), EFAULT);
  for (fake_alloc_budget = 0; fake_alloc_budget < 2;) {
    long budget = fake_alloc_budget;
    assert_int_equal(call(100), ENOMEM);
    fake_alloc_budget = budget + 1;
  }
  fake_alloc_budget = -1;
  for (size_t i = 0; i < 100; i++)
    want(i, EVENTTYPE_FD_READ, 0);
  fake_bad_low = (uintptr_t)&events[50];
  fake_bad_high = fake_bad_low + 1;
  assert_int_equal(call(100), EFAULT);
  fake_bad_low = fake_bad_high = 0;
}

/* A lock has to come first, and alone but for a clock. */
static void test_misplaced_locks(void **state) {
  (void)state;
  static uint32_t word;
  word = 7 | LOCK_WRLOCKED;
  add_objects(1);
  subs[0] = (struct subscription){.userdata = 100, .type = EVENTTYPE_LOCK_WRLOCK};
  subs[0].lock.lock = &word;
  want(1, EVENTTYPE_FD_READ, 0);
  assert_int_equal(call(2), 0);
  assert_int_equal(nevents, 1);
  expect(0, 100, EVENTTYPE_LOCK_WRLOCK, EINVAL);

  subs[1] = subs[0];
  subs[1].userdata = 101;
  want_clock(0, CLOCK_MONOTONIC, 1000, 0);
  assert_int_equal(call(2), 0);
  assert_int_equal(nevents, 1);
  expect(0, 101, EVENTTYPE_LOCK_WRLOCK, EINVAL);

  subs[0] = subs[1];
  want_clock(1, CLOCK_THREAD_CPUTIME_ID, 1000, 0);
  assert_int_equal(call(2), 0);
  assert_int_equal(nevents, 1);
  expect(0, 101, EVENTTYPE_CLOCK, ENOTSUP);
  assert_int_equal(word, 7 | LOCK_WRLOCKED);
}

static errno_t polling_result;

static void polling_thread(uint64_t tid, uint64_t arg) {
  polling_result = call(3);
  fake_return_to_user();
}

static void test_killed_while_waiting(void **state) {
  (void)state;
  add_objects(2);
  want(0, EVENTTYPE_FD_READ, 0);
  want(1, EVENTTYPE_FD_WRITE, 1);
  want_clock(2, CLOCK_MONOTONIC, 1000000, 0);
  fake_thread(polling_thread, 0);
  thread_yield();
  assert_false(list_empty(&objects[1].queue.waiters));
  process_kill(&fake_process, SIGKILL, 0);
  fake_process_wait();
  assert_int_equal(polling_result, ECANCELED);
  assert_true(list_empty(&objects[0].queue.waiters));
  assert_true(list_empty(&objects[1].queue.waiters));
}

/* The descriptor may go while a thread waits on it; the object stays until the wait is over. */
static void test_closed_while_waiting(void **state) {
  (void)state;
  add_objects(1);
  want(0, EVENTTYPE_FD_READ, 0);
  want_clock(1, CLOCK_MONOTONIC, 5000, 0);
  want_clock(2, CLOCK_MONOTONIC, 5000, 0);
  fake_thread(polling_thread, 0);
  thread_yield();
  assert_int_equal(fd_close(&fake_process.fds, 0), 0);
  assert_int_equal(objects[0].closed, 0);
  fake_process_wait();
  assert_int_equal(polling_result, 0);
  assert_int_equal(objects[0].closed, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, clean)

/* ---- Processes ------------------------------------------------------------------------------- */

static void add_process(size_t i) {
  add_object(i, &object_ops, RIGHT_POLL_PROC_TERMINATE);
  objects[i].file.type = FILETYPE_PROCESS;
}

static void test_ended_processes(void **state) {
  (void)state;
  add_process(0);
  add_process(1);
  add_process(2);
  objects[0].state = (struct poll_state){.ready = true, .signal = SIGFPE};
  objects[2].state = (struct poll_state){.ready = true, .exitcode = 0x12345678};
  for (size_t i = 0; i < 3; i++)
    want(i, EVENTTYPE_PROC_TERMINATE, (fd_t)i);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(call(3), 0);
    assert_int_equal(nevents, 2);
    expect(0, 100, EVENTTYPE_PROC_TERMINATE, 0);
    assert_int_equal(events[0].proc_terminate.fd, 0);
    assert_int_equal(events[0].proc_terminate.signal, SIGFPE);
    assert_int_equal(events[0].proc_terminate.exitcode, 0);
    expect(1, 102, EVENTTYPE_PROC_TERMINATE, 0);
    assert_int_equal(events[1].proc_terminate.fd, 2);
    assert_int_equal(events[1].proc_terminate.signal, 0);
    assert_int_equal(events[1].proc_terminate.exitcode, 0x12345678);
  }
}

static void interrupt_ends_process(void) {
  objects[interrupting].state = (struct poll_state){.ready = true, .exitcode = 7};
  waitq_wake_all(&objects[interrupting].queue);
}

static void test_a_process_ends(void **state) {
  (void)state;
  add_process(0);
  add_object(1, &object_ops, RIGHTS);
  add_process(2);
  want(0, EVENTTYPE_PROC_TERMINATE, 0);
  want(1, EVENTTYPE_FD_READ, 1);
  want(2, EVENTTYPE_PROC_TERMINATE, 2);
  interrupting = 2;
  fake_device = interrupt_ends_process;
  assert_int_equal(call(3), 0);
  assert_int_equal(nevents, 1);
  expect(0, 102, EVENTTYPE_PROC_TERMINATE, 0);
  assert_int_equal(events[0].proc_terminate.exitcode, 7);
  assert_true(list_empty(&objects[0].queue.waiters));
}

/* The right may be there though the thing is no process. */
static void test_no_process(void **state) {
  (void)state;
  add_object(0, &object_ops, UINT64_MAX);
  want(0, EVENTTYPE_PROC_TERMINATE, 0);
  assert_int_equal(call(1), 0);
  expect(0, 100, EVENTTYPE_PROC_TERMINATE, EBADF);
  assert_int_equal(objects[0].asked, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_nothing),
      TEST(test_all_that_is_ready),
      TEST(test_every_byte_of_an_event_is_set),
      TEST(test_wait),
      TEST(test_false_alarm),
      TEST(test_files_are_always_ready),
      TEST(test_errors_of_subscriptions),
      TEST(test_error_beside_waiting),
      TEST(test_many),
      TEST(test_same_array_in_and_out),
      TEST(test_clocks),
      TEST(test_clock_errors),
      TEST(test_several_clocks),
      TEST(test_object_before_clock),
      TEST(test_clock_before_object),
      TEST(test_endless_clocks),
      TEST(test_ended_processes),
      TEST(test_a_process_ends),
      TEST(test_no_process),
      TEST(test_call_errors),
      TEST(test_misplaced_locks),
      TEST(test_killed_while_waiting),
      TEST(test_closed_while_waiting),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
