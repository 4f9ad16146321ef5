// sources: kernel/lock.c kernel/lock_object.c kernel/lock_word.c kernel/condvar.c kernel/thread.c
// sources: kernel/waitq.c kernel/timer.c kernel/bh.c kernel/sys/poll.c kernel/sys/poll_lock.c
// sources: kernel/sys/lock.c kernel/fdtable.c kernel/file.c
// sources: tests/host/shared_views.c
/*
 * Locks and condition variables under chance: programs as a C library writes them, with threads
 * interleaved at random between all their memory accesses, timeouts at random moments, and sudden
 * deaths; in one process, or in two that share the memory. The model knows who may hold what; a
 * lost wakeup shows as a deadlock.
 */
#include "kernel/lock.h"
#include "kernel/lock_object.h"
#include "tests/host/user_lock.h"

#define ROUNDS 40000
#define WORKERS_MAX 5

uint64_t clock_monotonic_ns(void) {
  return arch_time_ns();
}

uint64_t clock_offset_ns(void) {
  return 0;
}

/* ---- One round's shared state ---------------------------------------------------------------- */

struct round {
  struct model_lock lock, other;
  struct model_condvar condvar;
  uint32_t once;
  unsigned once_calls;
  unsigned tokens;
  bool closed;
  uint32_t shared_join[WORKERS_MAX];
};

static struct round alone;
static bool shared;
static uint32_t *join_words[WORKERS_MAX]; /* freed by the joiner, so that a late access is seen */

/* At the address where the current thread's process has it. */
static struct round *current_round(void) {
  return shared ? fake_views[thread_current()->process == &fake_second] : &alone;
}

#define r (*current_round())

static uint32_t *join_word(uint64_t i) {
  return shared ? &r.shared_join[i] : join_words[i];
}

static uint64_t some_timeout(void) {
  return fake_random(2) == 0 ? 0 : 1 + fake_random(80);
}

static void inside_critical_section(const struct model_lock *l, tid_t writer) {
  for (unsigned i = fake_random(3); i > 0; i--) {
    fake_user_step();
    CHECK(l->writer == writer);
    CHECK(writer == 0 || l->readers == 0);
  }
}

static void do_write(struct model_lock *l) {
  if (user_write_lock(l, some_timeout()) != 0)
    return;
  inside_critical_section(l, thread_current()->tid);
  user_write_unlock(l);
}

static void do_read(struct model_lock *l) {
  if (user_read_lock(l, false, some_timeout()) != 0)
    return;
  inside_critical_section(l, 0);
  if (fake_random(3) == 0) {
    user_read_lock(l, true, 0);
    inside_critical_section(l, 0);
    user_read_unlock(l);
  }
  user_read_unlock(l);
}

static void do_consume(void) {
  errno_t e = 0;
  uint64_t timeout_ns = some_timeout();
  user_write_lock(&r.lock, 0);
  while (r.tokens == 0 && !r.closed && e == 0)
    e = user_wait(&r.condvar, &r.lock, timeout_ns);
  if (r.tokens > 0)
    r.tokens--;
  user_write_unlock(&r.lock);
}

static void do_produce(void) {
  unsigned n = 1 + fake_random(2);
  bool early = fake_random(2) == 0;
  user_write_lock(&r.lock, 0);
  r.tokens += n;
  if (early)
    user_signal(&r.condvar, n);
  user_write_unlock(&r.lock);
  if (!early)
    user_signal(&r.condvar, n);
}

/* One initialisation for all; who comes later waits as a reader. */
static void do_once(void) {
  tid_t tid = thread_current()->tid;
  if (user_load(&r.once) == LOCK_UNLOCKED)
    return;
  if (user_cas(&r.once, LOCK_BOGUS, tid | WR)) {
    r.once_calls++;
    fake_user_step();
    if (!user_cas(&r.once, tid | WR, LOCK_UNLOCKED))
      CHECK(call_unlock(&r.once) == 0);
    return;
  }
  CHECK(wait_lock(&r.once, false, 0) == 0);
  CHECK(r.once_calls == 1);
  fake_user_step();
  r.once = LOCK_UNLOCKED;
}

static void do_something(void) {
  switch (fake_random(8)) {
    case 0:
    case 1:
      do_write(&r.lock);
      break;
    case 2:
      do_read(&r.lock);
      break;
    case 3:
      do_write(&r.other);
      break;
    case 4:
      do_read(&r.other);
      break;
    case 5:
      do_consume();
      break;
    case 6:
      do_produce();
      break;
    default:
      do_once();
  }
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void worker(uint64_t tid, uint64_t index) {
  uint32_t *join = join_word(index);
  user_cas(join, LOCK_BOGUS, (uint32_t)tid | WR);
  for (unsigned i = 1 + fake_random(6); i > 0; i--)
    do_something();
  /* As thread_exit does it: nothing of the program is touched after the release. */
  lock_unlock(join, user_scope);
  thread_exit_current();
}

static void killer(uint64_t tid, uint64_t arg) {
  for (unsigned i = fake_random(60); i > 0; i--)
    fake_user_step();
  process_kill(&fake_second, SIGKILL, 0);
  process_kill(&fake_process, SIGKILL, 0);
  fake_return_to_user();
}

static void coordinator(uint64_t tid, uint64_t workers) {
  struct thread *threads[WORKERS_MAX];
  tid_t tids[WORKERS_MAX];
  for (unsigned i = 0; i < workers; i++) {
    threads[i] = fake_thread_of(shared && i % 2 == 0 ? &fake_second : &fake_process, worker, i);
    tids[i] = threads[i]->tid;
  }
  for (unsigned i = fake_random(20); i > 0; i--)
    fake_user_step();
  user_write_lock(&r.lock, 0);
  r.closed = true;
  user_signal(&r.condvar, UINT32_MAX);
  user_write_unlock(&r.lock);
  for (unsigned i = 0; i < workers; i++) {
    user_cas(join_word(i), LOCK_BOGUS, tids[i] | WR);
    CHECK(wait_lock(join_word(i), false, 0) == 0);
    free(join_words[i]);
    join_words[i] = NULL;
  }
}

static bool page_is_missing(void) {
  return fake_random(6) == 0;
}

static void play_round(unsigned long seed) {
  fake_random_seed(seed);
  fake_processes_reset();
  thread_current()->process = &fake_process;
  shared = fake_random(2) == 0;
  user_scope = user_condvar_scope = shared ? SCOPE_SHARED : SCOPE_PRIVATE;
  fake_slow = shared && fake_random(2) == 0 ? page_is_missing : NULL;
  r = (struct round){.once = LOCK_BOGUS};
  unsigned workers = 2 + fake_random(WORKERS_MAX - 1);
  for (unsigned i = 0; i < workers; i++) {
    join_words[i] = malloc(sizeof *join_words[i]);
    *join_words[i] = r.shared_join[i] = LOCK_BOGUS;
  }
  bool kill = fake_random(8) == 0;
  fake_thread(coordinator, workers);
  if (kill)
    fake_thread(killer, 0);
  fake_processes_wait();

  CHECK(lock_object_count() == 0);
  CHECK(r.condvar.word == CONDVAR_HAS_NO_WAITERS);
  CHECK(((r.lock.word | r.other.word) & KM) == 0);
  CHECK(kill || (r.lock.word == 0 && r.other.word == 0 && r.once_calls <= 1));
  for (unsigned i = 0; i < workers; i++)
    free(join_words[i]);
}

static void test_random_interleavings(void **state) {
  (void)state;
  for (unsigned long seed = 1; seed <= ROUNDS; seed++)
    play_round(seed);
  printf("%u rounds, %u thread switches\n", ROUNDS, fake_switches);
}

static int setup(void **state) {
  fake_setup(state);
  fake_share();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_interleavings),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
