// sources: fs/tmpfs.c fs/tmpfs_dir.c fs/tmpfs_file.c fs/tmpfs_names.c fs/vfile.c fs/lookup.c
// sources: kernel/pagecache_room.c
// sources: kernel/avl.c kernel/pagecache.c kernel/memobj.c kernel/uio.c kernel/file.c
// sources: kernel/pagetree.c
// sources: kernel/fdtable.c kernel/rights.c kernel/sys/fd.c kernel/sys/file.c
// sources: kernel/sys/file_names.c
/*
 * Names in tmpfs: creating, linking, renaming, removing, and what the nodes tell of it.
 */
#include "tests/host/tmpfs_fixture.h"

static bool exists(const char *path) {
  struct filestat st;
  return stat_path(path, &st) == 0;
}

static void test_create(void **state) {
  struct filestat st;
  assert_int_equal(make_dir("a"), 0);
  assert_int_equal(make_dir("a/b//"), 0);
  assert_int_equal(make_file("a/b/f"), 0);
  assert_int_equal(make_file("a/b/f"), EEXIST);
  assert_int_equal(make_dir("a"), EEXIST);
  assert_int_equal(make_dir("a/"), EEXIST);
  assert_int_equal(make_dir("."), EEXIST);
  assert_int_equal(make_dir("a/."), EEXIST);
  assert_int_equal(make_dir("a/.."), EEXIST);
  assert_int_equal(make_dir("a/b/f"), EEXIST);
  assert_int_equal(make_dir("a/b/f/"), ENOTDIR);
  assert_int_equal(make_dir("no/x"), ENOENT);
  assert_int_equal(make_dir("a/b/f/x"), ENOTDIR);
  assert_int_equal(make_file("x/"), ENOENT);
  assert_int_equal(make_link("x", "y/"), ENOENT);
  st = stat_of("a/b/f");
  assert_int_equal(st.st_filetype, FILETYPE_REGULAR_FILE);
  assert_int_equal(st.st_nlink, 1);
  assert_int_equal(st.st_size, 0);
  assert_int_equal(st.st_dev, stat_of(".").st_dev);
  assert_int_not_equal(st.st_ino, stat_of("a/b").st_ino);
  assert_int_equal(st.st_mtim, st.st_ctim);
  assert_int_equal(st.st_mtim, st.st_atim);
}

static void test_names_of_any_bytes(void **state) {
  char name[257];
  for (int c = 1; c < 256; c++) {
    if (c == '/' || c == '.')
      continue;
    name[0] = (char)c;
    assert_int_equal(sys_file_create(t, root, name, 1, FILETYPE_DIRECTORY), 0);
    assert_int_equal(sys_file_create(t, root, name, 1, FILETYPE_DIRECTORY), EEXIST);
  }
  assert_int_equal(stat_of(".").st_nlink, 2 + 253);
  memset(name, 'n', sizeof name);
  assert_int_equal(sys_file_create(t, root, name, 256, FILETYPE_DIRECTORY), ENAMETOOLONG);
  for (size_t len = 2; len <= 255; len++)
    assert_int_equal(sys_file_create(t, root, name, len, FILETYPE_DIRECTORY), 0);
  for (size_t len = 2; len <= 255; len++)
    assert_int_equal(sys_file_unlink(t, root, name, len, UNLINK_REMOVEDIR), 0);
  assert_int_equal(stat_of(".").st_nlink, 2 + 253);
}

static void test_directory_links(void **state) {
  assert_int_equal(stat_of(".").st_nlink, 2);
  make_dir("a");
  make_dir("b");
  make_file("f");
  make_dir("a/c");
  assert_int_equal(stat_of(".").st_nlink, 4);
  assert_int_equal(stat_of("a").st_nlink, 3);
  assert_int_equal(rename_to("a/c", "b/c"), 0);
  assert_int_equal(stat_of("a").st_nlink, 2);
  assert_int_equal(stat_of("b").st_nlink, 3);
  assert_int_equal(rename_to("b/c", "a"), 0); /* replaces a directory */
  assert_int_equal(stat_of(".").st_nlink, 4);
  assert_int_equal(stat_of("b").st_nlink, 2);
  assert_int_equal(stat_of("a").st_nlink, 2);
  fd_t held = open_dir("a");
  assert_int_equal(remove_dir("a"), 0);
  assert_int_equal(stat_fd(held).st_nlink, 0);
  assert_int_equal(stat_of(".").st_nlink, 3);
}

static void test_link(void **state) {
  make_file("f");
  make_dir("d");
  make_link("f", "l");
  inode_t ino = stat_of("f").st_ino;
  assert_int_equal(link_to("f", "d/g"), 0);
  assert_int_equal(stat_of("d/g").st_ino, ino);
  assert_int_equal(stat_of("d/g").st_nlink, 2);
  assert_int_equal(link_to("f", "d/g"), EEXIST);
  assert_int_equal(link_to("f", "."), EEXIST);
  assert_int_equal(link_to("d", "e"), EPERM);
  assert_int_equal(link_to(".", "e"), EPERM);
  assert_int_equal(link_to("no", "e"), ENOENT);
  assert_int_equal(link_to("f", "e/"), ENOENT);
  assert_int_equal(link_to("l", "m"), 0);
  assert_int_equal(stat_of("m").st_filetype, FILETYPE_SYMBOLIC_LINK);
  assert_int_equal(stat_of("l").st_nlink, 2);
  assert_int_equal(sys_file_link(t, at(root, true), PATH("l"), root, PATH("h")), 0);
  assert_int_equal(stat_of("h").st_ino, ino);
  assert_int_equal(remove_file("f"), 0);
  assert_int_equal(stat_of("h").st_nlink, 2);
  assert_int_equal(sys_file_link(t, at(root, true), PATH("l"), root, PATH("k")), ENOENT);
  fd_t other = add_tmpfs(LIMIT);
  assert_int_equal(sys_file_link(t, at(root, 0), PATH("h"), other, PATH("h")), EXDEV);
  assert_int_equal(sys_file_rename(t, root, PATH("h"), other, PATH("h")), EXDEV);
  assert_int_not_equal(stat_fd(other).st_dev, stat_fd(root).st_dev);
}

static void test_symlink(void **state) {
  char any[1023], buf[1100];
  size_t n;
  for (size_t i = 0; i < sizeof any; i++)
    any[i] = (char)i; /* NUL and slashes too */
  assert_int_equal(sys_file_symlink(t, any, sizeof any, root, PATH("l")), 0);
  assert_int_equal(sys_file_readlink(t, root, PATH("l"), buf, sizeof buf, &n), 0);
  assert_int_equal(n, 1023);
  assert_memory_equal(buf, any, n);
  assert_int_equal(stat_of("l").st_size, 1023);
  assert_int_equal(sys_file_symlink(t, any, 1024, root, PATH("m")), ENAMETOOLONG);
  assert_int_equal(make_link("", "empty"), 0);
  assert_int_equal(sys_file_readlink(t, root, PATH("empty"), buf, sizeof buf, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(make_link("x", "l"), EEXIST);
  assert_int_equal(make_link("x", "."), EEXIST);
  assert_int_equal(sys_file_readlink(t, root, PATH("."), buf, sizeof buf, &n), EINVAL);
}

static void test_links_followed(void **state) {
  fd_t fd;
  make_dir("d");
  make_link("d/new", "dangling");
  make_link("loop", "loop");
  make_link("d", "dirlink");
  assert_int_equal(open_from(root, "dangling", O_CREAT, 0, DIR_INHERITING, &fd), 0);
  assert_int_equal(stat_fd(fd).st_ino, stat_of("d/new").st_ino);
  assert_int_equal(make_file("dangling"), EEXIST);
  assert_int_equal(open_from(root, "loop", O_CREAT, 0, DIR_INHERITING, &fd), ELOOP);
  assert_int_equal(make_dir("loop"), EEXIST);
  assert_int_equal(make_dir("dirlink"), EEXIST);
  assert_int_equal(make_dir("dirlink/"), EEXIST);
  assert_int_equal(make_dir("dirlink/sub"), 0);
  assert_true(exists("d/sub"));
  assert_int_equal(remove_dir("dirlink/sub/"), 0);
  assert_int_equal(remove_file("dangling/"), ENOTDIR);
  assert_int_equal(remove_file("d/new"), 0);
  assert_int_equal(remove_file("dirlink/"), EPERM);
  assert_int_equal(remove_dir("dirlink"), ENOTDIR);
  assert_int_equal(remove_dir("dirlink/"), 0);
  assert_false(exists("d"));
  assert_true(exists("dirlink"));
}

static void test_unlink(void **state) {
  make_dir("d");
  make_file("d/f");
  assert_int_equal(remove_file("d"), EPERM);
  assert_int_equal(remove_dir("d"), ENOTEMPTY);
  assert_int_equal(remove_dir("d/f"), ENOTDIR);
  assert_int_equal(remove_file("d/f/"), ENOTDIR);
  assert_int_equal(remove_dir("d/."), EINVAL);
  assert_int_equal(remove_dir("d/.."), EINVAL);
  assert_int_equal(remove_file("d/."), EPERM);
  assert_int_equal(remove_dir("."), EINVAL);
  assert_int_equal(remove_file("d/f"), 0);
  assert_int_equal(remove_file("d/f"), ENOENT);
  assert_int_equal(remove_dir("d/"), 0);
  assert_int_equal(remove_dir("d"), ENOENT);
  assert_int_equal(used(), 0);
}

static void test_rename(void **state) {
  make_file("f");
  make_dir("d");
  make_dir("d/e");
  make_file("d/e/g");
  inode_t f = stat_of("f").st_ino, g = stat_of("d/e/g").st_ino;
  assert_int_equal(rename_to("f", "d/f"), 0);
  assert_false(exists("f"));
  assert_int_equal(stat_of("d/f").st_ino, f);
  assert_int_equal(rename_to("d/f", "d/e/g"), 0); /* g goes */
  assert_int_equal(stat_of("d/e/g").st_ino, f);
  assert_int_not_equal(f, g);
  assert_int_equal(link_to("d/e/g", "h"), 0);
  assert_int_equal(rename_to("h", "d/e/g"), 0); /* the same node: nothing happens */
  assert_int_equal(stat_of("h").st_nlink, 2);
  assert_int_equal(rename_to("h", "h"), 0);
  assert_int_equal(rename_to("d", "d"), 0);
  assert_int_equal(rename_to("d", "d/x"), EINVAL);
  assert_int_equal(rename_to("d", "d/e"), EINVAL);
  assert_int_equal(rename_to("d", "d/e/x"), EINVAL);
  assert_int_equal(rename_to("d/e", "d"), ENOTEMPTY);
  assert_int_equal(rename_to("h", "d"), EISDIR);
  assert_int_equal(rename_to("d", "h"), ENOTDIR);
  assert_int_equal(rename_to("h", "x/"), ENOTDIR);
  assert_int_equal(rename_to("h/", "x"), ENOTDIR);
  assert_int_equal(rename_to("d/", "x/"), 0);
  assert_int_equal(rename_to("x", "d"), 0);
  assert_int_equal(rename_to("no", "x"), ENOENT);
  assert_int_equal(rename_to("no", "d/."), EINVAL);
  assert_int_equal(rename_to(".", "x"), EINVAL);
  assert_int_equal(rename_to("h", "no/x"), ENOENT);
  make_dir("empty");
  assert_int_equal(rename_to("empty", "d"), ENOTEMPTY);
  assert_int_equal(rename_to("d", "empty"), 0);
  assert_int_equal(stat_of("empty/e/g").st_ino, f);
}

/* Who moved away can still be climbed out of, and takes its parent along. */
static void test_rename_parents(void **state) {
  make_dir("a");
  make_dir("a/b");
  make_dir("a/b/c");
  make_dir("z");
  fd_t c = open_dir("a/b/c");
  assert_int_equal(rename_to("a/b", "z/b"), 0);
  assert_int_equal(rename_to("z", "z/b/c/z"), EINVAL);
  assert_int_equal(rename_to("a", "z/b/c/a"), 0);
  assert_int_equal(rename_to("z/b", "z/b/c/a/b"), EINVAL);
  assert_int_equal(sys_file_rename(t, root, PATH("z"), c, PATH("y")), EINVAL);
  assert_int_equal(sys_file_rename(t, c, PATH("a"), root, PATH("a")), 0);
  assert_true(exists("a"));
}

static void test_removed_directory(void **state) {
  char buf[200];
  size_t n = 1;
  fd_t fd;
  make_dir("d");
  make_file("f");
  fd_t d = open_dir("d");
  assert_int_equal(remove_dir("d"), 0);
  assert_int_equal(open_from(d, "x", O_CREAT, 0, READING, &fd), ENOENT);
  assert_int_equal(sys_file_create(t, d, PATH("x"), FILETYPE_DIRECTORY), ENOENT);
  assert_int_equal(sys_file_symlink(t, PATH("x"), d, PATH("x")), ENOENT);
  assert_int_equal(sys_file_link(t, at(root, 0), PATH("f"), d, PATH("x")), ENOENT);
  assert_int_equal(sys_file_rename(t, root, PATH("f"), d, PATH("x")), ENOENT);
  assert_int_equal(open_from(d, "f", 0, 0, READING, &fd), ENOENT);
  assert_int_equal(open_from(d, ".", 0, 0, READING, &fd), 0);
  assert_int_equal(sys_file_readdir(t, d, buf, sizeof buf, 0, &n), 0);
  assert_int_equal(n, 0);
  close_fd(fd);
  close_fd(d);
  assert_int_equal(remove_file("f"), 0);
  assert_int_equal(used(), 0);
}

static void test_times_of_names(void **state) {
  struct filestat before, after, file;
  make_dir("d");
  make_file("f");
#define CHANGES(dir, what)                           \
  do {                                               \
    before = stat_of(dir);                           \
    assert_int_equal(what, 0);                       \
    after = stat_of(dir);                            \
    assert_true(after.st_mtim > before.st_mtim);     \
    assert_true(after.st_ctim > before.st_ctim);     \
    assert_int_equal(after.st_atim, before.st_atim); \
  } while (0)
  CHANGES(".", make_file("g"));
  CHANGES(".", make_dir("e"));
  CHANGES(".", make_link("x", "l"));
  file = stat_of("f");
  CHANGES("d", link_to("f", "d/f"));
  assert_true(stat_of("f").st_ctim > file.st_ctim);
  assert_int_equal(stat_of("f").st_mtim, file.st_mtim);
  file = stat_of("f");
  CHANGES("d", remove_file("d/f"));
  assert_true(stat_of("f").st_ctim > file.st_ctim);
  CHANGES(".", rename_to("f", "d/f"));
  CHANGES("d", rename_to("d/f", "f"));
  CHANGES(".", rename_to("f", "g"));
  CHANGES(".", remove_dir("e"));
  before = stat_of("l");
  char buf[10];
  size_t n;
  assert_int_equal(sys_file_readlink(t, root, PATH("l"), buf, 10, &n), 0);
  assert_true(stat_of("l").st_atim > before.st_atim);
  before = stat_of("d");
  assert_int_equal(sys_file_stat_put(t, at(root, 0), PATH("d"), &(struct filestat){.st_mtim = 7},
                                     FILESTAT_MTIM | FILESTAT_ATIM_NOW),
                   0);
  after = stat_of("d");
  assert_int_equal(after.st_mtim, 7);
  assert_true(after.st_atim > before.st_atim);
  assert_true(after.st_ctim > before.st_ctim);
}

/* Inodes of sockets and FIFOs: names like others, and a place for their owner. */
static void test_endpoints(void **state) {
  static const filetype_t types[] = {FILETYPE_FIFO, FILETYPE_SOCKET_STREAM, FILETYPE_SOCKET_DGRAM};
  struct vnode *dir = vnode_of(root), *node, *again;
  int owner;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    assert_int_equal(dir->ops->create(dir, "e", 1, types[i], &node), 0);
    assert_int_equal(dir->ops->create(dir, "e", 1, types[i], &again), EEXIST);
    assert_int_equal(stat_of("e").st_filetype, types[i]);
    assert_int_equal(stat_of("e").st_size, 0);
    assert_null(*node->ops->endpoint(node));
    *node->ops->endpoint(node) = &owner;
    assert_int_equal(rename_to("e", "f"), 0);
    assert_int_equal(link_to("f", "g"), 0);
    assert_int_equal(dir->ops->lookup(dir, "g", 1, &again), 0);
    assert_ptr_equal(again, node);
    assert_ptr_equal(*again->ops->endpoint(again), &owner);
    assert_int_equal(remove_file("f"), 0);
    assert_int_equal(remove_file("g"), 0);
    assert_ptr_equal(*node->ops->endpoint(node), &owner);
    vnode_unref(again);
    vnode_unref(node);
    assert_int_equal(used(), 0);
  }
}

/* A whole tree goes with its last descriptor, or as soon as the last of it is closed. */
static void test_end_of_the_tree(void **state) {
  char path[200] = "";
  fd_t other = root, fd = open_file("kept", O_CREAT, 0);
  for (int i = 0; i < 60; i++) {
    strcat(path, i > 0 ? "/d" : "d");
    assert_int_equal(make_dir(path), 0);
    if (i % 3 == 0) {
      char file[210];
      snprintf(file, sizeof file, "%s/file", path);
      assert_int_equal(make_file(file), 0);
    }
  }
  close_fd(other);
  size_t moved;
  assert_true(world_live > 100); /* a file of it is open */
  assert_int_equal(write_fd(fd, "abc", 3, &moved), 0);
  close_fd(fd);
  assert_int_equal(world_live, 1); /* the descriptor table */
}

int main(void) {
#define UNIT(test) cmocka_unit_test_setup_teardown(test, begin, end)
  const struct CMUnitTest tests[] = {
      UNIT(test_create),          UNIT(test_names_of_any_bytes),
      UNIT(test_directory_links), UNIT(test_link),
      UNIT(test_symlink),         UNIT(test_links_followed),
      UNIT(test_unlink),          UNIT(test_rename),
      UNIT(test_rename_parents),  UNIT(test_removed_directory),
      UNIT(test_times_of_names),  UNIT(test_endpoints),
      UNIT(test_end_of_the_tree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
