/*
 * Descriptors: closing, duplicating, their flags.
 *
 * A new descriptor gets whatever number the kernel chooses, so a duplicate with a wanted
 * number can only replace one that is open, and F_DUPFD cannot promise a least number.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "sdk/overlay/overlay.h"

CALL1(close, int, fd) {
  return __error(cloudabi_sys_fd_close(fd));
}

CALL1(dup, int, from) {
  cloudabi_fd_t fd;
  cloudabi_errno_t error = cloudabi_sys_fd_dup(from, &fd);

  return error == 0 ? (long)fd : __error(error);
}

CALL2(dup3, int, from, int, to) {
  cloudabi_errno_t error = cloudabi_sys_fd_replace(from, to);

  return error == 0 ? to : __error(error);
}

static long duplicate_from(int from, int least) {
  long fd = do_dup(from);

  if (fd < 0 || fd >= least)
    return fd;
  do_close(fd);
  return -EINVAL;
}

cloudabi_fdflags_t __fd_flags_from_linux(int flags) {
  cloudabi_fdflags_t result = 0;

  if (flags & O_APPEND)
    result |= CLOUDABI_FDFLAG_APPEND;
  if (flags & O_NONBLOCK)
    result |= CLOUDABI_FDFLAG_NONBLOCK;
  if ((flags & O_SYNC) == O_SYNC)
    result |= CLOUDABI_FDFLAG_SYNC;
  else if (flags & O_DSYNC)
    result |= CLOUDABI_FDFLAG_DSYNC;
  return result;
}

int __fd_flags_to_linux(cloudabi_fdflags_t flags) {
  int result = 0;

  if (flags & CLOUDABI_FDFLAG_APPEND)
    result |= O_APPEND;
  if (flags & CLOUDABI_FDFLAG_NONBLOCK)
    result |= O_NONBLOCK;
  if (flags & (CLOUDABI_FDFLAG_SYNC | CLOUDABI_FDFLAG_RSYNC))
    result |= O_SYNC;
  if (flags & CLOUDABI_FDFLAG_DSYNC)
    result |= O_DSYNC;
  return result;
}

long __fd_flags_set(int fd, int flags) {
  struct cloudabi_fdstat stat = {.fs_flags = __fd_flags_from_linux(flags)};

  return __error(cloudabi_sys_fd_stat_put(fd, &stat, CLOUDABI_FDSTAT_FLAGS));
}

/* The access mode is what the rights leave of it (semantics 2.6). */
static long status_flags(const struct cloudabi_fdstat *stat) {
  const cloudabi_rights_t readable = CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FILE_READDIR;
  bool reads = (stat->fs_rights_base & readable) != 0;
  bool writes = (stat->fs_rights_base & CLOUDABI_RIGHT_FD_WRITE) != 0;
  int flags = __fd_flags_to_linux(stat->fs_flags);

  if (reads)
    return flags | (writes ? O_RDWR : O_RDONLY);
  return flags | (writes ? O_WRONLY : O_PATH);
}

CALL3(fcntl, int, fd, int, command, long, argument) {
  struct cloudabi_fdstat stat;

  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
    return duplicate_from(fd, argument);
  cloudabi_errno_t error = cloudabi_sys_fd_stat_get(fd, &stat);
  if (error != 0)
    return __error(error);
  switch (command) {
    case F_GETFD: /* a new program gets what it is given and nothing else */
      return FD_CLOEXEC;
    case F_SETFD:
      return 0;
    case F_GETFL:
      return status_flags(&stat);
    case F_SETFL:
      return __fd_flags_set(fd, argument);
    default:
      return -EINVAL;
  }
}

/* The bytes that can be read at once, as poll reports them. */
static long readable_bytes(int fd, int *result) {
  struct cloudabi_subscription in[2] = {
      {.type = CLOUDABI_EVENTTYPE_FD_READ,
       .fd_readwrite = {.fd = fd, .flags = CLOUDABI_SUBSCRIPTION_FD_READWRITE_POLL}},
      {.type = CLOUDABI_EVENTTYPE_CLOCK, .clock = {.clock_id = CLOUDABI_CLOCK_MONOTONIC}},
  };
  struct cloudabi_event out[2];
  size_t count;
  cloudabi_errno_t error = cloudabi_sys_poll(in, out, 2, &count);

  *result = 0;
  for (size_t i = 0; error == 0 && i < count; ++i) {
    if (out[i].type != CLOUDABI_EVENTTYPE_FD_READ)
      continue;
    error = out[i].error;
    *result = (int)out[i].fd_readwrite.nbytes;
  }
  return __error(error);
}

/* Asking for the window's size is how libc tells a terminal: the console is one. */
static long window_size(int fd, struct winsize *size) {
  struct cloudabi_fdstat stat;
  cloudabi_errno_t error = cloudabi_sys_fd_stat_get(fd, &stat);

  if (error != 0)
    return __error(error);
  if (stat.fs_filetype != CLOUDABI_FILETYPE_CHARACTER_DEVICE)
    return -ENOTTY;
  memset(size, 0, sizeof(*size));
  return 0;
}

static long nonblocking(int fd, const int *on) {
  struct cloudabi_fdstat stat;
  cloudabi_errno_t error = cloudabi_sys_fd_stat_get(fd, &stat);

  if (error != 0)
    return __error(error);
  int flags = __fd_flags_to_linux(stat.fs_flags) & ~O_NONBLOCK;
  return __fd_flags_set(fd, *on ? flags | O_NONBLOCK : flags);
}

CALL3(ioctl, int, fd, int, request, void *, argument) {
  switch (request) {
    case TIOCGWINSZ:
      return window_size(fd, argument);
    case FIONREAD:
      return readable_bytes(fd, argument);
    case FIONBIO:
      return nonblocking(fd, argument);
    default:
      return -ENOTTY;
  }
}
