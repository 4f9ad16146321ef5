/*
 * The file_* calls in a temporary directory, from the directory `tmp` of the program that includes
 * this: paths are C strings. With the argument `on_disk` it is one of an ext4 disk with blocks of
 * 1024 bytes, which can't keep some things.
 */
#ifndef TESTS_GUEST_ABI_TMP_H
#define TESTS_GUEST_ABI_TMP_H

#include "../check.h"
#include "raw.h"

#define R(name) CLOUDABI_RIGHT_##name
#define TMP_DIR_BASE 0x13eff698ull
#define TMP_INHERITING 0x11ffff7ffull
#define TMP_FILE_BASE 0x11c3801ffull
/* What reading alone, and what writing alone, does not ask for. */
#define TMP_WRITING (R(FD_DATASYNC) | R(FD_WRITE) | R(FILE_ALLOCATE) | R(FILE_STAT_FPUT_SIZE))
#define TMP_READING (R(FD_READ) | R(FILE_READDIR) | R(MEM_MAP_EXEC))

static cloudabi_fd_t tmp;
static bool tmp_on_disk;

static inline void tmp_begin(const argdata_t *ad) {
  tmp = (cloudabi_fd_t)arg_fd(ad, "tmp");
  tmp_on_disk = arg_if(ad, "on_disk") != NULL;
}

static inline struct cloudabi_lookup tmp_at(cloudabi_fd_t fd, cloudabi_lookupflags_t flags) {
  return (struct cloudabi_lookup){fd, flags};
}

static inline cloudabi_errno_t tmp_open_from(cloudabi_fd_t dir, const char *path,
                                             cloudabi_lookupflags_t lookup,
                                             cloudabi_oflags_t oflags, cloudabi_fdflags_t flags,
                                             cloudabi_rights_t base, cloudabi_fd_t *fd) {
  struct cloudabi_fdstat st;
  memset(&st, 0, sizeof(st));
  st.fs_flags = flags;
  st.fs_rights_base = base;
  st.fs_rights_inheriting = TMP_INHERITING;
  return cloudabi_sys_file_open(tmp_at(dir, lookup), path, strlen(path), oflags, &st, fd);
}

/* For reading and writing, links followed; RAW_BAD_FD: it can't be opened. */
static inline cloudabi_fd_t tmp_open(const char *path, cloudabi_oflags_t oflags) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_errno_t e =
      tmp_open_from(tmp, path, CLOUDABI_LOOKUP_SYMLINK_FOLLOW, oflags, 0, TMP_INHERITING, &fd);
  if (e != 0)
    check_err("file_open", path, e, 0);
  return fd;
}

static inline cloudabi_fd_t tmp_open_dir(const char *path) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_errno_t e = tmp_open_from(tmp, path, CLOUDABI_LOOKUP_SYMLINK_FOLLOW,
                                     CLOUDABI_O_DIRECTORY, 0, TMP_INHERITING & ~TMP_WRITING, &fd);
  if (e != 0)
    check_err("file_open", path, e, 0);
  return fd;
}

static inline cloudabi_errno_t tmp_make(const char *path) {
  cloudabi_fd_t fd;
  cloudabi_errno_t e =
      tmp_open_from(tmp, path, 0, CLOUDABI_O_CREAT | CLOUDABI_O_EXCL, 0, R(FD_READ), &fd);
  if (e == 0)
    cloudabi_sys_fd_close(fd);
  return e;
}

static inline cloudabi_errno_t tmp_mkdir(const char *path) {
  return cloudabi_sys_file_create(tmp, path, strlen(path), CLOUDABI_FILETYPE_DIRECTORY);
}

static inline cloudabi_errno_t tmp_symlink(const char *contents, const char *path) {
  return cloudabi_sys_file_symlink(contents, strlen(contents), tmp, path, strlen(path));
}

static inline cloudabi_errno_t tmp_link(const char *from, cloudabi_lookupflags_t lookup,
                                        const char *to) {
  return cloudabi_sys_file_link(tmp_at(tmp, lookup), from, strlen(from), tmp, to, strlen(to));
}

static inline cloudabi_errno_t tmp_rename(const char *from, const char *to) {
  return cloudabi_sys_file_rename(tmp, from, strlen(from), tmp, to, strlen(to));
}

static inline cloudabi_errno_t tmp_unlink(const char *path) {
  return cloudabi_sys_file_unlink(tmp, path, strlen(path), 0);
}

static inline cloudabi_errno_t tmp_rmdir(const char *path) {
  return cloudabi_sys_file_unlink(tmp, path, strlen(path), CLOUDABI_UNLINK_REMOVEDIR);
}

static inline cloudabi_errno_t tmp_stat(const char *path, struct cloudabi_filestat *st) {
  return cloudabi_sys_file_stat_get(tmp_at(tmp, 0), path, strlen(path), st);
}

static inline bool tmp_exists(const char *path) {
  struct cloudabi_filestat st;
  return tmp_stat(path, &st) == 0;
}

/* Zeroes if it is not there. */
static inline struct cloudabi_filestat tmp_stat_of(const char *path) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  tmp_stat(path, &st);
  return st;
}

static inline struct cloudabi_filestat tmp_stat_fd(cloudabi_fd_t fd) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  cloudabi_sys_file_stat_fget(fd, &st);
  return st;
}

static inline cloudabi_errno_t tmp_pread(cloudabi_fd_t fd, void *data, size_t n, uint64_t offset,
                                         size_t *moved) {
  struct cloudabi_iovec iov = {data, n};
  return cloudabi_sys_fd_pread(fd, &iov, 1, offset, moved);
}

static inline cloudabi_errno_t tmp_pwrite(cloudabi_fd_t fd, const void *data, size_t n,
                                          uint64_t offset, size_t *moved) {
  struct cloudabi_iovec iov = {(void *)(uintptr_t)data, n};
  return cloudabi_sys_fd_pwrite(fd, &iov, 1, offset, moved);
}

/* Whether a file has exactly these contents. */
static inline bool tmp_contains(cloudabi_fd_t fd, const char *want, size_t n) {
  char buf[512];
  size_t moved = 0;
  return n < sizeof(buf) && tmp_pread(fd, buf, sizeof(buf), 0, &moved) == 0 && moved == n &&
         memcmp(buf, want, n) == 0 && tmp_stat_fd(fd).st_size == n;
}

static inline cloudabi_errno_t tmp_resize(cloudabi_fd_t fd, uint64_t size) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  st.st_size = size;
  return cloudabi_sys_file_stat_fput(fd, &st, CLOUDABI_FILESTAT_SIZE);
}

#endif
