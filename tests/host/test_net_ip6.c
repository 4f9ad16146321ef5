// sources: tests/host/netlab.c tests/host/netlab_kernel.c tests/host/netlab_peer.c kernel/file.c kernel/uio.c net/address.c net/listener.c net/netif.c net/start.c net/stream.c net/stream_send.c net/stream_tcp.c net/timers.c net/port/checksum.c net/port/demux.c net/port/isn.c net/port/memory.c net/port/random.c build/src/lwip/src/core/def.c build/src/lwip/src/core/ip.c build/src/lwip/src/core/mem.c build/src/lwip/src/core/memp.c build/src/lwip/src/core/netif.c build/src/lwip/src/core/pbuf.c build/src/lwip/src/core/tcp.c build/src/lwip/src/core/tcp_in.c build/src/lwip/src/core/tcp_out.c build/src/lwip/src/core/udp.c build/src/lwip/src/core/ipv4/dhcp.c build/src/lwip/src/core/ipv4/etharp.c build/src/lwip/src/core/ipv4/icmp.c build/src/lwip/src/core/ipv4/ip4.c build/src/lwip/src/core/ipv4/ip4_addr.c build/src/lwip/src/core/ipv6/ethip6.c build/src/lwip/src/core/ipv6/icmp6.c build/src/lwip/src/core/ipv6/ip6.c build/src/lwip/src/core/ipv6/ip6_addr.c build/src/lwip/src/core/ipv6/mld6.c build/src/lwip/src/core/ipv6/nd6.c build/src/lwip/src/netif/ethernet.c
// cflags: -Inet/port -Ibuild/src/lwip/src/include
/*
 * IPv6: the machine's own address, and a connection over it to a socket that listens on [::].
 */
#include "netlab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/net.h"

static const uint8_t vm_mac[6] = {0x52, 0x54, 0, 1, 2, 3}, my_mac[6] = {0x52, 0x55, 0, 0, 0, 2};
static const uint8_t vm_ip[16] = {0xfe, 0x80, [8] = 0x50, 0x54, 0, 0xff, 0xfe, 1, 2, 3};
static const uint8_t my_ip[16] = {0xfe, 0x80, [15] = 2};

static struct file *listener;
static uint8_t seen[1514]; /* the last TCP frame of the machine */
static size_t seen_bytes;
static unsigned solicitations;

static uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v) {
  for (unsigned i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> 8 * (3 - i));
}

/* The pseudo header's sum (RFC 8200, 8.1). */
static uint32_t pseudo(const uint8_t *ip, size_t n) {
  uint32_t sum = (uint32_t)n + ip[6];
  for (unsigned i = 8; i < 40; i += 2)
    sum += (uint32_t)ip[i] << 8 | ip[i + 1];
  return sum;
}

static void send(uint8_t next, uint8_t *payload, size_t n, size_t checksum_at) {
  uint8_t frame[1514] = {0}, *ip = frame + 14;
  memcpy(frame, vm_mac, 6);
  memcpy(frame + 6, my_mac, 6);
  frame[12] = 0x86, frame[13] = 0xdd;
  ip[0] = 0x60;
  ip[4] = (uint8_t)(n >> 8), ip[5] = (uint8_t)n;
  ip[6] = next;
  ip[7] = 255;
  memcpy(ip + 8, my_ip, 16);
  memcpy(ip + 24, vm_ip, 16);
  uint16_t sum = lab_checksum(pseudo(ip, n), payload, n);
  payload[checksum_at] = (uint8_t)(sum >> 8), payload[checksum_at + 1] = (uint8_t)sum;
  memcpy(ip + 40, payload, n);
  lab_receive(frame, 54 + n, 1, false);
}

static void advertise(void) {
  uint8_t icmp[32] = {136, 0, 0, 0, 0x60};
  memcpy(icmp + 8, my_ip, 16);
  icmp[24] = 2, icmp[25] = 1;
  memcpy(icmp + 26, my_mac, 6);
  send(58, icmp, sizeof icmp, 2);
}

static void on_frame(const uint8_t *f, size_t n) {
  const uint8_t *ip = f + 14;
  if (f[12] != 0x86 || f[13] != 0xdd)
    return;
  if (ip[6] == 58 && ip[40] == 135 && memcmp(ip + 48, my_ip, 16) == 0) {
    solicitations++;
    advertise();
  }
  if (ip[6] == 6) {
    assert_int_equal(lab_checksum(pseudo(ip, n - 54), ip + 40, n - 54), 0);
    assert_memory_equal(f, my_mac, 6);
    memcpy(seen, f, seen_bytes = n);
  }
}

static void segment(uint8_t flags, uint32_t seq, uint32_t ack, const char *data) {
  uint8_t tcp[200] = {0x30, 0x39, 0, 80, [12] = 0x50, flags, 0xff, 0xff};
  size_t n = strlen(data);
  put32(tcp + 4, seq);
  put32(tcp + 8, ack);
  memcpy(tcp + 20, data, n);
  seen_bytes = 0;
  send(6, tcp, 20 + n, 16);
  lab_pump();
}

static void a_connection_over_ip6(void **state) {
  struct net_address any = {.v6 = true, .port = 80};
  struct file *f;
  char buf[20];
  size_t n;
  lab.ip = "10.0.2.15/24";
  lab.on_frame = on_frame;
  assert_true(lab_start());
  assert_int_equal(net_listen(&any, &listener), 0);
  lab_run(20000);
  assert_string_equal(lab.log, "network: fe80::5054:ff:fe01:203");

  segment(SYN, 1000, 0, "");
  assert_int_equal(solicitations, 1);
  assert_true(seen_bytes > 54);
  assert_int_equal(seen[54 + 13], SYN | ACK);
  assert_int_equal(get32(seen + 54 + 8), 1001);
  uint32_t theirs = get32(seen + 54 + 4) + 1;
  segment(ACK, 1001, theirs, "");
  assert_int_equal(lab_accept(listener, &f), 0);
  segment(ACK | PSH, 1001, theirs, "GET /");
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), 0);
  assert_int_equal(n, 5);
  assert_memory_equal(buf, "GET /", 5);
  assert_int_equal(lab_write(f, "hello", 5, &n), 0);
  assert_int_equal(seen_bytes, 54 + 20 + 5);
  assert_memory_equal(seen + 74, "hello", 5);
  segment(RST, 1006, 0, "");
  assert_int_equal(lab_read(f, buf, sizeof buf, &n), ECONNRESET);
  lab_close(f);
  lab_close(listener);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_connection_over_ip6)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
