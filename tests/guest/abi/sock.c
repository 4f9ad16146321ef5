/*
 * sock_*, and descriptors that are TCP connections, from inside: {out: fd, dir: fd, listener:
 * socket}. The other end does what lines "peer: COMMAND" ask (tests/vm/abi.py). Reference 5, 7
 * and 9.2.
 */
#include <program.h>
#include <stdatomic.h>

#include "../check.h"
#include "raw.h"

#define SOCKET_BASE 0x1ea1008004a
#define ALL_EVER 0x1ffffffffff
#define BIG (1 << 20)

static cloudabi_fd_t dir, listener;
static uint8_t data[BIG];

static void peer(const char *command, unsigned argument) {
  dprintf(check_fd, "peer: %s %u\n", command, argument);
}

static cloudabi_errno_t accept_one(cloudabi_fd_t *fd) {
  return cloudabi_sys_sock_accept(listener, NULL, fd);
}

static cloudabi_fd_t connection(void) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  peer("connect", 0);
  accept_one(&fd);
  return fd;
}

static void set_flags(cloudabi_fd_t fd, cloudabi_fdflags_t flags) {
  struct cloudabi_fdstat st = {.fs_flags = flags};
  cloudabi_sys_fd_stat_put(fd, &st, CLOUDABI_FDSTAT_FLAGS);
}

static cloudabi_errno_t receive(cloudabi_fd_t fd, void *buf, size_t n, cloudabi_riflags_t flags,
                                struct cloudabi_recv_out *out) {
  struct cloudabi_iovec iov = {buf, n};
  struct cloudabi_recv_in in = {.ri_data = &iov, .ri_data_len = 1, .ri_flags = flags};
  return cloudabi_sys_sock_recv(fd, &in, out);
}

static cloudabi_errno_t send(cloudabi_fd_t fd, const void *buf, size_t n, size_t *sent) {
  struct cloudabi_iovec iov = {(void *)(uintptr_t)buf, n};
  struct cloudabi_send_in in = {.si_data = &iov, .si_data_len = 1};
  struct cloudabi_send_out out = {99};
  cloudabi_errno_t e = cloudabi_sys_sock_send(fd, &in, &out);
  *sent = out.so_datalen;
  return e;
}

static cloudabi_errno_t poll_fd(cloudabi_fd_t fd, cloudabi_eventtype_t type, uint64_t timeout_ns,
                                struct cloudabi_event *ev) {
  struct cloudabi_subscription s;
  memset(&s, 0, sizeof(s));
  s.type = type;
  s.userdata = 5;
  s.fd_readwrite.fd = fd;
  s.fd_readwrite.flags = CLOUDABI_SUBSCRIPTION_FD_READWRITE_POLL;
  return raw_wait(s, timeout_ns, ev);
}

/* Whether the peer says yes. */
static bool answer(cloudabi_fd_t fd) {
  char c = 0;
  size_t n = 0;
  return raw_read(fd, &c, 1, &n) == 0 && n == 1 && c == 'y';
}

static bool pattern(const uint8_t *p, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (p[i] != i % 251)
      return false;
  }
  return true;
}

/* ---- Accepting ------------------------------------------------------------------------------- */

static void check_names(cloudabi_fd_t fd, const struct cloudabi_sockstat *accepted) {
  struct cloudabi_sockstat st;
  memset(&st, 0xee, sizeof(st));
  check_err("sock_stat_get", "a flag that is none", cloudabi_sys_sock_stat_get(fd, &st, 2),
            CLOUDABI_EINVAL);
  check_err("sock_stat_get", "a closed number", cloudabi_sys_sock_stat_get(RAW_BAD_FD, &st, 0),
            CLOUDABI_EBADF);
  check("sock_stat_get", "failures leave the result alone", raw_all(&st, sizeof(st), 0xee));
  check_err("sock_stat_get", "a connection", cloudabi_sys_sock_stat_get(fd, &st, 0), 0);
  check("sock_stat_get", "a connection: our address",
        st.ss_sockname.sa_family == CLOUDABI_AF_INET && st.ss_sockname.sa_inet.addr[0] == 10 &&
            st.ss_sockname.sa_inet.port == 8080);
  check("sock_stat_get", "a connection: the peer's address, as accept told it",
        memcmp(&st.ss_peername, &accepted->ss_peername, 20) == 0);
  check("sock_stat_get", "a connection: no error, not listening",
        st.ss_error == 0 && st.ss_state == 0);
  check_err("sock_stat_get", "a listener", cloudabi_sys_sock_stat_get(listener, &st, 1), 0);
  check("sock_stat_get", "a listener: its port, no peer, accepting",
        st.ss_sockname.sa_inet.port == 8080 && st.ss_peername.sa_family == CLOUDABI_AF_UNSPEC &&
            st.ss_state == CLOUDABI_SOCKSTATE_ACCEPTCONN);
  check_err("sock_listen", "a listener of the network", cloudabi_sys_sock_listen(listener, 5), 0);
  check_err("sock_listen", "a connection of the network", cloudabi_sys_sock_listen(fd, 5),
            CLOUDABI_EINVAL);
}

static void check_listener(void) {
  struct cloudabi_fdstat st;
  struct cloudabi_event ev;
  struct cloudabi_sockstat names;
  cloudabi_fd_t fd = 77;
  size_t n;
  char c;
  cloudabi_sys_fd_stat_get(listener, &st);
  check("fd_stat_get", "a listening socket: type, rights, inheriting rights",
        st.fs_filetype == CLOUDABI_FILETYPE_SOCKET_STREAM && st.fs_rights_base == SOCKET_BASE &&
            st.fs_rights_inheriting == ALL_EVER);
  set_flags(listener, CLOUDABI_FDFLAG_NONBLOCK);
  check_err("sock_accept", "nobody is there, not blocking", accept_one(&fd), CLOUDABI_EAGAIN);
  check_eq("sock_accept", "a failure leaves the result alone", fd, 77);
  set_flags(listener, 0);
  check("poll", "a listening socket without connections",
        poll_fd(listener, CLOUDABI_EVENTTYPE_FD_READ, 10 * RAW_MS, &ev) == 0 &&
            ev.type == CLOUDABI_EVENTTYPE_CLOCK);
  check("fd_read", "a listening socket", raw_read(listener, &c, 1, &n) != 0);
  check("fd_write", "a listening socket", raw_write(listener, "x", 1) != 0);

  peer("connect", 0);
  check("poll", "a listening socket with a connection",
        poll_fd(listener, CLOUDABI_EVENTTYPE_FD_READ, 0, &ev) == 0 && ev.error == 0 &&
            ev.type == CLOUDABI_EVENTTYPE_FD_READ && ev.fd_readwrite.fd == listener);
  memset(&names, 0xee, sizeof(names));
  check_err("sock_accept", "a connection", cloudabi_sys_sock_accept(listener, &names, &fd), 0);
  check("sock_accept", "the name of the peer alone is told",
        raw_all(&names.ss_sockname, 20, 0) && names.ss_peername.sa_family == CLOUDABI_AF_INET &&
            names.ss_peername.sa_inet.addr[0] == 10 && names.ss_peername.sa_inet.port != 0 &&
            names.ss_error == 0 && names.ss_state == 0);
  check_names(fd, &names);
  cloudabi_sys_fd_stat_get(fd, &st);
  check_eq("sock_accept", "a connection's type", st.fs_filetype, CLOUDABI_FILETYPE_SOCKET_STREAM);
  check_eq("sock_accept", "a connection's flags", st.fs_flags, 0);
  check_eq("sock_accept", "a connection's rights", st.fs_rights_base, SOCKET_BASE);
  check_eq("sock_accept", "a connection's inheriting rights", st.fs_rights_inheriting, ALL_EVER);
  check("sock_accept", "a connection is not a listener",
        cloudabi_sys_sock_accept(fd, NULL, &fd) == CLOUDABI_EINVAL);
  cloudabi_sys_fd_close(fd);

  cloudabi_fd_t less = 0;
  cloudabi_sys_fd_dup(listener, &less);
  raw_set_rights(less, CLOUDABI_RIGHT_SOCK_ACCEPT, CLOUDABI_RIGHT_FD_READ);
  peer("connect", 0);
  check_err("sock_accept", "with its right alone", cloudabi_sys_sock_accept(less, NULL, &fd), 0);
  cloudabi_sys_fd_stat_get(fd, &st);
  check("sock_accept", "a connection has what its listener hands on",
        st.fs_rights_base == CLOUDABI_RIGHT_FD_READ &&
            st.fs_rights_inheriting == CLOUDABI_RIGHT_FD_READ);
  check_err("fd_write", "a connection without fd_write", raw_write(fd, "x", 1),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(fd);
  raw_set_rights(less, 0, 0);
  check_err("sock_accept", "without its right", cloudabi_sys_sock_accept(less, NULL, &fd),
            CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(less);
  check_err("sock_accept", "a closed number", cloudabi_sys_sock_accept(less, NULL, &fd),
            CLOUDABI_EBADF);
  check_err("sock_accept", "a directory", cloudabi_sys_sock_accept(dir, NULL, &fd),
            CLOUDABI_ENOTCAPABLE);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static void check_receive(cloudabi_fd_t fd) {
  struct cloudabi_recv_out out;
  struct cloudabi_filestat st;
  struct cloudabi_event ev;
  size_t n;
  set_flags(fd, CLOUDABI_FDFLAG_NONBLOCK);
  memset(&out, 0xee, sizeof(out));
  check_err("sock_recv", "nothing there, not blocking", receive(fd, data, 10, 0, &out),
            CLOUDABI_EAGAIN);
  check("sock_recv", "a failure leaves the result alone", raw_all(&out, sizeof(out), 0xee));
  check_err("fd_read", "nothing there, not blocking", raw_read(fd, data, 10, &n), CLOUDABI_EAGAIN);
  set_flags(fd, 0);
  check("poll", "a connection without data",
        poll_fd(fd, CLOUDABI_EVENTTYPE_FD_READ, 10 * RAW_MS, &ev) == 0 &&
            ev.type == CLOUDABI_EVENTTYPE_CLOCK);
  peer("send", 100);
  check_err("sock_recv", "to look", receive(fd, data, 40, CLOUDABI_SOCK_RECV_PEEK, &out), 0);
  check("sock_recv", "to look: contents", out.ro_datalen == 40 && pattern(data, 40));
  check("poll", "a connection with data",
        poll_fd(fd, CLOUDABI_EVENTTYPE_FD_READ, 0, &ev) == 0 && ev.error == 0 &&
            ev.fd_readwrite.nbytes == 100 && ev.fd_readwrite.flags == 0);
  memset(&out, 0xee, sizeof(out));
  memset(data, 0, 200);
  check_err("sock_recv", "data", receive(fd, data, 60, 0, &out), 0);
  check("sock_recv", "data: from the start, though it was looked at",
        out.ro_datalen == 60 && pattern(data, 60));
  check(
      "sock_recv", "no descriptors, no flags, no names",
      out.ro_fdslen == 0 && out.ro_flags == 0 && raw_all(out.ro_unused, sizeof(out.ro_unused), 0));
  check("fd_read", "the rest", raw_read(fd, data, 200, &n) == 0 && n == 40 && data[0] == 60);

  peer("send", 5000);
  check_err("sock_recv", "all of it", receive(fd, data, 5000, CLOUDABI_SOCK_RECV_WAITALL, &out), 0);
  check("sock_recv", "all of it: contents", out.ro_datalen == 5000 && pattern(data, 5000));
  peer("send", BIG);
  check_err("sock_recv", "a mebibyte", receive(fd, data, BIG, CLOUDABI_SOCK_RECV_WAITALL, &out), 0);
  check("sock_recv", "a mebibyte: contents", out.ro_datalen == BIG && pattern(data, BIG));
  for (unsigned flags = 1; flags <= 0x20; flags <<= 1) {
    char what[40];
    if (flags == CLOUDABI_SOCK_RECV_PEEK || flags == CLOUDABI_SOCK_RECV_WAITALL)
      continue;
    snprintf(what, sizeof(what), "flag %#x", flags);
    check_err("sock_recv", what, receive(fd, data, 1, flags, &out), CLOUDABI_EINVAL);
  }
  check_err("sock_recv", "a directory", receive(dir, data, 1, 0, &out), CLOUDABI_ENOTCAPABLE);
  check_err("sock_recv", "a closed number", receive(RAW_BAD_FD, data, 1, 0, &out), CLOUDABI_EBADF);
  memset(&st, 0xee, sizeof(st));
  check_err("file_stat_fget", "a connection", cloudabi_sys_file_stat_fget(fd, &st), 0);
  check("file_stat_fget", "a connection: type and size",
        st.st_filetype == CLOUDABI_FILETYPE_SOCKET_STREAM && st.st_size == 0);
  uint64_t at;
  check_err("fd_seek", "a connection", cloudabi_sys_fd_seek(fd, 0, CLOUDABI_WHENCE_CUR, &at),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_sync", "a connection", cloudabi_sys_fd_sync(fd), CLOUDABI_ENOTCAPABLE);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void check_send(cloudabi_fd_t fd) {
  size_t n = 0;
  struct cloudabi_event ev;
  for (size_t i = 0; i < BIG; i++)
    data[i] = i % 251;
  check("poll", "a connection can be written",
        poll_fd(fd, CLOUDABI_EVENTTYPE_FD_WRITE, 0, &ev) == 0 && ev.error == 0 &&
            ev.fd_readwrite.flags == 0);
  peer("expect", 1000);
  check_err("sock_send", "data", send(fd, data, 1000, &n), 0);
  check_eq("sock_send", "data: all of it", n, 1000);
  check("sock_send", "data: arrives", answer(fd));
  peer("expect", BIG);
  check_err("sock_send", "a mebibyte", send(fd, data, BIG, &n), 0);
  check_eq("sock_send", "a mebibyte: all of it, blocking", n, BIG);
  check("sock_send", "a mebibyte: arrives", answer(fd));
  struct cloudabi_iovec iov[3] = {{data, 10}, {NULL, 0}, {data + 10, 20}};
  peer("expect", 30);
  check_err("fd_write", "pieces to a connection", cloudabi_sys_fd_write(fd, iov, 3, &n), 0);
  check_eq("fd_write", "pieces to a connection: all of them", n, 30);
  check("fd_write", "pieces to a connection: arrive", answer(fd));

  struct cloudabi_send_in in = {.si_data = iov, .si_data_len = 1, .si_flags = 1};
  struct cloudabi_send_out out = {99};
  check_err("sock_send", "flags", cloudabi_sys_sock_send(fd, &in, &out), CLOUDABI_EINVAL);
  cloudabi_fd_t fds[2] = {dir, RAW_BAD_FD};
  in = (struct cloudabi_send_in){.si_data = iov, .si_data_len = 1, .si_fds = fds, .si_fds_len = 2};
  check_err("sock_send", "a closed descriptor along with it", cloudabi_sys_sock_send(fd, &in, &out),
            CLOUDABI_EBADF);
  in.si_fds_len = 1;
  check_err("sock_send", "descriptors over a network", cloudabi_sys_sock_send(fd, &in, &out),
            CLOUDABI_ENOTSUP);
  in.si_fds_len = SIZE_MAX;
  check("sock_send", "SIZE_MAX descriptors", cloudabi_sys_sock_send(fd, &in, &out) != 0);
  check_eq("sock_send", "failures leave the result alone", out.so_datalen, 99);
  check_err("sock_send", "to the console", send(check_fd, "x", 1, &n), CLOUDABI_ENOTSOCK);

  set_flags(fd, CLOUDABI_FDFLAG_NONBLOCK);
  size_t total = 0;
  cloudabi_errno_t e = 0;
  do { /* until what lies between takes no more either */
    while ((e = send(fd, data + total % 251, BIG / 2, &n)) == 0)
      total += n;
    poll_fd(fd, CLOUDABI_EVENTTYPE_FD_WRITE, 100 * RAW_MS, &ev);
  } while (e == CLOUDABI_EAGAIN && ev.type != CLOUDABI_EVENTTYPE_CLOCK && total < 64ul * BIG);
  check_err("sock_send", "not blocking, until nothing goes any more", e, CLOUDABI_EAGAIN);
  check("poll", "a connection that is full", ev.type == CLOUDABI_EVENTTYPE_CLOCK);
  set_flags(fd, 0);
  peer("expect", total);
  check("poll", "room comes when the peer reads",
        poll_fd(fd, CLOUDABI_EVENTTYPE_FD_WRITE, 0, &ev) == 0);
  check("sock_send", "what was sent without blocking arrives", answer(fd));
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void check_shutdown(cloudabi_fd_t fd) {
  size_t n = 99;
  static const cloudabi_sdflags_t bad[] = {0, 4, 7, 0x80};
  for (size_t i = 0; i < sizeof(bad); i++) {
    char what[40];
    snprintf(what, sizeof(what), "how %#x", bad[i]);
    check_err("sock_shutdown", what, cloudabi_sys_sock_shutdown(fd, bad[i]), CLOUDABI_EINVAL);
  }
  check_err("sock_shutdown", "the console", cloudabi_sys_sock_shutdown(check_fd, CLOUDABI_SHUT_WR),
            CLOUDABI_ENOTCAPABLE);
  check_err("sock_shutdown", "a closed number",
            cloudabi_sys_sock_shutdown(RAW_BAD_FD, CLOUDABI_SHUT_WR), CLOUDABI_EBADF);
  cloudabi_fd_t less = raw_dup_with(fd, ~CLOUDABI_RIGHT_SOCK_SHUTDOWN);
  check_err("sock_shutdown", "without its right",
            cloudabi_sys_sock_shutdown(less, CLOUDABI_SHUT_WR), CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(less);

  check_err("sock_shutdown", "writing", cloudabi_sys_sock_shutdown(fd, CLOUDABI_SHUT_WR), 0);
  peer("expect-end", 0);
  check("sock_shutdown", "the peer sees the end, and reading goes on", answer(fd));
  check_err("fd_write", "after the end", raw_write(fd, "x", 1), CLOUDABI_EPIPE);
  check_err("sock_send", "after the end", send(fd, "x", 1, &n), CLOUDABI_EPIPE);
  check_err("sock_shutdown", "reading", cloudabi_sys_sock_shutdown(fd, CLOUDABI_SHUT_RD), 0);
  check("fd_read", "after the end of reading", raw_read(fd, data, 1, &n) == 0 && n == 0);
  cloudabi_sys_fd_close(fd);
}

static void check_peers_end(void) {
  cloudabi_fd_t fd = connection();
  struct cloudabi_event ev;
  size_t n = 99;
  peer("send", 10);
  peer("shutdown", 0);
  check("fd_read", "what came before the peer's end",
        raw_read(fd, data, 4, &n) == 0 && n == 4 && raw_read(fd, data, 100, &n) == 0 && n == 6);
  check("fd_read", "the peer's end", raw_read(fd, data, 100, &n) == 0 && n == 0);
  check("poll", "the peer's end is a hang-up",
        poll_fd(fd, CLOUDABI_EVENTTYPE_FD_READ, 0, &ev) == 0 && ev.error == 0 &&
            (ev.fd_readwrite.flags & CLOUDABI_EVENT_FD_READWRITE_HANGUP) != 0);
  check("fd_write", "after the peer's end", raw_write(fd, "\0\1\2", 3) == 0);
  cloudabi_sys_fd_close(fd);

  fd = connection();
  peer("send", 10);
  raw_read(fd, data, 10, &n);
  peer("reset", 0);
  cloudabi_errno_t e = raw_read(fd, data, 10, &n);
  check("fd_read", "a connection that was reset", e == CLOUDABI_ECONNRESET || (e == 0 && n == 0));
  raw_write(fd, "x", 1);
  raw_sleep(50 * RAW_MS);
  e = raw_write(fd, "x", 1);
  check("fd_write", "a connection that was reset", e == CLOUDABI_EPIPE || e == CLOUDABI_ECONNRESET);
  check("poll", "a connection that was reset",
        poll_fd(fd, CLOUDABI_EVENTTYPE_FD_WRITE, 0, &ev) == 0 &&
            (ev.error != 0 || (ev.fd_readwrite.flags & CLOUDABI_EVENT_FD_READWRITE_HANGUP) != 0));
  cloudabi_sys_fd_close(fd);
}

/* ---- Other threads --------------------------------------------------------------------------- */

static cloudabi_fd_t shared;

static void read_end(struct raw_thread *t) {
  static char buf[16];
  size_t n = 99;
  t->step = 1;
  cloudabi_errno_t e = raw_read(shared, buf, sizeof(buf), &n);
  t->step = e == 0 && n == 0 ? 2 : 3;
}

static void check_blocked(void) {
  struct raw_thread t;
  shared = connection();
  raw_spawn(&t, read_end, NULL);
  raw_until(&t.step, 1);
  raw_sleep(5 * RAW_MS);
  peer("close", 0);
  raw_join(&t);
  check_eq("fd_read", "the peer's close wakes who reads", t.step, 2);
  cloudabi_sys_fd_close(shared);

  shared = connection();
  raw_spawn(&t, read_end, NULL);
  raw_until(&t.step, 1);
  raw_sleep(5 * RAW_MS);
  cloudabi_sys_sock_shutdown(shared, CLOUDABI_SHUT_RD);
  raw_join(&t);
  check_eq("sock_shutdown", "wakes who reads", t.step, 2);
  cloudabi_sys_fd_close(shared);

  shared = connection();
  raw_spawn(&t, read_end, NULL);
  raw_until(&t.step, 1);
  raw_sleep(5 * RAW_MS);
  check_err("fd_close", "while somebody reads", cloudabi_sys_fd_close(shared), 0);
  peer("close", 0);
  raw_join(&t);
  check_eq("fd_close", "who reads sees the peer's close", t.step, 2);
}

/* ---- Bad pointers ---------------------------------------------------------------------------- */

static const uintptr_t bad[] = {
    0, 1, 0xffffffff80100000, 0x800000000000, 0x7ffffffff000, UINTPTR_MAX, 0x100000};

static void check_pointers(void) {
  cloudabi_fd_t fd = connection();
  struct cloudabi_recv_out recv_out;
  size_t n;
  bool good[8] = {true, true, true, true, true, true, true, true};
  peer("send", 100);
  receive(fd, data, 1, CLOUDABI_SOCK_RECV_PEEK, &recv_out);
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    void *p = (void *)bad[i];
    struct cloudabi_iovec iov = {data, 1}, to_bad = {p, 4};
    struct cloudabi_recv_in in = {.ri_data = &iov, .ri_data_len = 1};
    struct cloudabi_send_in out = {.si_data = &iov, .si_data_len = 1};
    struct cloudabi_send_out sent;
    good[0] = good[0] && cloudabi_sys_sock_recv(fd, p, &recv_out) == CLOUDABI_EFAULT;
    good[1] = good[1] && cloudabi_sys_sock_recv(fd, &in, p) == CLOUDABI_EFAULT;
    in.ri_data = p;
    good[2] = good[2] && cloudabi_sys_sock_recv(fd, &in, &recv_out) == CLOUDABI_EFAULT;
    in.ri_data = &to_bad;
    good[3] = good[3] && cloudabi_sys_sock_recv(fd, &in, &recv_out) == CLOUDABI_EFAULT;
    good[4] = good[4] && cloudabi_sys_sock_send(fd, p, &sent) == CLOUDABI_EFAULT;
    out.si_data = &to_bad;
    good[5] = good[5] && cloudabi_sys_sock_send(fd, &out, &sent) == CLOUDABI_EFAULT;
    out =
        (struct cloudabi_send_in){.si_data = &iov, .si_data_len = 1, .si_fds = p, .si_fds_len = 1};
    good[6] = good[6] && cloudabi_sys_sock_send(fd, &out, &sent) == CLOUDABI_EFAULT;
    good[7] = good[7] && cloudabi_sys_fd_read(fd, &to_bad, 1, &n) == CLOUDABI_EFAULT;
  }
  check("sock_recv", "in is no address", good[0]);
  check("sock_recv", "out is no address", good[1]);
  check("sock_recv", "the pieces are no address", good[2]);
  check("sock_recv", "a piece is no address", good[3]);
  check("sock_send", "in is no address", good[4]);
  check("sock_send", "a piece is no address", good[5]);
  check("sock_send", "the descriptors are no address", good[6]);
  check("fd_read", "a piece is no address: a connection", good[7]);
  check("fd_read", "what could not be stored is not lost",
        raw_read(fd, data, 100, &n) == 0 && n >= 90);
  struct cloudabi_recv_in many = {.ri_data = (void *)data, .ri_data_len = 1025};
  check_err("sock_recv", "1025 pieces", cloudabi_sys_sock_recv(fd, &many, &recv_out),
            CLOUDABI_EINVAL);
  cloudabi_sys_fd_close(fd);

  cloudabi_fd_t conn = 77;
  peer("connect", 0);
  check_err("sock_accept", "the result is no address",
            cloudabi_sys_sock_accept(listener, NULL, (void *)0xffffffff80100000), CLOUDABI_EFAULT);
  peer("connect", 0);
  check_err("sock_accept", "the names are no address",
            cloudabi_sys_sock_accept(listener, (void *)0xffffffff80100000, &conn), CLOUDABI_EFAULT);
  check_eq("sock_accept", "the names are no address: the result is left alone", conn, 77);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  listener = arg_fd(ad, "listener");
  check_listener();
  cloudabi_fd_t fd = connection();
  check_receive(fd);
  check_send(fd);
  check_shutdown(fd);
  check_peers_end();
  check_blocked();
  check_pointers();
  check_end();
}
