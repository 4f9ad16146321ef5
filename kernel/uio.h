/*
 * Scatter/gather lists: where a read puts its bytes and a write finds them.
 *
 * The vector itself has been copied from the program and checked; the buffers have not.
 */
#ifndef KERNEL_UIO_H
#define KERNEL_UIO_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/abi.h"

#define UIO_IOV_MAX 1024 /* reference 2.8 */
#define UIO_IOV_INLINE 8

struct uio {
  struct iovec *iov; /* the current element, advanced as bytes move */
  size_t iovcnt;
  size_t resid; /* bytes still to move */
  bool kernel;  /* the buffers are the kernel's own */
  struct iovec inline_iov[UIO_IOV_INLINE];
  struct iovec *heap_iov;
};

/* Copies the vector in; no elements are fine and move nothing (reference 2.8). EINVAL: more than
 * UIO_IOV_MAX, or a total beyond INT64_MAX; EFAULT; ENOMEM. */
errno_t uio_init_user(struct uio *u, const struct iovec *user_iov, size_t iovcnt);
/* One buffer of the program's, or of the kernel's. Nothing to destroy. */
void uio_init_user_buffer(struct uio *u, void *user_buf, size_t n);
void uio_init_kernel(struct uio *u, void *buf, size_t n);
/* Frees what init took. */
void uio_destroy(struct uio *u);

/* Moves up to n bytes (no more than resid) to, or from, the program and advances. EFAULT: nothing
 * is promised of the buffers, but resid tells what was moved. */
errno_t uio_copy_to(struct uio *u, const void *src, size_t n);
errno_t uio_copy_from(struct uio *u, void *dst, size_t n);
/* The same with zeroes. */
errno_t uio_zero(struct uio *u, size_t n);

#endif
