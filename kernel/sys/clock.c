/*
 * clock_res_get, clock_time_get. Reference section 8.4.
 */
#include "kernel/clock.h"

#include "kernel/process.h"
#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define RESOLUTION_NS 1

static errno_t clock_read(struct thread *t, clock_id_t clock_id, timestamp_t *now_ns) {
  switch (clock_id) {
    case CLOCK_MONOTONIC:
      *now_ns = clock_monotonic_ns();
      return 0;
    case CLOCK_REALTIME:
      *now_ns = clock_realtime_ns();
      return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
      *now_ns = process_cpu_ns(t->process);
      return 0;
    case CLOCK_THREAD_CPUTIME_ID:
      *now_ns = thread_cpu_ns(t);
      return 0;
    default:
      return EINVAL;
  }
}

errno_t sys_clock_res_get(struct thread *t, clock_id_t clock_id, timestamp_t *resolution) {
  timestamp_t now_ns;
  errno_t e = clock_read(t, clock_id, &now_ns);
  return e != 0 ? e : user_put(resolution, RESOLUTION_NS);
}

errno_t sys_clock_time_get(struct thread *t, clock_id_t clock_id, timestamp_t precision,
                           timestamp_t *time) {
  timestamp_t now_ns;
  (void)precision; /* how late the answer may be: it never is */
  errno_t e = clock_read(t, clock_id, &now_ns);
  return e != 0 ? e : user_put(time, now_ns);
}
