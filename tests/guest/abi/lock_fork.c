/*
 * Locks and condition variables between processes, from inside: {out: fd}. A child waits and its
 * parent lets it go on, or kills it. Reference 4.3 to 4.5 and 8.1.
 */
#include <program.h>
#include <stdatomic.h>

#include "../check.h"
#include "raw.h"

#define WR CLOUDABI_LOCK_WRLOCKED
#define KM CLOUDABI_LOCK_KERNEL_MANAGED
#define PRIVATE CLOUDABI_SCOPE_PRIVATE
#define SHARED CLOUDABI_SCOPE_SHARED
#define RDLOCK CLOUDABI_EVENTTYPE_LOCK_RDLOCK
#define WRLOCK CLOUDABI_EVENTTYPE_LOCK_WRLOCK
#define KILLED 1000u /* of end_of(), and the signal */

typedef _Atomic cloudabi_lock_t lock_t;
typedef _Atomic cloudabi_condvar_t condvar_t;

struct words {
  lock_t lock, other;
  condvar_t condvar;
  _Atomic unsigned seen;
};

static struct words *shared; /* where this process has them: a child maps them elsewhere */
static struct words own;     /* in private memory: a child gets a copy */
static cloudabi_fd_t memory;
static cloudabi_tid_t self;
static cloudabi_fd_t victim = RAW_BAD_FD; /* a child to be killed: nobody else may hold it */

static struct words *map(void) {
  void *p = NULL;
  cloudabi_sys_mem_map(NULL, RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE,
                       CLOUDABI_MAP_SHARED, memory, 0, &p);
  return p;
}

/* ---- Processes ------------------------------------------------------------------------------- */

static cloudabi_fd_t start(unsigned (*run)(void)) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_tid_t tid;
  if (cloudabi_sys_proc_fork(&fd, &tid) != 0 || fd != CLOUDABI_PROCESS_CHILD)
    return fd;
  struct words *before = shared;
  cloudabi_sys_fd_close(victim);
  self = tid;
  shared = map();
  cloudabi_sys_mem_unmap(before, RAW_PAGE);
  cloudabi_sys_proc_exit(run());
}

/* Waits for its end: its exit status, or KILLED and a signal. */
static unsigned end_of(cloudabi_fd_t child) {
  struct cloudabi_subscription s = {.type = CLOUDABI_EVENTTYPE_PROC_TERMINATE};
  struct cloudabi_event ev;
  size_t n;
  s.proc_terminate.fd = child;
  cloudabi_errno_t e = cloudabi_sys_poll(&s, &ev, 1, &n);
  cloudabi_sys_fd_close(child);
  if (e != 0 || ev.error != 0)
    return 2 * KILLED + e + ev.error;
  return ev.proc_terminate.signal != 0 ? KILLED + ev.proc_terminate.signal
                                       : ev.proc_terminate.exitcode;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static cloudabi_errno_t wait_for(struct cloudabi_subscription s, uint64_t timeout_ns) {
  struct cloudabi_event ev;
  cloudabi_errno_t e = raw_wait(s, timeout_ns, &ev);
  if (e != 0)
    return e;
  return ev.error == 0 && ev.type == CLOUDABI_EVENTTYPE_CLOCK ? CLOUDABI_ETIMEDOUT : ev.error;
}

static cloudabi_errno_t take(lock_t *lock, cloudabi_eventtype_t type, cloudabi_scope_t scope,
                             uint64_t timeout_ns) {
  struct cloudabi_subscription s = raw_lock_sub((cloudabi_lock_t *)lock, type);
  s.lock.lock_scope = scope;
  return wait_for(s, timeout_ns);
}

static cloudabi_errno_t unlock(lock_t *lock, cloudabi_scope_t scope) {
  return cloudabi_sys_lock_unlock((cloudabi_lock_t *)lock, scope);
}

static cloudabi_errno_t signal(cloudabi_nthreads_t n) {
  return cloudabi_sys_condvar_signal((cloudabi_condvar_t *)&shared->condvar, SHARED, n);
}

/* The variable is the shared one. */
static cloudabi_errno_t wait_signal(lock_t *lock, cloudabi_scope_t scope) {
  struct cloudabi_subscription s =
      raw_condvar_sub((cloudabi_condvar_t *)&shared->condvar, (cloudabi_lock_t *)lock);
  s.condvar.condvar_scope = SHARED;
  s.condvar.lock_scope = scope;
  *lock = self | WR;
  shared->seen++; /* free again, it means that this thread waits */
  return wait_for(s, 0);
}

/* Until somebody waits for the lock; until so many have come to wait on the variable. */
static bool until_waited_for(const lock_t *lock) {
  for (uint64_t end = raw_now() + 20000 * RAW_MS; (*lock & KM) == 0; cloudabi_sys_thread_yield()) {
    if (raw_now() > end)
      return false;
  }
  return true;
}

static bool until_waiting(unsigned waiters) {
  for (uint64_t end = raw_now() + 20000 * RAW_MS;
       shared->seen < waiters || shared->lock != 0 || shared->condvar == 0;
       cloudabi_sys_thread_yield()) {
    if (raw_now() > end)
      return false;
  }
  return true;
}

/* What children do: 0 is success. */

static unsigned child_locks(void) {
  if (take(&shared->lock, WRLOCK, SHARED, 0) != 0)
    return 1;
  unsigned wrong = (shared->lock & ~KM) == (self | WR) ? 0 : 2;
  shared->seen++;
  return unlock(&shared->lock, SHARED) == 0 ? wrong : 3;
}

static unsigned child_reads(void) {
  return take(&shared->lock, RDLOCK, SHARED, 0) == 0 ? 0 : 1;
}

static unsigned child_waits(void) {
  while (shared->lock != 0)
    cloudabi_sys_thread_yield();
  if (wait_signal(&shared->lock, SHARED) != 0)
    return 1;
  unsigned wrong = (shared->lock & ~KM) == (self | WR) ? 0 : 2;
  return unlock(&shared->lock, SHARED) == 0 ? wrong : 3;
}

/* With a lock that the parent doesn't see, at an address where it has another. */
static unsigned child_waits_privately(void) {
  if (wait_signal(&own.lock, PRIVATE) != 0)
    return 1;
  return own.lock == (self | WR) ? 0 : 2;
}

static unsigned child_locks_privately(void) {
  own.lock = 5 | WR; /* nobody's, in this copy */
  shared->seen++;
  return take(&own.lock, WRLOCK, PRIVATE, 50 * RAW_MS) == CLOUDABI_ETIMEDOUT ? 0 : 1;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static void reset(void) {
  shared->lock = shared->other = shared->condvar = shared->seen = 0;
}

static void check_handover(void) {
  reset();
  shared->lock = self | WR;
  cloudabi_fd_t a = start(child_locks);
  check("poll", "wrlock in a child: it marks the word", until_waited_for(&shared->lock));
  cloudabi_fd_t b = start(child_reads);
  raw_sleep(20 * RAW_MS);
  check_err("lock_unlock", "a child waits", unlock(&shared->lock, SHARED), 0);
  check_eq("poll", "wrlock in a child: given by the parent", end_of(a), 0);
  check_eq("poll", "rdlock in a child: given by the other child", end_of(b), 0);
  check_eq("lock_unlock", "one reader is left", shared->lock, 1);

  reset();
  shared->lock = own.lock = self | WR;
  a = start(child_locks_privately);
  raw_until(&shared->seen, 1);
  raw_sleep(10 * RAW_MS);
  check_err("lock_unlock", "private: a child has a copy of the word", unlock(&own.lock, PRIVATE),
            0);
  check_eq("poll", "private wrlock in a child: not given by the parent", end_of(a), 0);
}

static void check_signal(void) {
  reset();
  cloudabi_fd_t a = start(child_waits);
  check("poll", "condvar in a child: it marks the word", until_waiting(1));
  check_err("condvar_signal", "to a child", signal(1), 0);
  check_eq("poll", "condvar in a child: signalled", end_of(a), 0);
  check("condvar_signal", "to a child: both words are 0 afterwards",
        shared->condvar == 0 && shared->lock == 0);

  reset();
  own.lock = 0;
  a = start(child_waits_privately);
  check("poll", "condvar in a child with a private lock", until_waiting(1));
  check_err("condvar_signal", "to a child with a private lock", signal(1), 0);
  check_eq("poll", "condvar in a child with a private lock: signalled", end_of(a), 0);
  check_eq("condvar_signal", "the parent's word at that address stays", own.lock, 0);

  reset();
  cloudabi_fd_t all[3];
  for (unsigned i = 0; i < 3; i++) {
    all[i] = start(child_waits);
    until_waiting(i + 1);
  }
  check_err("condvar_signal", "to three children", signal(UINT32_MAX), 0);
  check("poll", "condvar in three children: all signalled",
        end_of(all[0]) == 0 && end_of(all[1]) == 0 && end_of(all[2]) == 0);
  check("condvar_signal", "to three children: both words are 0 afterwards",
        shared->condvar == 0 && shared->lock == 0);
}

static void kill(cloudabi_fd_t child) {
  cloudabi_sys_fd_close(child);
}

static void check_deaths(void) {
  reset();
  shared->lock = self | WR;
  cloudabi_fd_t a = start(child_locks);
  until_waited_for(&shared->lock);
  kill(a);
  for (uint64_t end = raw_now() + 20000 * RAW_MS; (shared->lock & KM) != 0 && raw_now() < end;)
    cloudabi_sys_thread_yield();
  check_eq("poll", "wrlock in a child that is killed: the mark is gone", shared->lock, self | WR);
  check_err("lock_unlock", "after the death of the waiter", unlock(&shared->lock, SHARED), 0);

  static unsigned (*const heirs[])(void) = {child_locks, child_reads};
  static const char *const names[] = {"wrlock given to a child that is killed: another gets it",
                                      "rdlock given to a child that is killed: another gets it"};
  for (unsigned i = 0; i < 2; i++) {
    reset();
    shared->lock = self | WR;
    a = start(heirs[i]);
    until_waited_for(&shared->lock);
    unlock(&shared->lock, SHARED); /* it has the lock, and no time to learn of it */
    kill(a);
    check_err("poll", names[i], take(&shared->lock, WRLOCK, SHARED, 20000 * RAW_MS), 0);
    unlock(&shared->lock, SHARED);
  }

  reset();
  victim = start(child_waits);
  until_waiting(1);
  cloudabi_fd_t b = start(child_waits);
  until_waiting(2);
  kill(victim);
  check_err("condvar_signal", "when the first waiter is killed", signal(1), 0);
  check_eq("poll", "condvar: signalled in the place of one that is killed", end_of(b), 0);
  check("condvar_signal", "when the first waiter is killed: both words are 0",
        shared->condvar == 0 && shared->lock == 0);
}

void program_main(const argdata_t *ad) {
  struct cloudabi_filestat st = {.st_size = RAW_PAGE};
  check_begin(ad);
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &memory);
  cloudabi_sys_file_stat_fput(memory, &st, CLOUDABI_FILESTAT_SIZE);
  shared = map();
  take(&shared->lock, WRLOCK, SHARED, 0);
  self = shared->lock & ~WR;
  check_handover();
  check_signal();
  check_deaths();
  check_end();
}
