// sources: tests/host/netlab.c tests/host/netlab_kernel.c tests/host/netlab_peer.c kernel/file.c kernel/uio.c net/address.c net/listener.c net/netif.c net/start.c net/stream.c net/stream_send.c net/stream_tcp.c net/timers.c net/port/checksum.c net/port/demux.c net/port/isn.c net/port/memory.c net/port/random.c build/src/lwip/src/core/def.c build/src/lwip/src/core/ip.c build/src/lwip/src/core/mem.c build/src/lwip/src/core/memp.c build/src/lwip/src/core/netif.c build/src/lwip/src/core/pbuf.c build/src/lwip/src/core/tcp.c build/src/lwip/src/core/tcp_in.c build/src/lwip/src/core/tcp_out.c build/src/lwip/src/core/udp.c build/src/lwip/src/core/ipv4/dhcp.c build/src/lwip/src/core/ipv4/etharp.c build/src/lwip/src/core/ipv4/icmp.c build/src/lwip/src/core/ipv4/ip4.c build/src/lwip/src/core/ipv4/ip4_addr.c build/src/lwip/src/core/ipv6/ethip6.c build/src/lwip/src/core/ipv6/icmp6.c build/src/lwip/src/core/ipv6/ip6.c build/src/lwip/src/core/ipv6/ip6_addr.c build/src/lwip/src/core/ipv6/mld6.c build/src/lwip/src/core/ipv6/nd6.c build/src/lwip/src/netif/ethernet.c
// cflags: -Inet/port -Ibuild/src/lwip/src/include
/*
 * Addresses by DHCP: the machine listens before it has one, and takes a /32 lease whose gateway
 * lies outside of it, as some clouds give.
 */
#include "netlab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/net.h"
#include "netlab_private.h"

static struct file *listener;
static struct peer p;
static uint8_t prefix_mask[4] = {255, 255, 255, 255};
static uint32_t lease_s = 3600;
static unsigned discovers, requests, arps_for_gateway, other_arps;
static bool silent;

/* One option; returns what follows. */
static uint8_t *option(uint8_t *o, uint8_t code, const void *value, uint8_t n) {
  o[0] = code;
  o[1] = n;
  memcpy(o + 2, value, n);
  return o + 2 + n;
}

static void answer(const uint8_t *bootp, uint8_t type) {
  uint8_t udp[8 + 300] = {67 >> 8, 67, 0, 68}, frame[400], *b = udp + 8;
  uint8_t server[4] = {10, 0, 2, 2}, lease[4] = {(uint8_t)(lease_s >> 24), (uint8_t)(lease_s >> 16),
                                                 (uint8_t)(lease_s >> 8), (uint8_t)lease_s};
  udp[4] = sizeof udp >> 8, udp[5] = sizeof udp & 255;
  memcpy(b, bootp, 44);
  b[0] = 2;
  memcpy(b + 16, (uint8_t[]){10, 0, 2, 15}, 4);
  memcpy(b + 236, (uint8_t[]){99, 130, 83, 99}, 4);
  uint8_t *o = option(b + 240, 53, &type, 1);
  o = option(o, 54, server, 4);
  o = option(o, 51, lease, 4);
  o = option(o, 1, prefix_mask, 4);
  o = option(o, 3, server, 4);
  *o = 255;
  size_t n = lab_ip4_frame(frame, 17, LAB_PEERS, LAB_MACHINE, udp, sizeof udp);
  lab_receive(frame, n, 1, false);
}

static void on_frame(const uint8_t *f, size_t n) {
  if (f[12] == 8 && f[13] == 6) { /* ARP: for whom? */
    if (memcmp(f + 38, (uint8_t[]){10, 0, 2, 2}, 4) == 0)
      arps_for_gateway++;
    else if (memcmp(f + 38, f + 28, 4) != 0) /* its own: an announcement */
      other_arps++;
  }
  if (n > 14 + 28 + 240 && f[12] == 8 && f[13] == 0 && f[23] == 17 && f[37] == 67) {
    uint8_t type = f[42 + 242];
    discovers += type == 1;
    requests += type == 3;
    if (!silent)
      answer(f + 42, type == 1 ? 2 : 5);
    return;
  }
  lab_peer_frame(f, n);
}

static void the_program_listens_before_the_lease(void **state) {
  struct net_address any = {.port = 80};
  silent = true;
  lab.on_frame = on_frame;
  assert_true(lab_start());
  assert_int_equal(net_listen(&any, &listener), 0);
  net_log_address();
  assert_string_equal(lab.log, "network: no address yet");
  lab_run(20000);
  assert_in_range(discovers, 2, 10); /* it asks again */
  assert_int_equal(requests, 0);
}

static void the_lease_comes(void **state) {
  silent = false;
  lab_run(30000);
  assert_int_equal(requests, 1);
  assert_string_equal(lab.log, "network: 10.0.2.15/32 by DHCP, gateway 10.0.2.2");
}

static void a_gateway_outside_of_the_lease_is_used(void **state) {
  struct file *f;
  size_t n;
  arps_for_gateway = other_arps = 0;
  peer_init(&p, 40000, 80);
  assert_true(peer_connect(&p));
  assert_int_equal(lab_accept(listener, &f), 0);
  assert_int_equal(lab_write(f, "hello", 5, &n), 0);
  assert_memory_equal(p.rx, "hello", 5);
  assert_int_equal(arps_for_gateway, 1);
  assert_int_equal(other_arps, 0);
  lab_close(f);
  peer_fin(&p);
  peer_free(&p);
}

static void the_lease_is_renewed_on_a_quiet_machine(void **state) {
  lab_run(10 * 60 * 1000);
  unsigned before = requests;
  lab.log[0] = '\0';
  for (unsigned minute = 0; minute < 150; minute++)
    lab_run(60 * 1000);
  assert_in_range(requests - before, 2, 10);
  assert_string_equal(lab.log, ""); /* nothing changed */
}

static void without_the_server_the_address_goes(void **state) {
  silent = true;
  lab_run(65 * 60 * 1000);
  net_log_address();
  assert_string_equal(lab.log, "network: no address yet");
  silent = false;
  memcpy(prefix_mask, (uint8_t[]){255, 255, 255, 0}, 4);
  lab_run(3 * 60 * 1000);
  assert_string_equal(lab.log, "network: 10.0.2.15/24 by DHCP, gateway 10.0.2.2");
  struct file *f;
  peer_init(&p, 40001, 80);
  assert_true(peer_connect(&p));
  assert_int_equal(lab_accept(listener, &f), 0);
  lab_close(f);
  peer_fin(&p);
  peer_free(&p);
  lab_close(listener);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_program_listens_before_the_lease),
      cmocka_unit_test(the_lease_comes),
      cmocka_unit_test(a_gateway_outside_of_the_lease_is_used),
      cmocka_unit_test(the_lease_is_renewed_on_a_quiet_machine),
      cmocka_unit_test(without_the_server_the_address_goes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
