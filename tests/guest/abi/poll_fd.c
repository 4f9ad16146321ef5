/*
 * poll_fd and the sets that fd_create1 makes for it, from inside: {out: fd, listener: socket}. What
 * is ready is poll's (poll.c); here it is what a set remembers and tells. Reference 9.2.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

#define ADD CLOUDABI_SUBSCRIPTION_ADD
#define CLEAR CLOUDABI_SUBSCRIPTION_CLEAR
#define DELETE CLOUDABI_SUBSCRIPTION_DELETE
#define DISABLE CLOUDABI_SUBSCRIPTION_DISABLE
#define ENABLE CLOUDABI_SUBSCRIPTION_ENABLE
#define ONESHOT CLOUDABI_SUBSCRIPTION_ONESHOT
#define READ CLOUDABI_EVENTTYPE_FD_READ
#define WRITE CLOUDABI_EVENTTYPE_FD_WRITE
#define CLOCK CLOUDABI_EVENTTYPE_CLOCK
#define HANGUP CLOUDABI_EVENT_FD_READWRITE_HANGUP

static cloudabi_fd_t set;
static struct cloudabi_event ev[8];

static struct cloudabi_subscription about(cloudabi_eventtype_t type, cloudabi_fd_t fd,
                                          cloudabi_subflags_t flags) {
  struct cloudabi_subscription s;
  memset(&s, 0, sizeof(s));
  s.userdata = 0x42;
  s.type = type;
  s.flags = flags;
  s.fd_readwrite.fd = fd;
  return s;
}

static struct cloudabi_subscription timer(uint64_t identifier, uint64_t timeout_ns,
                                          cloudabi_subflags_t flags) {
  struct cloudabi_subscription s = raw_clock(timeout_ns, 0);
  s.flags = flags;
  s.clock.identifier = identifier;
  s.clock.clock_id = CLOUDABI_CLOCK_REALTIME;
  return s;
}

/* Changes the set by n subscriptions, and takes up to `room` events after so long a wait. */
static cloudabi_errno_t call(const struct cloudabi_subscription *in, size_t n, size_t room,
                             uint64_t timeout_ns, size_t *nevents) {
  struct cloudabi_subscription timeout = timer(0, timeout_ns, 0);
  memset(ev, 0xee, sizeof(ev));
  return cloudabi_sys_poll_fd(set, in, n, ev, room, &timeout, nevents);
}

static cloudabi_errno_t change(struct cloudabi_subscription s) {
  size_t n;
  return call(&s, 1, 0, 0, &n);
}

/* How many events there are now. */
static size_t now(void) {
  size_t n = 99;
  call(NULL, 0, 8, 0, &n);
  return n;
}

static cloudabi_fd_t new_set(void) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_POLL, &fd);
  return fd;
}

static bool is_event(cloudabi_eventtype_t type, cloudabi_fd_t fd, uint64_t nbytes, unsigned flags) {
  return ev[0].userdata == 0x42 && ev[0].type == type && ev[0].error == 0 &&
         ev[0].fd_readwrite.fd == fd && ev[0].fd_readwrite.nbytes == nbytes &&
         ev[0].fd_readwrite.flags == flags;
}

/* ---- The call -------------------------------------------------------------------------------- */

static void check_create(void) {
  struct cloudabi_fdstat st;
  cloudabi_fd_t fd = 77;
  check_err("fd_create1", "a poll set", cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_POLL, &fd), 0);
  check_err("fd_create1", "a poll set is a descriptor", cloudabi_sys_fd_stat_get(fd, &st), 0);
  check_eq("fd_create1", "a poll set: its type", st.fs_filetype, CLOUDABI_FILETYPE_POLL);
  check_eq("fd_create1", "a poll set: base rights", st.fs_rights_base, 0xa0080000);
  check_eq("fd_create1", "a poll set: no inheriting rights", st.fs_rights_inheriting, 0);
  cloudabi_sys_fd_close(fd);
}

static void check_call(void) {
  size_t n = 99;
  check_err("poll_fd", "no changes, no room, no timeout",
            cloudabi_sys_poll_fd(set, NULL, 0, NULL, 0, NULL, &n), 0);
  check_eq("poll_fd", "no changes, no room, no timeout: 0 events at once", n, 0);
  check_eq("poll_fd", "a timeout of 0 with nothing pending: 0 events", now(), 0);
  uint64_t start = raw_now();
  check_err("poll_fd", "a timeout", call(NULL, 0, 8, 20 * RAW_MS, &n), 0);
  check_eq("poll_fd", "a timeout that expires: 0 events", n, 0);
  check("poll_fd", "a timeout never expires early", raw_now() - start >= 20 * RAW_MS);

  struct cloudabi_subscription bad = about(READ, RAW_BAD_FD, ADD);
  check_err("poll_fd", "a bad descriptor", cloudabi_sys_poll_fd(set, &bad, 1, ev, 1, NULL, &n), 0);
  check_eq("poll_fd", "a bad descriptor: one event, at once", n, 1);
  check_err("poll_fd", "a bad descriptor: the event's error", ev[0].error, CLOUDABI_EBADF);
  check("poll_fd", "a bad descriptor: descriptor and userdata are echoed",
        ev[0].fd_readwrite.fd == RAW_BAD_FD && ev[0].userdata == 0x42 && ev[0].type == READ);
  n = 99;
  check_err("poll_fd", "a bad descriptor and no room fail the call", call(&bad, 1, 0, 0, &n),
            CLOUDABI_EBADF);
  check_eq("poll_fd", "a failing call leaves its result alone", n, 99);
}

static void check_errors(void) {
  cloudabi_fd_t mine = set;
  size_t n;
  struct cloudabi_subscription s = timer(1, 0, ADD), bad = s;
  set = RAW_BAD_FD;
  check_err("poll_fd", "a closed number", call(NULL, 0, 0, 0, &n), CLOUDABI_EBADF);
  set = (cloudabi_fd_t)check_fd;
  check_err("poll_fd", "no poll set", call(NULL, 0, 0, 0, &n), CLOUDABI_ENOTCAPABLE);
  set = raw_dup_with(mine, ~CLOUDABI_RIGHT_POLL_MODIFY);
  check_err("poll_fd", "changing it without the right", call(&s, 1, 0, 0, &n),
            CLOUDABI_ENOTCAPABLE);
  check_err("poll_fd", "waiting without the right to change it", call(NULL, 0, 1, 0, &n), 0);
  cloudabi_sys_fd_close(set);
  set = raw_dup_with(mine, ~CLOUDABI_RIGHT_POLL_WAIT);
  check_err("poll_fd", "waiting without the right", call(NULL, 0, 1, 0, &n), CLOUDABI_ENOTCAPABLE);
  check_err("poll_fd", "changing it without the right to wait", call(&s, 1, 0, 0, &n), 0);
  cloudabi_sys_fd_close(set);
  set = mine;
  change(timer(1, 0, DELETE));

  bad.type = READ;
  check_err("poll_fd", "a timeout that is no clock",
            cloudabi_sys_poll_fd(set, NULL, 0, ev, 1, &bad, &n), CLOUDABI_EINVAL);
  bad = s;
  bad.clock.flags = CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME;
  check_err("poll_fd", "a timeout that is absolute",
            cloudabi_sys_poll_fd(set, NULL, 0, ev, 1, &bad, &n), CLOUDABI_EINVAL);
  bad = s;
  bad.clock.clock_id = 99;
  check_err("poll_fd", "a timeout of no clock", cloudabi_sys_poll_fd(set, NULL, 0, ev, 1, &bad, &n),
            CLOUDABI_EINVAL);

  check_err("poll_fd", "a lock", change(about(CLOUDABI_EVENTTYPE_LOCK_WRLOCK, 0, ADD)),
            CLOUDABI_EINVAL);
  check_err("poll_fd", "a condition variable", change(about(CLOUDABI_EVENTTYPE_CONDVAR, 0, ADD)),
            CLOUDABI_EINVAL);
  check_err("poll_fd", "an unknown type", change(about(77, 0, ADD)), CLOUDABI_EINVAL);
  check_err("poll_fd", "unknown flags", change(timer(1, 0, ADD | 0x40)), CLOUDABI_EINVAL);
  check_err("poll_fd", "a member that is not there, to delete", change(timer(1, 0, DELETE)),
            CLOUDABI_ENOENT);
  check_err("poll_fd", "a member that is not there, to enable", change(timer(1, 0, ENABLE)),
            CLOUDABI_ENOENT);
  check_err("poll_fd", "a set in a set", change(about(READ, set, ADD)), CLOUDABI_ENOTCAPABLE);
  cloudabi_fd_t blind = raw_dup_with((cloudabi_fd_t)check_fd, ~CLOUDABI_RIGHT_POLL_FD_READWRITE);
  check_err("poll_fd", "a descriptor without the right to be waited for",
            change(about(WRITE, blind, ADD)), CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(blind);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void check_pipe(const char *kind, cloudabi_filetype_t type) {
  cloudabi_fd_t in, out;
  char what[100];
#define WHAT(text) (snprintf(what, sizeof(what), "%s: %s", kind, text), what)
  check_err("poll_fd", WHAT("made"), cloudabi_sys_fd_create2(type, &in, &out), 0);
  check_err("poll_fd", WHAT("added for reading"), change(about(READ, in, ADD)), 0);
  check_eq("poll_fd", WHAT("empty, it tells nothing"), now(), 0);
  raw_write(out, "Hello", 5);
  for (int i = 0; i < 2; i++) {
    check_eq("poll_fd",
             i == 0 ? WHAT("five unread bytes are an event")
                    : WHAT("which is reported again by the next call"),
             now(), 1);
    check("poll_fd", WHAT("the event tells five bytes, and no flags"), is_event(READ, in, 5, 0));
  }
  cloudabi_sys_fd_close(out);
  check_eq("poll_fd", WHAT("after the writer closed it is an event still"), now(), 1);
  check("poll_fd", WHAT("after the writer closed: HANGUP, and still five bytes"),
        is_event(READ, in, 5, HANGUP));
  cloudabi_sys_fd_close(in);
  check_eq("poll_fd", WHAT("closed, it has left the set"), now(), 0);
#undef WHAT
}

static void check_flags(void) {
  cloudabi_fd_t a, b;
  char text[8];
  size_t n;
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &a, &b);
  change(about(READ, a, ADD | CLEAR));
  raw_write(b, "xy", 2);
  check_eq("poll_fd", "CLEAR: told", now(), 1);
  check_eq("poll_fd", "CLEAR: not told again", now(), 0);
  raw_write(b, "z", 1);
  check_eq("poll_fd", "CLEAR: told when it changes", now(), 1);
  check("poll_fd", "CLEAR: with all that there is", is_event(READ, a, 3, 0));
  change(about(READ, a, DELETE));
  check_eq("poll_fd", "DELETE: nothing more is told", now(), 0);

  change(about(READ, a, ADD | ONESHOT));
  check_eq("poll_fd", "ONESHOT: told", now(), 1);
  check_eq("poll_fd", "ONESHOT: once", now(), 0);
  check_err("poll_fd", "ONESHOT: it has left the set", change(about(READ, a, DELETE)),
            CLOUDABI_ENOENT);

  change(about(READ, a, ADD | DISABLE));
  check_eq("poll_fd", "ADD and DISABLE: nothing is told", now(), 0);
  check_err("poll_fd", "ENABLE", change(about(READ, a, ENABLE)), 0);
  check_eq("poll_fd", "ENABLE: told", now(), 1);
  change(about(READ, a, DISABLE));
  check_eq("poll_fd", "DISABLE: nothing is told", now(), 0);
  change(about(READ, a, ENABLE));
  struct cloudabi_subscription again = about(READ, a, ADD);
  again.userdata = 0x77;
  change(again);
  check_eq("poll_fd", "ADD again: one event", now(), 1);
  check_eq("poll_fd", "ADD again: the latest userdata", ev[0].userdata, 0x77);
  raw_read(a, text, sizeof(text), &n);
  check_eq("poll_fd", "read out, it tells nothing", now(), 0);

  change(about(WRITE, a, ADD));
  check_eq("poll_fd", "reading and writing are two members", now(), 1);
  check("poll_fd", "writing: there is room", ev[0].type == WRITE && ev[0].fd_readwrite.nbytes > 0);
  raw_write(b, "x", 1);
  check_eq("poll_fd", "both at once", now(), 2);
  cloudabi_fd_t copy;
  cloudabi_sys_fd_dup(a, &copy);
  cloudabi_sys_fd_close(a);
  check_eq("poll_fd", "a closed number leaves the set, though a copy is open", now(), 0);
  check_err("poll_fd", "a closed number", change(about(READ, a, DELETE)), CLOUDABI_EBADF);
  change(about(READ, copy, ADD));
  check_eq("poll_fd", "the copy", now(), 1);
  cloudabi_sys_fd_replace(b, copy);
  check_eq("poll_fd", "a replaced number leaves the set", now(), 0);
  cloudabi_sys_fd_close(copy);
  cloudabi_sys_fd_close(b);
}

/* Several changes in one call, more members than room. */
static void check_many(void) {
  enum { PAIRS = 500 };
  static cloudabi_fd_t ends[PAIRS][2];
  struct cloudabi_subscription in[3];
  bool good = true, seen[PAIRS] = {false};
  size_t n = 0, got = 0;
  for (size_t i = 0; i < PAIRS; i++) {
    good =
        good &&
        cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &ends[i][0], &ends[i][1]) == 0 &&
        change(about(READ, ends[i][0], ADD)) == 0;
  }
  check("poll_fd", "500 members", good);
  check_eq("poll_fd", "500 members: nothing is told of idle ones", now(), 0);
  for (size_t i = 0; i < PAIRS; i += 10)
    raw_write(ends[i][1], "x", 1);
  for (int round = 0; round < 10; round++) {
    call(NULL, 0, 5, 0, &n);
    for (size_t j = 0; j < n; j++) {
      for (size_t i = 0; i < PAIRS; i++)
        seen[i] = seen[i] || ends[i][0] == ev[j].fd_readwrite.fd;
    }
    got += n;
  }
  check_eq("poll_fd", "with little room, as many events as there is room", got, 50);
  got = 0;
  for (size_t i = 0; i < PAIRS; i++)
    got += seen[i] && i % 10 == 0;
  check_eq("poll_fd", "with little room, everybody has a turn", got, 50);
  for (size_t i = 0; i < PAIRS; i++) {
    cloudabi_sys_fd_close(ends[i][0]);
    cloudabi_sys_fd_close(ends[i][1]);
  }
  in[0] = about(READ, RAW_BAD_FD, ADD);
  in[1] = timer(5, 0, ADD | ONESHOT);
  in[2] = about(WRITE, RAW_BAD_FD, ADD);
  check_err("poll_fd", "three changes, of which two fail", call(in, 3, 8, 0, &n), 0);
  check_eq("poll_fd", "an event for each that failed", n, 2);
  check("poll_fd", "in order",
        ev[0].type == READ && ev[1].type == WRITE && ev[0].error == CLOUDABI_EBADF &&
            ev[1].error == CLOUDABI_EBADF);
  check_eq("poll_fd", "the one between was made", now(), 1);
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

static void check_clocks(void) {
  size_t n;
  uint64_t start = raw_now();
  check_err("poll_fd", "a clock", change(timer(0x123456789abc, 5 * RAW_MS, ADD)), 0);
  for (unsigned i = 1; i <= 3; i++) {
    check_err("poll_fd", "a period", call(NULL, 0, 8, 10000 * RAW_MS, &n), 0);
    check("poll_fd", "a period: one event with the identifier",
          n == 1 && ev[0].type == CLOCK && ev[0].error == 0 && ev[0].userdata == 0xc10c &&
              ev[0].clock.identifier == 0x123456789abc);
    check("poll_fd", "a period: not early", raw_now() - start >= i * 5 * RAW_MS);
  }
  change(timer(0x123456789abc, 5 * RAW_MS, DELETE));
  call(NULL, 0, 8, 20 * RAW_MS, &n);
  check_eq("poll_fd", "a deleted clock tells nothing", n, 0);
  change(timer(1, 1 * RAW_MS, ADD | ONESHOT));
  call(NULL, 0, 8, 10000 * RAW_MS, &n);
  check_eq("poll_fd", "a clock with ONESHOT: told", n, 1);
  call(NULL, 0, 8, 10 * RAW_MS, &n);
  check_eq("poll_fd", "a clock with ONESHOT: once", n, 0);
  change(timer(2, 0, ADD));
  check_eq("poll_fd", "a clock of no length is ready at once", now(), 1);
  change(timer(2, 0, DELETE));
  struct cloudabi_subscription absolute = timer(3, 0, ADD);
  cloudabi_sys_clock_time_get(CLOUDABI_CLOCK_REALTIME, 0, &absolute.clock.timeout);
  absolute.clock.timeout += 5 * RAW_MS;
  absolute.clock.flags = CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME;
  start = raw_now();
  change(absolute);
  call(NULL, 0, 8, 10000 * RAW_MS, &n);
  check("poll_fd", "a clock with an absolute time", n == 1 && raw_now() - start >= 5 * RAW_MS - 1);
  call(NULL, 0, 8, 10 * RAW_MS, &n);
  check_eq("poll_fd", "a clock with an absolute time: once", n, 0);
  change(timer(3, 0, DELETE));
  struct cloudabi_subscription cpu = timer(4, 0, ADD);
  cpu.clock.clock_id = CLOUDABI_CLOCK_THREAD_CPUTIME_ID;
  check_err("poll_fd", "a clock that can't be waited for", change(cpu), CLOUDABI_ENOTSUP);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void write_later(struct raw_thread *t) {
  raw_sleep(10 * RAW_MS);
  raw_write(*(cloudabi_fd_t *)t->arg, "x", 1);
}

static void check_waiting(void) {
  static struct raw_thread t;
  cloudabi_fd_t a, b;
  size_t n = 0;
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &a, &b);
  change(about(READ, a, ADD | CLEAR));
  for (int i = 0; i < 2; i++) { /* the second time it is readable already */
    raw_spawn(&t, write_later, &b);
    check_err("poll_fd", "waiting for another thread",
              cloudabi_sys_poll_fd(set, NULL, 0, ev, 8, NULL, &n), 0);
    check("poll_fd", "waiting for another thread: its bytes",
          n == 1 && is_event(READ, a, (uint64_t)i + 1, 0));
    raw_join(&t);
  }
  cloudabi_sys_fd_close(a);
  cloudabi_sys_fd_close(b);
}

static void check_connection(cloudabi_fd_t listener) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  size_t n = 0;
  change(about(READ, listener, ADD));
  check_eq("poll_fd", "a listening socket without connections", now(), 0);
  dprintf(check_fd, "peer: connect\n");
  cloudabi_sys_poll_fd(set, NULL, 0, ev, 8, NULL, &n);
  check("poll_fd", "a listening socket with one", n == 1 && is_event(READ, listener, 1, 0));
  cloudabi_sys_sock_accept(listener, NULL, &fd);
  check_eq("poll_fd", "a listening socket, after accepting", now(), 0);
  change(about(READ, fd, ADD));
  dprintf(check_fd, "peer: send 7\n");
  cloudabi_sys_poll_fd(set, NULL, 0, ev, 8, NULL, &n);
  check("poll_fd", "a connection with seven bytes", n == 1 && is_event(READ, fd, 7, 0));
  cloudabi_sys_fd_close(fd);
  change(about(READ, listener, DELETE));
}

/* ---- Processes ------------------------------------------------------------------------------- */

static void check_processes(void) {
  cloudabi_fd_t child = RAW_BAD_FD;
  cloudabi_tid_t tid;
  size_t n = 0;
  change(timer(1, 0, ADD));
  cloudabi_errno_t e = cloudabi_sys_proc_fork(&child, &tid);
  if (e == 0 && child == CLOUDABI_PROCESS_CHILD) {
    e = cloudabi_sys_poll_fd(set, NULL, 0, NULL, 0, NULL, &n);
    cloudabi_sys_proc_exit(e == CLOUDABI_EBADF ? 33 : 34);
  }
  change(timer(1, 0, DELETE));
  change(about(CLOUDABI_EVENTTYPE_PROC_TERMINATE, child, ADD));
  cloudabi_sys_poll_fd(set, NULL, 0, ev, 8, NULL, &n);
  check("poll_fd", "a process's end",
        n == 1 && ev[0].type == CLOUDABI_EVENTTYPE_PROC_TERMINATE && ev[0].userdata == 0x42 &&
            ev[0].proc_terminate.fd == child && ev[0].proc_terminate.signal == 0);
  check_eq("poll_fd", "a child has no poll sets", ev[0].proc_terminate.exitcode, 33);
  check_eq("poll_fd", "a process's end is told again", now(), 1);
  cloudabi_sys_fd_close(child);
  check_eq("poll_fd", "a closed process descriptor leaves the set", now(), 0);

  cloudabi_fd_t a, b;
  struct cloudabi_iovec iov = {(void *)"x", 1};
  struct cloudabi_send_in in = {.si_data = &iov, .si_data_len = 1, .si_fds = &set, .si_fds_len = 1};
  struct cloudabi_send_out out;
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &a, &b);
  check("poll_fd", "a set can't be sent over a socket", cloudabi_sys_sock_send(a, &in, &out) != 0);
  cloudabi_sys_fd_close(a);
  cloudabi_sys_fd_close(b);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_create();
  set = new_set();
  check_call();
  check_errors();
  check_pipe("a FIFO", CLOUDABI_FILETYPE_FIFO);
  check_pipe("a socket pair", CLOUDABI_FILETYPE_SOCKET_STREAM);
  check_flags();
  check_many();
  check_clocks();
  check_waiting();
  check_connection((cloudabi_fd_t)arg_fd(ad, "listener"));
  check_processes();
  cloudabi_sys_fd_close(set);
  check_end();
}
