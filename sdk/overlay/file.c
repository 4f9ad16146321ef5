/*
 * What is done to an open file: its size, its bytes on disk, its times, its status.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "kstat.h"
#include "sdk/overlay/overlay.h"
#include "sdk/overlay/path.h"

/* A descriptor of the wrong kind lacks the right; POSIX calls that EINVAL. */
static long file_error(cloudabi_errno_t error) {
  return error == CLOUDABI_ENOTCAPABLE ? -EINVAL : __error(error);
}

CALL1(fsync, int, fd) {
  return file_error(cloudabi_sys_fd_sync(fd));
}

CALL1(fdatasync, int, fd) {
  return file_error(cloudabi_sys_fd_datasync(fd));
}

CALL2(ftruncate, int, fd, long, size) {
  struct cloudabi_filestat stat = {.st_size = size};

  if (size < 0)
    return -EINVAL;
  return file_error(cloudabi_sys_file_stat_fput(fd, &stat, CLOUDABI_FILESTAT_SIZE));
}

CALL4(fallocate, int, fd, int, mode, long, offset, long, length) {
  if (mode != 0)
    return -EOPNOTSUPP;
  if (offset < 0 || length <= 0)
    return -EINVAL;
  return file_error(cloudabi_sys_file_allocate(fd, offset, length));
}

CALL4(fadvise64, int, fd, long, offset, long, length, int, advice) {
  static const unsigned char advices[] = {
      [POSIX_FADV_NORMAL] = CLOUDABI_ADVICE_NORMAL,
      [POSIX_FADV_RANDOM] = CLOUDABI_ADVICE_RANDOM,
      [POSIX_FADV_SEQUENTIAL] = CLOUDABI_ADVICE_SEQUENTIAL,
      [POSIX_FADV_WILLNEED] = CLOUDABI_ADVICE_WILLNEED,
      [POSIX_FADV_DONTNEED] = CLOUDABI_ADVICE_DONTNEED,
      [POSIX_FADV_NOREUSE] = CLOUDABI_ADVICE_NOREUSE,
  };

  if (advice < 0 || (size_t)advice >= sizeof(advices) || offset < 0 || length < 0)
    return -EINVAL;
  cloudabi_errno_t error = cloudabi_sys_file_advise(fd, offset, length, advices[advice]);
  return error == CLOUDABI_ENOTCAPABLE ? -ESPIPE : __error(error);
}

static unsigned mode_of(cloudabi_filetype_t type) {
  switch (type) {
    case CLOUDABI_FILETYPE_BLOCK_DEVICE:
      return S_IFBLK;
    case CLOUDABI_FILETYPE_CHARACTER_DEVICE:
      return S_IFCHR;
    case CLOUDABI_FILETYPE_DIRECTORY:
      return S_IFDIR;
    case CLOUDABI_FILETYPE_FIFO:
      return S_IFIFO;
    case CLOUDABI_FILETYPE_REGULAR_FILE:
    case CLOUDABI_FILETYPE_SHARED_MEMORY:
      return S_IFREG;
    case CLOUDABI_FILETYPE_SOCKET_DGRAM:
    case CLOUDABI_FILETYPE_SOCKET_STREAM:
      return S_IFSOCK;
    case CLOUDABI_FILETYPE_SYMBOLIC_LINK:
      return S_IFLNK;
    default:
      return 0;
  }
}

/* There are no owners and no permission bits: rights belong to descriptors. */
static void stat_to_linux(struct kstat *to, const struct cloudabi_filestat *from) {
  const uint64_t second = 1000000000;

  memset(to, 0, sizeof(*to));
  to->st_dev = from->st_dev;
  to->st_ino = from->st_ino;
  to->st_mode = mode_of(from->st_filetype);
  to->st_nlink = from->st_nlink;
  to->st_size = from->st_size;
  to->st_blksize = 4096;
  to->st_blocks = (from->st_size + 511) / 512;
  to->st_atime_sec = from->st_atim / second;
  to->st_atime_nsec = from->st_atim % second;
  to->st_mtime_sec = from->st_mtim / second;
  to->st_mtime_nsec = from->st_mtim % second;
  to->st_ctime_sec = from->st_ctim / second;
  to->st_ctime_nsec = from->st_ctim % second;
}

CALL2(fstat, int, fd, struct kstat *, result) {
  struct cloudabi_filestat stat;
  cloudabi_errno_t error = cloudabi_sys_file_stat_fget(fd, &stat);

  if (error == 0)
    stat_to_linux(result, &stat);
  return __error(error);
}

CALL4(newfstatat, int, dir, const char *, path, struct kstat *, result, int, flags) {
  struct cloudabi_filestat stat;

  if (path_is_nowhere(dir, path))
    return -EACCES;
  cloudabi_errno_t error = cloudabi_sys_file_stat_get(
      path_lookup(dir, !(flags & AT_SYMLINK_NOFOLLOW)), path, strlen(path), &stat);
  if (error == 0)
    stat_to_linux(result, &stat);
  return __error_directory(dir, error);
}

/* One of the two times of utimensat: its flag, or 0 to leave it alone. */
static cloudabi_fsflags_t time_flag(const struct timespec *time, cloudabi_fsflags_t set,
                                    cloudabi_fsflags_t now) {
  if (time == NULL || time->tv_nsec == UTIME_NOW)
    return now;
  return time->tv_nsec == UTIME_OMIT ? 0 : set;
}

CALL4(utimensat, int, fd, const char *, path, const struct timespec *, times, int, flags) {
  const struct timespec *modified = times == NULL ? NULL : times + 1;
  cloudabi_fsflags_t set = time_flag(times, CLOUDABI_FILESTAT_ATIM, CLOUDABI_FILESTAT_ATIM_NOW) |
                           time_flag(modified, CLOUDABI_FILESTAT_MTIM, CLOUDABI_FILESTAT_MTIM_NOW);
  struct cloudabi_filestat stat = {0};

  if (set & CLOUDABI_FILESTAT_ATIM)
    stat.st_atim = __time_ns(times);
  if (set & CLOUDABI_FILESTAT_MTIM)
    stat.st_mtim = __time_ns(modified);
  if (path == NULL)
    return set == 0 ? 0 : __error(cloudabi_sys_file_stat_fput(fd, &stat, set));
  if (path_is_nowhere(fd, path))
    return -EACCES;
  return __error_directory(
      fd, cloudabi_sys_file_stat_put(path_lookup(fd, !(flags & AT_SYMLINK_NOFOLLOW)), path,
                                     strlen(path), &stat, set));
}
