// sources: tests/host/netlab.c tests/host/netlab_kernel.c tests/host/netlab_peer.c kernel/file.c kernel/uio.c net/address.c net/listener.c net/netif.c net/start.c net/stream.c net/stream_send.c net/stream_tcp.c net/timers.c net/port/checksum.c net/port/demux.c net/port/isn.c net/port/memory.c net/port/random.c build/src/lwip/src/core/def.c build/src/lwip/src/core/ip.c build/src/lwip/src/core/mem.c build/src/lwip/src/core/memp.c build/src/lwip/src/core/netif.c build/src/lwip/src/core/pbuf.c build/src/lwip/src/core/tcp.c build/src/lwip/src/core/tcp_in.c build/src/lwip/src/core/tcp_out.c build/src/lwip/src/core/udp.c build/src/lwip/src/core/ipv4/dhcp.c build/src/lwip/src/core/ipv4/etharp.c build/src/lwip/src/core/ipv4/icmp.c build/src/lwip/src/core/ipv4/ip4.c build/src/lwip/src/core/ipv4/ip4_addr.c build/src/lwip/src/core/ipv6/ethip6.c build/src/lwip/src/core/ipv6/icmp6.c build/src/lwip/src/core/ipv6/ip6.c build/src/lwip/src/core/ipv6/ip6_addr.c build/src/lwip/src/core/ipv6/mld6.c build/src/lwip/src/core/ipv6/nd6.c build/src/lwip/src/netif/ethernet.c
// cflags: -Inet/port -Ibuild/src/lwip/src/include
/*
 * How connections end: in order, by reset, by silence, from either side, and what the program sees.
 */
#include "netlab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/net.h"
#include "net/port/port.h"

static struct file *listener;
static struct peer p;
static uint16_t next_port = 20000;

/* A connection, accepted. */
static struct file *connection(void) {
  struct file *f;
  peer_init(&p, next_port++, 80);
  assert_true(peer_connect(&p));
  assert_int_equal(lab_accept(listener, &f), 0);
  assert_int_equal(f->type, FILETYPE_SOCKET_STREAM);
  return f;
}

static void over(struct file *f) {
  lab.on_sleep = NULL;
  p.mute = false;
  if (f != NULL)
    lab_close(f);
  if (!p.got_rst)
    peer_reset(&p);
  peer_free(&p);
}

static uint8_t *pattern(size_t n) {
  uint8_t *b = malloc(n);
  for (size_t i = 0; i < n; i++)
    b[i] = (uint8_t)(i * 131 + (i >> 8) * 7);
  return b;
}

static void end_of_file_comes_after_the_data(void **state) {
  struct file *f = connection();
  char buf[10];
  size_t n;
  peer_send(&p, "bye", 3);
  peer_fin(&p);
  struct poll_state st = lab_poll(f, EVENTTYPE_FD_READ);
  assert_true(st.ready);
  assert_int_equal(st.flags, EVENT_FD_READWRITE_HANGUP);
  assert_int_equal(st.nbytes, 3);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
    assert_int_equal(n, 0);
  }
  /* The other direction still works: the peer may be waiting for its answer. */
  st = lab_poll(f, EVENTTYPE_FD_WRITE);
  assert_true(st.ready);
  assert_int_equal(st.flags, 0);
  assert_int_equal(lab_write(f, "answer", 6, &n), 0);
  assert_memory_equal(p.rx, "answer", 6);
  lab_close(f);
  assert_true(p.got_fin);
  assert_false(p.got_rst);
  over(NULL);
}

static void a_reset_is_told_once(void **state) {
  struct file *f = connection();
  char buf[10];
  size_t n;
  peer_send(&p, "last", 4);
  peer_reset(&p);
  assert_int_equal(lab_poll(f, EVENTTYPE_FD_READ).flags, EVENT_FD_READWRITE_HANGUP);
  assert_int_equal(lab_poll(f, EVENTTYPE_FD_WRITE).flags, EVENT_FD_READWRITE_HANGUP);
  assert_true(lab_poll(f, EVENTTYPE_FD_WRITE).ready);
  assert_int_equal(lab_write(f, "x", 1, &n), EPIPE);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 4);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), ECONNRESET);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(lab_shutdown(f, SHUT_WR), ENOTCONN);
  over(f);
}

static void close_sends_what_is_queued_then_fin(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(60000);
  size_t n;
  p.mute = true;
  f->flags |= FDFLAG_NONBLOCK;
  assert_int_equal(lab_write(f, data, 60000, &n), 0);
  assert_true(lab_unfinished());
  lab_close(f);
  assert_true(lab_unfinished());
  p.mute = false;
  lab_run(30000);
  assert_false(lab_unfinished());
  assert_int_equal(p.rx_len, n);
  assert_memory_equal(p.rx, data, n);
  assert_true(p.got_fin);
  assert_false(p.got_rst);
  free(data);
  over(NULL);
}

static void close_with_unread_bytes_resets(void **state) {
  struct file *f = connection();
  peer_send(&p, "unread", 6);
  lab_close(f);
  assert_true(p.got_rst);
  over(NULL);
}

static void data_after_close_is_refused(void **state) {
  struct file *f = connection();
  lab_close(f);
  assert_true(p.got_fin);
  peer_send(&p, "late", 4);
  assert_true(p.got_rst);
  over(NULL);
}

static void an_orphan_without_progress_is_reset(void **state) {
  size_t blocks = lab.allocated;
  struct file *f = connection();
  char buf[10];
  size_t n;
  p.window = 0;
  peer_send(&p, "xy", 1);
  peer_send(&p, "y", 1);
  assert_int_equal(lab_write(f, "stuck", 5, &n), 0);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  lab_close(f);
  lab_run(50000);
  assert_false(p.got_rst);
  lab_run(15000);
  assert_true(p.got_rst);
  assert_int_equal(lab.allocated, blocks);
  over(NULL);
}

static void a_silent_peer_times_out(void **state) {
  struct file *f = connection();
  char buf[10];
  size_t n;
  p.mute = true;
  assert_int_equal(lab_write(f, "anyone?", 7, &n), 0);
  lab_run(20 * 60 * 1000);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), ETIMEDOUT);
  assert_int_equal(lab_write(f, "anyone?", 7, &n), EPIPE);
  over(f);
}

static void a_vanished_idle_peer_is_noticed(void **state) {
  struct file *f = connection();
  char buf[10];
  size_t n;
  p.mute = true;
  lab_run(1000);
  unsigned before = p.segments;
  lab_run((2 * 60 + 15) * 60 * 1000);
  assert_true(p.segments > before);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), ETIMEDOUT);
  over(f);
}

static void shutdown_write(void **state) {
  size_t blocks = lab.allocated;
  struct file *f = connection();
  char buf[20];
  size_t n;
  assert_int_equal(lab_write(f, "done", 4, &n), 0);
  assert_int_equal(lab_shutdown(f, SHUT_WR), 0);
  assert_true(p.got_fin);
  assert_int_equal(lab_write(f, "x", 1, &n), EPIPE);
  assert_true(lab_poll(f, EVENTTYPE_FD_WRITE).ready);
  assert_int_equal(lab_poll(f, EVENTTYPE_FD_WRITE).flags, EVENT_FD_READWRITE_HANGUP);
  peer_send(&p, "answer", 6); /* the other direction still works */
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 6);
  peer_send(&p, "more", 4);
  peer_fin(&p); /* now lwIP has the connection for itself */
  assert_int_equal(p.last_ack, p.seq);
  lab_run(10 * 60 * 1000);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 4);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(lab_shutdown(f, SHUT_RD | SHUT_WR), 0);
  lab_close(f);
  assert_int_equal(lab.allocated, blocks);
  over(NULL);
}

static void shutdown_after_the_peers_fin(void **state) {
  size_t blocks = lab.allocated;
  struct file *f = connection();
  peer_fin(&p);
  assert_int_equal(lab_shutdown(f, SHUT_WR), 0);
  assert_true(p.got_fin);
  lab_close(f);
  assert_int_equal(lab.allocated, blocks);
  over(NULL);
}

static void shutdown_read(void **state) {
  struct file *f = connection();
  char buf[20];
  size_t n;
  peer_send(&p, "unread", 6);
  assert_int_equal(lab_shutdown(f, SHUT_RD), 0);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 0);
  peer_send(&p, "ignored", 7);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(lab_write(f, "still here", 10, &n), 0);
  assert_memory_equal(p.rx, "still here", 10);
  lab_close(f);
  assert_true(p.got_fin);
  assert_false(p.got_rst);
  over(NULL);
}

static int setup(void **state) {
  struct net_address any = {.port = 80};
  lab.ip = "10.0.2.15/24";
  lab.gw = "10.0.2.2";
  return lab_start() && net_listen(&any, &listener) == 0 ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(end_of_file_comes_after_the_data),
      cmocka_unit_test(a_reset_is_told_once),
      cmocka_unit_test(close_sends_what_is_queued_then_fin),
      cmocka_unit_test(close_with_unread_bytes_resets),
      cmocka_unit_test(data_after_close_is_refused),
      cmocka_unit_test(an_orphan_without_progress_is_reset),
      cmocka_unit_test(a_silent_peer_times_out),
      cmocka_unit_test(a_vanished_idle_peer_is_noticed),
      cmocka_unit_test(shutdown_write),
      cmocka_unit_test(shutdown_after_the_peers_fin),
      cmocka_unit_test(shutdown_read),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
