/*
 * Initial sequence numbers, RFC 6528: a clock, plus a keyed hash of both ends' addresses and ports
 * (SipHash-2-4, by its published description). The clock counts 64 ns and not that document's 4 µs,
 * so that no connection's bytes outrun it.
 *
 * Who does not see a connection's packets can't guess its numbers; the same two ends get numbers
 * that grow, which is what lets a new connection follow one in TIME_WAIT.
 *
 * Called by lwIP for each new connection, under the kernel lock.
 */
#include "lwip/opt.h"

#include "hooks.h"
#include "kernel/clock.h"
#include "kernel/random.h"
#include "kernel/string.h"
#include "net/port/port.h"

static uint64_t key[2];

void net_isn_init(void) {
  random_bytes(key, sizeof key);
}

static uint64_t rotate(uint64_t x, unsigned n) {
  return x << n | x >> (64 - n);
}

static void sip_rounds(uint64_t v[4], unsigned n) {
  while (n-- > 0) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
  }
}

/* Of whole words: the last one carries the length, as in SipHash of words * 8 − 1 bytes or less. */
static uint64_t sip_hash(const uint64_t *word, size_t words) {
  uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                   key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
  for (size_t i = 0; i < words; i++) {
    v[3] ^= word[i];
    sip_rounds(v, 2);
    v[0] ^= word[i];
  }
  v[2] ^= 0xff;
  sip_rounds(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

u32_t net_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                  u16_t remote_port) {
  uint64_t word[5] = {0};
  size_t words = 1;
#if LWIP_IPV6
  if (IP_IS_V6(remote)) {
    memcpy(&word[0], ip_2_ip6(local)->addr, 16);
    memcpy(&word[2], ip_2_ip6(remote)->addr, 16);
    words = 4;
  } else
#endif
    word[0] =
        (uint64_t)ip4_addr_get_u32(ip_2_ip4(local)) << 32 | ip4_addr_get_u32(ip_2_ip4(remote));
  word[words] = (uint64_t)(words * 8 + 4) << 56 | (uint64_t)remote_port << 16 | local_port;
  return (u32_t)(clock_monotonic_ns() >> 6) + (u32_t)sip_hash(word, words + 1);
}
