/*
 * Channels: the queue of chunks, its limits, and what happens when one side is gone.
 *
 * Called by channel_read.c, channel_write.c, and by sockets and FIFOs when ends open and close;
 * kernel lock; nothing here sleeps. Reference 7.1, 7.2.
 */
#include "ipc/channel.h"

#include "ipc/flight.h"
#include "kernel/heap.h"
#include "kernel/log.h"

static size_t memory_bytes; /* of all chunks */

void channel_init(struct channel *c, bool messages) {
  *c = (struct channel){.messages = messages};
  waitq_init(&c->readers);
  waitq_init(&c->writers);
}

/* ---- Chunks ---------------------------------------------------------------------------------- */

struct chunk *chunk_create(size_t size) {
  size_t bytes = sizeof(struct chunk) + size;
  if (memory_bytes + bytes > page_total() / CHANNEL_MEMORY_SHARE * PAGE_SIZE)
    return NULL;
  struct chunk *k = kmalloc(bytes);
  if (k == NULL)
    return NULL;
  *k = (struct chunk){.size = (uint16_t)size};
  memory_bytes += bytes;
  return k;
}

void chunk_free(struct chunk *k) {
  ASSERT(k->fds == NULL);
  memory_bytes -= sizeof(struct chunk) + k->size;
  kfree(k);
}

void chunk_push(struct channel *c, struct chunk *k) {
  if (c->tail == NULL)
    c->head = k;
  else
    c->tail->next = k;
  while (k->next != NULL)
    k = k->next;
  c->tail = k;
}

void chunk_pop(struct channel *c) {
  struct chunk *k = c->head;
  c->head = k->next;
  if (c->head == NULL)
    c->tail = NULL;
  chunk_free(k);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

void channel_take_fds(struct channel *c, struct fd_bundle **list) {
  for (struct chunk *k = c->fds > 0 ? c->head : NULL; k != NULL; k = k->next) {
    if (k->fds == NULL)
      continue;
    k->fds->next = *list;
    *list = k->fds;
    k->fds = NULL;
  }
  c->fds = 0;
}

void channel_discard(struct channel *c) {
  struct fd_bundle *fds = NULL;
  if (c->reading)
    return;
  channel_take_fds(c, &fds);
  while (c->head != NULL)
    chunk_pop(c);
  c->bytes = c->used = 0;
  flight_drop_all(fds); /* last: closing may lead anywhere */
}

void channel_end_reading(struct channel *c) {
  c->no_reader = true;
  waitq_wake_all(&c->readers);
  waitq_wake_all(&c->writers);
  channel_discard(c);
}

void channel_end_writing(struct channel *c) {
  c->no_writer = true;
  waitq_wake_all(&c->readers);
  waitq_wake_all(&c->writers);
}

/* ---- Descriptors that wait ------------------------------------------------------------------- */

struct fd_bundle *channel_next_fds(const struct channel *c, const struct chunk **at) {
  const struct chunk *k = *at != NULL ? (*at)->next : c->fds > 0 ? c->head : NULL;
  while (k != NULL && k->fds == NULL)
    k = k->next;
  *at = k;
  return k != NULL ? k->fds : NULL;
}
