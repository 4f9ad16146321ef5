// sources: net/address.c net/port/checksum.c net/port/isn.c kernel/uio.c
// cflags: -Inet/port -Ibuild/src/lwip/src/include
/*
 * The small parts of net/: addresses as text, checksums, initial sequence numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/cc.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/random.h"
#include "lwip/opt.h"

#include "arch/arch.h"
#include "hooks.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/ip.h"
#include "net/net.h"
#include "net/port/port.h"

static uint64_t now_ns;

uint64_t clock_monotonic_ns(void) {
  return now_ns;
}

void random_bytes(void *buf, size_t n) {
  memset(buf, 0x5a, n);
}

void *kmalloc(size_t size) {
  return malloc(size);
}

void kfree(void *p) {
  free(p);
}

static size_t unreadable; /* the last bytes of every copy */

size_t arch_user_copy(void *dst, const void *src, size_t n) {
  size_t rest = unreadable < n ? unreadable : n;
  memcpy(dst, src, n - rest);
  return rest;
}

static bool parse(const char *text, struct net_address *a) {
  size_t n = strlen(text);
  char *exact = malloc(n + 1); /* nothing may be read behind it */
  memcpy(exact, text, n);
  char *shorter = realloc(exact, n > 0 ? n : 1);
  bool ok = net_address_parse(shorter, n, a);
  free(shorter);
  return ok;
}

static void good_addresses(void **state) {
  static const struct {
    const char *text;
    bool v6;
    uint8_t addr[16];
    uint16_t port;
  } good[] = {
      {"0.0.0.0:8080", false, {0}, 8080},
      {"10.0.2.15:1", false, {10, 0, 2, 15}, 1},
      {"255.255.255.255:65535", false, {255, 255, 255, 255}, 65535},
      {"[::]:8080", true, {0}, 8080},
      {"[::1]:80", true, {[15] = 1}, 80},
      {"[fd00::1:2]:80", true, {0xfd, [13] = 1, [15] = 2}, 80},
      {"[FD00::]:80", true, {0xfd}, 80},
      {"[1:2:3:4:5:6:7:8]:9", true, {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}, 9},
      {"[1:2:3:4:5:6:7::]:9", true, {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7}, 9},
      {"[::ffff:10.0.2.15]:9", true, {[10] = 0xff, 0xff, 10, 0, 2, 15}, 9},
      {"[1:2:3:4:5:6:1.2.3.4]:9", true, {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4}, 9},
      {"[fe80::abcd:0:0:1]:9", true, {0xfe, 0x80, [8] = 0xab, 0xcd, [15] = 1}, 9},
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    struct net_address a;
    if (!parse(good[i].text, &a))
      fail_msg("%s", good[i].text);
    assert_int_equal(a.v6, good[i].v6);
    assert_int_equal(a.port, good[i].port);
    assert_memory_equal(a.addr, good[i].addr, 16);
  }
}

static void bad_addresses(void **state) {
  static const char *const bad[] = {
      "",
      ":",
      ":80",
      "8080",
      "0.0.0.0",
      "0.0.0.0:",
      "0.0.0.0:0",
      "0.0.0.0:65536",
      "0.0.0.0:99999999999",
      "0.0.0.0:-1",
      "0.0.0.0:080",
      "0.0.0.0:80 ",
      " 0.0.0.0:80",
      "0.0.0:80",
      "0.0.0.0.0:80",
      "0.0.0.256:80",
      "00.0.0.0:80",
      "0..0.0:80",
      "localhost:80",
      "*:80",
      "[]:80",
      "[::]",
      "[::]:",
      "[::]80",
      "[::",
      ":::80",
      "[:]:80",
      "[:::]:80",
      "[1:]:80",
      "[:1]:80",
      "[1::2::3]:80",
      "[12345::]:80",
      "[g::]:80",
      "[1:2:3:4:5:6:7]:80",
      "[1:2:3:4:5:6:7:8:9]:80",
      "[1:2:3:4:5:6:7:8::]:80",
      "[1:2:3:4::5:6:7:8]:80",
      "[1:2:3:4:5:6:7:1.2.3.4]:80",
      "[::1.2.3]:80",
      "[::1.2.3.4:5]:80",
      "[1.2.3.4]:80",
      "[fe80::1%en0]:80",
      "[0.0.0.0]:80",
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct net_address a;
    if (parse(bad[i], &a))
      fail_msg("accepted: %s", bad[i]);
  }
}

static uint16_t slow_checksum(const uint8_t *p, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (uint32_t)p[i] << (i % 2 * 8);
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

static bool same_sum(uint16_t a, uint16_t b) {
  return a == b || (a % 0xffff == 0 && b % 0xffff == 0); /* both zeroes of ones' complement */
}

static void checksums(void **state) {
  static uint8_t data[2000];
  for (unsigned fill = 0; fill < 4; fill++) {
    for (size_t i = 0; i < sizeof data; i++)
      data[i] = fill == 0 ? 0 : fill == 1 ? 255 : (uint8_t)rand();
    for (size_t n = 0; n < 300; n++) {
      for (size_t at = 0; at < 9; at++)
        assert_true(same_sum(net_checksum(data + at, (int)n), slow_checksum(data + at, n)));
    }
    assert_true(same_sum(net_checksum(data, 2000), slow_checksum(data, 2000)));
  }
}

/* A segment in three parts, at odd places too, against the same bytes in one piece behind the
 * pseudo header as the specifications draw it. */
static void check_chain(size_t first, size_t second, size_t third) {
  static const uint8_t ip[] = {10, 0, 2, 15, 10, 0, 2, 2};
  ip_addr_t a = IPADDR4_INIT_BYTES(10, 0, 2, 15), b = IPADDR4_INIT_BYTES(10, 0, 2, 2);
  size_t n = first + second + third;
  uint8_t flat[12 + 300];
  struct pbuf p[3] = {{.next = &p[1]}, {.next = &p[2]}, {0}};
  memcpy(flat, ip, sizeof ip);
  flat[8] = 0, flat[9] = IP_PROTO_TCP, flat[10] = (uint8_t)(n >> 8), flat[11] = (uint8_t)n;
  for (size_t i = 0; i < n; i++)
    flat[12 + i] = (uint8_t)rand();
  p[0].payload = flat + 12, p[1].payload = flat + 12 + first;
  p[2].payload = flat + 12 + first + second;
  p[0].len = (u16_t)first, p[1].len = (u16_t)second, p[2].len = (u16_t)third;
  p[0].tot_len = (u16_t)n;
  uint16_t sum = ip_chksum_pseudo(p, IP_PROTO_TCP, (u16_t)n, &a, &b);
  assert_true(same_sum((uint16_t)~sum, slow_checksum(flat, 12 + n)));
  sum = ip_chksum_pseudo_partial(p, IP_PROTO_TCP, (u16_t)n, (u16_t)(n - third / 2), &a, &b);
  assert_true(same_sum((uint16_t)~sum, slow_checksum(flat, 12 + n - third / 2)));
  assert_true(same_sum((uint16_t)~inet_chksum_pbuf(p), slow_checksum(flat + 12, n)));
}

static void chains(void **state) {
  for (size_t first = 0; first < 40; first++) {
    for (size_t second = 0; second < 40; second += 3) {
      check_chain(first, second, 0);
      check_chain(first, second, 21);
      check_chain(first, second, 200);
    }
  }
}

static void pseudo_header_of_ip6(void **state) {
  ip_addr_t a = IPADDR6_INIT_HOST(0xfd000000, 1, 2, 3), b = IPADDR6_INIT_HOST(0xfe800000, 4, 5, 6);
  uint8_t flat[40 + 33] = {
      0xfd,       [7] = 1,  [11] = 2, [15] = 3,  [16] = 0xfe,         0x80,
      [23] = 4,   [27] = 5, [31] = 6, [35] = 33, [39] = IP_PROTO_TCP, [50] = 0x12,
      [72] = 0xff};
  struct pbuf p = {.payload = flat + 40, .len = 33, .tot_len = 33};
  uint16_t sum = ip_chksum_pseudo(&p, IP_PROTO_TCP, 33, &a, &b);
  assert_true(same_sum((uint16_t)~sum, slow_checksum(flat, sizeof flat)));
  assert_int_equal(ip6_chksum_pseudo(&p, IP_PROTO_TCP, 33, ip_2_ip6(&a), ip_2_ip6(&b)), sum);
}

static void copies(void **state) {
  uint8_t from[100], to[100];
  for (size_t i = 0; i < sizeof from; i++)
    from[i] = (uint8_t)(i + 1);
  net_copy = (struct net_copy){0};
  assert_int_equal(net_copy_in(to, from, 99), slow_checksum(from, 99));
  assert_memory_equal(to, from, 99);
  net_copy.from_user = true;
  assert_int_equal(net_copy_in(to, from, 100), slow_checksum(from, 100));
  assert_false(net_copy.faulted);
  unreadable = 1;
  assert_int_equal(net_copy_in(to, from, 100), 0); /* nothing but zeroes goes out */
  assert_true(net_copy.faulted);
  for (size_t i = 0; i < sizeof to; i++)
    assert_int_equal(to[i], 0);
  unreadable = 0;
}

static void sequence_numbers(void **state) {
  ip_addr_t a = IPADDR4_INIT_BYTES(10, 0, 2, 15), b = IPADDR4_INIT_BYTES(10, 0, 2, 2);
  ip_addr_t c = IPADDR6_INIT_HOST(0xfd000000, 0, 0, 1), d = IPADDR6_INIT_HOST(0xfd000000, 0, 0, 2);
  net_isn_init();
  uint32_t first = net_tcp_isn(&a, 80, &b, 1000);
  assert_int_equal(net_tcp_isn(&a, 80, &b, 1000), first);
  assert_int_not_equal(net_tcp_isn(&a, 80, &b, 1001), first);
  assert_int_not_equal(net_tcp_isn(&a, 81, &b, 1000), first);
  assert_int_not_equal(net_tcp_isn(&b, 80, &a, 1000), first);
  assert_int_not_equal(net_tcp_isn(&c, 80, &d, 1000), net_tcp_isn(&d, 80, &c, 1000));
  assert_int_equal(net_tcp_isn(&c, 80, &d, 1000), net_tcp_isn(&c, 80, &d, 1000));
  now_ns = 64000000;
  assert_int_equal(net_tcp_isn(&a, 80, &b, 1000), first + 1000000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_addresses),
      cmocka_unit_test(bad_addresses),
      cmocka_unit_test(checksums),
      cmocka_unit_test(copies),
      cmocka_unit_test(sequence_numbers),
      cmocka_unit_test(chains),
      cmocka_unit_test(pseudo_header_of_ip6),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
