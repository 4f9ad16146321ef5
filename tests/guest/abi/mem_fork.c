/*
 * Memory after proc_fork, from inside: {out: fd}. What is private is copied when it is written to,
 * what is shared stays shared, and how a child ends that touches what is not there. Reference 6, 8.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

#define RW (CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE)
#define KILLED 1000u /* and a signal */
#define LARGE (2ul << 20)

/* What parent and children tell each other by: shared memory without a descriptor. */
static _Atomic unsigned *told;

static void *map(size_t bytes, unsigned flags, cloudabi_fd_t fd) {
  void *p = NULL;
  cloudabi_sys_mem_map(NULL, bytes, RW, flags, fd, 0, &p);
  return p;
}

static void *shared_anonymous(size_t bytes) {
  return map(bytes, CLOUDABI_MAP_ANON | CLOUDABI_MAP_SHARED, CLOUDABI_MAP_ANON_FD);
}

static cloudabi_fd_t shared_memory(size_t bytes) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  st.st_size = bytes;
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &fd);
  cloudabi_sys_file_stat_fput(fd, &st, CLOUDABI_FILESTAT_SIZE);
  return fd;
}

/* A child that runs `run` and exits with its result. */
static cloudabi_fd_t start(unsigned (*run)(void)) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_tid_t tid;
  if (cloudabi_sys_proc_fork(&fd, &tid) != 0 || fd != CLOUDABI_PROCESS_CHILD)
    return fd;
  cloudabi_sys_proc_exit(run());
}

/* Its exit status, or KILLED and a signal. */
static unsigned end_of(cloudabi_fd_t child) {
  struct cloudabi_subscription s;
  struct cloudabi_event ev;
  size_t n;
  memset(&s, 0, sizeof(s));
  s.type = CLOUDABI_EVENTTYPE_PROC_TERMINATE;
  s.proc_terminate.fd = child;
  cloudabi_errno_t e = cloudabi_sys_poll(&s, &ev, 1, &n);
  cloudabi_sys_fd_close(child);
  if (e != 0 || ev.error != 0)
    return 2 * KILLED + e + ev.error;
  return ev.proc_terminate.signal != 0 ? KILLED + ev.proc_terminate.signal
                                       : ev.proc_terminate.exitcode;
}

/* ---- Private memory -------------------------------------------------------------------------- */

static unsigned data = 1; /* of the program itself */
static uint8_t *memory;
enum { BYTES = 16 * RAW_PAGE };

static unsigned child_writes(void) {
  unsigned bad = !raw_all(memory, BYTES, 'p') || data != 1;
  memset(memory, 'c', BYTES / 2);
  data = 2;
  *told = 1;
  bad |= !raw_until(told, 2); /* the parent has written, too */
  return bad | (!raw_all(memory, BYTES / 2, 'c') || !raw_all(memory + BYTES / 2, BYTES / 2, 'p') ||
                data != 2);
}

static void check_private(void) {
  volatile unsigned local = 5;
  memory = raw_memory(BYTES);
  memset(memory, 'p', BYTES);
  *told = 0;
  cloudabi_fd_t child = start(child_writes);
  check("proc_fork", "the child runs and shares what is shared", raw_until(told, 1));
  check("proc_fork", "memory: the parent doesn't see what the child writes",
        raw_all(memory, BYTES, 'p') && data == 1 && local == 5);
  memset(memory + BYTES / 2, 'q', BYTES / 2);
  data = 3;
  *told = 2;
  check_eq("proc_fork", "memory: the child doesn't see what the parent writes", end_of(child), 0);
  check("proc_fork", "memory: after the child's end",
        raw_all(memory, BYTES / 2, 'p') && raw_all(memory + BYTES / 2, BYTES / 2, 'q'));
  memset(memory, 'r', BYTES);
  check("proc_fork", "memory: the parent goes on writing", raw_all(memory, BYTES, 'r'));
  data = 1;
}

static unsigned child_unmaps(void) {
  unsigned bad = cloudabi_sys_mem_unmap(memory, BYTES / 2) != 0 ||
                 cloudabi_sys_mem_protect(memory + BYTES / 2, BYTES / 2, CLOUDABI_PROT_READ) != 0;
  return bad | (cloudabi_sys_random_get(memory, 1) != CLOUDABI_EFAULT ||
                cloudabi_sys_random_get(memory + BYTES / 2, 1) != CLOUDABI_EFAULT);
}

/* The kernel writes to memory that is shared with a child as well. */
static unsigned child_asks(void) {
  return cloudabi_sys_random_get(memory, BYTES) != 0 || raw_all(memory, BYTES, 'r');
}

static void check_changes(void) {
  check_eq("proc_fork", "mappings: the child's own", end_of(start(child_unmaps)), 0);
  check("proc_fork", "mappings: the parent keeps its own", raw_all(memory, BYTES, 'r'));
  memset(memory, 'r', BYTES);
  check_eq("proc_fork", "memory: results of calls in the child", end_of(start(child_asks)), 0);
  check("proc_fork", "memory: they don't reach the parent", raw_all(memory, BYTES, 'r'));
  cloudabi_sys_mem_unmap(memory, BYTES);
}

/* ---- Much memory ----------------------------------------------------------------------------- */

static uint8_t *much;
enum { MUCH = 8 << 20 };

static bool much_is(unsigned tag, size_t but) {
  for (size_t at = 0; at < MUCH; at += RAW_PAGE)
    if (at != but && *(unsigned *)(much + at) != tag + at)
      return false;
  return true;
}

static unsigned child_of_much(void) {
  if (!much_is(1, MUCH))
    return 1;
  *(unsigned *)(much + 3 * LARGE) = 99;
  if (!much_is(1, 3 * LARGE))
    return 2;
  return cloudabi_sys_mem_unmap(much + RAW_PAGE, MUCH - 2 * RAW_PAGE) == 0 ? 0 : 3;
}

static void check_much(void) {
  much = raw_memory(MUCH);
  for (size_t at = 0; at < MUCH; at += RAW_PAGE)
    *(unsigned *)(much + at) = (unsigned)(1 + at);
  for (unsigned i = 0; i < 3; i++)
    check_eq("proc_fork", "much memory: in the child", end_of(start(child_of_much)), 0);
  check("proc_fork", "much memory: in the parent", much_is(1, MUCH));
  for (size_t at = 0; at < MUCH; at += RAW_PAGE)
    *(unsigned *)(much + at) = (unsigned)(2 + at);
  check("proc_fork", "much memory: the parent goes on writing", much_is(2, MUCH));
  cloudabi_sys_mem_unmap(much, MUCH);
}

/* ---- Shared memory --------------------------------------------------------------------------- */

static cloudabi_fd_t fd;
static uint8_t *a, *b; /* a: a mapping of fd, b: a private one */

static unsigned child_shares(void) {
  uint8_t *again = map(2 * RAW_PAGE, CLOUDABI_MAP_SHARED, fd);
  unsigned bad = a[0] != 'p' || b[0] != 'b' || b[RAW_PAGE] != 'P';
  again[1] = 'c';
  bad |= a[1] != 'c';
  b[0] = 'B';
  *told = 1;
  return bad | !raw_until(told, 2) | (a[RAW_PAGE] != 'q' || again[RAW_PAGE] != 'q') << 1;
}

static void check_shared(void) {
  fd = shared_memory(2 * RAW_PAGE);
  a = map(2 * RAW_PAGE, CLOUDABI_MAP_SHARED, fd);
  b = map(2 * RAW_PAGE, CLOUDABI_MAP_PRIVATE, fd);
  a[0] = 'p';
  a[RAW_PAGE] = 'P';
  b[0] = 'b';
  *told = 0;
  cloudabi_fd_t child = start(child_shares);
  check("proc_fork", "shared memory: the child has written", raw_until(told, 1));
  check_eq("proc_fork", "shared memory: the parent sees it", a[1], 'c');
  check_eq("proc_fork", "shared memory, private: it does not see that", b[0], 'b');
  a[RAW_PAGE] = 'q';
  *told = 2;
  check_eq("proc_fork", "shared memory: the child sees the parent's", end_of(child), 0);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static unsigned child_cuts_off(void) {
  struct cloudabi_filestat st;
  memset(&st, 0, sizeof(st));
  st.st_size = RAW_PAGE;
  return cloudabi_sys_file_stat_fput(fd, &st, CLOUDABI_FILESTAT_SIZE);
}

static unsigned child_beyond(void) {
  return ((volatile uint8_t *)a)[RAW_PAGE];
}

static unsigned child_nowhere(void) {
  cloudabi_sys_mem_unmap(a, RAW_PAGE);
  return ((volatile uint8_t *)a)[0];
}

static void check_ends(void) {
  check_eq("file_stat_fput", "shared memory is cut off by the child", end_of(start(child_cuts_off)),
           0);
  uint8_t byte;
  struct cloudabi_iovec iov = {a + RAW_PAGE, 1};
  size_t n;
  check_err("mem_map", "cut off in the parent, too", cloudabi_sys_random_get(a + RAW_PAGE, 1),
            CLOUDABI_EFAULT);
  check_err("fd_write", "from there", cloudabi_sys_fd_write(check_fd, (void *)&iov, 1, &n),
            CLOUDABI_EFAULT);
  check_eq("poll", "a child that reads there: SIGBUS", end_of(start(child_beyond)),
           KILLED + CLOUDABI_SIGBUS);
  check_eq("poll", "a child that reads what it unmapped: SIGSEGV", end_of(start(child_nowhere)),
           KILLED + CLOUDABI_SIGSEGV);
  byte = a[0];
  check_eq("proc_fork", "the parent has its memory still", byte, 'p');
}

/* ---- Again and again ------------------------------------------------------------------------- */

static unsigned child_ends(void) {
  memset(memory, 1, LARGE);
  return 7;
}

static void check_nothing_stays(void) {
  unsigned good = 0;
  memory = raw_memory(LARGE);
  memset(memory, 2, LARGE);
  for (unsigned i = 0; i < 60; i++)
    good += end_of(start(child_ends)) == 7;
  check_eq("proc_fork", "children that use 2 MiB each, one after the other", good, 60);
  check("proc_fork", "nothing of theirs is seen", raw_all(memory, LARGE, 2));
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  told = shared_anonymous(RAW_PAGE);
  check_private();
  check_changes();
  check_much();
  check_shared();
  check_ends();
  check_nothing_stays();
  check_end();
}
