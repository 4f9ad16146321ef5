/*
 * The network laboratory's peers: ARP, IPv4, and TCP that does what it is told.
 */
#include "netlab.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/log.h"
#include "netlab_private.h"

#define ETH 14
#define IP 20

static const uint8_t peer_mac[6] = {0x52, 0x55, 10, 0, 2, 2};
static const uint8_t vm_mac[6] = {0x52, 0x54, 0, 1, 2, 3};
static struct peer *peers[65536];

static void put16(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v) {
  put16(p, v >> 16);
  put16(p + 2, v);
}

static uint32_t get16(const uint8_t *p) {
  return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p) {
  return get16(p) << 16 | get16(p + 2);
}

uint16_t lab_checksum(uint32_t start, const uint8_t *p, size_t n) {
  uint64_t sum = start;
  for (size_t i = 0; i + 1 < n; i += 2)
    sum += get16(p + i);
  if (n % 2 != 0)
    sum += (uint32_t)p[n - 1] << 8;
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static uint32_t pseudo(uint32_t src, uint32_t dst, size_t n) {
  return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + 6 + (uint32_t)n;
}

size_t lab_ip4_frame(uint8_t *f, uint8_t proto, uint32_t src, uint32_t dst, const uint8_t *payload,
                     size_t n) {
  memcpy(f, vm_mac, 6);
  memcpy(f + 6, peer_mac, 6);
  put16(f + 12, 0x0800);
  uint8_t *ip = f + ETH;
  memset(ip, 0, IP);
  ip[0] = 0x45;
  put16(ip + 2, (uint32_t)(IP + n));
  ip[8] = 64;
  ip[9] = proto;
  put32(ip + 12, src);
  put32(ip + 16, dst);
  put16(ip + 10, lab_checksum(0, ip, IP));
  memcpy(ip + IP, payload, n);
  return ETH + IP + n;
}

static void segment(struct peer *p, uint8_t flags, uint32_t seq, const uint8_t *options,
                    size_t option_bytes, const void *data, size_t n) {
  uint8_t tcp[20 + 40 + 1460], frame[ETH + IP + sizeof tcp];
  size_t header = 20 + option_bytes;
  memset(tcp, 0, 20);
  put16(tcp, p->port);
  put16(tcp + 2, p->vm_port);
  put32(tcp + 4, seq);
  put32(tcp + 8, (flags & ACK) != 0 ? p->ack : 0);
  tcp[12] = (uint8_t)(header / 4 << 4);
  tcp[13] = flags;
  uint32_t window = (flags & SYN) != 0 ? p->window : p->window >> 7;
  put16(tcp + 14, window > 65535 ? 65535 : window);
  memcpy(tcp + 20, options, option_bytes);
  if (n > 0)
    memcpy(tcp + header, data, n);
  put16(tcp + 16, lab_checksum(pseudo(LAB_PEERS, LAB_MACHINE, header + n), tcp, header + n));
  n = lab_ip4_frame(frame, 6, LAB_PEERS, LAB_MACHINE, tcp, header + n);
  lab_receive(frame, n, 1, false);
}

void peer_init(struct peer *p, uint16_t port, uint16_t vm_port) {
  memset(p, 0, sizeof *p);
  p->port = port;
  p->vm_port = vm_port;
  p->seq = port * 7919u;
  p->window = 65535u << 7;
  peers[port] = p;
}

void peer_free(struct peer *p) {
  if (peers[p->port] == p)
    peers[p->port] = NULL;
  free(p->rx);
  p->rx = NULL;
}

void peer_segment(struct peer *p, uint8_t flags, uint32_t seq, const void *data, size_t n) {
  segment(p, flags, seq, (const uint8_t *)"", 0, data, n);
  lab_pump();
}

void peer_syn(struct peer *p) {
  static const uint8_t options[] = {2, 4, 1460 >> 8, 1460 & 255, 3, 3, 7, 4, 2, 1, 1, 1};
  p->got_fin = p->got_rst = false;
  p->flags = 0;
  p->segments = 0;
  p->rx_len = 0;
  segment(p, SYN, p->seq, options, sizeof options, NULL, 0);
  lab_pump();
}

bool peer_connect(struct peer *p) {
  peer_syn(p);
  if (p->flags != (SYN | ACK) || p->last_ack != p->seq + 1)
    return false;
  p->seq++;
  p->ack = p->last_seq + 1;
  peer_segment(p, ACK, p->seq, NULL, 0);
  return true;
}

void peer_send(struct peer *p, const void *data, size_t n) {
  while (n > 0) {
    size_t part = n < 1460 ? n : 1460;
    uint32_t seq = p->seq;
    p->seq += (uint32_t)part;
    peer_segment(p, ACK | PSH, seq, data, part);
    data = (const char *)data + part;
    n -= part;
  }
}

void peer_fin(struct peer *p) {
  peer_segment(p, FIN | ACK, p->seq++, NULL, 0);
}

void peer_reset(struct peer *p) {
  peer_segment(p, RST | ACK, p->seq, NULL, 0);
}

/* ---- What the machine sends ------------------------------------------------------------------ */

static void arp(const uint8_t *f) {
  if (get16(f + ETH + 6) != 1 || get32(f + ETH + 24) != LAB_PEERS)
    return;
  uint8_t answer[42];
  memcpy(answer, f + 6, 6);
  memcpy(answer + 6, peer_mac, 6);
  put16(answer + 12, 0x0806);
  memcpy(answer + ETH, f + ETH, 6);
  put16(answer + ETH + 6, 2);
  memcpy(answer + ETH + 8, peer_mac, 6);
  put32(answer + ETH + 14, LAB_PEERS);
  memcpy(answer + ETH + 18, f + ETH + 8, 10);
  lab_receive(answer, sizeof answer, 1, false);
}

static void options(struct peer *p, const uint8_t *o, const uint8_t *end) {
  while (o < end && o[0] != 0) {
    if (o[0] == 2)
      p->vm_mss = (uint16_t)get16(o + 2);
    if (o[0] == 3)
      p->vm_scale = o[2];
    o += o[0] == 1 ? 1 : o[1];
  }
}

static void take(struct peer *p, const uint8_t *data, size_t n) {
  if (n == 0)
    return;
  if (p->rx_len + n > p->rx_max) {
    p->rx_max = (p->rx_len + n) * 2;
    p->rx = realloc(p->rx, p->rx_max);
  }
  memcpy(p->rx + p->rx_len, data, n);
  p->rx_len += n;
}

static void tcp(const uint8_t *t, size_t n) {
  struct peer *p = peers[get16(t + 2)];
  size_t header = (size_t)(t[12] >> 4) * 4;
  if (p == NULL)
    return;
  p->segments++;
  p->flags = t[13] & 31;
  p->last_seq = get32(t + 4);
  p->last_ack = get32(t + 8);
  if ((p->flags & SYN) != 0)
    options(p, t + 20, t + header);
  p->vm_window = get16(t + 14) << ((p->flags & SYN) != 0 ? 0 : p->vm_scale);
  if ((p->flags & RST) != 0)
    p->got_rst = true;
  if ((p->flags & (SYN | RST)) != 0)
    return;
  n -= header;
  uint32_t known = p->ack - p->last_seq; /* bytes at its start that came before */
  bool in_order = known == 0 || known < n;
  if (in_order && !p->mute) {
    take(p, t + header + known, n - known);
    p->ack = p->last_seq + (uint32_t)n;
    if ((p->flags & FIN) != 0) {
      p->got_fin = true;
      p->ack++;
    }
  }
  if (!p->mute && (n > 0 || (p->flags & FIN) != 0))
    segment(p, ACK, p->seq, t, 0, NULL, 0);
}

void lab_peer_frame(const uint8_t *f, size_t n) {
  if (n < ETH || n > 1514)
    panic("a frame of %zu bytes", n);
  if (get16(f + 12) == 0x0806) {
    arp(f);
    return;
  }
  if (get16(f + 12) != 0x0800)
    return; /* IPv6: nobody here speaks it */
  const uint8_t *ip = f + ETH;
  size_t bytes = get16(ip + 2);
  if (ip[0] != 0x45 || bytes != n - ETH || lab_checksum(0, ip, IP) != 0)
    panic("a bad IP header");
  if (ip[9] != 6)
    return;
  if (lab_checksum(pseudo(get32(ip + 12), get32(ip + 16), bytes - IP), ip + IP, bytes - IP) != 0)
    panic("a bad TCP checksum");
  tcp(ip + IP, bytes - IP);
}
