// sources: tests/host/netlab.c tests/host/netlab_kernel.c tests/host/netlab_peer.c kernel/file.c kernel/uio.c net/address.c net/listener.c net/netif.c net/start.c net/stream.c net/stream_send.c net/stream_tcp.c net/timers.c net/port/checksum.c net/port/demux.c net/port/isn.c net/port/memory.c net/port/random.c build/src/lwip/src/core/def.c build/src/lwip/src/core/ip.c build/src/lwip/src/core/mem.c build/src/lwip/src/core/memp.c build/src/lwip/src/core/netif.c build/src/lwip/src/core/pbuf.c build/src/lwip/src/core/tcp.c build/src/lwip/src/core/tcp_in.c build/src/lwip/src/core/tcp_out.c build/src/lwip/src/core/udp.c build/src/lwip/src/core/ipv4/dhcp.c build/src/lwip/src/core/ipv4/etharp.c build/src/lwip/src/core/ipv4/icmp.c build/src/lwip/src/core/ipv4/ip4.c build/src/lwip/src/core/ipv4/ip4_addr.c build/src/lwip/src/core/ipv6/ethip6.c build/src/lwip/src/core/ipv6/icmp6.c build/src/lwip/src/core/ipv6/ip6.c build/src/lwip/src/core/ipv6/ip6_addr.c build/src/lwip/src/core/ipv6/mld6.c build/src/lwip/src/core/ipv6/nd6.c build/src/lwip/src/netif/ethernet.c
// cflags: -Inet/port -Ibuild/src/lwip/src/include
/*
 * Hostile packets: what arrives at the network card, against a machine with a listening socket, an
 * open connection and a program that uses it.
 *
 * The input is a list of operations, each a byte and its arguments (see step()); no seeds are
 * needed. Frames come raw, as ARP, IPv4 or IPv6 around raw payloads, or as TCP segments whose
 * numbers are close to the connection's, so that they are taken. After each input everything
 * that was lent must have come back and memory must be as before.
 */
#include "netlab.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/log.h"
#include "net/net.h"
#include "net/port/port.h"

static struct file *listener, *conn;
static struct peer p;

static const uint8_t *in;
static size_t left;

static unsigned byte(void) {
  if (left == 0)
    return 0;
  left--;
  return *in++;
}

static unsigned word(void) {
  unsigned hi = byte();
  return hi << 8 | byte();
}

/* Up to n bytes of the input. */
static size_t take(uint8_t *buf, size_t n) {
  n = n < left ? n : left;
  memcpy(buf, in, n);
  in += n;
  left -= n;
  return n;
}

static void raw_frame(unsigned kind) {
  static const uint8_t to[6] = {0x52, 0x54, 0, 1, 2, 3}, all[6] = {255, 255, 255, 255, 255, 255};
  static const uint16_t types[] = {0x0800, 0x0806, 0x86dd, 0x8100};
  uint8_t frame[1600] = {0};
  memcpy(frame, kind & 4 ? all : to, 6);
  frame[6] = 0x52;
  frame[12] = (uint8_t)(types[kind & 3] >> 8);
  frame[13] = (uint8_t)types[kind & 3];
  size_t n = 14 + take(frame + 14, word() % 1500);
  lab_receive(frame, n, 1 + byte() % 4, byte() & 1);
}

static void ip_frame(void) {
  uint8_t payload[1500], frame[1600];
  unsigned proto = byte();
  size_t n = take(payload, word() % 1480);
  n = lab_ip4_frame(frame, (uint8_t)(proto & 1 ? 6 : proto), LAB_PEERS, LAB_MACHINE, payload, n);
  lab_receive(frame, n, 1 + proto % 3, true);
}

static void put32(uint8_t *at, uint32_t v) {
  for (unsigned i = 0; i < 4; i++)
    at[i] = (uint8_t)(v >> 8 * (3 - i));
}

/* A segment of the connection, or of a new one, with any flags, options and data. */
static void tcp_segment(void) {
  uint8_t tcp[60 + 600] = {0}, frame[800];
  unsigned port = p.port + (byte() & 3), flags = byte();
  int seq = (int8_t)byte(), ack = (int8_t)byte();
  size_t options = byte() % 11 * 4, n;
  tcp[0] = (uint8_t)(port >> 8);
  tcp[1] = (uint8_t)port;
  tcp[3] = 80;
  put32(tcp + 4, p.seq + (uint32_t)(seq * (flags & 128 ? 500 : 1)));
  put32(tcp + 8, p.ack + (uint32_t)(ack * (flags & 64 ? 500 : 1)));
  tcp[12] = (uint8_t)((20 + options) / 4 << 4);
  tcp[13] = (uint8_t)flags & 63;
  tcp[14] = (uint8_t)byte();
  tcp[15] = 1;
  take(tcp + 20, options);
  n = byte() * 2;
  if (byte() & 1)
    p.seq += (uint32_t)n;
  n = lab_ip4_frame(frame, 6, LAB_PEERS, LAB_MACHINE, tcp, 20 + options + n);
  lab_receive(frame, n, 1, true);
}

static void program(void) {
  static uint8_t buf[5000];
  size_t n;
  struct file *f;
  switch (byte() % 7) {
    case 0:
      lab_read(conn, buf, word() % sizeof buf, &n);
      break;
    case 1:
      lab_write(conn, buf, word() % sizeof buf, &n);
      break;
    case 2:
      lab_recv(conn, buf, word() % sizeof buf, (uint16_t)(byte() & 0x14), &n);
      break;
    case 3:
      lab_shutdown(conn, (sdflags_t)(byte() % 3 + 1));
      break;
    case 4:
      lab_close(conn);
      conn = NULL;
      break;
    case 5:
      lab_poll(conn, byte() & 1 ? EVENTTYPE_FD_READ : EVENTTYPE_FD_WRITE);
      break;
    default:
      if (lab_accept(listener, &f) == 0)
        lab_close(f);
  }
}

static void step(void) {
  unsigned op = byte();
  if (op < 128) {
    tcp_segment();
  } else if (op < 160) {
    if (conn != NULL)
      program();
  } else if (op < 180) {
    lab_run(byte() * 10);
  } else if (op < 200) {
    ip_frame();
  } else if (op < 240) {
    raw_frame(op);
  } else if (op < 250) {
    peer_send(&p, in, left < 1460 ? left : 1460);
  } else {
    lab.fail_after = op == 255 ? SIZE_MAX : byte() % 16;
  }
  lab_pump();
}

static void start(void) {
  struct net_address any = {.v6 = true, .port = 80};
  lab.ip = "10.0.2.15/24";
  lab.gw = "10.0.2.2";
  lab.ram = 4 << 20;
  if (!lab_start() || net_listen(&any, &listener) != 0)
    panic("no network");
  listener->flags |= FDFLAG_NONBLOCK;
  lab_run(20000);
}

static void finish(void) {
  struct file *f;
  lab.fail_after = SIZE_MAX;
  if (conn != NULL)
    lab_close(conn);
  while (lab_accept(listener, &f) == 0)
    lab_close(f);
  peer_reset(&p);
  peer_free(&p);
  lab_run(200 * 1000);
  while (lab_accept(listener, &f) == 0)
    lab_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint16_t port;
  if (listener == NULL)
    start();
  /* Neighbours and addresses that router advertisements brought may stay. */
  size_t blocks = lab.allocated + 64;
  peer_init(&p, (uint16_t)(20000 + (port = (port + 8) & 0x3fff)), 80);
  if (!peer_connect(&p) || lab_accept(listener, &conn) != 0)
    panic("no connection can be made any more");
  conn->flags |= FDFLAG_NONBLOCK;
  in = data;
  left = size;
  while (left > 0)
    step();
  finish();
  if (lab.lent != 0)
    panic("%u buffers did not come back", lab.lent);
  if (lab.allocated > blocks)
    panic("%zu blocks more than before", lab.allocated - blocks);
  return 0;
}
