/*
 * A laboratory for net/: the real stack over a fake kernel, a fake network device and peers that
 * speak just enough TCP to be told every segment. One thread; time stands still until lab_run().
 *
 * The machine is 10.0.2.15, the peers are ports of 10.0.2.2. Every frame that the stack sends is
 * checked (lengths, IP and TCP checksums). A call that would sleep calls lab.on_sleep; without it
 * the sleep ends with ECANCELED, which is how a test sees that a call would have waited.
 */
#ifndef TESTS_HOST_NETLAB_H
#define TESTS_HOST_NETLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/file.h"
#include "kernel/netdev.h"
#include "kernel/uio.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

#define LAB_MACHINE 0x0a00020fu
#define LAB_PEERS 0x0a000202u

struct peer {
  uint16_t port, vm_port;
  uint32_t seq;    /* of the next byte to send */
  uint32_t ack;    /* the next byte expected */
  uint32_t window; /* offered to the machine, in bytes */
  bool mute;       /* no automatic acknowledgements */
  uint8_t *rx;     /* what came, in order */
  size_t rx_len, rx_max;
  bool got_fin, got_rst;
  unsigned segments; /* that came, all kinds */
  uint8_t flags;     /* of the last one */
  uint32_t last_seq, last_ack;
  uint32_t vm_window; /* what the machine offers, in bytes */
  unsigned vm_scale;
  uint16_t vm_mss;
};

struct lab {
  const char *ip, *gw, *dns; /* the command line; NULL: not given */
  size_t ram;
  bool (*on_sleep)(void); /* something happens elsewhere; false: nothing */
  void (*on_frame)(const uint8_t *frame, size_t n); /* NULL: peers answer */
  bool hold_tx;       /* the device keeps frames: done() comes with lab_release_tx() */
  unsigned ring_free; /* frames that transmit takes before ENOBUFS */
  unsigned features;
  size_t fail_after; /* allocations until they fail; SIZE_MAX: never */
  uint64_t now_ns;
  size_t allocated; /* blocks now */
  unsigned lent;    /* frames the stack has not given back */
  unsigned sent, flushes, timer_fires;
  char log[512]; /* the last message */
};

extern struct lab lab;

/* Starts the stack with lab's settings; once in a process. */
bool lab_start(void);
/* Lets frames travel until all is quiet. */
void lab_pump(void);
/* The same, with time passing. */
void lab_run(unsigned ms);
/* A frame comes in, in `parts` buffers. */
void lab_receive(const uint8_t *frame, size_t n, unsigned parts, bool csum_ok);
void lab_release_tx(void);
/* The machine's end would wait for the stack. */
bool lab_unfinished(void);
/* ones' complement sum as the wire has it, to compare with */
uint16_t lab_checksum(uint32_t start, const uint8_t *p, size_t n);
/* Builds an IPv4 frame around a payload; returns its length. */
size_t lab_ip4_frame(uint8_t *frame, uint8_t proto, uint32_t src, uint32_t dst,
                     const uint8_t *payload, size_t n);

void peer_init(struct peer *p, uint16_t port, uint16_t vm_port);
void peer_free(struct peer *p);
/* Any segment, with the peer's acknowledgement number and window. */
void peer_segment(struct peer *p, uint8_t flags, uint32_t seq, const void *data, size_t n);
/* Sends SYN, with options for MSS 1460, window scale 7 and SACK. */
void peer_syn(struct peer *p);
/* SYN and the ACK of the answer; true if there was one. */
bool peer_connect(struct peer *p);
/* Data in segments of up to 1460 bytes, whatever the window. */
void peer_send(struct peer *p, const void *data, size_t n);
void peer_fin(struct peer *p);
void peer_reset(struct peer *p);

/* System calls on files, followed by lab_pump(). `*n`: bytes moved. */
errno_t lab_read(struct file *f, void *buf, size_t size, size_t *n);
errno_t lab_write(struct file *f, const void *buf, size_t size, size_t *n);
errno_t lab_recv(struct file *f, void *buf, size_t size, uint16_t flags, size_t *n);
errno_t lab_accept(struct file *f, struct file **conn);
errno_t lab_shutdown(struct file *f, sdflags_t how);
void lab_close(struct file *f);
struct poll_state lab_poll(struct file *f, eventtype_t type);

#endif
