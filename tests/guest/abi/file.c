/*
 * file_* that find, open and read, from inside, on the image's files (those that change are in
 * names.c): {out: fd, dir: the tree that tests/vm/abi.py makes, file: regular file}. Reference 2.6
 * and 3.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

#define FOLLOW CLOUDABI_LOOKUP_SYMLINK_FOLLOW
#define RIGHT(name) CLOUDABI_RIGHT_##name
#define READ (RIGHT(FD_READ) | RIGHT(FD_SEEK) | RIGHT(FD_TELL))

static cloudabi_fd_t dir, file;

/* ---- Paths: every call that takes one walks it in the same way; file_stat_get shows how. ----- */

static cloudabi_errno_t stat_n(const char *path, size_t n, cloudabi_lookupflags_t flags,
                               struct cloudabi_filestat *st) {
  struct cloudabi_lookup lookup = {dir, flags};
  return cloudabi_sys_file_stat_get(lookup, path, n, st);
}

static cloudabi_errno_t stat_path(const char *path, cloudabi_lookupflags_t flags) {
  struct cloudabi_filestat st;
  return stat_n(path, strlen(path), flags, &st);
}

static const struct {
  const char *path;
  cloudabi_errno_t plain, followed;
} paths[] = {
    {"a.txt", 0, 0},
    {"sub/b.txt", 0, 0},
    {"sub//deep///c.txt", 0, 0},
    {"./sub/./b.txt", 0, 0},
    {".", 0, 0},
    {"./", 0, 0},
    {"sub", 0, 0},
    {"sub/", 0, 0},
    {"sub/..", 0, 0},
    {"sub/../a.txt", 0, 0},
    {"sub/deep/../../a.txt", 0, 0},
    {"link", 0, 0},
    {"dirlink/b.txt", 0, 0},
    {"dirlink/../a.txt", 0, 0},
    {"dirlink/", 0, 0},
    {"slashed/b.txt", 0, 0},
    {"slashed", 0, 0},
    {"sub/up", 0, 0},
    {"chain1", 0, 0},
    {"dotlink/dotlink/a.txt", 0, 0},
    {"", CLOUDABI_ENOENT, CLOUDABI_ENOENT},
    {"nothing", CLOUDABI_ENOENT, CLOUDABI_ENOENT},
    {"nothing/a.txt", CLOUDABI_ENOENT, CLOUDABI_ENOENT},
    {"sub/nothing", CLOUDABI_ENOENT, CLOUDABI_ENOENT},
    {"a.txt/", CLOUDABI_ENOTDIR, CLOUDABI_ENOTDIR},
    {"a.txt/.", CLOUDABI_ENOTDIR, CLOUDABI_ENOTDIR},
    {"a.txt/..", CLOUDABI_ENOTDIR, CLOUDABI_ENOTDIR},
    {"a.txt/b", CLOUDABI_ENOTDIR, CLOUDABI_ENOTDIR},
    {"link/", CLOUDABI_ENOTDIR, CLOUDABI_ENOTDIR},
    {"dangling", 0, CLOUDABI_ENOENT},
    {"dangling/", CLOUDABI_ENOENT, CLOUDABI_ENOENT},
    {"loop", 0, CLOUDABI_ELOOP},
    {"loop/a.txt", CLOUDABI_ELOOP, CLOUDABI_ELOOP},
    {"..", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"../a.txt", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"../tree/a.txt", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"sub/../..", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"sub/../../tree/a.txt", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"./..", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"/", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"//", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"/dev/null", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"absolute", 0, CLOUDABI_ENOTCAPABLE},
    {"absolute/x", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
    {"escape", 0, CLOUDABI_ENOTCAPABLE},
    {"sub/out", 0, CLOUDABI_ENOTCAPABLE},
    {"dirlink/../..", CLOUDABI_ENOTCAPABLE, CLOUDABI_ENOTCAPABLE},
};

static void check_paths(void) {
  char what[80];
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
    snprintf(what, sizeof(what), "path `%s`", paths[i].path);
    check_err("file_stat_get", what, stat_path(paths[i].path, 0), paths[i].plain);
    snprintf(what, sizeof(what), "path `%s`, followed", paths[i].path);
    check_err("file_stat_get", what, stat_path(paths[i].path, FOLLOW), paths[i].followed);
  }
}

static void check_path_bytes(void) {
  static char path[2048];
  struct cloudabi_filestat st;
  check_err("file_stat_get", "a path is as long as it says", stat_n("a.txtXXX", 5, 0, &st), 0);
  check_err("file_stat_get", "a NUL byte in a path", stat_n("a.txt\0", 6, 0, &st), CLOUDABI_EINVAL);
  check_err("file_stat_get", "a NUL byte first", stat_n("\0a.txt", 6, 0, &st), CLOUDABI_EINVAL);
  check_err("file_stat_get", "bytes that are no UTF-8", stat_n("\xff\xfe\x80", 3, 0, &st),
            CLOUDABI_ENOENT);
  memset(path, 'n', 256);
  check_err("file_stat_get", "a name of 255 bytes", stat_n(path, 255, 0, &st), 0);
  check_err("file_stat_get", "a name of 256 bytes", stat_n(path, 256, 0, &st),
            CLOUDABI_ENAMETOOLONG);
  for (size_t i = 0; i < sizeof(path); i += 2)
    memcpy(path + i, "./", 2);
  memcpy(path + 1018, "a.txt", 5);
  check_err("file_stat_get", "a path of 1023 bytes", stat_n(path, 1023, 0, &st), 0);
  check_err("file_stat_get", "a path of 1024 bytes", stat_n(path, 1024, 0, &st),
            CLOUDABI_ENAMETOOLONG);
  check("file_stat_get", "a path of SIZE_MAX bytes", stat_n(path, SIZE_MAX, 0, &st) != 0);
  check_err("file_stat_get", "lookup flags that nobody knows", stat_n("a.txt", 5, 0xfffffffe, &st),
            0);
}

/* ---- What files are -------------------------------------------------------------------------- */

static void check_stat(void) {
  struct cloudabi_filestat a, b;
  cloudabi_fd_t fd = 0;
  memset(&a, 0xee, sizeof(a));
  stat_n("a.txt", 5, 0, &a);
  check_eq("file_stat_get", "a file's type", a.st_filetype, CLOUDABI_FILETYPE_REGULAR_FILE);
  check_eq("file_stat_get", "a file's size", a.st_size, 9);
  check_eq("file_stat_get", "a file's links", a.st_nlink, 1);
  check_eq("file_stat_get", "a file's modification time", a.st_mtim, 1500000000ull * 1000 * RAW_MS);
  check("file_stat_get", "the padding holds nothing", raw_all((char *)&a + 17, 3, 0));
  stat_n("link", 4, 0, &b);
  check_eq("file_stat_get", "a link's type", b.st_filetype, CLOUDABI_FILETYPE_SYMBOLIC_LINK);
  check_eq("file_stat_get", "a link's size", b.st_size, 5);
  stat_n("link", 4, FOLLOW, &b);
  check("file_stat_get", "a followed link is its file", memcmp(&a, &b, sizeof(a)) == 0);
  stat_n("sub", 3, 0, &b);
  check_eq("file_stat_get", "a directory's type", b.st_filetype, CLOUDABI_FILETYPE_DIRECTORY);
  check("file_stat_get", "other files have other numbers", a.st_ino != b.st_ino);
  stat_n(".", 1, 0, &a);
  check_err("file_stat_fget", "a directory", cloudabi_sys_file_stat_fget(dir, &b), 0);
  check("file_stat_fget", "the same as by the path `.`", memcmp(&a, &b, sizeof(a)) == 0);

  raw_open(dir, "a.txt", 0, READ | RIGHT(FILE_STAT_FGET), &fd);
  stat_n("a.txt", 5, 0, &a);
  check_err("file_stat_fget", "a file", cloudabi_sys_file_stat_fget(fd, &b), 0);
  check("file_stat_fget", "the same as by its path", memcmp(&a, &b, sizeof(a)) == 0);
  cloudabi_sys_fd_close(fd);
  memset(&b, 0xee, sizeof(b));
  check_err("file_stat_fget", "the console", cloudabi_sys_file_stat_fget(check_fd, &b), 0);
  check_eq("file_stat_fget", "the console's type", b.st_filetype,
           CLOUDABI_FILETYPE_CHARACTER_DEVICE);
  fd = raw_dup_with(dir, ~(RIGHT(FILE_STAT_GET) | RIGHT(FILE_STAT_FGET)));
  memset(&b, 0xee, sizeof(b));
  check_err("file_stat_fget", "without its right", cloudabi_sys_file_stat_fget(fd, &b),
            CLOUDABI_ENOTCAPABLE);
  check_err("file_stat_get", "without its right",
            cloudabi_sys_file_stat_get((struct cloudabi_lookup){fd, 0}, "a.txt", 5, &b),
            CLOUDABI_ENOTCAPABLE);
  check_err("file_stat_get", "below a file",
            cloudabi_sys_file_stat_get((struct cloudabi_lookup){file, 0}, ".", 1, &b),
            CLOUDABI_ENOTCAPABLE);
  stat_n("nothing", 7, 0, &b);
  check("file_stat_get", "failures leave the result alone", raw_all(&b, sizeof(b), 0xee));
  cloudabi_sys_fd_close(fd);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static cloudabi_errno_t open_with(const char *path, cloudabi_lookupflags_t lookup,
                                  cloudabi_oflags_t oflags, cloudabi_rights_t base,
                                  cloudabi_rights_t inheriting, cloudabi_fdflags_t flags,
                                  cloudabi_fd_t *fd) {
  struct cloudabi_fdstat st;
  memset(&st, 0, sizeof(st));
  st.fs_rights_base = base;
  st.fs_rights_inheriting = inheriting;
  st.fs_flags = flags;
  return cloudabi_sys_file_open((struct cloudabi_lookup){dir, lookup}, path, strlen(path), oflags,
                                &st, fd);
}

static void refused(const char *what, const char *path, cloudabi_lookupflags_t lookup,
                    cloudabi_oflags_t oflags, cloudabi_rights_t base, cloudabi_errno_t want) {
  cloudabi_fd_t fd = 77;
  cloudabi_errno_t e = open_with(path, lookup, oflags, base, 0, 0, &fd);
  check_err("file_open", what, e, want);
  if (e == 0)
    cloudabi_sys_fd_close(fd);
  else if (fd != 77)
    check("file_open", "a refusal leaves the result alone", false);
}

static void check_open_refusals(void) {
  refused("a missing file", "nothing", FOLLOW, 0, READ, CLOUDABI_ENOENT);
  refused("creating", "nothing", FOLLOW, CLOUDABI_O_CREAT, READ, CLOUDABI_EROFS);
  refused("creating in a missing directory", "no/thing", FOLLOW, CLOUDABI_O_CREAT, READ,
          CLOUDABI_ENOENT);
  refused("creating what exists, exclusively", "a.txt", FOLLOW, CLOUDABI_O_CREAT | CLOUDABI_O_EXCL,
          READ, CLOUDABI_EEXIST);
  refused("creating at a link, exclusively", "dangling", FOLLOW, CLOUDABI_O_CREAT | CLOUDABI_O_EXCL,
          READ, CLOUDABI_EEXIST);
  refused("creating what exists", "a.txt", FOLLOW, CLOUDABI_O_CREAT, READ, 0);
  refused("truncating", "a.txt", FOLLOW, CLOUDABI_O_TRUNC, READ, CLOUDABI_EROFS);
  refused("writing", "a.txt", FOLLOW, 0, RIGHT(FD_WRITE), CLOUDABI_EROFS);
  refused("a directory for writing", "sub", FOLLOW, 0, RIGHT(FD_WRITE), CLOUDABI_EISDIR);
  refused("a directory for reading and writing", "sub", FOLLOW, CLOUDABI_O_DIRECTORY,
          READ | RIGHT(FD_WRITE), CLOUDABI_EISDIR);
  refused("truncating a directory", "sub", FOLLOW, CLOUDABI_O_TRUNC, READ, CLOUDABI_EISDIR);
  refused("a file as a directory", "a.txt", FOLLOW, CLOUDABI_O_DIRECTORY, READ, CLOUDABI_ENOTDIR);
  refused("a link, not followed", "link", 0, 0, READ, CLOUDABI_ELOOP);
  refused("a link to a directory, not followed", "dirlink", 0, CLOUDABI_O_DIRECTORY, READ,
          CLOUDABI_ELOOP);
  refused("a link to itself", "loop", FOLLOW, 0, READ, CLOUDABI_ELOOP);
  refused("a dangling link", "dangling", FOLLOW, 0, READ, CLOUDABI_ENOENT);
  refused("above the directory", "../x", FOLLOW, CLOUDABI_O_CREAT, READ, CLOUDABI_ENOTCAPABLE);
  refused("an absolute path", "/etc/passwd", FOLLOW, CLOUDABI_O_CREAT, READ, CLOUDABI_ENOTCAPABLE);
  refused("a link to an absolute path", "absolute", FOLLOW, 0, READ, CLOUDABI_ENOTCAPABLE);
  refused("flags that nobody knows", "a.txt", FOLLOW, 0x10, READ, CLOUDABI_EINVAL);
  refused("a right that the directory does not hand on", "a.txt", FOLLOW, 0, 1ull << 62,
          CLOUDABI_ENOTCAPABLE);
  refused("a path that is empty", "", FOLLOW, 0, READ, CLOUDABI_ENOENT);
}

static void opened(const char *what, const char *path, cloudabi_oflags_t oflags,
                   cloudabi_rights_t base, cloudabi_rights_t inheriting, cloudabi_rights_t want,
                   cloudabi_rights_t want_inheriting) {
  struct cloudabi_fdstat st;
  cloudabi_fd_t fd = 0;
  char text[100];
  if (!check_err("file_open", what, open_with(path, FOLLOW, oflags, base, inheriting, 0, &fd), 0))
    return;
  cloudabi_sys_fd_stat_get(fd, &st);
  snprintf(text, sizeof(text), "%s: exactly its rights", what);
  check_eq("file_open", text, st.fs_rights_base, want);
  snprintf(text, sizeof(text), "%s: exactly its inheriting rights", what);
  check_eq("file_open", text, st.fs_rights_inheriting, want_inheriting);
  cloudabi_sys_fd_close(fd);
}

static void check_open(void) {
  const cloudabi_rights_t all_dir = 0x13eff698, all = 0x11ffff7ff, all_file = 0x11c3801ff;
  const cloudabi_rights_t change =
      RIGHT(FD_DATASYNC) | RIGHT(FD_WRITE) | RIGHT(FILE_ALLOCATE) | RIGHT(FILE_STAT_FPUT_SIZE);
  opened("a file for reading", "a.txt", 0, READ, 0, READ, 0);
  opened("a file with all but changing", "a.txt", 0, all & ~change, all, all_file & ~change, 0);
  opened("a directory read-only", "sub", CLOUDABI_O_DIRECTORY, all & ~change, all, all_dir, all);
  opened("the directory itself", ".", 0, all & ~change, all, all_dir, all);
  opened("with no rights", "a.txt", 0, 0, 0, 0, 0);
  opened("for execution alone", "a.txt", 0, RIGHT(PROC_EXEC), 0, RIGHT(PROC_EXEC), 0);
  opened("by a link", "link", 0, READ, 0, READ, 0);
  opened("by a chain of links", "chain1", 0, READ, 0, READ, 0);

  cloudabi_fd_t fd = 0;
  struct cloudabi_fdstat st;
  char buf[20];
  size_t n = 0;
  check_err("file_open", "with flags",
            open_with("a.txt", 0, 0, READ, 0, CLOUDABI_FDFLAG_NONBLOCK, &fd), 0);
  cloudabi_sys_fd_stat_get(fd, &st);
  check_eq("file_open", "with flags: has them", st.fs_flags, CLOUDABI_FDFLAG_NONBLOCK);
  check_eq("file_open", "a file's type", st.fs_filetype, CLOUDABI_FILETYPE_REGULAR_FILE);
  raw_read(fd, buf, sizeof(buf), &n);
  check("file_open", "the file can be read", n == 9 && memcmp(buf, "letter a\n", 9) == 0);
  cloudabi_sys_fd_close(fd);
  check_err("file_open", "flags that no descriptor has",
            open_with("a.txt", 0, 0, READ, 0, 0x20, &fd), CLOUDABI_EINVAL);
}

static void open_from(const char *what, cloudabi_rights_t base, cloudabi_rights_t inheriting,
                      cloudabi_oflags_t oflags, cloudabi_fdflags_t flags, cloudabi_rights_t request,
                      cloudabi_errno_t want) {
  cloudabi_fd_t fd = 0, less = 0;
  struct cloudabi_fdstat st;
  memset(&st, 0, sizeof(st));
  st.fs_rights_base = request;
  st.fs_flags = flags;
  cloudabi_sys_fd_dup(dir, &less);
  raw_set_rights(less, base, inheriting);
  cloudabi_errno_t e =
      cloudabi_sys_file_open((struct cloudabi_lookup){less, 0}, "a.txt", 5, oflags, &st, &fd);
  check_err("file_open", what, e, want);
  if (e == 0)
    cloudabi_sys_fd_close(fd);
  cloudabi_sys_fd_close(less);
}

static void check_open_rights(void) {
  const cloudabi_rights_t open = RIGHT(FILE_OPEN), create = RIGHT(FILE_CREATE_FILE),
                          all = 0x11ffff7ff;
  open_from("needs file_open", 0x13eff698 & ~open, all, 0, 0, RIGHT(FD_READ), CLOUDABI_ENOTCAPABLE);
  open_from("with file_open alone", open, all, 0, 0, RIGHT(FD_READ), 0);
  open_from("creating needs file_create_file", open, all, CLOUDABI_O_CREAT, 0, RIGHT(FD_READ),
            CLOUDABI_ENOTCAPABLE);
  open_from("creating with file_create_file", open | create, all, CLOUDABI_O_CREAT, 0,
            RIGHT(FD_READ), 0);
  open_from("asking for what is not handed on", open, RIGHT(FD_READ), 0, 0,
            RIGHT(FD_READ) | RIGHT(FD_SEEK), CLOUDABI_ENOTCAPABLE);
  open_from("asking for what is handed on", open, RIGHT(FD_READ), 0, 0, RIGHT(FD_READ), 0);
  open_from("truncating needs file_stat_fput_size", open, RIGHT(FD_READ), CLOUDABI_O_TRUNC, 0,
            RIGHT(FD_READ), CLOUDABI_ENOTCAPABLE);
  open_from("the flag DSYNC needs fd_datasync", open, RIGHT(FD_READ), 0, CLOUDABI_FDFLAG_DSYNC,
            RIGHT(FD_READ), CLOUDABI_ENOTCAPABLE);
  open_from("the flag SYNC needs fd_sync", open, RIGHT(FD_READ), 0, CLOUDABI_FDFLAG_SYNC,
            RIGHT(FD_READ), CLOUDABI_ENOTCAPABLE);
  open_from("the flag RSYNC needs fd_sync", open, RIGHT(FD_READ), 0, CLOUDABI_FDFLAG_RSYNC,
            RIGHT(FD_READ), CLOUDABI_ENOTCAPABLE);
  open_from("the flag SYNC with fd_sync", open, RIGHT(FD_READ) | RIGHT(FD_SYNC), 0,
            CLOUDABI_FDFLAG_SYNC, RIGHT(FD_READ), 0);
  open_from("writing without APPEND needs fd_seek", open, RIGHT(FD_WRITE), 0, 0, RIGHT(FD_WRITE),
            CLOUDABI_ENOTCAPABLE);
  open_from("writing with APPEND does not need fd_seek", open, RIGHT(FD_WRITE), 0,
            CLOUDABI_FDFLAG_APPEND, RIGHT(FD_WRITE), CLOUDABI_EROFS);
}

/* ---- Directories ----------------------------------------------------------------------------- */

static bool has_name(const char *seen, const char *name) {
  char pattern[300];
  snprintf(pattern, sizeof(pattern), "/%s/", name);
  return strstr(seen, pattern) != NULL;
}

/* Reads a directory through a buffer of this size; names go to `seen` between slashes. Returns how
 * many entries there are, or -1. */
static int list(cloudabi_fd_t fd, size_t size, char *seen, size_t seen_bytes) {
  static uint8_t buf[65536];
  cloudabi_dircookie_t cookie = CLOUDABI_DIRCOOKIE_START;
  int count = 0;
  size_t used, length = 0;
  seen[length++] = '/';
  for (;;) {
    if (cloudabi_sys_file_readdir(fd, buf, size, cookie, &used) != 0 || used > size)
      return -1;
    size_t at = 0, complete = 0;
    for (; at + sizeof(struct cloudabi_dirent) <= used; complete++, count++) {
      struct cloudabi_dirent d;
      memcpy(&d, buf + at, sizeof(d));
      if (at + sizeof(d) + d.d_namlen > used)
        break;
      if (length + d.d_namlen + 2 > seen_bytes)
        return -1;
      memcpy(seen + length, buf + at + sizeof(d), d.d_namlen);
      length += d.d_namlen;
      seen[length++] = '/';
      at += sizeof(d) + d.d_namlen;
      cookie = d.d_next;
    }
    seen[length] = '\0';
    if (used < size)
      return count;
    if (complete == 0)
      return -1;
  }
}

static void check_readdir(void) {
  static const size_t sizes[] = {300, 512, 1000, 4096, 65536};
  static char seen[16384];
  static uint8_t buf[64];
  char what[60];
  size_t used = 99;
  cloudabi_fd_t fd = 0;
  raw_open(dir, "many", 0, RIGHT(FILE_READDIR), &fd);
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    snprintf(what, sizeof(what), "300 files by %zu bytes", sizes[i]);
    check_eq("file_readdir", what, list(fd, sizes[i], seen, sizeof(seen)), 302);
  }
  check("file_readdir", "all names",
        has_name(seen, ".") && has_name(seen, "..") && has_name(seen, "entry000") &&
            has_name(seen, "entry299"));
  cloudabi_sys_fd_close(fd);
  raw_open(dir, "void", 0, RIGHT(FILE_READDIR), &fd);
  check_eq("file_readdir", "an empty directory has two entries", list(fd, 4096, seen, sizeof(seen)),
           2);
  check_err("file_readdir", "a buffer of 0 bytes", cloudabi_sys_file_readdir(fd, buf, 0, 0, &used),
            0);
  check_eq("file_readdir", "a buffer of 0 bytes: none used", used, 0);
  check_err("file_readdir", "a buffer of 10 bytes",
            cloudabi_sys_file_readdir(fd, buf, 10, 0, &used), 0);
  check_eq("file_readdir", "a buffer of 10 bytes: filled", used, 10);
  check_err("file_readdir", "one entry's buffer", cloudabi_sys_file_readdir(fd, buf, 25, 0, &used),
            0);
  struct cloudabi_dirent d;
  struct cloudabi_filestat st;
  memcpy(&d, buf, sizeof(d));
  cloudabi_sys_file_stat_get((struct cloudabi_lookup){dir, 0}, "void", 4, &st);
  check("file_readdir", "`.` first, with the directory's number and type",
        used == 25 && d.d_namlen == 1 && buf[24] == '.' && d.d_ino == st.st_ino &&
            d.d_type == CLOUDABI_FILETYPE_DIRECTORY);
  check("file_readdir", "the padding holds nothing", raw_all(buf + 21, 3, 0));
  used = 99;
  check("file_readdir", "a cookie that was never given",
        cloudabi_sys_file_readdir(fd, buf, sizeof(buf), 0x123456789abcdef0, &used) != 0);
  check_eq("file_readdir", "failures leave the result alone", used, 99);
  check_err("file_readdir", "a file", cloudabi_sys_file_readdir(file, buf, sizeof(buf), 0, &used),
            CLOUDABI_ENOTCAPABLE);
  check_err("file_readdir", "without its right",
            cloudabi_sys_file_readdir(raw_dup_with(dir, RIGHT(FILE_OPEN)), buf, 9, 0, &used),
            CLOUDABI_ENOTCAPABLE);
}

static void check_readlink(void) {
  char buf[32];
  size_t used = 99;
  memset(buf, '.', sizeof(buf));
  check_err("file_readlink", "a link",
            cloudabi_sys_file_readlink(dir, "link", 4, buf, sizeof(buf), &used), 0);
  check("file_readlink", "a link's contents, without an end",
        used == 5 && memcmp(buf, "a.txt.", 6) == 0);
  memset(buf, '.', sizeof(buf));
  check_err("file_readlink", "into 2 bytes",
            cloudabi_sys_file_readlink(dir, "absolute", 8, buf, 2, &used), 0);
  check("file_readlink", "into 2 bytes: cut", used == 2 && memcmp(buf, "/e.", 3) == 0);
  check_err("file_readlink", "into 0 bytes",
            cloudabi_sys_file_readlink(dir, "link", 4, NULL, 0, &used), 0);
  check_eq("file_readlink", "into 0 bytes: none used", used, 0);
  used = 99;
  check_err("file_readlink", "a file", cloudabi_sys_file_readlink(dir, "a.txt", 5, buf, 9, &used),
            CLOUDABI_EINVAL);
  check_err("file_readlink", "`.`", cloudabi_sys_file_readlink(dir, ".", 1, buf, 9, &used),
            CLOUDABI_EINVAL);
  check_err("file_readlink", "nothing",
            cloudabi_sys_file_readlink(dir, "nothing", 7, buf, 9, &used), CLOUDABI_ENOENT);
  check_err("file_readlink", "below a file",
            cloudabi_sys_file_readlink(file, "x", 1, buf, 9, &used), CLOUDABI_ENOTCAPABLE);
  check_eq("file_readlink", "failures leave the result alone", used, 99);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  check_paths();
  check_path_bytes();
  check_stat();
  check_open_refusals();
  check_open();
  check_open_rights();
  check_readdir();
  check_readlink();
  check_end();
}
