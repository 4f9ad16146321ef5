/*
 * Opening, making, naming and removing files below a directory.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "sdk/overlay/overlay.h"
#include "sdk/overlay/path.h"

/* The rights that belong to reading and to writing; all others are asked for anyway. */
static const cloudabi_rights_t reading =
    CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FILE_READDIR | CLOUDABI_RIGHT_MEM_MAP_EXEC;
static const cloudabi_rights_t writing = CLOUDABI_RIGHT_FD_DATASYNC | CLOUDABI_RIGHT_FD_WRITE |
                                         CLOUDABI_RIGHT_FILE_ALLOCATE |
                                         CLOUDABI_RIGHT_FILE_STAT_FPUT_SIZE;

static cloudabi_oflags_t open_flags(int flags) {
  cloudabi_oflags_t result = 0;

  if (flags & O_CREAT)
    result |= CLOUDABI_O_CREAT;
  if (flags & O_DIRECTORY)
    result |= CLOUDABI_O_DIRECTORY;
  if (flags & O_EXCL)
    result |= CLOUDABI_O_EXCL;
  if (flags & O_TRUNC)
    result |= CLOUDABI_O_TRUNC;
  return result;
}

/*
 * The rights of the new descriptor (semantics 2.6): what the directory passes on, less
 * reading or writing where the mode is without; `least` is what the mode is about. The
 * kernel drops what does not apply to the file's type.
 */
static cloudabi_rights_t open_rights(int flags, cloudabi_rights_t *least) {
  cloudabi_rights_t rights = ~(reading | writing);
  int mode = flags & O_PATH ? -1 : flags & O_ACCMODE & ~O_PATH;

  *least = 0;
  if (mode == O_RDONLY || mode == O_RDWR) {
    rights |= reading;
    *least |= flags & O_DIRECTORY ? CLOUDABI_RIGHT_FILE_READDIR : CLOUDABI_RIGHT_FD_READ;
  }
  if (mode == O_WRONLY || mode == O_RDWR) {
    rights |= writing;
    *least |= CLOUDABI_RIGHT_FD_WRITE;
  }
  return rights;
}

CALL3(openat, int, dir, const char *, path, int, flags) {
  struct cloudabi_fdstat stat;
  cloudabi_rights_t least;
  cloudabi_fd_t fd;

  if (path_is_nowhere(dir, path))
    return -EACCES;
  cloudabi_errno_t error = cloudabi_sys_fd_stat_get(dir, &stat);
  if (error != 0)
    return __error(error);
  if (stat.fs_filetype != CLOUDABI_FILETYPE_DIRECTORY)
    return -ENOTDIR;
  stat.fs_rights_base = stat.fs_rights_inheriting & open_rights(flags, &least);
  if ((stat.fs_rights_base & least) != least)
    return -EACCES;
  stat.fs_flags = __fd_flags_from_linux(flags);
  error = cloudabi_sys_file_open(path_lookup(dir, !(flags & O_NOFOLLOW)), path, strlen(path),
                                 open_flags(flags), &stat, &fd);
  return error == 0 ? (long)fd : __error(error);
}

/* There are no permission bits: what exists is accessible as far as the rights go. */
CALL2(faccessat, int, dir, const char *, path) {
  struct cloudabi_filestat stat;

  if (path_is_nowhere(dir, path))
    return -EACCES;
  return __error_directory(
      dir, cloudabi_sys_file_stat_get(path_lookup(dir, true), path, strlen(path), &stat));
}

CALL2(mkdirat, int, dir, const char *, path) {
  if (path_is_nowhere(dir, path))
    return -EACCES;
  return __error_directory(
      dir, cloudabi_sys_file_create(dir, path, strlen(path), CLOUDABI_FILETYPE_DIRECTORY));
}

CALL3(unlinkat, int, dir, const char *, path, int, flags) {
  cloudabi_ulflags_t how = flags & AT_REMOVEDIR ? CLOUDABI_UNLINK_REMOVEDIR : 0;

  if (path_is_nowhere(dir, path))
    return -EACCES;
  return __error_directory(dir, cloudabi_sys_file_unlink(dir, path, strlen(path), how));
}

CALL5(renameat2, int, from, const char *, old, int, to, const char *, new, int, flags) {
  if (flags != 0)
    return -EINVAL;
  if (path_is_nowhere(from, old) || path_is_nowhere(to, new))
    return -EACCES;
  return __error_directory(from,
                           cloudabi_sys_file_rename(from, old, strlen(old), to, new, strlen(new)));
}

CALL4(renameat, int, from, const char *, old, int, to, const char *, new) {
  return do_renameat2(from, old, to, new, 0);
}

CALL5(linkat, int, from, const char *, old, int, to, const char *, new, int, flags) {
  if (path_is_nowhere(from, old) || path_is_nowhere(to, new))
    return -EACCES;
  return __error_directory(
      from, cloudabi_sys_file_link(path_lookup(from, flags & AT_SYMLINK_FOLLOW), old, strlen(old),
                                   to, new, strlen(new)));
}

CALL3(symlinkat, const char *, contents, int, dir, const char *, path) {
  if (path_is_nowhere(dir, path))
    return -EACCES;
  return __error_directory(
      dir, cloudabi_sys_file_symlink(contents, strlen(contents), dir, path, strlen(path)));
}

CALL4(readlinkat, int, dir, const char *, path, char *, buffer, size_t, size) {
  size_t used = 0;

  if (path_is_nowhere(dir, path))
    return -EACCES;
  cloudabi_errno_t error = cloudabi_sys_file_readlink(dir, path, strlen(path), buffer, size, &used);
  return error == 0 ? (long)used : __error_directory(dir, error);
}
