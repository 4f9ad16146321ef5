/*
 * file_* that change, from inside, on the image's files, where nothing can be changed: {out: fd,
 * dir: the tree that tests/vm/abi.py makes, file: regular file}. Reference 3.2.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

#define FOLLOW CLOUDABI_LOOKUP_SYMLINK_FOLLOW

static cloudabi_fd_t dir, file;

static cloudabi_errno_t link_to(const char *from, cloudabi_lookupflags_t flags, const char *to) {
  return cloudabi_sys_file_link((struct cloudabi_lookup){dir, flags}, from, strlen(from), dir, to,
                                strlen(to));
}

static cloudabi_errno_t rename_to(const char *from, const char *to) {
  return cloudabi_sys_file_rename(dir, from, strlen(from), dir, to, strlen(to));
}

static cloudabi_errno_t create(const char *path, cloudabi_filetype_t type) {
  return cloudabi_sys_file_create(dir, path, strlen(path), type);
}

static cloudabi_errno_t symlink_to(const char *text, const char *path) {
  return cloudabi_sys_file_symlink(text, strlen(text), dir, path, strlen(path));
}

static cloudabi_errno_t unlink_at(const char *path, cloudabi_ulflags_t flags) {
  return cloudabi_sys_file_unlink(dir, path, strlen(path), flags);
}

static void check_names(void) {
  const cloudabi_ulflags_t rmdir = CLOUDABI_UNLINK_REMOVEDIR;
  check_err("file_create", "a directory", create("new", CLOUDABI_FILETYPE_DIRECTORY),
            CLOUDABI_EROFS);
  check_err("file_create", "a directory, with a slash", create("new/", CLOUDABI_FILETYPE_DIRECTORY),
            CLOUDABI_EROFS);
  check_err("file_create", "what exists", create("sub", CLOUDABI_FILETYPE_DIRECTORY),
            CLOUDABI_EEXIST);
  check_err("file_create", "`.`", create(".", CLOUDABI_FILETYPE_DIRECTORY), CLOUDABI_EEXIST);
  check_err("file_create", "at a dangling link", create("dangling", CLOUDABI_FILETYPE_DIRECTORY),
            CLOUDABI_EEXIST);
  check_err("file_create", "in a missing directory", create("no/new", CLOUDABI_FILETYPE_DIRECTORY),
            CLOUDABI_ENOENT);
  check_err("file_create", "above", create("../new", CLOUDABI_FILETYPE_DIRECTORY),
            CLOUDABI_ENOTCAPABLE);
  check_err("file_create", "a regular file", create("new", CLOUDABI_FILETYPE_REGULAR_FILE),
            CLOUDABI_EINVAL);
  check_err("file_create", "type 0xff", create("new", 0xff), CLOUDABI_EINVAL);

  check_err("file_link", "a file", link_to("a.txt", 0, "new"), CLOUDABI_EROFS);
  check_err("file_link", "a directory", link_to("sub", 0, "new"), CLOUDABI_EPERM);
  check_err("file_link", "onto what exists", link_to("a.txt", 0, "empty"), CLOUDABI_EEXIST);
  check_err("file_link", "nothing", link_to("nothing", 0, "new"), CLOUDABI_ENOENT);
  check_err("file_link", "a dangling link, followed", link_to("dangling", FOLLOW, "new"),
            CLOUDABI_ENOENT);
  check_err("file_link", "a dangling link itself", link_to("dangling", 0, "new"), CLOUDABI_EROFS);
  check_err("file_link", "out of the directory", link_to("a.txt", 0, "../new"),
            CLOUDABI_ENOTCAPABLE);

  check_err("file_rename", "a file", rename_to("a.txt", "new"), CLOUDABI_EROFS);
  check_err("file_rename", "nothing", rename_to("nothing", "new"), CLOUDABI_ENOENT);
  check_err("file_rename", "a file onto a directory", rename_to("a.txt", "sub"), CLOUDABI_EISDIR);
  check_err("file_rename", "a directory onto a file", rename_to("sub", "a.txt"), CLOUDABI_ENOTDIR);
  check_err("file_rename", "`.`", rename_to(".", "new"), CLOUDABI_EINVAL);
  check_err("file_rename", "to `sub/..`", rename_to("a.txt", "sub/.."), CLOUDABI_EINVAL);
  check_err("file_rename", "out of the directory", rename_to("a.txt", "../new"),
            CLOUDABI_ENOTCAPABLE);

  check_err("file_symlink", "a new one", symlink_to("/anything", "new"), CLOUDABI_EROFS);
  check_err("file_symlink", "onto what exists", symlink_to("x", "a.txt"), CLOUDABI_EEXIST);
  check_err("file_symlink", "an empty name", symlink_to("x", ""), CLOUDABI_ENOENT);
  check_err("file_symlink", "out of the directory", symlink_to("x", "../new"),
            CLOUDABI_ENOTCAPABLE);

  check_err("file_unlink", "a file", unlink_at("a.txt", 0), CLOUDABI_EROFS);
  check_err("file_unlink", "a link", unlink_at("loop", 0), CLOUDABI_EROFS);
  check_err("file_unlink", "nothing", unlink_at("nothing", 0), CLOUDABI_ENOENT);
  check_err("file_unlink", "a directory without REMOVEDIR", unlink_at("sub", 0), CLOUDABI_EPERM);
  check_err("file_unlink", "a file with REMOVEDIR", unlink_at("a.txt", rmdir), CLOUDABI_ENOTDIR);
  check_err("file_unlink", "a link to a directory with REMOVEDIR", unlink_at("dirlink", rmdir),
            CLOUDABI_ENOTDIR);
  check_err("file_unlink", "`.` with REMOVEDIR", unlink_at(".", rmdir), CLOUDABI_EINVAL);
  check_err("file_unlink", "a directory with REMOVEDIR", unlink_at("void", rmdir), CLOUDABI_EROFS);
  check_err("file_unlink", "`link/`", unlink_at("link/", 0), CLOUDABI_ENOTDIR);
  check_err("file_unlink", "`dirlink/` without REMOVEDIR", unlink_at("dirlink/", 0),
            CLOUDABI_EPERM);
  check_err("file_unlink", "flags that nobody knows", unlink_at("a.txt", 2), CLOUDABI_EINVAL);
  check_err("file_unlink", "out of the directory", unlink_at("../x", 0), CLOUDABI_ENOTCAPABLE);
}

static void check_stat_put(void) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  struct cloudabi_lookup at = {dir, 0};
  check_err("file_stat_put", "a time",
            cloudabi_sys_file_stat_put(at, "a.txt", 5, &st, CLOUDABI_FILESTAT_MTIM),
            CLOUDABI_EROFS);
  check_err("file_stat_put", "nothing at all", cloudabi_sys_file_stat_put(at, "a.txt", 5, &st, 0),
            0);
  check_err("file_stat_put", "the size",
            cloudabi_sys_file_stat_put(at, "a.txt", 5, &st, CLOUDABI_FILESTAT_SIZE),
            CLOUDABI_EINVAL);
  check_err("file_stat_put", "flags that nobody knows",
            cloudabi_sys_file_stat_put(at, "a.txt", 5, &st, 0x20), CLOUDABI_EINVAL);
  check_err("file_stat_put", "a missing file",
            cloudabi_sys_file_stat_put(at, "nothing", 7, &st, CLOUDABI_FILESTAT_MTIM),
            CLOUDABI_ENOENT);
  static const cloudabi_fsflags_t bad[] = {0, 0x11, 0x1f, 0x20, 0xffff};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    char what[40];
    snprintf(what, sizeof(what), "flags %#x", bad[i]);
    check_err("file_stat_fput", what, cloudabi_sys_file_stat_fput(file, &st, bad[i]),
              CLOUDABI_EINVAL);
  }
  cloudabi_errno_t e = cloudabi_sys_file_stat_fput(file, &st, CLOUDABI_FILESTAT_MTIM);
  check("file_stat_fput", "a time of a read-only file",
        e == CLOUDABI_EROFS || e == CLOUDABI_ENOTSUP);
  e = cloudabi_sys_file_stat_fput(file, &st, CLOUDABI_FILESTAT_SIZE);
  check("file_stat_fput", "the size of a read-only file",
        e == CLOUDABI_EROFS || e == CLOUDABI_ENOTSUP || e == CLOUDABI_ENOTCAPABLE);
  check_err("file_stat_fput", "the console",
            cloudabi_sys_file_stat_fput(check_fd, &st, CLOUDABI_FILESTAT_MTIM),
            CLOUDABI_ENOTCAPABLE);
}

static void check_advise(void) {
  char what[40];
  for (unsigned advice = 0; advice <= 8; advice++) {
    snprintf(what, sizeof(what), "advice %u", advice);
    check_err("file_advise", what, cloudabi_sys_file_advise(file, 0, 5, advice),
              advice >= 1 && advice <= 6 ? 0 : CLOUDABI_EINVAL);
  }
  check_err("file_advise", "a directory",
            cloudabi_sys_file_advise(dir, 0, 0, CLOUDABI_ADVICE_NORMAL), 0);
  check_err("file_advise", "a range that wraps",
            cloudabi_sys_file_advise(file, UINT64_MAX, 2, CLOUDABI_ADVICE_NORMAL), CLOUDABI_EINVAL);
  check_err("file_advise", "bad advice to the console", cloudabi_sys_file_advise(check_fd, 0, 0, 0),
            CLOUDABI_EINVAL);
  check_err("file_advise", "the console", cloudabi_sys_file_advise(check_fd, 0, 0, 1),
            CLOUDABI_ENOTCAPABLE);
  check_err("file_allocate", "0 bytes", cloudabi_sys_file_allocate(file, 0, 0), CLOUDABI_EINVAL);
  cloudabi_errno_t e = cloudabi_sys_file_allocate(file, UINT64_MAX, 2);
  check_either("file_allocate", "a range that wraps", e, CLOUDABI_EFBIG, CLOUDABI_EINVAL);
  e = cloudabi_sys_file_allocate(file, 10, 12);
  check("file_allocate", "a read-only file",
        e == CLOUDABI_EROFS || e == CLOUDABI_ENOTSUP || e == CLOUDABI_EINVAL ||
            e == CLOUDABI_ENOTCAPABLE);
  check_err("file_allocate", "a directory", cloudabi_sys_file_allocate(dir, 0, 1),
            CLOUDABI_ENOTCAPABLE);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  check_names();
  check_stat_put();
  check_advise();
  check_end();
}
