// sources: fs/tmpfs.c fs/tmpfs_dir.c fs/tmpfs_file.c fs/tmpfs_names.c fs/vfile.c fs/lookup.c
// sources: kernel/pagecache_room.c
// sources: kernel/avl.c kernel/pagecache.c kernel/memobj.c kernel/uio.c kernel/file.c
// sources: kernel/pagetree.c
// sources: kernel/fdtable.c kernel/rights.c kernel/sys/fd.c kernel/sys/file.c
// sources: kernel/sys/file_names.c
/*
 * Contents of files in tmpfs: reading, writing, sizes, times, and files that lost their names.
 */
#include "tests/host/tmpfs_fixture.h"

#define BIG ((filesize_t)INT64_MAX)

static filesize_t offset_of(fd_t fd) {
  filesize_t at = 99;
  assert_int_equal(sys_fd_seek(t, fd, 0, WHENCE_CUR, &at), 0);
  return at;
}

static void check_write(fd_t fd, const char *s) {
  size_t n = 99;
  assert_int_equal(write_fd(fd, s, strlen(s), &n), 0);
  assert_int_equal(n, strlen(s));
}

static void check_contents(fd_t fd, const char *want, size_t len) {
  char buf[4096];
  size_t n = 99;
  memset(buf, '#', sizeof buf);
  assert_int_equal(pread_fd(fd, buf, sizeof buf, 0, &n), 0);
  assert_int_equal(n, len);
  assert_memory_equal(buf, want, len);
  assert_int_equal(stat_fd(fd).st_size, len);
}

static void test_offset(void **state) {
  (void)state;
  char buf[20];
  size_t n;
  filesize_t at;
  fd_t fd = open_file("f", O_CREAT | O_EXCL, 0);
  check_write(fd, "hello");
  check_write(fd, " world");
  assert_int_equal(offset_of(fd), 11);
  check_contents(fd, "hello world", 11);
  assert_int_equal(offset_of(fd), 11);
  struct iovec iov = {buf, 20};
  assert_int_equal(sys_fd_read(t, fd, &iov, 1, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(sys_fd_seek(t, fd, -5, WHENCE_END, &at), 0);
  assert_int_equal(at, 6);
  assert_int_equal(sys_fd_read(t, fd, &iov, 1, &n), 0);
  assert_int_equal(n, 5);
  assert_memory_equal(buf, "world", 5);
  assert_int_equal(sys_fd_seek(t, fd, -12, WHENCE_END, &at), EINVAL);
  assert_int_equal(offset_of(fd), 11);
  /* A gap reads as zeroes. */
  assert_int_equal(sys_fd_seek(t, fd, 3, WHENCE_CUR, &at), 0);
  check_write(fd, "!");
  check_contents(fd, "hello world\0\0\0!", 15);
  assert_int_equal(pwrite_fd(fd, "J", 1, 0, &n), 0);
  assert_int_equal(offset_of(fd), 15);
  check_contents(fd, "Jello world\0\0\0!", 15);
  assert_int_equal(pread_fd(fd, buf, 20, 15, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(pread_fd(fd, buf, 20, BIG, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(pread_fd(fd, buf, 20, BIG + 1, &n), EINVAL);
  assert_int_equal(pwrite_fd(fd, buf, 20, BIG + 1, &n), EINVAL);
}

static void test_append(void **state) {
  (void)state;
  size_t n;
  filesize_t at;
  fd_t a = open_file("f", O_CREAT, FDFLAG_APPEND), b = open_file("f", 0, 0);
  check_write(a, "one");
  check_write(b, "1");
  check_write(a, "two");
  assert_int_equal(offset_of(a), 6);
  assert_int_equal(offset_of(b), 1);
  check_contents(b, "1netwo", 6);
  assert_int_equal(sys_fd_seek(t, a, 0, WHENCE_SET, &at), 0);
  check_write(a, "3");
  assert_int_equal(offset_of(a), 7);
  assert_int_equal(pwrite_fd(a, "X", 1, 1, &n), 0); /* has its own place */
  check_contents(b, "1Xetwo3", 7);
  struct fdstat st = {.fs_flags = FDFLAG_DSYNC | FDFLAG_SYNC | FDFLAG_RSYNC};
  assert_int_equal(sys_fd_stat_put(t, a, &st, FDSTAT_FLAGS), 0);
  check_write(a, "4");
  check_contents(b, "1Xetwo34", 8);
  assert_int_equal(sys_fd_sync(t, a), 0);
  assert_int_equal(sys_fd_datasync(t, a), 0);
  assert_int_equal(sys_fd_sync(t, root), 0);
}

/* Nothing to write is no change. */
static void test_empty_writes(void **state) {
  (void)state;
  size_t n = 99;
  filesize_t at;
  fd_t fd = open_file("f", O_CREAT, 0);
  assert_int_equal(sys_fd_seek(t, fd, 100, WHENCE_SET, &at), 0);
  struct filestat before = stat_fd(fd);
  assert_int_equal(write_fd(fd, "", 0, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(sys_fd_write(t, fd, NULL, 0, &n), 0);
  struct filestat after = stat_fd(fd);
  assert_memory_equal(&before, &after, sizeof after);
  assert_int_equal(offset_of(fd), 100);
  fd_t append = open_file("f", 0, FDFLAG_APPEND);
  check_write(append, "abc");
  assert_int_equal(sys_fd_seek(t, append, 1, WHENCE_SET, &at), 0);
  check_write(append, "");
  assert_int_equal(offset_of(append), 1);
}

static void test_vectors(void **state) {
  (void)state;
  char a[3], b[2], c[10];
  size_t n;
  fd_t fd = open_file("f", O_CREAT, 0);
  struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}, {"f", 1}};
  assert_int_equal(sys_fd_pwrite(t, fd, out, 4, 1, &n), 0);
  assert_int_equal(n, 6);
  struct iovec in[] = {{a, 3}, {b, 2}, {c, 10}};
  assert_int_equal(sys_fd_pread(t, fd, in, 3, 0, &n), 0);
  assert_int_equal(n, 7);
  assert_memory_equal(a, "\0ab", 3);
  assert_memory_equal(b, "cd", 2);
  assert_memory_equal(c, "ef", 2);
}

static void test_faults(void **state) {
  (void)state;
  size_t n = 77;
  fd_t fd = open_file("f", O_CREAT, 0);
  static char bytes[16];
  assert_int_equal(write_fd(fd, world_hole, 5, &n), EFAULT);
  assert_int_equal(n, 77);
  assert_int_equal(stat_fd(fd).st_size, 0);
  memcpy(bytes, "abc", 3);
  struct iovec iov[] = {{bytes, 3}, {world_hole, 5}};
  assert_int_equal(sys_fd_write(t, fd, iov, 2, &n), 0); /* what did move counts */
  assert_int_equal(n, 3);
  assert_int_equal(offset_of(fd), 3);
  check_contents(fd, "abc", 3);
  assert_int_equal(pread_fd(fd, world_hole, 5, 0, &n), EFAULT);
  assert_int_equal(pread_fd(fd, world_hole, 5, 10, &n), 0);
  assert_int_equal(n, 0);
}

static void test_sizes(void **state) {
  (void)state;
  fd_t fd = open_file("f", O_CREAT, 0);
  check_write(fd, "0123456789");
  assert_int_equal(set_size(fd, 4), 0);
  check_contents(fd, "0123", 4);
  assert_int_equal(set_size(fd, 6), 0);
  check_contents(fd, "0123\0\0", 6);
  assert_int_equal(offset_of(fd), 10);
  uint64_t small = used();
  assert_int_equal(set_size(fd, BIG), 0); /* costs nothing */
  assert_int_equal(stat_fd(fd).st_size, BIG);
  assert_int_equal(used(), small);
  assert_int_equal(set_size(fd, BIG + 1), EINVAL);
  assert_int_equal(set_size(fd, 0), 0);
  assert_int_equal(used(), small - PAGE_SIZE);
  assert_int_equal(sys_file_allocate(t, fd, 10, 12), 0);
  check_contents(fd, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
  assert_int_equal(sys_file_allocate(t, fd, 0, 5), 0);
  assert_int_equal(stat_fd(fd).st_size, 22);
  assert_int_equal(sys_file_allocate(t, fd, 0, 3 * PAGE_SIZE + 1), 0);
  assert_int_equal(used(), small + 3 * PAGE_SIZE);
  assert_int_equal(sys_file_allocate(t, fd, 0, 0), EINVAL);
  assert_int_equal(sys_file_allocate(t, fd, 1, BIG), EFBIG);
  assert_int_equal(sys_file_allocate(t, fd, BIG + 1, 1), EFBIG);
  assert_int_equal(sys_file_allocate(t, fd, 0, BIG), ENOSPC);
  assert_int_equal(stat_fd(fd).st_size, 3 * PAGE_SIZE + 1);
}

static void test_largest(void **state) {
  (void)state;
  char buf[10];
  size_t n = 77;
  filesize_t at;
  fd_t fd = open_file("f", O_CREAT, 0);
  assert_int_equal(pwrite_fd(fd, "abcdef", 6, BIG - 3, &n), 0); /* as much as there is room for */
  assert_int_equal(n, 3);
  assert_int_equal(stat_fd(fd).st_size, BIG);
  assert_int_equal(pread_fd(fd, buf, 10, BIG - 4, &n), 0);
  assert_int_equal(n, 4);
  assert_memory_equal(buf, "\0abc", 4);
  assert_int_equal(pwrite_fd(fd, "x", 1, BIG, &n), EFBIG);
  assert_int_equal(pwrite_fd(fd, "x", 0, BIG, &n), 0);
  assert_int_equal(sys_fd_seek(t, fd, 0, WHENCE_END, &at), 0);
  assert_int_equal(at, BIG);
  assert_int_equal(write_fd(fd, "x", 1, &n), EFBIG);
  assert_int_equal(sys_fd_seek(t, fd, 1, WHENCE_CUR, &at), EOVERFLOW);
  fd_t append = open_file("f", 0, FDFLAG_APPEND);
  assert_int_equal(write_fd(append, "x", 1, &n), EFBIG);
  assert_int_equal(used() / PAGE_SIZE, 1);
}

static void test_truncating_open(void **state) {
  (void)state;
  fd_t fd = open_file("f", O_CREAT, 0), other;
  check_write(fd, "abc");
  other = open_file("f", O_CREAT, 0);
  check_contents(other, "abc", 3);
  struct filestat before = stat_fd(fd);
  close_fd(open_file("f", O_TRUNC, 0));
  check_contents(fd, "", 0);
  assert_true(stat_fd(fd).st_mtim > before.st_mtim);
  assert_true(stat_fd(fd).st_ctim > before.st_ctim);
  /* A call that fails truncates nothing. */
  check_write(fd, "abc");
  assert_int_equal(open_from(root, "f", O_TRUNC | O_CREAT | O_EXCL, 0, DIR_INHERITING, &other),
                   EEXIST);
  assert_int_equal(open_from(root, "f", O_TRUNC | O_DIRECTORY, 0, DIR_INHERITING, &other), ENOTDIR);
  world_allocations_left = 1; /* the path's */
  assert_int_equal(open_from(root, "f", O_TRUNC, 0, DIR_INHERITING, &other), ENOMEM);
  world_allocations_left = -1;
  while (fd_install(&world_process.fds, NULL, 0, 0, &other) == 0) {
    struct fd_entry *e = &world_process.fds.entries[other];
    *e = (struct fd_entry){.file = file_ref(world_process.fds.entries[fd].file)};
  }
  assert_int_equal(open_from(root, "f", O_TRUNC, 0, DIR_INHERITING, &other), EMFILE);
  assert_int_equal(open_from(root, "new", O_CREAT, 0, DIR_INHERITING, &other), EMFILE);
  assert_int_equal(stat_path("new", &before), ENOENT);
  assert_int_equal(stat_fd(fd).st_size, 6);
}

static void test_times(void **state) {
  (void)state;
  struct filestat before, after;
  char buf[4];
  size_t n;
  fd_t fd = open_file("f", O_CREAT, 0);
#define AFTER(call)          \
  before = stat_fd(fd);      \
  assert_int_equal(call, 0); \
  after = stat_fd(fd);
#define MOVED(member) (after.st_##member > before.st_##member)
  AFTER(write_fd(fd, "abc", 3, &n));
  assert_true(MOVED(mtim) && MOVED(ctim) && !MOVED(atim));
  AFTER(pwrite_fd(fd, "abc", 3, 0, &n));
  assert_true(MOVED(mtim) && MOVED(ctim) && !MOVED(atim));
  AFTER(pread_fd(fd, buf, 3, 0, &n));
  assert_true(!MOVED(mtim) && !MOVED(ctim) && MOVED(atim));
  AFTER(pread_fd(fd, buf, 0, 0, &n));
  assert_true(!MOVED(mtim) && !MOVED(ctim) && !MOVED(atim));
  AFTER(set_size(fd, 3));
  assert_true(MOVED(mtim) && MOVED(ctim) && !MOVED(atim));
  AFTER(sys_file_allocate(t, fd, 0, 10));
  assert_true(MOVED(mtim) && MOVED(ctim) && !MOVED(atim));
  AFTER(sys_file_allocate(t, fd, 0, 10));
  assert_true(!MOVED(mtim) && MOVED(ctim) && !MOVED(atim));
  AFTER(sys_fd_sync(t, fd));
  assert_true(!MOVED(mtim) && !MOVED(ctim) && !MOVED(atim));
  struct filestat set = {.st_atim = 1234567890123456789, .st_mtim = 5, .st_ctim = 6, .st_size = 7};
  AFTER(sys_file_stat_fput(t, fd, &set, FILESTAT_ATIM | FILESTAT_MTIM));
  assert_int_equal(after.st_atim, 1234567890123456789);
  assert_int_equal(after.st_mtim, 5);
  assert_int_equal(after.st_size, before.st_size);
  assert_true(MOVED(ctim));
  AFTER(sys_file_stat_fput(t, fd, &set, FILESTAT_MTIM | FILESTAT_MTIM_NOW));
  assert_int_equal(after.st_atim, 1234567890123456789);
  assert_in_range(after.st_mtim, 1000000, clock_ns); /* now wins */
  AFTER(sys_file_stat_fput(t, fd, &set, FILESTAT_ATIM_NOW));
  assert_in_range(after.st_atim, 1000000, clock_ns);
  struct filestat path = stat_of("f");
  assert_memory_equal(&path, &after, sizeof after);
}

static void test_without_a_name(void **state) {
  (void)state;
  fd_t fd = open_file("f", O_CREAT, 0), twin;
  check_write(fd, "abc");
  assert_int_equal(sys_fd_dup(t, fd, &twin), 0);
  assert_int_equal(remove_file("f"), 0);
  assert_int_equal(stat_fd(fd).st_nlink, 0);
  check_write(fd, "def");
  check_contents(twin, "abcdef", 6);
  inode_t ino = stat_fd(fd).st_ino;
  fd_t new = open_file("f", O_CREAT | O_EXCL, 0);
  assert_int_not_equal(stat_fd(new).st_ino, ino);
  make_file("g");
  fd_t replaced = open_file("g", 0, 0);
  check_write(replaced, "old");
  assert_int_equal(rename_to("f", "g"), 0);
  check_contents(replaced, "old", 3);
  assert_int_equal(stat_fd(replaced).st_nlink, 0);
  close_fd(replaced);
  close_fd(new);
  assert_int_equal(remove_file("g"), 0);
  assert_true(used() > PAGE_SIZE);
  close_fd(fd);
  assert_true(used() > PAGE_SIZE);
  close_fd(twin);
  assert_int_equal(used(), 0);
}

/* A mapping keeps the contents, without a name, a descriptor, or the file system. */
static void test_mapped(void **state) {
  (void)state;
  struct memobj *obj;
  pa_t pa;
  size_t n;
  fd_t fd = open_file("f", O_CREAT, 0);
  check_write(fd, "abc");
  struct fd_entry *e;
  fd_lookup(&world_process.fds, fd, &e);
  assert_int_equal(e->file->ops->memobj(e->file, &obj), 0);
  assert_int_equal(obj->ops->get_page(obj, 0, false, &pa), 0);
  assert_memory_equal(pa_to_va(pa), "abc\0", 4);
  struct filestat before = stat_fd(fd);
  assert_int_equal(obj->ops->get_page(obj, 0, true, &pa), 0);
  assert_true(stat_fd(fd).st_mtim > before.st_mtim);
  memcpy(pa_to_va(pa), "XYZ", 3);
  check_contents(fd, "XYZ", 3);
  assert_int_equal(pwrite_fd(fd, "1", 1, 1, &n), 0);
  assert_memory_equal(pa_to_va(pa), "X1Z", 3);
  assert_int_equal(obj->ops->get_page(obj, PAGE_SIZE, false, &pa), ERANGE);
  assert_int_equal(remove_file("f"), 0);
  close_fd(fd);
  assert_true(used() > PAGE_SIZE);
  close_fd(root);
  assert_int_equal(obj->ops->get_page(obj, 0, false, &pa), 0);
  assert_memory_equal(pa_to_va(pa), "X1Z", 3);
  memobj_unref(obj);
  assert_int_equal(pages_live, 0);
  assert_int_equal(world_live, 1); /* the descriptor table */
}

int main(void) {
#define UNIT(test) cmocka_unit_test_setup_teardown(test, begin, end)
  const struct CMUnitTest tests[] = {
      UNIT(test_offset),         UNIT(test_append), UNIT(test_empty_writes),
      UNIT(test_vectors),        UNIT(test_faults), UNIT(test_sizes),
      UNIT(test_largest),        UNIT(test_times),  UNIT(test_truncating_open),
      UNIT(test_without_a_name), UNIT(test_mapped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
