/*
 * Addresses as text: 10.0.2.15:8080, [::]:8080, [fd00::1]:80 (RFC 4291, 2.2), and as the ABI's
 * sock_stat_get tells them (reference 0.2).
 *
 * Called at boot for the grant table and the command line, and by sockets; pure functions.
 */
#include "net/net.h"

#include "kernel/string.h"
#include "net/stack.h"

struct text {
  const char *at, *end;
};

static bool take(struct text *t, char c) {
  if (t->at == t->end || *t->at != c)
    return false;
  t->at++;
  return true;
}

/* A decimal number without needless zeroes, at most max. */
static bool decimal(struct text *t, uint32_t max, uint32_t *out) {
  const char *start = t->at;
  uint32_t n = 0;
  while (t->at < t->end && *t->at >= '0' && *t->at <= '9') {
    n = n * 10 + (uint32_t)(*t->at++ - '0');
    if (n > max)
      return false;
  }
  *out = n;
  return t->at > start && (*start != '0' || t->at == start + 1);
}

static bool dotted(struct text *t, uint8_t out[4]) {
  for (unsigned i = 0; i < 4; i++) {
    uint32_t n;
    if ((i > 0 && !take(t, '.')) || !decimal(t, 255, &n))
      return false;
    out[i] = (uint8_t)n;
  }
  return true;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 32;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four hexadecimal digits, two bytes. */
static bool group(struct text *t, uint8_t out[2]) {
  unsigned n = 0, digits = 0;
  while (t->at < t->end && digits < 4 && hex_digit(*t->at) >= 0) {
    n = n << 4 | (unsigned)hex_digit(*t->at++);
    digits++;
  }
  out[0] = (uint8_t)(n >> 8);
  out[1] = (uint8_t)n;
  return digits > 0;
}

/* Groups up to the text's end; one :: stands for as many zeroes as are missing. */
static bool ip6(struct text *t, uint8_t out[16]) {
  unsigned used = 0, gap = 17;
  if (take(t, ':')) {
    if (!take(t, ':'))
      return false;
    gap = 0;
  }
  while (t->at < t->end) {
    struct text before = *t;
    if (used > 14 || !group(t, out + used))
      return false;
    if (t->at < t->end && *t->at == '.') { /* the last four bytes as in IPv4 */
      *t = before;
      if (used > 12 || !dotted(t, out + used) || t->at != t->end)
        return false;
      used += 4;
      break;
    }
    used += 2;
    if (t->at == t->end)
      break;
    if (!take(t, ':') || t->at == t->end)
      return false;
    if (take(t, ':')) {
      if (gap <= 16)
        return false;
      gap = used;
    }
  }
  if (gap > 16)
    return used == 16;
  if (used > 14)
    return false;
  memmove(out + 16 - (used - gap), out + gap, used - gap);
  memset(out + gap, 0, 16 - used);
  return true;
}

bool net_address_parse(const char *text, size_t len, struct net_address *out) {
  struct text t = {text, text + len};
  uint32_t port;
  memset(out, 0, sizeof *out);
  if (take(&t, '[')) {
    const char *close = memchr(t.at, ']', (size_t)(t.end - t.at));
    if (close == NULL)
      return false;
    struct text inner = {t.at, close};
    out->v6 = true;
    if (inner.at == inner.end || !ip6(&inner, out->addr))
      return false;
    t.at = close + 1;
  } else if (!dotted(&t, out->addr)) {
    return false;
  }
  if (!take(&t, ':') || !decimal(&t, 65535, &port) || t.at != t.end)
    return false;
  out->port = (uint16_t)port;
  return port != 0;
}

bool net_parse_ip4(const char *text, size_t len, ip4_addr_t *out) {
  struct text t = {text, text + len};
  uint8_t bytes[4];
  if (!dotted(&t, bytes) || t.at != t.end)
    return false;
  IP4_ADDR(out, bytes[0], bytes[1], bytes[2], bytes[3]);
  return true;
}

void net_sockaddr(const ip_addr_t *ip, uint16_t port, struct sockaddr *out) {
  if (IP_IS_V4(ip)) {
    out->sa_family = AF_INET;
    memcpy(out->sa_inet.addr, &ip_2_ip4(ip)->addr, sizeof out->sa_inet.addr);
    out->sa_inet.port = port;
  } else {
    out->sa_family = AF_INET6;
    memcpy(out->sa_inet6.addr, ip_2_ip6(ip)->addr, sizeof out->sa_inet6.addr);
    out->sa_inet6.port = port;
  }
}
