/*
 * Child processes without a C library between. A child reports by its exit code or in memory that
 * it shares with its parent; it prints nothing.
 */
#ifndef TESTS_GUEST_ABI_PROCS_H
#define TESTS_GUEST_ABI_PROCS_H

#include "raw.h"

/* Memory that a child shares with its parent: zeroes. */
static inline void *proc_shared(size_t bytes) {
  void *p = NULL;
  cloudabi_sys_mem_map(NULL, bytes, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE,
                       CLOUDABI_MAP_ANON | CLOUDABI_MAP_SHARED, CLOUDABI_MAP_ANON_FD, 0, &p);
  return p;
}

/* A child that runs fn(arg) and exits with its result; RAW_BAD_FD: there was none. */
static inline cloudabi_fd_t proc_spawn(unsigned (*fn)(void *), void *arg) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_tid_t tid = 0;
  if (cloudabi_sys_proc_fork(&fd, &tid) != 0)
    return RAW_BAD_FD;
  if (fd == CLOUDABI_PROCESS_CHILD)
    cloudabi_sys_proc_exit(fn(arg));
  return fd;
}

static inline struct cloudabi_subscription proc_sub(cloudabi_fd_t fd) {
  struct cloudabi_subscription s;
  memset(&s, 0, sizeof(s));
  s.userdata = 0xc41d;
  s.type = CLOUDABI_EVENTTYPE_PROC_TERMINATE;
  s.proc_terminate.fd = fd;
  return s;
}

/* How a child ended: its exit code, or 1000 and its signal; 9999: it did not for so long, or there
 * was an error. */
static inline unsigned proc_wait(cloudabi_fd_t fd, uint64_t timeout_ns) {
  struct cloudabi_event ev;
  if (raw_wait(proc_sub(fd), timeout_ns, &ev) != 0 ||
      ev.type != CLOUDABI_EVENTTYPE_PROC_TERMINATE || ev.error != 0)
    return 9999;
  return ev.proc_terminate.signal != 0 ? 1000u + ev.proc_terminate.signal
                                       : ev.proc_terminate.exitcode;
}

#define PROC_LIMIT (60000 * RAW_MS)

/* The same with a generous limit, and without the descriptor. */
static inline unsigned proc_end(cloudabi_fd_t fd) {
  unsigned how = proc_wait(fd, PROC_LIMIT);
  cloudabi_sys_fd_close(fd);
  return how;
}

/* What a child does that is only to be there. */
static inline unsigned proc_sleep(void *arg) {
  (void)arg;
  for (;;)
    raw_sleep(1000000 * RAW_MS);
}

/* One that counts in shared memory as long as it lives. */
static inline unsigned proc_count(void *arg) {
  for (volatile uint64_t *count = arg;; ++*count)
    cloudabi_sys_thread_yield();
}

/* Whether a count stands still. */
static inline bool proc_counts(volatile uint64_t *count) {
  uint64_t before = *count;
  for (uint64_t end = raw_now() + 20 * RAW_MS; raw_now() < end && *count == before;)
    cloudabi_sys_thread_yield();
  return *count != before;
}

/* Waits until it does. */
static inline bool proc_count_stops(volatile uint64_t *count) {
  for (uint64_t end = raw_now() + PROC_LIMIT; raw_now() < end;) {
    if (!proc_counts(count))
      return true;
  }
  return false;
}

#endif
