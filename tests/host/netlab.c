/*
 * The network laboratory's device and system calls.
 */
#include "netlab.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/log.h"
#include "net/net.h"
#include "netlab_private.h"

struct held {
  struct held *next;
  void (*done)(void *cookie);
  void *cookie;
};

struct frame {
  struct frame *next;
  size_t n;
  uint8_t bytes[];
};

static struct frame *air, **air_end = &air; /* sent, not yet seen by the peers */
static struct held *held;

static errno_t transmit(struct netdev *dev, const struct nettx *tx) {
  size_t n = 0;
  if (lab.ring_free == 0)
    return ENOBUFS;
  lab.ring_free--;
  if (tx->nsegs == 0 || tx->nsegs > NETDEV_SEGS_MAX)
    panic("%u segments", tx->nsegs);
  for (unsigned i = 0; i < tx->nsegs; i++)
    n += tx->segs[i].len;
  struct frame *f = malloc(sizeof *f + n);
  f->n = 0;
  f->next = NULL;
  for (unsigned i = 0; i < tx->nsegs; i++) {
    memcpy(f->bytes + f->n, tx->segs[i].data, tx->segs[i].len);
    f->n += tx->segs[i].len;
  }
  if (tx->csum) { /* what the device does: sums from csum_start on, the field included */
    uint16_t sum = lab_checksum(0, f->bytes + tx->csum_start, n - tx->csum_start);
    f->bytes[tx->csum_start + tx->csum_offset] = (uint8_t)(sum >> 8);
    f->bytes[tx->csum_start + tx->csum_offset + 1] = (uint8_t)sum;
  }
  *air_end = f;
  air_end = &f->next;
  lab.sent++;
  if (lab.hold_tx) {
    struct held *h = malloc(sizeof *h);
    *h = (struct held){held, tx->done, tx->cookie};
    held = h;
  } else if (tx->done != NULL) {
    tx->done(tx->cookie);
  }
  return 0;
}

static void flush(struct netdev *dev) {
  lab.flushes++;
}

static const struct netdev_ops ops = {transmit, flush};
static struct netdev device = {
    .ops = &ops, .mac = {0x52, 0x54, 0, 1, 2, 3}, .mtu = 1500, .link_up = true, .name = "lab0"};

void lab_release_tx(void) {
  while (held != NULL) {
    struct held *h = held;
    held = h->next;
    if (h->done != NULL)
      h->done(h->cookie);
    free(h);
  }
}

bool lab_start(void) {
  device.features = lab.features;
  netdev_register(&device);
  return net_start();
}

void lab_pump(void) {
  bool more = true;
  while (more) {
    more = lab_run_bhs();
    while (air != NULL) {
      struct frame *f = air;
      air = f->next;
      if (air == NULL)
        air_end = &air;
      if (lab.on_frame != NULL)
        lab.on_frame(f->bytes, f->n);
      else
        lab_peer_frame(f->bytes, f->n);
      free(f);
      more = true;
    }
  }
}

void lab_run(unsigned ms) {
  uint64_t until = lab.now_ns + ms * 1000000ull;
  lab_pump();
  while (lab_fire_timer(until))
    lab_pump();
  lab.now_ns = until;
}

static void netbuf_free(struct netbuf *b) {
  lab.lent--;
  free(b->data);
  free(b);
}

void lab_receive(const uint8_t *frame, size_t n, unsigned parts, bool csum_ok) {
  struct netbuf *first = NULL, **end = &first;
  for (unsigned i = 0; i < parts; i++) {
    size_t from = n * i / parts, to = n * (i + 1) / parts;
    struct netbuf *b = aligned_alloc(16, sizeof *b);
    *b = (struct netbuf){.data = malloc(to - from + (to == from)),
                         .len = (uint32_t)(to - from),
                         .csum_ok = csum_ok,
                         .free = netbuf_free};
    memcpy(b->data, frame + from, to - from);
    *end = b;
    end = &b->next;
    lab.lent++;
  }
  device.rx(&device, first);
  device.rx_done(&device);
}

/* ---- System calls ---------------------------------------------------------------------------- */

static size_t moved;

static errno_t finish(errno_t e, struct uio *u, size_t size, size_t *n) {
  moved = size - u->resid;
  uio_destroy(u);
  lab_pump();
  if (n != NULL)
    *n = moved;
  return e;
}

static void user(struct uio *u, struct iovec *v) {
  if (uio_init_user(u, v, 1) != 0)
    panic("uio_init_user");
}

errno_t lab_read(struct file *f, void *buf, size_t size, size_t *n) {
  struct iovec v = {buf, size};
  struct uio u;
  user(&u, &v);
  errno_t e = f->ops->read(f, &u);
  return finish(e, &u, size, n);
}

errno_t lab_write(struct file *f, const void *buf, size_t size, size_t *n) {
  struct iovec v = {(void *)buf, size};
  struct uio u;
  user(&u, &v);
  errno_t e = f->ops->write(f, &u);
  return finish(e, &u, size, n);
}

errno_t lab_recv(struct file *f, void *buf, size_t size, uint16_t flags, size_t *n) {
  struct iovec v = {buf, size};
  struct uio u;
  user(&u, &v);
  struct sockmsg msg = {.uio = &u, .flags = flags};
  errno_t e = f->ops->recv(f, &msg);
  return finish(e, &u, size, n);
}

errno_t lab_accept(struct file *f, struct file **conn) {
  errno_t e = f->ops->accept(f, conn);
  lab_pump();
  return e;
}

errno_t lab_shutdown(struct file *f, sdflags_t how) {
  errno_t e = f->ops->shutdown(f, how);
  lab_pump();
  return e;
}

void lab_close(struct file *f) {
  file_unref(f);
  lab_pump();
}

struct poll_state lab_poll(struct file *f, eventtype_t type) {
  struct poll_state st = {0};
  f->ops->poll(f, type, &st, NULL);
  return st;
}
