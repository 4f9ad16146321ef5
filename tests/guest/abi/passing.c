/*
 * Descriptors that travel over local sockets, from inside: {out: fd, dir: fd, file: fd}. Reference
 * 2.1, 7.1 and 7.2.
 */
#include <program.h>
#include <stdatomic.h>

#include "ipc.h"

#define FDS_MAX 65536

static cloudabi_fd_t dir, file;
static char got[256];
static struct cloudabi_recv_out out;

/* One descriptor with a byte. */
static cloudabi_errno_t pass(cloudabi_fd_t over, cloudabi_fd_t fd) {
  size_t n = 0;
  return ipc_send(over, "x", 1, &fd, 1, &n);
}

/* The next descriptor, or a number that is never open. */
static cloudabi_fd_t receive(cloudabi_fd_t over) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  if (ipc_recv(over, got, sizeof(got), 0, &fd, 1, &out) != 0 || out.ro_fdslen != 1)
    return RAW_BAD_FD;
  return fd;
}

static bool is_open(cloudabi_fd_t fd) {
  struct cloudabi_fdstat st;
  return cloudabi_sys_fd_stat_get(fd, &st) == 0;
}

/* The lowest number that is free: tells whether something was left open. */
static cloudabi_fd_t lowest(void) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_sys_fd_dup(check_fd, &fd);
  cloudabi_sys_fd_close(fd);
  return fd;
}

/* ---- What arrives ---------------------------------------------------------------------------- */

static void check_rights(void) {
  struct pair p = ipc_pair(STREAM);
  struct cloudabi_fdstat sent, st;
  cloudabi_fd_t less = raw_dup_with(dir, CLOUDABI_RIGHT_FILE_OPEN | CLOUDABI_RIGHT_FILE_STAT_GET);
  cloudabi_fd_t fds[2] = {dir, less}, arrived[3] = {77, 77, 77};
  size_t n = 0;
  raw_set_rights(less, CLOUDABI_RIGHT_FILE_OPEN, 0);
  cloudabi_sys_fd_stat_get(dir, &sent);
  check_err("sock_send", "two descriptors", ipc_send(p.a, "hello", 5, fds, 2, &n), 0);
  check_eq("sock_send", "two descriptors: the data's length", n, 5);
  cloudabi_sys_fd_close(less);
  check_err("sock_recv", "two descriptors", ipc_recv(p.b, got, sizeof(got), 0, arrived, 3, &out),
            0);
  check("sock_recv", "two descriptors: data, number, no flags",
        out.ro_datalen == 5 && out.ro_fdslen == 2 && out.ro_flags == 0);
  check("sock_recv", "two descriptors: new numbers, the rest is left alone",
        arrived[0] != dir && arrived[0] != arrived[1] && arrived[2] == 77);
  cloudabi_sys_fd_stat_get(arrived[0], &st);
  check("sock_recv", "a descriptor has the rights that it was sent with",
        st.fs_rights_base == sent.fs_rights_base &&
            st.fs_rights_inheriting == sent.fs_rights_inheriting &&
            st.fs_filetype == sent.fs_filetype);
  cloudabi_sys_fd_stat_get(arrived[1], &st);
  check("sock_recv", "even if its sender closed it, and they were few",
        st.fs_rights_base == CLOUDABI_RIGHT_FILE_OPEN && st.fs_rights_inheriting == 0);
  cloudabi_sys_fd_close(arrived[0]);
  cloudabi_sys_fd_close(arrived[1]);

  cloudabi_fd_t none = raw_dup_with(file, 0);
  check_err("sock_send", "a descriptor without any right", pass(p.a, none), 0);
  cloudabi_sys_fd_close(none);
  cloudabi_fd_t fd = receive(p.b);
  check("sock_recv", "a descriptor without any right", is_open(fd) && raw_rights(fd) == 0);
  cloudabi_sys_fd_close(fd);
  ipc_close(p);
}

/* The position belongs to what was opened, however many descriptors there are of it. */
static void check_shared_position(void) {
  struct pair p = ipc_pair(STREAM);
  cloudabi_filesize_t at = 99;
  size_t n;
  cloudabi_sys_fd_seek(file, 0, CLOUDABI_WHENCE_SET, &at);
  pass(p.a, file);
  raw_read(file, got, 3, &n);
  cloudabi_fd_t fd = receive(p.b);
  check("sock_recv", "a descriptor shares position and contents",
        cloudabi_sys_fd_seek(fd, 0, CLOUDABI_WHENCE_CUR, &at) == 0 && at == 3 &&
            raw_read(fd, got, 2, &n) == 0 && n == 2 && memcmp(got, "34", 2) == 0 &&
            cloudabi_sys_fd_seek(file, 0, CLOUDABI_WHENCE_CUR, &at) == 0 && at == 5);
  cloudabi_sys_fd_close(fd);
  ipc_close(p);
}

static void check_socket_over_socket(void) {
  struct pair p = ipc_pair(DGRAM), q = ipc_pair(STREAM);
  check_err("sock_send", "a socket over a socket", pass(p.a, q.a), 0);
  cloudabi_sys_fd_close(q.a);
  ipc_put(q.b, "kept");
  cloudabi_fd_t fd = receive(p.b);
  check("sock_recv", "a socket that was in flight still gets data", ipc_gives(fd, "kept"));
  check("fd_write", "and sends", ipc_put(fd, "back") && ipc_gives(q.b, "back"));
  cloudabi_sys_fd_close(fd);
  check("fd_read", "its end is seen", ipc_gives(q.b, ""));
  cloudabi_sys_fd_close(q.b);
  ipc_close(p);
}

/* ---- Which read gets them -------------------------------------------------------------------- */

static void check_borders(void) {
  struct pair p = ipc_pair(STREAM);
  cloudabi_fd_t fd = RAW_BAD_FD, more[2];
  size_t n;
  ipc_put(p.a, "before");
  ipc_send(p.a, "message", 7, &file, 1, &n);
  ipc_put(p.a, "behind");
  check("sock_recv", "data before a message with descriptors come alone",
        ipc_recv(p.b, got, sizeof(got), 0, more, 2, &out) == 0 && out.ro_datalen == 6 &&
            out.ro_fdslen == 0);
  check("sock_recv", "descriptors come with the first byte of their message",
        ipc_recv(p.b, got, 3, 0, &fd, 1, &out) == 0 && out.ro_datalen == 3 && out.ro_fdslen == 1 &&
            is_open(fd));
  check("sock_recv", "the rest of the message, and no more, even if all is wanted",
        ipc_recv(p.b, got, sizeof(got), WAITALL, more, 2, &out) == 0 && out.ro_datalen == 4 &&
            out.ro_fdslen == 0 && memcmp(got, "sage", 4) == 0);
  check("fd_read", "what follows a message with descriptors", ipc_gives(p.b, "behind"));
  cloudabi_sys_fd_close(fd);
  pass(p.a, file);
  pass(p.a, dir);
  check("sock_recv", "two messages with descriptors come one by one",
        ipc_recv(p.b, got, sizeof(got), 0, more, 2, &out) == 0 && out.ro_datalen == 1 &&
            out.ro_fdslen == 1);
  cloudabi_sys_fd_close(more[0]);
  fd = receive(p.b);
  check("sock_recv", "the second one", is_open(fd) && out.ro_datalen == 1);
  cloudabi_sys_fd_close(fd);
  check_err("sock_send", "descriptors without a byte, stream", ipc_send(p.a, "", 0, &file, 1, &n),
            CLOUDABI_EINVAL);
  ipc_close(p);

  p = ipc_pair(DGRAM);
  check_err("sock_send", "descriptors without a byte, dgram", ipc_send(p.a, "", 0, &file, 1, &n),
            0);
  check("sock_recv", "descriptors without a byte, dgram",
        ipc_recv(p.b, got, sizeof(got), 0, &fd, 1, &out) == 0 && out.ro_datalen == 0 &&
            out.ro_fdslen == 1 && is_open(fd));
  cloudabi_sys_fd_close(fd);
  ipc_close(p);
}

static void check_not_wanted(void) {
  struct pair p = ipc_pair(STREAM);
  cloudabi_fd_t free_before = lowest(), fds[3] = {file, dir, file}, arrived[3] = {77, 77, 77};
  size_t n;
  pass(p.a, file);
  check("fd_read", "a message with descriptors",
        raw_read(p.b, got, 9, &n) == 0 && n == 1 && lowest() == free_before);
  pass(p.a, file);
  check_err("sock_recv", "no room for descriptors", ipc_recv(p.b, got, 9, 0, NULL, 0, &out), 0);
  check("sock_recv", "no room for descriptors: they go in silence",
        out.ro_datalen == 1 && out.ro_fdslen == 0 && out.ro_flags == 0 && lowest() == free_before);
  ipc_send(p.a, "x", 1, fds, 3, &n);
  check_err("sock_recv", "room for one of three", ipc_recv(p.b, got, 9, 0, arrived, 1, &out), 0);
  check("sock_recv", "room for one of three: told",
        out.ro_fdslen <= 1 && out.ro_flags == CLOUDABI_SOCK_RECV_FDS_TRUNCATED && arrived[1] == 77);
  if (out.ro_fdslen == 1)
    cloudabi_sys_fd_close(arrived[0]);
  check("sock_recv", "room for one of three: the others are closed", lowest() == free_before);
  pass(p.a, file);
  check_err("sock_recv", "a peek at a message with descriptors",
            ipc_recv(p.b, got, 9, PEEK, arrived, 3, &out), 0);
  check("sock_recv", "a peek gives the data and leaves the descriptors",
        out.ro_datalen == 1 && out.ro_fdslen == 0 && out.ro_flags == 0);
  cloudabi_fd_t fd = receive(p.b);
  check("sock_recv", "after a peek they are still there", is_open(fd));
  cloudabi_sys_fd_close(fd);
  ipc_close(p);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void check_errors(void) {
  struct pair p = ipc_pair(STREAM);
  static cloudabi_fd_t many[501];
  cloudabi_fd_t fds[2] = {file, RAW_BAD_FD}, free_before = lowest();
  size_t n = 77;
  check_err("sock_send", "a closed number among those to send", ipc_send(p.a, "x", 1, fds, 2, &n),
            CLOUDABI_EBADF);
  check("sock_send", "then nothing is sent", !ipc_readable(p.b));
  check_err("sock_send", "the list is no address", ipc_send(p.a, "x", 1, (void *)8, 1, &n),
            CLOUDABI_EFAULT);
  for (size_t i = 0; i < 501; i++)
    many[i] = file;
  check_err("sock_send", "501 descriptors", ipc_send(p.a, "x", 1, many, 501, &n), CLOUDABI_EINVAL);
  check_err("sock_send", "SIZE_MAX descriptors", ipc_send(p.a, "x", 1, many, SIZE_MAX, &n),
            CLOUDABI_EINVAL);
  check_eq("sock_send", "failures leave the result alone", n, 77);
  check_err("sock_send", "500 descriptors", ipc_send(p.a, "x", 1, many, 500, &n), 0);
  static cloudabi_fd_t arrived[500];
  check("sock_recv", "500 descriptors",
        ipc_recv(p.b, got, 9, 0, arrived, 500, &out) == 0 && out.ro_fdslen == 500 &&
            out.ro_flags == 0 && is_open(arrived[0]) && is_open(arrived[499]));
  for (size_t i = 0; i < 500; i++)
    cloudabi_sys_fd_close(arrived[i]);
  pass(p.a, file);
  check_err("sock_recv", "nowhere to store the numbers",
            ipc_recv(p.b, got, 9, 0, (void *)8, 1, &out), CLOUDABI_EFAULT);
  pass(p.a, file);
  check_err("sock_recv", "nowhere to store the result",
            ipc_recv(p.b, got, 9, 0, arrived, 1, (void *)8), CLOUDABI_EFAULT);
  check("sock_recv", "then no descriptor stays", lowest() == free_before);
  ipc_flags(p.a, CLOUDABI_FDFLAG_NONBLOCK);
  unsigned count = 0;
  cloudabi_errno_t e;
  while ((e = ipc_send(p.a, "x", 1, many, 500, &n)) == 0 && count < 1000)
    count++;
  check_err("sock_send", "until a socket holds no more descriptors", e, CLOUDABI_EAGAIN);
  check("poll", "what was sent can be read", ipc_readable(p.b));
  ipc_close(p);
}

/* When there is no number left, the rest counts as cut off. */
static void check_no_numbers(void) {
  struct pair p = ipc_pair(STREAM);
  cloudabi_fd_t fds[3] = {file, file, file}, arrived[3] = {77, 77, 77}, fd = 0, last = 0;
  cloudabi_fd_t first = lowest();
  size_t n;
  ipc_send(p.a, "x", 1, fds, 3, &n);
  while (cloudabi_sys_fd_dup(file, &fd) == 0)
    last = fd;
  cloudabi_sys_fd_close(last);
  check_err("sock_recv", "one number for three descriptors",
            ipc_recv(p.b, got, 9, 0, arrived, 3, &out), 0);
  check("sock_recv", "one number for three descriptors: told",
        out.ro_datalen == 1 && out.ro_fdslen <= 1 &&
            out.ro_flags == CLOUDABI_SOCK_RECV_FDS_TRUNCATED);
  for (fd = first; fd < FDS_MAX; fd++)
    cloudabi_sys_fd_close(fd);
  ipc_close(p);
}

/* ---- What nobody receives -------------------------------------------------------------------- */

/* Whether the peer of a socket sees that it is gone. */
static bool gone(cloudabi_fd_t peer) {
  struct cloudabi_event ev;
  raw_wait(ipc_subscription(peer, CLOUDABI_EVENTTYPE_FD_READ), 2000 * RAW_MS, &ev);
  return ev.type == CLOUDABI_EVENTTYPE_FD_READ && ev.error == 0 &&
         (ev.fd_readwrite.flags & HANGUP) != 0;
}

static void check_dropped(void) {
  struct pair p = ipc_pair(STREAM), q = ipc_pair(STREAM);
  pass(p.a, q.a);
  cloudabi_sys_fd_close(q.a);
  check("fd_close", "what is in flight is open", !ipc_readable(q.b));
  ipc_close(p);
  check("fd_close", "a queue's descriptors go with it", gone(q.b));
  cloudabi_sys_fd_close(q.b);

  p = ipc_pair(STREAM);
  q = ipc_pair(STREAM);
  pass(p.a, q.a);
  cloudabi_sys_fd_close(q.a);
  cloudabi_sys_sock_shutdown(p.b, CLOUDABI_SHUT_RD);
  check("sock_shutdown", "drops descriptors that wait", gone(q.b));
  cloudabi_sys_fd_close(q.b);
  ipc_close(p);

  p = ipc_pair(STREAM);
  pass(p.b, p.a); /* into its own queue */
  cloudabi_sys_fd_close(p.a);
  check("sock_send", "a socket over itself is released", gone(p.b));
  cloudabi_sys_fd_close(p.b);

  p = ipc_pair(STREAM);
  pass(p.a, p.a);
  cloudabi_sys_fd_close(p.a);
  check("sock_send", "a socket over its peer stays", !gone(p.b));
  cloudabi_fd_t fd = receive(p.b);
  check("sock_recv", "a socket over its peer", ipc_put(fd, "x") && ipc_gives(p.b, "x"));
  cloudabi_sys_fd_close(fd);
  check("fd_close", "and then it is closed", gone(p.b));
  cloudabi_sys_fd_close(p.b);
}

/* Rings of sockets in each other's queues; the first one's queue has an end of `watch`. */
static void check_rings(void) {
  bool all = true, kept = true;
  for (unsigned n = 1; n <= 9; n++) {
    struct pair ring[9], watch = ipc_pair(STREAM), keep = ipc_pair(DGRAM);
    for (unsigned i = 0; i < n; i++)
      ring[i] = ipc_pair(i % 2 ? DGRAM : STREAM);
    for (unsigned i = 0; i < n; i++)
      pass(ring[(i + 1) % n].a, ring[i].b);
    pass(ring[0].a, watch.a);
    pass(keep.a, ring[0].b);
    cloudabi_sys_fd_close(watch.a);
    for (unsigned i = 0; i < n; i++)
      ipc_close(ring[i]);
    struct cloudabi_event ev;
    raw_wait(ipc_subscription(watch.b, CLOUDABI_EVENTTYPE_FD_READ), 150 * RAW_MS, &ev);
    kept = kept && ev.type == CLOUDABI_EVENTTYPE_CLOCK;
    ipc_close(keep);
    all = all && gone(watch.b);
    cloudabi_sys_fd_close(watch.b);
  }
  check("sock_recv", "rings of sockets that can be received stay", kept);
  check("sock_send", "rings of sockets that can't be received are released", all);
}

/* Each in the next one's queue: closing the last one closes them all. */
static void check_chain(void) {
  const unsigned length = 5000;
  struct pair watch = ipc_pair(STREAM);
  cloudabi_fd_t inner = watch.a;
  cloudabi_errno_t e = 0;
  unsigned made = 0;
  for (; e == 0 && made < length; made++) {
    struct pair p = ipc_pair(STREAM);
    e = pass(p.a, inner);
    cloudabi_sys_fd_close(p.a);
    cloudabi_sys_fd_close(inner);
    inner = p.b;
  }
  check_err("sock_send", "a chain of 5000 sockets in each other's queues", e, 0);
  check("fd_close", "the innermost is open", !ipc_readable(watch.b));
  cloudabi_sys_fd_close(inner);
  check("fd_close", "closing the outermost closes all", gone(watch.b));
  cloudabi_sys_fd_close(watch.b);
}

/* A sender that waits for room holds what it sends. */
static struct pair shared;
static cloudabi_errno_t result;

static void sending(struct raw_thread *t) {
  cloudabi_fd_t fd = (cloudabi_fd_t)(uintptr_t)t->arg;
  size_t n = 0;
  t->step = 1;
  result = ipc_send(shared.a, "y", 1, &fd, 1, &n);
  t->step = 2;
}

static void check_blocked_sender(void) {
  static char fill[65536];
  struct raw_thread t;
  struct pair q = ipc_pair(STREAM);
  size_t n;
  shared = ipc_pair(STREAM);
  ipc_send(shared.a, fill, sizeof(fill), NULL, 0, &n);
  raw_spawn(&t, sending, (void *)(uintptr_t)q.a);
  raw_until(&t.step, 1);
  raw_sleep(2 * RAW_MS);
  cloudabi_sys_fd_close(q.a);
  check("sock_send", "a sender that waits holds its descriptor", !ipc_readable(q.b));
  while (raw_read(shared.b, fill, sizeof(fill), &n) == 0 && n > 1)
    ;
  raw_join(&t);
  check("sock_send", "a sender that waited", result == 0);
  ipc_close(shared);
  check("fd_close", "what it sent is gone", gone(q.b));
  cloudabi_sys_fd_close(q.b);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  check_rights();
  check_shared_position();
  check_socket_over_socket();
  check_borders();
  check_not_wanted();
  check_errors();
  check_no_numbers();
  check_dropped();
  check_rings();
  check_chain();
  check_blocked_sender();
  check_end();
}
