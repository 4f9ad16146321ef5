/*
 * Reading and writing through descriptors. musl's struct iovec is CloudABI's.
 */
#include <unistd.h>

#include "sdk/overlay/overlay.h"

typedef const struct cloudabi_iovec *iovecs;

CALL3(readv, int, fd, iovecs, iov, int, count) {
  size_t done = 0;

  if (count < 0)
    return -EINVAL;
  cloudabi_errno_t error = cloudabi_sys_fd_read(fd, iov, count, &done);
  return error == 0 ? (long)done : __error_fd(error);
}

CALL3(writev, int, fd, iovecs, iov, int, count) {
  size_t done = 0;

  if (count < 0)
    return -EINVAL;
  cloudabi_errno_t error = cloudabi_sys_fd_write(fd, iov, count, &done);
  return error == 0 ? (long)done : __error_fd(error);
}

CALL3(read, int, fd, void *, buffer, size_t, length) {
  struct cloudabi_iovec iov = {.buf = buffer, .buf_len = length};

  return do_readv(fd, &iov, 1);
}

CALL3(write, int, fd, void *, buffer, size_t, length) {
  struct cloudabi_iovec iov = {.buf = buffer, .buf_len = length};

  return do_writev(fd, &iov, 1);
}

/* Without the right it is a descriptor for the other direction, or has no positions. */
static long position_error(int fd, cloudabi_errno_t error, cloudabi_rights_t right) {
  struct cloudabi_fdstat stat;

  if (error != CLOUDABI_ENOTCAPABLE)
    return __error(error);
  if (cloudabi_sys_fd_stat_get(fd, &stat) != 0 || (stat.fs_rights_base & right) == 0)
    return -EBADF;
  return -ESPIPE;
}

CALL4(preadv, int, fd, iovecs, iov, int, count, long, offset) {
  size_t done = 0;

  if (count < 0 || offset < 0)
    return -EINVAL;
  cloudabi_errno_t error = cloudabi_sys_fd_pread(fd, iov, count, offset, &done);
  return error == 0 ? (long)done : position_error(fd, error, CLOUDABI_RIGHT_FD_READ);
}

CALL4(pwritev, int, fd, iovecs, iov, int, count, long, offset) {
  size_t done = 0;

  if (count < 0 || offset < 0)
    return -EINVAL;
  cloudabi_errno_t error = cloudabi_sys_fd_pwrite(fd, iov, count, offset, &done);
  return error == 0 ? (long)done : position_error(fd, error, CLOUDABI_RIGHT_FD_WRITE);
}

CALL4(pread64, int, fd, void *, buffer, size_t, length, long, offset) {
  struct cloudabi_iovec iov = {.buf = buffer, .buf_len = length};

  return do_preadv(fd, &iov, 1, offset);
}

CALL4(pwrite64, int, fd, void *, buffer, size_t, length, long, offset) {
  struct cloudabi_iovec iov = {.buf = buffer, .buf_len = length};

  return do_pwritev(fd, &iov, 1, offset);
}

CALL3(lseek, int, fd, long, offset, int, whence) {
  static const unsigned char whences[] = {
      [SEEK_SET] = CLOUDABI_WHENCE_SET,
      [SEEK_CUR] = CLOUDABI_WHENCE_CUR,
      [SEEK_END] = CLOUDABI_WHENCE_END,
  };
  cloudabi_filesize_t position = 0;

  if (whence < 0 || (size_t)whence >= sizeof(whences))
    return -EINVAL;
  cloudabi_errno_t error = cloudabi_sys_fd_seek(fd, offset, whences[whence], &position);
  if (error == CLOUDABI_ENOTCAPABLE)
    return -ESPIPE;
  return error == 0 ? (long)position : __error(error);
}
