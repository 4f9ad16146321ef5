/*
 * The system calls without a C library between: memory, descriptors, time, waiting and threads.
 *
 * What a raw thread runs must not use thread-locals: no errno, no stdio.
 */
#ifndef TESTS_GUEST_ABI_RAW_H
#define TESTS_GUEST_ABI_RAW_H

#include <cloudabi_syscalls.h>
#include <cloudabi_types.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RAW_PAGE 4096ul
#define RAW_MS 1000000ull /* in nanoseconds */
#define RAW_BAD_FD 12345u /* never open */

/* ---- Memory ---------------------------------------------------------------------------------- */

static inline void *raw_map(size_t bytes, cloudabi_mprot_t prot) {
  void *p = NULL;
  cloudabi_errno_t e = cloudabi_sys_mem_map(
      NULL, bytes, prot, CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE, CLOUDABI_MAP_ANON_FD, 0, &p);
  return e == 0 ? p : NULL;
}

static inline void *raw_memory(size_t bytes) {
  return raw_map(bytes, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE);
}

/* Whether all bytes have the value. */
static inline bool raw_all(const void *p, size_t n, uint8_t value) {
  const uint8_t *bytes = p;
  for (size_t i = 0; i < n; i++) {
    if (bytes[i] != value)
      return false;
  }
  return true;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static inline cloudabi_errno_t raw_write(cloudabi_fd_t fd, const void *data, size_t n) {
  struct cloudabi_iovec iov = {(void *)(uintptr_t)data, n};
  size_t written;
  return cloudabi_sys_fd_write(fd, &iov, 1, &written);
}

static inline cloudabi_errno_t raw_read(cloudabi_fd_t fd, void *data, size_t n, size_t *nread) {
  struct cloudabi_iovec iov = {data, n};
  return cloudabi_sys_fd_read(fd, &iov, 1, nread);
}

static inline cloudabi_rights_t raw_rights(cloudabi_fd_t fd) {
  struct cloudabi_fdstat st;
  return cloudabi_sys_fd_stat_get(fd, &st) == 0 ? st.fs_rights_base : 0;
}

static inline cloudabi_errno_t raw_set_rights(cloudabi_fd_t fd, cloudabi_rights_t base,
                                              cloudabi_rights_t inheriting) {
  struct cloudabi_fdstat st;
  memset(&st, 0, sizeof(st));
  st.fs_rights_base = base;
  st.fs_rights_inheriting = inheriting;
  return cloudabi_sys_fd_stat_put(fd, &st, CLOUDABI_FDSTAT_RIGHTS);
}

/* A second descriptor of the same thing that has only `keep` of the rights. */
static inline cloudabi_fd_t raw_dup_with(cloudabi_fd_t fd, cloudabi_rights_t keep) {
  cloudabi_fd_t copy = RAW_BAD_FD;
  if (cloudabi_sys_fd_dup(fd, &copy) == 0)
    raw_set_rights(copy, raw_rights(copy) & keep, 0);
  return copy;
}

static inline cloudabi_errno_t raw_open(cloudabi_fd_t dir, const char *path,
                                        cloudabi_oflags_t oflags, cloudabi_rights_t base,
                                        cloudabi_fd_t *fd) {
  struct cloudabi_lookup lookup = {dir, CLOUDABI_LOOKUP_SYMLINK_FOLLOW};
  struct cloudabi_fdstat st;
  memset(&st, 0, sizeof(st));
  st.fs_rights_base = base;
  return cloudabi_sys_file_open(lookup, path, strlen(path), oflags, &st, fd);
}

/* ---- Time and waiting ------------------------------------------------------------------------ */

static inline uint64_t raw_now(void) {
  uint64_t ns = 0;
  cloudabi_sys_clock_time_get(CLOUDABI_CLOCK_MONOTONIC, 0, &ns);
  return ns;
}

static inline struct cloudabi_subscription raw_clock(uint64_t timeout_ns,
                                                     cloudabi_subclockflags_t flags) {
  struct cloudabi_subscription s;
  memset(&s, 0, sizeof(s));
  s.userdata = 0xc10c;
  s.type = CLOUDABI_EVENTTYPE_CLOCK;
  s.clock.clock_id = CLOUDABI_CLOCK_MONOTONIC;
  s.clock.timeout = timeout_ns;
  s.clock.flags = flags;
  return s;
}

static inline void raw_sleep(uint64_t ns) {
  struct cloudabi_subscription s = raw_clock(ns, 0);
  struct cloudabi_event ev;
  size_t n;
  cloudabi_sys_poll(&s, &ev, 1, &n);
}

static inline struct cloudabi_subscription raw_lock_sub(cloudabi_lock_t *lock,
                                                        cloudabi_eventtype_t type) {
  struct cloudabi_subscription s;
  memset(&s, 0, sizeof(s));
  s.userdata = 0x10c4;
  s.type = type;
  s.lock.lock = lock;
  s.lock.lock_scope = CLOUDABI_SCOPE_PRIVATE;
  return s;
}

static inline struct cloudabi_subscription raw_condvar_sub(cloudabi_condvar_t *cv,
                                                           cloudabi_lock_t *lock) {
  struct cloudabi_subscription s;
  memset(&s, 0, sizeof(s));
  s.userdata = 0xc0d5;
  s.type = CLOUDABI_EVENTTYPE_CONDVAR;
  s.condvar.condvar = cv;
  s.condvar.lock = lock;
  s.condvar.condvar_scope = s.condvar.lock_scope = CLOUDABI_SCOPE_PRIVATE;
  return s;
}

/* Waits for one thing for so long at most (0: without limit). The event is in *ev; the result is
 * the call's. */
static inline cloudabi_errno_t raw_wait(struct cloudabi_subscription what, uint64_t timeout_ns,
                                        struct cloudabi_event *ev) {
  struct cloudabi_subscription subs[2] = {what, raw_clock(timeout_ns, 0)};
  struct cloudabi_event events[2];
  size_t n = 0;
  cloudabi_errno_t e = cloudabi_sys_poll(subs, events, timeout_ns == 0 ? 1 : 2, &n);
  *ev = events[0];
  return e;
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct raw_thread {
  void (*run)(struct raw_thread *);
  void *arg;
  void *stack;
  cloudabi_tid_t tid;         /* as thread_create told */
  _Atomic cloudabi_tid_t own; /* as the thread was told; 0: it has not run yet */
  _Atomic unsigned step;      /* for the test's own use */
  cloudabi_lock_t done;       /* held by the thread until its end */
};

#define RAW_STACK_BYTES 65536

static inline void raw_thread_main(cloudabi_tid_t tid, void *arg) {
  struct raw_thread *t = arg;
  t->done = tid | CLOUDABI_LOCK_WRLOCKED;
  t->own = tid;
  t->run(t);
  cloudabi_sys_thread_exit(&t->done, CLOUDABI_SCOPE_PRIVATE);
}

static inline cloudabi_errno_t raw_spawn(struct raw_thread *t, void (*run)(struct raw_thread *),
                                         void *arg) {
  memset(t, 0, sizeof(*t));
  t->run = run;
  t->arg = arg;
  t->stack = raw_memory(RAW_STACK_BYTES);
  struct cloudabi_threadattr attr = {raw_thread_main, t->stack, RAW_STACK_BYTES, t};
  return cloudabi_sys_thread_create(&attr, &t->tid);
}

/* Lets the others run until the value is there; false after ten seconds. */
static inline bool raw_until(_Atomic unsigned *value, unsigned wanted) {
  for (uint64_t end = raw_now() + 10000 * RAW_MS; *value < wanted;) {
    if (raw_now() > end)
      return false;
    cloudabi_sys_thread_yield();
  }
  return true;
}

static inline void raw_join(struct raw_thread *t) {
  struct cloudabi_event ev;
  while (t->own == 0)
    cloudabi_sys_thread_yield();
  raw_wait(raw_lock_sub(&t->done, CLOUDABI_EVENTTYPE_LOCK_RDLOCK), 0, &ev);
  cloudabi_sys_mem_unmap(t->stack, RAW_STACK_BYTES);
}

#endif
