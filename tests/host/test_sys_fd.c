// sources: kernel/sys/fd.c kernel/fdtable.c kernel/file.c kernel/uio.c fs/vfile.c
/*
 * The fd_* system calls: order of errors, offsets, flags, rights, and outputs that stay untouched
 * on error, over a file in memory and a stream.
 */
#include "tests/host/tree.h"

#include "fs/vfile.h"
#include "kernel/rights.h"
#include "kernel/sys/sys.h"

static struct thread *const t = &world_thread;
static struct tree_node *node; /* the file's */

/* ---- A stream that gives "stream" and counts what it gets ------------------------------------ */

static char got[64];
static size_t got_len;

static void stream_close(struct file *f) {
  kfree(f);
}

static errno_t stream_read(struct file *f, struct uio *uio) {
  return f->flags & FDFLAG_NONBLOCK ? EAGAIN : uio_copy_to(uio, "stream", 6);
}

static errno_t stream_write(struct file *f, struct uio *uio) {
  size_t n = uio->resid;
  errno_t e = uio_copy_from(uio, got + got_len, n);
  got_len += n;
  return e;
}

static const struct file_ops stream_ops = {
    .close = stream_close, .read = stream_read, .write = stream_write};
static const struct file_ops mute_ops = {.close = stream_close};

/* ---- Descriptors ----------------------------------------------------------------------------- */

static fd_t add(struct file *f, rights_t base) {
  fd_t fd;
  assert_int_equal(fd_install(&world_process.fds, f, base, 0x5, &fd), 0);
  return fd;
}

static fd_t add_other(const struct file_ops *ops, filetype_t type, rights_t base) {
  struct file *f = kmalloc(sizeof *f);
  file_init(f, ops, type, 0);
  return add(f, base);
}

static fd_t add_file(const char *contents, rights_t base) {
  struct file *f;
  if (world_process.fds.count == 0)
    tree_add("", FILETYPE_DIRECTORY, "");
  node = tree_add("file", FILETYPE_REGULAR_FILE, contents);
  assert_int_equal(vfile_create(&node->vnode, 0, &f), 0);
  return add(f, base);
}

static int end(void **state) {
  fdtable_destroy(&world_process.fds);
  got_len = 0;
  if (tree_count > 0)
    tree_check_refs("end");
  assert_int_equal(world_live, 0);
  return 0;
}

#define FILE_RIGHTS 0x11c3801ffull

static void expect_read(fd_t fd, size_t n, const char *expected) {
  char buf[64] = {0};
  size_t nread = 99;
  struct iovec iov = {buf, n};
  assert_int_equal(sys_fd_read(t, fd, &iov, 1, &nread), 0);
  assert_int_equal(nread, strlen(expected));
  assert_string_equal(buf, expected);
}

static errno_t write_text(fd_t fd, const char *s) {
  struct iovec iov = {(void *)s, strlen(s)};
  size_t n = 0;
  errno_t e = sys_fd_write(t, fd, &iov, 1, &n);
  assert_int_equal(n, e == 0 ? strlen(s) : 0);
  return e;
}

static filesize_t seek(fd_t fd, filedelta_t offset, whence_t whence) {
  filesize_t at = 0;
  assert_int_equal(sys_fd_seek(t, fd, offset, whence, &at), 0);
  return at;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_read_write(void **state) {
  char a[4], b[4];
  size_t n;
  fd_t fd = add_file("hello, world", FILE_RIGHTS);
  expect_read(fd, 5, "hello");
  expect_read(fd, 50, ", world");
  expect_read(fd, 50, "");
  assert_int_equal(write_text(fd, "!!"), 0);
  assert_int_equal(seek(fd, 0, WHENCE_CUR), 14);
  assert_int_equal(seek(fd, 1, WHENCE_SET), 1);
  assert_int_equal(write_text(fd, "E"), 0);
  struct iovec iov[3] = {{a, 3}, {NULL, 0}, {b, 4}};
  assert_int_equal(sys_fd_read(t, fd, iov, 3, &n), 0);
  assert_int_equal(n, 7);
  assert_memory_equal(a, "llo", 3);
  assert_memory_equal(b, ", wo", 4);
  assert_int_equal(sys_fd_read(t, fd, NULL, 0, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(node->size, 14);
  assert_memory_equal(node->bytes, "hEllo, world!!", 14);
}

static void test_positions(void **state) {
  char buf[8];
  size_t n;
  struct iovec iov = {buf, 4};
  filesize_t at = 77;
  fd_t fd = add_file("0123456789", FILE_RIGHTS);
  assert_int_equal(sys_fd_pread(t, fd, &iov, 1, 6, &n), 0);
  assert_int_equal(n, 4);
  assert_memory_equal(buf, "6789", 4);
  assert_int_equal(sys_fd_pread(t, fd, &iov, 1, 10, &n), 0);
  assert_int_equal(n, 0);
  assert_int_equal(sys_fd_pwrite(t, fd, &iov, 1, 0, &n), 0);
  assert_memory_equal(node->bytes, "6789456789", 10);
  assert_int_equal(seek(fd, 0, WHENCE_CUR), 0); /* none of them moved it */
  assert_int_equal(sys_fd_pread(t, fd, &iov, 1, (filesize_t)INT64_MAX + 1, &n), EINVAL);
  assert_int_equal(sys_fd_pwrite(t, fd, &iov, 1, UINT64_MAX, &n), EINVAL);
  assert_int_equal(seek(fd, -3, WHENCE_END), 7);
  assert_int_equal(seek(fd, 2, WHENCE_CUR), 9);
  assert_int_equal(seek(fd, 1000, WHENCE_END), 1010);
  expect_read(fd, 4, "");
  assert_int_equal(sys_fd_seek(t, fd, -1011, WHENCE_CUR, &at), EINVAL);
  assert_int_equal(sys_fd_seek(t, fd, -1, WHENCE_SET, &at), EINVAL);
  assert_int_equal(sys_fd_seek(t, fd, INT64_MIN, WHENCE_END, &at), EINVAL);
  assert_int_equal(sys_fd_seek(t, fd, INT64_MAX, WHENCE_CUR, &at), EOVERFLOW);
  assert_int_equal(sys_fd_seek(t, fd, 0, WHENCE_SET, (filesize_t *)world_hole), EFAULT);
  assert_int_equal(at, 77);
  assert_int_equal(seek(fd, 0, WHENCE_CUR), 1010);
}

static void test_append(void **state) {
  struct fdstat st = {.fs_flags = FDFLAG_APPEND};
  fd_t fd = add_file("abc", FILE_RIGHTS);
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_FLAGS), 0);
  expect_read(fd, 1, "a");
  assert_int_equal(write_text(fd, "de"), 0);
  assert_int_equal(seek(fd, 0, WHENCE_CUR), 5);
  assert_memory_equal(node->bytes, "abcde", 5);
}

/* What the node was asked to sync: all, or data alone; and what that came to. */
static char synced[8];
static errno_t sync_error;

static errno_t note_sync(struct vnode *v, bool data_only) {
  strcat(synced, data_only ? "d" : "s");
  return sync_error;
}

static void test_synchronous_writes(void **state) {
  static const struct {
    fdflags_t flags;
    const char *synced; /* by fd_write and fd_pwrite */
  } cases[] = {{0, ""},
               {FDFLAG_APPEND, ""},
               {FDFLAG_DSYNC, "dd"},
               {FDFLAG_SYNC, "ss"},
               {FDFLAG_RSYNC, "ss"},
               {FDFLAG_SYNC | FDFLAG_DSYNC, "ss"}};
  struct iovec iov = {"x", 1};
  size_t n = 42;
  fd_t fd = add_file("abc", FILE_RIGHTS);
  struct vnode_ops ops = *node->vnode.ops;
  ops.sync = note_sync;
  node->vnode.ops = &ops;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fdstat st = {.fs_flags = cases[i].flags};
    synced[0] = '\0';
    assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_FLAGS), 0);
    assert_int_equal(write_text(fd, "de"), 0);
    assert_int_equal(sys_fd_pwrite(t, fd, &iov, 1, 0, &n), 0);
    expect_read(fd, 0, "");
    assert_string_equal(synced, cases[i].synced);
  }
  sync_error = EIO;
  n = 42;
  assert_int_equal(sys_fd_pwrite(t, fd, &iov, 1, 0, &n), EIO);
  assert_int_equal(n, 42);
  sync_error = 0;
  fdtable_destroy(&world_process.fds); /* while its operations are there */
}

static void test_order_of_errors(void **state) {
  size_t n = 42;
  filesize_t at = 42;
  char buf[8];
  struct iovec iov = {buf, 8}, bad_iov = {world_hole, 8};
  fd_t none = add_file("abc", 0), rw = add_file("abc", FILE_RIGHTS);
  /* Arguments first, then the number, then the right, then the rest. */
  assert_int_equal(sys_fd_seek(t, 99, 0, 0, &at), EINVAL);
  assert_int_equal(sys_fd_seek(t, none, 0, 4, &at), EINVAL);
  assert_int_equal(sys_fd_seek(t, 99, 0, WHENCE_SET, &at), EBADF);
  assert_int_equal(sys_fd_seek(t, none, 0, WHENCE_SET, &at), ENOTCAPABLE);
  assert_int_equal(sys_fd_read(t, 99, &bad_iov, 5000, &n), EBADF);
  assert_int_equal(sys_fd_read(t, none, &bad_iov, 5000, &n), ENOTCAPABLE);
  assert_int_equal(sys_fd_read(t, rw, &iov, 1025, &n), EINVAL);
  assert_int_equal(sys_fd_read(t, rw, (struct iovec *)world_hole, 1, &n), EFAULT);
  assert_int_equal(sys_fd_read(t, rw, &bad_iov, 1, &n), EFAULT);
  assert_int_equal(sys_fd_read(t, rw, &iov, 0, (size_t *)world_hole), EFAULT);
  assert_int_equal(sys_fd_write(t, 99, &iov, 1, &n), EBADF);
  assert_int_equal(sys_fd_write(t, none, &iov, 1, &n), ENOTCAPABLE);
  assert_int_equal(sys_fd_sync(t, none), ENOTCAPABLE);
  assert_int_equal(sys_fd_datasync(t, 99), EBADF);
  assert_int_equal(sys_fd_sync(t, rw), 0);
  assert_int_equal(sys_fd_datasync(t, rw), 0);
  assert_int_equal(n, 42);
  assert_int_equal(at, 42);
}

/* Each call wants exactly its rights. */
static void test_rights_needed(void **state) {
  enum { READ, WRITE, PREAD, PWRITE, TELL, SEEK, SYNC, DATASYNC, CALLS };
  static const rights_t needed[CALLS] = {
      [READ] = RIGHT_FD_READ,
      [WRITE] = RIGHT_FD_WRITE,
      [PREAD] = RIGHT_FD_READ | RIGHT_FD_SEEK,
      [PWRITE] = RIGHT_FD_WRITE | RIGHT_FD_SEEK,
      [TELL] = RIGHT_FD_TELL,
      [SEEK] = RIGHT_FD_SEEK | RIGHT_FD_TELL,
      [SYNC] = RIGHT_FD_SYNC,
      [DATASYNC] = RIGHT_FD_DATASYNC,
  };
  for (rights_t rights = 0; rights < 0x80; rights++) {
    char c = 'x';
    struct iovec iov = {&c, 1};
    size_t n;
    filesize_t at;
    fd_t fd = add_file("abc", rights);
    errno_t results[CALLS] = {
        [READ] = sys_fd_read(t, fd, &iov, 1, &n),
        [WRITE] = sys_fd_write(t, fd, &iov, 1, &n),
        [PREAD] = sys_fd_pread(t, fd, &iov, 1, 0, &n),
        [PWRITE] = sys_fd_pwrite(t, fd, &iov, 1, 0, &n),
        [TELL] = sys_fd_seek(t, fd, 0, WHENCE_CUR, &at),
        [SEEK] = sys_fd_seek(t, fd, 0, WHENCE_SET, &at),
        [SYNC] = sys_fd_sync(t, fd),
        [DATASYNC] = sys_fd_datasync(t, fd),
    };
    for (int i = 0; i < CALLS; i++)
      assert_int_equal(results[i], (needed[i] & ~rights) != 0 ? ENOTCAPABLE : 0);
    assert_int_equal(sys_fd_close(t, fd), 0);
  }
}

static void test_stat(void **state) {
  struct fdstat st, before = {0}, zero = {0};
  fd_t fd = add_file("", 0xff);
  memset(&st, 0xee, sizeof st);
  assert_int_equal(sys_fd_stat_get(t, 99, &st), EBADF);
  assert_int_equal(sys_fd_stat_get(t, fd, (struct fdstat *)world_hole), EFAULT);
  assert_int_equal(sys_fd_stat_get(t, fd, &st), 0);
  before.fs_filetype = FILETYPE_REGULAR_FILE;
  before.fs_rights_base = 0xff;
  before.fs_rights_inheriting = 0x5;
  assert_memory_equal(&st, &before, sizeof st); /* nothing of the kernel's in the padding */

  for (fdsflags_t flags = 0; flags < 8; flags++) {
    if (flags != FDSTAT_FLAGS && flags != FDSTAT_RIGHTS)
      assert_int_equal(sys_fd_stat_put(t, 99, &st, flags), EINVAL);
  }
  assert_int_equal(sys_fd_stat_put(t, 99, &st, FDSTAT_RIGHTS), EBADF);
  assert_int_equal(sys_fd_stat_put(t, fd, (struct fdstat *)world_hole, FDSTAT_RIGHTS), EFAULT);

  st.fs_flags = 0x20;
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_FLAGS), EINVAL);
  st.fs_flags = FDFLAG_NONBLOCK | FDFLAG_SYNC;
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_FLAGS), 0);
  fd_t copy;
  assert_int_equal(sys_fd_dup(t, fd, &copy), 0);
  assert_int_equal(sys_fd_stat_get(t, copy, &st), 0);
  assert_int_equal(st.fs_flags, FDFLAG_NONBLOCK | FDFLAG_SYNC);
  assert_int_equal(st.fs_rights_base, 0xff);

  st.fs_rights_base = 0x1ff; /* one more */
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_RIGHTS), ENOTCAPABLE);
  st.fs_rights_base = 0xff | 1ull << 63;
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_RIGHTS), ENOTCAPABLE);
  st.fs_rights_base = 0xff;
  st.fs_rights_inheriting = 0x2;
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_RIGHTS), ENOTCAPABLE);
  st.fs_rights_base = 0xf7;
  st.fs_rights_inheriting = 0x4;
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_RIGHTS), 0);
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_RIGHTS), 0); /* the same again */
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_FLAGS), ENOTCAPABLE);
  assert_int_equal(sys_fd_stat_put(t, fd, &zero, FDSTAT_RIGHTS), 0);
  assert_int_equal(sys_fd_stat_get(t, copy, &st), 0);
  assert_int_equal(st.fs_rights_base, 0xff); /* the other entry's are its own */
  assert_int_equal(sys_fd_dup(t, fd, &copy), 0);
  assert_int_equal(sys_fd_stat_get(t, copy, &st), 0);
  assert_int_equal(st.fs_rights_base, 0);
}

static void test_dup_replace_close(void **state) {
  fd_t fd = add_file("0123", FILE_RIGHTS), copy = 55;
  assert_int_equal(sys_fd_dup(t, 99, &copy), EBADF);
  assert_int_equal(sys_fd_dup(t, fd, (fd_t *)world_hole), EFAULT);
  assert_int_equal(copy, 55);
  assert_int_equal(world_process.fds.count, 1);
  for (fd_t i = 1; i < 40; i++) { /* across the table's growth */
    assert_int_equal(sys_fd_dup(t, fd, &copy), 0);
    assert_int_equal(copy, i);
  }
  expect_read(fd, 2, "01");
  expect_read(copy, 2, "23"); /* one offset */
  assert_int_equal(sys_fd_replace(t, 5, 99), EBADF);
  assert_int_equal(sys_fd_replace(t, 5, 6), 0);
  assert_int_equal(sys_fd_close(t, 5), 0);
  assert_int_equal(sys_fd_close(t, 5), EBADF);
  assert_int_equal(sys_fd_close(t, 0xffffffff), EBADF);
}

static void test_streams(void **state) {
  char buf[8];
  size_t n = 3;
  struct iovec iov = {buf, 8};
  fd_t fd = add_other(&stream_ops, FILETYPE_SOCKET_STREAM, RIGHTS_ALL_EVER);
  expect_read(fd, 10, "stream");
  assert_int_equal(write_text(fd, "hello"), 0);
  assert_memory_equal(got, "hello", 5);
  assert_int_equal(sys_fd_pread(t, fd, &iov, 1, 0, &n), ESPIPE);
  assert_int_equal(sys_fd_pwrite(t, fd, &iov, 1, 0, &n), ESPIPE);
  assert_int_equal(sys_fd_seek(t, fd, 0, WHENCE_SET, &(filesize_t){0}), ESPIPE);
  assert_int_equal(sys_fd_sync(t, fd), ENOTSUP);
  struct fdstat st = {.fs_flags = FDFLAG_NONBLOCK};
  assert_int_equal(sys_fd_stat_put(t, fd, &st, FDSTAT_FLAGS), 0);
  assert_int_equal(sys_fd_read(t, fd, &iov, 1, &n), EAGAIN);
  assert_int_equal(n, 3);
  fd = add_other(&mute_ops, FILETYPE_PROCESS, RIGHTS_ALL_EVER);
  assert_int_equal(sys_fd_read(t, fd, &iov, 1, &n), ENOTSUP);
  assert_int_equal(sys_fd_write(t, fd, &iov, 1, &n), ENOTSUP);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_read_write, end),
      cmocka_unit_test_teardown(test_positions, end),
      cmocka_unit_test_teardown(test_append, end),
      cmocka_unit_test_teardown(test_synchronous_writes, end),
      cmocka_unit_test_teardown(test_order_of_errors, end),
      cmocka_unit_test_teardown(test_rights_needed, end),
      cmocka_unit_test_teardown(test_stat, end),
      cmocka_unit_test_teardown(test_dup_replace_close, end),
      cmocka_unit_test_teardown(test_streams, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
