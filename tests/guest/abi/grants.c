/*
 * Rights that the configuration takes away, from inside: {out: fd, and the descriptors that
 * tests/vm/abi.py calls "limited"}. Reference 2.3, 2.4 and 2.6; docs/configuration.md.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

#define R(name) CLOUDABI_RIGHT_##name
#define DIRECTORY_BASE 0x13eff698
#define DIRECTORY_INHERITING 0x11ffff7ff
#define CHANGES                                                                              \
  (R(FD_DATASYNC) | R(FD_WRITE) | R(FILE_ALLOCATE) | R(FILE_CREATE_DIRECTORY) |              \
   R(FILE_CREATE_FILE) | R(FILE_LINK_SOURCE) | R(FILE_LINK_TARGET) | R(FILE_RENAME_SOURCE) | \
   R(FILE_RENAME_TARGET) | R(FILE_STAT_FPUT_SIZE) | R(FILE_STAT_FPUT_TIMES) |                \
   R(FILE_STAT_PUT_TIMES) | R(FILE_SYMLINK) | R(FILE_UNLINK))
#define RETIRED \
  (R(FILE_CREATE_FIFO) | R(SOCK_BIND_DIRECTORY) | R(SOCK_CONNECT_DIRECTORY)) /* of old programs */

static const argdata_t *args;

/* The descriptor under that key has exactly these rights. */
static cloudabi_fd_t granted(const char *key, cloudabi_rights_t base,
                             cloudabi_rights_t inheriting) {
  struct cloudabi_fdstat st = {.fs_rights_base = 0};
  char what[80];
  cloudabi_fd_t fd = (cloudabi_fd_t)arg_fd(args, key);
  cloudabi_sys_fd_stat_get(fd, &st);
  snprintf(what, sizeof(what), "grant `%s`: exactly the rights that are left", key);
  check_eq("fd_stat_get", what, st.fs_rights_base & ~RETIRED, base);
  snprintf(what, sizeof(what), "grant `%s`: exactly the inheriting rights that are left", key);
  check_eq("fd_stat_get", what, st.fs_rights_inheriting & ~RETIRED, inheriting);
  return fd;
}

static cloudabi_errno_t create(cloudabi_fd_t dir, const char *path) {
  return cloudabi_sys_file_create(dir, path, strlen(path), CLOUDABI_FILETYPE_DIRECTORY);
}

static void check_console(void) {
  struct cloudabi_filestat st;
  cloudabi_fd_t log = granted("log", R(FD_WRITE), 0), copy;
  check_err("fd_write", "grant with fd_write alone", raw_write(log, "", 0), 0);
  check_err("file_stat_fget", "grant with fd_write alone", cloudabi_sys_file_stat_fget(log, &st),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_fd_t nothing = granted("nothing", 0, 0);
  check_err("fd_write", "grant with no rights", raw_write(nothing, "x", 1), CLOUDABI_ENOTCAPABLE);
  check_err("fd_dup", "grant with no rights", cloudabi_sys_fd_dup(nothing, &copy), 0);
  check_eq("fd_dup", "grant with no rights: nor has the copy", raw_rights(copy), 0);
  check_err("fd_close", "grant with no rights", cloudabi_sys_fd_close(nothing), 0);
}

static void check_directories(void) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  size_t n;
  char buffer[512];
  cloudabi_fd_t readonly =
      granted("readonly", DIRECTORY_BASE & ~CHANGES, DIRECTORY_INHERITING & ~CHANGES);
  check_err("file_create", "grant without rights to change", create(readonly, "new"),
            CLOUDABI_ENOTCAPABLE);
  check_err("file_unlink", "grant without rights to change",
            cloudabi_sys_file_unlink(readonly, "a.txt", 5, 0), CLOUDABI_ENOTCAPABLE);
  check_err("file_open", "grant without rights to change: for writing",
            raw_open(readonly, "a.txt", 0, R(FD_WRITE), &fd), CLOUDABI_ENOTCAPABLE);
  check_err("file_open", "grant without rights to change: creating",
            raw_open(readonly, "new", CLOUDABI_O_CREAT, R(FD_READ), &fd), CLOUDABI_ENOTCAPABLE);
  check_err("file_open", "grant without rights to change: for reading",
            raw_open(readonly, "a.txt", 0, R(FD_READ) | R(FD_SEEK) | R(FD_TELL), &fd), 0);
  check("fd_read", "grant without rights to change",
        raw_read(fd, buffer, sizeof(buffer), &n) == 0 && n == 9);

  const cloudabi_rights_t exec = R(PROC_EXEC) | R(MEM_MAP_EXEC);
  cloudabi_fd_t noexec = granted("noexec", DIRECTORY_BASE, DIRECTORY_INHERITING & ~exec);
  check_err("file_open", "grant without rights to execute",
            raw_open(noexec, "a.txt", 0, R(PROC_EXEC), &fd), CLOUDABI_ENOTCAPABLE);
  check_err("file_create", "grant with the right to, in the image", create(noexec, "new"),
            CLOUDABI_EROFS);

  cloudabi_fd_t lister = granted("lister", R(FILE_READDIR), R(FILE_READDIR));
  check_err("file_readdir", "grant with file_readdir alone",
            cloudabi_sys_file_readdir(lister, buffer, sizeof(buffer), 0, &n), 0);
  check_err("file_open", "grant with file_readdir alone", raw_open(lister, "a.txt", 0, 0, &fd),
            CLOUDABI_ENOTCAPABLE);

  cloudabi_fd_t opener =
      granted("opener", R(FILE_OPEN) | R(FILE_STAT_GET), R(FD_READ) | R(FD_TELL));
  check_err("file_open", "grant with fd_read to inherit",
            raw_open(opener, "a.txt", 0, R(FD_READ), &fd), 0);
  check_eq("file_open", "grant with fd_read to inherit: exactly it", raw_rights(fd), R(FD_READ));
  check_err("file_open", "grant with fd_read to inherit: another right",
            raw_open(opener, "a.txt", 0, R(FD_READ) | R(FD_SEEK), &fd), CLOUDABI_ENOTCAPABLE);
  check_err("file_readdir", "grant without file_readdir",
            cloudabi_sys_file_readdir(opener, buffer, sizeof(buffer), 0, &n), CLOUDABI_ENOTCAPABLE);
}

static void check_files(void) {
  cloudabi_filesize_t offset;
  char byte;
  size_t n;
  cloudabi_fd_t file = granted("file", R(FD_READ), 0);
  check("fd_read", "grant with fd_read alone", raw_read(file, &byte, 1, &n) == 0 && byte == '0');
  check_err("fd_seek", "grant with fd_read alone",
            cloudabi_sys_fd_seek(file, 0, CLOUDABI_WHENCE_SET, &offset), CLOUDABI_ENOTCAPABLE);
  cloudabi_fd_t self = granted("self", R(FILE_STAT_FGET), 0);
  check_err("fd_read", "the program's own file without fd_read", raw_read(self, &byte, 1, &n),
            CLOUDABI_ENOTCAPABLE);
}

/* Directories in memory. */
static void check_tmpfs(void) {
  static const char page[4096];
  cloudabi_fd_t fd = RAW_BAD_FD;
  unsigned written = 0;
  cloudabi_errno_t e = 0;
  cloudabi_fd_t tmp = granted("tmp", DIRECTORY_BASE, DIRECTORY_INHERITING);
  check_err("file_create", "a temporary directory", create(tmp, "new"), 0);
  check_err("file_open", "creating in a temporary directory",
            raw_open(tmp, "file", CLOUDABI_O_CREAT, R(FD_WRITE) | R(FD_SEEK), &fd), 0);
  while (written <= 16 && (e = raw_write(fd, page, sizeof(page))) == 0)
    written++;
  check_err("fd_write", "beyond a temporary directory's limit", e, CLOUDABI_ENOSPC);
  check("fd_write", "up to a temporary directory's limit", written >= 14 && written <= 16);

  cloudabi_fd_t shrine =
      granted("shrine", DIRECTORY_BASE & ~CHANGES, DIRECTORY_INHERITING & ~CHANGES);
  check_err("file_create", "a temporary directory without rights to change", create(shrine, "new"),
            CLOUDABI_ENOTCAPABLE);

  cloudabi_fd_t inbox = granted("inbox", R(FILE_OPEN) | R(FILE_CREATE_FILE), R(FD_WRITE));
  check_err("file_open", "a grant to append: writing anywhere",
            raw_open(inbox, "a", CLOUDABI_O_CREAT, R(FD_WRITE), &fd), CLOUDABI_ENOTCAPABLE);
  struct cloudabi_lookup lookup = {inbox, 0};
  struct cloudabi_fdstat st = {.fs_flags = CLOUDABI_FDFLAG_APPEND, .fs_rights_base = R(FD_WRITE)};
  check_err("file_open", "a grant to append",
            cloudabi_sys_file_open(lookup, "a", 1, CLOUDABI_O_CREAT, &st, &fd), 0);
  check_err("fd_write", "a grant to append", raw_write(fd, "x", 1), 0);
  check_err("fd_stat_put", "a grant to append: no more",
            cloudabi_sys_fd_stat_put(fd, &st, CLOUDABI_FDSTAT_FLAGS), CLOUDABI_ENOTCAPABLE);
}

void program_main(const argdata_t *ad) {
  args = ad;
  check_begin(ad);
  check_console();
  check_directories();
  check_files();
  check_tmpfs();
  granted("listener", R(SOCK_ACCEPT) | R(FD_READ), R(SOCK_ACCEPT) | R(FD_READ));
  check_end();
}
