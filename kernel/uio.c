/*
 * Scatter/gather lists over the program's memory, or the kernel's.
 *
 * Called by system calls and by file operations on their behalf, on the calling thread, so that the
 * process's address space is the one in use. May run the fault handler. Reference 2.8.
 */
#include "kernel/uio.h"

#include "kernel/heap.h"
#include "kernel/string.h"
#include "kernel/user.h"

errno_t uio_init_user(struct uio *u, const struct iovec *user_iov, size_t iovcnt) {
  u->iov = u->inline_iov;
  u->iovcnt = iovcnt;
  u->resid = 0;
  u->kernel = false;
  u->heap_iov = NULL;
  if (__builtin_expect(iovcnt > UIO_IOV_INLINE, 0)) {
    if (iovcnt > UIO_IOV_MAX)
      return EINVAL;
    u->heap_iov = kmalloc(iovcnt * sizeof *user_iov);
    if (u->heap_iov == NULL)
      return ENOMEM;
    u->iov = u->heap_iov;
  }
  errno_t e = iovcnt > 0 ? user_copy_in(u->iov, user_iov, iovcnt * sizeof *user_iov) : 0;
  size_t total = 0;
  for (const struct iovec *v = u->iov; e == 0 && v < u->iov + iovcnt; v++) {
    if (v->buf_len > (size_t)INT64_MAX - total)
      e = EINVAL;
    total += v->buf_len;
  }
  u->resid = total;
  if (e != 0)
    uio_destroy(u);
  return e;
}

static void init_buffer(struct uio *u, void *buf, size_t n, bool kernel) {
  u->inline_iov[0] = (struct iovec){buf, n};
  u->iov = u->inline_iov;
  u->iovcnt = 1;
  u->resid = n;
  u->kernel = kernel;
  u->heap_iov = NULL;
}

void uio_init_user_buffer(struct uio *u, void *user_buf, size_t n) {
  init_buffer(u, user_buf, n, false);
}

void uio_init_kernel(struct uio *u, void *buf, size_t n) {
  init_buffer(u, buf, n, true);
}

void uio_destroy(struct uio *u) {
  if (__builtin_expect(u->heap_iov != NULL, 0)) {
    kfree(u->heap_iov);
    u->heap_iov = NULL;
  }
}

/* Moves n bytes between the current element and the kernel's `buf`; returns those not moved. */
static size_t move(struct uio *u, void *buf, size_t n, bool to_uio) {
  void *mine = u->iov->buf;
  if (u->kernel) {
    memcpy(to_uio ? mine : buf, to_uio ? buf : mine, n);
    return 0;
  }
  if (!user_range_ok((uintptr_t)mine, n))
    return n;
  return to_uio ? arch_user_copy(mine, buf, n) : arch_user_copy(buf, mine, n);
}

static errno_t transfer(struct uio *u, void *buf, size_t n, bool to_uio) {
  if (n > u->resid)
    n = u->resid;
  while (n > 0) {
    size_t chunk = u->iov->buf_len < n ? u->iov->buf_len : n;
    if (chunk == 0) { /* an empty element, or one that is used up */
      u->iov++;
      u->iovcnt--;
      continue;
    }
    size_t failed = move(u, buf, chunk, to_uio);
    size_t moved = chunk - failed;
    u->iov->buf = (void *)((uintptr_t)u->iov->buf + moved); /* of any value: no pointer yet */
    u->iov->buf_len -= moved;
    u->resid -= moved;
    if (failed != 0)
      return EFAULT;
    buf = (char *)buf + moved;
    n -= moved;
  }
  return 0;
}

errno_t uio_copy_to(struct uio *u, const void *src, size_t n) {
  return transfer(u, (void *)src, n, true);
}

errno_t uio_copy_from(struct uio *u, void *dst, size_t n) {
  return transfer(u, dst, n, false);
}

errno_t uio_zero(struct uio *u, size_t n) {
  static uint8_t zeroes[256]; /* never written: in BSS it takes no room in the image */
  errno_t e = 0;
  if (n > u->resid)
    n = u->resid;
  while (e == 0 && n > 0) {
    size_t chunk = n < sizeof zeroes ? n : sizeof zeroes;
    e = transfer(u, zeroes, chunk, true);
    n -= chunk;
  }
  return e;
}
