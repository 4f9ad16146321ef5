// sources: kernel/sys/sock.c kernel/fdtable.c kernel/file.c kernel/uio.c
/*
 * The sock_* system calls over a socket that keeps one message: flags, and descriptors in messages.
 */
#include "tests/host/world.h"

#include "kernel/sys/sys.h"

static struct thread *const t = &world_thread;

#define SOCKET 0x801008004aull

/* ---- The socket: what was sent is what is received ------------------------------------------- */

static char data[64];
static size_t data_len;
static struct fd_bundle *fds;
static roflags_t out_flags;
static uint16_t last_flags;
static sdflags_t shut;
static errno_t next_error;
static size_t files; /* alive */

static void op_close(struct file *f) {
  files--;
  kfree(f);
}

static errno_t op_send(struct file *f, struct sockmsg *msg) {
  data_len = msg->uio->resid;
  if (next_error != 0)
    return next_error;
  fds = msg->fds;
  msg->fds = NULL;
  return uio_copy_from(msg->uio, data, sizeof data);
}

static errno_t op_recv(struct file *f, struct sockmsg *msg) {
  last_flags = msg->flags;
  if (next_error != 0)
    return next_error;
  msg->out_flags = out_flags;
  if (msg->fds_max > 0)
    msg->fds = fds;
  else
    fd_bundle_free(fds);
  fds = NULL;
  return uio_copy_to(msg->uio, data, data_len);
}

static errno_t op_shutdown(struct file *f, sdflags_t how) {
  shut = how;
  return 0;
}

static const struct file_ops socket_ops = {
    .close = op_close, .recv = op_recv, .send = op_send, .shutdown = op_shutdown};
static const struct file_ops other_ops = {.close = op_close};

static struct file *new_file(const struct file_ops *ops, filetype_t type) {
  struct file *f = kmalloc(sizeof *f);
  file_init(f, ops, type, 0);
  files++;
  return f;
}

static fd_t add(const struct file_ops *ops, rights_t base, rights_t inheriting) {
  fd_t fd;
  struct file *f = new_file(ops, FILETYPE_SOCKET_STREAM);
  assert_int_equal(fd_install(&world_process.fds, f, base, inheriting, &fd), 0);
  return fd;
}

static struct fd_entry *entry_of(fd_t fd) {
  struct fd_entry *e;
  assert_int_equal(fd_lookup(&world_process.fds, fd, &e), 0);
  return e;
}

static int end(void **state) {
  fdtable_destroy(&world_process.fds);
  assert_int_equal(files, 0);
  assert_int_equal(world_live, 0);
  next_error = 0;
  out_flags = 0;
  return 0;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static errno_t send(fd_t fd, const char *s, const fd_t *list, size_t n) {
  struct iovec iov = {(void *)s, strlen(s)};
  struct send_in in = {&iov, 1, list, n, 0};
  struct send_out out = {99};
  errno_t e = sys_sock_send(t, fd, &in, &out);
  assert_int_equal(out.so_datalen, e == 0 ? strlen(s) : 99);
  return e;
}

static void test_plain(void **state) {
  char buf[16];
  struct iovec iov = {buf, sizeof buf};
  struct recv_in in = {&iov, 1, NULL, 0, SOCK_RECV_PEEK | SOCK_RECV_WAITALL};
  struct recv_out out, expected = {.ro_datalen = 5, .ro_flags = SOCK_RECV_DATA_TRUNCATED};
  fd_t fd = add(&socket_ops, SOCKET, 0);
  assert_int_equal(send(fd, "hello", NULL, 0), 0);
  memset(&out, 0xee, sizeof out);
  out_flags = SOCK_RECV_DATA_TRUNCATED;
  assert_int_equal(sys_sock_recv(t, fd, &in, &out), 0);
  assert_memory_equal(buf, "hello", 5);
  assert_int_equal(last_flags, SOCK_RECV_PEEK | SOCK_RECV_WAITALL);
  assert_memory_equal(&out, &expected, 58); /* the unused bytes are zero */
}

static void test_errors(void **state) {
  struct send_in send_in = {0};
  struct recv_in recv_in = {0};
  struct send_out so = {7};
  struct recv_out ro = {.ro_datalen = 7};
  fd_t none = add(&socket_ops, 0, 0), file = add(&other_ops, ~0ull, 0);
  fd_t sock = add(&socket_ops, SOCKET, 0);
  void *hole = world_hole;
  send_in.si_flags = 1;
  assert_int_equal(sys_sock_send(t, 99, hole, &so), EBADF);
  assert_int_equal(sys_sock_send(t, none, hole, &so), ENOTCAPABLE);
  assert_int_equal(sys_sock_send(t, sock, hole, &so), EFAULT);
  assert_int_equal(sys_sock_send(t, sock, &send_in, &so), EINVAL);
  send_in.si_flags = 0;
  assert_int_equal(sys_sock_send(t, file, &send_in, &so), ENOTSOCK);
  assert_int_equal(sys_sock_send(t, sock, &send_in, hole), EFAULT);
  send_in.si_data_len = 1025;
  assert_int_equal(sys_sock_send(t, sock, &send_in, &so), EINVAL);
  recv_in.ri_flags = 1;
  assert_int_equal(sys_sock_recv(t, 99, hole, &ro), EBADF);
  assert_int_equal(sys_sock_recv(t, none, hole, &ro), ENOTCAPABLE);
  assert_int_equal(sys_sock_recv(t, sock, hole, &ro), EFAULT);
  assert_int_equal(sys_sock_recv(t, sock, &recv_in, &ro), EINVAL);
  recv_in.ri_flags = 0;
  assert_int_equal(sys_sock_recv(t, file, &recv_in, &ro), ENOTSOCK);
  assert_int_equal(sys_sock_recv(t, sock, &recv_in, hole), EFAULT);
  next_error = EPIPE;
  send_in.si_data_len = 0;
  assert_int_equal(sys_sock_send(t, sock, &send_in, &so), EPIPE);
  assert_int_equal(sys_sock_recv(t, sock, &recv_in, &ro), EPIPE);
  assert_int_equal(so.so_datalen, 7);
  assert_int_equal(ro.ro_datalen, 7);
}

static void test_shutdown(void **state) {
  fd_t fd = add(&socket_ops, SOCKET, 0), none = add(&socket_ops, 0, 0);
  fd_t file = add(&other_ops, ~0ull, 0);
  for (int how = 0; how < 256; how++) {
    bool good = how >= 1 && how <= 3;
    assert_int_equal(sys_sock_shutdown(t, 99, (sdflags_t)how), good ? EBADF : EINVAL);
    assert_int_equal(sys_sock_shutdown(t, fd, (sdflags_t)how), good ? 0 : EINVAL);
    if (good)
      assert_int_equal(shut, how);
  }
  assert_int_equal(sys_sock_shutdown(t, none, SHUT_RD), ENOTCAPABLE);
  assert_int_equal(sys_sock_shutdown(t, file, SHUT_RD), ENOTSOCK);
}

static errno_t recv_fds(fd_t fd, fd_t *list, size_t n, struct recv_out *out) {
  struct recv_in in = {NULL, 0, list, n, 0};
  return sys_sock_recv(t, fd, &in, out);
}

static void test_descriptors(void **state) {
  struct recv_out out;
  fd_t sock = add(&socket_ops, SOCKET, 0);
  fd_t a = add(&other_ops, 0x111, 0x222), b = add(&other_ops, 0x333, 0x444);
  fd_t list[4] = {b, a, 99, 77}, got[4] = {77, 77, 77, 77};
  assert_int_equal(send(sock, "x", list, 3), EBADF); /* nothing is sent */
  assert_null(fds);
  assert_int_equal(send(sock, "x", (fd_t *)world_hole, 1), EFAULT);
  assert_int_equal(send(sock, "x", list, 501), EINVAL);
  next_error = EAGAIN;
  assert_int_equal(send(sock, "x", list, 2), EAGAIN);
  next_error = 0;
  assert_int_equal(entry_of(a)->file->refs, 1);

  assert_int_equal(send(sock, "x", list, 2), 0);
  data_len = 0;
  assert_int_equal(sys_sock_shutdown(t, sock, SHUT_RD), 0);
  assert_int_equal(fd_close(&world_process.fds, a), 0); /* the sender may close its own */
  assert_int_equal(recv_fds(sock, got, 4, &out), 0);
  assert_int_equal(out.ro_fdslen, 2);
  assert_int_equal(out.ro_flags, 0);
  assert_int_equal(got[0], a); /* the lowest number was free again */
  assert_int_equal(got[1], b + 1);
  assert_int_equal(got[2], 77);
  assert_int_equal(entry_of(got[0])->base, 0x333); /* rights travel along */
  assert_int_equal(entry_of(got[0])->inheriting, 0x444);
  assert_int_equal(entry_of(got[1])->base, 0x111);
  assert_ptr_equal(entry_of(got[0])->file, entry_of(b)->file);

  assert_int_equal(send(sock, "", list, 1), 0); /* no array: dropped in silence */
  assert_int_equal(recv_fds(sock, NULL, 0, &out), 0);
  assert_int_equal(out.ro_fdslen, 0);
  assert_int_equal(out.ro_flags, 0);

  assert_int_equal(send(sock, "", list, 2), 0);
  uint32_t count = world_process.fds.count;
  assert_int_equal(recv_fds(sock, (fd_t *)world_hole, 4, &out), EFAULT);
  assert_int_equal(world_process.fds.count, count); /* none stays */
  struct recv_in in = {NULL, 0, got, 4, 0};
  assert_int_equal(send(sock, "", list, 2), 0);
  assert_int_equal(sys_sock_recv(t, sock, &in, (struct recv_out *)world_hole), EFAULT);
  assert_int_equal(world_process.fds.count, count);
}

static void test_more_descriptors_than_room(void **state) {
  struct recv_out out;
  fd_t sock = add(&socket_ops, SOCKET, 0), other = add(&other_ops, 0x111, 0x222);
  fd_t list[40], got[40];
  for (int i = 0; i < 40; i++)
    list[i] = other;
  assert_int_equal(send(sock, "", list, 40), 0);
  assert_int_equal(recv_fds(sock, got, 30, &out), 0);
  assert_int_equal(out.ro_fdslen, 30);
  assert_int_equal(out.ro_flags, SOCK_RECV_FDS_TRUNCATED);
  assert_int_equal(got[29], 31);
  assert_int_equal(entry_of(other)->file->refs, 1 + 30); /* the rest is closed */
  assert_int_equal(send(sock, "", list, 40), 0);
  world_allocations_left = 0; /* not even for the list of numbers */
  assert_int_equal(recv_fds(sock, got, 40, &out), 0);
  world_allocations_left = -1;
  assert_int_equal(out.ro_fdslen, 0);
  assert_int_equal(out.ro_flags, SOCK_RECV_FDS_TRUNCATED);
  assert_int_equal(entry_of(other)->file->refs, 1 + 30);
}

/* It watches descriptors of its own process. */
static void test_poll_descriptors_stay(void **state) {
  fd_t sock = add(&socket_ops, SOCKET, 0), other = add(&other_ops, 0x111, 0x222);
  entry_of(other)->file->type = FILETYPE_POLL;
  assert_int_equal(send(sock, "x", &other, 1), ENOTSUP);
}

/* No number left, or no memory for a larger table: the rest counts as truncated. */
static void test_descriptors_without_numbers(void **state) {
  struct recv_out out;
  fd_t got[4], fd;
  fd_t sock = add(&socket_ops, SOCKET, 0), other = add(&other_ops, 0x111, 0x222);
  fd_t list[3] = {other, other, other};
  for (int i = 0; i < 12; i++)
    assert_int_equal(fd_install(&world_process.fds, file_ref(entry_of(other)->file), 0, 0, &fd), 0);
  assert_int_equal(send(sock, "", list, 3), 0);
  world_allocations_left = 0; /* for a larger table */
  assert_int_equal(recv_fds(sock, got, 4, &out), 0);
  world_allocations_left = -1;
  assert_int_equal(out.ro_fdslen, 2);
  assert_int_equal(out.ro_flags, SOCK_RECV_FDS_TRUNCATED);
  assert_int_equal(entry_of(other)->file->refs, 1 + 12 + 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_plain, end),
      cmocka_unit_test_teardown(test_errors, end),
      cmocka_unit_test_teardown(test_shutdown, end),
      cmocka_unit_test_teardown(test_descriptors, end),
      cmocka_unit_test_teardown(test_descriptors_without_numbers, end),
      cmocka_unit_test_teardown(test_more_descriptors_than_room, end),
      cmocka_unit_test_teardown(test_poll_descriptors_stay, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
