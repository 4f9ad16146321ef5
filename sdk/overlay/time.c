/*
 * Clocks and sleeping. Times of the ABI are nanoseconds in 64 bits.
 */
#include <time.h>

#include "sdk/overlay/overlay.h"

enum { SECOND_NS = 1000000000 };

uint64_t __time_ns(const struct timespec *time) {
  uint64_t result;

  if (time->tv_sec < 0)
    return 0;
  if (__builtin_mul_overflow((uint64_t)time->tv_sec, (uint64_t)SECOND_NS, &result) ||
      __builtin_add_overflow(result, (uint64_t)time->tv_nsec, &result))
    return UINT64_MAX;
  return result;
}

cloudabi_clock_id_t __clock_from_linux(int clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      return CLOUDABI_CLOCK_REALTIME;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
      return CLOUDABI_CLOCK_MONOTONIC;
    case CLOCK_PROCESS_CPUTIME_ID:
      return CLOUDABI_CLOCK_PROCESS_CPUTIME_ID;
    case CLOCK_THREAD_CPUTIME_ID:
      return CLOUDABI_CLOCK_THREAD_CPUTIME_ID;
    default:
      return 0;
  }
}

static void timespec_from(struct timespec *time, cloudabi_timestamp_t ns) {
  time->tv_sec = ns / SECOND_NS;
  time->tv_nsec = ns % SECOND_NS;
}

CALL2(clock_gettime, int, clock, struct timespec *, result) {
  cloudabi_timestamp_t ns;
  cloudabi_errno_t error = cloudabi_sys_clock_time_get(__clock_from_linux(clock), 1, &ns);

  if (error == 0)
    timespec_from(result, ns);
  return __error(error);
}

CALL2(clock_getres, int, clock, struct timespec *, result) {
  cloudabi_timestamp_t ns;
  cloudabi_errno_t error = cloudabi_sys_clock_res_get(__clock_from_linux(clock), &ns);

  if (error == 0 && result != NULL)
    timespec_from(result, ns);
  return __error(error);
}

CALL3(clock_nanosleep, int, clock, int, flags, const struct timespec *, time) {
  bool absolute = flags & TIMER_ABSTIME;
  cloudabi_clock_id_t id = __clock_from_linux(clock);
  struct cloudabi_event out;
  size_t count;

  if ((unsigned long)time->tv_nsec >= SECOND_NS || time->tv_sec < 0)
    return -EINVAL;
  if (!absolute && id == CLOUDABI_CLOCK_REALTIME)
    id = CLOUDABI_CLOCK_MONOTONIC;
  const struct cloudabi_subscription in = {
      .type = CLOUDABI_EVENTTYPE_CLOCK,
      .clock = {.clock_id = id,
                .timeout = __time_ns(time),
                .flags = absolute ? CLOUDABI_SUBSCRIPTION_CLOCK_ABSTIME : 0},
  };
  cloudabi_errno_t error = cloudabi_sys_poll(&in, &out, 1, &count);
  return __error(error != 0 ? error : out.error);
}

/* Nothing interrupts a sleep, so nothing is ever left of it. */
CALL1(nanosleep, const struct timespec *, time) {
  return do_clock_nanosleep(CLOCK_REALTIME, 0, time);
}
