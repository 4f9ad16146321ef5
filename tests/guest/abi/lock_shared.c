/*
 * Locks and condition variables in shared memory, from inside: {out: fd, tmp: directory}. The same
 * memory is mapped at two addresses, which stand for two processes. Reference 4.3 to 4.5.
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
#define READ_WRITE (CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE)

struct words {
  _Atomic cloudabi_lock_t lock, other;
  _Atomic cloudabi_condvar_t condvar;
};

static struct words *here, *there; /* the same */
static struct words alone;
static cloudabi_fd_t memory;
static cloudabi_tid_t self;

static void *map(cloudabi_fd_t fd, cloudabi_mprot_t prot, uint64_t offset) {
  void *p = NULL;
  cloudabi_errno_t e =
      cloudabi_sys_mem_map(NULL, RAW_PAGE, prot, CLOUDABI_MAP_SHARED, fd, offset, &p);
  return e == 0 ? p : NULL;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static struct cloudabi_subscription on_lock(_Atomic cloudabi_lock_t *lock,
                                            cloudabi_eventtype_t type, cloudabi_scope_t scope) {
  struct cloudabi_subscription s = raw_lock_sub((cloudabi_lock_t *)lock, type);
  s.lock.lock_scope = scope;
  return s;
}

static struct cloudabi_subscription on_condvar(_Atomic cloudabi_condvar_t *condvar,
                                               _Atomic cloudabi_lock_t *lock,
                                               cloudabi_scope_t lock_scope) {
  struct cloudabi_subscription s =
      raw_condvar_sub((cloudabi_condvar_t *)condvar, (cloudabi_lock_t *)lock);
  s.condvar.condvar_scope = SHARED;
  s.condvar.lock_scope = lock_scope;
  return s;
}

/* The error of the call or of the event, or ETIMEDOUT. */
static cloudabi_errno_t wait_for(struct cloudabi_subscription s, uint64_t timeout_ns) {
  struct cloudabi_event ev;
  cloudabi_errno_t e = raw_wait(s, timeout_ns, &ev);
  if (e != 0)
    return e;
  return ev.error == 0 && ev.type == CLOUDABI_EVENTTYPE_CLOCK ? CLOUDABI_ETIMEDOUT : ev.error;
}

static cloudabi_errno_t unlock(_Atomic cloudabi_lock_t *lock, cloudabi_scope_t scope) {
  return cloudabi_sys_lock_unlock((cloudabi_lock_t *)lock, scope);
}

static cloudabi_errno_t signal(_Atomic cloudabi_condvar_t *condvar, cloudabi_nthreads_t n) {
  return cloudabi_sys_condvar_signal((cloudabi_condvar_t *)condvar, SHARED, n);
}

/* ---- Threads that wait ----------------------------------------------------------------------- */

struct waiter {
  struct raw_thread thread;
  struct cloudabi_subscription what;
  uint64_t timeout_ns;
  cloudabi_errno_t result;
  bool owned; /* it had the lock for itself when its wait was over */
};

static void waiter(struct raw_thread *t) {
  struct waiter *w = t->arg;
  bool on_condvar = w->what.type == CLOUDABI_EVENTTYPE_CONDVAR;
  _Atomic cloudabi_lock_t *lock =
      (_Atomic cloudabi_lock_t *)(on_condvar ? w->what.condvar.lock : w->what.lock.lock);
  cloudabi_scope_t scope = on_condvar ? w->what.condvar.lock_scope : w->what.lock.lock_scope;
  if (on_condvar)
    *lock = t->own | WR;
  t->step = 1;
  w->result = wait_for(w->what, w->timeout_ns);
  if (w->result == 0 && w->what.type != RDLOCK) {
    w->owned = (*lock & ~KM) == (t->own | WR);
    unlock(lock, scope);
  }
  t->step = 2;
}

/* Starts it and lets it come to its wait. */
static void start(struct waiter *w, struct cloudabi_subscription what, uint64_t timeout_ns) {
  w->what = what;
  w->timeout_ns = timeout_ns;
  w->owned = false;
  raw_spawn(&w->thread, waiter, w);
  raw_until(&w->thread.step, 1);
  raw_sleep(3 * RAW_MS);
}

static bool got_it(struct waiter *w) {
  raw_join(&w->thread);
  return w->result == 0 && w->owned;
}

/* ---- Which words are the same ---------------------------------------------------------------- */

static void check_keys(void) {
  static struct waiter a, b;
  here->lock = self | WR;
  start(&a, on_lock(&there->lock, WRLOCK, SHARED), 0);
  check_eq("poll", "shared wrlock: waiting at another address marks the word", here->lock,
           self | WR | KM);
  start(&b, on_lock(&here->lock, RDLOCK, SHARED), 0);
  check_err("lock_unlock", "shared: waited for at two addresses", unlock(&here->lock, SHARED), 0);
  check("poll", "shared wrlock: given at another address", got_it(&a));
  raw_join(&b.thread);
  check_err("poll", "shared rdlock: given after it", b.result, 0);
  check_eq("lock_unlock", "shared: one reader is left", there->lock, 1);

  here->lock = here->other = self | WR;
  start(&a, on_lock(&there->lock, WRLOCK, SHARED), 0);
  unlock(&here->other, SHARED);
  check_eq("lock_unlock", "shared: the word beside it is another lock", a.thread.step, 1);
  check_err("poll", "shared wrlock: one's own, at another address",
            wait_for(on_lock(&there->other, WRLOCK, SHARED), 0), 0);
  check_err("poll", "shared wrlock: again", wait_for(on_lock(&here->other, WRLOCK, SHARED), 0),
            CLOUDABI_EDEADLK);
  here->other = 0;
  unlock(&here->lock, SHARED);
  check("poll", "shared wrlock: given later", got_it(&a));

  alone.lock = self | WR;
  start(&a, on_lock(&alone.lock, WRLOCK, SHARED), 0);
  check_err("lock_unlock", "private, of a lock in private memory that is waited for as shared",
            unlock(&alone.lock, PRIVATE), 0);
  check("poll", "shared wrlock: private memory is private", got_it(&a));

  here->lock = self | WR;
  start(&a, on_lock(&there->lock, WRLOCK, PRIVATE), 20 * RAW_MS);
  check_err("lock_unlock", "private: not waited for at this address", unlock(&here->lock, PRIVATE),
            0);
  check_eq("lock_unlock", "private: just freed", here->lock, 0);
  raw_join(&a.thread);
  check_err("poll", "private wrlock: not given at another address", a.result, CLOUDABI_ETIMEDOUT);

  here->lock = self | WR;
  start(&a, on_lock(&there->lock, WRLOCK, SHARED), 10 * RAW_MS);
  raw_join(&a.thread);
  check_err("poll", "shared wrlock: a limit", a.result, CLOUDABI_ETIMEDOUT);
  check_eq("poll", "shared wrlock: the limit takes the mark away", here->lock, self | WR);
  here->lock = 0;
}

/* ---- Condition variables --------------------------------------------------------------------- */

static void check_condvars(void) {
  static struct waiter a, b;
  start(&a, on_condvar(&there->condvar, &there->lock, SHARED), 0);
  start(&b, on_condvar(&here->condvar, &here->lock, SHARED), 0);
  check("poll", "shared condvar: two addresses of one variable and one lock",
        a.thread.step == 1 && b.thread.step == 1 && here->condvar != 0 && here->lock == 0);
  here->other = self | WR;
  check_err("poll", "shared condvar: with another lock",
            wait_for(on_condvar(&here->condvar, &here->other, SHARED), RAW_MS), CLOUDABI_EINVAL);
  here->other = 0;
  here->lock = self | WR;
  check_err("condvar_signal", "shared: all, holding the lock", signal(&here->condvar, UINT32_MAX),
            0);
  check_eq("condvar_signal", "shared: the lock is the kernel's to give", there->lock,
           self | WR | KM);
  check_eq("condvar_signal", "shared: nobody waits any more", there->condvar, 0);
  unlock(&there->lock, SHARED);
  check("condvar_signal", "shared: each gets the lock", got_it(&a) && got_it(&b));
  check_eq("condvar_signal", "shared: free after the last", here->lock, 0);

  start(&a, on_condvar(&there->condvar, &alone.lock, PRIVATE), 0);
  check_err("condvar_signal", "shared, with a private lock", signal(&here->condvar, 1), 0);
  check("poll", "shared condvar: with a private lock", got_it(&a));

  start(&a, on_condvar(&there->condvar, &there->lock, SHARED), 10 * RAW_MS);
  raw_join(&a.thread);
  check_err("poll", "shared condvar: a limit", a.result, CLOUDABI_ETIMEDOUT);
  check("poll", "shared condvar: a limit: with the lock, and the variable is 0",
        here->lock == (a.thread.tid | WR) && here->condvar == 0);
  here->lock = 0;
}

/* ---- Mappings that come and go --------------------------------------------------------------- */

/* The waiters are readers, who don't look at the word afterwards. */
static void check_mappings(void) {
  static struct waiter a;
  struct words *again = map(memory, READ_WRITE, 0);
  here->lock = self | WR;
  start(&a, on_lock(&again->lock, RDLOCK, SHARED), 0);
  cloudabi_sys_mem_unmap(again, RAW_PAGE);
  check_err("lock_unlock", "shared: where the waiter has unmapped it", unlock(&here->lock, SHARED),
            0);
  raw_join(&a.thread);
  check_err("poll", "shared rdlock: given where it has been unmapped", a.result, 0);
  check_eq("lock_unlock", "shared: where the waiter has unmapped it: the word", here->lock, 1);
  here->lock = 0;

  struct words *seen = map(memory, CLOUDABI_PROT_READ, 0);
  check_err("poll", "shared wrlock: memory that may only be read",
            wait_for(on_lock(&seen->lock, WRLOCK, SHARED), 0), CLOUDABI_EFAULT);
  check_err("lock_unlock", "shared: memory that may only be read", unlock(&seen->lock, SHARED),
            CLOUDABI_EFAULT);
  check_err("condvar_signal", "shared: memory that may only be read", signal(&seen->condvar, 1),
            CLOUDABI_EFAULT);
  check_eq("poll", "shared wrlock: memory that may only be read: not taken", here->lock, 0);
  cloudabi_sys_mem_unmap(seen, RAW_PAGE);
}

static void resize(cloudabi_fd_t fd, uint64_t bytes) {
  struct cloudabi_filestat st = {.st_size = bytes};
  cloudabi_sys_file_stat_fput(fd, &st, CLOUDABI_FILESTAT_SIZE);
}

static void check_files(cloudabi_fd_t tmp) {
  static struct waiter a, b;
  const cloudabi_rights_t rights = CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FD_WRITE |
                                   CLOUDABI_RIGHT_FD_SEEK | CLOUDABI_RIGHT_MEM_MAP |
                                   CLOUDABI_RIGHT_FILE_STAT_FPUT_SIZE;
  cloudabi_fd_t file = RAW_BAD_FD;
  raw_open(tmp, "words", CLOUDABI_O_CREAT, rights, &file);
  resize(file, 2 * RAW_PAGE);
  struct words *first = map(file, READ_WRITE, 0), *second = map(file, READ_WRITE, RAW_PAGE),
               *again = map(file, READ_WRITE, RAW_PAGE);
  first->lock = second->lock = self | WR;
  start(&a, on_lock(&again->lock, WRLOCK, SHARED), 0);
  unlock(&first->lock, SHARED);
  check_eq("lock_unlock", "shared: another page of the file", a.thread.step, 1);
  check_err("lock_unlock", "shared: the same page of the file", unlock(&second->lock, SHARED), 0);
  check("poll", "shared wrlock: in a file", got_it(&a));

  second->lock = self | WR;
  second->other = 0;
  start(&a, on_lock(&again->lock, RDLOCK, SHARED), 30 * RAW_MS);
  start(&b, on_condvar(&again->condvar, &again->other, SHARED), 30 * RAW_MS);
  resize(file, RAW_PAGE);
  check_err("lock_unlock", "shared: the file has been cut off", unlock(&second->lock, SHARED),
            CLOUDABI_EFAULT);
  check_err("condvar_signal", "shared: the file has been cut off", signal(&second->condvar, 1),
            CLOUDABI_EFAULT);
  raw_join(&a.thread);
  raw_join(&b.thread);
  check_err("poll", "shared rdlock: the file has been cut off: the limit", a.result,
            CLOUDABI_ETIMEDOUT);
  check_err("poll", "shared condvar: the file has been cut off: no way back to the lock", b.result,
            CLOUDABI_EFAULT);
  check_err("poll", "shared wrlock: the file has been cut off",
            wait_for(on_lock(&second->lock, WRLOCK, SHARED), RAW_MS), CLOUDABI_EFAULT);
  resize(file, 2 * RAW_PAGE);
  check_err("poll", "shared wrlock: the file is long again",
            wait_for(on_lock(&second->lock, WRLOCK, SHARED), RAW_MS), 0);
  cloudabi_sys_fd_close(file);
}

/* Threads end with a lock that is waited for at another address. */
static void exiting(struct raw_thread *t) {
  here->lock = t->own | WR;
  t->step = 1;
  raw_sleep(10 * RAW_MS);
  cloudabi_sys_thread_exit((cloudabi_lock_t *)&here->lock, SHARED);
}

static void check_exit(void) {
  struct raw_thread t;
  raw_spawn(&t, exiting, NULL);
  raw_until(&t.step, 1);
  check_err("thread_exit", "shared: hands the lock over",
            wait_for(on_lock(&there->lock, RDLOCK, SHARED), 0), 0);
  check_eq("thread_exit", "shared: the word", here->lock, 1);
  here->lock = 0;
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &memory);
  resize(memory, RAW_PAGE);
  here = map(memory, READ_WRITE, 0);
  there = map(memory, READ_WRITE, 0);
  if (here == NULL || there == NULL || here == there)
    abort();
  wait_for(on_lock(&here->lock, WRLOCK, SHARED), 0);
  self = here->lock & ~WR;
  unlock(&here->lock, SHARED);
  check_keys();
  check_condvars();
  check_mappings();
  check_files((cloudabi_fd_t)arg_fd(ad, "tmp"));
  check_exit();
  check_end();
}
