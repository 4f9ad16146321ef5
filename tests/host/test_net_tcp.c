// sources: tests/host/netlab.c tests/host/netlab_kernel.c tests/host/netlab_peer.c kernel/file.c kernel/uio.c net/address.c net/listener.c net/netif.c net/start.c net/stream.c net/stream_send.c net/stream_tcp.c net/timers.c net/port/checksum.c net/port/demux.c net/port/isn.c net/port/memory.c net/port/random.c build/src/lwip/src/core/def.c build/src/lwip/src/core/ip.c build/src/lwip/src/core/mem.c build/src/lwip/src/core/memp.c build/src/lwip/src/core/netif.c build/src/lwip/src/core/pbuf.c build/src/lwip/src/core/tcp.c build/src/lwip/src/core/tcp_in.c build/src/lwip/src/core/tcp_out.c build/src/lwip/src/core/udp.c build/src/lwip/src/core/ipv4/dhcp.c build/src/lwip/src/core/ipv4/etharp.c build/src/lwip/src/core/ipv4/icmp.c build/src/lwip/src/core/ipv4/ip4.c build/src/lwip/src/core/ipv4/ip4_addr.c build/src/lwip/src/core/ipv6/ethip6.c build/src/lwip/src/core/ipv6/icmp6.c build/src/lwip/src/core/ipv6/ip6.c build/src/lwip/src/core/ipv6/ip6_addr.c build/src/lwip/src/core/ipv6/mld6.c build/src/lwip/src/core/ipv6/nd6.c build/src/lwip/src/netif/ethernet.c
// cflags: -Inet/port -Ibuild/src/lwip/src/include
/*
 * The stack on a small machine (4 MiB, a device that makes checksums): connections that follow each
 * other on the same ports, memory that comes back, floods, and a device that is slow.
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

static struct file *connection(struct peer *peer, uint16_t port) {
  struct file *f;
  peer_init(peer, port, 80);
  assert_true(peer_connect(peer));
  assert_int_equal(lab_accept(listener, &f), 0);
  return f;
}

/* A connection from `port` that the machine closes first: it ends in TIME_WAIT. */
static void timewait(struct peer *peer, uint16_t port) {
  lab_close(connection(peer, port));
  assert_true(peer->got_fin);
  peer_fin(peer);
  assert_int_equal(peer->last_ack, peer->seq);
}

static void settle(void) {
  lab_run(5 * 60 * 1000);
}

/* ---- TIME_WAIT ------------------------------------------------------------------------------- */

static void a_new_connection_replaces_one_in_time_wait(void **state) {
  static const uint32_t ahead[] = {0, 1, 5000, 1 << 20, 0x7ffffffe};
  struct file *f;
  size_t n;
  for (size_t i = 0; i < sizeof ahead / sizeof ahead[0]; i++) {
    timewait(&p, 30000);
    uint32_t old = p.last_seq;
    lab_run(1);
    p.seq += ahead[i];
    assert_true(peer_connect(&p));
    assert_true((int32_t)(p.last_seq - old) >= 0); /* its numbers follow the old ones */
    assert_int_equal(lab_accept(listener, &f), 0);
    assert_int_equal(lab_write(f, "again", 5, &n), 0);
    assert_memory_equal(p.rx, "again", 5);
    lab_close(f);
    peer_fin(&p);
    peer_free(&p);
    settle();
  }
}

static void an_old_syn_does_not_end_time_wait(void **state) {
  timewait(&p, 30001);
  size_t blocks = lab.allocated;
  uint32_t seq = p.seq;
  p.seq -= 1000;
  peer_syn(&p);
  assert_int_equal(p.flags, ACK);
  assert_int_equal(p.last_ack, seq);
  /* The client answers that ACK with a reset, whose number is the one expected. */
  peer_segment(&p, RST, p.last_ack, NULL, 0);
  assert_int_equal(lab.allocated, blocks - 1);
  assert_true(peer_connect(&p));
  peer_reset(&p);
  peer_free(&p);
}

static void only_an_exact_reset_ends_time_wait(void **state) {
  timewait(&p, 30002);
  size_t blocks = lab.allocated;
  peer_segment(&p, RST, p.seq + 1, NULL, 0);
  peer_segment(&p, RST, p.seq - 1, NULL, 0);
  peer_segment(&p, SYN | ACK, p.seq, NULL, 0);
  peer_segment(&p, SYN | FIN, p.seq, NULL, 0);
  assert_int_equal(lab.allocated, blocks);
  peer_segment(&p, RST, p.seq, NULL, 0);
  assert_int_equal(lab.allocated, blocks - 1);
  peer_free(&p);
}

static void a_repeated_fin_is_acknowledged(void **state) {
  timewait(&p, 30003);
  unsigned before = p.segments;
  peer_segment(&p, FIN | ACK, p.seq - 1, NULL, 0);
  assert_int_equal(p.segments, before + 1);
  assert_int_equal(p.flags, ACK);
  peer_free(&p);
  settle();
}

static void time_wait_is_bounded(void **state) {
  size_t blocks = lab.allocated;
  for (uint16_t port = 10000; port < 11000; port++) {
    timewait(&p, port);
    peer_free(&p);
  }
  assert_in_range(lab.allocated - blocks, net_timewait_max / 2, net_timewait_max);
  settle();
  assert_int_equal(lab.allocated, blocks);
}

static void ten_thousand_connections_from_64_ports(void **state) {
  static struct peer peers[64];
  size_t blocks = lab.allocated, used = net_memory_used();
  for (unsigned i = 0; i < 64; i++)
    peer_init(&peers[i], (uint16_t)(40000 + i), 80);
  for (unsigned i = 0; i < 10000; i++) {
    struct peer *q = &peers[i % 64];
    struct file *f;
    char buf[64];
    size_t n;
    assert_true(peer_connect(q));
    assert_int_equal(lab_accept(listener, &f), 0);
    peer_send(q, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
    assert_int_equal(lab_write(f, buf, n, &n), 0);
    assert_int_equal(q->rx_len, 18);
    if (i % 3 == 0)
      peer_fin(q);
    lab_close(f);
    assert_true(q->got_fin);
    if (i % 3 != 0)
      peer_fin(q);
    q->seq += 64000; /* a client's clock */
  }
  assert_true(lab.allocated - blocks <= 64);
  settle();
  assert_int_equal(lab.allocated, blocks);
  assert_int_equal(net_memory_used(), used);
  assert_int_equal(lab.lent, 0);
  for (unsigned i = 0; i < 64; i++)
    peer_free(&peers[i]);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void an_idle_connection_is_small(void **state) {
  size_t used = net_memory_used();
  struct file *f = connection(&p, 31000);
  size_t bytes = net_memory_used() - used;
  print_message("an idle connection: %zu bytes\n", bytes);
  assert_in_range(bytes, 100, 1024);
  lab_close(f);
  peer_reset(&p);
  peer_free(&p);
}

static void sixty_four_greedy_peers(void **state) {
  static struct peer peers[64];
  struct file *f[64];
  static uint8_t data[65536], got[65536];
  size_t queued[64], n;
  settle();
  size_t used = net_memory_used();
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (uint8_t)(i * 31 >> 3);
  for (unsigned i = 0; i < 64; i++) {
    f[i] = connection(&peers[i], (uint16_t)(32000 + i));
    f[i]->flags |= FDFLAG_NONBLOCK;
    peers[i].mute = true;
  }
  for (unsigned i = 0; i < 64; i++) { /* nobody reads: neither the peers nor the program */
    queued[i] = 0;
    while (lab_write(f[i], data + queued[i], sizeof data - queued[i], &n) == 0)
      queued[i] += n;
    for (unsigned k = 0; k < 8; k++)
      peer_send(&peers[i], data + k * 1460, 1460);
  }
  assert_true(net_memory_used() - used <= lab.ram / 3);
  for (unsigned i = 0; i < 64; i++)
    peers[i].mute = false;
  lab_run(60000);
  for (unsigned i = 0; i < 64; i++) {
    assert_true(queued[i] > 0);
    assert_int_equal(peers[i].rx_len, queued[i]);
    assert_memory_equal(peers[i].rx, data, queued[i]);
    size_t read = 0;
    while (lab_read(f[i], got + read, sizeof got - read, &n) == 0 && n > 0)
      read += n;
    assert_memory_equal(got, data, read);
    lab_close(f[i]);
    peer_fin(&peers[i]);
    peer_free(&peers[i]);
  }
  settle();
  assert_int_equal(net_memory_used(), used);
}

static bool time_passes(void) {
  lab_run(1000);
  return true;
}

/* One connection from beginning to end while the k-th allocation and all after it fail. */
static void without_memory_after(size_t k) {
  struct file *f = NULL;
  static uint8_t data[30000];
  char buf[64];
  size_t n;
  peer_init(&p, 33000, 80);
  p.seq += (uint32_t)k << 20;
  lab.fail_after = k;
  if (peer_connect(&p) && !p.got_rst && lab_accept(listener, &f) == 0) {
    f->flags |= FDFLAG_NONBLOCK;
    peer_send(&p, "hello", 5);
    lab_read(f, buf, sizeof buf, &n);
    lab_write(f, "hello", 5, &n);
    lab_write(f, data, sizeof data, &n);
    lab_run(2000);
    lab_shutdown(f, SHUT_WR);
  }
  lab_run(2000);
  lab.fail_after = SIZE_MAX;
  if (f != NULL)
    lab_close(f);
  peer_reset(&p);
  peer_free(&p);
}

static void running_out_of_memory_anywhere(void **state) {
  settle();
  size_t blocks = lab.allocated;
  for (size_t k = 0; k < 60; k++) {
    without_memory_after(k);
    while (true) { /* what was made but not accepted */
      struct file *f;
      listener->flags |= FDFLAG_NONBLOCK;
      if (lab_accept(listener, &f) != 0)
        break;
      lab_close(f);
    }
    listener->flags = 0;
    settle();
    assert_int_equal(lab.allocated, blocks);
    assert_int_equal(lab.lent, 0);
  }
  lab_close(connection(&p, 33001));
  peer_fin(&p);
  peer_free(&p);
}

static void a_write_waits_for_memory(void **state) {
  struct file *f = connection(&p, 33002);
  size_t n;
  f->flags |= FDFLAG_NONBLOCK;
  lab.fail_after = 0;
  assert_int_equal(lab_write(f, "hello", 5, &n), EAGAIN);
  assert_false(lab_poll(f, EVENTTYPE_FD_WRITE).ready);
  lab.fail_after = SIZE_MAX;
  f->flags = 0;
  lab.on_sleep = time_passes;
  assert_int_equal(lab_write(f, "hello", 5, &n), 0);
  lab.on_sleep = NULL;
  assert_memory_equal(p.rx, "hello", 5);
  lab_close(f);
  peer_fin(&p);
  peer_free(&p);
}

/* ---- Floods ---------------------------------------------------------------------------------- */

static void a_flood_of_syns(void **state) {
  settle();
  size_t blocks = lab.allocated, used = net_memory_used();
  static struct peer one;
  for (unsigned i = 0; i < 5000; i++) {
    peer_init(&one, (uint16_t)(1000 + i), 80);
    peer_syn(&one);
    peer_free(&one);
  }
  assert_true(net_memory_used() - used < 256 * 1024);
  settle();
  assert_int_equal(lab.allocated, blocks);
  lab_close(connection(&p, 34000));
  peer_fin(&p);
  peer_free(&p);
}

static void connections_that_die_waiting_leave_the_queue(void **state) {
  settle();
  size_t blocks = lab.allocated;
  for (unsigned i = 0; i < 1000; i++) {
    peer_init(&p, (uint16_t)(1000 + i), 80);
    assert_true(peer_connect(&p));
    peer_reset(&p);
    peer_free(&p);
  }
  assert_int_equal(lab.allocated, blocks);
  struct file *f;
  assert_false(lab_poll(listener, EVENTTYPE_FD_READ).ready);
  listener->flags |= FDFLAG_NONBLOCK;
  assert_int_equal(lab_accept(listener, &f), EAGAIN);
  listener->flags = 0;
  assert_int_equal(lab_accept(listener, &f), ECANCELED); /* it waits */
}

static void a_closed_listener_resets_who_waits(void **state) {
  struct net_address a = {.port = 81};
  struct file *l, *again;
  settle();
  size_t blocks = lab.allocated;
  static struct peer waiting[3];
  assert_int_equal(net_listen(&a, &l), 0);
  assert_int_equal(net_listen(&a, &again), EADDRINUSE);
  for (unsigned i = 0; i < 3; i++) {
    peer_init(&waiting[i], (uint16_t)(35000 + i), 81);
    assert_true(peer_connect(&waiting[i]));
  }
  assert_int_equal(lab_poll(l, EVENTTYPE_FD_READ).nbytes, 3);
  lab_close(l);
  for (unsigned i = 0; i < 3; i++) {
    assert_true(waiting[i].got_rst);
    peer_free(&waiting[i]);
  }
  assert_int_equal(lab.allocated, blocks);
  peer_init(&p, 35010, 81);
  assert_false(peer_connect(&p));
  assert_true(p.got_rst);
  peer_free(&p);
}

static void addresses_to_listen_on(void **state) {
  struct file *f;
  struct net_address a = {.addr = {127, 0, 0, 1}, .port = 82};
  assert_int_equal(net_listen(&a, &f), EADDRNOTAVAIL);
  a = (struct net_address){.addr = {10, 0, 2, 16}, .port = 82};
  assert_int_equal(net_listen(&a, &f), EADDRNOTAVAIL);
  a = (struct net_address){.addr = {10, 0, 2, 15}, .port = 82};
  assert_int_equal(net_listen(&a, &f), 0);
  lab_close(f);
  a = (struct net_address){.v6 = true, .port = 82};
  assert_int_equal(net_listen(&a, &f), 0);
  peer_init(&p, 36000, 82);
  assert_true(peer_connect(&p)); /* [::] takes IPv4 as well */
  lab_close(f);
  peer_free(&p);
}

/* ---- The device ------------------------------------------------------------------------------ */

static void a_full_ring_is_retried_when_there_is_room(void **state) {
  struct file *f = connection(&p, 37000);
  static uint8_t data[8000];
  size_t n;
  lab.hold_tx = true;
  lab.ring_free = 2;
  assert_int_equal(lab_write(f, data, sizeof data, &n), 0);
  assert_true(p.rx_len < sizeof data);
  lab.ring_free = UINT32_MAX;
  lab_release_tx(); /* no time passes */
  lab_pump();
  lab_release_tx();
  lab_pump();
  assert_int_equal(p.rx_len, sizeof data);
  lab.hold_tx = false;
  lab_release_tx();
  lab_close(f);
  peer_fin(&p);
  peer_free(&p);
}

static void a_frame_that_the_device_holds_is_not_changed(void **state) {
  struct file *f = connection(&p, 37001);
  size_t n;
  lab.hold_tx = true;
  p.mute = true;
  assert_int_equal(lab_write(f, "hello", 5, &n), 0);
  unsigned before = p.segments;
  lab_run(20000);
  assert_int_equal(p.segments, before); /* it would have to be sent again from the same memory */
  lab_release_tx();
  p.mute = false;
  lab_run(20000);
  assert_memory_equal(p.rx, "hello", 5);
  lab.hold_tx = false;
  lab_release_tx();
  lab_close(f);
  peer_fin(&p);
  peer_free(&p);
}

static void a_frame_in_parts(void **state) {
  struct file *f = connection(&p, 37002);
  uint8_t tcp[20 + 100] = {0}, frame[200];
  char buf[200];
  size_t n;
  for (unsigned parts = 1; parts <= 4; parts++) {
    tcp[0] = 37002 >> 8, tcp[1] = 37002 & 255, tcp[3] = 80;
    for (unsigned i = 0; i < 4; i++) {
      tcp[4 + i] = (uint8_t)(p.seq >> 8 * (3 - i));
      tcp[8 + i] = (uint8_t)(p.ack >> 8 * (3 - i));
    }
    tcp[12] = 0x50, tcp[13] = ACK, tcp[14] = 255;
    memset(tcp + 20, 'a' + (int)parts, 100);
    n = lab_ip4_frame(frame, 6, LAB_PEERS, LAB_MACHINE, tcp, sizeof tcp);
    f->flags |= FDFLAG_NONBLOCK;
    lab_receive(frame, n, parts, false); /* a wrong checksum */
    assert_int_equal(lab_read(f, buf, sizeof buf, &n), EAGAIN);
    n = lab_ip4_frame(frame, 6, LAB_PEERS, LAB_MACHINE, tcp, sizeof tcp);
    lab_receive(frame, n, parts, true); /* that the device vouches for */
    assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
    assert_int_equal(n, 100);
    assert_memory_equal(buf, tcp + 20, 100);
    p.seq += 100;
  }
  lab_close(f);
  peer_reset(&p);
  peer_free(&p);
  assert_int_equal(lab.lent, 0);
}

static uint8_t echo[200];
static size_t echo_bytes;

static void see_echo(const uint8_t *frame, size_t n) {
  if (frame[23] == 1 && n <= sizeof echo)
    memcpy(echo, frame, echo_bytes = n);
}

static void ping_is_answered(void **state) {
  uint8_t icmp[64] = {8, 0, 0, 0, 1, 2, 3, 4, 'p', 'i', 'n', 'g'}, frame[200];
  uint16_t sum = lab_checksum(0, icmp, sizeof icmp);
  icmp[2] = (uint8_t)(sum >> 8), icmp[3] = (uint8_t)sum;
  size_t n = lab_ip4_frame(frame, 1, LAB_PEERS, LAB_MACHINE, icmp, sizeof icmp);
  lab.on_frame = see_echo;
  lab_receive(frame, n, 1, false);
  lab_pump();
  lab.on_frame = NULL;
  assert_int_equal(echo_bytes, n);
  assert_int_equal(echo[34], 0);
  assert_memory_equal(echo + 38, icmp + 4, sizeof icmp - 4);
  assert_int_equal(lab_checksum(0, echo + 34, sizeof icmp), 0);
}

static void a_quiet_machine_rests(void **state) {
  settle();
  unsigned before = lab.timer_fires;
  lab_run(60 * 60 * 1000);
  assert_in_range(lab.timer_fires - before, 1, 61);
  before = lab.timer_fires;
  lab_close(connection(&p, 38000)); /* and wakes */
  peer_fin(&p);
  peer_free(&p);
  lab_run(10000);
  assert_true(lab.timer_fires - before > 30);
}

static int setup(void **state) {
  struct net_address any = {.port = 80};
  lab.ip = "10.0.2.15/24";
  lab.gw = "10.0.2.2";
  lab.ram = 4 << 20;
  lab.features = NETDEV_TX_CSUM;
  return lab_start() && net_listen(&any, &listener) == 0 ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_connection_replaces_one_in_time_wait),
      cmocka_unit_test(an_old_syn_does_not_end_time_wait),
      cmocka_unit_test(only_an_exact_reset_ends_time_wait),
      cmocka_unit_test(a_repeated_fin_is_acknowledged),
      cmocka_unit_test(time_wait_is_bounded),
      cmocka_unit_test(ten_thousand_connections_from_64_ports),
      cmocka_unit_test(an_idle_connection_is_small),
      cmocka_unit_test(sixty_four_greedy_peers),
      cmocka_unit_test(running_out_of_memory_anywhere),
      cmocka_unit_test(a_write_waits_for_memory),
      cmocka_unit_test(a_flood_of_syns),
      cmocka_unit_test(connections_that_die_waiting_leave_the_queue),
      cmocka_unit_test(a_closed_listener_resets_who_waits),
      cmocka_unit_test(addresses_to_listen_on),
      cmocka_unit_test(a_full_ring_is_retried_when_there_is_room),
      cmocka_unit_test(a_frame_that_the_device_holds_is_not_changed),
      cmocka_unit_test(a_frame_in_parts),
      cmocka_unit_test(ping_is_answered),
      cmocka_unit_test(a_quiet_machine_rests),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
