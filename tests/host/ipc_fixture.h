/*
 * Local sockets without system calls around them: pairs, what is sent and received, and files that
 * count themselves. Threads are fibers, so everything may block.
 */
#ifndef TESTS_HOST_IPC_FIXTURE_H
#define TESTS_HOST_IPC_FIXTURE_H

#include "tests/host/fake_machine.h"

#include "fs/vnode.h"
#include "ipc/flight.h"
#include "ipc/ipc.h"
#include "ipc/socket.h"
#include "kernel/clock.h"
#include "kernel/page.h"

static size_t ipc_pages = 1 << 20; /* of the machine */

size_t page_total(void) {
  return ipc_pages;
}

uint64_t clock_monotonic_ns(void) {
  return arch_time_ns();
}

static long ipc_live_before;

/* Nothing of the last test is there any more. */
static inline int ipc_begin(void **state) {
  (void)state;
  fake_process_reset();
  fake_alloc_budget = -1;
  fake_copies_sleep = false;
  ipc_pages = 1 << 20;
  ipc_live_before = fake_live;
  return 0;
}

/* What a return to user mode does. */
static inline void ipc_settle(void) {
  while (bh_pending != NULL)
    bh_run();
}

static inline int ipc_end(void **state) {
  (void)state;
  fake_copies_sleep = false;
  flight_collect();
  ipc_settle();
  CHECK(flight_count() == 0);
  CHECK(fake_live == ipc_live_before);
  return 0;
}

/* ---- Files that count themselves ------------------------------------------------------------- */

static size_t ipc_plain_alive;

static inline void ipc_plain_close(struct file *f) {
  ipc_plain_alive--;
  free(f);
}

static const struct file_ops ipc_plain_ops = {.close = ipc_plain_close};

static inline struct file *ipc_plain(void) {
  struct file *f = malloc(sizeof *f);
  file_init(f, &ipc_plain_ops, FILETYPE_REGULAR_FILE, 0);
  ipc_plain_alive++;
  return f;
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static struct file *ends[2];

static inline void ipc_open(filetype_t type) {
  CHECK(ipc_pair(type, ends) == 0);
}

static inline void ipc_close(struct file **f) {
  file_unref(*f);
  *f = NULL;
  ipc_settle();
}

static inline void ipc_close_both(void) {
  for (int i = 0; i < 2; i++) {
    if (ends[i] != NULL)
      ipc_close(&ends[i]);
  }
}

/* ---- Sending and receiving; n: bytes that went, untouched on an error ------------------------ */

static inline errno_t ipc_write(struct file *f, const void *data, size_t size, size_t *n) {
  struct uio u;
  uio_init_user_buffer(&u, (void *)data, size);
  errno_t e = f->ops->write(f, &u);
  if (e == 0)
    *n = size - u.resid;
  return e;
}

static inline errno_t ipc_read(struct file *f, void *data, size_t size, size_t *n) {
  struct uio u;
  uio_init_user_buffer(&u, data, size);
  errno_t e = f->ops->read(f, &u);
  if (e == 0)
    *n = size - u.resid;
  return e;
}

/* All of it, at once. */
static inline void ipc_put(struct file *f, const char *text) {
  size_t n = 0;
  CHECK(ipc_write(f, text, strlen(text), &n) == 0 && n == strlen(text));
}

/* One read gives exactly this. */
static inline bool ipc_gives(struct file *f, const char *text) {
  char buf[256];
  size_t n = 0;
  return ipc_read(f, buf, sizeof buf, &n) == 0 && n == strlen(text) && memcmp(buf, text, n) == 0;
}

/* A bundle of references of its own to n files. */
static inline struct fd_bundle *ipc_bundle(struct file *const *files, size_t n) {
  struct fd_bundle *b = kmalloc(sizeof *b + n * sizeof b->entries[0]);
  if (b == NULL)
    return NULL;
  b->len = n;
  for (size_t i = 0; i < n; i++)
    b->entries[i] = (struct fd_entry){file_ref(files[i]), 100 + i, 200 + i};
  return b;
}

static inline errno_t ipc_send(struct file *f, const void *data, size_t size,
                               struct file *const *files, size_t nfiles, size_t *n) {
  struct uio u;
  uio_init_user_buffer(&u, (void *)data, size);
  struct sockmsg msg = {.uio = &u, .fds = nfiles > 0 ? ipc_bundle(files, nfiles) : NULL};
  if (nfiles > 0 && msg.fds == NULL)
    return ENOMEM;
  errno_t e = f->ops->send(f, &msg);
  if (e == 0)
    *n = size - u.resid;
  CHECK(e != 0 || msg.fds == NULL);
  fd_bundle_free(msg.fds);
  return e;
}

struct ipc_received {
  size_t n;
  roflags_t flags;
  struct fd_bundle *fds;
};

static inline errno_t ipc_recv(struct file *f, void *data, size_t size, riflags_t flags,
                               size_t fds_max, struct ipc_received *r) {
  struct uio u;
  uio_init_user_buffer(&u, data, size);
  struct sockmsg msg = {.uio = &u, .flags = flags, .fds_max = fds_max};
  errno_t e = f->ops->recv(f, &msg);
  if (e == 0)
    *r = (struct ipc_received){size - u.resid, msg.out_flags, msg.fds};
  return e;
}

/* One file over f, with a byte. */
static inline void ipc_pass(struct file *f, struct file *what) {
  size_t n = 0;
  CHECK(ipc_send(f, "x", 1, &what, 1, &n) == 0 && n == 1);
}

static inline struct poll_state ipc_poll(struct file *f, eventtype_t type) {
  struct poll_state st = {0};
  f->ops->poll(f, type, &st, NULL);
  return st;
}

/* ---- A node of a file system that keeps endpoints -------------------------------------------- */

struct ipc_node {
  struct vnode vnode;
  void *endpoint;
};

static inline void **ipc_node_endpoint(struct vnode *v) {
  return &((struct ipc_node *)v)->endpoint;
}

static inline errno_t ipc_node_stat(struct vnode *v, struct filestat *st) {
  st->st_ino = 77;
  st->st_filetype = v->type;
  return 0;
}

static const struct vnode_ops ipc_node_ops = {.stat = ipc_node_stat, .endpoint = ipc_node_endpoint};

static inline struct ipc_node ipc_node(filetype_t type) {
  return (struct ipc_node){.vnode = {&ipc_node_ops, 1, type}};
}

#endif
