/*
 * The internet checksum (RFC 1071), and the copy of the program's bytes into segments.
 *
 * Sums eight bytes at a time with the carries kept: a one's complement sum may be taken in words
 * of any width and folded at the end. Called by lwIP for headers, received segments and, as its
 * LWIP_CHKSUM_COPY, for everything that tcp_write() copies. Kernel lock; net_copy_in() may run the
 * fault handler, which does not sleep for pages that net/stream_send.c has touched before.
 */
#include "lwip/inet_chksum.h"

#include "kernel/string.h"
#include "kernel/user.h"
#include "net/port/port.h"

struct net_copy net_copy;

#define LOAD(type, p)                              \
  ({                                               \
    type load_v;                                   \
    __builtin_memcpy(&load_v, (p), sizeof load_v); \
    load_v;                                        \
  })

/* One's complement sum of `bytes` in words, each addition taking the carry of the one before. */
static inline __attribute__((always_inline)) uint64_t sum_words(const uint8_t *p, unsigned bytes,
                                                                uint64_t sum) {
  unsigned long long carry = 0;
#pragma clang loop unroll(full)
  for (unsigned i = 0; i < bytes; i += 8)
    sum = __builtin_addcll(sum, LOAD(uint64_t, p + i), carry, &carry);
  return sum + carry; /* no overflow: a sum that carried is not all ones */
}

static inline uint64_t add(uint64_t sum, uint64_t v) {
  sum += v;
  return sum + (sum < v);
}

/* Adding the halves in either order leaves sum and carry in the upper half. */
static inline uint16_t fold(uint64_t sum) {
  sum += sum >> 32 | sum << 32;
  uint32_t half = (uint32_t)(sum >> 32);
  half += half >> 16 | half << 16;
  return (uint16_t)(half >> 16);
}

/* Adds n bytes to sum, in words of the machine's order. */
static inline uint64_t sum_bytes(const uint8_t *p, unsigned n, uint64_t sum) {
  for (; n >= 128; n -= 128, p += 128)
    sum = sum_words(p, 128, sum);
#pragma clang loop unroll(disable)
  for (; n >= 16; n -= 16, p += 16)
    sum = sum_words(p, 16, sum);
  if (n & 8) {
    sum = add(sum, LOAD(uint64_t, p));
    p += 8;
  }
  if (n & 4) {
    sum = add(sum, LOAD(uint32_t, p));
    p += 4;
  }
  if (n & 2) {
    sum = add(sum, LOAD(uint16_t, p));
    p += 2;
  }
  return n & 1 ? add(sum, *p) : sum;
}

/* The sum in the machine's byte order, not inverted, as lwIP's own has it. */
uint16_t net_checksum(const void *data, int bytes) {
  return fold(sum_bytes(data, (unsigned)bytes, 0));
}

uint16_t net_copy_in(void *dst, const void *src, uint16_t bytes) {
  if (!net_copy.from_user) {
    memcpy(dst, src, bytes);
  } else if (user_copy_in(dst, src, bytes) != 0) {
    memset(dst, 0, bytes);
    net_copy.faulted = true;
  }
  return net_copy.skip_sum ? 0 : net_checksum(dst, bytes);
}

/* ---- What lwIP calls ------------------------------------------------------------------------- */

/* Adds the first `bytes` of a chain. Behind a part of odd length all words are shifted by a byte,
 * and turning the sum by one does the same to it. */
static uint64_t sum_chain(const struct pbuf *p, unsigned bytes, uint64_t sum) {
  bool odd = false;
  for (; p != NULL && bytes > 0; p = p->next) {
    unsigned n = p->len < bytes ? p->len : bytes;
    sum = sum_bytes(p->payload, n, sum);
    bytes -= n;
    if (n & 1) {
      sum = sum << 8 | sum >> 56;
      odd = !odd;
    }
  }
  return odd ? sum << 8 | sum >> 56 : sum;
}

/* What stands before a segment in its checksum: addresses, protocol, length (RFC 9293, 3.1; RFC
 * 8200, 8.1). */
static uint64_t pseudo4(const ip4_addr_t *src, const ip4_addr_t *dest, u8_t proto, u16_t len) {
  uint64_t sum = (uint64_t)ip4_addr_get_u32(src) + ip4_addr_get_u32(dest);
  return sum + lwip_htons(proto) + lwip_htons(len);
}

static uint64_t pseudo6(const ip6_addr_t *src, const ip6_addr_t *dest, u8_t proto, u16_t len) {
  uint64_t sum = (uint64_t)lwip_htons(proto) + lwip_htons(len);
  for (unsigned i = 0; i < 4; i++)
    sum += (uint64_t)src->addr[i] + dest->addr[i];
  return sum;
}

u16_t inet_chksum(const void *data, u16_t len) {
  return (u16_t)~net_checksum(data, len);
}

u16_t inet_chksum_pbuf(struct pbuf *p) {
  return (u16_t)~fold(sum_chain(p, UINT_MAX, 0));
}

u16_t ip_chksum_pseudo_partial(struct pbuf *p, u8_t proto, u16_t proto_len, u16_t chksum_len,
                               const ip_addr_t *src, const ip_addr_t *dest) {
  uint64_t sum = IP_IS_V6(dest) ? pseudo6(ip_2_ip6(src), ip_2_ip6(dest), proto, proto_len)
                                : pseudo4(ip_2_ip4(src), ip_2_ip4(dest), proto, proto_len);
  return (u16_t)~fold(sum_chain(p, chksum_len, sum));
}

u16_t ip_chksum_pseudo(struct pbuf *p, u8_t proto, u16_t proto_len, const ip_addr_t *src,
                       const ip_addr_t *dest) {
  return ip_chksum_pseudo_partial(p, proto, proto_len, p->tot_len, src, dest);
}

u16_t ip6_chksum_pseudo(struct pbuf *p, u8_t proto, u16_t proto_len, const ip6_addr_t *src,
                        const ip6_addr_t *dest) {
  return (u16_t)~fold(sum_chain(p, p->tot_len, pseudo6(src, dest, proto, proto_len)));
}
