// sources: ipc/channel.c ipc/channel_read.c ipc/channel_write.c ipc/socket.c ipc/local.c ipc/flight.c
// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/file.c kernel/uio.c
/* Pairs of stream sockets: bytes, ends, blocking, poll. Reference 5 and 7. */
#include "tests/host/ipc_fixture.h"

#define BIG 300000u

static char big[BIG], got[BIG];
static size_t total;

static int begin(void **state) {
  ipc_open(FILETYPE_SOCKET_STREAM);
  for (size_t i = 0; i < BIG; i++)
    big[i] = (char)(i * 7 + i / 251);
  memset(got, 0, sizeof got);
  total = 0;
  return 0;
}

static int setup(void **state) {
  return ipc_begin(state) != 0 ? -1 : begin(state);
}

static int teardown(void **state) {
  ipc_close_both();
  return ipc_end(state);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void writes_merge(void **state) {
  struct ipc_received r;
  char buf[64];
  ipc_put(ends[0], "hello ");
  ipc_put(ends[0], "world!");
  assert_int_equal(ipc_recv(ends[1], buf, sizeof buf, SOCK_RECV_PEEK, 0, &r), 0);
  assert_int_equal(r.n, 12);
  assert_int_equal(r.flags, 0);
  assert_memory_equal(buf, "hello world!", 12);
  assert_true(ipc_gives(ends[1], "hello world!"));
  ipc_put(ends[1], "and back"); /* both directions */
  assert_true(ipc_gives(ends[0], "and back"));
}

static void reads_split(void **state) {
  char buf[8];
  size_t n;
  ipc_put(ends[0], "abcdefgh");
  assert_int_equal(ipc_read(ends[1], buf, 3, &n), 0);
  assert_memory_equal(buf, "abc", 3);
  ipc_put(ends[0], "ij");
  assert_int_equal(ipc_read(ends[1], buf, 0, &n), 0);
  assert_int_equal(n, 0);
  assert_true(ipc_gives(ends[1], "defghij"));
}

/* What the channel has room for, in writes of all sizes. */
static void the_room_is_bounded(void **state) {
  static const size_t sizes[] = {1, 100, 256, 257, 4064, 4065, 65536, BIG};
  ends[0]->flags = ends[1]->flags = FDFLAG_NONBLOCK;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    size_t sent = 0, received = 0, n = 0;
    while (sent + sizes[i] <= BIG && ipc_write(ends[0], big + sent, sizes[i], &n) == 0)
      sent += n;
    assert_int_equal(sent, CHANNEL_BYTES);
    assert_int_equal(ipc_write(ends[0], "x", 1, &n), EAGAIN);
    assert_false(ipc_poll(ends[0], EVENTTYPE_FD_WRITE).ready);
    assert_int_equal(ipc_poll(ends[1], EVENTTYPE_FD_READ).nbytes, CHANNEL_BYTES);
    while (ipc_read(ends[1], got + received, 1000, &n) == 0)
      received += n;
    assert_int_equal(received, CHANNEL_BYTES);
    assert_memory_equal(got, big, CHANNEL_BYTES);
    assert_true(ipc_poll(ends[0], EVENTTYPE_FD_WRITE).ready);
    assert_int_equal(ipc_poll(ends[0], EVENTTYPE_FD_WRITE).nbytes, CHANNEL_BYTES);
  }
  assert_int_equal(fake_live - ipc_live_before, 2); /* an idle pair is two blocks */
}

static void a_full_channel_takes_a_part(void **state) {
  size_t n = 0;
  ends[0]->flags = FDFLAG_NONBLOCK;
  assert_int_equal(ipc_write(ends[0], big, CHANNEL_BYTES - 10, &n), 0);
  assert_int_equal(ipc_write(ends[0], big, 100, &n), 0);
  assert_int_equal(n, 10);
}

static void many_small_writes_cost_little(void **state) {
  size_t n;
  for (size_t i = 0; i < CHANNEL_BYTES; i++)
    assert_int_equal(ipc_write(ends[0], big + i, 1, &n), 0);
  assert_true(fake_live - ipc_live_before < 2 + CHANNEL_BYTES / 464 + 2);
}

static void nothing_is_nothing(void **state) {
  size_t n = 9;
  assert_int_equal(ipc_write(ends[0], NULL, 0, &n), 0);
  assert_int_equal(n, 0);
  assert_false(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
  ends[1]->flags = FDFLAG_NONBLOCK;
  assert_int_equal(ipc_read(ends[1], got, 1, &n), EAGAIN);
}

static void bad_memory(void **state) {
  size_t n = 77;
  struct ipc_received r;
  fake_bad_low = (uintptr_t)big + 5000;
  fake_bad_high = fake_bad_low + 4096;
  assert_int_equal(ipc_write(ends[0], big + 5000, 10, &n), EFAULT);
  assert_int_equal(ipc_write(ends[0], big + 5000, 3000, &n), EFAULT);
  assert_int_equal(n, 77);
  assert_false(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
  assert_int_equal(ipc_write(ends[0], big, 9000, &n), 0); /* what came before it */
  assert_true(n > 0 && n <= 5000);
  fake_bad_low = (uintptr_t)got;
  fake_bad_high = fake_bad_low + 1;
  size_t m = 77;
  assert_int_equal(ipc_read(ends[1], got, 100, &m), EFAULT);
  assert_int_equal(ipc_recv(ends[1], got, 100, SOCK_RECV_PEEK, 0, &r), EFAULT);
  assert_int_equal(m, 77);
  fake_bad_high = fake_bad_low;
  assert_int_equal(ipc_read(ends[1], got, BIG, &m), 0); /* nothing was lost */
  assert_int_equal(m, n);
  assert_memory_equal(got, big, n);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void close_is_the_end(void **state) {
  size_t n = 9;
  ipc_put(ends[0], "last");
  ipc_close(&ends[0]);
  struct poll_state st = ipc_poll(ends[1], EVENTTYPE_FD_READ);
  assert_true(st.ready && st.flags == EVENT_FD_READWRITE_HANGUP && st.nbytes == 4);
  st = ipc_poll(ends[1], EVENTTYPE_FD_WRITE);
  assert_true(st.ready && st.flags == EVENT_FD_READWRITE_HANGUP);
  assert_true(ipc_gives(ends[1], "last"));
  assert_true(ipc_gives(ends[1], "") && ipc_gives(ends[1], ""));
  assert_int_equal(ipc_write(ends[1], "x", 1, &n), EPIPE);
  assert_int_equal(ipc_write(ends[1], "x", 0, &n), EPIPE);
}

static void shutdown_of_writing(void **state) {
  size_t n;
  ipc_put(ends[0], "last");
  assert_int_equal(ends[0]->ops->shutdown(ends[0], SHUT_WR), 0);
  assert_int_equal(ipc_write(ends[0], "x", 1, &n), EPIPE);
  assert_true(ipc_poll(ends[0], EVENTTYPE_FD_WRITE).ready);
  assert_int_equal(ipc_poll(ends[1], EVENTTYPE_FD_READ).flags, EVENT_FD_READWRITE_HANGUP);
  assert_int_equal(ipc_poll(ends[1], EVENTTYPE_FD_WRITE).flags, 0);
  assert_true(ipc_gives(ends[1], "last"));
  assert_true(ipc_gives(ends[1], ""));
  ipc_put(ends[1], "the other direction is open");
  assert_true(ipc_gives(ends[0], "the other direction is open"));
  assert_int_equal(ends[0]->ops->shutdown(ends[0], SHUT_WR), 0); /* again */
}

static void shutdown_of_reading(void **state) {
  size_t n;
  ipc_put(ends[0], "dropped");
  assert_int_equal(ends[1]->ops->shutdown(ends[1], SHUT_RD), 0);
  assert_true(ipc_gives(ends[1], ""));
  assert_true(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
  assert_int_equal(ipc_write(ends[0], "x", 1, &n), EPIPE);
  ipc_put(ends[1], "still writes");
  assert_true(ipc_gives(ends[0], "still writes"));
  assert_int_equal(ends[1]->ops->shutdown(ends[1], SHUT_RD | SHUT_WR), 0);
  assert_true(ipc_gives(ends[0], ""));
}

/* ---- Blocking -------------------------------------------------------------------------------- */

static unsigned done;

static void blocked_reader(uint64_t tid, uint64_t end) {
  char c;
  size_t n = 9;
  CHECK(ipc_read(ends[end], &c, 1, &n) == 0);
  done += n == 0 ? 100 : 1;
}

static void reader_sleeps_until_there_is_something(void **state) {
  done = 0;
  fake_thread(blocked_reader, 1);
  thread_yield();
  assert_int_equal(done, 0);
  ipc_put(ends[0], "x");
  fake_process_wait();
  assert_int_equal(done, 1);
}

static void close_wakes_who_reads(void **state) {
  done = 0;
  fake_thread(blocked_reader, 1);
  fake_thread(blocked_reader, 1);
  thread_yield();
  ipc_close(&ends[0]);
  fake_process_wait();
  assert_int_equal(done, 200);
}

static void shutdown_wakes_who_reads(void **state) {
  done = 0;
  fake_thread(blocked_reader, 1);
  fake_thread(blocked_reader, 0);
  thread_yield();
  ends[1]->ops->shutdown(ends[1], SHUT_RD | SHUT_WR);
  fake_process_wait();
  assert_int_equal(done, 200);
}

static errno_t write_result;
static size_t written;

static void writer(uint64_t tid, uint64_t size) {
  written = 0;
  write_result = ipc_write(ends[0], big, size, &written);
  done++;
}

static void a_blocking_write_is_complete(void **state) {
  size_t n;
  done = 0;
  fake_thread(writer, BIG);
  for (unsigned step = 1; total < BIG; step = step * 5 % 70001) {
    assert_int_equal(ipc_read(ends[1], got + total, step, &n), 0);
    total += n;
  }
  fake_process_wait();
  assert_int_equal(written, BIG);
  assert_memory_equal(got, big, BIG);
}

static void close_wakes_who_writes(void **state) {
  done = 0;
  fake_thread(writer, BIG);
  thread_yield();
  assert_int_equal(done, 0);
  ipc_close(&ends[1]);
  fake_process_wait();
  assert_int_equal(write_result, 0); /* a part went, and who goes on is told */
  assert_int_equal(written, CHANNEL_BYTES);
  assert_int_equal(ipc_write(ends[0], "x", 1, &written), EPIPE);
}

static void own_shutdown_wakes_who_writes(void **state) {
  size_t n;
  ends[0]->flags = FDFLAG_NONBLOCK;
  assert_int_equal(ipc_write(ends[0], big, BIG, &n), 0);
  ends[0]->flags = 0;
  fake_thread(writer, 1);
  thread_yield();
  ends[0]->ops->shutdown(ends[0], SHUT_WR);
  fake_process_wait();
  assert_int_equal(write_result, EPIPE);
}

/* The descriptor is closed while its only user sleeps in it. */
static void close_under_a_reader(void **state) {
  done = 0;
  file_ref(ends[1]); /* as a system call holds it */
  fake_thread(blocked_reader, 1);
  thread_yield();
  file_unref(ends[1]); /* fd_close: the call goes on */
  thread_yield();
  assert_int_equal(done, 0);
  ipc_put(ends[0], "x");
  fake_process_wait();
  assert_int_equal(done, 1);
}

static void killed(uint64_t tid, uint64_t end) {
  size_t n;
  CHECK((end == 1 ? ipc_read(ends[1], got, 1, &n) : ipc_write(ends[0], big, BIG, &n)) == ECANCELED);
  done++;
}

static void death_of_who_sleeps(void **state) {
  done = 0;
  fake_thread(killed, 1);
  thread_yield();
  process_kill(&fake_process, 9, 0);
  fake_process_wait();
  fake_process_reset();
  fake_thread(killed, 0);
  thread_yield();
  process_kill(&fake_process, 9, 0);
  fake_process_wait();
  assert_int_equal(done, 2);
  fake_process_reset();
  ends[1]->flags = FDFLAG_NONBLOCK;
  size_t n = 0;
  while (ipc_read(ends[1], got, BIG, &n) == 0)
    ;
  ipc_put(ends[0], "and the channel is in order");
  assert_true(ipc_gives(ends[1], "and the channel is in order"));
}

/* ---- Waiting for all, peeking ---------------------------------------------------------------- */

static void all_reader(uint64_t tid, uint64_t flags) {
  struct ipc_received r;
  CHECK(ipc_recv(ends[1], got, 1000, (riflags_t)flags, 0, &r) == 0);
  total = r.n;
  done++;
}

static void waitall_waits(void **state) {
  done = 0;
  fake_thread(all_reader, SOCK_RECV_WAITALL);
  for (size_t i = 0; i < 1000; i += 100) {
    size_t n;
    thread_yield();
    assert_int_equal(done, 0);
    assert_int_equal(ipc_write(ends[0], big + i, 100, &n), 0);
  }
  fake_process_wait();
  assert_int_equal(total, 1000);
  assert_memory_equal(got, big, 1000);
}

static void waitall_ends_at_the_end(void **state) {
  fake_thread(all_reader, SOCK_RECV_WAITALL);
  ipc_put(ends[0], "part");
  thread_yield();
  ipc_close(&ends[0]);
  fake_process_wait();
  assert_int_equal(total, 4);
}

static void peek_and_waitall(void **state) {
  struct ipc_received r;
  size_t n;
  fake_thread(all_reader, SOCK_RECV_WAITALL | SOCK_RECV_PEEK);
  thread_yield();
  assert_int_equal(ipc_write(ends[0], big, 999, &n), 0);
  thread_yield();
  assert_int_equal(total, 0);
  assert_int_equal(ipc_write(ends[0], big + 999, 1, &n), 0);
  fake_process_wait();
  assert_int_equal(total, 1000);
  assert_memory_equal(got, big, 1000);
  ends[0]->flags = FDFLAG_NONBLOCK; /* more than ever fits is not waited for */
  assert_int_equal(ipc_write(ends[0], big + 1000, BIG - 1000, &n), 0);
  assert_int_equal(ipc_recv(ends[1], got, BIG, SOCK_RECV_WAITALL | SOCK_RECV_PEEK, 0, &r), 0);
  assert_int_equal(r.n, CHANNEL_BYTES);
  assert_memory_equal(got, big, CHANNEL_BYTES);
}

/* ---- Several at once ------------------------------------------------------------------------- */

#define WRITERS 4
#define RECORD 20000u

static void record_writer(uint64_t tid, uint64_t which) {
  char record[RECORD];
  memset(record, 'a' + (int)which, sizeof record);
  for (int i = 0; i < 3; i++) {
    size_t n = 0;
    CHECK(ipc_write(ends[0], record, sizeof record, &n) == 0 && n == sizeof record);
  }
}

static void writes_do_not_mix(void **state) {
  size_t n;
  fake_copies_sleep = true;
  for (uint64_t i = 0; i < WRITERS; i++)
    fake_thread(record_writer, i);
  for (unsigned step = 1; total < WRITERS * 3 * RECORD; step = step * 3 % 9001) {
    assert_int_equal(ipc_read(ends[1], got + total, step, &n), 0);
    total += n;
  }
  fake_process_wait();
  for (size_t i = 0; i < total; i++)
    assert_int_equal(got[i], got[i - i % RECORD]);
}

static void close_during_a_copy(void **state) {
  fake_copies_sleep = true;
  fake_thread(writer, 200); /* both kinds of copies in */
  thread_yield();
  ipc_close(&ends[1]);
  fake_process_wait();
  assert_int_equal(write_result, EPIPE);
  ipc_close(&ends[0]);

  ipc_open(FILETYPE_SOCKET_STREAM);
  fake_thread(writer, 4000);
  thread_yield();
  ipc_close(&ends[1]);
  fake_process_wait();
  assert_int_equal(write_result, EPIPE);
}

static void shutdown_during_a_copy(void **state) {
  done = 0;
  ipc_put(ends[0], "xyz");
  fake_copies_sleep = true;
  fake_thread(blocked_reader, 1);
  thread_yield();
  ends[1]->ops->shutdown(ends[1], SHUT_RD);
  fake_process_wait();
  assert_int_equal(done, 1);
  assert_true(ipc_gives(ends[1], ""));
}

static void two_readers_in_a_copy(void **state) {
  done = 0;
  fake_copies_sleep = true;
  ends[1]->flags = FDFLAG_NONBLOCK;
  fake_thread(blocked_reader, 1);
  fake_thread(blocked_reader, 1);
  fake_copies_sleep = false;
  ipc_put(ends[0], "xy");
  fake_copies_sleep = true;
  fake_process_wait();
  assert_int_equal(done, 2);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void without_memory(void **state) {
  size_t n = 7;
  fake_alloc_budget = 0;
  assert_int_equal(ipc_write(ends[0], "x", 1, &n), ENOBUFS);
  assert_int_equal(ipc_write(ends[0], big, BIG, &n), ENOBUFS);
  fake_alloc_budget = 2;
  assert_int_equal(ipc_write(ends[0], big, BIG, &n), 0); /* as far as it went */
  fake_alloc_budget = -1;
  assert_int_equal(n, 2 * CHUNK_DATA_MAX);
  assert_int_equal(ipc_read(ends[1], got, BIG, &n), 0);
  assert_memory_equal(got, big, 2 * CHUNK_DATA_MAX);
  struct file *none[2];
  for (fake_alloc_budget = 0; fake_alloc_budget < 2; fake_alloc_budget++) {
    long budget = fake_alloc_budget;
    assert_int_equal(ipc_pair(FILETYPE_SOCKET_STREAM, none), ENOMEM);
    fake_alloc_budget = budget;
  }
}

static void all_channels_have_a_share(void **state) {
  size_t n = 7;
  ipc_pages = 4 * 8; /* a quarter of it: 32 KiB */
  ends[0]->flags = FDFLAG_NONBLOCK;
  assert_int_equal(ipc_write(ends[0], big, BIG, &n), 0);
  assert_true(n > 28000 && n < 32768);
  assert_int_equal(ipc_write(ends[1], big, 5000, &n), ENOBUFS);
  assert_int_equal(ipc_read(ends[1], got, BIG, &n), 0);
  assert_int_equal(ipc_write(ends[1], big, 5000, &n), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(writes_merge),
      TEST(reads_split),
      TEST(the_room_is_bounded),
      TEST(a_full_channel_takes_a_part),
      TEST(many_small_writes_cost_little),
      TEST(nothing_is_nothing),
      TEST(bad_memory),
      TEST(close_is_the_end),
      TEST(shutdown_of_writing),
      TEST(shutdown_of_reading),
      TEST(reader_sleeps_until_there_is_something),
      TEST(close_wakes_who_reads),
      TEST(shutdown_wakes_who_reads),
      TEST(a_blocking_write_is_complete),
      TEST(close_wakes_who_writes),
      TEST(own_shutdown_wakes_who_writes),
      TEST(close_under_a_reader),
      TEST(death_of_who_sleeps),
      TEST(waitall_waits),
      TEST(waitall_ends_at_the_end),
      TEST(peek_and_waitall),
      TEST(writes_do_not_mix),
      TEST(close_during_a_copy),
      TEST(shutdown_during_a_copy),
      TEST(two_readers_in_a_copy),
      TEST(without_memory),
      TEST(all_channels_have_a_share),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
