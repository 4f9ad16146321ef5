/*
 * Many threads in many processes under one set of locks and condition variables: {out: fd,
 * processes: int, threads: int, rounds: int, seed: int}. Reference 4.
 *
 * Every thread goes through what a C library does with the words, at random, and looks after what
 * the locks are to guard: counters, owners, a queue, a barrier. A lost wakeup is a program that
 * doesn't end. The last line is "stress N rounds: E errors", with the line of this file where the
 * first was found.
 */
#include <program.h>
#include <stdatomic.h>
#include <stdio.h>

#include "abi/raw.h"
#include "args.h"

#define WR CLOUDABI_LOCK_WRLOCKED
#define KM CLOUDABI_LOCK_KERNEL_MANAGED
#define BOGUS CLOUDABI_LOCK_BOGUS
#define SHARED CLOUDABI_SCOPE_SHARED
#define WORKERS_MAX 64
#define RING 3

typedef _Atomic cloudabi_lock_t lock_t;
typedef _Atomic cloudabi_condvar_t condvar_t;

/* In shared memory. */
static struct arena {
  lock_t mutex, rwlock, queue_lock, gate_lock, timed_lock;
  condvar_t not_empty, not_full, gate, never;
  uint32_t mutex_owner, timed_owner; /* 0: nobody */
  uint64_t counter;
  uint64_t left, right; /* equal for readers */
  uint64_t ring[RING], head, tail, sum_in, sum_out;
  unsigned arrived, generation;
  _Atomic unsigned workers; /* of all processes */
  _Atomic unsigned errors, first_error;
  _Atomic uint64_t counted, written, timed_out, waited; /* in all, by the threads' own books */
  lock_t done[WORKERS_MAX];
} * arena;

static cloudabi_fd_t memory;
static unsigned threads, rounds, seed;

#define CHECK(cond) ((cond) ? (void)0 : error(__LINE__))

static void error(unsigned line) {
  unsigned none = 0;
  atomic_compare_exchange_strong(&arena->first_error, &none, line);
  arena->errors++;
}

/* ---- A thread's part of locks ---------------------------------------------------------------- */

struct worker {
  cloudabi_tid_t tid;
  unsigned index;
  uint64_t random;
};

static unsigned pick(struct worker *w, unsigned n) {
  w->random ^= w->random << 13;
  w->random ^= w->random >> 7;
  w->random ^= w->random << 17;
  return (unsigned)(w->random >> 33) % n;
}

static void dawdle(struct worker *w) {
  if (pick(w, 3) == 0)
    cloudabi_sys_thread_yield();
}

/* False: the time was up. 0: none; some limits are relative, some absolute. */
static bool wait(struct worker *w, struct cloudabi_subscription what, uint64_t limit_ns) {
  struct cloudabi_subscription subs[2] = {what, raw_clock(limit_ns, 0)};
  struct cloudabi_event ev[2];
  size_t n;
  if (pick(w, 2) == 0)
    subs[1] = raw_clock(limit_ns + raw_now(), CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME);
  CHECK(cloudabi_sys_poll(subs, ev, limit_ns == 0 ? 1 : 2, &n) == 0 && n == 1);
  CHECK(ev[0].error == 0);
  CHECK(ev[0].type == what.type || (limit_ns != 0 && ev[0].type == CLOUDABI_EVENTTYPE_CLOCK));
  return ev[0].type == what.type;
}

static bool wait_lock(struct worker *w, lock_t *lock, cloudabi_eventtype_t type,
                      uint64_t limit_ns) {
  struct cloudabi_subscription s = raw_lock_sub((cloudabi_lock_t *)lock, type);
  s.lock.lock_scope = SHARED;
  return wait(w, s, limit_ns);
}

static bool write_lock(struct worker *w, lock_t *lock, uint64_t limit_ns) {
  cloudabi_lock_t free = CLOUDABI_LOCK_UNLOCKED;
  if (!atomic_compare_exchange_strong(lock, &free, w->tid | WR) &&
      !wait_lock(w, lock, CLOUDABI_EVENTTYPE_LOCK_WRLOCK, limit_ns))
    return false;
  CHECK((*lock & ~KM) == (w->tid | WR));
  return true;
}

static void write_unlock(struct worker *w, lock_t *lock) {
  cloudabi_lock_t mine = w->tid | WR;
  CHECK((*lock & ~KM) == mine);
  if (!atomic_compare_exchange_strong(lock, &mine, CLOUDABI_LOCK_UNLOCKED))
    CHECK(cloudabi_sys_lock_unlock((cloudabi_lock_t *)lock, SHARED) == 0);
}

static bool read_lock(struct worker *w, lock_t *lock, uint64_t limit_ns) {
  cloudabi_lock_t word = *lock;
  while ((word & (WR | KM)) == 0) {
    if (atomic_compare_exchange_strong(lock, &word, word + 1))
      return true;
  }
  if (!wait_lock(w, lock, CLOUDABI_EVENTTYPE_LOCK_RDLOCK, limit_ns))
    return false;
  CHECK((*lock & WR) == 0 && (*lock & ~KM) > 0);
  return true;
}

static void read_unlock(struct worker *w, lock_t *lock) {
  cloudabi_lock_t word = *lock;
  for (;;) {
    CHECK((word & WR) == 0 && (word & ~KM) > 0);
    bool last = word == (1 | KM);
    if (!atomic_compare_exchange_strong(lock, &word, last ? w->tid | WR | KM : word - 1))
      continue;
    if (last)
      CHECK(cloudabi_sys_lock_unlock((cloudabi_lock_t *)lock, SHARED) == 0);
    return;
  }
}

static bool wait_condvar(struct worker *w, condvar_t *condvar, lock_t *lock, uint64_t limit_ns) {
  struct cloudabi_subscription s =
      raw_condvar_sub((cloudabi_condvar_t *)condvar, (cloudabi_lock_t *)lock);
  s.condvar.condvar_scope = s.condvar.lock_scope = SHARED;
  bool signalled = wait(w, s, limit_ns);
  CHECK((*lock & ~KM) == (w->tid | WR));
  return signalled;
}

static void signal(condvar_t *condvar, cloudabi_nthreads_t n) {
  if (*condvar != 0)
    CHECK(cloudabi_sys_condvar_signal((cloudabi_condvar_t *)condvar, SHARED, n) == 0);
}

/* ---- What they guard ------------------------------------------------------------------------- */

static uint64_t some_limit(struct worker *w) {
  return pick(w, 2) == 0 ? 0 : 1 + pick(w, 2000000);
}

static void own(struct worker *w, uint32_t *owner) {
  CHECK(*owner == 0);
  *owner = w->tid;
  dawdle(w);
  CHECK(*owner == w->tid);
  *owner = 0;
}

static void count(struct worker *w) {
  if (!write_lock(w, &arena->mutex, some_limit(w)))
    return;
  uint64_t seen = arena->counter;
  own(w, &arena->mutex_owner);
  arena->counter = seen + 1;
  arena->counted++;
  write_unlock(w, &arena->mutex);
}

static void read_both(struct worker *w) {
  if (!read_lock(w, &arena->rwlock, some_limit(w)))
    return;
  uint64_t left = arena->left;
  dawdle(w);
  CHECK(arena->right == left);
  read_unlock(w, &arena->rwlock);
}

static void write_both(struct worker *w) {
  if (!write_lock(w, &arena->rwlock, some_limit(w)))
    return;
  arena->left++;
  dawdle(w);
  arena->right++;
  arena->written++;
  write_unlock(w, &arena->rwlock);
}

/* Whoever waits with a limit tries again, so that the queue is as it should be in the end. */
static void put(struct worker *w, uint64_t value) {
  write_lock(w, &arena->queue_lock, 0);
  while (arena->tail - arena->head == RING)
    wait_condvar(w, &arena->not_full, &arena->queue_lock, some_limit(w));
  arena->ring[arena->tail++ % RING] = value;
  arena->sum_in += value;
  bool early = pick(w, 2) == 0;
  if (early)
    signal(&arena->not_empty, 1);
  write_unlock(w, &arena->queue_lock);
  if (!early)
    signal(&arena->not_empty, 1);
}

static void get(struct worker *w) {
  write_lock(w, &arena->queue_lock, 0);
  while (arena->tail == arena->head)
    wait_condvar(w, &arena->not_empty, &arena->queue_lock, some_limit(w));
  arena->sum_out += arena->ring[arena->head++ % RING];
  signal(&arena->not_full, 1);
  write_unlock(w, &arena->queue_lock);
}

/* Nobody signals. */
static void wait_in_vain(struct worker *w) {
  if (!write_lock(w, &arena->timed_lock, 1 + pick(w, 3000000))) {
    arena->timed_out++;
    return;
  }
  own(w, &arena->timed_owner);
  CHECK(!wait_condvar(w, &arena->never, &arena->timed_lock, 1 + pick(w, 500000)));
  arena->waited++;
  own(w, &arena->timed_owner);
  write_unlock(w, &arena->timed_lock);
}

/* All threads of all processes meet. */
static void meet(struct worker *w) {
  write_lock(w, &arena->gate_lock, 0);
  unsigned generation = arena->generation;
  if (++arena->arrived == arena->workers) {
    arena->arrived = 0;
    arena->generation++;
    signal(&arena->gate, UINT32_MAX);
  }
  while (arena->generation == generation)
    wait_condvar(w, &arena->gate, &arena->gate_lock, pick(w, 4) == 0 ? 1 + pick(w, 300000) : 0);
  write_unlock(w, &arena->gate_lock);
}

static void play(struct worker *w) {
  for (unsigned i = 0; i < rounds; i++) {
    switch (pick(w, 8)) {
      case 0:
      case 1:
      case 2:
        count(w);
        break;
      case 3:
        read_both(w);
        break;
      case 4:
        write_both(w);
        break;
      case 5:
        wait_in_vain(w);
        break;
      default:
        put(w, w->tid + i);
        get(w);
    }
    if (i % 16 == 15)
      meet(w);
  }
}

/* ---- Threads and processes ------------------------------------------------------------------- */

/* Ends by handing over its join lock. */
static void work(cloudabi_tid_t tid, void *arg) {
  unsigned index = (unsigned)(uintptr_t)arg;
  lock_t *done = &arena->done[index];
  struct worker w = {tid, index, (seed * 1000003ull + index + 1) * 0x9e3779b97f4a7c15};
  *done = tid | WR;
  play(&w);
  cloudabi_sys_thread_exit((cloudabi_lock_t *)done, SHARED);
}

static void start_threads(unsigned first) {
  for (unsigned i = 0; i < threads; i++) {
    cloudabi_tid_t tid;
    struct cloudabi_threadattr attr = {work, raw_memory(RAW_STACK_BYTES), RAW_STACK_BYTES,
                                       (void *)(uintptr_t)(first + i)};
    CHECK(cloudabi_sys_thread_create(&attr, &tid) == 0);
  }
}

static void join(unsigned index) {
  struct worker w = {.random = index + 1};
  while (arena->done[index] == BOGUS)
    cloudabi_sys_thread_yield();
  if ((arena->done[index] & WR) != 0 || (arena->done[index] & KM) != 0)
    CHECK(wait_lock(&w, &arena->done[index], CLOUDABI_EVENTTYPE_LOCK_RDLOCK, 0));
}

static struct arena *map(void) {
  void *p = NULL;
  cloudabi_sys_mem_map(NULL, sizeof(struct arena), CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE,
                       CLOUDABI_MAP_SHARED, memory, 0, &p);
  return p;
}

/* Child number i. It has the memory at another address than its parent. */
static cloudabi_fd_t start_process(unsigned i) {
  cloudabi_fd_t fd = RAW_BAD_FD;
  cloudabi_tid_t tid;
  cloudabi_errno_t e = cloudabi_sys_proc_fork(&fd, &tid);
  CHECK(e == 0);
  if (e != 0 || fd != CLOUDABI_PROCESS_CHILD)
    return fd;
  struct arena *before = arena;
  for (unsigned other = 0; other <= i % 3; other++)
    arena = map();
  cloudabi_sys_mem_unmap(before, sizeof(*before));
  start_threads(i * threads);
  for (unsigned t = 0; t < threads; t++)
    join(i * threads + t);
  cloudabi_sys_proc_exit(0);
}

static void await(cloudabi_fd_t child) {
  struct cloudabi_subscription s = {.type = CLOUDABI_EVENTTYPE_PROC_TERMINATE};
  struct cloudabi_event ev;
  size_t n;
  s.proc_terminate.fd = child;
  CHECK(cloudabi_sys_poll(&s, &ev, 1, &n) == 0 && ev.error == 0 && ev.proc_terminate.signal == 0 &&
        ev.proc_terminate.exitcode == 0);
}

static void check_end_state(void) {
  CHECK(arena->counter == arena->counted);
  CHECK(arena->left == arena->written && arena->right == arena->written);
  CHECK(arena->head == arena->tail && arena->sum_in == arena->sum_out);
  CHECK(arena->arrived == 0);
  CHECK((arena->mutex | arena->rwlock | arena->queue_lock | arena->gate_lock | arena->timed_lock) ==
        0);
  CHECK((arena->not_empty | arena->not_full | arena->gate | arena->never) == 0);
}

void program_main(const argdata_t *ad) {
  int out = arg_fd(ad, "out");
  unsigned processes = (unsigned)arg_int(ad, "processes");
  cloudabi_fd_t children[WORKERS_MAX];
  struct cloudabi_filestat st = {.st_size = sizeof(struct arena)};
  threads = (unsigned)arg_int(ad, "threads");
  rounds = (unsigned)arg_int(ad, "rounds");
  seed = (unsigned)arg_int(ad, "seed");
  if (processes * threads > WORKERS_MAX)
    abort();
  cloudabi_sys_fd_create1(CLOUDABI_FILETYPE_SHARED_MEMORY, &memory);
  cloudabi_sys_file_stat_fput(memory, &st, CLOUDABI_FILESTAT_SIZE);
  arena = map();
  arena->workers = processes * threads;
  for (unsigned i = 0; i < WORKERS_MAX; i++)
    arena->done[i] = BOGUS;

  for (unsigned i = 1; i < processes; i++)
    children[i] = start_process(i);
  start_threads(0);
  for (unsigned i = 0; i < processes * threads; i++)
    join(i);
  for (unsigned i = 1; i < processes; i++)
    await(children[i]);
  check_end_state();
  dprintf(out, "counted %llu written %llu queued %llu met %u gave up %llu waited in vain %llu\n",
          (unsigned long long)arena->counted, (unsigned long long)arena->written,
          (unsigned long long)arena->head, arena->generation, (unsigned long long)arena->timed_out,
          (unsigned long long)arena->waited);
  dprintf(out, "stress %u rounds: %u errors, first at line %u\n", rounds, arena->errors,
          arena->first_error);
  exit(arena->errors != 0);
}
