/*
 * fd_*, from inside: {out: fd, dir: directory, file: regular file with "0123456789"}. Reference 2.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

#define DIRECTORY_BASE 0x13eff698
#define DIRECTORY_INHERITING 0x11ffff7ff
#define REGULAR_BASE 0x11c3801ff
#define TTY_BASE 0x1008004a
#define IOV_MAX 1024

static cloudabi_fd_t dir, file;

static void check_stat(const char *name, cloudabi_fd_t fd, cloudabi_filetype_t type,
                       cloudabi_rights_t base, cloudabi_rights_t inheriting) {
  struct cloudabi_fdstat st;
  char what[80];
  memset(&st, 0xee, sizeof(st));
  snprintf(what, sizeof(what), "%s", name);
  check_err("fd_stat_get", what, cloudabi_sys_fd_stat_get(fd, &st), 0);
  snprintf(what, sizeof(what), "%s: type", name);
  check_eq("fd_stat_get", what, st.fs_filetype, type);
  snprintf(what, sizeof(what), "%s: flags", name);
  check_eq("fd_stat_get", what, st.fs_flags, 0);
  snprintf(what, sizeof(what), "%s: exactly its rights", name);
  check_eq("fd_stat_get", what, st.fs_rights_base, base);
  snprintf(what, sizeof(what), "%s: exactly its inheriting rights", name);
  check_eq("fd_stat_get", what, st.fs_rights_inheriting, inheriting);
}

static void check_granted(void) {
  check_stat("the console", check_fd, CLOUDABI_FILETYPE_CHARACTER_DEVICE,
             TTY_BASE & ~(uint64_t)CLOUDABI_RIGHT_FD_READ, 0);
  check_stat("a granted directory", dir, CLOUDABI_FILETYPE_DIRECTORY, DIRECTORY_BASE,
             DIRECTORY_INHERITING);
  check_stat("a granted file", file, CLOUDABI_FILETYPE_REGULAR_FILE,
             REGULAR_BASE & ~(uint64_t)CLOUDABI_RIGHT_FD_WRITE, 0);
}

static void check_dup_and_close(void) {
  cloudabi_fd_t a = 77, b = 77;
  struct cloudabi_fdstat st;
  check_err("fd_dup", "an open descriptor", cloudabi_sys_fd_dup(file, &a), 0);
  check("fd_dup", "the number is new and below 2^31", a != file && a < 0x80000000);
  check_stat("a duplicate", a, CLOUDABI_FILETYPE_REGULAR_FILE,
             REGULAR_BASE & ~(uint64_t)CLOUDABI_RIGHT_FD_WRITE, 0);
  check_err("fd_dup", "a closed number", cloudabi_sys_fd_dup(RAW_BAD_FD, &b), CLOUDABI_EBADF);
  check_err("fd_dup", "the number 0xffffffff", cloudabi_sys_fd_dup(0xffffffff, &b), CLOUDABI_EBADF);
  check_eq("fd_dup", "a failure leaves the result alone", b, 77);
  raw_set_rights(a, 0, 0);
  check_err("fd_dup", "needs no right", cloudabi_sys_fd_dup(a, &b), 0);
  check_eq("fd_dup", "copies the rights that are left", raw_rights(b), 0);
  check("fd_dup", "leaves the first one's rights", raw_rights(file) != 0);

  check_err("fd_close", "needs no right", cloudabi_sys_fd_close(a), 0);
  check_err("fd_close", "a second time", cloudabi_sys_fd_close(a), CLOUDABI_EBADF);
  check_err("fd_stat_get", "after fd_close", cloudabi_sys_fd_stat_get(a, &st), CLOUDABI_EBADF);
  check_err("fd_stat_get", "the duplicate lives on", cloudabi_sys_fd_stat_get(b, &st), 0);
  check_err("fd_close", "a number beyond all", cloudabi_sys_fd_close(0x7fffffff), CLOUDABI_EBADF);
  check_err("fd_close", "0xffffffff", cloudabi_sys_fd_close(0xffffffff), CLOUDABI_EBADF);
  cloudabi_sys_fd_close(b);
}

static void check_replace(void) {
  cloudabi_fd_t a = 0, b = 0;
  struct cloudabi_fdstat st;
  cloudabi_sys_fd_dup(file, &a);
  cloudabi_sys_fd_dup(dir, &b);
  raw_set_rights(a, CLOUDABI_RIGHT_FD_READ, 0);
  check_err("fd_replace", "both open", cloudabi_sys_fd_replace(a, b), 0);
  cloudabi_sys_fd_stat_get(b, &st);
  check_eq("fd_replace", "the type comes along", st.fs_filetype, CLOUDABI_FILETYPE_REGULAR_FILE);
  check_eq("fd_replace", "the rights come along", st.fs_rights_base, CLOUDABI_RIGHT_FD_READ);
  check_err("fd_replace", "by itself", cloudabi_sys_fd_replace(a, a), 0);
  check_err("fd_replace", "a closed source", cloudabi_sys_fd_replace(RAW_BAD_FD, b),
            CLOUDABI_EBADF);
  check_err("fd_replace", "a closed target", cloudabi_sys_fd_replace(b, RAW_BAD_FD),
            CLOUDABI_EBADF);
  check_err("fd_replace", "a closed one by itself", cloudabi_sys_fd_replace(RAW_BAD_FD, RAW_BAD_FD),
            CLOUDABI_EBADF);
  check_eq("fd_replace", "failures change nothing", raw_rights(b), CLOUDABI_RIGHT_FD_READ);
  cloudabi_sys_fd_close(a);
  cloudabi_sys_fd_close(b);
}

static cloudabi_errno_t put_flags(cloudabi_fd_t fd, cloudabi_fdflags_t flags) {
  struct cloudabi_fdstat st;
  memset(&st, 0, sizeof(st));
  st.fs_flags = flags;
  return cloudabi_sys_fd_stat_put(fd, &st, CLOUDABI_FDSTAT_FLAGS);
}

static void check_put_flags(void) {
  cloudabi_fd_t a = 0, b = 0;
  struct cloudabi_fdstat st;
  cloudabi_sys_fd_dup(file, &a);
  cloudabi_sys_fd_dup(a, &b);
  check_err("fd_stat_put", "flags", put_flags(a, CLOUDABI_FDFLAG_NONBLOCK | CLOUDABI_FDFLAG_SYNC),
            0);
  cloudabi_sys_fd_stat_get(b, &st);
  check_eq("fd_stat_put", "flags are shared with duplicates", st.fs_flags,
           CLOUDABI_FDFLAG_NONBLOCK | CLOUDABI_FDFLAG_SYNC);
  put_flags(b, CLOUDABI_FDFLAG_APPEND);
  cloudabi_sys_fd_stat_get(a, &st);
  check_eq("fd_stat_put", "flags are replaced, not added", st.fs_flags, CLOUDABI_FDFLAG_APPEND);
  check_err("fd_stat_put", "an unknown flag", put_flags(a, 0x20), CLOUDABI_EINVAL);
  cloudabi_sys_fd_stat_get(a, &st);
  check_eq("fd_stat_put", "an unknown flag changes nothing", st.fs_flags, CLOUDABI_FDFLAG_APPEND);
  put_flags(a, 0);
  raw_set_rights(b, raw_rights(b) & ~(uint64_t)CLOUDABI_RIGHT_FD_STAT_PUT_FLAGS, 0);
  check_err("fd_stat_put", "flags need their right", put_flags(b, 0), CLOUDABI_ENOTCAPABLE);
  check_err("fd_stat_put", "flags of a closed number", put_flags(RAW_BAD_FD, 0), CLOUDABI_EBADF);

  memset(&st, 0, sizeof(st));
  static const cloudabi_fdsflags_t bad[] = {0, 3, 4, 0x8001, 0xffff};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    char what[40];
    snprintf(what, sizeof(what), "what to put is %#x", bad[i]);
    check_err("fd_stat_put", what, cloudabi_sys_fd_stat_put(a, &st, bad[i]), CLOUDABI_EINVAL);
  }
  cloudabi_sys_fd_close(a);
  cloudabi_sys_fd_close(b);
}

static void check_put_rights(void) {
  cloudabi_fd_t a = 0;
  struct cloudabi_fdstat st;
  cloudabi_sys_fd_dup(dir, &a);
  check_err("fd_stat_put", "the same rights",
            raw_set_rights(a, DIRECTORY_BASE, DIRECTORY_INHERITING), 0);
  check_err("fd_stat_put", "fewer rights",
            raw_set_rights(a, CLOUDABI_RIGHT_FILE_OPEN | CLOUDABI_RIGHT_FILE_READDIR,
                           CLOUDABI_RIGHT_FD_READ),
            0);
  check_err("fd_stat_put", "a right that was given up",
            raw_set_rights(a, CLOUDABI_RIGHT_FILE_OPEN | CLOUDABI_RIGHT_FILE_UNLINK, 0),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_stat_put", "an inheriting right that was given up",
            raw_set_rights(a, CLOUDABI_RIGHT_FILE_OPEN, CLOUDABI_RIGHT_FD_WRITE),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_stat_put", "a right that nobody knows", raw_set_rights(a, 1ull << 63, 0),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_stat_get(a, &st);
  check_eq("fd_stat_put", "refusals change no rights", st.fs_rights_base,
           CLOUDABI_RIGHT_FILE_OPEN | CLOUDABI_RIGHT_FILE_READDIR);
  check_eq("fd_stat_put", "refusals change no inheriting rights", st.fs_rights_inheriting,
           CLOUDABI_RIGHT_FD_READ);
  check_eq("fd_stat_put", "other descriptors keep theirs", raw_rights(dir), DIRECTORY_BASE);
  check_err("fd_stat_put", "no rights at all", raw_set_rights(a, 0, 0), 0);
  check_err("fd_stat_put", "rights of a closed number", raw_set_rights(RAW_BAD_FD, 0, 0),
            CLOUDABI_EBADF);
  cloudabi_sys_fd_close(a);
}

static cloudabi_errno_t seek(cloudabi_fd_t fd, int64_t offset, cloudabi_whence_t whence,
                             uint64_t *at) {
  return cloudabi_sys_fd_seek(fd, offset, whence, at);
}

static void check_seek(void) {
  uint64_t at = 99;
  cloudabi_fd_t a = 0;
  check_err("fd_seek", "from the start", seek(file, 4, CLOUDABI_WHENCE_SET, &at), 0);
  check_eq("fd_seek", "from the start: the offset", at, 4);
  check_err("fd_seek", "from here", seek(file, -1, CLOUDABI_WHENCE_CUR, &at), 0);
  check_eq("fd_seek", "from here: the offset", at, 3);
  check_err("fd_seek", "from the end", seek(file, -2, CLOUDABI_WHENCE_END, &at), 0);
  check_eq("fd_seek", "from the end: the offset", at, 8);
  check_err("fd_seek", "beyond the end", seek(file, 1000, CLOUDABI_WHENCE_END, &at), 0);
  check_eq("fd_seek", "beyond the end: the offset", at, 1010);
  at = 99;
  check_err("fd_seek", "before the start", seek(file, -1, CLOUDABI_WHENCE_SET, &at),
            CLOUDABI_EINVAL);
  check_err("fd_seek", "from here to before the start", seek(file, -1011, CLOUDABI_WHENCE_CUR, &at),
            CLOUDABI_EINVAL);
  check("fd_seek", "from here by more than there is",
        seek(file, INT64_MAX, CLOUDABI_WHENCE_CUR, &at) != 0);
  check_eq("fd_seek", "failures leave the result alone", at, 99);
  check_err("fd_seek", "where am I", seek(file, 0, CLOUDABI_WHENCE_CUR, &at), 0);
  check_eq("fd_seek", "failures do not move the offset", at, 1010);
  static const cloudabi_whence_t bad[] = {0, 4, 0xff};
  for (size_t i = 0; i < sizeof(bad); i++) {
    char what[40];
    snprintf(what, sizeof(what), "whence %u", bad[i]);
    check_err("fd_seek", what, seek(file, 0, bad[i], &at), CLOUDABI_EINVAL);
    snprintf(what, sizeof(what), "whence %u on a directory", bad[i]);
    check_err("fd_seek", what, seek(dir, 0, bad[i], &at), CLOUDABI_EINVAL);
  }
  check_err("fd_seek", "on a directory", seek(dir, 0, CLOUDABI_WHENCE_CUR, &at),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_seek", "on the console", seek(check_fd, 0, CLOUDABI_WHENCE_SET, &at),
            CLOUDABI_ENOTCAPABLE);

  a = raw_dup_with(file, CLOUDABI_RIGHT_FD_TELL);
  check_err("fd_seek", "telling needs fd_tell alone", seek(a, 0, CLOUDABI_WHENCE_CUR, &at), 0);
  check_err("fd_seek", "moving needs fd_seek", seek(a, 1, CLOUDABI_WHENCE_CUR, &at),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_seek", "to the start needs fd_seek", seek(a, 0, CLOUDABI_WHENCE_SET, &at),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(a);
  a = raw_dup_with(file, CLOUDABI_RIGHT_FD_SEEK);
  check_err("fd_seek", "moving needs fd_tell too", seek(a, 1, CLOUDABI_WHENCE_SET, &at),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(a);
}

static void check_read(void) {
  char buf[32];
  size_t n = 99;
  uint64_t at;
  cloudabi_fd_t a = 0;
  memset(buf, '.', sizeof(buf));
  seek(file, 0, CLOUDABI_WHENCE_SET, &at);
  struct cloudabi_iovec iov[3] = {{buf, 3}, {NULL, 0}, {buf + 10, 4}};
  check_err("fd_read", "into three pieces, one empty", cloudabi_sys_fd_read(file, iov, 3, &n), 0);
  check_eq("fd_read", "into three pieces: bytes", n, 7);
  check("fd_read", "into three pieces: contents",
        memcmp(buf, "012", 3) == 0 && memcmp(buf + 10, "3456", 4) == 0);
  check("fd_read", "into three pieces: nothing beside them", buf[3] == '.' && buf[14] == '.');
  cloudabi_sys_fd_dup(file, &a);
  check_err("fd_read", "the rest", raw_read(a, buf, sizeof(buf), &n), 0);
  check_eq("fd_read", "the rest: a duplicate shares the offset", n, 3);
  check_err("fd_read", "at the end", raw_read(file, buf, sizeof(buf), &n), 0);
  check_eq("fd_read", "at the end: nothing", n, 0);
  seek(file, 100, CLOUDABI_WHENCE_SET, &at);
  check_err("fd_read", "beyond the end", raw_read(file, buf, sizeof(buf), &n), 0);
  check_eq("fd_read", "beyond the end: nothing", n, 0);
  seek(file, 0, CLOUDABI_WHENCE_SET, &at);
  check_err("fd_read", "no pieces", cloudabi_sys_fd_read(file, NULL, 0, &n), 0);
  check_eq("fd_read", "no pieces: nothing", n, 0);

  check_err("fd_pread", "in the middle",
            cloudabi_sys_fd_pread(file, &(struct cloudabi_iovec){buf, 4}, 1, 5, &n), 0);
  check("fd_pread", "in the middle: contents", n == 4 && memcmp(buf, "5678", 4) == 0);
  seek(file, 0, CLOUDABI_WHENCE_CUR, &at);
  check_eq("fd_pread", "the offset stays", at, 0);
  check_err("fd_pread", "across the end",
            cloudabi_sys_fd_pread(file, &(struct cloudabi_iovec){buf, 9}, 1, 8, &n), 0);
  check_eq("fd_pread", "across the end: what is there", n, 2);
  check_err("fd_pread", "an offset above INT64_MAX",
            cloudabi_sys_fd_pread(file, &(struct cloudabi_iovec){buf, 9}, 1, 1ull << 63, &n),
            CLOUDABI_EINVAL);
  check_err("fd_pread", "at INT64_MAX",
            cloudabi_sys_fd_pread(file, &(struct cloudabi_iovec){buf, 9}, 1, INT64_MAX, &n), 0);
  check_err("fd_read", "a directory", raw_read(dir, buf, 1, &n), CLOUDABI_ENOTCAPABLE);
  check_err("fd_read", "a console granted for writing", raw_read(check_fd, buf, 1, &n),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(a);
  a = raw_dup_with(file, CLOUDABI_RIGHT_FD_READ);
  check_err("fd_read", "needs fd_read alone", raw_read(a, buf, 1, &n), 0);
  check_err("fd_pread", "needs fd_seek too",
            cloudabi_sys_fd_pread(a, &(struct cloudabi_iovec){buf, 1}, 1, 0, &n),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(a);
}

static void check_vectors(void) {
  static struct cloudabi_iovec iov[IOV_MAX + 1];
  static char byte;
  size_t n = 99;
  uint64_t at;
  for (size_t i = 0; i <= IOV_MAX; i++)
    iov[i] = (struct cloudabi_iovec){&byte, i < 10};
  seek(file, 0, CLOUDABI_WHENCE_SET, &at);
  check_err("fd_read", "1024 pieces", cloudabi_sys_fd_read(file, iov, IOV_MAX, &n), 0);
  check_eq("fd_read", "1024 pieces: all bytes", n, 10);
  n = 99;
  check_err("fd_read", "1025 pieces", cloudabi_sys_fd_read(file, iov, IOV_MAX + 1, &n),
            CLOUDABI_EINVAL);
  check_err("fd_write", "1025 pieces", cloudabi_sys_fd_write(check_fd, iov, IOV_MAX + 1, &n),
            CLOUDABI_EINVAL);
  check_err("fd_read", "SIZE_MAX pieces", cloudabi_sys_fd_read(file, iov, SIZE_MAX, &n),
            CLOUDABI_EINVAL);
  check_err("fd_pread", "SIZE_MAX / 16 + 2 pieces",
            cloudabi_sys_fd_pread(file, iov, SIZE_MAX / 16 + 2, 0, &n), CLOUDABI_EINVAL);
  iov[0].buf_len = iov[1].buf_len = SIZE_MAX / 2;
  check_err("fd_read", "pieces of more than INT64_MAX together",
            cloudabi_sys_fd_read(file, iov, 2, &n), CLOUDABI_EINVAL);
  iov[0].buf_len = SIZE_MAX;
  check_err("fd_read", "one piece of SIZE_MAX", cloudabi_sys_fd_read(file, iov, 1, &n),
            CLOUDABI_EINVAL);
  check_err("fd_write", "one piece of SIZE_MAX", cloudabi_sys_fd_write(check_fd, iov, 1, &n),
            CLOUDABI_EINVAL);
  check_eq("fd_read", "failures leave the result alone", n, 99);
}

static void check_write(void) {
  size_t n = 99;
  struct cloudabi_iovec iov[3] = {{"writ", 4}, {NULL, 0}, {"ten\n", 4}};
  check_err("fd_write", "three pieces to the console", cloudabi_sys_fd_write(check_fd, iov, 3, &n),
            0);
  check_eq("fd_write", "three pieces: bytes", n, 8);
  check_err("fd_write", "no pieces", cloudabi_sys_fd_write(check_fd, NULL, 0, &n), 0);
  check_eq("fd_write", "no pieces: nothing", n, 0);
  n = 99;
  check_err("fd_write", "a read-only file", cloudabi_sys_fd_write(file, iov, 1, &n),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_write", "a directory", cloudabi_sys_fd_write(dir, iov, 1, &n),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_pwrite", "a read-only file", cloudabi_sys_fd_pwrite(file, iov, 1, 0, &n),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_pwrite", "the console", cloudabi_sys_fd_pwrite(check_fd, iov, 1, 0, &n),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_pread", "the console", cloudabi_sys_fd_pread(check_fd, iov, 1, 0, &n),
            CLOUDABI_ENOTCAPABLE);
  check_eq("fd_write", "refusals leave the result alone", n, 99);
}

static void check_sync(void) {
  cloudabi_fd_t a = raw_dup_with(file, CLOUDABI_RIGHT_FD_DATASYNC);
  check_err("fd_sync", "a file", cloudabi_sys_fd_sync(file), 0);
  check_err("fd_sync", "a directory", cloudabi_sys_fd_sync(dir), 0);
  check_err("fd_datasync", "a file", cloudabi_sys_fd_datasync(file), 0);
  check_err("fd_sync", "the console", cloudabi_sys_fd_sync(check_fd), CLOUDABI_ENOTCAPABLE);
  check_err("fd_datasync", "the console", cloudabi_sys_fd_datasync(check_fd), CLOUDABI_ENOTCAPABLE);
  check_err("fd_datasync", "a directory", cloudabi_sys_fd_datasync(dir), CLOUDABI_ENOTCAPABLE);
  check_err("fd_sync", "with fd_datasync alone", cloudabi_sys_fd_sync(a), CLOUDABI_ENOTCAPABLE);
  check_err("fd_datasync", "with fd_datasync alone", cloudabi_sys_fd_datasync(a), 0);
  check_err("fd_sync", "a closed number", cloudabi_sys_fd_sync(RAW_BAD_FD), CLOUDABI_EBADF);
  check_err("fd_datasync", "a closed number", cloudabi_sys_fd_datasync(RAW_BAD_FD), CLOUDABI_EBADF);
  cloudabi_sys_fd_close(a);
}

static void check_create(void) {
  /* Those of retired versions are in local.c and fifo.c. */
  static const cloudabi_filetype_t bad[] = {0, 0x10, 0x11, 0x20, 0x50, 0x60, 0x90, 0xff};
  cloudabi_fd_t a = 77, b = 77;
  char what[40];
  for (size_t i = 0; i < sizeof(bad); i++) {
    snprintf(what, sizeof(what), "type %#x", bad[i]);
    check_err("fd_create1", what, cloudabi_sys_fd_create1(bad[i], &a), CLOUDABI_EINVAL);
    check_err("fd_create2", what, cloudabi_sys_fd_create2(bad[i], &a, &b), CLOUDABI_EINVAL);
  }
  check_err("fd_create2", "shared memory makes no pair",
            cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SHARED_MEMORY, &a, &b), CLOUDABI_EINVAL);
  check_eq("fd_create1", "failures leave the result alone", a, 77);
  check_eq("fd_create2", "failures leave the results alone", b, 77);
  check_err("fd_create1", "shared memory",
            cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &a), 0);
  check_err("fd_create2", "a pair of stream sockets",
            cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &a, &b), 0);
  check_err("fd_create2", "a pair of datagram sockets",
            cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_DGRAM, &a, &b), 0);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  check_granted();
  check_dup_and_close();
  check_replace();
  check_put_flags();
  check_put_rights();
  check_seek();
  check_read();
  check_vectors();
  check_write();
  check_sync();
  check_create();
  check_end();
}
