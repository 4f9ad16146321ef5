/*
 * Split rings: giving chains of buffers to a device and taking them back (specification 2.6).
 *
 * Called by drivers under the kernel lock, in bottom halves and system calls; virtq_irq_off() also
 * by handlers. Nothing sleeps. What the device writes is believed only as far as it agrees with
 * slots[], which it does not see.
 */
#include "drivers/virtio/ring.h"
#include "drivers/virtio/virtio.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/string.h"

#define SMALL_RING_BYTES 2048 /* up to here the heap gives the memory, above whole pages */
#define MODERN_ALIGN 4        /* of the used ring */

static unsigned ring_align(const struct virtio_dev *d) {
  return d->legacy ? d->ring_align : MODERN_ALIGN;
}

static unsigned ring_order(size_t bytes) {
  unsigned order = 0;
  while ((PAGE_SIZE << order) < bytes)
    order++;
  return order;
}

/* Zeroed memory for the ring; legacy devices are told a page number, so it starts on a page. */
static void *ring_alloc(const struct virtio_dev *d, size_t bytes) {
  if (!d->legacy && bytes <= SMALL_RING_BYTES)
    return kzalloc(bytes);
  unsigned order = ring_order(bytes);
  return order > PAGE_ORDER_MAX ? NULL : page_alloc_zero(order);
}

static void ring_free(const struct virtio_dev *d, void *ring, size_t bytes) {
  if (!d->legacy && bytes <= SMALL_RING_BYTES)
    kfree(ring);
  else
    page_free(ring, ring_order(bytes));
}

/* How many descriptors; 0: what the device says makes no sense. */
static unsigned ring_size(const struct virtio_dev *d, unsigned max, unsigned wanted) {
  unsigned size = 1;
  if (max > VIRTQ_SIZE_MAX)
    return 0;
  if (d->fixed_rings)
    return (max & (max - 1)) == 0 ? max : 0;
  while (size * 2 <= max && size < wanted)
    size *= 2;
  return size;
}

errno_t virtq_create(struct virtio_dev *d, struct virtq *q, unsigned index, unsigned wanted) {
  unsigned max = d->ops->queue_size(d, index);
  if (max == 0)
    return ENODEV;
  unsigned size = ring_size(d, max, wanted), align = ring_align(d);
  if (size == 0)
    return EINVAL;

  memset(q, 0, sizeof *q);
  uint8_t *ring = ring_alloc(d, virtq_bytes(size, align));
  q->slots = kzalloc(size * sizeof *q->slots);
  q->dev = d;
  q->index = (uint16_t)index;
  q->size = q->free_count = (uint16_t)size;
  q->event_idx = virtio_has(d, VIRTIO_F_EVENT_IDX);
  q->desc = (struct virtq_desc *)ring;
  errno_t e = ENOMEM;
  if (ring == NULL || q->slots == NULL)
    goto fail;
  q->avail = (struct virtq_avail *)(ring + 16 * size);
  q->used = (volatile struct virtq_used *)(ring + virtq_used_offset(size, align));
  q->used_idx = &q->used->idx;
  q->used_event = &q->avail->ring[size];
  q->avail_event = (volatile uint16_t *)&q->used->ring[size];
  for (unsigned i = 0; i < size; i++)
    q->slots[i].next = (uint16_t)(i + 1);
  virtq_irq_off(q);
  e = d->ops->queue_start(d, q);
  if (e == 0)
    return 0;
fail:
  virtq_destroy(q);
  return e;
}

void virtq_destroy(struct virtq *q) {
  if (q->desc != NULL)
    ring_free(q->dev, q->desc, virtq_bytes(q->size, ring_align(q->dev)));
  kfree(q->slots);
  q->desc = NULL;
  q->slots = NULL;
}

/* Enters the chain that starts at head, and is off the free list, into the available ring. */
static inline void chain_give(struct virtq *q, uint16_t head, uint16_t count, uint32_t in_bytes,
                              void *cookie) {
  struct virtq_slot *s = &q->slots[head];
  s->cookie = cookie;
  s->in_bytes = in_bytes;
  s->count = count;
  q->free_count = (uint16_t)(q->free_count - count);
  q->avail->ring[q->avail_next++ & (q->size - 1)] = head;
}

errno_t virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned out, unsigned in,
                  void *cookie) {
  struct virtq_desc *desc = q->desc;
  const struct virtq_slot *slots = q->slots;
  unsigned n = out + in;
  uint16_t head = q->free_head, i = head;
  uint32_t in_bytes = 0;
  if (q->dev->broken)
    return EIO;
  if (n == 0 || n > q->free_count)
    return ENOBUFS;
  struct virtq_desc *d = NULL;
  for (unsigned k = 0; k < n; k++) {
    d = &desc[i];
    i = slots[i].next;
    *d = (struct virtq_desc){bufs[k].base, bufs[k].len, VIRTQ_DESC_NEXT, i};
    if (k >= out) {
      d->flags = VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE;
      in_bytes += bufs[k].len;
    }
  }
  d->flags &= (uint16_t)~VIRTQ_DESC_NEXT;
  q->free_head = i;
  chain_give(q, head, (uint16_t)n, in_bytes, cookie);
  return 0;
}

errno_t virtq_add_in(struct virtq *q, pa_t base, uint32_t len, void *cookie) {
  uint16_t head = q->free_head;
  if (q->dev->broken)
    return EIO;
  if (q->free_count == 0)
    return ENOBUFS;
  q->free_head = q->slots[head].next;
  q->desc[head] = (struct virtq_desc){.addr = base, .len = len, .flags = VIRTQ_DESC_WRITE};
  chain_give(q, head, 1, len, cookie);
  return 0;
}

void virtq_kick(struct virtq *q) {
  uint16_t old = q->published, new = q->avail_next;
  if (old == new || q->dev->broken)
    return;
  arch_dma_wmb(); /* entries before the index */
  *(volatile uint16_t *)&q->avail->idx = new;
  q->published = new;
  arch_dma_mb(); /* the index before asking whether it must be told */
  bool wanted = q->event_idx ? (uint16_t)(new - *q->avail_event - 1) < (uint16_t)(new - old)
                             : !(q->used->flags & VIRTQ_USED_NO_NOTIFY);
  if (wanted)
    q->dev->ops->notify(q);
}

void virtq_nudge(struct virtq *q) {
  if (!q->dev->broken)
    q->dev->ops->notify(q);
}

/* Puts the chain that starts at head back in the free list; gives its cookie. */
static inline __attribute__((always_inline)) void *chain_free(struct virtq *q, uint16_t head) {
  struct virtq_slot *s = &q->slots[head], *tail = s;
#pragma clang loop unroll(disable) /* mostly one or two rounds */
  for (unsigned n = s->count; n > 1; n--)
    tail = &q->slots[tail->next];
  q->free_count = (uint16_t)(q->free_count + s->count);
  s->count = 0;
  tail->next = q->free_head;
  q->free_head = head;
  return s->cookie;
}

/* Says what is wrong with a used element. Apart from virtq_reap, which is called for every frame.
 */
static __attribute__((noinline, cold)) bool refuse(struct virtq *q, uint32_t id, uint32_t bytes) {
  if (q->last_used == q->published)
    virtio_break(q->dev, "ring %u: more is done than was given", q->index);
  else if (id >= q->size || q->slots[id].count == 0)
    virtio_break(q->dev, "ring %u: descriptor %u is done, but was not given", q->index, id);
  else
    virtio_break(q->dev, "ring %u: %u bytes written to a buffer of %u", q->index, bytes,
                 q->slots[id].in_bytes);
  return false;
}

bool virtq_reap(struct virtq *q, void **cookie, uint32_t *len) {
  if (!virtq_pending(q) || q->dev->broken)
    return false;
  arch_dma_rmb(); /* the index before its entry */
  volatile struct virtq_used_elem *elem = &q->used->ring[q->last_used & (q->size - 1)];
  uint32_t id = elem->id, bytes = elem->len;
  if (q->last_used == q->published || id >= q->size || q->slots[id].count == 0)
    return refuse(q, id, bytes);
  uint32_t in_bytes = q->slots[id].in_bytes;
  if (in_bytes == 0)
    bytes = 0; /* old devices put the length of what they read here */
  if (bytes > in_bytes)
    return refuse(q, id, bytes);
  q->last_used++;
  *cookie = chain_free(q, (uint16_t)id);
  *len = bytes;
  return true;
}

bool virtq_take_back(struct virtq *q, void **cookie) {
  for (unsigned i = 0; i < q->size && virtq_in_flight(q) != 0; i++) {
    if (q->slots[i].count == 0)
      continue;
    q->last_used++;
    *cookie = chain_free(q, (uint16_t)i);
    return true;
  }
  return false;
}

bool virtq_irq_on(struct virtq *q, uint16_t after) {
  if (q->event_idx)
    *(volatile uint16_t *)q->used_event = (uint16_t)(q->last_used + after - 1);
  else
    *(volatile uint16_t *)&q->avail->flags = 0;
  arch_dma_mb(); /* the wish before looking whether it came too late */
  return (uint16_t)(q->used->idx - q->last_used) >= after;
}

void virtq_irq_off(struct virtq *q) {
  if (q->event_idx) /* passed only after all other indices */
    *(volatile uint16_t *)q->used_event = (uint16_t)(q->last_used - 1);
  else
    *(volatile uint16_t *)&q->avail->flags = VIRTQ_AVAIL_NO_IRQ;
}
