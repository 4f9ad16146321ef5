/*
 * Pairs of stream and datagram sockets from inside: {out: fd}. Reference 2.3, 5 and 7. Descriptors
 * that travel over them are in passing.c.
 */
#include <program.h>
#include <stdatomic.h>

#include "ipc.h"

#define BIG (1 << 20)

static uint8_t data[BIG], got[BIG];
static const char *kind; /* of the pair that is checked: part of the names of checks */

/* "stream: what" */
static const char *named(const char *what) {
  static char text[120];
  snprintf(text, sizeof(text), "%s: %s", kind, what);
  return text;
}

/* ---- What is made ---------------------------------------------------------------------------- */

static void check_made(cloudabi_filetype_t type) {
  struct cloudabi_fdstat st[2];
  struct cloudabi_filestat fst;
  struct pair p = {77, 77};
  cloudabi_fd_t bad = 77;
  check_err("fd_create2", kind, cloudabi_sys_fd_create2(type, &p.a, &p.b), 0);
  check("fd_create2", named("two numbers"), p.a != p.b);
  cloudabi_sys_fd_stat_get(p.a, &st[0]);
  cloudabi_sys_fd_stat_get(p.b, &st[1]);
  check("fd_create2", named("type, flags"),
        st[0].fs_filetype == type && st[1].fs_filetype == type && st[0].fs_flags == 0 &&
            st[1].fs_flags == 0);
  check_eq("fd_create2", named("rights"), st[0].fs_rights_base, 0x801008004a);
  check_eq("fd_create2", named("inheriting rights"), st[0].fs_rights_inheriting, 0x815ffff7ff);
  check("fd_create2", named("both ends have the same rights"),
        st[1].fs_rights_base == st[0].fs_rights_base &&
            st[1].fs_rights_inheriting == st[0].fs_rights_inheriting);
  memset(&fst, 0xee, sizeof(fst));
  check_err("file_stat_fget", kind, cloudabi_sys_file_stat_fget(p.a, &fst), 0);
  check("file_stat_fget", named("type and size"), fst.st_filetype == type && fst.st_size == 0);
  cloudabi_filesize_t at;
  check_err("fd_seek", kind, cloudabi_sys_fd_seek(p.a, 0, CLOUDABI_WHENCE_CUR, &at),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_sync", kind, cloudabi_sys_fd_sync(p.a), CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(p.a);
  cloudabi_sys_fd_close(p.b);
  check_err("fd_create2", named("the first result is no address"),
            cloudabi_sys_fd_create2(type, (void *)8, &bad), CLOUDABI_EFAULT);
  check_err("fd_create2", named("the second result is no address"),
            cloudabi_sys_fd_create2(type, &bad, (void *)0xffffffff80100000), CLOUDABI_EFAULT);
  struct pair again = ipc_pair(type);
  check("fd_create2", named("a failure leaves no descriptor"), again.a == p.a && again.b == p.b);
  ipc_close(again);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void check_merge(void) {
  struct pair p = ipc_pair(STREAM);
  struct cloudabi_recv_out out;
  uint8_t before[sizeof(out)];
  check("sock_send", "stream: data", ipc_put(p.a, "Hello ") && ipc_put(p.a, "world!"));
  check_err("sock_recv", "stream: peek", ipc_recv(p.b, got, 100, PEEK, NULL, 0, &out), 0);
  check("sock_recv", "stream: a peek sees what was sent by several calls",
        out.ro_datalen == 12 && memcmp(got, "Hello world!", 12) == 0);
  check("sock_recv", "stream: no flags, no descriptors", out.ro_flags == 0 && out.ro_fdslen == 0);
  memset(before, 0, sizeof(before));
  check("sock_recv", "stream: the bytes of former names are zero",
        memcmp((char *)&out + 16, before, 40) == 0);
  check("fd_read", "stream: all that was sent by several calls", ipc_gives(p.b, "Hello world!"));
  check("fd_write", "stream: the other direction", raw_write(p.b, "back", 4) == 0);
  size_t n = 0;
  check("fd_read", "stream: a part",
        raw_read(p.a, got, 3, &n) == 0 && n == 3 && memcmp(got, "bac", 3) == 0);
  check("fd_read", "stream: the rest", ipc_gives(p.a, "k"));
  struct cloudabi_iovec iov[3] = {{"abc", 3}, {NULL, 0}, {"defg", 4}};
  check("fd_write", "stream: pieces", cloudabi_sys_fd_write(p.a, iov, 3, &n) == 0 && n == 7);
  struct cloudabi_iovec to[3] = {{got, 2}, {got + 10, 1}, {got + 20, 100}};
  check("fd_read", "stream: into pieces",
        cloudabi_sys_fd_read(p.b, to, 3, &n) == 0 && n == 7 && memcmp(got, "ab", 2) == 0 &&
            got[10] == 'c' && memcmp(got + 20, "defg", 4) == 0);
  ipc_put(p.a, "x");
  check("fd_read", "stream: into no room", raw_read(p.b, got, 0, &n) == 0 && n == 0);
  check("fd_read", "stream: the byte is still there", ipc_gives(p.b, "x"));
  ipc_close(p);
}

/* Until EAGAIN; returns how much went. */
static size_t fill(cloudabi_fd_t fd, size_t step) {
  size_t total = 0, n = 0;
  ipc_flags(fd, CLOUDABI_FDFLAG_NONBLOCK);
  while (ipc_send(fd, data + total % 1000, step, NULL, 0, &n) == 0)
    total += n;
  return total;
}

static void check_full(void) {
  struct pair p = ipc_pair(STREAM);
  struct cloudabi_event ev;
  size_t n = 77;
  check("poll", "stream: an empty pair can be written, not read",
        ipc_writable(p.a) && !ipc_readable(p.b));
  check_err("fd_stat_put", "stream: not blocking", ipc_flags(p.b, CLOUDABI_FDFLAG_NONBLOCK), 0);
  check_err("fd_read", "stream: nothing is there, not blocking", raw_read(p.b, got, 1, &n),
            CLOUDABI_EAGAIN);
  check_eq("fd_read", "stream: EAGAIN leaves the result alone", n, 77);
  size_t total = fill(p.a, 5000);
  check("sock_send", "stream: takes some 64 KiB, the last write in part", total == 65536);
  check_err("sock_send", "stream: full, not blocking", ipc_send(p.a, "x", 1, NULL, 0, &n),
            CLOUDABI_EAGAIN);
  check("poll", "stream: a full pair can't be written", !ipc_writable(p.a));
  check("poll", "stream: how much can be read",
        ipc_ready(p.b, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.nbytes == total &&
            ev.fd_readwrite.flags == 0 && ev.fd_readwrite.fd == p.b);
  check("fd_read", "stream: all at once", raw_read(p.b, got, BIG, &n) == 0 && n == total);
  check("poll", "stream: it can be written again", ipc_writable(p.a));
  check("poll", "stream: how much can be written",
        ipc_ready(p.a, CLOUDABI_EVENTTYPE_FD_WRITE, &ev) && ev.fd_readwrite.nbytes == total);
  ipc_close(p);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void check_close(cloudabi_filetype_t type) {
  struct pair p = ipc_pair(type);
  struct cloudabi_event ev;
  size_t n = 77;
  ipc_put(p.a, "last");
  cloudabi_sys_fd_close(p.a);
  check("poll", named("the peer closed: readable, hung up"),
        ipc_ready(p.b, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.nbytes == 4 &&
            ev.fd_readwrite.flags == HANGUP);
  check("poll", named("the peer closed: writing would not wait, hung up"),
        ipc_ready(p.b, CLOUDABI_EVENTTYPE_FD_WRITE, &ev) && ev.fd_readwrite.flags == HANGUP);
  check("fd_read", named("what came before the peer closed"), ipc_gives(p.b, "last"));
  check("fd_read", named("the end, again and again"), ipc_gives(p.b, "") && ipc_gives(p.b, ""));
  check_err("fd_write", named("the peer closed"), raw_write(p.b, "x", 1), CLOUDABI_EPIPE);
  check_err("sock_send", named("the peer closed"), ipc_send(p.b, "x", 1, NULL, 0, &n),
            CLOUDABI_EPIPE);
  check_eq("sock_send", named("EPIPE leaves the result alone"), n, 77);
  cloudabi_sys_fd_close(p.b);
}

static void check_shutdown(cloudabi_filetype_t type) {
  struct pair p = ipc_pair(type);
  struct cloudabi_event ev;
  ipc_put(p.a, "last");
  check_err("sock_shutdown", named("writing"), cloudabi_sys_sock_shutdown(p.a, CLOUDABI_SHUT_WR),
            0);
  check_err("fd_write", named("after its end"), raw_write(p.a, "x", 1), CLOUDABI_EPIPE);
  check("poll", named("the peer's end is a hang-up for reading"),
        ipc_ready(p.b, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.flags == HANGUP);
  check("poll", named("and none for writing"),
        ipc_ready(p.b, CLOUDABI_EVENTTYPE_FD_WRITE, &ev) && ev.fd_readwrite.flags == 0);
  check("fd_read", named("before the peer's end"), ipc_gives(p.b, "last"));
  check("fd_read", named("the peer's end"), ipc_gives(p.b, ""));
  check("fd_write", named("the other direction is open"), ipc_put(p.b, "open"));
  check("fd_read", named("the other direction is open"), ipc_gives(p.a, "open"));
  ipc_put(p.b, "dropped");
  check_err("sock_shutdown", named("reading"), cloudabi_sys_sock_shutdown(p.a, CLOUDABI_SHUT_RD),
            0);
  check("fd_read", named("after the end of reading"), ipc_gives(p.a, ""));
  check_err("fd_write", named("to who reads no more"), raw_write(p.b, "x", 1), CLOUDABI_EPIPE);
  check_err("sock_shutdown", named("both, again"),
            cloudabi_sys_sock_shutdown(p.a, CLOUDABI_SHUT_RD | CLOUDABI_SHUT_WR), 0);
  ipc_close(p);
}

/* As a C library's poll() asks: both directions at once, after the peer has closed. */
static void check_both_directions(void) {
  struct pair p = ipc_pair(STREAM);
  struct cloudabi_subscription subs[2] = {
      ipc_subscription(p.b, CLOUDABI_EVENTTYPE_FD_READ),
      ipc_subscription(p.b, CLOUDABI_EVENTTYPE_FD_WRITE),
  };
  struct cloudabi_event events[2];
  size_t n = 0;
  cloudabi_sys_fd_close(p.a);
  check("poll", "stream: both directions, the peer closed",
        cloudabi_sys_poll(subs, events, 2, &n) == 0 && n == 2 && events[0].error == 0 &&
            events[1].error == 0 && events[0].fd_readwrite.flags == HANGUP &&
            events[1].fd_readwrite.flags == HANGUP);
  cloudabi_sys_fd_close(p.b);
  check("poll", "stream: both directions, closed",
        cloudabi_sys_poll(subs, events, 2, &n) == 0 && n == 2 &&
            events[0].error == CLOUDABI_EBADF && events[1].error == CLOUDABI_EBADF);
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

static void check_datagrams(void) {
  struct pair p = ipc_pair(DGRAM);
  struct cloudabi_recv_out out;
  struct cloudabi_event ev;
  size_t n = 77;
  ipc_put(p.a, "one");
  ipc_put(p.a, "second");
  check("poll", "dgram: the size of the next message",
        ipc_ready(p.b, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.nbytes == 3);
  check("fd_read", "dgram: one message each", ipc_gives(p.b, "one") && ipc_gives(p.b, "second"));
  ipc_put(p.a, "abcdef");
  check_err("sock_recv", "dgram: a peek that is too short",
            ipc_recv(p.b, got, 3, PEEK, NULL, 0, &out), 0);
  check("sock_recv", "dgram: a peek that is too short is told",
        out.ro_datalen == 3 && out.ro_flags == CLOUDABI_SOCK_RECV_DATA_TRUNCATED);
  check_err("sock_recv", "dgram: a peek leaves it", ipc_recv(p.b, got, 100, PEEK, NULL, 0, &out),
            0);
  check("sock_recv", "dgram: a peek with room", out.ro_datalen == 6 && out.ro_flags == 0);
  check_err("sock_recv", "dgram: too short", ipc_recv(p.b, got, 2, 0, NULL, 0, &out), 0);
  check("sock_recv", "dgram: too short is told",
        out.ro_datalen == 2 && out.ro_flags == CLOUDABI_SOCK_RECV_DATA_TRUNCATED);
  check("poll", "dgram: the rest of it is gone", !ipc_readable(p.b));
  check("sock_send", "dgram: without a byte", ipc_put(p.a, ""));
  check("poll", "dgram: without a byte",
        ipc_ready(p.b, CLOUDABI_EVENTTYPE_FD_READ, &ev) && ev.fd_readwrite.nbytes == 0);
  check("fd_read", "dgram: without a byte", ipc_gives(p.b, ""));
  check("poll", "dgram: it is gone", !ipc_readable(p.b));
  check("sock_send", "dgram: a large one",
        ipc_send(p.a, data, 65536, NULL, 0, &n) == 0 && n == 65536);
  check("fd_read", "dgram: a large one",
        raw_read(p.b, got, BIG, &n) == 0 && n == 65536 && memcmp(data, got, n) == 0);
  n = 77;
  check_err("sock_send", "dgram: too large", ipc_send(p.a, data, 65537, NULL, 0, &n),
            CLOUDABI_EMSGSIZE);
  check_eq("sock_send", "dgram: too large leaves the result alone", n, 77);
  ipc_flags(p.a, CLOUDABI_FDFLAG_NONBLOCK);
  ipc_send(p.a, data, 60000, NULL, 0, &n);
  check_err("sock_send", "dgram: all or nothing", ipc_send(p.a, data, 6000, NULL, 0, &n),
            CLOUDABI_EAGAIN);
  check("sock_send", "dgram: a smaller one fits", ipc_send(p.a, data, 3000, NULL, 0, &n) == 0);
  unsigned count = 0;
  while (ipc_send(p.a, NULL, 0, NULL, 0, &n) == 0 && count < 100000)
    count++;
  check("sock_send", "dgram: messages without bytes are bounded", count < 100000);
  ipc_close(p);
}

/* ---- Other threads --------------------------------------------------------------------------- */

static struct pair shared;
static cloudabi_errno_t result;
static size_t result_n;

static void reading(struct raw_thread *t) {
  t->step = 1;
  result_n = 99;
  result = raw_read(shared.b, got, BIG, &result_n);
  t->step = 2;
}

static void writing(struct raw_thread *t) {
  struct cloudabi_iovec iov = {data, BIG};
  t->step = 1;
  result_n = 99;
  result = cloudabi_sys_fd_write(shared.a, &iov, 1, &result_n);
  t->step = 2;
}

/* A thread that is in the call, as far as can be told. */
static void begin(struct raw_thread *t, void (*run)(struct raw_thread *)) {
  raw_spawn(t, run, NULL);
  raw_until(&t->step, 1);
  raw_sleep(2 * RAW_MS);
}

static void check_threads(void) {
  struct raw_thread t;
  shared = ipc_pair(STREAM);
  begin(&t, reading);
  check_eq("fd_read", "stream: waits", t.step, 1);
  ipc_put(shared.a, "x");
  raw_join(&t);
  check("fd_read", "stream: wakes up with the data", result == 0 && result_n == 1);
  begin(&t, reading);
  cloudabi_sys_fd_close(shared.a);
  raw_join(&t);
  check("fd_read", "stream: the peer's close wakes who reads", result == 0 && result_n == 0);
  cloudabi_sys_fd_close(shared.b);

  shared = ipc_pair(DGRAM);
  begin(&t, reading);
  cloudabi_sys_fd_close(shared.a);
  raw_join(&t);
  check("fd_read", "dgram: the peer's close wakes who reads", result == 0 && result_n == 0);
  cloudabi_sys_fd_close(shared.b);

  shared = ipc_pair(STREAM);
  begin(&t, reading);
  cloudabi_sys_sock_shutdown(shared.b, CLOUDABI_SHUT_RD);
  raw_join(&t);
  check("sock_shutdown", "stream: wakes who reads", result == 0 && result_n == 0);
  ipc_close(shared);

  shared = ipc_pair(STREAM);
  begin(&t, reading);
  check_err("fd_close", "stream: while somebody reads", cloudabi_sys_fd_close(shared.b), 0);
  cloudabi_sys_fd_close(shared.a);
  raw_join(&t);
  check("fd_close", "stream: who reads sees the peer's close", result == 0 && result_n == 0);
}

static void check_long_writes(void) {
  struct raw_thread t;
  size_t total = 0, n = 0;
  shared = ipc_pair(STREAM);
  begin(&t, writing);
  check_eq("fd_write", "stream: a mebibyte waits for a reader", t.step, 1);
  for (size_t step = 1; total < BIG; total += n) {
    step = step * 5 % 70001;
    if (raw_read(shared.b, got + total, step < BIG - total ? step : BIG - total, &n) != 0)
      break;
  }
  raw_join(&t);
  check("fd_write", "stream: a mebibyte, all of it, blocking", result == 0 && result_n == BIG);
  check("fd_read", "stream: a mebibyte", total == BIG && memcmp(data, got, BIG) == 0);
  begin(&t, writing);
  cloudabi_sys_fd_close(shared.b);
  raw_join(&t);
  check("fd_write", "stream: the peer's close wakes who writes",
        result == CLOUDABI_EPIPE || (result == 0 && result_n < BIG));
  cloudabi_sys_fd_close(shared.a);
}

static void all_of_it(struct raw_thread *t) {
  struct cloudabi_recv_out out;
  t->step = 1;
  result = ipc_recv(shared.b, got, 1000, WAITALL, NULL, 0, &out);
  result_n = out.ro_datalen;
  t->step = 2;
}

static void check_waitall(void) {
  struct raw_thread t;
  size_t n = 0;
  shared = ipc_pair(STREAM);
  begin(&t, all_of_it);
  ipc_send(shared.a, data, 400, NULL, 0, &n);
  raw_sleep(2 * RAW_MS);
  check_eq("sock_recv", "stream: WAITALL waits for the rest", t.step, 1);
  ipc_send(shared.a, data + 400, 600, NULL, 0, &n);
  raw_join(&t);
  check("sock_recv", "stream: WAITALL",
        result == 0 && result_n == 1000 && memcmp(data, got, 1000) == 0);
  begin(&t, all_of_it);
  ipc_put(shared.a, "part");
  cloudabi_sys_fd_close(shared.a);
  raw_join(&t);
  check("sock_recv", "stream: WAITALL and the end", result == 0 && result_n == 4);
  cloudabi_sys_fd_close(shared.b);
}

static void waiting(struct raw_thread *t) {
  struct cloudabi_event ev;
  t->step = 1;
  result = raw_wait(ipc_subscription(shared.b, (cloudabi_eventtype_t)(uintptr_t)t->arg), 0, &ev);
  result_n = ev.type;
  t->step = 2;
}

static void check_poll_wakes(void) {
  struct raw_thread t;
  size_t n;
  shared = ipc_pair(STREAM);
  raw_spawn(&t, waiting, (void *)(uintptr_t)CLOUDABI_EVENTTYPE_FD_READ);
  raw_until(&t.step, 1);
  raw_sleep(2 * RAW_MS);
  ipc_put(shared.a, "x");
  raw_join(&t);
  check("poll", "stream: wakes when data come",
        result == 0 && result_n == CLOUDABI_EVENTTYPE_FD_READ);
  fill(shared.b, 1000);
  raw_spawn(&t, waiting, (void *)(uintptr_t)CLOUDABI_EVENTTYPE_FD_WRITE);
  raw_until(&t.step, 1);
  raw_sleep(2 * RAW_MS);
  check_eq("poll", "stream: waits while there is no room", t.step, 1);
  raw_read(shared.a, got, 1, &n);
  raw_join(&t);
  check("poll", "stream: wakes when there is room",
        result == 0 && result_n == CLOUDABI_EVENTTYPE_FD_WRITE);
  ipc_close(shared);
}

/* ---- Arguments ------------------------------------------------------------------------------- */

static void check_arguments(void) {
  struct pair p = ipc_pair(STREAM);
  struct cloudabi_iovec iov = {data, 4}, to_bad = {(void *)0xffffffff80100000, 4};
  struct cloudabi_send_in in = {.si_data = &iov, .si_data_len = 1, .si_flags = 1};
  struct cloudabi_send_out out = {77};
  struct cloudabi_recv_in rin = {.ri_data = &iov, .ri_data_len = 1, .ri_flags = 2};
  struct cloudabi_recv_out rout = {.ro_datalen = 77};
  size_t n = 77;
  check_err("sock_send", "stream: flags", cloudabi_sys_sock_send(p.a, &in, &out), CLOUDABI_EINVAL);
  check_err("sock_recv", "stream: an unknown flag", cloudabi_sys_sock_recv(p.b, &rin, &rout),
            CLOUDABI_EINVAL);
  check_err("sock_send", "a closed number before a bad address",
            cloudabi_sys_sock_send(RAW_BAD_FD, (void *)8, &out), CLOUDABI_EBADF);
  check_err("sock_recv", "a closed number before a bad address",
            cloudabi_sys_sock_recv(RAW_BAD_FD, (void *)8, &rout), CLOUDABI_EBADF);
  check_err("sock_send", "stream: data at no address", ipc_send(p.a, to_bad.buf, 4, NULL, 0, &n),
            CLOUDABI_EFAULT);
  check("poll", "stream: nothing of it was sent", !ipc_readable(p.b));
  ipc_put(p.a, "kept");
  check_err("fd_read", "stream: into no address", cloudabi_sys_fd_read(p.b, &to_bad, 1, &n),
            CLOUDABI_EFAULT);
  check("fd_read", "stream: what could not be stored is not lost", ipc_gives(p.b, "kept"));
  check_eq("sock_send", "stream: failures leave the result alone", out.so_datalen, 77);
  check_eq("sock_recv", "stream: failures leave the result alone", rout.ro_datalen, 77);
  cloudabi_fd_t reader = raw_dup_with(p.a, CLOUDABI_RIGHT_FD_READ);
  cloudabi_fd_t writer = raw_dup_with(p.a, CLOUDABI_RIGHT_FD_WRITE);
  check_err("fd_write", "stream: without its right", raw_write(reader, "x", 1),
            CLOUDABI_ENOTCAPABLE);
  check_err("fd_read", "stream: without its right", raw_read(writer, got, 1, &n),
            CLOUDABI_ENOTCAPABLE);
  check_err("sock_shutdown", "stream: without its right",
            cloudabi_sys_sock_shutdown(writer, CLOUDABI_SHUT_WR), CLOUDABI_ENOTCAPABLE);
  check("fd_write", "stream: with its right alone", raw_write(writer, "x", 1) == 0);
  ipc_close(p);
  check("fd_read", "stream: a duplicate keeps the end open",
        raw_read(reader, got, 1, &n) == 0 && n == 0);
  cloudabi_sys_fd_close(reader);
  cloudabi_sys_fd_close(writer);
}

void program_main(const argdata_t *ad) {
  static const cloudabi_filetype_t types[] = {STREAM, DGRAM};
  check_begin(ad);
  for (size_t i = 0; i < BIG; i++)
    data[i] = (uint8_t)(i * 7 + i / 251);
  for (size_t i = 0; i < 2; i++) {
    kind = types[i] == STREAM ? "stream" : "dgram";
    check_made(types[i]);
    check_close(types[i]);
    check_shutdown(types[i]);
  }
  check_merge();
  check_full();
  check_both_directions();
  check_datagrams();
  check_threads();
  check_long_writes();
  check_waitall();
  check_poll_wakes();
  check_arguments();
  check_end();
}
