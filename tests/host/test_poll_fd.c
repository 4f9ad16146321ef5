// sources: kernel/sys/poll_fd.c kernel/sys/poll_set.c kernel/avl.c kernel/sys/poll.c
// sources: kernel/sys/poll_lock.c kernel/lock.c kernel/lock_object.c kernel/lock_word.c
// sources: kernel/condvar.c kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c
// sources: kernel/fdtable.c kernel/file.c
/* poll_fd: what a poll set remembers, and what it tells when (reference section 9.2). */
#include "kernel/sys/poll_set.h"
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
  unsigned asked;
};

static void object_poll(struct file *f, eventtype_t type, struct poll_state *st, struct waiter *w) {
  struct object *o = (struct object *)f;
  o->asked++;
  *st = o->state;
  waitq_leave(&o->queue, w, st->ready);
}

/* Nobody may be on its queue any more: it lies in freed memory now. */
static void object_close(struct file *f) {
  struct object *o = (struct object *)f;
  CHECK(list_empty(&o->queue.waiters));
  o->file.ops = NULL;
}

static const struct file_ops object_ops = {.poll = object_poll, .close = object_close};
static const struct file_ops plain_ops = {.close = object_close};

#define OBJECTS 1000
static struct object objects[OBJECTS];
static struct event ev[8];
static size_t nevents;
static fd_t set;

#define RIGHTS (RIGHT_POLL_FD_READWRITE | RIGHT_FD_READ | RIGHT_FD_WRITE)
#define SET_RIGHTS (RIGHT_POLL_MODIFY | RIGHT_POLL_WAIT)

static struct fdtable *fds(void) {
  return &fake_process.fds;
}

static fd_t add_object(size_t i, const struct file_ops *ops, rights_t rights) {
  fd_t fd;
  objects[i] = (struct object){0};
  waitq_init(&objects[i].queue);
  file_init(&objects[i].file, ops, FILETYPE_SOCKET_STREAM, 0);
  assert_int_equal(fd_install(fds(), &objects[i].file, rights, 0, &fd), 0);
  return fd;
}

static fd_t add_set(rights_t rights) {
  struct file *f;
  fd_t fd;
  assert_int_equal(poll_set_create(fds(), &f), 0);
  assert_int_equal(fd_install(fds(), f, rights, 0, &fd), 0);
  return fd;
}

static int reset(void **state) {
  (void)state;
  fake_process_reset();
  fdtable_init(fds());
  thread_current()->process = &fake_process;
  memset(ev, 0xee, sizeof ev);
  fake_device = NULL;
  set = add_set(SET_RIGHTS);
  return 0;
}

/* In user mode: timers fire. */
static void pass(uint64_t ns) {
  fake_now_ns += ns;
  fake_interrupt();
  if (bh_pending != NULL)
    bh_run();
}

static int clean(void **state) {
  (void)state;
  fdtable_destroy(fds());
  pass(1000000000); /* for none of the set's timers */
  return 0;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static struct subscription sub(eventtype_t type, fd_t fd, subflags_t flags) {
  struct subscription s = {.userdata = 0x42, .type = type, .flags = flags};
  s.fd_readwrite.fd = fd;
  return s;
}

static struct subscription reading(fd_t fd, subflags_t flags) {
  return sub(EVENTTYPE_FD_READ, fd, flags);
}

static struct subscription timer(uint64_t identifier, uint64_t timeout_ns, subflags_t flags) {
  struct subscription s = {.userdata = 0x43, .type = EVENTTYPE_CLOCK, .flags = flags};
  s.clock.identifier = identifier;
  s.clock.clock_id = CLOCK_REALTIME;
  s.clock.timeout = timeout_ns;
  return s;
}

/* With room for so many, waiting so long. */
static errno_t call(const struct subscription *in, size_t n, size_t room, uint64_t timeout_ns) {
  struct subscription timeout = timer(0, timeout_ns, 0);
  nevents = 4711;
  return sys_poll_fd(thread_current(), set, in, n, ev, room, &timeout, &nevents);
}

/* Changes the set; nothing is told. */
static errno_t change(struct subscription s) {
  return call(&s, 1, 0, 0);
}

/* What there is: the number of events. */
static size_t ask(void) {
  assert_int_equal(call(NULL, 0, 8, 0), 0);
  return nevents;
}

static void expect_fd(size_t i, eventtype_t type, fd_t fd, errno_t error) {
  assert_int_equal(ev[i].userdata, 0x42);
  assert_int_equal(ev[i].type, type);
  assert_int_equal(ev[i].error, error);
  assert_int_equal(ev[i].fd_readwrite.fd, fd);
}

static void set_ready(size_t i, filesize_t nbytes, eventrwflags_t flags) {
  objects[i].state = (struct poll_state){.ready = true, .nbytes = nbytes, .flags = flags};
  waitq_wake_all(&objects[i].queue);
}

/* ---- The set --------------------------------------------------------------------------------- */

static void test_nothing(void **state) {
  (void)state;
  assert_int_equal(sys_poll_fd(thread_current(), set, NULL, 0, NULL, 0, NULL, &nevents), 0);
  assert_int_equal(nevents, 0); /* at once, though without a timeout */
  assert_int_equal(ask(), 0);
}

static void test_bad_descriptor(void **state) {
  (void)state;
  struct subscription s = reading(12345, SUBSCRIPTION_ADD);
  nevents = 0;
  assert_int_equal(sys_poll_fd(thread_current(), set, &s, 1, ev, 1, NULL, &nevents), 0);
  assert_int_equal(nevents, 1);
  expect_fd(0, EVENTTYPE_FD_READ, 12345, EBADF);
  assert_int_equal(change(s), EBADF); /* no room: the call's own */
  assert_int_equal(nevents, 4711);
}

static void test_level_triggered(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(ask(), 0);
  set_ready(0, 5, 0);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ask(), 1);
    expect_fd(0, EVENTTYPE_FD_READ, fd, 0);
    assert_int_equal(ev[0].fd_readwrite.nbytes, 5);
    assert_int_equal(ev[0].fd_readwrite.flags, 0);
  }
  set_ready(0, 5, EVENT_FD_READWRITE_HANGUP);
  assert_int_equal(ask(), 1);
  assert_int_equal(ev[0].fd_readwrite.nbytes, 5);
  assert_int_equal(ev[0].fd_readwrite.flags, EVENT_FD_READWRITE_HANGUP);
  objects[0].state.ready = false;
  assert_int_equal(ask(), 0);
  set_ready(0, 1, 0);
  assert_int_equal(ask(), 1);
}

static void test_clear_tells_changes(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  set_ready(0, 5, 0);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD | SUBSCRIPTION_CLEAR)), 0);
  assert_int_equal(ask(), 1);
  assert_int_equal(ask(), 0);
  set_ready(0, 7, 0); /* though it was ready all the time */
  assert_int_equal(ask(), 1);
  assert_int_equal(ev[0].fd_readwrite.nbytes, 7);
  assert_int_equal(ask(), 0);
  fd_t plain = add_object(1, &plain_ops, RIGHTS); /* always ready */
  assert_int_equal(change(reading(plain, SUBSCRIPTION_ADD | SUBSCRIPTION_CLEAR)), 0);
  assert_int_equal(ask(), 1);
  assert_int_equal(ask(), 0);
}

static void test_oneshot(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  set_ready(0, 1, 0);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD | SUBSCRIPTION_ONESHOT)), 0);
  assert_int_equal(ask(), 1);
  assert_int_equal(ask(), 0);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_DELETE)), ENOENT);
}

static void test_disable_and_enable(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  set_ready(0, 1, 0);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD | SUBSCRIPTION_DISABLE)), 0);
  assert_int_equal(ask(), 0);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ENABLE)), 0);
  assert_int_equal(ask(), 1);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_DISABLE)), 0);
  set_ready(0, 2, 0);
  assert_int_equal(ask(), 0);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ENABLE)), 0);
  assert_int_equal(ask(), 1);
  assert_int_equal(change(timer(9, 1000, SUBSCRIPTION_ADD | SUBSCRIPTION_DISABLE)), 0);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_DELETE)), 0);
  assert_int_equal(call(NULL, 0, 8, 5000), 0);
  assert_int_equal(nevents, 0);
  assert_int_equal(change(timer(9, 0, SUBSCRIPTION_ENABLE)), 0);
  assert_int_equal(ask(), 1); /* its time is up */
}

static void test_changes(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  struct subscription s = reading(fd, SUBSCRIPTION_ADD);
  set_ready(0, 1, 0);
  assert_int_equal(change(reading(fd, 0)), ENOENT);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ENABLE)), ENOENT);
  assert_int_equal(change(s), 0);
  assert_int_equal(change(sub(EVENTTYPE_FD_WRITE, fd, SUBSCRIPTION_ADD)), 0);
  s.userdata = 0x77;
  assert_int_equal(change(s), 0);
  assert_int_equal(ask(), 2); /* one for each type; the latest userdata */
  assert_int_equal(ev[0].userdata + ev[1].userdata, 0x77 + 0x42);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_DELETE)), 0);
  assert_int_equal(ask(), 1);
  expect_fd(0, EVENTTYPE_FD_WRITE, fd, 0);
  assert_int_equal(change(sub(EVENTTYPE_FD_WRITE, fd, SUBSCRIPTION_ADD | SUBSCRIPTION_DELETE)), 0);
  assert_int_equal(ask(), 0);
}

static void test_bad_changes(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD | 0x40)), EINVAL);
  assert_int_equal(change(sub(EVENTTYPE_LOCK_WRLOCK, fd, SUBSCRIPTION_ADD)), EINVAL);
  assert_int_equal(change(sub(EVENTTYPE_CONDVAR, fd, SUBSCRIPTION_ADD)), EINVAL);
  assert_int_equal(change(sub(99, fd, SUBSCRIPTION_ADD)), EINVAL);
  assert_int_equal(change(reading(set, SUBSCRIPTION_ADD)), ENOTCAPABLE); /* no sets in sets */
  fd_t writable = add_object(1, &object_ops, RIGHT_POLL_FD_READWRITE | RIGHT_FD_WRITE);
  assert_int_equal(change(reading(writable, SUBSCRIPTION_ADD)), ENOTCAPABLE);
  assert_int_equal(change(sub(EVENTTYPE_PROC_TERMINATE, fd, SUBSCRIPTION_ADD)), ENOTCAPABLE);
  struct subscription cpu = timer(1, 5, SUBSCRIPTION_ADD);
  cpu.clock.clock_id = CLOCK_THREAD_CPUTIME_ID;
  assert_int_equal(change(cpu), ENOTSUP);
  assert_int_equal(ask(), 0);
}

/* Errors of several changes: those that there is room for, in order, and nothing else. */
static void test_errors_come_alone(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  set_ready(0, 1, 0);
  const struct subscription in[] = {reading(501, SUBSCRIPTION_ADD), reading(fd, SUBSCRIPTION_ADD),
                                    reading(502, SUBSCRIPTION_ADD)};
  assert_int_equal(call(in, 3, 8, 1000000), 0);
  assert_int_equal(nevents, 2);
  expect_fd(0, EVENTTYPE_FD_READ, 501, EBADF);
  expect_fd(1, EVENTTYPE_FD_READ, 502, EBADF);
  assert_int_equal(ask(), 1); /* what came between was done */
  assert_int_equal(call(in, 3, 1, 0), EBADF);
}

static void test_little_room(void **state) {
  (void)state;
  bool seen[20] = {false};
  for (size_t i = 0; i < 20; i++) {
    fd_t fd = add_object(i, &object_ops, RIGHTS);
    assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD)), 0);
    set_ready(i, i, 0);
  }
  for (int i = 0; i < 10; i++) { /* everybody has a turn */
    assert_int_equal(call(NULL, 0, 2, 0), 0);
    assert_int_equal(nevents, 2);
    seen[ev[0].fd_readwrite.nbytes] = seen[ev[1].fd_readwrite.nbytes] = true;
  }
  for (size_t i = 0; i < 20; i++)
    assert_true(seen[i]);
  static struct event many[64];
  struct subscription none = timer(0, 0, 0);
  assert_int_equal(sys_poll_fd(thread_current(), set, NULL, 0, many, 64, &none, &nevents), 0);
  assert_int_equal(nevents, 20); /* nobody twice */
}

/* Those where nothing happens are not asked. */
static void test_cost(void **state) {
  (void)state;
  for (size_t i = 0; i < OBJECTS; i++) {
    fd_t fd = add_object(i, &object_ops, RIGHTS);
    assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD)), 0);
  }
  assert_int_equal(ask(), 0);
  for (size_t i = 0; i < OBJECTS; i++)
    objects[i].asked = 0;
  set_ready(77, 3, 0);
  assert_int_equal(ask(), 1);
  unsigned asked = 0;
  for (size_t i = 0; i < OBJECTS; i++)
    asked += objects[i].asked;
  assert_int_equal(asked, 1);
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

static void test_timer_is_periodic(void **state) {
  (void)state;
  assert_int_equal(change(timer(7, 1000, SUBSCRIPTION_ADD)), 0);
  uint64_t start_ns = fake_now_ns;
  for (unsigned i = 1; i <= 3; i++) {
    assert_int_equal(call(NULL, 0, 8, UINT64_MAX), 0);
    assert_int_equal(nevents, 1);
    assert_int_equal(ev[0].type, EVENTTYPE_CLOCK);
    assert_int_equal(ev[0].userdata, 0x43);
    assert_int_equal(ev[0].clock.identifier, 7);
    assert_in_range(fake_now_ns - start_ns, i * 1000 - 100, i * 1000 + 100);
    assert_int_equal(ask(), 0);
  }
  pass(10500); /* periods that nobody asked for count once */
  assert_int_equal(ask(), 1);
  assert_int_equal(ask(), 0);
  assert_int_equal(change(timer(7, 0, SUBSCRIPTION_DELETE)), 0);
  assert_int_equal(call(NULL, 0, 8, 5000), 0);
  assert_int_equal(nevents, 0);
}

static void test_timers(void **state) {
  (void)state;
  assert_int_equal(change(timer(1, 0, SUBSCRIPTION_ADD)), 0); /* at once, and always */
  assert_int_equal(ask(), 1);
  pass(1);
  assert_int_equal(ask(), 1);
  assert_int_equal(change(timer(1, 0, SUBSCRIPTION_DELETE)), 0);
  assert_int_equal(change(timer(2, 10, SUBSCRIPTION_ADD | SUBSCRIPTION_ONESHOT)), 0);
  assert_int_equal(call(NULL, 0, 8, 1000), 0);
  assert_int_equal(nevents, 1);
  assert_int_equal(change(timer(2, 10, SUBSCRIPTION_DELETE)), ENOENT);
  struct subscription absolute = timer(3, OFFSET_NS + fake_now_ns + 500, SUBSCRIPTION_ADD);
  absolute.clock.flags = SUBSCRIPTION_CLOCK_ABSTIME;
  assert_int_equal(change(absolute), 0);
  assert_int_equal(ask(), 0);
  assert_int_equal(call(NULL, 0, 8, 5000), 0);
  assert_int_equal(nevents, 1);
  assert_int_equal(call(NULL, 0, 8, 5000), 0);
  assert_int_equal(nevents, 0); /* once */
  assert_int_equal(change(timer(4, UINT64_MAX, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(call(NULL, 0, 8, 5000), 0);
  assert_int_equal(nevents, 0);                                 /* never */
  assert_int_equal(change(timer(4, 100, SUBSCRIPTION_ADD)), 0); /* anew */
  assert_int_equal(call(NULL, 0, 8, 5000), 0);
  assert_int_equal(nevents, 1);
}

static void test_identifiers_are_no_descriptors(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  set_ready(0, 1, 0);
  assert_int_equal(change(timer(fd, 0, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(change(timer((1ull << 32) + fd, 0, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(ask(), 3);
  assert_int_equal(fd_close(fds(), fd), 0);
  pass(1);
  assert_int_equal(ask(), 2);
}

/* ---- Descriptors that are closed ------------------------------------------------------------- */

static void test_closed_descriptors_leave(void **state) {
  (void)state;
  struct fd_entry *entry;
  fd_t copy, fd = add_object(0, &object_ops, RIGHTS), other = add_object(1, &object_ops, RIGHTS);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(change(sub(EVENTTYPE_FD_WRITE, fd, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(change(reading(other, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(fd_lookup(fds(), fd, &entry), 0);
  assert_int_equal(fd_install(fds(), file_ref(entry->file), RIGHTS, 0, &copy), 0);
  set_ready(0, 1, 0);
  assert_int_equal(ask(), 2);
  assert_int_equal(fd_close(fds(), fd), 0);
  assert_true(list_empty(&objects[0].queue.waiters));
  assert_int_equal(ask(), 0); /* though the object is open as `copy` */
  assert_int_equal(fd_replace(fds(), copy, other), 0);
  assert_null(objects[1].file.ops);
  assert_int_equal(ask(), 0); /* the number means something else now */
  assert_int_equal(change(reading(other, SUBSCRIPTION_DELETE)), ENOENT);
}

static void test_sets_are_many(void **state) {
  (void)state;
  fd_t first = set, second = add_set(SET_RIGHTS), fd = add_object(0, &object_ops, RIGHTS);
  set_ready(0, 1, 0);
  for (int i = 0; i < 2; i++) {
    set = i == 0 ? first : second;
    assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD)), 0);
    assert_int_equal(ask(), 1);
  }
  assert_int_equal(fd_close(fds(), first), 0);
  assert_int_equal(ask(), 1);
  assert_int_equal(fd_close(fds(), fd), 0);
  assert_int_equal(ask(), 0);
  assert_int_equal(fd_close(fds(), second), 0);
  assert_null(fds()->watchers);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void interrupt_ready(void) {
  set_ready(0, 9, 0);
}

static void test_wait(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  struct subscription s = reading(fd, SUBSCRIPTION_ADD);
  fake_device = interrupt_ready;
  nevents = 0;
  assert_int_equal(sys_poll_fd(thread_current(), set, &s, 1, ev, 8, NULL, &nevents), 0);
  assert_int_equal(nevents, 1);
  assert_int_equal(ev[0].fd_readwrite.nbytes, 9);
  objects[0].state.ready = false;
  uint64_t start_ns = fake_now_ns;
  assert_int_equal(call(NULL, 0, 8, 3000), 0);
  assert_int_equal(nevents, 0);
  assert_in_range(fake_now_ns - start_ns, 3000, 3200);
}

static void woken_for_nothing(void) {
  waitq_wake_all(&objects[0].queue);
  fake_device = interrupt_ready;
}

static void test_wake_for_nothing(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD)), 0);
  fake_device = woken_for_nothing;
  assert_int_equal(call(NULL, 0, 8, UINT64_MAX), 0);
  assert_int_equal(nevents, 1);
}

static unsigned told;

static void asking_thread(uint64_t tid, uint64_t arg) {
  struct event own;
  size_t n = 0;
  CHECK(sys_poll_fd(thread_current(), set, NULL, 0, &own, 1, NULL, &n) == 0);
  CHECK(n == 1 && own.fd_readwrite.fd == arg);
  told++;
}

/* Several threads wait; the set's number is closed meanwhile. */
static void test_threads(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  told = 0;
  assert_int_equal(change(reading(fd, SUBSCRIPTION_ADD)), 0);
  for (int i = 0; i < 3; i++)
    fake_thread(asking_thread, fd);
  thread_yield();
  assert_int_equal(fd_close(fds(), set), 0);
  assert_int_equal(told, 0);
  set_ready(0, 1, 0);
  fake_process_wait();
  assert_int_equal(told, 3);
  assert_null(fds()->watchers);
  assert_int_equal(fd_close(fds(), fd), 0);
}

static void dying_thread(uint64_t tid, uint64_t arg) {
  struct event own;
  size_t n = 4711;
  CHECK(sys_poll_fd(thread_current(), set, NULL, 0, &own, 1, NULL, &n) == ECANCELED);
  CHECK(n == 4711);
}

static void test_death(void **state) {
  (void)state;
  fake_thread(dying_thread, 0);
  thread_yield();
  process_kill(&fake_process, SIGKILL, 0);
  fake_process_wait();
}

/* ---- The call's own errors ------------------------------------------------------------------- */

static void test_errors(void **state) {
  (void)state;
  struct subscription s = timer(0, 0, SUBSCRIPTION_ADD);
  fd_t fd = add_object(0, &object_ops, RIGHTS), mine = set;
  set = 12345;
  assert_int_equal(call(NULL, 0, 0, 0), EBADF);
  set = fd;
  assert_int_equal(call(NULL, 0, 0, 0), ENOTCAPABLE);
  set = add_set(RIGHT_POLL_WAIT);
  assert_int_equal(call(&s, 1, 0, 0), ENOTCAPABLE);
  assert_int_equal(call(NULL, 0, 1, 0), 0);
  set = add_set(RIGHT_POLL_MODIFY);
  assert_int_equal(call(NULL, 0, 1, 0), ENOTCAPABLE);
  assert_int_equal(call(&s, 1, 0, 0), 0);
  set = mine;
  assert_int_equal(call(&s, POLL_SET_MAX + 1, 0, 0), EINVAL);
  assert_int_equal(nevents, 4711);
}

static void test_timeout_must_be_relative(void **state) {
  (void)state;
  struct subscription bad[] = {timer(0, 0, 0), timer(0, 0, 0), timer(0, 0, 0), timer(0, 0, 0)};
  static const errno_t errors[] = {EINVAL, EINVAL, EINVAL, ENOTSUP};
  bad[0].type = EVENTTYPE_FD_READ;
  bad[1].clock.flags = SUBSCRIPTION_CLOCK_ABSTIME;
  bad[2].clock.clock_id = 9;
  bad[3].clock.clock_id = CLOCK_PROCESS_CPUTIME_ID;
  for (int i = 0; i < 4; i++)
    assert_int_equal(sys_poll_fd(thread_current(), set, NULL, 0, ev, 1, &bad[i], &nevents),
                     errors[i]);
}

static void test_bad_addresses(void **state) {
  (void)state;
  fd_t fd = add_object(0, &object_ops, RIGHTS);
  struct subscription s = reading(fd, SUBSCRIPTION_ADD);
  const struct subscription *bad = (const struct subscription *)(UINT64_MAX - 70);
  struct thread *t = thread_current();
  struct subscription none = timer(0, 0, 0);
  set_ready(0, 1, 0);
  assert_int_equal(sys_poll_fd(t, set, bad, 2, ev, 1, &none, &nevents), EFAULT);
  assert_int_equal(sys_poll_fd(t, set, &s, 1, ev, 1, bad, &nevents), EFAULT);
  assert_int_equal(sys_poll_fd(t, set, &s, 1, (struct event *)16, 1, &none, &nevents), EFAULT);
  assert_int_equal(sys_poll_fd(t, set, &s, 1, ev, 1, &none, NULL), EFAULT);
  assert_int_equal(ask(), 1); /* nothing is lost by it */
}

static void test_limits(void **state) {
  (void)state;
  struct file *f;
  for (uint64_t i = 0; i < POLL_SET_MAX; i++)
    assert_int_equal(change(timer(i, UINT64_MAX, SUBSCRIPTION_ADD)), 0);
  assert_int_equal(change(timer(POLL_SET_MAX, UINT64_MAX, SUBSCRIPTION_ADD)), ENOMEM);
  assert_int_equal(change(timer(5, UINT64_MAX, SUBSCRIPTION_DELETE)), 0);
  fake_alloc_budget = 0;
  assert_int_equal(change(timer(POLL_SET_MAX, UINT64_MAX, SUBSCRIPTION_ADD)), ENOMEM);
  assert_int_equal(poll_set_create(fds(), &f), ENOMEM);
  fake_alloc_budget = -1;
  assert_int_equal(change(timer(POLL_SET_MAX, UINT64_MAX, SUBSCRIPTION_ADD)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_nothing),
      TEST(test_bad_descriptor),
      TEST(test_level_triggered),
      TEST(test_clear_tells_changes),
      TEST(test_oneshot),
      TEST(test_disable_and_enable),
      TEST(test_changes),
      TEST(test_bad_changes),
      TEST(test_errors_come_alone),
      TEST(test_little_room),
      TEST(test_cost),
      TEST(test_timer_is_periodic),
      TEST(test_timers),
      TEST(test_identifiers_are_no_descriptors),
      TEST(test_closed_descriptors_leave),
      TEST(test_sets_are_many),
      TEST(test_wait),
      TEST(test_wake_for_nothing),
      TEST(test_threads),
      TEST(test_death),
      TEST(test_errors),
      TEST(test_timeout_must_be_relative),
      TEST(test_bad_addresses),
      TEST(test_limits),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
