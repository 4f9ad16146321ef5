// sources: ipc/channel.c ipc/channel_read.c ipc/channel_write.c ipc/socket.c ipc/local.c ipc/flight.c
// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/file.c kernel/uio.c ipc/fifo.c
/* FIFOs: ends that come and go, opening that waits for the other end, short writes. Reference 9.2.
 */
#include "tests/host/ipc_fixture.h"

static struct ipc_node node;
static struct file *reader, *writer;
static char big[100000], got[100000];

static int setup(void **state) {
  for (size_t i = 0; i < sizeof big; i++)
    big[i] = (char)(i * 7 + i / 251);
  ipc_begin(state);
  node = ipc_node(FILETYPE_FIFO);
  reader = writer = NULL;
  return 0;
}

static int teardown(void **state) {
  if (reader != NULL)
    file_unref(reader);
  if (writer != NULL)
    file_unref(writer);
  int e = ipc_end(state);
  CHECK(node.vnode.refs == 1 && node.endpoint == NULL);
  return e;
}

static errno_t open_end(fdflags_t flags, bool read, bool write, struct file **f) {
  return ipc_fifo_open(&node.vnode, flags, read, write, f);
}

/* Both ends of the named one, by not waiting. */
static void open_both(void) {
  CHECK(open_end(FDFLAG_NONBLOCK, true, false, &reader) == 0);
  CHECK(open_end(FDFLAG_NONBLOCK, false, true, &writer) == 0);
}

static bool ready(struct file *f, eventtype_t type, eventrwflags_t flags) {
  struct poll_state st = ipc_poll(f, type);
  return st.ready && st.flags == flags;
}

/* ---- Without a name -------------------------------------------------------------------------- */

static void unnamed(void **state) {
  struct file *two[2];
  size_t n = 9;
  assert_int_equal(ipc_fifo(two), 0);
  reader = two[0];
  writer = two[1];
  assert_int_equal(reader->type, FILETYPE_FIFO);
  assert_false(ipc_poll(reader, EVENTTYPE_FD_READ).ready);
  ipc_put(writer, "hello ");
  ipc_put(writer, "world");
  struct poll_state st = ipc_poll(reader, EVENTTYPE_FD_READ);
  assert_true(st.ready && st.nbytes == 11 && st.flags == 0);
  assert_true(ipc_gives(reader, "hello world"));
  ipc_put(writer, "last");
  ipc_close(&writer);
  st = ipc_poll(reader, EVENTTYPE_FD_READ);
  assert_true(st.ready && st.nbytes == 4 && st.flags == EVENT_FD_READWRITE_HANGUP);
  assert_true(ipc_gives(reader, "last") && ipc_gives(reader, ""));
  ipc_close(&reader);
  assert_int_equal(ipc_fifo(two), 0);
  writer = two[1];
  ipc_close(&two[0]);
  assert_true(ready(writer, EVENTTYPE_FD_WRITE, EVENT_FD_READWRITE_HANGUP));
  assert_int_equal(ipc_write(writer, "x", 1, &n), EPIPE);
}

static void without_memory(void **state) {
  struct file *two[2];
  for (long budget = 0; budget < 3; budget++) {
    fake_alloc_budget = budget;
    assert_int_equal(ipc_fifo(two), ENOMEM);
  }
  for (long budget = 0; budget < 2; budget++) {
    fake_alloc_budget = budget;
    assert_int_equal(open_end(FDFLAG_NONBLOCK, true, false, &reader), ENOMEM);
    assert_int_equal(node.vnode.refs, 1);
    assert_null(node.endpoint);
  }
}

/* ---- Opening --------------------------------------------------------------------------------- */

static void opening_without_waiting(void **state) {
  struct file *f = NULL;
  assert_int_equal(open_end(FDFLAG_NONBLOCK, false, true, &f), ENXIO);
  assert_null(node.endpoint);
  assert_int_equal(open_end(0, true, true, &f), 0); /* both directions: never waits */
  ipc_put(f, "to itself");
  assert_true(ipc_gives(f, "to itself"));
  assert_int_equal(open_end(FDFLAG_NONBLOCK, false, true, &writer), 0);
  ipc_put(writer, "by name");
  assert_true(ipc_gives(f, "by name"));
  struct filestat st = {0};
  assert_int_equal(f->ops->stat(f, &st), 0);
  assert_int_equal(st.st_ino, 77);
  file_unref(f);
}

static void no_endpoints_here(void **state) {
  static const struct vnode_ops none;
  struct file *f;
  node.vnode.ops = &none;
  assert_int_equal(open_end(0, true, false, &f), ENOTSUP);
}

static unsigned opened;

static void opener(uint64_t tid, uint64_t writes) {
  CHECK(open_end(0, !writes, writes, writes ? &writer : &reader) == 0);
  opened++;
}

static void opening_waits(void **state) {
  for (uint64_t first = 0; first < 2; first++) {
    opened = 0;
    fake_thread(opener, first);
    thread_yield();
    assert_int_equal(opened, 0);
    fake_thread(opener, !first);
    fake_process_wait();
    fake_process_reset();
    assert_int_equal(opened, 2);
    ipc_put(writer, "met");
    assert_true(ipc_gives(reader, "met"));
    ipc_close(&writer);
    ipc_close(&reader);
  }
}

/* It met somebody, even if that one is gone before it runs. */
static void the_other_end_was_there(void **state) {
  struct file *f;
  opened = 0;
  fake_thread(opener, 0);
  thread_yield();
  assert_int_equal(open_end(FDFLAG_NONBLOCK, false, true, &f), 0);
  ipc_put(f, "bye");
  ipc_close(&f);
  fake_process_wait();
  assert_int_equal(opened, 1);
  assert_true(ipc_gives(reader, "bye") && ipc_gives(reader, ""));
}

static void dying_opener(uint64_t tid, uint64_t writes) {
  struct file *f;
  CHECK(open_end(0, !writes, writes, &f) == ECANCELED);
  opened++;
}

static void death_while_opening(void **state) {
  opened = 0;
  fake_thread(dying_opener, 0);
  thread_yield();
  process_kill(&fake_process, 9, 0);
  fake_process_wait();
  fake_process_reset();
  assert_int_equal(opened, 1);
  assert_null(node.endpoint);
}

/* ---- Ends that come and go ------------------------------------------------------------------- */

static void writers_come_and_go(void **state) {
  size_t n = 9;
  assert_int_equal(open_end(FDFLAG_NONBLOCK, true, false, &reader), 0);
  assert_int_equal(ipc_read(reader, got, 9, &n), 0); /* no writer: the end */
  assert_int_equal(n, 0);
  assert_false(ipc_poll(reader, EVENTTYPE_FD_READ).ready); /* but poll waits for the first one */
  assert_int_equal(open_end(0, false, true, &writer), 0);
  assert_int_equal(ipc_read(reader, got, 9, &n), EAGAIN);
  ipc_put(writer, "one");
  ipc_close(&writer);
  assert_true(ready(reader, EVENTTYPE_FD_READ, EVENT_FD_READWRITE_HANGUP));
  assert_true(ipc_gives(reader, "one") && ipc_gives(reader, ""));
  assert_true(ready(reader, EVENTTYPE_FD_READ, EVENT_FD_READWRITE_HANGUP));
  assert_int_equal(open_end(0, false, true, &writer), 0); /* and goes on */
  assert_false(ipc_poll(reader, EVENTTYPE_FD_READ).ready);
  ipc_put(writer, "two");
  assert_true(ready(reader, EVENTTYPE_FD_READ, 0));
  assert_true(ipc_gives(reader, "two"));
}

static void readers_come_and_go(void **state) {
  size_t n;
  open_both();
  ipc_put(writer, "kept ");
  ipc_close(&reader);
  assert_int_equal(ipc_write(writer, "x", 1, &n), EPIPE);
  assert_int_equal(open_end(0, true, false, &reader), 0);
  ipc_put(writer, "while an end is open");
  assert_true(ipc_gives(reader, "kept while an end is open"));
  ipc_put(writer, "dropped");
  ipc_close(&writer);
  ipc_close(&reader);
  open_both();
  assert_false(ipc_poll(reader, EVENTTYPE_FD_READ).ready);
}

static void blocked(uint64_t tid, uint64_t arg) {
  size_t n = 9;
  CHECK(ipc_read(reader, got, 1, &n) == 0 && n == arg);
  opened++;
}

static void the_last_writer_wakes_readers(void **state) {
  open_both();
  reader->flags = 0;
  opened = 0;
  fake_thread(blocked, 0);
  thread_yield();
  assert_int_equal(opened, 0);
  ipc_close(&writer);
  fake_process_wait();
  assert_int_equal(opened, 1);
}

/* ---- Short writes ---------------------------------------------------------------------------- */

static void short_writes_are_whole(void **state) {
  size_t n;
  open_both();
  assert_int_equal(ipc_write(writer, big, CHANNEL_BYTES - 100, &n), 0);
  assert_false(ipc_poll(writer, EVENTTYPE_FD_WRITE).ready);
  assert_int_equal(ipc_write(writer, big, 101, &n), EAGAIN); /* all or none */
  assert_int_equal(ipc_write(writer, big, FIFO_ATOMIC_BYTES, &n), EAGAIN);
  assert_int_equal(ipc_write(writer, big, FIFO_ATOMIC_BYTES + 1, &n), 0); /* a part */
  assert_int_equal(n, 100);
  assert_int_equal(ipc_read(reader, got, FIFO_ATOMIC_BYTES, &n), 0);
  assert_true(ready(writer, EVENTTYPE_FD_WRITE, 0));
  assert_int_equal(ipc_write(writer, big, FIFO_ATOMIC_BYTES, &n), 0);
}

static void record_writer(uint64_t tid, uint64_t which) {
  char record[FIFO_ATOMIC_BYTES];
  struct file *own;
  CHECK(open_end(0, false, true, &own) == 0); /* an end of its own */
  memset(record, 'a' + (int)which, sizeof record);
  for (int i = 0; i < 100; i++) {
    size_t n = 0;
    CHECK(ipc_write(own, record, sizeof record, &n) == 0 && n == sizeof record);
  }
  file_unref(own);
}

static void short_writes_do_not_mix(void **state) {
  size_t total = 0, n;
  assert_int_equal(open_end(FDFLAG_NONBLOCK, true, false, &reader), 0);
  fake_copies_sleep = true;
  for (uint64_t i = 0; i < 5; i++)
    fake_thread(record_writer, i);
  reader->flags = 0;
  thread_yield();
  do {
    size_t step = 1 + (total * 7919) % 3000;
    size_t room = sizeof got - total % 50000 - 1;
    size_t at = total % 50000;
    assert_int_equal(ipc_read(reader, got + at, step < room ? step : room, &n), 0);
    for (size_t i = at; i < at + n; i++) {
      size_t record = (total + i - at) % FIFO_ATOMIC_BYTES;
      if (record > 0 && i > at)
        assert_int_equal(got[i], got[i - 1]);
    }
    total += n;
  } while (n > 0);
  fake_process_wait();
  assert_int_equal(total, 5 * 100 * FIFO_ATOMIC_BYTES);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(unnamed),
      TEST(without_memory),
      TEST(opening_without_waiting),
      TEST(no_endpoints_here),
      TEST(opening_waits),
      TEST(the_other_end_was_there),
      TEST(death_while_opening),
      TEST(writers_come_and_go),
      TEST(readers_come_and_go),
      TEST(the_last_writer_wakes_readers),
      TEST(short_writes_are_whole),
      TEST(short_writes_do_not_mix),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
