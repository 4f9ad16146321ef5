/*
 * poll on descriptors and clocks, from inside: {out: fd, dir: fd, file: regular file of 10 bytes}.
 * Reference 5. Locks are in lock.c, sockets in sock.c.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

static cloudabi_fd_t dir, file;

static struct cloudabi_subscription fd_sub(cloudabi_fd_t fd, cloudabi_eventtype_t type,
                                           uint64_t userdata) {
  struct cloudabi_subscription s;
  memset(&s, 0, sizeof(s));
  s.userdata = userdata;
  s.type = type;
  s.fd_readwrite.fd = fd;
  s.fd_readwrite.flags = CLOUDABI_SUBSCRIPTION_FD_READWRITE_POLL;
  return s;
}

static const struct cloudabi_event *find(const struct cloudabi_event *events, size_t n,
                                         uint64_t userdata) {
  static const struct cloudabi_event none = {.error = 0xffff};
  for (size_t i = 0; i < n; i++) {
    if (events[i].userdata == userdata)
      return &events[i];
  }
  return &none;
}

static void check_clock(void) {
  struct cloudabi_event ev;
  struct cloudabi_subscription s = raw_clock(20 * RAW_MS, 0);
  size_t n = 0;
  uint64_t start = raw_now();
  s.clock.identifier = 0x1d;
  memset(&ev, 0xee, sizeof(ev));
  check_err("poll", "a relative time", cloudabi_sys_poll(&s, &ev, 1, &n), 0);
  check("poll", "a relative time: not before it", raw_now() - start >= 20 * RAW_MS);
  check("poll", "a relative time: not long after it", raw_now() - start < 2000 * RAW_MS);
  check("poll", "a relative time: its event",
        n == 1 && ev.userdata == 0xc10c && ev.error == 0 && ev.type == CLOUDABI_EVENTTYPE_CLOCK);
  check_eq("poll", "a clock's event echoes the identifier", ev.clock.identifier, 0x1d);
  check("poll", "an event's padding holds nothing",
        raw_all((char *)&ev + 11, 5, 0) && raw_all((char *)&ev + 24, 8, 0));

  s = raw_clock(0, 0);
  check_err("poll", "no time at all", cloudabi_sys_poll(&s, &ev, 1, &n), 0);
  start = raw_now();
  s = raw_clock(start + 20 * RAW_MS, CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME);
  check_err("poll", "an absolute time", cloudabi_sys_poll(&s, &ev, 1, &n), 0);
  check("poll", "an absolute time: not before it", raw_now() >= start + 20 * RAW_MS);
  s = raw_clock(1, CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME);
  check_err("poll", "an absolute time that is over", cloudabi_sys_poll(&s, &ev, 1, &n), 0);
  uint64_t real = 0;
  cloudabi_sys_clock_time_get(CLOUDABI_CLOCK_REALTIME, 0, &real);
  s = raw_clock(real + 20 * RAW_MS, CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME);
  s.clock.clock_id = CLOUDABI_CLOCK_REALTIME;
  start = raw_now();
  check_err("poll", "an absolute real time", cloudabi_sys_poll(&s, &ev, 1, &n), 0);
  check("poll", "an absolute real time: about then",
        raw_now() - start >= 19 * RAW_MS && raw_now() - start < 2000 * RAW_MS);

  struct cloudabi_subscription two[2] = {raw_clock(1000000 * RAW_MS, 0), raw_clock(5 * RAW_MS, 0)};
  struct cloudabi_event events[2];
  two[1].userdata = 2;
  check_err("poll", "two clocks", cloudabi_sys_poll(two, events, 2, &n), 0);
  check("poll", "two clocks: the earlier one", n == 1 && events[0].userdata == 2);
  two[0] = raw_clock(UINT64_MAX, CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME);
  check_err("poll", "a clock that never comes, and one that does",
            cloudabi_sys_poll(two, events, 2, &n), 0);
  check("poll", "a clock that never comes does not", n == 1 && events[0].userdata == 2);

  static const cloudabi_clock_id_t bad[] = {0, 2, 4, 5, 0xffffffff};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    char what[40];
    s = raw_clock(0, 0);
    s.clock.clock_id = bad[i];
    snprintf(what, sizeof(what), "clock %#x", (unsigned)bad[i]);
    n = 0;
    cloudabi_errno_t e = cloudabi_sys_poll(&s, &ev, 1, &n);
    check("poll", what,
          e == CLOUDABI_EINVAL || (e == 0 && n == 1 && ev.error != 0 && ev.userdata == 0xc10c));
  }
}

static void check_fds(void) {
  struct cloudabi_subscription subs[6] = {fd_sub(file, CLOUDABI_EVENTTYPE_FD_READ, 1),
                                          fd_sub(check_fd, CLOUDABI_EVENTTYPE_FD_WRITE, 2),
                                          fd_sub(RAW_BAD_FD, CLOUDABI_EVENTTYPE_FD_READ, 3),
                                          fd_sub(check_fd, CLOUDABI_EVENTTYPE_FD_READ, 4),
                                          fd_sub(dir, CLOUDABI_EVENTTYPE_FD_READ, 5),
                                          fd_sub(0xffffffff, CLOUDABI_EVENTTYPE_FD_WRITE, 6)};
  struct cloudabi_event events[6];
  size_t n = 0;
  check_err("poll", "six descriptors", cloudabi_sys_poll(subs, events, 6, &n), 0);
  const struct cloudabi_event *ev = find(events, n, 1);
  check("poll", "a file can be read", ev->error == 0 && ev->type == CLOUDABI_EVENTTYPE_FD_READ);
  check("poll", "a descriptor's event echoes its number", ev->fd_readwrite.fd == file);
  check("poll", "a file has not hung up",
        (ev->fd_readwrite.flags & CLOUDABI_EVENT_FD_READWRITE_HANGUP) == 0);
  check("poll", "the console can be written", find(events, n, 2)->error == 0);
  check_eq("poll", "a closed number", find(events, n, 3)->error, CLOUDABI_EBADF);
  check_eq("poll", "a closed number: echoed", find(events, n, 3)->fd_readwrite.fd, RAW_BAD_FD);
  check_eq("poll", "reading what can't be read", find(events, n, 4)->error, CLOUDABI_ENOTCAPABLE);
  check_eq("poll", "the number 0xffffffff", find(events, n, 6)->error, CLOUDABI_EBADF);

  cloudabi_fd_t a = raw_dup_with(file, ~(uint64_t)CLOUDABI_RIGHT_POLL_FD_READWRITE);
  subs[0] = fd_sub(a, CLOUDABI_EVENTTYPE_FD_READ, 1);
  check_err("poll", "without poll_fd_readwrite", cloudabi_sys_poll(subs, events, 1, &n), 0);
  check_eq("poll", "without poll_fd_readwrite: the event's error", events[0].error,
           CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_close(a);

  subs[0] = fd_sub(RAW_BAD_FD, CLOUDABI_EVENTTYPE_PROC_TERMINATE, 1);
  subs[0].proc_terminate.fd = RAW_BAD_FD;
  check_err("poll", "a process by a closed number", cloudabi_sys_poll(subs, events, 1, &n), 0);
  check_eq("poll", "a process by a closed number: the event's error", events[0].error,
           CLOUDABI_EBADF);
  subs[0].proc_terminate.fd = file;
  check_err("poll", "a process that is a file", cloudabi_sys_poll(subs, events, 1, &n), 0);
  check_eq("poll", "a process that is a file: the event's error", events[0].error,
           CLOUDABI_ENOTCAPABLE);
}

static void check_shapes(void) {
  struct cloudabi_event ev;
  struct cloudabi_subscription s = raw_clock(0, 0);
  size_t n = 99;
  check_err("poll", "nothing to wait for", cloudabi_sys_poll(&s, &ev, 0, &n), 0);
  check_eq("poll", "nothing to wait for: no events", n, 0);
  for (unsigned type = 0; type <= 0xff; type += type < 9 ? 1 : 41) {
    char what[40];
    if (type >= CLOUDABI_EVENTTYPE_CLOCK && type <= CLOUDABI_EVENTTYPE_PROC_TERMINATE)
      continue;
    s.type = type;
    n = 0;
    snprintf(what, sizeof(what), "type %u", type);
    cloudabi_errno_t e = cloudabi_sys_poll(&s, &ev, 1, &n);
    check("poll", what,
          e == 0 && n == 1 && ev.error != 0 && ev.userdata == 0xc10c && ev.type == type);
  }
  n = 99;
  check("poll", "SIZE_MAX subscriptions", cloudabi_sys_poll(&s, &ev, SIZE_MAX, &n) != 0);
  check("poll", "SIZE_MAX / 56 + 2 subscriptions",
        cloudabi_sys_poll(&s, &ev, SIZE_MAX / 56 + 2, &n) != 0);
  check_eq("poll", "failures leave the result alone", n, 99);

  /* One array for both: what is read is read before anything is written. */
  union {
    struct cloudabi_subscription s[4];
    struct cloudabi_event e[4];
  } both;
  for (unsigned i = 0; i < 4; i++)
    both.s[i] = fd_sub(file, CLOUDABI_EVENTTYPE_FD_READ, i + 1);
  check_err("poll", "events over their subscriptions", cloudabi_sys_poll(both.s, both.e, 4, &n), 0);
  bool good = n == 4;
  for (unsigned i = 0; i < 4; i++)
    good = good && find(both.e, 4, i + 1)->error == 0;
  check("poll", "events over their subscriptions: all there", good);
}

#define MANY 3000

static void check_many(void) {
  struct cloudabi_subscription *subs = raw_memory(MANY * sizeof(*subs));
  struct cloudabi_event *events = raw_memory((MANY + 1) * sizeof(*events));
  static uint8_t seen[MANY];
  size_t n = 0;
  for (unsigned i = 0; i < MANY; i++)
    subs[i] = fd_sub(i % 2 ? file : RAW_BAD_FD, CLOUDABI_EVENTTYPE_FD_READ, i);
  memset(&events[MANY], 0xee, sizeof(*events));
  check_err("poll", "3000 descriptors", cloudabi_sys_poll(subs, events, MANY, &n), 0);
  check_eq("poll", "3000 descriptors: events", n, MANY);
  bool good = n == MANY;
  for (size_t i = 0; i < n; i++) {
    good = good && events[i].userdata < MANY && !seen[events[i].userdata]++ &&
           events[i].error == (events[i].userdata % 2 ? 0 : CLOUDABI_EBADF);
  }
  check("poll", "3000 descriptors: one event each", good);
  check("poll", "3000 descriptors: nothing behind the events",
        raw_all(&events[MANY], sizeof(*events), 0xee));
}

static void sleeper(struct raw_thread *t) {
  raw_sleep((uint64_t)(uintptr_t)t->arg);
  t->step = 1;
}

static void check_threads(void) {
  static struct raw_thread t[5];
  uint64_t start = raw_now();
  for (uintptr_t i = 0; i < 5; i++)
    raw_spawn(&t[i], sleeper, (void *)((i + 1) * 10 * RAW_MS));
  for (int i = 0; i < 5; i++)
    raw_join(&t[i]);
  uint64_t took = raw_now() - start;
  check("poll", "five threads sleep at the same time", took >= 50 * RAW_MS && took < 140 * RAW_MS);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  check_clock();
  check_fds();
  check_shapes();
  check_many();
  check_threads();
  check_end();
}
