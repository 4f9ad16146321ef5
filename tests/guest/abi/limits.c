/*
 * What happens when there is no more, from inside: {out: fd, dir: fd, file: fd}. Every resource
 * ends with its own error, and comes back.
 */
#include <program.h>
#include <stdatomic.h>

#include "../check.h"
#include "raw.h"

#define FDS_MAX 65536
#define THREADS_MAX 5000
#define SUBSCRIPTIONS_MAX 65536

static cloudabi_fd_t dir, file;

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void check_fds(void) {
  static uint8_t seen[FDS_MAX];
  cloudabi_fd_t fd = 0, opened = 77;
  unsigned count = 0;
  bool distinct = true;
  cloudabi_errno_t e;
  while ((e = cloudabi_sys_fd_dup(file, &fd)) == 0 && count < 2 * FDS_MAX) {
    distinct = distinct && fd < FDS_MAX && !seen[fd];
    if (fd < FDS_MAX)
      seen[fd] = 1;
    count++;
  }
  check_err("fd_dup", "one descriptor too many", e, CLOUDABI_EMFILE);
  check_eq("fd_dup", "descriptors in all, with the three granted", count + 3, FDS_MAX);
  check("fd_dup", "each its own number", distinct);
  check_err("file_open", "one descriptor too many",
            raw_open(dir, "a.txt", 0, CLOUDABI_RIGHT_FD_READ, &opened), CLOUDABI_EMFILE);
  check_eq("file_open", "one too many: the result is left alone", opened, 77);
  cloudabi_sys_fd_close(1000 + check_fd);
  check_err("fd_dup", "after one was closed", cloudabi_sys_fd_dup(file, &fd), 0);
  for (fd = 0; fd < FDS_MAX; fd++) {
    if (seen[fd])
      cloudabi_sys_fd_close(fd);
  }
  check_err("file_open", "after all were closed",
            raw_open(dir, "a.txt", 0, CLOUDABI_RIGHT_FD_READ, &opened), 0);
  cloudabi_sys_fd_close(opened);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static _Atomic unsigned running;
static cloudabi_lock_t gate;

static void wait_at_gate(cloudabi_tid_t tid, void *arg) {
  cloudabi_lock_t lock = tid | CLOUDABI_LOCK_WRLOCKED;
  struct cloudabi_event ev;
  (void)arg;
  running++;
  raw_wait(raw_lock_sub(&gate, CLOUDABI_EVENTTYPE_LOCK_RDLOCK), 0, &ev);
  running--;
  cloudabi_sys_thread_exit(&lock, CLOUDABI_SCOPE_PRIVATE);
}

static unsigned start_threads(char *stacks, size_t stack_bytes, cloudabi_errno_t *e) {
  unsigned count = 0;
  for (*e = 0; count < THREADS_MAX; count++) {
    struct cloudabi_threadattr attr = {wait_at_gate, stacks + count * stack_bytes, stack_bytes,
                                       NULL};
    cloudabi_tid_t tid;
    *e = cloudabi_sys_thread_create(&attr, &tid);
    if (*e != 0)
      break;
  }
  return count;
}

static void close_gate(void) {
  struct cloudabi_event ev;
  gate = 0;
  raw_wait(raw_lock_sub(&gate, CLOUDABI_EVENTTYPE_LOCK_WRLOCK), 0, &ev);
}

static void open_gate(unsigned count) {
  raw_until(&running, count);
  cloudabi_sys_lock_unlock(&gate, CLOUDABI_SCOPE_PRIVATE);
  while (running > 0)
    cloudabi_sys_thread_yield();
  raw_sleep(20 * RAW_MS);
}

static void check_threads(void) {
  const size_t stack_bytes = 2048;
  cloudabi_errno_t e;
  char *stacks = raw_memory(THREADS_MAX * stack_bytes);
  close_gate();
  unsigned count = start_threads(stacks, stack_bytes, &e);
  check("thread_create", "one thread too many", e == CLOUDABI_EAGAIN || e == CLOUDABI_ENOMEM);
  check("thread_create", "there are at least 1000", count >= 1000);
  open_gate(count);
  close_gate();
  check_eq("thread_create", "as many again after all have ended",
           start_threads(stacks, stack_bytes, &e), count);
  open_gate(count);
  cloudabi_sys_mem_unmap(stacks, THREADS_MAX * stack_bytes);
}

/* ---- Mappings -------------------------------------------------------------------------------- */

static void check_mappings(void) {
  const size_t pages = 140000;
  char *p = raw_map(pages * RAW_PAGE, 0);
  cloudabi_errno_t e = 0;
  size_t done = 0;
  for (; e == 0 && done < pages; done += 2)
    e = cloudabi_sys_mem_protect(p + done * RAW_PAGE, RAW_PAGE, CLOUDABI_PROT_READ);
  check_err("mem_protect", "one mapping too many", e, CLOUDABI_ENOMEM);
  check("mem_protect", "there are at least 10000", done > 10000);
  void *q = NULL;
  check_err(
      "mem_map", "one mapping too many",
      cloudabi_sys_mem_map(NULL, RAW_PAGE, CLOUDABI_PROT_READ,
                           CLOUDABI_MAP_ANON | CLOUDABI_MAP_SHARED, CLOUDABI_MAP_ANON_FD, 0, &q),
      CLOUDABI_ENOMEM);
  check_err("mem_unmap", "all of them at once", cloudabi_sys_mem_unmap(p, pages * RAW_PAGE), 0);
  p = raw_memory(RAW_PAGE);
  check("mem_map", "after they are gone", p != NULL);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
}

/* ---- poll ------------------------------------------------------------------------------------ */

static void check_poll(void) {
  struct cloudabi_subscription *subs = raw_memory((SUBSCRIPTIONS_MAX + 1) * sizeof(*subs));
  struct cloudabi_event *events = raw_memory((SUBSCRIPTIONS_MAX + 1) * sizeof(*events));
  size_t n = 99;
  for (size_t i = 0; i <= SUBSCRIPTIONS_MAX; i++)
    subs[i] = raw_clock(i == 5000 ? 0 : 1000000 * RAW_MS, 0);
  check_err("poll", "8192 clocks", cloudabi_sys_poll(subs, events, 8192, &n), 0);
  check_eq("poll", "8192 clocks: the one that is up", n, 1);
  cloudabi_errno_t e = cloudabi_sys_poll(subs, events, SUBSCRIPTIONS_MAX, &n);
  check_either("poll", "65536 clocks, if there is memory for them", e, 0, CLOUDABI_ENOMEM);
  check("poll", "65537 subscriptions",
        cloudabi_sys_poll(subs, events, SUBSCRIPTIONS_MAX + 1, &n) == CLOUDABI_EINVAL);
  cloudabi_sys_mem_unmap(subs, (SUBSCRIPTIONS_MAX + 1) * sizeof(*subs));
  cloudabi_sys_mem_unmap(events, (SUBSCRIPTIONS_MAX + 1) * sizeof(*events));
}

/* ---- Memory ---------------------------------------------------------------------------------- */

#define CHUNK (64 * RAW_PAGE)
#define CHUNKS_MAX 4096

static char *chunks[CHUNKS_MAX];
static char thread_stack[4096] __attribute__((aligned(16)));

static struct { /* while there was nothing left */
  cloudabi_errno_t dup, open, map, stat, thread, poll, vector, readdir;
} without;

static unsigned take_all(void) {
  unsigned count = 0;
  while (count < CHUNKS_MAX && (chunks[count] = raw_map(CHUNK, 0)) != NULL) {
    bool full = cloudabi_sys_mem_protect(chunks[count], CHUNK,
                                         CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE) != 0;
    for (size_t at = 0; !full && at < CHUNK; at += RAW_PAGE)
      full = cloudabi_sys_random_get(chunks[count] + at, 1) != 0;
    count++;
    if (full)
      break;
  }
  return count;
}

/* Every page that this touches has been touched before. */
static void try_calls(struct cloudabi_subscription *subs, struct cloudabi_event *events,
                      struct cloudabi_iovec *iov, size_t n) {
  cloudabi_fd_t fd = 0;
  cloudabi_tid_t tid = 0;
  size_t out;
  void *mem;
  struct cloudabi_filestat st;
  struct cloudabi_threadattr attr = {wait_at_gate, thread_stack, sizeof(thread_stack), NULL};
  for (unsigned i = 0; i < 200 && without.dup == 0; i++)
    without.dup = cloudabi_sys_fd_dup(file, &fd);
  without.open = raw_open(dir, "a.txt", 0, CLOUDABI_RIGHT_FD_READ, &fd);
  without.map =
      cloudabi_sys_mem_map(NULL, 64 * CHUNK, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE,
                           CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE, CLOUDABI_MAP_ANON_FD, 0, &mem);
  without.stat = cloudabi_sys_file_stat_get((struct cloudabi_lookup){dir, 0}, "a.txt", 5, &st);
  without.thread = cloudabi_sys_thread_create(&attr, &tid);
  without.poll = cloudabi_sys_poll(subs, events, n, &out);
  without.vector = cloudabi_sys_fd_pread(file, iov, 1024, 0, &out);
  without.readdir = cloudabi_sys_file_readdir(dir, events, 64, 0, &out);
}

static bool fine(cloudabi_errno_t e) {
  return e == 0 || e == CLOUDABI_ENOMEM;
}

static void check_memory(void) {
  static struct cloudabi_subscription subs[2000];
  static struct cloudabi_event events[2000];
  static struct cloudabi_iovec iov[1024];
  struct cloudabi_fdstat st;
  void *p = NULL;
  check_err(
      "mem_map", "more memory than there is",
      cloudabi_sys_mem_map(NULL, 1ull << 40, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE,
                           CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE, CLOUDABI_MAP_ANON_FD, 0, &p),
      CLOUDABI_ENOMEM);
  check_err("mem_map", "an address range of that size",
            cloudabi_sys_mem_map(NULL, 1ull << 40, 0, CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE,
                                 CLOUDABI_MAP_ANON_FD, 0, &p),
            0);
  cloudabi_sys_mem_unmap(p, 1ull << 40);

  for (size_t i = 0; i < 2000; i++)
    subs[i] = raw_clock(0, 0);
  memset(events, 0, sizeof(events));
  memset(thread_stack, 0, sizeof(thread_stack));
  memset(iov, 0, sizeof(iov));
  close_gate();
  try_calls(subs, events, iov, 2000); /* once with memory, so that all is there */
  check("poll", "the calls work while there is memory",
        without.dup == 0 && without.poll == 0 && without.thread == 0);
  raw_until(&running, 1);
  cloudabi_sys_lock_unlock(&gate, CLOUDABI_SCOPE_PRIVATE);
  while (running > 0)
    cloudabi_sys_thread_yield();
  raw_sleep(10 * RAW_MS);
  close_gate();
  memset(chunks, 0, sizeof(chunks));
  memset(&without, 0, sizeof(without));

  unsigned count = take_all();
  try_calls(subs, events, iov, 2000);
  for (unsigned i = 0; i < count; i++)
    cloudabi_sys_mem_unmap(chunks[i], CHUNK);
  check("mem_map", "memory can be used up, and the program lives", count > 10);
  check("fd_dup", "without memory", fine(without.dup));
  check("file_open", "without memory", fine(without.open));
  check_err("mem_map", "without memory", without.map, CLOUDABI_ENOMEM);
  check("file_stat_get", "without memory", fine(without.stat));
  check("thread_create", "without memory", fine(without.thread));
  check("poll", "2000 subscriptions without memory", fine(without.poll));
  check("fd_pread", "1024 pieces without memory", fine(without.vector));
  check("file_readdir", "without memory", fine(without.readdir));
  check("poll", "something was refused",
        without.poll == CLOUDABI_ENOMEM || without.open == CLOUDABI_ENOMEM);
  if (without.thread == 0)
    raw_until(&running, 1);
  cloudabi_sys_lock_unlock(&gate, CLOUDABI_SCOPE_PRIVATE);
  for (cloudabi_fd_t fd = 3; fd < 600; fd++)
    cloudabi_sys_fd_close(fd);
  check_err("fd_stat_get", "afterwards", cloudabi_sys_fd_stat_get(file, &st), 0);
  unsigned again = take_all();
  for (unsigned i = 0; i < again; i++)
    cloudabi_sys_mem_unmap(chunks[i], CHUNK);
  check("mem_map", "afterwards there is as much memory as before",
        again + 4 >= count && again <= count + 4);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  check_fds();
  check_threads();
  check_mappings();
  check_poll();
  check_memory();
  check_end();
}
