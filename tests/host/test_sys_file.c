// sources: kernel/sys/file.c kernel/sys/file_names.c kernel/rights.c kernel/fdtable.c
// sources: kernel/file.c kernel/uio.c fs/vfile.c fs/lookup.c
/*
 * The file_* system calls that open and read, and those on what a file is: results, errors and
 * their order.
 */
#include "tests/host/file_fixture.h"

/* ---- file_open ------------------------------------------------------------------------------- */

static struct fdstat stat_of(fd_t fd) {
  struct fd_entry *e;
  assert_int_equal(fd_lookup(&world_process.fds, fd, &e), 0);
  return (struct fdstat){e->file->type, e->file->flags, e->base, e->inheriting};
}

static void test_open_rights(void **state) {
  fd_t fd = 77;
  assert_int_equal(open_at(root, "file", 0, mode(true, true), false, &fd), 0);
  assert_int_equal(fd, 1);
  assert_int_equal(stat_of(fd).fs_filetype, FILETYPE_REGULAR_FILE);
  assert_int_equal(stat_of(fd).fs_rights_base, 0x11c3801ff); /* exactly all of a file's */
  assert_int_equal(stat_of(fd).fs_rights_inheriting, 0);
  assert_int_equal(open_at(root, "file", 0, mode(false, true), false, &fd), 0);
  assert_int_equal(stat_of(fd).fs_rights_base, 0x11c3801ff & ~RDONLY);
  assert_int_equal(open_at(root, "dir", 0, mode(true, false), false, &fd), 0);
  assert_int_equal(stat_of(fd).fs_filetype, FILETYPE_DIRECTORY);
  assert_int_equal(stat_of(fd).fs_rights_base, DIR_BASE); /* exactly all of a directory's */
  assert_int_equal(stat_of(fd).fs_rights_inheriting, DIR_INHERITING);
  struct fdstat st = {.fs_flags = FDFLAG_APPEND | FDFLAG_NONBLOCK, .fs_rights_base = RIGHT_FD_READ};
  assert_int_equal(sys_file_open(t, at(root, false), PATH("file"), 0, &st, &fd), 0);
  assert_int_equal(stat_of(fd).fs_flags, FDFLAG_APPEND | FDFLAG_NONBLOCK);
  assert_int_equal(stat_of(fd).fs_rights_base, RIGHT_FD_READ);
}

static void test_open_needs(void **state) {
  static const struct {
    oflags_t oflags;
    fdflags_t flags;
    rights_t base, dir_base, dir_inheriting;
  } table[] = {
      {0, 0, 0, RIGHT_FILE_OPEN, 0},
      {0, 0, RIGHT_FD_READ, RIGHT_FILE_OPEN, RIGHT_FD_READ},
      {O_CREAT, 0, 0, RIGHT_FILE_OPEN | RIGHT_FILE_CREATE_FILE, 0},
      {O_TRUNC, 0, 0, RIGHT_FILE_OPEN, RIGHT_FILE_STAT_FPUT_SIZE},
      {0, FDFLAG_SYNC, RIGHT_FD_READ, RIGHT_FILE_OPEN, RIGHT_FD_READ | RIGHT_FD_SYNC},
      {0, FDFLAG_DSYNC, RIGHT_FD_READ, RIGHT_FILE_OPEN, RIGHT_FD_READ | RIGHT_FD_DATASYNC},
      {0, 0, RIGHT_FD_WRITE, RIGHT_FILE_OPEN, RIGHT_FD_WRITE | RIGHT_FD_SEEK},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    struct fdstat st = {.fs_flags = table[i].flags, .fs_rights_base = table[i].base};
    for (int bit = -1; bit < 41; bit++) {
      rights_t missing = bit < 0 ? 0 : 1ull << bit;
      fd_t dir = add_dir(&tree_nodes[0].vnode, table[i].dir_base & ~missing,
                         table[i].dir_inheriting & ~missing);
      bool needed = ((table[i].dir_base | table[i].dir_inheriting) & missing) != 0;
      fd_t fd;
      assert_int_equal(sys_file_open(t, at(dir, false), PATH("file"), table[i].oflags, &st, &fd),
                       needed ? ENOTCAPABLE : 0);
      if (!needed)
        fd_close(&world_process.fds, fd);
      fd_close(&world_process.fds, dir);
    }
  }
}

static void test_open_results(void **state) {
  enum { FOLLOW = 1, READ = 2, WRITE = 4 };
  static const struct {
    const char *path;
    oflags_t oflags;
    int how;
    errno_t error;
  } table[] = {
      {"file", 0, READ, 0},
      {"file", O_DIRECTORY, READ, ENOTDIR},
      {"file/", 0, READ, ENOTDIR},
      {"file", O_CREAT, READ, 0},
      {"file", O_CREAT | O_EXCL, READ, EEXIST},
      {"file", O_EXCL, READ, 0},
      {"dir", 0, READ, 0},
      {"dir", 0, 0, 0},
      {"dir/", O_DIRECTORY, READ, 0},
      {".", O_DIRECTORY, READ, 0},
      {"dir", 0, WRITE, EISDIR},
      {"dir", 0, READ | WRITE, EISDIR},
      {"dir", O_DIRECTORY, READ | WRITE, EISDIR},
      {"dir", O_TRUNC, READ, EISDIR},
      {"dir", O_CREAT, READ, EISDIR},
      {".", O_CREAT, READ, EISDIR},
      {"dir", O_CREAT | O_EXCL, READ, EEXIST},
      {".", O_CREAT | O_EXCL, READ, EEXIST},
      {"nowhere", 0, READ, ENOENT},
      {"nowhere/x", O_CREAT, READ, ENOENT},
      {"nowhere/", O_CREAT, READ, ENOENT},
      {"", O_CREAT, READ, ENOENT},
      {"link", 0, READ, ELOOP},
      {"link", 0, READ | FOLLOW, 0},
      {"link", O_CREAT | O_EXCL, READ | FOLLOW, EEXIST},
      {"dangling", O_CREAT | O_EXCL, READ | FOLLOW, EEXIST},
      {"dangling", 0, READ | FOLLOW, ENOENT},
      {"dirlink", O_DIRECTORY, READ, ELOOP},
      {"dirlink", O_DIRECTORY, READ | FOLLOW, 0},
      {"dirlink/inner", 0, READ, 0},
      {"loop", 0, READ | FOLLOW, ELOOP},
      {"sock", 0, READ, ENOTSUP},
      {"../foo", O_CREAT, READ | WRITE, ENOTCAPABLE},
      {"/etc/passwd", O_CREAT, READ, ENOTCAPABLE},
      {"file", 0x10, READ, EINVAL},
      {"dir", O_CREAT | O_DIRECTORY, READ, EINVAL},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    fd_t fd = 77;
    errno_t e =
        open_at(root, table[i].path, table[i].oflags,
                mode(table[i].how & READ, table[i].how & WRITE), table[i].how & FOLLOW, &fd);
    if (e != table[i].error)
      fail_msg("open %s (%zu): error %u, not %u", table[i].path, i, e, table[i].error);
    if (e == 0)
      assert_int_equal(fd_close(&world_process.fds, fd), 0);
    else
      assert_int_equal(fd, 77);
  }
}

static void test_open_creates(void **state) {
  fd_t fd;
  assert_int_equal(open_at(root, "dir/new", O_CREAT | O_EXCL, mode(true, true), false, &fd), 0);
  assert_non_null(tree_find(&tree_nodes[2].vnode, "new", 3));
  assert_int_equal(open_at(root, "dangling", O_CREAT, mode(true, true), true, &fd), 0);
  assert_non_null(tree_find(&tree_nodes[0].vnode, "target", 6));
  assert_int_equal(open_at(root, "file", O_TRUNC, mode(true, true), false, &fd), 0);
  assert_int_equal(tree_nodes[1].size, 0);
}

/* Somebody else makes the file while a slow file system is about to. */
static errno_t outrun_create(struct vnode *dir, const char *name, size_t len, filetype_t type,
                             struct vnode **child) {
  assert_int_equal(tree_create(dir, name, len, type, child), 0);
  vnode_unref(*child);
  *child = NULL;
  return EEXIST;
}

static void test_open_outrun(void **state) {
  struct vnode_ops slow = tree_ops;
  fd_t fd;
  slow.create = outrun_create;
  tree_nodes[0].vnode.ops = &slow;
  assert_int_equal(open_at(root, "new", O_CREAT, mode(true, true), false, &fd), 0);
  assert_int_equal(open_at(root, "newer", O_CREAT | O_EXCL, mode(true, true), false, &fd), EEXIST);
  tree_nodes[0].vnode.ops = &tree_ops;
}

static void test_open_order_of_errors(void **state) {
  fd_t fd = 77;
  struct fdstat st = {0}, bad = {.fs_flags = 0x20};
  const struct fdstat *hole = (struct fdstat *)world_hole;
  assert_int_equal(sys_file_open(t, at(NO_FD, 0), PATH("file"), 0x10, hole, &fd), EINVAL);
  assert_int_equal(sys_file_open(t, at(NO_FD, 0), PATH("file"), 0, hole, &fd), EBADF);
  assert_int_equal(sys_file_open(t, at(NO_FD, 0), PATH("file"), 0, &bad, &fd), EBADF);
  assert_int_equal(sys_file_open(t, at(root, 0), PATH("file"), 0, hole, &fd), EFAULT);
  assert_int_equal(sys_file_open(t, at(root, 0), PATH("nowhere"), 0, &bad, &fd), EINVAL);
  assert_int_equal(sys_file_open(t, at(NO_FD, 0), world_hole, 5, 0, &st, &fd), EBADF);
  fd_t weak = add_dir(&tree_nodes[0].vnode, 0, 0);
  assert_int_equal(sys_file_open(t, at(weak, 0), world_hole, 5, 0, &st, &fd), ENOTCAPABLE);
  assert_int_equal(sys_file_open(t, at(weak, 0), PATH("file"), 0, hole, &fd), ENOTCAPABLE);
  fd_t file = add_dir(&tree_nodes[1].vnode, 0x11c3801ff, 0);
  assert_int_equal(sys_file_open(t, at(file, 0), PATH("x"), 0, &st, &fd), ENOTCAPABLE);
  assert_int_equal(sys_file_open(t, at(root, 0), world_hole, 5, 0, &st, &fd), EFAULT);
  assert_int_equal(sys_file_open(t, at(root, 0), PATH("file"), 0, &st, (fd_t *)world_hole), EFAULT);
  assert_int_equal(world_process.fds.count, 3);
  assert_int_equal(fd, 77);
  for (long allowed = 0; allowed < 2; allowed++) {
    world_allocations_left = allowed;
    assert_int_equal(sys_file_open(t, at(root, 0), PATH("file"), 0, &st, &fd), ENOMEM);
  }
  world_allocations_left = -1;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void test_readdir(void **state) {
  char all[1024], part[1024];
  size_t len, n, entries = 0;
  assert_int_equal(sys_file_readdir(t, root, all, sizeof all, 0, &len), 0);
  assert_true(len < sizeof all);
  dircookie_t cookies[32];
  size_t ends[32];
  for (size_t i = 0; i < len;) {
    struct dirent d;
    memcpy(&d, all + i, sizeof d); /* unaligned */
    static const struct dirent zero;
    assert_memory_equal((char *)&d + 21, &zero, 3);
    if (entries < 2)
      assert_int_equal(d.d_type, FILETYPE_DIRECTORY);
    i += sizeof d + d.d_namlen;
    cookies[entries] = d.d_next;
    ends[entries++] = i;
  }
  assert_int_equal(ends[entries - 1], len);
  assert_int_equal(entries, 2 + 8);
  assert_memory_equal(all + sizeof(struct dirent), ".", 1);
  assert_memory_equal(all + ends[1] + sizeof(struct dirent), "file", 4);
  /* Whatever the buffer's size, the same bytes, the last record cut. */
  for (size_t size = 0; size <= len; size++) {
    memset(part, '#', sizeof part);
    assert_int_equal(sys_file_readdir(t, root, part, size, 0, &n), 0);
    assert_int_equal(n, size);
    assert_memory_equal(part, all, size);
    assert_int_equal(part[size], '#');
  }
  for (size_t i = 0; i < entries; i++) {
    assert_int_equal(sys_file_readdir(t, root, part, sizeof part, cookies[i], &n), 0);
    assert_int_equal(n, len - ends[i]);
    assert_memory_equal(part, all + ends[i], n);
  }
  assert_int_equal(sys_file_readdir(t, root, world_hole, 10, 0, &n), EFAULT);
  assert_int_equal(sys_file_readdir(t, root, NULL, 0, 0, &n), 0);
  assert_int_equal(sys_file_readdir(t, NO_FD, all, 10, 0, &n), EBADF);
  fd_t weak = add_dir(&tree_nodes[0].vnode, DIR_BASE & ~RIGHT_FILE_READDIR, 0);
  assert_int_equal(sys_file_readdir(t, weak, all, 10, 0, &n), ENOTCAPABLE);
}

static void test_readlink(void **state) {
  char buf[8] = "########";
  size_t n = 50;
  assert_int_equal(sys_file_readlink(t, root, PATH("link"), buf, 8, &n), 0);
  assert_int_equal(n, 4);
  assert_memory_equal(buf, "file####", 8);
  assert_int_equal(sys_file_readlink(t, root, PATH("dangling"), buf, 3, &n), 0);
  assert_int_equal(n, 3);
  assert_memory_equal(buf, "tare####", 8);
  assert_int_equal(sys_file_readlink(t, root, PATH("link"), NULL, 0, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(sys_file_readlink(t, root, PATH("file"), buf, 8, &n), EINVAL);
  assert_int_equal(sys_file_readlink(t, root, PATH("."), buf, 8, &n), EINVAL);
  assert_int_equal(sys_file_readlink(t, root, PATH("nowhere"), buf, 8, &n), ENOENT);
  assert_int_equal(sys_file_readlink(t, root, PATH("link"), world_hole, 8, &n), EFAULT);
}

static void test_stat(void **state) {
  struct filestat a, b, zero = {0};
  memset(&a, 0xee, sizeof a);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH("."), &a), 0);
  assert_int_equal(sys_file_stat_fget(t, root, &b), 0);
  assert_memory_equal(&a, &b, sizeof a);
  assert_int_equal(a.st_filetype, FILETYPE_DIRECTORY);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH("link"), &a), 0);
  assert_int_equal(a.st_filetype, FILETYPE_SYMBOLIC_LINK);
  assert_int_equal(sys_file_stat_get(t, at(root, true), PATH("link"), &a), 0);
  assert_int_equal(a.st_filetype, FILETYPE_REGULAR_FILE);
  assert_int_equal(a.st_size, 5);
  assert_int_equal(sys_file_stat_get(t, at(root, true), PATH("dangling"), &a), ENOENT);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH(".."), &a), ENOTCAPABLE);
  assert_int_equal(sys_file_stat_get(t, at(root, false), PATH("/dev/null"), &a), ENOTCAPABLE);
  assert_int_equal(sys_file_stat_get(t, (struct lookup){root, ~0u}, PATH("link"), &a), 0);

  assert_int_equal(sys_file_stat_put(t, at(NO_FD, 0), PATH("file"), &zero, FILESTAT_SIZE), EINVAL);
  assert_int_equal(sys_file_stat_put(t, at(root, 0), PATH("file"), &zero, 0x20), EINVAL);
  assert_int_equal(sys_file_stat_put(t, at(root, 0), PATH("nowhere"), &zero, 0), ENOENT);
  assert_int_equal(sys_file_stat_put(t, at(root, 0), PATH("file"), &zero, 0), 0);
  assert_int_equal(sys_file_stat_put(t, at(root, 0), PATH("file"), &zero, 0xf), 0);

  fd_t fd;
  assert_int_equal(open_at(root, "file", 0, mode(true, true), false, &fd), 0);
  for (fsflags_t flags = 0; flags < 0x40; flags++) {
    bool good = flags == FILESTAT_SIZE || (flags > 0 && flags < 0x10);
    assert_int_equal(sys_file_stat_fput(t, fd, &zero, flags), good ? 0 : EINVAL);
  }
  a.st_size = 100;
  assert_int_equal(sys_file_stat_fput(t, fd, &a, FILESTAT_SIZE), 0);
  assert_int_equal(tree_nodes[1].size, 100);
  a.st_size = (filesize_t)INT64_MAX + 1;
  assert_int_equal(sys_file_stat_fput(t, fd, &a, FILESTAT_SIZE), EINVAL);
  assert_int_equal(sys_file_stat_fput(t, root, &a, FILESTAT_SIZE), ENOTCAPABLE);
  assert_int_equal(sys_file_stat_fput(t, root, &a, FILESTAT_ATIM_NOW), 0);
}

static void test_advise_allocate(void **state) {
  fd_t fd;
  assert_int_equal(open_at(root, "file", 0, mode(true, true), false, &fd), 0);
  assert_int_equal(sys_file_advise(t, NO_FD, 0, 1, 0), EINVAL);
  assert_int_equal(sys_file_advise(t, NO_FD, 0, 1, 7), EINVAL);
  assert_int_equal(sys_file_advise(t, NO_FD, 0, 1, ADVICE_NORMAL), EBADF);
  for (advice_t a = ADVICE_DONTNEED; a <= ADVICE_WILLNEED; a++)
    assert_int_equal(sys_file_advise(t, fd, 5, 10, a), 0);
  assert_int_equal(sys_file_advise(t, fd, 5, UINT64_MAX, ADVICE_NORMAL), EINVAL);
  assert_int_equal(sys_file_allocate(t, fd, 5, 0), EINVAL);
  assert_int_equal(sys_file_allocate(t, fd, 5, INT64_MAX), EFBIG);
  assert_int_equal(sys_file_allocate(t, fd, UINT64_MAX, 1), EFBIG);
  assert_int_equal(sys_file_allocate(t, fd, 5, 5), EROFS); /* this tree has no such operation */
  assert_int_equal(sys_file_allocate(t, root, 5, 0), ENOTCAPABLE);
}

int main(void) {
#define UNIT(test) cmocka_unit_test_setup_teardown(test, begin, end)
  const struct CMUnitTest tests[] = {
      UNIT(test_open_rights),     UNIT(test_open_needs),  UNIT(test_open_results),
      UNIT(test_open_creates),    UNIT(test_open_outrun), UNIT(test_open_order_of_errors),
      UNIT(test_readdir),         UNIT(test_readlink),    UNIT(test_stat),
      UNIT(test_advise_allocate),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
