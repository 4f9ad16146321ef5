/*
 * Names in a temporary directory, from inside: file_create, file_link, file_rename, file_symlink,
 * file_unlink, file_readlink: {out: fd, tmp: a temporary directory, other: another, dir: the tree
 * that tests/vm/abi.py makes}. Reference 3.1 and 3.2.
 */
#include <program.h>

#include "tmp.h"

#define FOLLOW CLOUDABI_LOOKUP_SYMLINK_FOLLOW

static cloudabi_fd_t other, dir;

/* Everything goes again, so that each part starts with an empty directory. */
static void gone(const char *part) {
  char what[80];
  snprintf(what, sizeof(what), "%s: all is gone", part);
  check_eq("file_unlink", what, tmp_stat_of(".").st_nlink, 2);
}

static void check_create(void) {
  check_err("file_create", "a directory", tmp_mkdir("d"), 0);
  check_err("file_create", "with slashes behind it", tmp_mkdir("d/e//"), 0);
  check_err("file_create", "again", tmp_mkdir("d"), CLOUDABI_EEXIST);
  check_err("file_create", "again, with a slash", tmp_mkdir("d/"), CLOUDABI_EEXIST);
  check_err("file_create", "`.`", tmp_mkdir("."), CLOUDABI_EEXIST);
  check_err("file_create", "`d/.`", tmp_mkdir("d/."), CLOUDABI_EEXIST);
  check_err("file_create", "`d/..`", tmp_mkdir("d/.."), CLOUDABI_EEXIST);
  check_err("file_create", "`..`", tmp_mkdir(".."), CLOUDABI_ENOTCAPABLE);
  check_err("file_create", "`../x`", tmp_mkdir("../x"), CLOUDABI_ENOTCAPABLE);
  check_err("file_create", "`/x`", tmp_mkdir("/x"), CLOUDABI_ENOTCAPABLE);
  check_err("file_create", "an empty path", tmp_mkdir(""), CLOUDABI_ENOENT);
  check_err("file_create", "in a missing directory", tmp_mkdir("no/x"), CLOUDABI_ENOENT);
  tmp_make("f");
  check_err("file_create", "a file's name", tmp_mkdir("f"), CLOUDABI_EEXIST);
  check_err("file_create", "a file's name with a slash", tmp_mkdir("f/"), CLOUDABI_ENOTDIR);
  check_err("file_create", "below a file", tmp_mkdir("f/x"), CLOUDABI_ENOTDIR);
  tmp_symlink("nothing", "dangling");
  check_err("file_create", "a dangling link's name", tmp_mkdir("dangling"), CLOUDABI_EEXIST);
  tmp_symlink("d", "dirlink");
  check_err("file_create", "through a link", tmp_mkdir("dirlink/x"), 0);
  check("file_create", "through a link: it is there", tmp_exists("d/x"));
  static const cloudabi_filetype_t types[] = {
      CLOUDABI_FILETYPE_UNKNOWN,       CLOUDABI_FILETYPE_BLOCK_DEVICE,
      CLOUDABI_FILETYPE_REGULAR_FILE,  CLOUDABI_FILETYPE_SOCKET_STREAM,
      CLOUDABI_FILETYPE_SYMBOLIC_LINK, 0xff};
  for (size_t i = 0; i < sizeof(types); i++) {
    char what[40];
    snprintf(what, sizeof(what), "type %#x", types[i]);
    check_err("file_create", what, cloudabi_sys_file_create(tmp, "new", 3, types[i]),
              CLOUDABI_EINVAL);
  }
  struct cloudabi_filestat st = tmp_stat_of("d");
  check_eq("file_create", "links of a directory with two others", st.st_nlink, 4);
  check_eq("file_create", "type of a directory", st.st_filetype, CLOUDABI_FILETYPE_DIRECTORY);
  tmp_rmdir("d/e"), tmp_rmdir("d/x"), tmp_rmdir("d");
  tmp_unlink("f"), tmp_unlink("dangling"), tmp_unlink("dirlink");
  gone("file_create");
}

static void check_name_bytes(void) {
  char name[256];
  bool all = true;
  for (int c = 1; c < 256; c++) {
    name[0] = (char)c;
    if (c != '/' && c != '.')
      all = all && cloudabi_sys_file_create(tmp, name, 1, CLOUDABI_FILETYPE_DIRECTORY) == 0;
  }
  check("file_create", "names of any byte", all);
  check_eq("file_create", "names of any byte: all of them", tmp_stat_of(".").st_nlink, 255);
  for (int c = 1; c < 256; c++) {
    name[0] = (char)c;
    if (c != '/' && c != '.')
      all = all && cloudabi_sys_file_unlink(tmp, name, 1, CLOUDABI_UNLINK_REMOVEDIR) == 0;
  }
  check("file_unlink", "names of any byte", all);
  memset(name, 'n', sizeof(name));
  check_err("file_create", "a name of 255 bytes",
            cloudabi_sys_file_create(tmp, name, 255, CLOUDABI_FILETYPE_DIRECTORY), 0);
  check_err("file_create", "a name of 256 bytes",
            cloudabi_sys_file_create(tmp, name, 256, CLOUDABI_FILETYPE_DIRECTORY),
            CLOUDABI_ENAMETOOLONG);
  check_err("file_create", "a name with a NUL byte",
            cloudabi_sys_file_create(tmp, "a\0b", 3, CLOUDABI_FILETYPE_DIRECTORY), CLOUDABI_EINVAL);
  cloudabi_sys_file_unlink(tmp, name, 255, CLOUDABI_UNLINK_REMOVEDIR);
  gone("names of any byte");
}

static void check_link(void) {
  tmp_make("f");
  tmp_mkdir("d");
  tmp_symlink("f", "l");
  struct cloudabi_filestat f = tmp_stat_of("f"), g;
  check_err("file_link", "a file", tmp_link("f", 0, "d/g"), 0);
  g = tmp_stat_of("d/g");
  check("file_link", "both names: the same numbers", f.st_ino == g.st_ino && f.st_dev == g.st_dev);
  check_eq("file_link", "both names: two links", g.st_nlink, 2);
  check_err("file_link", "a directory", tmp_link("d", 0, "e"), CLOUDABI_EPERM);
  check_err("file_link", "`.`", tmp_link(".", 0, "e"), CLOUDABI_EPERM);
  check_err("file_link", "to what exists", tmp_link("f", 0, "d/g"), CLOUDABI_EEXIST);
  check_err("file_link", "to a directory", tmp_link("f", 0, "d"), CLOUDABI_EEXIST);
  check_err("file_link", "to itself", tmp_link("f", 0, "f"), CLOUDABI_EEXIST);
  check_err("file_link", "to a name with a slash", tmp_link("f", 0, "new/"), CLOUDABI_ENOENT);
  check_err("file_link", "a missing file", tmp_link("no", 0, "new"), CLOUDABI_ENOENT);
  check_err("file_link", "into a missing directory", tmp_link("f", 0, "no/new"), CLOUDABI_ENOENT);
  check_err("file_link", "out of the directory", tmp_link("f", 0, "../new"), CLOUDABI_ENOTCAPABLE);
  check_err("file_link", "a link itself", tmp_link("l", 0, "m"), 0);
  check_eq("file_link", "a link itself: the type", tmp_stat_of("m").st_filetype,
           CLOUDABI_FILETYPE_SYMBOLIC_LINK);
  check_err("file_link", "a link followed", tmp_link("l", FOLLOW, "n"), 0);
  check_eq("file_link", "a link followed: the file", tmp_stat_of("n").st_ino, f.st_ino);
  check_err("file_link", "to another file system",
            cloudabi_sys_file_link(tmp_at(tmp, 0), "f", 1, other, "f", 1), CLOUDABI_EXDEV);
  check_err("file_link", "to the image's files",
            cloudabi_sys_file_link(tmp_at(tmp, 0), "f", 1, dir, "new", 3), CLOUDABI_EXDEV);
  check_err("file_link", "from the image's files",
            cloudabi_sys_file_link(tmp_at(dir, 0), "a.txt", 5, tmp, "new", 3), CLOUDABI_EXDEV);
  tmp_unlink("f"), tmp_unlink("d/g");
  check_eq("file_unlink", "one of three names is left", tmp_stat_of("n").st_nlink, 1);
  check_err("file_link", "a link that dangles now", tmp_link("l", FOLLOW, "x"), CLOUDABI_ENOENT);
  tmp_unlink("n"), tmp_unlink("l"), tmp_unlink("m"), tmp_rmdir("d");
  gone("file_link");
}

/* A disk has no such links. */
static void check_empty_link(void) {
  char buf[8];
  size_t n = 99;
  check_err("file_symlink", "no contents", tmp_symlink("", "empty"),
            tmp_on_disk ? CLOUDABI_ENOENT : 0);
  if (!tmp_on_disk) {
    check_err("file_readlink", "no contents",
              cloudabi_sys_file_readlink(tmp, "empty", 5, buf, sizeof(buf), &n), 0);
    check_eq("file_readlink", "no contents: no bytes", n, 0);
  }
  check_err(
      "file_stat_get", "a link without contents, followed",
      cloudabi_sys_file_stat_get(tmp_at(tmp, FOLLOW), "empty", 5, &(struct cloudabi_filestat){0}),
      CLOUDABI_ENOENT);
}

static void check_symlink(void) {
  char any[1024], buf[1100];
  size_t n = 0;
  for (size_t i = 0; i < sizeof(any); i++)
    any[i] = (char)(tmp_on_disk && i % 256 == 0 ? 1 : i);
  if (tmp_on_disk)
    check_err("file_symlink", "a NUL", cloudabi_sys_file_symlink("a\0b", 3, tmp, "l", 1),
              CLOUDABI_EINVAL);
  check_err("file_symlink", "1023 bytes of any value",
            cloudabi_sys_file_symlink(any, 1023, tmp, "l", 1), 0);
  check_err("file_readlink", "1023 bytes of any value",
            cloudabi_sys_file_readlink(tmp, "l", 1, buf, sizeof(buf), &n), 0);
  check("file_readlink", "the same bytes", n == 1023 && memcmp(any, buf, n) == 0);
  check_eq("file_symlink", "its size", tmp_stat_of("l").st_size, 1023);
  check_err("file_symlink", "1024 bytes", cloudabi_sys_file_symlink(any, 1024, tmp, "m", 1),
            CLOUDABI_ENAMETOOLONG);
  check_empty_link();
  check_err("file_symlink", "what exists", tmp_symlink("x", "l"), CLOUDABI_EEXIST);
  check_err("file_symlink", "`.`", tmp_symlink("x", "."), CLOUDABI_EEXIST);
  check_err("file_symlink", "an empty name", tmp_symlink("x", ""), CLOUDABI_ENOENT);
  check_err("file_symlink", "a name with a slash", tmp_symlink("x", "new/"), CLOUDABI_ENOENT);
  check_err("file_symlink", "in a missing directory", tmp_symlink("x", "no/l"), CLOUDABI_ENOENT);
  check_err("file_symlink", "out of the directory", tmp_symlink("x", "../l"), CLOUDABI_ENOTCAPABLE);
  check_err("file_symlink", "contents that are not there",
            cloudabi_sys_file_symlink((char *)8, 5, tmp, "m", 1), CLOUDABI_EFAULT);
  check("file_symlink", "contents that are not there: nothing is made", !tmp_exists("m"));
  tmp_unlink("l"), tmp_unlink("empty");
  gone("file_symlink");
}

static void check_unlink(void) {
  tmp_mkdir("d");
  tmp_make("d/f");
  tmp_symlink("d", "dirlink");
  tmp_symlink("d/f", "link");
  tmp_symlink("nothing", "dangling");
  check_err("file_unlink", "a directory", tmp_unlink("d"), CLOUDABI_EPERM);
  check_err("file_unlink", "a directory that is not empty", tmp_rmdir("d"), CLOUDABI_ENOTEMPTY);
  check_err("file_unlink", "a file as a directory", tmp_rmdir("d/f"), CLOUDABI_ENOTDIR);
  check_err("file_unlink", "a link to a directory as a directory", tmp_rmdir("dirlink"),
            CLOUDABI_ENOTDIR);
  check_err("file_unlink", "`link/`", tmp_unlink("link/"), CLOUDABI_ENOTDIR);
  check_err("file_unlink", "`link/` as a directory", tmp_rmdir("link/"), CLOUDABI_ENOTDIR);
  check_err("file_unlink", "`dirlink/`", tmp_unlink("dirlink/"), CLOUDABI_EPERM);
  check_err("file_unlink", "`.` as a directory", tmp_rmdir("."), CLOUDABI_EINVAL);
  check_err("file_unlink", "`d/.` as a directory", tmp_rmdir("d/."), CLOUDABI_EINVAL);
  check_err("file_unlink", "`d/..` as a directory", tmp_rmdir("d/.."), CLOUDABI_EINVAL);
  check_err("file_unlink", "`..` as a directory", tmp_rmdir(".."), CLOUDABI_ENOTCAPABLE);
  check_err("file_unlink", "a link", tmp_unlink("link"), 0);
  check("file_unlink", "a link: not what it leads to", tmp_exists("d/f"));
  check_err("file_unlink", "a dangling link", tmp_unlink("dangling"), 0);
  check_err("file_unlink", "a file", tmp_unlink("d/f"), 0);
  check_err("file_unlink", "a file, again", tmp_unlink("d/f"), CLOUDABI_ENOENT);
  check_err("file_unlink", "`dirlink/` as a directory", tmp_rmdir("dirlink/"), 0);
  check("file_unlink", "`dirlink/` as a directory: that goes, not the link",
        !tmp_exists("d") && tmp_exists("dirlink"));
  tmp_unlink("dirlink");
  gone("file_unlink");
}

static void check_rename_files(void) {
  tmp_make("f");
  tmp_make("g");
  tmp_mkdir("d");
  tmp_symlink("g", "l");
  uint64_t f = tmp_stat_of("f").st_ino, g = tmp_stat_of("g").st_ino;
  check_err("file_rename", "a file into a directory", tmp_rename("f", "d/f"), 0);
  check("file_rename", "a file into a directory: is there, and only there",
        !tmp_exists("f") && tmp_stat_of("d/f").st_ino == f);
  check_err("file_rename", "over a file", tmp_rename("d/f", "g"), 0);
  check("file_rename", "over a file: the other is gone", tmp_stat_of("g").st_ino == f && f != g);
  check_err("file_rename", "a link", tmp_rename("l", "m"), 0);
  check_eq("file_rename", "a link itself", tmp_stat_of("m").st_filetype,
           CLOUDABI_FILETYPE_SYMBOLIC_LINK);
  check_err("file_rename", "over a link", tmp_rename("g", "m"), 0);
  check_eq("file_rename", "over a link: not over what it leads to", tmp_stat_of("m").st_ino, f);
  tmp_link("m", 0, "n");
  check_err("file_rename", "over another name of the same file", tmp_rename("m", "n"), 0);
  check("file_rename", "over another name of the same file: both stay",
        tmp_exists("m") && tmp_stat_of("n").st_nlink == 2);
  check_err("file_rename", "over itself", tmp_rename("n", "n"), 0);
  check_err("file_rename", "over a directory", tmp_rename("n", "d"), CLOUDABI_EISDIR);
  check_err("file_rename", "a file to a name with a slash", tmp_rename("n", "x/"),
            CLOUDABI_ENOTDIR);
  check_err("file_rename", "a file with a slash", tmp_rename("n/", "x"), CLOUDABI_ENOTDIR);
  check_err("file_rename", "a missing file", tmp_rename("no", "x"), CLOUDABI_ENOENT);
  check_err("file_rename", "into a missing directory", tmp_rename("n", "no/x"), CLOUDABI_ENOENT);
  check_err("file_rename", "out of the directory", tmp_rename("n", "../x"), CLOUDABI_ENOTCAPABLE);
  check_err("file_rename", "to another file system",
            cloudabi_sys_file_rename(tmp, "n", 1, other, "n", 1), CLOUDABI_EXDEV);
  check_err("file_rename", "to the image's files",
            cloudabi_sys_file_rename(tmp, "n", 1, dir, "n", 1), CLOUDABI_EXDEV);
  tmp_unlink("m"), tmp_unlink("n"), tmp_rmdir("d");
  gone("file_rename of files");
}

static void check_rename_directories(void) {
  tmp_mkdir("a"), tmp_mkdir("a/b"), tmp_mkdir("a/b/c"), tmp_mkdir("z");
  tmp_make("f");
  check_err("file_rename", "a directory over a file", tmp_rename("a", "f"), CLOUDABI_ENOTDIR);
  check_err("file_rename", "a directory into itself", tmp_rename("a", "a/x"), CLOUDABI_EINVAL);
  check_err("file_rename", "a directory deep into itself", tmp_rename("a", "a/b/c/x"),
            CLOUDABI_EINVAL);
  check_err("file_rename", "a directory over its own child", tmp_rename("a", "a/b"),
            CLOUDABI_EINVAL);
  check_err("file_rename", "a directory over its parent", tmp_rename("a/b", "a"),
            CLOUDABI_ENOTEMPTY);
  check_err("file_rename", "over a directory that is not empty", tmp_rename("z", "a"),
            CLOUDABI_ENOTEMPTY);
  check_err("file_rename", "over itself", tmp_rename("a", "a/"), 0);
  check_err("file_rename", "`.`", tmp_rename(".", "x"), CLOUDABI_EINVAL);
  check_err("file_rename", "`a/.`", tmp_rename("a/.", "x"), CLOUDABI_EINVAL);
  check_err("file_rename", "`a/..`", tmp_rename("a/..", "x"), CLOUDABI_EINVAL);
  check_err("file_rename", "to `.`", tmp_rename("a", "."), CLOUDABI_EINVAL);
  check_err("file_rename", "to `z/..`", tmp_rename("a", "z/.."), CLOUDABI_EINVAL);
  check_err("file_rename", "`..`", tmp_rename("..", "x"), CLOUDABI_ENOTCAPABLE);
  check_err("file_rename", "over an empty directory, with slashes", tmp_rename("a/b/", "z/"), 0);
  check("file_rename", "over an empty directory: with all that is in it", tmp_exists("z/c"));
  check_eq("file_rename", "links of the directory it left", tmp_stat_of("a").st_nlink, 2);
  check_eq("file_rename", "links of the directory it came to", tmp_stat_of(".").st_nlink, 4);
  check_err("file_rename", "to a new name with a slash", tmp_rename("a", "z/c/a/"), 0);
  check_err("file_stat_get", "up again from where it is now",
            tmp_stat("z/c/a/../../../f", &(struct cloudabi_filestat){0}), 0);
  tmp_rmdir("z/c/a"), tmp_rmdir("z/c"), tmp_rmdir("z"), tmp_unlink("f");
  gone("file_rename of directories");
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp_begin(ad);
  other = arg_fd(ad, "other");
  dir = arg_fd(ad, "dir");
  check_create();
  check_name_bytes();
  check_link();
  check_symlink();
  check_unlink();
  check_rename_files();
  check_rename_directories();
  check_end();
}
