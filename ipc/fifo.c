/*
 * FIFOs: a channel of bytes that any number of ends read from and write to, with a name or without.
 *
 * The ends of one inode share a pipe, which its endpoint slot points to as long as one is open. By
 * POSIX's rules: opening one direction waits for somebody at the other end; without writers a read
 * is at the end, and goes on when somebody opens it for writing again; writing without readers is
 * EPIPE; what was written stays while an end is open; a short write is never mixed with another.
 *
 * Called by kernel/sys through struct file_ops and ipc.h, kernel lock held; opening, reading and
 * writing may sleep. Reference 9.2.
 */
#include "fs/vnode.h"
#include "ipc/channel.h"
#include "ipc/ipc.h"
#include "kernel/heap.h"

struct pipe {
  struct channel data;
  struct vnode *node;        /* whose slot points here; NULL: no name */
  uint32_t ends;             /* that refer to it */
  uint32_t readers, writers; /* of them */
  uint32_t writers_ever;     /* that have been opened */
  uint32_t readers_ever;
  struct waitq openers;
};

struct pipe_end {
  struct file file;
  struct pipe *pipe;
  bool reads, writes;
  uint32_t writers_before; /* writers_ever when it was opened, if there were none then */
};

static const struct file_ops fifo_ops;

static struct pipe_end *end_of(struct file *f) {
  return (struct pipe_end *)f;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static struct pipe *pipe_create(struct vnode *node) {
  struct pipe *p = kzalloc(sizeof *p);
  if (p == NULL)
    return NULL;
  channel_init(&p->data, false);
  waitq_init(&p->openers);
  p->data.no_reader = p->data.no_writer = true;
  p->node = node != NULL ? vnode_ref(node) : NULL;
  return p;
}

static void pipe_destroy(struct pipe *p) {
  if (p->node != NULL)
    *p->node->ops->endpoint(p->node) = NULL;
  vnode_unref(p->node);
  channel_discard(&p->data);
  kfree(p);
}

/* Tells everybody of a change in who is there. */
static void pipe_changed(struct pipe *p) {
  p->data.no_reader = p->readers == 0;
  p->data.no_writer = p->writers == 0;
  waitq_wake_all(&p->data.readers);
  waitq_wake_all(&p->data.writers);
  waitq_wake_all(&p->openers);
}

static struct pipe_end *end_create(struct pipe *p, fdflags_t flags, bool reads, bool writes) {
  struct pipe_end *end = kmalloc(sizeof *end);
  if (end == NULL)
    return NULL;
  file_init(&end->file, &fifo_ops, FILETYPE_FIFO, flags);
  end->pipe = p;
  end->reads = reads;
  end->writes = writes;
  end->writers_before = p->writers == 0 ? p->writers_ever : p->writers_ever - 1;
  p->ends++;
  p->readers += reads;
  p->writers += writes;
  p->readers_ever += reads;
  p->writers_ever += writes;
  pipe_changed(p);
  return end;
}

static void fifo_close(struct file *f) {
  struct pipe_end *end = end_of(f);
  struct pipe *p = end->pipe;
  p->readers -= end->reads;
  p->writers -= end->writes;
  pipe_changed(p);
  if (--p->ends == 0)
    pipe_destroy(p);
  kfree(end);
}

errno_t ipc_fifo(struct file *ends[2]) {
  struct pipe *p = pipe_create(NULL);
  if (p == NULL)
    return ENOMEM;
  p->ends++; /* until both are there */
  struct pipe_end *reader = end_create(p, 0, true, false);
  struct pipe_end *writer = reader != NULL ? end_create(p, 0, false, true) : NULL;
  if (writer == NULL && reader != NULL)
    file_unref(&reader->file);
  if (--p->ends == 0) {
    pipe_destroy(p);
    return ENOMEM;
  }
  ends[0] = &reader->file;
  ends[1] = &writer->file;
  return 0;
}

/* ---- Opening by name ------------------------------------------------------------------------- */

/* The end is there already, so that whoever opens the other one finds it. */
static errno_t wait_for_other_end(const struct pipe_end *end) {
  struct pipe *p = end->pipe;
  const uint32_t *now = end->reads ? &p->writers : &p->readers;
  const uint32_t *ever = end->reads ? &p->writers_ever : &p->readers_ever;
  uint32_t before = *ever;
  while (*now == 0 && *ever == before) {
    errno_t e = waitq_sleep(&p->openers, NEVER_NS);
    if (e != 0)
      return e;
  }
  return 0;
}

errno_t ipc_fifo_open(struct vnode *node, fdflags_t flags, bool read, bool write, struct file **f) {
  void **slot = node->ops->endpoint != NULL ? node->ops->endpoint(node) : NULL;
  bool nonblock = (flags & FDFLAG_NONBLOCK) != 0;
  if (slot == NULL)
    return ENOTSUP;
  struct pipe *p = *slot;
  if (write && !read && nonblock && (p == NULL || p->readers == 0))
    return ENXIO;
  if (p == NULL)
    p = *slot = pipe_create(node);
  if (p == NULL)
    return ENOMEM;
  struct pipe_end *end = end_create(p, flags, read, write);
  if (end == NULL) {
    if (p->ends == 0)
      pipe_destroy(p);
    return ENOMEM;
  }
  errno_t e = read != write && !nonblock ? wait_for_other_end(end) : 0;
  if (e != 0)
    file_unref(&end->file);
  else
    *f = &end->file;
  return e;
}

/* ---- Reading and writing --------------------------------------------------------------------- */

static errno_t fifo_read(struct file *f, struct uio *uio) {
  struct sockmsg msg = {.uio = uio};
  struct channel *c = &end_of(f)->pipe->data;
  return channel_read(c, &msg, (f->flags & FDFLAG_NONBLOCK) != 0);
}

static errno_t fifo_write(struct file *f, struct uio *uio) {
  struct sockmsg msg = {.uio = uio};
  struct channel *c = &end_of(f)->pipe->data;
  return channel_write(c, &msg, (f->flags & FDFLAG_NONBLOCK) != 0, FIFO_ATOMIC_BYTES);
}

static errno_t fifo_stat(struct file *f, struct filestat *st) {
  struct vnode *node = end_of(f)->pipe->node;
  return node != NULL ? node->ops->stat(node, st) : 0;
}

/* Before there was a writer, a reader waits for the first one. */
static struct waitq *poll_read(const struct pipe_end *end, struct poll_state *st) {
  struct pipe *p = end->pipe;
  channel_poll_read(&p->data, st);
  if (p->data.head == NULL && p->writers_ever == end->writers_before) {
    st->ready = false;
    st->flags = 0;
  }
  return &p->data.readers;
}

static void fifo_poll(struct file *f, eventtype_t type, struct poll_state *st, struct waiter *w) {
  struct pipe_end *end = end_of(f);
  struct waitq *q = &end->pipe->data.writers;
  if (type == EVENTTYPE_FD_READ)
    q = poll_read(end, st);
  else
    channel_poll_write(&end->pipe->data, FIFO_ATOMIC_BYTES, st);
  waitq_leave(q, w, st->ready);
}

static const struct file_ops fifo_ops = {
    .close = fifo_close,
    .read = fifo_read,
    .write = fifo_write,
    .stat = fifo_stat,
    .poll = fifo_poll,
};
