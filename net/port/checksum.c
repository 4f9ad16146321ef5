/*
 * The internet checksum (RFC 1071), and the copy of the program's bytes into segments.
 *
 * Sums eight bytes at a time with the carries kept: a one's complement sum may be taken in words
 * of any width and folded at the end. Called by lwIP for headers, received segments and, as its
 * LWIP_CHKSUM_COPY, for everything that tcp_write() copies. Kernel lock; net_copy_in() may run the
 * fault handler, which does not sleep for pages that net/stream_send.c has touched before.
 */
#include "arch/cc.h"

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

/* One's complement sum of eight words, each addition taking the carry of the one before. */
static inline uint64_t sum64(const uint8_t *p, uint64_t sum) {
  unsigned long long carry = 0;
  for (unsigned i = 0; i < 64; i += 8)
    sum = __builtin_addcll(sum, LOAD(uint64_t, p + i), carry, &carry);
  return sum + carry; /* no overflow: a sum that carried is not all ones */
}

static inline uint64_t add(uint64_t sum, uint64_t v) {
  sum += v;
  return sum + (sum < v);
}

/* The sum in the machine's byte order, not inverted, as lwIP's own has it. */
uint16_t net_checksum(const void *data, int bytes) {
  const uint8_t *p = data;
  uint64_t sum = 0;
  unsigned n = (unsigned)bytes;
  for (; n >= 64; n -= 64, p += 64)
    sum = sum64(p, sum);
#pragma clang loop unroll(disable)
  for (; n >= 8; n -= 8, p += 8)
    sum = add(sum, LOAD(uint64_t, p));
  if (n & 4) {
    sum = add(sum, LOAD(uint32_t, p));
    p += 4;
  }
  if (n & 2) {
    sum = add(sum, LOAD(uint16_t, p));
    p += 2;
  }
  if (n & 1)
    sum = add(sum, *p);
  sum = (sum >> 32) + (uint32_t)sum;
  sum = (sum >> 32) + (uint32_t)sum;
  uint32_t half = (uint32_t)(sum >> 16) + (uint16_t)sum;
  return (uint16_t)((half >> 16) + half);
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
