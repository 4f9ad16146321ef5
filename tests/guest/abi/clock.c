/*
 * clock_res_get and clock_time_get, from inside: {out: fd}. Reference 8.4.
 */
#include <program.h>

#include "../check.h"
#include "raw.h"

static const struct {
  const char *name;
  cloudabi_clock_id_t id;
} clocks[] = {{"monotonic", CLOUDABI_CLOCK_MONOTONIC},
              {"realtime", CLOUDABI_CLOCK_REALTIME},
              {"process CPU time", CLOUDABI_CLOCK_PROCESS_CPUTIME_ID},
              {"thread CPU time", CLOUDABI_CLOCK_THREAD_CPUTIME_ID}};

static uint64_t now(cloudabi_clock_id_t id) {
  uint64_t ns = 0;
  cloudabi_sys_clock_time_get(id, 0, &ns);
  return ns;
}

static void spin(uint64_t ns) {
  for (uint64_t end = raw_now() + ns; raw_now() < end;)
    ;
}

static void check_every_clock(void) {
  char what[80];
  for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
    uint64_t resolution = 0, a = 0, b = 0;
    snprintf(what, sizeof(what), "%s", clocks[i].name);
    check_err("clock_res_get", what, cloudabi_sys_clock_res_get(clocks[i].id, &resolution), 0);
    snprintf(what, sizeof(what), "%s: more than 0 and at most a second", clocks[i].name);
    check("clock_res_get", what, resolution > 0 && resolution <= 1000000000);

    snprintf(what, sizeof(what), "%s", clocks[i].name);
    check_err("clock_time_get", what, cloudabi_sys_clock_time_get(clocks[i].id, 0, &a), 0);
    snprintf(what, sizeof(what), "%s: any precision will do", clocks[i].name);
    check_err("clock_time_get", what, cloudabi_sys_clock_time_get(clocks[i].id, UINT64_MAX, &b), 0);
    snprintf(what, sizeof(what), "%s: not earlier than before", clocks[i].name);
    check("clock_time_get", what, b >= a);
    spin(2 * RAW_MS);
    snprintf(what, sizeof(what), "%s: advances while the program computes", clocks[i].name);
    check("clock_time_get", what, now(clocks[i].id) > b);
  }
}

static void check_bad_clocks(void) {
  static const cloudabi_clock_id_t bad[] = {0, 5, 0x80000001, 0xffffffff};
  char what[80];
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    uint64_t out = 0x1234;
    snprintf(what, sizeof(what), "clock %#x is none", (unsigned)bad[i]);
    check_err("clock_res_get", what, cloudabi_sys_clock_res_get(bad[i], &out), CLOUDABI_EINVAL);
    check_err("clock_time_get", what, cloudabi_sys_clock_time_get(bad[i], 0, &out),
              CLOUDABI_EINVAL);
    snprintf(what, sizeof(what), "clock %#x leaves the result alone", (unsigned)bad[i]);
    check_eq("clock_time_get", what, out, 0x1234);
  }
}

static void check_values(void) {
  bool monotonic = true;
  for (uint64_t i = 0, last = 0, t; i < 5000; i++, last = t) {
    t = now(CLOUDABI_CLOCK_MONOTONIC);
    monotonic = monotonic && t >= last;
  }
  check("clock_time_get", "monotonic never goes back, 5000 times", monotonic);
  check("clock_time_get", "realtime is in this century",
        now(CLOUDABI_CLOCK_REALTIME) > 1600000000ull * 1000 * RAW_MS &&
            now(CLOUDABI_CLOCK_REALTIME) < 4102444800ull * 1000 * RAW_MS);

  uint64_t mono = now(CLOUDABI_CLOCK_MONOTONIC), real = now(CLOUDABI_CLOCK_REALTIME);
  uint64_t cpu = now(CLOUDABI_CLOCK_THREAD_CPUTIME_ID);
  raw_sleep(60 * RAW_MS);
  mono = now(CLOUDABI_CLOCK_MONOTONIC) - mono;
  real = now(CLOUDABI_CLOCK_REALTIME) - real;
  cpu = now(CLOUDABI_CLOCK_THREAD_CPUTIME_ID) - cpu;
  check("clock_time_get", "monotonic advances by a sleep", mono >= 60 * RAW_MS);
  check("clock_time_get", "realtime and monotonic run equally fast",
        real + 20 * RAW_MS >= mono && real <= mono + 20 * RAW_MS);
  check("clock_time_get", "a sleeping thread uses no CPU time", cpu < mono - 30 * RAW_MS);

  uint64_t thread = now(CLOUDABI_CLOCK_THREAD_CPUTIME_ID);
  check("clock_time_get", "the process has used no less than its thread",
        now(CLOUDABI_CLOCK_PROCESS_CPUTIME_ID) >= thread);
}

static void use_time(struct raw_thread *t) {
  (void)t;
  spin(20 * RAW_MS);
}

static void check_threads(void) {
  struct raw_thread t;
  uint64_t process = now(CLOUDABI_CLOCK_PROCESS_CPUTIME_ID);
  uint64_t thread = now(CLOUDABI_CLOCK_THREAD_CPUTIME_ID);
  raw_spawn(&t, use_time, NULL);
  raw_join(&t);
  process = now(CLOUDABI_CLOCK_PROCESS_CPUTIME_ID) - process;
  thread = now(CLOUDABI_CLOCK_THREAD_CPUTIME_ID) - thread;
  check("clock_time_get", "the process keeps the time of a thread that has ended",
        process >= 10 * RAW_MS);
  check("clock_time_get", "a thread's time is its own", thread + 5 * RAW_MS < process);
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  check_every_clock();
  check_bad_clocks();
  check_values();
  check_threads();
  check_end();
}
