/*
 * What the files of the overlay share.
 *
 * The overlay answers musl's Linux system calls with CloudABI's. Each call is a function
 * __linux_NAME with six long arguments, as the trap would have; the CALL macros unpack
 * them: CALL2(dup3, int, from, int, to) { … } defines one that returns a result ≥ 0 or a
 * negative Linux errno. What does not return is a bare CALL_ENTRY. All of it runs in the calling
 * thread and may block there.
 */
#ifndef SDK_OVERLAY_H
#define SDK_OVERLAY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cloudabi_syscalls.h>

#define HIDDEN __attribute__((visibility("hidden")))

#define UNUSED __attribute__((unused))
#define CALL_ENTRY(name)                                                              \
  long __linux_##name(long a0 UNUSED, long a1 UNUSED, long a2 UNUSED, long a3 UNUSED, \
                      long a4 UNUSED, long a5 UNUSED)
#define CALL0(name)                   \
  static inline long do_##name(void); \
  CALL_ENTRY(name) {                  \
    return do_##name();               \
  }                                   \
  static inline long do_##name(void)
#define CALL1(name, t0, n0)            \
  static inline long do_##name(t0 n0); \
  CALL_ENTRY(name) {                   \
    return do_##name((t0)a0);          \
  }                                    \
  static inline long do_##name(t0 n0)
#define CALL2(name, t0, n0, t1, n1)           \
  static inline long do_##name(t0 n0, t1 n1); \
  CALL_ENTRY(name) {                          \
    return do_##name((t0)a0, (t1)a1);         \
  }                                           \
  static inline long do_##name(t0 n0, t1 n1)
#define CALL3(name, t0, n0, t1, n1, t2, n2)          \
  static inline long do_##name(t0 n0, t1 n1, t2 n2); \
  CALL_ENTRY(name) {                                 \
    return do_##name((t0)a0, (t1)a1, (t2)a2);        \
  }                                                  \
  static inline long do_##name(t0 n0, t1 n1, t2 n2)
#define CALL4(name, t0, n0, t1, n1, t2, n2, t3, n3)         \
  static inline long do_##name(t0 n0, t1 n1, t2 n2, t3 n3); \
  CALL_ENTRY(name) {                                        \
    return do_##name((t0)a0, (t1)a1, (t2)a2, (t3)a3);       \
  }                                                         \
  static inline long do_##name(t0 n0, t1 n1, t2 n2, t3 n3)
#define CALL5(name, t0, n0, t1, n1, t2, n2, t3, n3, t4, n4)        \
  static inline long do_##name(t0 n0, t1 n1, t2 n2, t3 n3, t4 n4); \
  CALL_ENTRY(name) {                                               \
    return do_##name((t0)a0, (t1)a1, (t2)a2, (t3)a3, (t4)a4);      \
  }                                                                \
  static inline long do_##name(t0 n0, t1 n1, t2 n2, t3 n3, t4 n4)
#define CALL6(name, t0, n0, t1, n1, t2, n2, t3, n3, t4, n4, t5, n5)       \
  static inline long do_##name(t0 n0, t1 n1, t2 n2, t3 n3, t4 n4, t5 n5); \
  CALL_ENTRY(name) {                                                      \
    return do_##name((t0)a0, (t1)a1, (t2)a2, (t3)a3, (t4)a4, (t5)a5);     \
  }                                                                       \
  static inline long do_##name(t0 n0, t1 n1, t2 n2, t3 n3, t4 n4, t5 n5)

/*
 * error.c: CloudABI errors as negative Linux ones; 0 stays 0. A missing right is EACCES,
 * unless POSIX has a better word for the misuse: __error_fd says EBADF, __error_socket
 * ENOTSOCK for what is no socket, __error_directory ENOTDIR for what is no directory.
 */
HIDDEN long __error(cloudabi_errno_t error);
HIDDEN long __error_fd(cloudabi_errno_t error);
HIDDEN long __error_socket(int fd, cloudabi_errno_t error);
HIDDEN long __error_directory(int fd, cloudabi_errno_t error);

/* fd.c: sets or clears Linux's O_NONBLOCK, O_APPEND, … of a description. */
HIDDEN long __fd_flags_set(int fd, int flags);
/* The flags that CloudABI has of Linux's O_ flags, and back. */
HIDDEN cloudabi_fdflags_t __fd_flags_from_linux(int flags);
HIDDEN int __fd_flags_to_linux(cloudabi_fdflags_t flags);

/* wait.c: waits until a clock subscription fires or one of the others does; see there. */
struct pollfd;
HIDDEN long __wait_fds(struct pollfd *fds, size_t nfds, uint64_t timeout_ns);
#define WAIT_FOREVER UINT64_MAX

/* time.c: a timespec in nanoseconds, saturated; the CloudABI clock of a Linux one or 0. */
struct timespec;
HIDDEN uint64_t __time_ns(const struct timespec *time);
HIDDEN cloudabi_clock_id_t __clock_from_linux(int clock);

/* futex.c: the lock that guards the waiters, and what thread.c does under it. */
HIDDEN extern cloudabi_lock_t __futex_lock_word;
HIDDEN void __futex_lock(void);
HIDDEN void __futex_unlock(void);
HIDDEN long __futex_wake_locked(volatile int *address, int count);
/* Makes the wait of that thread, if it waits, end with EINTR. */
HIDDEN void __futex_interrupt(cloudabi_tid_t tid);

/* In a new process, whose only thread holds the lock: nobody waits, and the lock is free. */
HIDDEN void __futex_reset(void);

/* signal.c: a CloudABI signal's number in libc. */
HIDDEN int __signal_to_linux(cloudabi_signal_t signal);

/* thread.c: what this thread needs to know of itself. */
struct overlay_thread {
  cloudabi_tid_t tid;
  volatile int *clear_at_exit; /* set to 0 and woken when the thread is gone, or NULL */
};
HIDDEN extern _Thread_local struct overlay_thread __overlay_thread;

/* start.c: what the kernel said at the start. */
struct startup {
  const void *argdata;
  size_t argdata_length;
  const unsigned char *pid; /* 16 bytes or NULL */
  unsigned ncpus;
  cloudabi_tid_t tid; /* of the main thread */
};
HIDDEN extern struct startup __startup;
/* The argument data as a value, valid for the program's life. */
struct argdata_t;
HIDDEN const struct argdata_t *__startup_argdata(void);
HIDDEN _Noreturn void __start_program(const struct cloudabi_auxv *auxv);

/* link.c: finds the vDSO's functions. Needs relocated code and nothing else. */
HIDDEN void __link_calls(const void *vdso);

#endif
