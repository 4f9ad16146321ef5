/*
 * CloudABI's errors in libc's numbers.
 *
 * ENOTCAPABLE, a right that the descriptor lacks, is unknown to POSIX. It is EACCES, or
 * what POSIX calls the misuse that lies behind it (semantics 2.7).
 */
#include "sdk/overlay/overlay.h"

#define ENOTCAPABLE EACCES

static const unsigned char linux_errno[] = {
#define ABI_ERRNO(name, number) [number] = E##name,
#include "abi/errno.def"
#undef ABI_ERRNO
};

long __error(cloudabi_errno_t error) {
  return error < sizeof(linux_errno) ? -(long)linux_errno[error] : -EIO;
}

long __error_fd(cloudabi_errno_t error) {
  return error == CLOUDABI_ENOTCAPABLE ? -EBADF : __error(error);
}

static cloudabi_filetype_t filetype(int fd) {
  struct cloudabi_fdstat stat;

  return cloudabi_sys_fd_stat_get(fd, &stat) == 0 ? stat.fs_filetype : CLOUDABI_FILETYPE_UNKNOWN;
}

long __error_socket(int fd, cloudabi_errno_t error) {
  if (error == CLOUDABI_ENOTCAPABLE && (filetype(fd) & 0xf0) != 0x80)
    return -ENOTSOCK;
  return __error(error);
}

long __error_directory(int fd, cloudabi_errno_t error) {
  if (error == CLOUDABI_ENOTCAPABLE && filetype(fd) != CLOUDABI_FILETYPE_DIRECTORY)
    return -ENOTDIR;
  return __error(error);
}
