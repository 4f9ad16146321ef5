// sources: kernel/sys/file.c kernel/sys/file_names.c kernel/rights.c kernel/fdtable.c
// sources: kernel/file.c kernel/uio.c fs/vfile.c fs/lookup.c
/*
 * The file_* system calls that change a directory's names, and all changes on a read-only file
 * system: results, errors and their order.
 */
#include "tests/host/file_fixture.h"

static bool exists(const char *path) {
  struct filestat st;
  return sys_file_stat_get(t, at(root, false), PATH(path), &st) == 0;
}

static errno_t create(const char *path) {
  return sys_file_create(t, root, PATH(path), FILETYPE_DIRECTORY);
}

static void test_create(void **state) {
  assert_int_equal(sys_file_create(t, NO_FD, PATH("new"), FILETYPE_REGULAR_FILE), EINVAL);
  assert_int_equal(sys_file_create(t, root, PATH("new"), FILETYPE_SOCKET_STREAM), EINVAL);
  assert_int_equal(sys_file_create(t, NO_FD, PATH("new"), FILETYPE_DIRECTORY), EBADF);
  assert_int_equal(create("new"), 0);
  assert_int_equal(create("new/"), EEXIST);
  assert_int_equal(create("new/deeper//"), 0);
  assert_true(exists("new/deeper"));
  assert_int_equal(create("file"), EEXIST);
  assert_int_equal(create("dangling"), EEXIST);
  assert_int_equal(create("."), EEXIST);
  assert_int_equal(create("nowhere/x"), ENOENT);
  assert_int_equal(create("file/x"), ENOTDIR);
  assert_int_equal(create("../x"), ENOTCAPABLE);
}

/* Retired, with a right of its own. */
static void test_create_fifo(void **state) {
  struct filestat st;
  struct fd_entry *entry;
  assert_int_equal(sys_file_create(t, root, PATH("fifo"), FILETYPE_FIFO), ENOTCAPABLE);
  assert_int_equal(fd_lookup(&world_process.fds, root, &entry), 0);
  entry->base |= RIGHT_FILE_CREATE_FIFO;
  assert_int_equal(sys_file_create(t, root, PATH("fifo/"), FILETYPE_FIFO), ENOENT);
  assert_int_equal(sys_file_create(t, root, PATH("fifo"), FILETYPE_FIFO), 0);
  assert_int_equal(sys_file_create(t, root, PATH("fifo"), FILETYPE_FIFO), EEXIST);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH("fifo"), &st), 0);
  assert_int_equal(st.st_filetype, FILETYPE_FIFO);

  fd_t fd = 77; /* the test's own FIFOs are never opened: ENXIO */
  assert_int_equal(open_at(root, "fifo", 0, mode(true, false), false, &fd), ENXIO);
  assert_true(world_fifo.read && !world_fifo.write && world_fifo.flags == 0);
  assert_int_equal(open_at(root, "fifo", O_TRUNC, mode(false, true), false, &fd), ENXIO);
  assert_true(!world_fifo.read && world_fifo.write);
  struct fdstat wish = {.fs_flags = FDFLAG_NONBLOCK, .fs_rights_base = mode(true, true)};
  assert_int_equal(sys_file_open(t, at(root, false), PATH("fifo"), 0, &wish, &fd), ENXIO);
  assert_true(world_fifo.read && world_fifo.write && world_fifo.flags == FDFLAG_NONBLOCK);
  assert_int_equal(open_at(root, "fifo", O_DIRECTORY, mode(true, false), false, &fd), ENOTDIR);
  assert_int_equal(open_at(root, "fifo", O_CREAT | O_EXCL, mode(true, true), false, &fd), EEXIST);
  assert_int_equal(fd, 77);
}

static errno_t link_to(const char *from, const char *to, bool follow) {
  return sys_file_link(t, at(root, follow), PATH(from), root, PATH(to));
}

static void test_link(void **state) {
  struct filestat a, b;
  assert_int_equal(link_to("file", "dir/second", false), 0);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH("file"), &a), 0);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH("dir/second"), &b), 0);
  assert_memory_equal(&a, &b, sizeof a);
  assert_int_equal(a.st_nlink, 2);
  assert_int_equal(link_to("link", "second-link", false), 0);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH("second-link"), &a), 0);
  assert_int_equal(a.st_filetype, FILETYPE_SYMBOLIC_LINK);
  assert_int_equal(link_to("link", "third", true), 0);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH("third"), &a), 0);
  assert_int_equal(a.st_filetype, FILETYPE_REGULAR_FILE);
  assert_int_equal(link_to("dir", "x", false), EPERM);
  assert_int_equal(link_to("file", "empty", false), EEXIST);
  assert_int_equal(link_to("file", "dangling", false), EEXIST);
  assert_int_equal(link_to("dangling", "x", true), ENOENT);
  assert_int_equal(link_to("nowhere", "x", false), ENOENT);
  assert_int_equal(link_to("file", "nowhere/x", false), ENOENT);
  assert_int_equal(link_to("file", "x/", false), ENOENT);
  tree_nodes[2].dev = 8; /* "dir" belongs to another file system */
  assert_int_equal(link_to("file", "dir/x", false), EXDEV);
  /* Both descriptors are looked at before any path. */
  assert_int_equal(sys_file_link(t, at(root, 0), PATH("nowhere/y"), NO_FD, PATH("x")), EBADF);
  assert_int_equal(sys_file_link(t, at(NO_FD, 0), PATH("file"), root, PATH("x")), EBADF);
  fd_t weak = add_dir(&tree_nodes[0].vnode, DIR_BASE & ~RIGHT_FILE_LINK_TARGET, 0);
  assert_int_equal(sys_file_link(t, at(root, 0), PATH("nowhere/y"), weak, PATH("x")), ENOTCAPABLE);
  assert_int_equal(sys_file_link(t, at(weak, 0), PATH("file"), root, PATH("x")), 0);
}

static errno_t rename_to(const char *from, const char *to) {
  return sys_file_rename(t, root, PATH(from), root, PATH(to));
}

static void test_rename(void **state) {
  assert_int_equal(rename_to("file", "dir/moved"), 0);
  assert_false(exists("file"));
  assert_true(exists("dir/moved"));
  assert_int_equal(rename_to("dir/moved", "link"), 0); /* replaces the link, not its target */
  assert_int_equal(rename_to("link", "link"), 0);
  assert_int_equal(rename_to("dangling", "loop"), 0);
  assert_int_equal(rename_to("nowhere", "x"), ENOENT);
  assert_int_equal(rename_to("link", "nowhere/x"), ENOENT);
  assert_int_equal(rename_to("link", "empty"), EISDIR);
  assert_int_equal(rename_to("empty", "link"), ENOTDIR);
  assert_int_equal(rename_to("empty", "dir"), ENOTEMPTY);
  assert_int_equal(rename_to("empty", "other/"), 0); /* a directory, so a slash is fine */
  assert_true(exists("other"));
  assert_int_equal(rename_to("link", "x/"), ENOTDIR);
  assert_int_equal(rename_to(".", "x"), EINVAL);
  assert_int_equal(rename_to("dir", "."), EINVAL);
  assert_int_equal(rename_to("dir/..", "x"), EINVAL);
  assert_int_equal(rename_to("..", "x"), ENOTCAPABLE);
  tree_nodes[2].dev = 8;
  assert_int_equal(rename_to("link", "dir/x"), EXDEV);
}

static errno_t symlink_at(const char *contents, const char *path) {
  return sys_file_symlink(t, PATH(contents), root, PATH(path));
}

static void test_symlink(void **state) {
  char buf[32];
  size_t n;
  assert_int_equal(symlink_at("/any/thing", "new"), 0);
  assert_int_equal(sys_file_readlink(t, root, PATH("new"), buf, sizeof buf, &n), 0);
  assert_int_equal(n, 10);
  assert_memory_equal(buf, "/any/thing", 10);
  assert_int_equal(symlink_at("", "empty-one"), 0);
  assert_int_equal(symlink_at("x", "file"), EEXIST);
  assert_int_equal(symlink_at("x", "dangling"), EEXIST);
  assert_int_equal(symlink_at("x", ""), ENOENT);
  assert_int_equal(symlink_at("x", "new2/"), ENOENT);
  assert_int_equal(symlink_at("x", "nowhere/new"), ENOENT);
  assert_int_equal(sys_file_symlink(t, buf, 1024, root, PATH("n")), ENAMETOOLONG);
  assert_int_equal(sys_file_symlink(t, world_hole, 4, root, PATH("n")), EFAULT);
}

static errno_t unlink_at(const char *path, ulflags_t flags) {
  return sys_file_unlink(t, root, PATH(path), flags);
}

static void test_unlink(void **state) {
  assert_int_equal(sys_file_unlink(t, NO_FD, PATH("file"), 2), EINVAL);
  assert_int_equal(unlink_at("nowhere", 0), ENOENT);
  assert_int_equal(unlink_at("dir", 0), EPERM);
  assert_int_equal(unlink_at("dir", UNLINK_REMOVEDIR), ENOTEMPTY);
  assert_int_equal(unlink_at("file", UNLINK_REMOVEDIR), ENOTDIR);
  assert_int_equal(unlink_at("dirlink", UNLINK_REMOVEDIR), ENOTDIR);
  assert_int_equal(unlink_at("link/", 0), ENOTDIR);
  assert_int_equal(unlink_at("link/", UNLINK_REMOVEDIR), ENOTDIR);
  assert_int_equal(unlink_at("dirlink/", 0), EPERM);
  assert_int_equal(unlink_at(".", UNLINK_REMOVEDIR), EINVAL);
  assert_int_equal(unlink_at("dir/..", UNLINK_REMOVEDIR), EINVAL);
  assert_int_equal(unlink_at("dir/inner", 0), 0);
  assert_int_equal(unlink_at("dirlink/", UNLINK_REMOVEDIR), 0); /* the directory itself */
  assert_false(exists("dir"));
  assert_true(exists("dirlink"));
  assert_int_equal(unlink_at("dirlink", 0), 0);
  assert_int_equal(unlink_at("file", 0), 0);
  assert_false(exists("file"));
  assert_int_equal(unlink_at("empty/", UNLINK_REMOVEDIR), 0);
}

/* ---- A file system that can't change --------------------------------------------------------- */

static void test_read_only(void **state) {
  struct filestat st = {0};
  fd_t fd;
  assert_int_equal(open_at(root, "file", 0, mode(true, false), false, &fd), 0);
  assert_int_equal(open_at(root, "file", 0, mode(true, true), false, &fd), EROFS);
  assert_int_equal(open_at(root, "file", O_TRUNC, mode(true, false), false, &fd), EROFS);
  assert_int_equal(open_at(root, "file", O_CREAT, mode(true, false), false, &fd), 0);
  assert_int_equal(open_at(root, "file", O_CREAT | O_EXCL, mode(true, false), false, &fd), EEXIST);
  assert_int_equal(open_at(root, "new", O_CREAT, mode(true, false), false, &fd), EROFS);
  assert_int_equal(open_at(root, "dir", 0, mode(true, true), false, &fd), EISDIR);
  assert_int_equal(create("file"), EEXIST);
  assert_int_equal(create("nowhere/x"), ENOENT);
  assert_int_equal(create("new"), EROFS);
  assert_int_equal(link_to("dir", "x", false), EPERM);
  assert_int_equal(link_to("file", "x", false), EROFS);
  assert_int_equal(rename_to("nowhere", "x"), ENOENT);
  assert_int_equal(rename_to("file", "x"), EROFS);
  assert_int_equal(rename_to("file", "file"), EROFS);
  assert_int_equal(symlink_at("x", "file"), EEXIST);
  assert_int_equal(symlink_at("x", "new"), EROFS);
  assert_int_equal(unlink_at("nowhere", 0), ENOENT);
  assert_int_equal(unlink_at("dir", 0), EPERM);
  assert_int_equal(unlink_at("file", 0), EROFS);
  assert_int_equal(unlink_at("empty", UNLINK_REMOVEDIR), EROFS);
  assert_int_equal(sys_file_stat_put(t, at(root, 0), PATH("file"), &st, FILESTAT_MTIM), EROFS);
  assert_int_equal(sys_file_stat_fput(t, root, &st, FILESTAT_MTIM_NOW), EROFS);
}

int main(void) {
#define UNIT(test) cmocka_unit_test_setup_teardown(test, begin, end)
  const struct CMUnitTest tests[] = {
      UNIT(test_create),
      UNIT(test_create_fifo),
      UNIT(test_link),
      UNIT(test_rename),
      UNIT(test_symlink),
      UNIT(test_unlink),
      cmocka_unit_test_setup_teardown(test_read_only, begin_read_only, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
