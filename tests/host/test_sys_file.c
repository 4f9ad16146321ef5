// sources: kernel/sys/file.c kernel/sys/file_names.c kernel/rights.c kernel/fdtable.c
// sources: kernel/file.c kernel/uio.c fs/vfile.c fs/lookup.c
/*
 * The file_* system calls over a writable tree and over a read-only one: results, errors and their
 * order.
 */
#include "tests/host/tree.h"

#include "fs/vfile.h"
#include "kernel/rights.h"
#include "kernel/sys/sys.h"

static struct thread *const t = &world_thread;
static fd_t root, ro; /* the same directory, writable and read-only */
static struct vnode_ops ro_ops;

#define DIR_BASE 0x13eff698ull
#define DIR_INHERITING 0x11ffff7ffull
#define NO_FD 99u

static fd_t add_dir(struct vnode *v, rights_t base, rights_t inheriting) {
  struct file *f;
  fd_t fd;
  assert_int_equal(vfile_create(v, 0, &f), 0);
  assert_int_equal(fd_install(&world_process.fds, f, base, inheriting, &fd), 0);
  return fd;
}

static void add_tree(void) {
  tree_add("", FILETYPE_DIRECTORY, "");
  tree_add("file", FILETYPE_REGULAR_FILE, "hello");
  tree_add("dir", FILETYPE_DIRECTORY, "");
  tree_add("dir/inner", FILETYPE_REGULAR_FILE, "");
  tree_add("empty", FILETYPE_DIRECTORY, "");
  tree_add("link", FILETYPE_SYMBOLIC_LINK, "file");
  tree_add("dirlink", FILETYPE_SYMBOLIC_LINK, "dir");
  tree_add("dangling", FILETYPE_SYMBOLIC_LINK, "target");
  tree_add("loop", FILETYPE_SYMBOLIC_LINK, "loop");
  tree_add("sock", FILETYPE_SOCKET_STREAM, "");
}

static int begin(void **state) {
  add_tree();
  root = add_dir(&tree_nodes[0].vnode, DIR_BASE, DIR_INHERITING);
  return 0;
}

static int begin_read_only(void **state) {
  ro_ops = (struct vnode_ops){.stat = tree_stat,
                              .pread = tree_pread,
                              .readlink = tree_readlink,
                              .lookup = tree_lookup,
                              .readdir = tree_readdir};
  add_tree();
  for (size_t i = 0; i < tree_count; i++)
    tree_nodes[i].vnode.ops = &ro_ops;
  ro = root = add_dir(&tree_nodes[0].vnode, DIR_BASE, DIR_INHERITING);
  return 0;
}

static int end(void **state) {
  fdtable_destroy(&world_process.fds);
  tree_check_refs("end");
  assert_int_equal(world_live, 0);
  return 0;
}

#define PATH(s) (s), strlen(s)

static struct lookup at(fd_t fd, bool follow) {
  return (struct lookup){fd, follow ? LOOKUP_SYMLINK_FOLLOW : 0};
}

/* ---- file_open ---- */

#define RDONLY (RIGHT_FD_READ | RIGHT_FILE_READDIR | RIGHT_MEM_MAP_EXEC)
#define WRONLY \
  (RIGHT_FD_DATASYNC | RIGHT_FD_WRITE | RIGHT_FILE_ALLOCATE | RIGHT_FILE_STAT_FPUT_SIZE)

/* What a libc asks for: everything but the other access mode. */
static rights_t mode(bool read, bool write) {
  return (DIR_INHERITING & ~(RDONLY | WRONLY)) | (read ? RDONLY : 0) | (write ? WRONLY : 0);
}

static errno_t open_at(fd_t dir, const char *path, oflags_t oflags, rights_t base, bool follow,
                       fd_t *fd) {
  struct fdstat st = {.fs_rights_base = base, .fs_rights_inheriting = DIR_INHERITING};
  return sys_file_open(t, at(dir, follow), PATH(path), oflags, &st, fd);
}

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

static void test_open_order_of_errors(void **state) {
  fd_t fd = 77;
  struct fdstat st = {0}, bad = {.fs_flags = 0x20};
  const struct fdstat *hole = (struct fdstat *)world_hole;
  assert_int_equal(sys_file_open(t, at(NO_FD, 0), PATH("file"), 0x10, hole, &fd), EINVAL);
  assert_int_equal(sys_file_open(t, at(NO_FD, 0), PATH("file"), 0, hole, &fd), EFAULT);
  assert_int_equal(sys_file_open(t, at(NO_FD, 0), PATH("file"), 0, &bad, &fd), EINVAL);
  assert_int_equal(sys_file_open(t, at(NO_FD, 0), world_hole, 5, 0, &st, &fd), EBADF);
  fd_t weak = add_dir(&tree_nodes[0].vnode, 0, 0);
  assert_int_equal(sys_file_open(t, at(weak, 0), world_hole, 5, 0, &st, &fd), ENOTCAPABLE);
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

/* ---- Reading ---- */

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

/* ---- Names ---- */

static bool exists(const char *path) {
  struct filestat st;
  return sys_file_stat_get(t, at(root, false), PATH(path), &st) == 0;
}

static errno_t create(const char *path) {
  return sys_file_create(t, root, PATH(path), FILETYPE_DIRECTORY);
}

static void test_create(void **state) {
  assert_int_equal(sys_file_create(t, NO_FD, PATH("new"), FILETYPE_REGULAR_FILE), EINVAL);
  assert_int_equal(sys_file_create(t, root, PATH("new"), FILETYPE_FIFO), EINVAL);
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
  assert_int_equal(sys_file_link(t, at(root, 0), PATH("nowhere"), NO_FD, PATH("x")), EBADF);
  assert_int_equal(sys_file_link(t, at(NO_FD, 0), PATH("file"), root, PATH("x")), EBADF);
  fd_t weak = add_dir(&tree_nodes[0].vnode, DIR_BASE & ~RIGHT_FILE_LINK_TARGET, 0);
  assert_int_equal(sys_file_link(t, at(root, 0), PATH("nowhere"), weak, PATH("x")), ENOTCAPABLE);
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

/* ---- A file system that can't change ---- */

static void test_read_only(void **state) {
  struct filestat st = {0};
  fd_t fd;
  assert_int_equal(open_at(ro, "file", 0, mode(true, false), false, &fd), 0);
  assert_int_equal(open_at(ro, "file", 0, mode(true, true), false, &fd), EROFS);
  assert_int_equal(open_at(ro, "file", O_TRUNC, mode(true, false), false, &fd), EROFS);
  assert_int_equal(open_at(ro, "file", O_CREAT, mode(true, false), false, &fd), 0);
  assert_int_equal(open_at(ro, "file", O_CREAT | O_EXCL, mode(true, false), false, &fd), EEXIST);
  assert_int_equal(open_at(ro, "new", O_CREAT, mode(true, false), false, &fd), EROFS);
  assert_int_equal(open_at(ro, "dir", 0, mode(true, true), false, &fd), EISDIR);
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
  assert_int_equal(sys_file_stat_put(t, at(ro, 0), PATH("file"), &st, FILESTAT_MTIM), EROFS);
  assert_int_equal(sys_file_stat_fput(t, ro, &st, FILESTAT_MTIM_NOW), EROFS);
}

int main(void) {
#define UNIT(test) cmocka_unit_test_setup_teardown(test, begin, end)
  const struct CMUnitTest tests[] = {
      UNIT(test_open_rights),
      UNIT(test_open_needs),
      UNIT(test_open_results),
      UNIT(test_open_creates),
      UNIT(test_open_order_of_errors),
      UNIT(test_readdir),
      UNIT(test_readlink),
      UNIT(test_stat),
      UNIT(test_advise_allocate),
      UNIT(test_create),
      UNIT(test_link),
      UNIT(test_rename),
      UNIT(test_symlink),
      UNIT(test_unlink),
      cmocka_unit_test_setup_teardown(test_read_only, begin_read_only, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
