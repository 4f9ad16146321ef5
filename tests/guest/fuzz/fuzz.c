/*
 * Random system calls by several threads: {out: fd, dir: fd, file: fd, tmp: fd, seed: int,
 * calls: int, threads: int}.
 *
 * Exits with status 0 after that many calls, and with 1 when a call did what it must not; the last
 * lines say which.
 */
#include <program.h>
#include <stdio.h>

#include "../args.h"
#include "fuzz.h"

struct fuzz_shared fuzz;

/* Not with stdio: workers are raw threads. */
static void say(const char *text) {
  raw_write(fuzz.out, text, strlen(text));
}

static void say_number(uint64_t n) {
  char text[20];
  char *p = text + sizeof(text);
  *--p = '\0';
  do
    *--p = "0123456789abcdef"[n % 16];
  while ((n /= 16) != 0);
  say(" 0x");
  say(p);
}

/* Only one speaks. */
static void take_floor(void) {
  while (atomic_exchange(&fuzz.speaking, true))
    raw_sleep(1000 * RAW_MS);
}

static _Noreturn void accuse(const struct fuzz_call *c, cloudabi_errno_t result,
                             const char *wrong) {
  take_floor();
  say("\nwrong: ");
  say(c->call->name);
  for (unsigned i = 0; i < c->call->count; i++)
    say_number(c->args[i]);
  say(" =");
  say_number(result);
  say(": ");
  say(wrong);
  say("\n");
  cloudabi_sys_proc_exit(1);
}

static _Noreturn void finish(const struct fuzz_worker *w) {
  if (w->left > 0)
    cloudabi_sys_proc_exit(0); /* in a child, which nobody asks */
  take_floor();
  say("\nmade");
  say_number(fuzz.made);
  say(" calls, succeeded");
  say_number(fuzz.succeeded);
  say("\nnever succeeded:");
  for (size_t i = 0; i < table_count; i++) {
    if (fuzz.successes[i] == 0) {
      say(" ");
      say(table[i].name);
    }
  }
  say("\n");
  cloudabi_sys_proc_exit(0);
}

/* A child has one thread, its own copy of all that this program knows, and few calls to make. */
static void become_child(struct fuzz_worker *w, const struct fuzz_call *c) {
  cloudabi_tid_t tid;
  memcpy(&tid, (const void *)(uintptr_t)c->args[1], sizeof(tid));
  w->thread.own = tid;
  w->left = 1 + fuzz_below(w, 40);
  for (unsigned i = 0; i < FUZZ_FDS; i++) { /* poll sets stay behind */
    if (w->fds[i].type == FUZZ_FILETYPE_POLL)
      w->fds[i].open = false;
  }
}

static void work(struct raw_thread *t) {
  struct fuzz_worker *w = t->arg;
  struct fuzz_call c;
  w->thread.own = t->own;
  while (!fuzz.ready) /* nobody maps anything but the workers, whose arenas have holes */
    cloudabi_sys_thread_yield();
  for (unsigned i = 0; fuzz.made < fuzz.limit; i++) {
    if (i % 16 == 0)
      fuzz_adopt(w);
    fuzz_generate(w, &c);
    cloudabi_errno_t result = table_make(c.call, c.args);
    if (fuzz_is_child(&c, result))
      become_child(w, &c);
    else if (w->left > 0 && --w->left == 0)
      cloudabi_sys_proc_exit(fuzz_below(w, 3));
    fuzz.made++;
    fuzz.succeeded += result == 0;
    fuzz.successes[c.call - table] += result == 0;
    const char *wrong = fuzz_judge(w, &c, result);
    if (wrong != NULL)
      accuse(&c, result, wrong);
  }
  finish(w);
}

/* Memory with nothing behind it for a terabyte. */
static char *area(void) {
  char *p = raw_map(FUZZ_AREA_BYTES + (1ull << 40), 0);
  cloudabi_sys_mem_protect(p, FUZZ_AREA_BYTES, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE);
  return p;
}

static void start(unsigned i, uint64_t seed) {
  static struct raw_thread threads[FUZZ_WORKERS_MAX];
  struct fuzz_worker *w = &fuzz.worker[i];
  w->random = (seed + 1) * 0x9e3779b97f4a7c15 ^ (i + 1) * 0xd1342543de82ef95;
  w->in = area();
  w->out = area();
  w->arena = raw_memory(FUZZ_ARENA_PAGES * RAW_PAGE);
  for (unsigned s = 0; s < FUZZ_STACKS; s++)
    w->stacks[s].low = raw_memory(RAW_PAGE);
  raw_spawn(&threads[i], work, w);
}

void program_main(const argdata_t *ad) {
  fuzz.out = arg_fd(ad, "out");
  fuzz.granted[0] = arg_fd(ad, "dir");
  fuzz.granted[1] = arg_fd(ad, "file");
  fuzz.granted[2] = fuzz.out;
  fuzz.granted[FUZZ_TMP] = arg_fd(ad, "tmp");
  fuzz.limit = arg_int(ad, "calls");
  fuzz.workers = arg_int(ad, "threads");
  for (unsigned i = 0; i < fuzz.workers; i++)
    start(i, arg_int(ad, "seed"));
  fuzz.ready = true;
  for (;;)
    raw_sleep(1000 * RAW_MS);
}
