/*
 * The process: its end, and what it may know of the machine.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "sdk/overlay/overlay.h"

#undef prlimit64 /* libc's header has it as another name of prlimit */

CALL_ENTRY(exit_group) {
  cloudabi_sys_proc_exit(a0);
}

CALL2(getrandom, void *, buffer, size_t, length) {
  cloudabi_errno_t error = cloudabi_sys_random_get(buffer, length);

  return error == 0 ? (long)length : __error(error);
}

CALL1(uname, struct utsname *, name) {
  memset(name, 0, sizeof(*name));
  strcpy(name->sysname, "CloudABI");
#if defined(__x86_64__)
  strcpy(name->machine, "x86_64");
#elif defined(__aarch64__)
  strcpy(name->machine, "aarch64");
#endif
  return 0;
}

/* The size of memory is not known to a program. */
CALL1(sysinfo, struct sysinfo *, info) {
  memset(info, 0, sizeof(*info));
  info->mem_unit = 1;
  return 0;
}

/* As many processors as the kernel says there are; a thread may run on each. */
CALL3(sched_getaffinity, int, tid, size_t, size, unsigned char *, set) {
  (void)tid;
  size_t bytes = (__startup.ncpus + 63) / 64 * 8;

  if (size < bytes)
    return -EINVAL;
  memset(set, 0, bytes);
  for (unsigned i = 0; i < __startup.ncpus; ++i)
    set[i / 8] |= 1 << i % 8;
  return bytes;
}

/* No limit is known in advance: a call fails when there is no more. */
CALL4(prlimit64, int, pid, int, resource, const struct rlimit *, set, struct rlimit *, old) {
  (void)pid, (void)resource;
  if (set != NULL)
    return -EPERM;
  if (old != NULL)
    *old = (struct rlimit){.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  return 0;
}

CALL2(getrlimit, int, resource, struct rlimit *, old) {
  return do_prlimit64(0, resource, NULL, old);
}

/* All time counts as the program's own. */
CALL2(getrusage, int, who, struct rusage *, usage) {
  cloudabi_timestamp_t ns;
  cloudabi_errno_t error = cloudabi_sys_clock_time_get(
      who == RUSAGE_THREAD ? CLOUDABI_CLOCK_THREAD_CPUTIME_ID : CLOUDABI_CLOCK_PROCESS_CPUTIME_ID,
      1, &ns);

  if (error != 0)
    return __error(error);
  memset(usage, 0, sizeof(*usage));
  usage->ru_utime.tv_sec = ns / 1000000000;
  usage->ru_utime.tv_usec = ns % 1000000000 / 1000;
  return 0;
}
