/*
 * virtio-net, receiving: buffers that travel up to the stack and come back
 * (specification 5.1.6.3, 5.1.6.4).
 *
 * Called from the driver's bottom half, and by the stack when it frees a buffer. Kernel lock.
 *
 * A buffer is half a page: the netbuf, a reference to the driver, then what the device writes. The
 * stack may keep a buffer as long as a program does not read; so that it can't keep all, frames are
 * copied to the heap when few buffers are left: short ones first, below rx_low all. Then
 * a frame is lost only when memory is, and receiving always goes on.
 */
#include "drivers/virtio/net.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define BUF_BYTES 2048u
#define BUFS_PER_PAGE (PAGE_SIZE / BUF_BYTES)
#define SHORT_FRAME 256 /* copied when buffers are spare */
#define ETH_HEADER 14

struct rx_buf {
  struct netbuf nb; /* first */
  struct virtio_net *net;
  uint8_t *start; /* the header, and the frame behind it */
  pa_t start_pa;
};

/* Divides a new half page up. With the header's 12 (or 10) bytes and the Ethernet header before it,
 * IP is aligned to 4. */
static struct rx_buf *buf_make(struct virtio_net *n, uint8_t *memory) {
  struct rx_buf *b = (struct rx_buf *)memory;
  b->net = n;
  b->start = (uint8_t *)(b + 1) + (n->hdr_bytes == NET_HDR_BYTES ? 2 : 0);
  b->start_pa = va_to_pa(b->start);
  return b;
}

/* Puts a buffer into the ring, not yet visible. */
static void post(struct virtio_net *n, struct rx_buf *b) {
  uint32_t bytes = (uint32_t)((uint8_t *)b + BUF_BYTES - b->start);
  if (!n->split_header) {
    virtq_add_in(&n->rx, b->start_pa, bytes, b); /* fails only when broken: the buffer rests then */
    return;
  }
  struct virtq_buf bufs[] = {{b->start_pa, n->hdr_bytes},
                             {b->start_pa + n->hdr_bytes, bytes - n->hdr_bytes}};
  virtq_add(&n->rx, bufs, 0, 2, b);
}

/* netbuf.free: the stack is done with a buffer. The last few of a lot wait for the next poll:
 * rx_low others are with the device. */
static void buf_free(struct netbuf *nb) {
  struct rx_buf *b = (struct rx_buf *)nb;
  struct virtio_net *n = b->net;
  post(n, b);
  if (virtq_unpublished(&n->rx) >= n->rx_batch)
    virtq_kick(&n->rx);
}

static void copy_free(struct netbuf *nb) {
  kfree(nb);
}

/* The frame's part on the heap, and the buffer back in the ring; NULL: no memory. */
static struct netbuf *copy_out(struct virtio_net *n, struct rx_buf *b, const uint8_t *data,
                               uint32_t len) {
  struct netbuf *nb = kmalloc(sizeof *nb + 2 + len);
  if (nb != NULL) {
    nb->data = (uint8_t *)(nb + 1) + 2; /* IP aligned to 4 */
    nb->free = copy_free;
    memcpy(nb->data, data, len);
  }
  post(n, b);
  return nb;
}

/* What goes up for `len` bytes at `data` inside b; NULL: dropped, b is posted again. */
static struct netbuf *take(struct virtio_net *n, struct rx_buf *b, uint8_t *data, uint32_t len) {
  struct netbuf *nb = &b->nb;
  unsigned left = virtq_in_flight(&n->rx);
  if (left < n->rx_low || (left < n->rx_spare && len < SHORT_FRAME))
    nb = copy_out(n, b, data, len);
  else
    nb->data = data;
  if (nb == NULL)
    return NULL;
  nb->len = len;
  nb->next = NULL;
  return nb;
}

static void free_chain(struct netbuf *nb) {
  while (nb != NULL) {
    struct netbuf *next = nb->next;
    nb->free(nb);
    nb = next;
  }
}

static void deliver(struct virtio_net *n, struct netbuf *nb) {
  if (n->nd.rx != NULL)
    n->nd.rx(&n->nd, nb);
  else
    free_chain(nb);
}

/* A further buffer of a frame that began earlier. */
static void more(struct virtio_net *n, struct rx_buf *b, uint32_t len) {
  struct netbuf *nb = NULL;
  n->rx_missing--;
  if (!n->rx_drop && len != 0)
    nb = take(n, b, b->start, len);
  else
    post(n, b);
  if (nb != NULL) {
    n->rx_last->next = nb;
    n->rx_last = nb;
  } else if (!n->rx_drop) {
    n->rx_drop = true;
    free_chain(n->rx_first);
    n->rx_first = NULL;
  }
  if (n->rx_missing == 0 && !n->rx_drop) {
    nb = n->rx_first;
    n->rx_first = NULL;
    deliver(n, nb);
  }
}

/* The first buffer of a frame. */
static void first(struct virtio_net *n, struct rx_buf *b, uint32_t len) {
  uint8_t *start = b->start;
  const volatile struct net_hdr *hdr = (const volatile struct net_hdr *)start;
  uint16_t parts = n->mergeable ? hdr->num_buffers : 1;
  if (len < n->hdr_bytes || parts == 0 || parts > n->rx_total) {
    post(n, b); /* where all are */
    virtio_break(n->dev, "a frame of %u bytes in %u buffers", len, parts);
    return;
  }
  len -= n->hdr_bytes;
  bool csum_ok =
      (n->nd.features & NETDEV_RX_CSUM) && (hdr->flags & (NET_HDR_NEEDS_CSUM | NET_HDR_DATA_VALID));
  struct netbuf *nb = NULL;
  if (len >= ETH_HEADER)
    nb = take(n, b, start + n->hdr_bytes, len);
  else
    post(n, b); /* a runt */
  if (nb != NULL)
    nb->csum_ok = csum_ok;
  if (parts > 1) {
    n->rx_missing = (uint16_t)(parts - 1);
    n->rx_drop = nb == NULL;
    n->rx_first = n->rx_last = nb;
  } else if (nb != NULL) {
    deliver(n, nb);
  }
}

unsigned vnet_rx_poll(struct virtio_net *n, unsigned budget) {
  unsigned done = 0;
  void *cookie;
  uint32_t len;
  while (done < budget && virtq_pending(&n->rx) && virtq_reap(&n->rx, &cookie, &len)) {
    if (n->rx_missing != 0)
      more(n, cookie, len);
    else
      first(n, cookie, len);
    done++;
  }
  virtq_kick(&n->rx);
  return done;
}

void vnet_rx_abort(struct virtio_net *n) {
  free_chain(n->rx_first);
  n->rx_first = NULL;
}

/* How many buffers the largest frame takes. */
static unsigned frame_buffers(const struct virtio_net *n) {
  return n->mergeable ? n->rx_largest / (BUF_BYTES - (unsigned)sizeof(struct rx_buf) - 2) + 1 : 1;
}

static unsigned max(unsigned a, unsigned b) {
  return a > b ? a : b;
}

errno_t vnet_rx_init(struct virtio_net *n, unsigned total) {
  unsigned largest = frame_buffers(n);
  while (total < largest * 2)
    total *= 2;
  errno_t e = virtq_create(n->dev, &n->rx, 0, n->split_header ? total * 2 : total);
  if (e != 0)
    return e;
  unsigned room = n->split_header ? n->rx.size / 2 : n->rx.size;
  if (total > room)
    total = room;
  while (n->rx_total < total) {
    uint8_t *page = page_alloc(0);
    if (page == NULL)
      break;
    for (unsigned i = 0; i < BUFS_PER_PAGE && n->rx_total < total; i++, n->rx_total++) {
      struct rx_buf *b = buf_make(n, page + i * BUF_BYTES);
      b->nb.free = buf_free;
      post(n, b);
    }
  }
  /* A device waits until its next frame fits: so much must stay with it. */
  n->rx_low = (uint16_t)max(n->rx_total / 4, largest);
  n->rx_spare = (uint16_t)max(n->rx_total / 2, largest);
  n->rx_batch = (uint16_t)(n->rx_total / 8 + 1);
  return n->rx_total >= largest ? 0 : ENOBUFS;
}
