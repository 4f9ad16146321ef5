// sources: tests/host/netlab.c tests/host/netlab_kernel.c tests/host/netlab_peer.c kernel/file.c kernel/uio.c net/address.c net/listener.c net/netif.c net/start.c net/stream.c net/stream_send.c net/stream_tcp.c net/timers.c net/port/checksum.c net/port/demux.c net/port/isn.c net/port/memory.c net/port/random.c build/src/lwip/src/core/def.c build/src/lwip/src/core/ip.c build/src/lwip/src/core/mem.c build/src/lwip/src/core/memp.c build/src/lwip/src/core/netif.c build/src/lwip/src/core/pbuf.c build/src/lwip/src/core/tcp.c build/src/lwip/src/core/tcp_in.c build/src/lwip/src/core/tcp_out.c build/src/lwip/src/core/udp.c build/src/lwip/src/core/ipv4/dhcp.c build/src/lwip/src/core/ipv4/etharp.c build/src/lwip/src/core/ipv4/icmp.c build/src/lwip/src/core/ipv4/ip4.c build/src/lwip/src/core/ipv4/ip4_addr.c build/src/lwip/src/core/ipv6/ethip6.c build/src/lwip/src/core/ipv6/icmp6.c build/src/lwip/src/core/ipv6/ip6.c build/src/lwip/src/core/ipv6/ip6_addr.c build/src/lwip/src/core/ipv6/mld6.c build/src/lwip/src/core/ipv6/nd6.c build/src/lwip/src/netif/ethernet.c
// cflags: -Inet/port -Ibuild/src/lwip/src/include
/*
 * Stream sockets as a program has them: requests and answers, waiting both ways, flags. How
 * connections end is in test_net_end.c.
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

static void request_and_answer(void **state) {
  struct file *f = connection();
  char buf[100];
  size_t n;
  assert_false(lab_poll(f, EVENTTYPE_FD_READ).ready);
  assert_true(lab_poll(f, EVENTTYPE_FD_WRITE).ready);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), ECANCELED); /* it would wait */
  unsigned before = p.segments;
  peer_send(&p, "GET /", 5);
  assert_int_equal(p.segments, before); /* no bare acknowledgement yet */
  struct poll_state st = lab_poll(f, EVENTTYPE_FD_READ);
  assert_true(st.ready);
  assert_int_equal(st.nbytes, 5);
  assert_int_equal(st.flags, 0);
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 5);
  assert_memory_equal(buf, "GET /", 5);
  assert_int_equal(lab_write(f, "hello", 5, &n), 0);
  assert_int_equal(n, 5);
  assert_int_equal(p.segments, before + 1); /* the answer carries it */
  assert_int_equal(p.last_ack, p.seq);
  assert_int_equal(p.rx_len, 5);
  assert_memory_equal(p.rx, "hello", 5);
  over(f);
}

static void gathered_write_makes_one_segment(void **state) {
  struct file *f = connection();
  struct iovec v[4] = {{"HTTP", 4}, {"", 0}, {"/1.1", 4}, {"!", 1}};
  struct uio u;
  unsigned before = p.segments;
  assert_int_equal(uio_init_user(&u, v, 4), 0);
  assert_int_equal(f->ops->write(f, &u), 0);
  lab_pump();
  assert_int_equal(u.resid, 0);
  assert_int_equal(p.segments, before + 1);
  assert_memory_equal(p.rx, "HTTP/1.1!", 9);
  over(f);
}

static uint8_t *pattern(size_t n) {
  uint8_t *b = malloc(n);
  for (size_t i = 0; i < n; i++)
    b[i] = (uint8_t)(i * 131 + (i >> 8) * 7);
  return b;
}

static void a_full_receive_window_closes_and_opens(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(1 << 20), *got = malloc(1 << 20);
  size_t sent = 0, read = 0, n;
  lab_run(1);
  while (p.vm_window >= 1460 && sent < 1 << 20) {
    peer_send(&p, data + sent, 1460);
    sent += 1460;
    lab_run(300); /* the delayed acknowledgement, too */
  }
  assert_in_range(sent, net_tcp_window - 3000, net_tcp_window);
  assert_in_range(p.vm_window, 0, 1459);
  assert_int_equal(lab_poll(f, EVENTTYPE_FD_READ).nbytes, sent);
  while (read < sent) {
    assert_int_equal(lab_read(f, got + read, 10000, &n), 0);
    read += n;
  }
  assert_int_equal(read, sent);
  assert_memory_equal(got, data, sent);
  assert_in_range(p.vm_window, net_tcp_window - 4 * 1460, net_tcp_window);
  free(data);
  free(got);
  over(f);
}

static void bytes_beyond_the_window_are_not_taken(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(4 << 20);
  peer_send(&p, data, 4 << 20);
  assert_in_range(lab_poll(f, EVENTTYPE_FD_READ).nbytes, 1, net_tcp_window);
  free(data);
  over(f);
}

static void segments_out_of_order_are_put_in_order(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(30000), got[30000];
  size_t n;
  for (int i = 29; i >= 0; i--) /* the last first, and each twice */
    for (int twice = 0; twice < 2; twice++)
      peer_segment(&p, ACK, p.seq + (uint32_t)i * 1000, data + i * 1000, 1000);
  p.seq += 30000;
  assert_int_equal(lab_read(f, got, sizeof got, &n), 0);
  assert_int_equal(n, 30000);
  assert_memory_equal(got, data, 30000);
  free(data);
  over(f);
}

static void the_window_is_not_overrun_out_of_order(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(1 << 20);
  uint32_t edge = p.seq + net_tcp_window;
  peer_segment(&p, ACK, edge - 100, data, 1460); /* reaches 1360 bytes beyond it */
  while (p.seq != edge) {
    uint32_t part = edge - p.seq < 1460 ? edge - p.seq : 1460;
    peer_send(&p, data, part);
  }
  lab_run(300);
  assert_int_equal(lab_poll(f, EVENTTYPE_FD_READ).nbytes, net_tcp_window);
  assert_int_equal(lab_poll(f, EVENTTYPE_FD_READ).flags, 0);
  assert_int_equal(p.last_ack, edge);
  assert_int_equal(p.vm_window, 0);
  free(data);
  over(f);
}

static void single_bytes_do_not_hold_a_buffer_each(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(20000), got[20000];
  size_t n;
  unsigned lent = lab.lent;
  size_t used = net_memory_used();
  for (int i = 0; i < 20000; i++)
    peer_send(&p, data + i, 1);
  assert_true(lab.lent <= lent + 1);
  assert_true(net_memory_used() < used + 24000);
  assert_int_equal(lab_read(f, got, sizeof got, &n), 0);
  assert_int_equal(n, 20000);
  assert_memory_equal(got, data, 20000);
  assert_int_equal(lab.lent, lent);
  free(data);
  over(f);
}

static void a_full_send_buffer_stops_the_writer(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(4 << 20);
  size_t n, sent = 0;
  f->flags |= FDFLAG_NONBLOCK;
  p.mute = true;
  while (lab_write(f, data + sent, (4 << 20) - sent, &n) == 0)
    sent += n;
  assert_in_range(sent, net_tcp_sndbuf - 1460, net_tcp_sndbuf);
  assert_int_equal(lab_write(f, data, 1000, &n), EAGAIN);
  assert_int_equal(n, 0);
  assert_false(lab_poll(f, EVENTTYPE_FD_WRITE).ready);
  p.mute = false;
  lab_run(60000); /* it sends again what was not acknowledged, and the rest */
  assert_int_equal(p.rx_len, sent);
  assert_true(lab_poll(f, EVENTTYPE_FD_WRITE).ready);
  assert_int_equal(lab_write(f, data + sent, 100000, &n), 0);
  lab_run(1000);
  assert_int_equal(p.rx_len, sent + n);
  assert_memory_equal(p.rx, data, sent + n);
  free(data);
  over(f);
}

static bool open_window(void) {
  p.window = 65535 << 7;
  p.mute = false;
  lab_run(250);
  return true;
}

static void a_blocking_write_waits_and_moves_everything(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(4 << 20);
  size_t n;
  p.mute = true;
  lab.on_sleep = open_window;
  assert_int_equal(lab_write(f, data, 4 << 20, &n), 0);
  assert_int_equal(n, 4 << 20);
  lab_run(1000);
  assert_int_equal(p.rx_len, 4 << 20);
  assert_memory_equal(p.rx, data, 4 << 20);
  free(data);
  over(f);
}

static void a_closed_peer_window_is_probed(void **state) {
  struct file *f = connection();
  uint8_t *data = pattern(100000);
  size_t n;
  p.window = 0;
  peer_send(&p, "xy", 1);
  peer_send(&p, "y", 1);
  f->flags |= FDFLAG_NONBLOCK;
  assert_int_equal(lab_write(f, data, 60000, &n), 0);
  size_t before = p.rx_len;
  assert_int_equal(before, 0);
  p.window = 65535 << 7; /* the update is lost: only the probe's answer tells */
  lab_run(10000);
  assert_int_equal(p.rx_len, n);
  assert_memory_equal(p.rx, data, n);
  free(data);
  over(f);
}

static bool peer_says_hello(void) {
  peer_send(&p, "hello", 5);
  return true;
}

static bool peer_ends(void) {
  peer_fin(&p);
  return true;
}

static bool peer_breaks(void) {
  peer_reset(&p);
  return true;
}

static void a_blocked_read_is_woken(void **state) {
  struct file *f = connection();
  char buf[10];
  size_t n;
  lab.on_sleep = peer_says_hello;
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 5);
  lab.on_sleep = peer_ends;
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 0);
  over(f);
  f = connection();
  lab.on_sleep = peer_breaks;
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), ECONNRESET);
  over(f);
}

static void peek_leaves_the_bytes(void **state) {
  struct file *f = connection();
  char buf[20];
  size_t n;
  peer_send(&p, "hello ", 6);
  peer_send(&p, "world!", 6);
  assert_int_equal(lab_recv(f, buf, sizeof buf, SOCK_RECV_PEEK, &n), 0);
  assert_int_equal(n, 12);
  assert_memory_equal(buf, "hello world!", 12);
  assert_int_equal(lab_recv(f, buf, 3, SOCK_RECV_PEEK, &n), 0);
  assert_int_equal(n, 3);
  assert_int_equal(lab_recv(f, buf, sizeof buf, 0, &n), 0);
  assert_int_equal(n, 12);
  assert_int_equal(lab_recv(f, buf, sizeof buf, 1 << 8, &n), EINVAL);
  over(f);
}

static void waitall_waits(void **state) {
  struct file *f = connection();
  char buf[20];
  size_t n;
  lab.on_sleep = peer_says_hello;
  assert_int_equal(lab_recv(f, buf, 12, SOCK_RECV_WAITALL, &n), 0);
  assert_int_equal(n, 12);
  assert_memory_equal(buf, "hellohellohe", 12);
  lab.on_sleep = peer_ends;
  assert_int_equal(lab_recv(f, buf, sizeof buf, SOCK_RECV_WAITALL, &n), 0);
  assert_int_equal(n, 3);
  over(f);
}

static void nonblocking_read(void **state) {
  struct file *f = connection();
  char buf[20];
  size_t n;
  f->flags |= FDFLAG_NONBLOCK;
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), EAGAIN);
  assert_int_equal(lab_recv(f, buf, sizeof buf, SOCK_RECV_PEEK, &n), EAGAIN);
  peer_send(&p, "hello", 5);
  assert_int_equal(lab_recv(f, buf, sizeof buf, SOCK_RECV_WAITALL, &n), 0);
  assert_int_equal(n, 5);
  assert_int_equal(lab_read(f, buf, 0, &n), 0);
  over(f);
}

static void descriptors_do_not_travel(void **state) {
  struct file *f = connection();
  struct iovec v = {"x", 1};
  struct uio u;
  struct fd_bundle none = {0};
  assert_int_equal(uio_init_user(&u, &v, 1), 0);
  struct sockmsg msg = {.uio = &u, .fds = &none};
  assert_int_equal(f->ops->send(f, &msg), ENOTSUP);
  assert_ptr_equal(msg.fds, &none); /* still the caller's */
  msg.fds = NULL;
  msg.flags = 1;
  assert_int_equal(f->ops->send(f, &msg), EINVAL);
  over(f);
}

static void names_of_both_ends(void **state) {
  struct file *f = connection();
  struct sockstat st = {0};
  assert_int_equal(f->ops->sockstat(f, &st, 0), 0);
  assert_int_equal(st.ss_sockname.sa_family, AF_INET);
  assert_memory_equal(st.ss_sockname.sa_inet.addr, "\12\0\2\17", 4);
  assert_int_equal(st.ss_sockname.sa_inet.port, 80);
  assert_int_equal(st.ss_peername.sa_family, AF_INET);
  assert_memory_equal(st.ss_peername.sa_inet.addr, "\12\0\2\2", 4);
  assert_int_equal(st.ss_peername.sa_inet.port, p.port);
  assert_int_equal(st.ss_state, 0);
  over(f);
  st = (struct sockstat){0};
  assert_int_equal(listener->ops->sockstat(listener, &st, 0), 0);
  assert_int_equal(st.ss_sockname.sa_family, AF_INET);
  assert_int_equal(st.ss_sockname.sa_inet.port, 80);
  assert_int_equal(st.ss_peername.sa_family, AF_UNSPEC);
  assert_int_equal(st.ss_state, SOCKSTATE_ACCEPTCONN);
}

static int setup(void **state) {
  struct net_address any = {.port = 80};
  lab.ip = "10.0.2.15/24";
  lab.gw = "10.0.2.2";
  return lab_start() && net_listen(&any, &listener) == 0 ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(request_and_answer),
      cmocka_unit_test(gathered_write_makes_one_segment),
      cmocka_unit_test(a_full_receive_window_closes_and_opens),
      cmocka_unit_test(bytes_beyond_the_window_are_not_taken),
      cmocka_unit_test(segments_out_of_order_are_put_in_order),
      cmocka_unit_test(the_window_is_not_overrun_out_of_order),
      cmocka_unit_test(single_bytes_do_not_hold_a_buffer_each),
      cmocka_unit_test(a_full_send_buffer_stops_the_writer),
      cmocka_unit_test(a_blocking_write_waits_and_moves_everything),
      cmocka_unit_test(a_closed_peer_window_is_probed),
      cmocka_unit_test(a_blocked_read_is_woken),
      cmocka_unit_test(peek_leaves_the_bytes),
      cmocka_unit_test(waitall_waits),
      cmocka_unit_test(nonblocking_read),
      cmocka_unit_test(descriptors_do_not_travel),
      cmocka_unit_test(names_of_both_ends),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
