// sources: ipc/channel.c ipc/channel_read.c ipc/channel_write.c ipc/socket.c ipc/local.c ipc/flight.c
// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/file.c kernel/uio.c
/*
 * Descriptors that travel: what comes with which read, limits, and what happens to those that
 * nobody receives: lists, rings and deep chains of sockets in each other's queues. Reference 7.
 */
#include "tests/host/ipc_fixture.h"

#define CHAIN 100000u

static char got[100000];

static int setup(void **state) {
  ipc_plain_alive = 0;
  ipc_begin(state);
  ipc_open(FILETYPE_SOCKET_STREAM);
  return 0;
}

static int teardown(void **state) {
  ipc_close_both();
  int e = ipc_end(state);
  CHECK(ipc_plain_alive == 0);
  return e;
}

static void drop(struct ipc_received *r) {
  fd_bundle_free(r->fds);
  r->fds = NULL;
  ipc_settle();
}

/* ---- What a read gets ------------------------------------------------------------------------ */

static void entries_travel(void **state) {
  struct file *a = ipc_plain(), *b = ipc_plain(), *both[] = {a, b};
  struct ipc_received r;
  size_t n;
  assert_int_equal(ipc_send(ends[0], "msg", 3, both, 2, &n), 0);
  assert_int_equal(a->refs, 2);
  assert_int_equal(a->in_flight, 1);
  assert_int_equal(flight_count(), 2);
  file_unref(a); /* the sender may close its own */
  assert_int_equal(ipc_recv(ends[1], got, 10, 0, 9, &r), 0);
  assert_int_equal(r.n, 3);
  assert_int_equal(r.flags, 0);
  assert_int_equal(r.fds->len, 2);
  assert_ptr_equal(r.fds->entries[0].file, a);
  assert_int_equal(r.fds->entries[0].base, 100); /* with its rights */
  assert_int_equal(r.fds->entries[0].inheriting, 200);
  assert_int_equal(r.fds->entries[1].base, 101);
  assert_int_equal(flight_count(), 0);
  assert_int_equal(a->in_flight, 0);
  drop(&r);
  file_unref(b);
}

/* Such a message is read by itself: neither what comes before it nor what follows joins it. */
static void borders(void **state) {
  struct file *a = ipc_plain();
  struct ipc_received r;
  size_t n;
  for (int all = 0; all < 2; all++) {
    riflags_t flags = all ? SOCK_RECV_WAITALL : 0;
    ipc_put(ends[0], "before");
    assert_int_equal(ipc_send(ends[0], "first", 5, &a, 1, &n), 0);
    assert_int_equal(ipc_send(ends[0], "second", 6, &a, 1, &n), 0);
    ipc_put(ends[0], "behind");
    ipc_put(ends[0], "them");
    assert_int_equal(ipc_recv(ends[1], got, 100, flags | SOCK_RECV_PEEK, 9, &r), 0);
    assert_int_equal(r.n, 6);
    assert_int_equal(ipc_recv(ends[1], got, 100, flags, 9, &r), 0);
    assert_true(r.n == 6 && r.fds == NULL);
    assert_memory_equal(got, "before", 6);
    assert_int_equal(ipc_recv(ends[1], got, 2, flags, 9, &r), 0); /* with the first byte */
    assert_true(r.n == 2 && r.fds->len == 1);
    drop(&r);
    assert_int_equal(ipc_recv(ends[1], got, 100, flags, 9, &r), 0);
    assert_true(r.n == 3 && r.fds == NULL && memcmp(got, "rst", 3) == 0);
    assert_int_equal(ipc_recv(ends[1], got, 100, flags, 9, &r), 0);
    assert_true(r.n == 6 && r.fds->len == 1 && memcmp(got, "second", 6) == 0);
    drop(&r);
    assert_true(ipc_gives(ends[1], "behindthem"));
  }
  file_unref(a);
}

static void nobody_asked_for_them(void **state) {
  struct file *a = ipc_plain();
  struct ipc_received r;
  ipc_pass(ends[0], a);
  assert_int_equal(ipc_recv(ends[1], got, 10, 0, 0, &r), 0);
  assert_true(r.n == 1 && r.flags == 0 && r.fds == NULL);
  ipc_pass(ends[0], a);
  assert_true(ipc_gives(ends[1], "x"));
  ipc_pass(ends[0], a);
  ipc_put(ends[0], "yz"); /* nothing keeps it apart then */
  assert_true(ipc_gives(ends[1], "xyz"));
  assert_int_equal(a->refs, 1);
  file_unref(a);
}

/* They are shown to nobody before the message is read. */
static void peek_leaves_them(void **state) {
  struct file *a = ipc_plain();
  struct ipc_received r;
  ipc_pass(ends[0], a);
  assert_int_equal(ipc_recv(ends[1], got, 10, SOCK_RECV_PEEK, 9, &r), 0);
  assert_true(r.n == 1 && r.fds == NULL && r.flags == 0);
  assert_int_equal(ipc_recv(ends[1], got, 10, 0, 9, &r), 0);
  assert_int_equal(r.fds->len, 1);
  drop(&r);
  file_unref(a);
}

static void a_stream_message_needs_a_byte(void **state) {
  struct file *a = ipc_plain();
  size_t n;
  assert_int_equal(ipc_send(ends[0], "", 0, &a, 1, &n), EINVAL);
  assert_int_equal(a->refs, 1);
  assert_false(ipc_poll(ends[1], EVENTTYPE_FD_READ).ready);
  file_unref(a);
}

static void datagrams_carry_them(void **state) {
  struct file *a = ipc_plain();
  struct ipc_received r;
  size_t n;
  ipc_close_both();
  ipc_open(FILETYPE_SOCKET_DGRAM);
  assert_int_equal(ipc_send(ends[0], "", 0, &a, 1, &n), 0);
  assert_int_equal(ipc_send(ends[0], "text", 4, &a, 1, &n), 0);
  ipc_put(ends[0], "plain");
  assert_int_equal(ipc_recv(ends[1], got, 10, 0, 9, &r), 0);
  assert_true(r.n == 0 && r.fds->len == 1 && r.flags == 0);
  drop(&r);
  assert_int_equal(ipc_recv(ends[1], got, 1, 0, 9, &r), 0);
  assert_true(r.n == 1 && r.fds->len == 1 && r.flags == SOCK_RECV_DATA_TRUNCATED);
  drop(&r);
  assert_int_equal(ipc_recv(ends[1], got, 10, 0, 9, &r), 0);
  assert_true(r.n == 5 && r.fds == NULL);
  file_unref(a);
}

/* ---- Long messages --------------------------------------------------------------------------- */

static unsigned done;

static void long_sender(uint64_t tid, uint64_t file) {
  static char data[90000];
  struct file *f = (struct file *)file;
  size_t n = 0;
  CHECK(ipc_send(ends[0], data, sizeof data, &f, 1, &n) == 0 && n == sizeof data);
  CHECK(ipc_write(ends[0], "tail", 4, &n) == 0);
  done++;
}

static void a_message_longer_than_the_channel(void **state) {
  struct file *a = ipc_plain();
  struct ipc_received r;
  ipc_put(ends[0], "head");
  fake_thread(long_sender, (uintptr_t)a);
  thread_yield();
  assert_int_equal(ipc_recv(ends[1], got, sizeof got, SOCK_RECV_WAITALL, 9, &r), 0);
  assert_int_equal(r.n, 4);
  assert_int_equal(ipc_recv(ends[1], got, sizeof got, SOCK_RECV_WAITALL, 9, &r), 0);
  assert_int_equal(r.n, 90000);
  assert_int_equal(r.fds->len, 1);
  drop(&r);
  fake_process_wait();
  assert_true(ipc_gives(ends[1], "tail"));
  file_unref(a);
}

/* ---- Limits and failures --------------------------------------------------------------------- */

static void a_channel_holds_so_many(void **state) {
  struct file *a = ipc_plain(), *many[500];
  struct ipc_received r;
  size_t n;
  for (int i = 0; i < 500; i++)
    many[i] = a;
  ends[0]->flags = FDFLAG_NONBLOCK;
  assert_int_equal(ipc_send(ends[0], "x", 1, many, 500, &n), 0);
  assert_int_equal(ipc_send(ends[0], "x", 1, many, 500, &n), 0);
  assert_int_equal(ipc_send(ends[0], "x", 1, many, 1, &n), EAGAIN);
  assert_int_equal(ipc_write(ends[0], "bytes have room", 15, &n), 0);
  assert_int_equal(ipc_recv(ends[1], got, 10, 0, 500, &r), 0);
  assert_int_equal(r.fds->len, 500);
  drop(&r);
  assert_int_equal(ipc_send(ends[0], "x", 1, many, 1, &n), 0);
  ipc_close(&ends[1]); /* with the rest in its queue */
  assert_int_equal(a->refs, 1);
  file_unref(a);
}

/* In the whole machine. */
static void so_many_are_in_flight(void **state) {
  struct file *a = ipc_plain(), *many[500];
  struct file *pairs[FLIGHT_MAX / 1000 + 1][2];
  size_t n, sent = 0, i;
  for (i = 0; i < 500; i++)
    many[i] = a;
  for (i = 0; i <= FLIGHT_MAX / 1000; i++) {
    assert_int_equal(ipc_pair(i % 2 ? FILETYPE_SOCKET_STREAM : FILETYPE_SOCKET_DGRAM, pairs[i]), 0);
    pairs[i][0]->flags = FDFLAG_NONBLOCK;
    for (int j = 0; j < 2 && ipc_send(pairs[i][0], "x", 1, many, 500, &n) == 0; j++)
      sent += 500;
  }
  assert_int_equal(sent, FLIGHT_MAX / 500 * 500);
  assert_int_equal(ipc_send(ends[0], "x", 1, many, 500, &n), ENFILE);
  assert_int_equal(a->refs, sent + 1);
  assert_int_equal(ipc_write(pairs[i - 1][0], "x", 1, &n), 0); /* bytes still go */
  for (i = 0; i <= FLIGHT_MAX / 1000; i++) {
    file_unref(pairs[i][0]);
    file_unref(pairs[i][1]);
  }
  assert_int_equal(ipc_send(ends[0], "x", 1, many, 500, &n), 0);
  file_unref(a);
}

static void failures_leave_them_alone(void **state) {
  struct file *a = ipc_plain();
  size_t n;
  for (filetype_t type = FILETYPE_SOCKET_DGRAM; type <= FILETYPE_SOCKET_STREAM; type++) {
    ipc_close_both();
    ipc_open(type);
    for (long budget = 0; budget < 2; budget++) {
      fake_alloc_budget = budget;
      assert_int_not_equal(ipc_send(ends[0], "x", 1, &a, 1, &n), 0);
      fake_alloc_budget = -1;
      assert_int_equal(a->refs, 1);
    }
    fake_bad_low = (uintptr_t)got;
    fake_bad_high = fake_bad_low + 1;
    assert_int_equal(ipc_send(ends[0], got, 1, &a, 1, &n), EFAULT);
    assert_int_equal(a->refs, 1);
    struct ipc_received r;
    ipc_pass(ends[0], a);
    assert_int_equal(ipc_recv(ends[1], got, 1, 0, 9, &r), EFAULT);
    assert_int_equal(a->in_flight, 1); /* the message is still there */
    fake_bad_high = fake_bad_low;
    assert_int_equal(ipc_recv(ends[1], got, 1, 0, 9, &r), 0);
    drop(&r);
    ends[1]->ops->shutdown(ends[1], SHUT_RD);
    assert_int_equal(ipc_send(ends[0], "x", 1, &a, 1, &n), EPIPE);
    assert_int_equal(a->refs, 1);
  }
  file_unref(a);
}

static void shutdown_drops_them(void **state) {
  struct file *a = ipc_plain();
  ipc_pass(ends[0], a);
  ipc_put(ends[0], "more");
  ipc_pass(ends[0], a);
  ends[1]->ops->shutdown(ends[1], SHUT_RD);
  assert_int_equal(a->refs, 1);
  assert_int_equal(flight_count(), 0);
  file_unref(a);
}

/* ---- Sockets that nobody can receive --------------------------------------------------------- */

static void over_its_peer(void **state) {
  ipc_pass(ends[0], ends[0]); /* into ends[1]'s queue */
  ipc_close(&ends[0]);
  assert_int_equal(flight_count(), 1); /* ends[1] can still be read */
  struct ipc_received r;
  assert_int_equal(ipc_recv(ends[1], got, 10, 0, 9, &r), 0);
  drop(&r);
  assert_true(ipc_gives(ends[1], ""));
}

static void over_itself(void **state) {
  ipc_pass(ends[1], ends[0]); /* into its own queue */
  assert_int_equal(flight_count(), 1);
  ipc_close(&ends[0]); /* nobody can read that queue */
  assert_int_equal(flight_count(), 0);
  assert_true(ipc_gives(ends[1], "")); /* and the peer is told */
}

static void both_over_each_other(void **state) {
  ipc_pass(ends[0], ends[0]);
  ipc_pass(ends[1], ends[1]);
  ipc_close(&ends[0]);
  assert_int_equal(flight_count(), 2); /* ends[1]'s queue has ends[0] in it */
  ipc_close(&ends[1]);
  assert_int_equal(flight_count(), 0);
}

/* Many sockets, each in the queue of the next; what the tests do not hold is found. */
static struct file *(*ring)[2];

static void ring_open(size_t n) {
  ring = calloc(n, sizeof *ring);
  for (size_t i = 0; i < n; i++)
    CHECK(ipc_pair(i % 2 ? FILETYPE_SOCKET_STREAM : FILETYPE_SOCKET_DGRAM, ring[i]) == 0);
}

static void rings(void **state) {
  for (size_t n = 1; n < 20; n++) {
    struct file *plain = ipc_plain();
    ring_open(n);
    for (size_t i = 0; i < n; i++) {
      ipc_pass(ring[(i + 1) % n][0], ring[i][1]);
      ipc_pass(ring[(i + 1) % n][0], plain);
    }
    for (size_t i = 0; i < n; i++)
      ipc_close(&ring[i][0]);
    for (size_t i = 0; i + 1 < n; i++)
      ipc_close(&ring[i][1]);
    ipc_settle();
    flight_collect();
    assert_int_equal(flight_count(), 2 * n); /* all can be reached from the last */
    assert_int_equal(plain->refs, n + 1);
    ipc_close(&ring[n - 1][1]);
    flight_collect(); /* if there are many, it comes later */
    assert_int_equal(flight_count(), 0);
    assert_int_equal(plain->refs, 1);
    file_unref(plain);
    free(ring);
  }
}

/* A ring that hangs in a queue which can be read, and a tail that hangs on the ring. */
static void a_ring_in_a_queue(void **state) {
  struct file *plain = ipc_plain();
  ring_open(4);
  for (size_t i = 0; i < 3; i++)
    ipc_pass(ring[(i + 1) % 3][0], ring[i][1]);
  ipc_pass(ring[2][0], ring[3][1]);
  ipc_pass(ring[3][0], plain);
  ipc_pass(ends[0], ring[0][1]);
  for (size_t i = 0; i < 4; i++) {
    ipc_close(&ring[i][0]);
    ipc_close(&ring[i][1]);
  }
  flight_collect();
  assert_int_equal(flight_count(), 6);
  assert_int_equal(plain->refs, 2);
  struct ipc_received r;
  assert_int_equal(ipc_recv(ends[1], got, 10, 0, 9, &r), 0);
  flight_collect();
  assert_int_equal(flight_count(), 5);
  drop(&r);
  flight_collect();
  assert_int_equal(flight_count(), 0);
  assert_int_equal(plain->refs, 1);
  file_unref(plain);
  free(ring);
}

/* Each in the next one's queue; the first is released by closing the last. */
static void a_deep_chain(void **state) {
  struct file *plain = ipc_plain(), *inner = plain;
  for (size_t i = 0; i < CHAIN; i++) {
    struct file *pair[2];
    CHECK(ipc_pair(FILETYPE_SOCKET_STREAM, pair) == 0);
    ipc_pass(pair[0], inner);
    file_unref(pair[0]);
    file_unref(inner);
    inner = pair[1];
  }
  assert_int_equal(flight_count(), CHAIN);
  ipc_settle();
  assert_int_equal(flight_count(), CHAIN);
  assert_int_equal(ipc_plain_alive, 1);
  ipc_close(&inner);
  assert_int_equal(flight_count(), 0);
  assert_int_equal(ipc_plain_alive, 0);
}

/* The same as a ring: found by the search, released without recursion. */
static void a_long_ring(void **state) {
  struct file *first[2], *inner;
  CHECK(ipc_pair(FILETYPE_SOCKET_STREAM, first) == 0);
  inner = file_ref(first[1]);
  for (size_t i = 0; i < CHAIN; i++) {
    struct file *pair[2];
    CHECK(ipc_pair(FILETYPE_SOCKET_STREAM, pair) == 0);
    ipc_pass(pair[0], inner);
    file_unref(pair[0]);
    file_unref(inner);
    inner = pair[1];
  }
  ipc_pass(first[0], inner);
  file_unref(inner);
  file_unref(first[0]);
  ipc_settle();
  assert_int_equal(flight_count(), CHAIN + 1);
  file_unref(first[1]);
  flight_collect();
  assert_int_equal(flight_count(), 0);
}

/* ---- When it is looked for ------------------------------------------------------------------- */

/* With many in flight, one change does not start a search; time does. */
static void a_search_comes_by_itself(void **state) {
  struct file *plain = ipc_plain();
  for (int i = 0; i < 200; i++)
    ipc_pass(ends[0], plain);
  struct file *lost[2];
  CHECK(ipc_pair(FILETYPE_SOCKET_STREAM, lost) == 0);
  ipc_pass(lost[0], lost[1]);
  ipc_close(&lost[0]);
  ipc_close(&lost[1]);
  assert_int_equal(flight_count(), 201);
  struct waitq q;
  waitq_init(&q);
  assert_int_equal(waitq_sleep(&q, fake_now_ns + 200000000), ETIMEDOUT);
  assert_int_equal(flight_count(), 200);
  file_unref(plain);
}

/* The sender's number is closed while it waits: the message holds the last reference. */
static void late_sender(uint64_t tid, uint64_t file) {
  struct file *f = (struct file *)file, *s = ends[0];
  size_t n = 0;
  CHECK(ipc_send(s, "x", 1, &f, 1, &n) == 0);
  done++;
}

static void closed_while_it_is_sent(void **state) {
  static char fill[CHANNEL_BYTES];
  struct file *lost[2];
  size_t n;
  done = 0;
  CHECK(ipc_pair(FILETYPE_SOCKET_STREAM, lost) == 0);
  ipc_pass(lost[0], lost[1]);
  assert_int_equal(ipc_write(ends[0], fill, sizeof fill, &n), 0);
  fake_thread(late_sender, (uintptr_t)lost[1]);
  thread_yield();
  ipc_close(&lost[1]); /* the sleeping call has a reference of its own */
  ipc_close(&lost[0]);
  assert_int_equal(ipc_read(ends[1], got, sizeof got, &n), 0);
  fake_process_wait();
  ipc_settle();
  assert_int_equal(flight_count(), 2);
  ipc_close(&ends[1]); /* the queue with it goes: nothing is left */
  flight_collect();
  assert_int_equal(flight_count(), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(entries_travel),
      TEST(borders),
      TEST(nobody_asked_for_them),
      TEST(peek_leaves_them),
      TEST(a_stream_message_needs_a_byte),
      TEST(datagrams_carry_them),
      TEST(a_message_longer_than_the_channel),
      TEST(a_channel_holds_so_many),
      TEST(so_many_are_in_flight),
      TEST(failures_leave_them_alone),
      TEST(shutdown_drops_them),
      TEST(over_its_peer),
      TEST(over_itself),
      TEST(both_over_each_other),
      TEST(rings),
      TEST(a_ring_in_a_queue),
      TEST(a_deep_chain),
      TEST(a_long_ring),
      TEST(a_search_comes_by_itself),
      TEST(closed_while_it_is_sent),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
