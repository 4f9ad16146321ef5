// sources: kernel/lock.c kernel/lock_object.c kernel/lock_word.c kernel/condvar.c kernel/thread.c
// sources: kernel/waitq.c kernel/timer.c kernel/bh.c kernel/sys/poll.c kernel/sys/poll_lock.c
// sources: kernel/sys/lock.c kernel/fdtable.c kernel/file.c tests/host/shared_views.c
/*
 * Locks and condition variables under every interleaving of two or three threads, up to a number
 * of decisions against the natural order: within a process; between two that share the memory; and
 * where that memory comes from a disk, so that touching a word may sleep. A lost wakeup shows as a
 * deadlock, anything else by the model (user_lock.h). EXPLORE=2 in the environment allows two
 * decisions more.
 */
#include "kernel/lock.h"
#include "kernel/lock_object.h"
#include "tests/host/explore.h"
#include "tests/host/user_lock.h"

#define ACTORS_MAX 3

uint64_t clock_monotonic_ns(void) {
  return arch_time_ns();
}

uint64_t clock_offset_ns(void) {
  return 0;
}

/* ---- What the threads share ------------------------------------------------------------------ */

struct state {
  struct model_lock lock;
  struct model_condvar condvar;
  unsigned tokens, consumed;
  uint32_t once;
  unsigned once_calls;
  uint32_t done;     /* a thread's join lock */
  bool victim_waits; /* it is inside a wait, and holds nothing */
  bool victim_done;
  bool killed;
};

static struct state alone;
static bool shared;

/* At the address where the current thread's process has it. */
static struct state *state(void) {
  return shared ? fake_views[thread_current()->process == &fake_second] : &alone;
}

#define S (*state())

/* ---- What they do ---------------------------------------------------------------------------- */

static void inside(tid_t writer) {
  fake_user_step();
  CHECK(S.lock.writer == writer);
  CHECK(writer == 0 || S.lock.readers == 0);
}

static void write_for(uint64_t timeout_ns) {
  if (user_write_lock(&S.lock, timeout_ns) != 0)
    return;
  inside(thread_current()->tid);
  user_write_unlock(&S.lock);
}

static void write(void) {
  write_for(0);
}

static void write_twice(void) {
  write_for(0);
  write_for(0);
}

static void write_timed(void) {
  write_for(50);
}

static void read_for(uint64_t timeout_ns) {
  if (user_read_lock(&S.lock, false, timeout_ns) != 0)
    return;
  inside(0);
  user_read_unlock(&S.lock);
}

static void read(void) {
  read_for(0);
}

static void read_timed(void) {
  read_for(51);
}

static void read_again(void) {
  user_read_lock(&S.lock, false, 0);
  user_read_lock(&S.lock, true, 0);
  inside(0);
  user_read_unlock(&S.lock);
  user_read_unlock(&S.lock);
}

/* With a limit, it may give up. */
static void consume_for(uint64_t timeout_ns) {
  errno_t e = 0;
  user_write_lock(&S.lock, 0);
  while (S.tokens == 0 && e == 0)
    e = user_wait(&S.condvar, &S.lock, timeout_ns);
  CHECK(S.tokens > 0 || e == ETIMEDOUT);
  if (S.tokens > 0)
    S.tokens--;
  S.consumed++;
  user_write_unlock(&S.lock);
}

static void consume(void) {
  consume_for(0);
}

static void consume_timed(void) {
  consume_for(60);
}

static void produce(unsigned tokens, nthreads_t signalled, bool inside_lock) {
  user_write_lock(&S.lock, 0);
  S.tokens += tokens;
  if (inside_lock)
    user_signal(&S.condvar, signalled);
  user_write_unlock(&S.lock);
  if (!inside_lock)
    user_signal(&S.condvar, signalled);
}

static void produce_one(void) {
  produce(1, 1, false);
}

static void produce_one_inside(void) {
  produce(1, 1, true);
}

static void produce_two(void) {
  produce(2, 2, false);
}

static void produce_for_all(void) {
  produce(3, UINT32_MAX, true);
}

static void initialise_once(void) {
  tid_t tid = thread_current()->tid;
  if (user_cas(&S.once, LOCK_BOGUS, tid | WR)) {
    S.once_calls++;
    fake_user_step();
    if (!user_cas(&S.once, tid | WR, LOCK_UNLOCKED))
      CHECK(call_unlock(&S.once) == 0);
    return;
  }
  if (user_load(&S.once) != LOCK_UNLOCKED) {
    CHECK(wait_lock(&S.once, false, 0) == 0);
    S.once = LOCK_UNLOCKED;
  }
  CHECK(S.once_calls == 1);
}

static void exit_held(void) {
  user_cas(&S.done, LOCK_BOGUS, thread_current()->tid | WR);
  fake_user_step();
  lock_unlock(&S.done, user_scope);
  thread_exit_current();
}

static tid_t exiting; /* the thread of exit_held() */

static void join(void) {
  user_cas(&S.done, LOCK_BOGUS, exiting | WR);
  CHECK(wait_lock(&S.done, false, 0) == 0);
  memset(&S.done, 0xee, sizeof S.done); /* nobody looks there any more */
}

/* ---- One that is killed while it waits, or when it has just been given the lock -------------- */

static void victim_of(int what) {
  struct state *s = state();
  uint32_t word = user_load(&s->lock.word);
  tid_t tid = thread_current()->tid;
  if (what == EVENTTYPE_CONDVAR) {
    user_write_lock(&s->lock, 0);
    s->lock.writer = 0;
  } else if (word == LOCK_UNLOCKED) {
    return; /* nothing to wait for */
  }
  s->victim_waits = true;
  errno_t e = what == EVENTTYPE_CONDVAR
                  ? wait_condvar(&s->condvar.word, &s->lock.word, 0)
                  : wait_lock(&s->lock.word, what == EVENTTYPE_LOCK_WRLOCK, 0);
  s->victim_waits = false; /* not killed in time: it goes its way */
  CHECK(e == 0);
  if (what == EVENTTYPE_LOCK_RDLOCK) {
    s->lock.readers++;
    user_read_unlock(&s->lock);
  } else {
    model_got_write(&s->lock, tid);
    user_write_unlock(&s->lock);
  }
  s->victim_done = true;
}

static void victim_writer(void) {
  victim_of(EVENTTYPE_LOCK_WRLOCK);
}

static void victim_reader(void) {
  victim_of(EVENTTYPE_LOCK_RDLOCK);
}

static void victim_on_condvar(void) {
  victim_of(EVENTTYPE_CONDVAR);
}

static void kill_victim(void) {
  fake_user_step();
  if (S.victim_waits) {
    S.killed = true;
    process_kill(&fake_second, SIGKILL, 0);
  }
}

static void write_and_kill(void) {
  user_write_lock(&S.lock, 0);
  kill_victim();
  user_write_unlock(&S.lock);
}

/* If it lives, it is signalled until it has gone its way. */
static void kill_or_signal(void) {
  kill_victim();
  while (!S.victim_done && !S.killed) {
    CHECK(call_signal(&S.condvar.word, 1) == 0);
    thread_yield();
  }
}

/* ---- Programs -------------------------------------------------------------------------------- */

enum { ONE = 1, TWO = 2, DISK = 4, ALL = ONE | TWO | DISK }; /* processes; pages from a disk */

static const struct program {
  const char *name;
  unsigned where;
  unsigned bound;
  void (*actors[ACTORS_MAX])(void);
} programs[] = {
    {"two writers, twice", ALL, 8, {write_twice, write_twice}},
    {"three writers", ALL, 7, {write, write, write}},
    {"a writer and two readers", ALL, 5, {read, write, read}},
    {"readers that read again", ALL, 4, {read_again, write, read}},
    {"a writer that gives up", ALL, 4, {read, write_timed, read}},
    {"all but one give up", ALL, 5, {write, write_timed, read_timed}},
    {"two consumers, each signalled", ALL, 6, {consume, consume, produce_two}},
    {"two consumers, all signalled", ALL, 6, {consume, consume, produce_for_all}},
    {"a consumer and two producers", ALL, 6, {consume, produce_one, produce_one_inside}},
    {"a consumer that gives up", ALL, 6, {consume_timed, consume, produce_two}},
    {"consumers that give up", ALL, 5, {consume_timed, consume_timed, produce_one_inside}},
    {"a consumer that gives up while others write", ALL, 5, {consume_timed, write, write}},
    {"once", ALL, 6, {initialise_once, initialise_once, initialise_once}},
    {"exit and join", ALL, 9, {exit_held, join}},
    {"a writer is killed", TWO | DISK, 6, {write_and_kill, victim_writer, write}},
    {"a reader is killed", TWO | DISK, 6, {write_and_kill, victim_reader, write}},
    {"a writer is killed among readers", TWO | DISK, 5, {read, victim_writer, kill_victim}},
    {"a waiter is killed", TWO | DISK, 5, {kill_or_signal, victim_on_condvar, write}},
};

static const struct program *program;
static unsigned extra; /* decisions */

static void run_actor(uint64_t tid, uint64_t index) {
  program->actors[index]();
}

/* A page is not missing twice in a row. */
static bool missing;

static bool page_is_missing(void) {
  missing = !missing && explore_choose(2) != 0;
  return missing;
}

/* The second thread lives in the second process, if there is one. */
static void run_program(void) {
  fake_processes_reset();
  missing = false;
  thread_current()->process = &fake_process;
  alone = (struct state){0};
  S.once = S.done = LOCK_BOGUS;
  for (unsigned i = 0; i < ACTORS_MAX && program->actors[i] != NULL; i++) {
    struct thread *t =
        fake_thread_of(shared && i == 1 ? &fake_second : &fake_process, run_actor, i);
    if (program->actors[i] == exit_held)
      exiting = t->tid;
  }
  fake_processes_wait();
  CHECK(lock_object_count() == 0);
  CHECK(S.lock.word == LOCK_UNLOCKED);
  CHECK(S.condvar.word == CONDVAR_HAS_NO_WAITERS);
  CHECK(S.once_calls <= 1);
}

static void explore_programs(unsigned where) {
  unsigned long runs = 0;
  shared = where != ONE;
  user_scope = user_condvar_scope = shared ? SCOPE_SHARED : SCOPE_PRIVATE;
  fake_slow = where == DISK ? page_is_missing : NULL;
  for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
    program = &programs[i];
    if ((program->where & where) == 0)
      continue;
    unsigned long n = explore_all(run_program, program->bound + extra - (where == DISK ? 2 : 0));
    assert_true(n > 1);
    printf("%8lu runs: %s\n", n, program->name);
    runs += n;
  }
  fake_slow = NULL;
  printf("%8lu runs\n", runs);
}

static void test_one_process(void **unused) {
  explore_programs(ONE);
}

static void test_two_processes(void **unused) {
  explore_programs(TWO);
}

static void test_memory_on_a_disk(void **unused) {
  explore_programs(DISK);
}

static int setup(void **unused) {
  const char *more = getenv("EXPLORE");
  extra = more != NULL ? (unsigned)atoi(more) : 0;
  fake_setup(unused);
  fake_share();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_process),
      cmocka_unit_test(test_two_processes),
      cmocka_unit_test(test_memory_on_a_disk),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
