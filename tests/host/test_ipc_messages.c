// sources: ipc/channel.c ipc/channel_read.c ipc/channel_write.c ipc/socket.c ipc/local.c ipc/flight.c
// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/file.c kernel/uio.c
/* Pairs that keep messages apart: datagrams, and the seqpackets of old. Reference 5 and 7. */
#include "tests/host/ipc_fixture.h"

#define BIG 70000u

static char big[BIG], got[BIG];
static unsigned done;

static int setup(void **state) {
  for (size_t i = 0; i < BIG; i++)
    big[i] = (char)(i * 7 + i / 251);
  done = 0;
  ipc_begin(state);
  ipc_open(FILETYPE_SOCKET_DGRAM);
  return 0;
}

static int teardown(void **state) {
  ipc_close_both();
  return ipc_end(state);
}

static void messages_stay_apart(void **state) {
  ipc_put(ends[0], "one");
  ipc_put(ends[0], "second");
  ipc_put(ends[1], "back");
  assert_int_equal(ipc_poll(ends[1], EVENTTYPE_FD_READ).nbytes, 3); /* of the next one */
  assert_true(ipc_gives(ends[1], "one"));
  assert_int_equal(ipc_poll(ends[1], EVENTTYPE_FD_READ).nbytes, 6);
  assert_true(ipc_gives(ends[1], "second"));
  assert_false(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
  assert_true(ipc_gives(ends[0], "back"));
}

static void surplus_is_dropped(void **state) {
  struct ipc_received r;
  ipc_put(ends[0], "abcdef");
  ipc_put(ends[0], "next");
  assert_int_equal(ipc_recv(ends[1], got, 3, SOCK_RECV_PEEK, 0, &r), 0);
  assert_int_equal(r.n, 3);
  assert_int_equal(r.flags, SOCK_RECV_DATA_TRUNCATED);
  assert_int_equal(ipc_recv(ends[1], got, 6, SOCK_RECV_PEEK, 0, &r), 0);
  assert_int_equal(r.flags, 0);
  assert_int_equal(ipc_recv(ends[1], got, 3, 0, 0, &r), 0);
  assert_int_equal(r.n, 3);
  assert_int_equal(r.flags, SOCK_RECV_DATA_TRUNCATED);
  assert_memory_equal(got, "abc", 3);
  assert_int_equal(ipc_recv(ends[1], NULL, 0, 0, 0, &r), 0); /* a message as well */
  assert_int_equal(r.flags, SOCK_RECV_DATA_TRUNCATED);
  ends[1]->flags = FDFLAG_NONBLOCK;
  assert_int_equal(ipc_recv(ends[1], got, 3, SOCK_RECV_WAITALL, 0, &r), EAGAIN);
}

static void empty_messages(void **state) {
  size_t n = 9;
  struct ipc_received r;
  ipc_put(ends[0], "");
  ipc_put(ends[0], "x");
  ipc_put(ends[0], "");
  struct poll_state st = ipc_poll(ends[1], EVENTTYPE_FD_READ);
  assert_true(st.ready && st.nbytes == 0 && st.flags == 0);
  assert_int_equal(ipc_read(ends[1], got, 8, &n), 0);
  assert_int_equal(n, 0);
  assert_true(ipc_gives(ends[1], "x"));
  assert_int_equal(ipc_recv(ends[1], NULL, 0, 0, 0, &r), 0);
  assert_int_equal(r.flags, 0);
  ends[1]->flags = FDFLAG_NONBLOCK;
  assert_int_equal(ipc_read(ends[1], got, 8, &n), EAGAIN);
}

static void sizes(void **state) {
  static const size_t all[] = {1, 4063, 4064, 4065, 8128, 8129, 65535, CHANNEL_BYTES};
  size_t n = 9;
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    assert_int_equal(ipc_write(ends[0], big, all[i], &n), 0);
    assert_int_equal(n, all[i]);
    memset(got, 0, sizeof got);
    assert_int_equal(ipc_read(ends[1], got, BIG, &n), 0);
    assert_int_equal(n, all[i]);
    assert_memory_equal(got, big, n);
  }
  assert_int_equal(ipc_write(ends[0], big, CHANNEL_BYTES + 1, &n), EMSGSIZE);
  ends[0]->flags = FDFLAG_NONBLOCK;
  assert_int_equal(ipc_write(ends[0], big, CHANNEL_BYTES + 1, &n), EMSGSIZE);
  assert_false(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
}

/* All or nothing; and messages without bytes are bounded, too. */
static void the_room_is_bounded(void **state) {
  size_t n, count = 0;
  ends[0]->flags = ends[1]->flags = FDFLAG_NONBLOCK;
  while (ipc_write(ends[0], NULL, 0, &n) == 0)
    count++;
  assert_int_equal(count, CHANNEL_BYTES / CHANNEL_MESSAGE_COST);
  assert_false(ipc_poll(ends[0], EVENTTYPE_FD_WRITE).ready);
  while (ipc_read(ends[1], got, 1, &n) == 0)
    count--;
  assert_int_equal(count, 0);
  assert_int_equal(ipc_write(ends[0], big, 60000, &n), 0);
  assert_int_equal(ipc_write(ends[0], big, 6000, &n), EAGAIN);
  assert_int_equal(ipc_write(ends[0], big, 5000, &n), 0);
  assert_int_equal(n, 5000);
}

static void ends_and_shutdown(void **state) {
  size_t n;
  ipc_put(ends[0], "last");
  assert_int_equal(ends[0]->ops->shutdown(ends[0], SHUT_WR), 0);
  assert_int_equal(ipc_write(ends[0], "x", 1, &n), EPIPE);
  assert_true(ipc_gives(ends[1], "last"));
  assert_true(ipc_gives(ends[1], ""));
  ipc_put(ends[1], "open");
  assert_true(ipc_gives(ends[0], "open"));
  ipc_close(&ends[0]);
  struct poll_state st = ipc_poll(ends[1], EVENTTYPE_FD_WRITE);
  assert_true(st.ready && st.flags == EVENT_FD_READWRITE_HANGUP);
  assert_int_equal(ipc_write(ends[1], "x", 1, &n), EPIPE);
  assert_int_equal(ipc_write(ends[1], "", 0, &n), EPIPE);
}

static void bad_memory(void **state) {
  size_t n = 77;
  fake_bad_low = (uintptr_t)big + 5000;
  fake_bad_high = fake_bad_low + 1;
  assert_int_equal(ipc_write(ends[0], big, 9000, &n), EFAULT); /* nothing of it is sent */
  fake_bad_low = (uintptr_t)got;
  fake_bad_high = fake_bad_low + 1;
  assert_false(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
  ipc_put(ends[0], "kept");
  assert_int_equal(ipc_read(ends[1], got, 8, &n), EFAULT);
  fake_bad_high = fake_bad_low;
  assert_int_equal(n, 77);
  assert_true(ipc_gives(ends[1], "kept"));
}

/* ---- Blocking -------------------------------------------------------------------------------- */

static errno_t result;

static void writer(uint64_t tid, uint64_t size) {
  size_t n = 0;
  result = ipc_write(ends[0], big, size, &n);
  CHECK(result != 0 || n == size);
  done++;
}

static void reader(uint64_t tid, uint64_t arg) {
  char c;
  size_t n = 9;
  CHECK(ipc_read(ends[1], &c, 1, &n) == 0);
  done += n == 0 ? 100 : 1;
}

static void a_writer_waits_for_room(void **state) {
  size_t n;
  assert_int_equal(ipc_write(ends[0], big, 60000, &n), 0);
  fake_thread(writer, 10000);
  fake_thread(writer, 20000);
  thread_yield();
  assert_int_equal(done, 0);
  assert_int_equal(ipc_read(ends[1], got, BIG, &n), 0);
  fake_process_wait();
  assert_int_equal(done, 2);
  assert_int_equal(ipc_read(ends[1], got, BIG, &n), 0);
  assert_int_equal(n, 10000);
}

static void close_wakes_both_sides(void **state) {
  size_t n;
  fake_thread(reader, 0);
  fake_thread(reader, 0);
  thread_yield();
  ipc_close(&ends[0]);
  fake_process_wait();
  assert_int_equal(done, 200);
  ipc_close(&ends[1]);
  ipc_open(FILETYPE_SOCKET_DGRAM);
  assert_int_equal(ipc_write(ends[0], big, 60000, &n), 0);
  fake_thread(writer, 10000);
  thread_yield();
  ipc_close(&ends[1]);
  fake_process_wait();
  assert_int_equal(result, EPIPE);
}

static void close_during_a_copy(void **state) {
  fake_copies_sleep = true;
  fake_thread(writer, 9000);
  thread_yield();
  ipc_close(&ends[1]);
  fake_process_wait();
  assert_int_equal(result, EPIPE);
}

static void readers_take_one_each(void **state) {
  fake_copies_sleep = true;
  fake_thread(reader, 0);
  fake_thread(reader, 0);
  thread_yield();
  fake_copies_sleep = false;
  ipc_put(ends[0], "abc");
  ipc_put(ends[0], "def");
  fake_copies_sleep = true;
  fake_process_wait();
  assert_int_equal(done, 2);
  assert_false(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
}

static void without_memory(void **state) {
  size_t n = 7;
  for (long i = 0; i < 3; i++) {
    fake_alloc_budget = i;
    assert_int_equal(ipc_write(ends[0], big, 10000, &n), ENOBUFS);
  }
  fake_alloc_budget = -1;
  assert_false(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
  assert_int_equal(ipc_write(ends[0], big, 10000, &n), 0);
}

/* Messages over a connection. */
static void seqpackets(void **state) {
  ipc_close_both();
  ipc_open(FILETYPE_SOCKET_SEQPACKET);
  ipc_put(ends[0], "one");
  ipc_put(ends[0], "second");
  ipc_close(&ends[0]);
  assert_true(ipc_gives(ends[1], "one"));
  assert_true(ipc_gives(ends[1], "second"));
  assert_true(ipc_gives(ends[1], ""));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(messages_stay_apart),
      TEST(surplus_is_dropped),
      TEST(empty_messages),
      TEST(sizes),
      TEST(the_room_is_bounded),
      TEST(ends_and_shutdown),
      TEST(bad_memory),
      TEST(a_writer_waits_for_room),
      TEST(close_wakes_both_sides),
      TEST(close_during_a_copy),
      TEST(readers_take_one_each),
      TEST(without_memory),
      TEST(seqpackets),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
