// sources: ipc/channel.c ipc/channel_read.c ipc/channel_write.c ipc/socket.c ipc/local.c ipc/flight.c
// sources: kernel/thread.c kernel/waitq.c kernel/timer.c kernel/bh.c kernel/lock_object.c
// sources: kernel/file.c kernel/uio.c
/*
 * Local sockets with names: binding, listening, connecting, accepting, and what they tell of
 * themselves. Reference 9.2.
 */
#include "tests/host/ipc_fixture.h"

static struct ipc_node node;
static struct file *listener, *client, *server;

static struct file *new_socket(filetype_t type) {
  struct file *f;
  CHECK(ipc_socket(type, &f) == 0);
  return f;
}

static int setup(void **state) {
  ipc_begin(state);
  node = ipc_node(FILETYPE_SOCKET_STREAM);
  listener = client = server = NULL;
  return 0;
}

static int teardown(void **state) {
  struct file *all[] = {listener, client, server};
  for (int i = 0; i < 3; i++) {
    if (all[i] != NULL)
      file_unref(all[i]);
  }
  int e = ipc_end(state);
  CHECK(node.vnode.refs == 1 && node.endpoint == NULL);
  return e;
}

static void listen_with(filetype_t type, backlog_t backlog) {
  listener = new_socket(type);
  CHECK(ipc_bind(listener, &node.vnode) == 0);
  CHECK(ipc_listen(listener, backlog) == 0);
}

static errno_t connect_new(filetype_t type, struct file **f) {
  *f = new_socket(type);
  return ipc_connect(*f, &node.vnode);
}

static struct sockstat stat_of(struct file *f, ssflags_t flags) {
  struct sockstat st = {0};
  CHECK(f->ops->sockstat(f, &st, flags) == 0);
  return st;
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void a_connection(void **state) {
  for (filetype_t type = FILETYPE_SOCKET_SEQPACKET; type <= FILETYPE_SOCKET_STREAM; type++) {
    listen_with(type, 5);
    assert_int_equal(connect_new(type, &client), 0);
    ipc_put(client, "before it is accepted");
    struct poll_state st = ipc_poll(listener, EVENTTYPE_FD_READ);
    assert_true(st.ready && st.nbytes == 1 && st.flags == 0);
    assert_int_equal(listener->ops->accept(listener, &server), 0);
    assert_int_equal(server->refs, 1);
    assert_int_equal(server->in_flight, 0);
    assert_int_equal(server->type, type);
    assert_true(ipc_gives(server, "before it is accepted"));
    ipc_put(server, "hello");
    assert_true(ipc_gives(client, "hello"));
    assert_int_equal(ipc_connect(client, &node.vnode), EISCONN);
    assert_int_equal(ipc_listen(client, 5), EINVAL);
    ipc_close(&listener); /* connections stay */
    ipc_put(client, "still");
    assert_true(ipc_gives(server, "still"));
    ipc_close(&client);
    assert_true(ipc_gives(server, ""));
    ipc_close(&server);
  }
}

static void refusals(void **state) {
  static const struct vnode_ops none;
  struct ipc_node other = ipc_node(FILETYPE_REGULAR_FILE);
  struct file *dgram = new_socket(FILETYPE_SOCKET_DGRAM);
  size_t n;
  client = new_socket(FILETYPE_SOCKET_STREAM);
  assert_int_equal(ipc_connect(client, &other.vnode), ENOTSOCK);
  other.vnode.type = FILETYPE_FIFO;
  assert_int_equal(ipc_connect(client, &other.vnode), ENOTSOCK);
  assert_int_equal(ipc_connect(client, &node.vnode), ECONNREFUSED); /* nobody is bound */
  assert_int_equal(ipc_listen(client, 5), EDESTADDRREQ);
  assert_int_equal(ipc_listen(dgram, 5), ENOTSUP);
  listener = new_socket(FILETYPE_SOCKET_STREAM);
  assert_int_equal(ipc_can_bind(listener), 0);
  assert_int_equal(ipc_bind(listener, &node.vnode), 0);
  assert_int_equal(ipc_can_bind(listener), EINVAL);
  assert_int_equal(ipc_bind(listener, &other.vnode), EINVAL);
  assert_int_equal(ipc_connect(client, &node.vnode), ECONNREFUSED); /* does not listen */
  assert_int_equal(listener->ops->accept(listener, &server), EINVAL);
  assert_int_equal(ipc_listen(listener, 0), 0);
  assert_int_equal(ipc_listen(listener, 3), 0); /* again */
  assert_int_equal(ipc_connect(listener, &node.vnode), ENOTSUP);
  assert_int_equal(ipc_connect(dgram, &node.vnode), EPROTOTYPE);
  assert_int_equal(ipc_read(listener, &n, 1, &n), ENOTCONN);
  assert_int_equal(ipc_write(listener, "x", 1, &n), ENOTCONN);
  assert_int_equal(listener->ops->shutdown(listener, SHUT_RD), ENOTCONN);
  other.vnode.ops = &none; /* a file system that keeps no endpoints */
  other.vnode.type = FILETYPE_SOCKET_STREAM;
  assert_int_equal(ipc_connect(client, &other.vnode), ECONNREFUSED);
  assert_int_equal(ipc_bind(client, &other.vnode), ENOTSUP);
  file_unref(dgram);
}

static void unconnected(void **state) {
  size_t n;
  struct poll_state st;
  client = new_socket(FILETYPE_SOCKET_STREAM);
  assert_int_equal(ipc_read(client, &n, 1, &n), ENOTCONN);
  assert_int_equal(ipc_write(client, "x", 1, &n), ENOTCONN);
  assert_int_equal(client->ops->shutdown(client, SHUT_WR), ENOTCONN);
  st = ipc_poll(client, EVENTTYPE_FD_WRITE);
  assert_true(st.ready && st.flags == EVENT_FD_READWRITE_HANGUP);
  assert_true(ipc_poll(client, EVENTTYPE_FD_READ).ready);
  ipc_close(&client);
  client = new_socket(FILETYPE_SOCKET_DGRAM);
  assert_int_equal(ipc_read(client, &n, 1, &n), ENOTCONN);
  assert_int_equal(ipc_write(client, "x", 1, &n), EDESTADDRREQ);
  assert_int_equal(client->ops->shutdown(client, SHUT_WR), ENOTCONN);
}

static void the_queue_is_bounded(void **state) {
  struct file *clients[130];
  for (backlog_t backlog = 0; backlog < 1000; backlog = backlog * 10 + 1) {
    backlog_t most = backlog == 0 ? 1 : backlog < 128 ? backlog : 128, i;
    listen_with(FILETYPE_SOCKET_STREAM, backlog);
    for (i = 0; i < most; i++)
      assert_int_equal(connect_new(FILETYPE_SOCKET_STREAM, &clients[i]), 0);
    client = new_socket(FILETYPE_SOCKET_STREAM);
    assert_int_equal(ipc_connect(client, &node.vnode), ECONNREFUSED);
    assert_int_equal(listener->ops->accept(listener, &server), 0);
    assert_int_equal(ipc_connect(client, &node.vnode), 0);
    for (i = 0; i < most; i++)
      ipc_close(&clients[i]);
    ipc_close(&client);
    ipc_close(&server);
    ipc_close(&listener);
  }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static unsigned accepted;

static void accepting(uint64_t tid, uint64_t arg) {
  struct file *conn;
  CHECK(listener->ops->accept(listener, &conn) == 0);
  accepted++;
  ipc_put(conn, "welcome");
  file_unref(conn);
}

static void accept_waits(void **state) {
  listen_with(FILETYPE_SOCKET_STREAM, 5);
  accepted = 0;
  fake_thread(accepting, 0);
  fake_thread(accepting, 0);
  thread_yield();
  assert_int_equal(accepted, 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(connect_new(FILETYPE_SOCKET_STREAM, &client), 0);
    for (int j = 0; j < 5; j++)
      thread_yield();
    assert_int_equal(accepted, i + 1);
    assert_true(ipc_gives(client, "welcome"));
    ipc_close(&client);
  }
  fake_process_wait();
  listener->flags = FDFLAG_NONBLOCK;
  assert_int_equal(listener->ops->accept(listener, &server), EAGAIN);
  assert_false(ipc_poll(listener, EVENTTYPE_FD_READ).ready);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void never_accepted(void **state) {
  char c;
  size_t n = 9;
  listen_with(FILETYPE_SOCKET_STREAM, 5);
  assert_int_equal(connect_new(FILETYPE_SOCKET_STREAM, &client), 0);
  ipc_close(&listener);
  assert_true(ipc_poll(client, EVENTTYPE_FD_READ).ready);
  assert_int_equal(stat_of(client, 0).ss_error, ECONNABORTED);
  assert_int_equal(stat_of(client, SOCKSTAT_CLEAR_ERROR).ss_error, ECONNABORTED);
  assert_int_equal(stat_of(client, 0).ss_error, 0);
  assert_true(ipc_gives(client, ""));
  ipc_close(&client);
  listen_with(FILETYPE_SOCKET_STREAM, 5);
  assert_int_equal(connect_new(FILETYPE_SOCKET_STREAM, &client), 0);
  ipc_close(&listener);
  assert_int_equal(ipc_read(client, &c, 1, &n), ECONNABORTED); /* once */
  assert_true(ipc_gives(client, ""));
  assert_int_equal(ipc_write(client, "x", 1, &n), EPIPE);
}

static void a_client_that_left(void **state) {
  listen_with(FILETYPE_SOCKET_STREAM, 5);
  assert_int_equal(connect_new(FILETYPE_SOCKET_STREAM, &client), 0);
  ipc_put(client, "bye");
  ipc_close(&client);
  assert_int_equal(listener->ops->accept(listener, &server), 0);
  assert_true(ipc_gives(server, "bye") && ipc_gives(server, ""));
}

/* The node stays; nobody is there. Another socket can't take the node over. */
static void the_name_stays(void **state) {
  listen_with(FILETYPE_SOCKET_STREAM, 5);
  assert_int_equal(node.vnode.refs, 2);
  ipc_close(&listener);
  assert_int_equal(node.vnode.refs, 1);
  assert_null(node.endpoint);
  assert_int_equal(connect_new(FILETYPE_SOCKET_STREAM, &client), ECONNREFUSED);
}

/* A listener in the queue of a connection that waits to be accepted from it. */
static void a_ring_over_a_listener(void **state) {
  listen_with(FILETYPE_SOCKET_STREAM, 5);
  assert_int_equal(connect_new(FILETYPE_SOCKET_STREAM, &client), 0);
  ipc_pass(client, listener);
  assert_int_equal(flight_count(), 2);
  ipc_close(&listener);
  flight_collect();
  assert_int_equal(flight_count(), 0);
}

static void without_memory(void **state) {
  listen_with(FILETYPE_SOCKET_STREAM, 5);
  client = new_socket(FILETYPE_SOCKET_STREAM);
  for (long budget = 0; budget < 3; budget++) {
    fake_alloc_budget = budget;
    assert_int_not_equal(ipc_connect(client, &node.vnode), 0);
    fake_alloc_budget = -1;
    assert_false(ipc_poll(listener, EVENTTYPE_FD_READ).ready);
  }
  assert_int_equal(ipc_connect(client, &node.vnode), 0);
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

static void datagrams_by_name(void **state) {
  struct ipc_node other = ipc_node(FILETYPE_SOCKET_DGRAM);
  node.vnode.type = FILETYPE_SOCKET_DGRAM;
  listener = new_socket(FILETYPE_SOCKET_DGRAM);
  server = new_socket(FILETYPE_SOCKET_DGRAM);
  size_t n;
  assert_int_equal(ipc_bind(listener, &node.vnode), 0);
  assert_int_equal(ipc_bind(server, &other.vnode), 0);
  assert_int_equal(connect_new(FILETYPE_SOCKET_DGRAM, &client), 0);
  ipc_put(client, "first");
  assert_int_equal(ipc_connect(client, &other.vnode), 0); /* another destination */
  ipc_put(client, "second");
  assert_true(ipc_gives(listener, "first"));
  assert_true(ipc_gives(server, "second"));
  ipc_close(&server);
  assert_int_equal(ipc_write(client, "x", 1, &n), EPIPE);
  assert_null(other.endpoint);
  assert_int_equal(ipc_connect(client, &node.vnode), 0);
  ipc_put(client, "again");
  listener->flags = FDFLAG_NONBLOCK;
  assert_true(ipc_gives(listener, "again"));
  ipc_close(&client); /* no end for who has a name: others may send */
  assert_int_equal(ipc_read(listener, &n, 1, &n), EAGAIN);
  assert_int_equal(ipc_connect(listener, &node.vnode), 0); /* to itself */
  ipc_put(listener, "echo");
  assert_true(ipc_gives(listener, "echo"));
}

static struct file *full;

static void waiting_sender(uint64_t tid, uint64_t arg) {
  static char data[9000];
  size_t n = 0;
  CHECK(ipc_write(client, data, sizeof data, &n) == 0);
  accepted++;
}

/* The sender sleeps at one destination, and wakes up with another. */
static void a_destination_changes(void **state) {
  static char data[60000];
  struct ipc_node other = ipc_node(FILETYPE_SOCKET_DGRAM);
  size_t n;
  node.vnode.type = FILETYPE_SOCKET_DGRAM;
  full = new_socket(FILETYPE_SOCKET_DGRAM);
  listener = new_socket(FILETYPE_SOCKET_DGRAM);
  accepted = 0;
  assert_int_equal(ipc_bind(full, &other.vnode), 0);
  assert_int_equal(ipc_bind(listener, &node.vnode), 0);
  client = new_socket(FILETYPE_SOCKET_DGRAM);
  assert_int_equal(ipc_connect(client, &other.vnode), 0);
  assert_int_equal(ipc_write(client, data, sizeof data, &n), 0);
  fake_thread(waiting_sender, 0);
  thread_yield();
  assert_int_equal(accepted, 0);
  assert_int_equal(ipc_connect(client, &node.vnode), 0);
  fake_process_wait();
  assert_int_equal(ipc_poll(listener, EVENTTYPE_FD_READ).nbytes, 9000);
  ipc_close(&full);
}

/* ---- What they tell -------------------------------------------------------------------------- */

static void states(void **state) {
  struct sockstat st;
  listener = new_socket(FILETYPE_SOCKET_STREAM);
  st = stat_of(listener, 0);
  assert_int_equal(st.ss_sockname.sa_family, AF_UNSPEC);
  assert_int_equal(st.ss_peername.sa_family, AF_UNSPEC);
  assert_int_equal(st.ss_state, 0);
  assert_int_equal(ipc_bind(listener, &node.vnode), 0);
  assert_int_equal(stat_of(listener, 0).ss_sockname.sa_family, AF_UNIX);
  assert_int_equal(ipc_listen(listener, 1), 0);
  assert_int_equal(stat_of(listener, 0).ss_state, SOCKSTATE_ACCEPTCONN);
  assert_int_equal(stat_of(listener, 0).ss_peername.sa_family, AF_UNSPEC);
  assert_int_equal(connect_new(FILETYPE_SOCKET_STREAM, &client), 0);
  st = stat_of(client, 0);
  assert_int_equal(st.ss_peername.sa_family, AF_UNIX);
  assert_int_equal(st.ss_state, 0);
  assert_int_equal(listener->ops->accept(listener, &server), 0);
  assert_int_equal(stat_of(server, 0).ss_peername.sa_family, AF_UNIX);
  ipc_close(&client);
  assert_int_equal(stat_of(server, 0).ss_peername.sa_family, AF_UNSPEC);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_connection),
      TEST(refusals),
      TEST(unconnected),
      TEST(the_queue_is_bounded),
      TEST(accept_waits),
      TEST(never_accepted),
      TEST(a_client_that_left),
      TEST(the_name_stays),
      TEST(a_ring_over_a_listener),
      TEST(without_memory),
      TEST(datagrams_by_name),
      TEST(a_destination_changes),
      TEST(states),
  };
  return cmocka_run_group_tests(tests, fake_setup, NULL);
}
