/*
 * Processes: fork, the ways to end, and the events that tell of them, from inside: {out: fd, dir:
 * fd, file: fd}. Reference 5 (proc_terminate), 8.1, 8.3, 8.4. How the image's own program ends is
 * tests/vm/test_end.py's; proc_exec is exec.c's.
 */
#include <program.h>
#include <stdatomic.h>

#include "../check.h"
#include "machine.h"
#include "procs.h"

__attribute__((visibility("hidden"))) unsigned fork_registers(
    cloudabi_errno_t (*fork)(cloudabi_fd_t *, cloudabi_tid_t *), cloudabi_fd_t *, cloudabi_tid_t *);
__attribute__((visibility("hidden"))) void fault_divide(void), fault_illegal(void),
    fault_breakpoint(void);

static cloudabi_fd_t dir, file;
static cloudabi_tid_t main_tid;

/* ---- What fork returns ----------------------------------------------------------------------- */

static struct {
  cloudabi_fd_t fd;
  cloudabi_tid_t tid;
  uint64_t own_fd_error;
} * seen; /* by the child, in shared memory */

static void check_results(void) {
  cloudabi_fd_t fd = 77, next;
  cloudabi_tid_t tid = 77;
  seen = proc_shared(RAW_PAGE);
  cloudabi_sys_fd_dup(file, &next);
  cloudabi_sys_fd_close(next);
  cloudabi_errno_t e = cloudabi_sys_proc_fork(&fd, &tid);
  if (fd == CLOUDABI_PROCESS_CHILD) {
    struct cloudabi_fdstat st;
    seen->fd = fd;
    seen->tid = tid;
    seen->own_fd_error = cloudabi_sys_fd_stat_get(next, &st);
    cloudabi_sys_proc_exit(e == 0 ? 42 : 43);
  }
  if (!check_err("proc_fork", "a child", e, 0))
    check_end();
  check_eq("proc_fork", "the parent gets the next free number", fd, next);
  check_eq("poll", "proc_terminate: the exit code", proc_end(fd), 42);
  check_eq("proc_fork", "the child gets the number of none", seen->fd, 0xffffffff);
  check("proc_fork", "the child gets its thread's number",
        seen->tid > 1 && seen->tid < 1u << 30 && seen->tid != main_tid);
  check_err("proc_fork", "the child has no descriptor of itself", seen->own_fd_error,
            CLOUDABI_EBADF);
}

static void check_errors(void) {
  cloudabi_fd_t fd = 77, before, after;
  cloudabi_tid_t tid = 77;
  uint32_t *constant = raw_map(RAW_PAGE, CLOUDABI_PROT_READ);
  cloudabi_sys_fd_dup(file, &before);
  cloudabi_sys_fd_close(before);
  check_err("proc_fork", "nowhere for the descriptor", cloudabi_sys_proc_fork(NULL, &tid),
            CLOUDABI_EFAULT);
  check_err("proc_fork", "nowhere for the thread's number", cloudabi_sys_proc_fork(&fd, NULL),
            CLOUDABI_EFAULT);
  check_err("proc_fork", "a descriptor to memory that is read-only",
            cloudabi_sys_proc_fork(constant, &tid), CLOUDABI_EFAULT);
  check_err("proc_fork", "a thread's number to memory that is read-only",
            cloudabi_sys_proc_fork(&fd, constant), CLOUDABI_EFAULT);
  check("proc_fork", "an error leaves the results alone", fd == 77 && tid == 77);
  cloudabi_sys_fd_dup(file, &after);
  cloudabi_sys_fd_close(after);
  check_eq("proc_fork", "an error leaves no descriptor", after, before);
}

/* ---- The descriptor -------------------------------------------------------------------------- */

static void check_descriptor(void) {
  cloudabi_fd_t fd = proc_spawn(proc_sleep, NULL), target;
  struct cloudabi_fdstat st;
  struct cloudabi_filestat fs;
  struct cloudabi_event ev;
  size_t n;
  char byte;
  void *mem;
  memset(&st, 0xee, sizeof(st));
  check_err("fd_stat_get", "a process", cloudabi_sys_fd_stat_get(fd, &st), 0);
  check_eq("fd_stat_get", "a process: its type", st.fs_filetype, CLOUDABI_FILETYPE_PROCESS);
  check_eq("fd_stat_get", "a process: no flags", st.fs_flags, 0);
  check_eq("proc_fork", "rights of the descriptor", st.fs_rights_base, 0x40080000);
  check_eq("proc_fork", "inheriting rights of the descriptor", st.fs_rights_inheriting, 0);
  memset(&fs, 0xee, sizeof(fs));
  check_err("file_stat_fget", "a process", cloudabi_sys_file_stat_fget(fd, &fs), 0);
  check_eq("file_stat_fget", "a process: its type", fs.st_filetype, CLOUDABI_FILETYPE_PROCESS);
  check_err("fd_read", "a process", raw_read(fd, &byte, 1, &n), CLOUDABI_ENOTCAPABLE);
  check_err("fd_write", "a process", raw_write(fd, &byte, 1), CLOUDABI_ENOTCAPABLE);
  check_err("fd_sync", "a process", cloudabi_sys_fd_sync(fd), CLOUDABI_ENOTCAPABLE);
  check_err("fd_stat_put", "flags of a process",
            cloudabi_sys_fd_stat_put(fd, &st, CLOUDABI_FDSTAT_FLAGS), CLOUDABI_ENOTCAPABLE);
  check_err("proc_exec", "a process", cloudabi_sys_proc_exec(fd, "", 0, NULL, 0),
            CLOUDABI_ENOTCAPABLE);
  check_err(
      "mem_map", "a process",
      cloudabi_sys_mem_map(NULL, RAW_PAGE, CLOUDABI_PROT_READ, CLOUDABI_MAP_PRIVATE, fd, 0, &mem),
      CLOUDABI_ENOTCAPABLE);
  check_err("sock_shutdown", "a process", cloudabi_sys_sock_shutdown(fd, CLOUDABI_SHUT_RD),
            CLOUDABI_ENOTCAPABLE);
  struct cloudabi_subscription s = proc_sub(fd);
  s.type = CLOUDABI_EVENTTYPE_FD_READ;
  raw_wait(s, 0, &ev);
  check_err("poll", "fd_read: a process", ev.error, CLOUDABI_ENOTCAPABLE);
  cloudabi_sys_fd_dup(file, &target);
  check_err("fd_replace", "something by a process", cloudabi_sys_fd_replace(fd, target), 0);
  cloudabi_sys_fd_close(fd);
  check_eq("fd_close", "a process that has another descriptor lives", proc_wait(target, RAW_MS),
           9999);
  cloudabi_sys_fd_close(target);
}

/* ---- What a child is a copy of --------------------------------------------------------------- */

static int variable = 1;

static unsigned look_at_memory(void *arg) {
  volatile uint64_t *shared = arg;
  unsigned wrong = variable != 2;
  variable = 3;
  shared[0] = 1; /* the parent changes its variable only now */
  while (shared[1] == 0)
    cloudabi_sys_thread_yield();
  return wrong | (unsigned)(variable != 3) << 1;
}

static void check_memory(void) {
  volatile uint64_t *shared = proc_shared(RAW_PAGE);
  variable = 2;
  cloudabi_fd_t fd = proc_spawn(look_at_memory, (void *)(uintptr_t)shared);
  while (shared[0] == 0)
    cloudabi_sys_thread_yield();
  check_eq("proc_fork", "the parent does not see what the child writes", variable, 2);
  variable = 4;
  shared[1] = 1;
  unsigned wrong = proc_end(fd);
  check("proc_fork", "the child has what the parent wrote before", (wrong & 1) == 0);
  check("proc_fork", "the child does not see what the parent writes", (wrong & 2) == 0);
  check("proc_fork", "shared memory is shared", wrong < 4);
}

/* Every way that memory can be mapped, over more than a page table. */
#define LARGE (5ul << 20)

static unsigned look_at_mappings(void *arg) {
  uint8_t **m = arg;
  size_t bad = 0;
  for (size_t i = 0; i < LARGE; i += RAW_PAGE)
    bad += m[0][i] != (uint8_t)(i >> 12);
  for (size_t i = 0; i < LARGE; i += 16 * RAW_PAGE)
    m[0][i] = 0xff;
  if (bad != 0 || m[1][0] != 7 || !raw_all(m[1] + RAW_PAGE, RAW_PAGE, 0))
    return 1;
  return memcmp(m[2], "0123456789", 10) != 0 ? 2 : 0;
}

static void check_mappings(void) {
  uint8_t *m[3] = {raw_memory(LARGE), raw_memory(2 * RAW_PAGE), NULL};
  void *p = NULL;
  size_t bad = 0;
  for (size_t i = 0; i < LARGE; i += RAW_PAGE)
    m[0][i] = (uint8_t)(i >> 12);
  m[1][0] = 7;
  cloudabi_sys_mem_protect(m[1], 2 * RAW_PAGE, CLOUDABI_PROT_READ);
  cloudabi_sys_mem_map(NULL, RAW_PAGE, CLOUDABI_PROT_READ, CLOUDABI_MAP_PRIVATE, file, 0, &p);
  m[2] = p;
  check_eq("proc_fork", "memory of all kinds is there", proc_end(proc_spawn(look_at_mappings, m)),
           0);
  for (size_t i = 0; i < LARGE; i += RAW_PAGE)
    bad += m[0][i] != (uint8_t)(i >> 12);
  check_eq("proc_fork", "no page of the parent's has changed", bad, 0);
  cloudabi_sys_mem_unmap(m[0], LARGE);
  cloudabi_sys_mem_unmap(m[1], 2 * RAW_PAGE);
  cloudabi_sys_mem_unmap(p, RAW_PAGE);
}

static void check_registers(void) {
  cloudabi_fd_t fd = 77;
  cloudabi_tid_t tid;
  unsigned wrong = fork_registers(cloudabi_sys_proc_fork, &fd, &tid);
  if (fd == CLOUDABI_PROCESS_CHILD)
    cloudabi_sys_proc_exit(wrong >> 16 | (wrong & 0xffff) << 16);
  check_eq("proc_fork", "the parent keeps its registers", wrong, 0);
  check_eq("proc_fork", "the child has them, floating point and its modes", proc_end(fd), 0);
}

static unsigned look_at_fds(void *arg) {
  char byte = 0;
  size_t n;
  cloudabi_filesize_t at;
  cloudabi_fd_t fd = *(cloudabi_fd_t *)arg;
  if (raw_rights(fd) != (CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FD_SEEK | CLOUDABI_RIGHT_FD_TELL))
    return 1;
  if (raw_read(fd, &byte, 1, &n) != 0 || n != 1 || byte != '3')
    return 2;
  if (cloudabi_sys_fd_seek(fd, 2, CLOUDABI_WHENCE_CUR, &at) != 0 || at != 6)
    return 3;
  return cloudabi_sys_fd_close(fd) != 0 || cloudabi_sys_fd_close(dir) != 0 ? 4 : 0;
}

static void check_fds(void) {
  cloudabi_filesize_t at;
  char byte = 0;
  size_t n;
  cloudabi_fd_t fd =
      raw_dup_with(file, CLOUDABI_RIGHT_FD_READ | CLOUDABI_RIGHT_FD_SEEK | CLOUDABI_RIGHT_FD_TELL);
  cloudabi_sys_fd_seek(fd, 3, CLOUDABI_WHENCE_SET, &at);
  check_eq("proc_fork", "the child has the descriptors with their rights and offsets",
           proc_end(proc_spawn(look_at_fds, &fd)), 0);
  check_err("proc_fork", "what the child closes stays open", raw_read(fd, &byte, 1, &n), 0);
  check("proc_fork", "descriptions are shared", n == 1 && byte == '6');
  cloudabi_sys_fd_seek(fd, 0, CLOUDABI_WHENCE_SET, &at);
  cloudabi_sys_fd_close(fd);
}

/* ---- Threads and locks ----------------------------------------------------------------------- */

static volatile uint64_t ticks;
static _Atomic unsigned stop_ticking;
static cloudabi_lock_t contended;

static void tick(struct raw_thread *t) {
  (void)t;
  for (; !stop_ticking; ++ticks)
    cloudabi_sys_thread_yield();
}

static void wait_for_lock(struct raw_thread *t) {
  struct cloudabi_event ev;
  raw_wait(raw_lock_sub(&contended, CLOUDABI_EVENTTYPE_LOCK_WRLOCK), 0, &ev);
  t->step = 1;
  cloudabi_sys_lock_unlock(&contended, CLOUDABI_SCOPE_PRIVATE);
}

static unsigned look_at_threads(void *arg) {
  if (proc_counts(arg))
    return 1;
  /* As it was, and nobody waits for it here. */
  return contended == (main_tid | CLOUDABI_LOCK_WRLOCKED | CLOUDABI_LOCK_KERNEL_MANAGED) &&
                 cloudabi_sys_lock_unlock(&contended, CLOUDABI_SCOPE_PRIVATE) == 0 && contended == 0
             ? 0
             : 2;
}

static void check_threads(void) {
  static struct raw_thread ticker, waiter;
  contended = main_tid | CLOUDABI_LOCK_WRLOCKED;
  raw_spawn(&ticker, tick, NULL);
  raw_spawn(&waiter, wait_for_lock, NULL);
  while (ticks < 5 || (contended & CLOUDABI_LOCK_KERNEL_MANAGED) == 0)
    cloudabi_sys_thread_yield();
  unsigned how = proc_end(proc_spawn(look_at_threads, (void *)(uintptr_t)&ticks));
  check("proc_fork", "the child has the calling thread alone", how != 1);
  check_eq("proc_fork", "a lock's waiters stay with the parent, its word's bits don't", how, 0);
  check("proc_fork", "the parent's threads go on", proc_counts(&ticks));
  cloudabi_sys_lock_unlock(&contended, CLOUDABI_SCOPE_PRIVATE);
  check("lock_unlock", "the waiter of the process that forked gets it", raw_until(&waiter.step, 1));
  stop_ticking = 1;
  raw_join(&ticker);
  raw_join(&waiter);
}

static void fork_in_thread(struct raw_thread *t) {
  t->step = 1 + proc_end(proc_spawn(look_at_memory, t->arg));
}

static void check_fork_in_thread(void) {
  static struct raw_thread forker;
  volatile uint64_t *shared = proc_shared(RAW_PAGE);
  shared[1] = 1;
  variable = 2;
  raw_spawn(&forker, fork_in_thread, (void *)(uintptr_t)shared);
  raw_join(&forker);
  check_eq("proc_fork", "by another thread than the first", forker.step, 1);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static unsigned exit_with(void *arg) {
  return *(unsigned *)arg;
}

static unsigned raise_it(void *arg) {
  return 100u + cloudabi_sys_proc_raise(*(cloudabi_signal_t *)arg);
}

static unsigned end_thread(void *arg) {
  cloudabi_sys_thread_exit(arg, CLOUDABI_SCOPE_PRIVATE);
}

static unsigned fault(void *arg) {
  (*(void (**)(void))arg)();
  return 0;
}

static void fault_read(void) {
  (void)*(volatile char *)16;
}

static void fault_write(void) {
  static const volatile char constant = 1;
  *(volatile char *)&constant = 2;
}

static void fault_bus(void) {
  void *p = NULL;
  cloudabi_sys_mem_map(NULL, 2 * RAW_PAGE, CLOUDABI_PROT_READ, CLOUDABI_MAP_PRIVATE, file, 0, &p);
  (void)((volatile char *)p)[RAW_PAGE];
}

static void check_exits(void) {
  static unsigned codes[] = {0, 1, 7, 124, 125, 255, 256, 0x12345678, 0xffffffff};
  char what[60];
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    snprintf(what, sizeof(what), "proc_terminate: exit code %u", codes[i]);
    check_eq("poll", what, proc_end(proc_spawn(exit_with, &codes[i])), codes[i]);
  }
  cloudabi_lock_t lock = 0;
  check_eq("thread_exit", "the last thread's is an exit with 0",
           proc_end(proc_spawn(end_thread, &lock)), 0);
}

static void check_signals(void) {
  char what[60];
  for (cloudabi_signal_t s = CLOUDABI_SIGABRT; s <= CLOUDABI_SIGXFSZ; s++) {
    bool ignored = s == CLOUDABI_SIGCHLD || s == CLOUDABI_SIGCONT || s == CLOUDABI_SIGPIPE ||
                   s == CLOUDABI_SIGURG;
    bool stops = s == CLOUDABI_SIGSTOP || s == CLOUDABI_SIGTSTP || s == CLOUDABI_SIGTTIN ||
                 s == CLOUDABI_SIGTTOU;
    cloudabi_fd_t fd = proc_spawn(raise_it, &s);
    if (stops) {
      snprintf(what, sizeof(what), "signal %u stops the process", s);
      check_eq("proc_raise", what, proc_wait(fd, 30 * RAW_MS), 9999);
      cloudabi_sys_fd_close(fd);
      continue;
    }
    snprintf(what, sizeof(what), ignored ? "signal %u is ignored" : "signal %u ends the process",
             s);
    check_eq("proc_raise", what, proc_end(fd), ignored ? 100 : 1000u + s);
  }
  static const cloudabi_signal_t bad[] = {0, 27, 28, 127, 128, 255};
  for (size_t i = 0; i < sizeof(bad); i++) {
    snprintf(what, sizeof(what), "signal %u is none", bad[i]);
    check_err("proc_raise", what, cloudabi_sys_proc_raise(bad[i]), CLOUDABI_EINVAL);
  }
}

static void check_faults(void) {
  static const struct {
    const char *what;
    void (*fn)(void);
    unsigned signal;
  } faults[] = {
      {"a division by zero", fault_divide, MACHINE_DIVIDE_SIGNAL},
      {"no instruction", fault_illegal, CLOUDABI_SIGILL},
      {"a breakpoint", fault_breakpoint, CLOUDABI_SIGTRAP},
      {"reading where nothing is", fault_read, CLOUDABI_SIGSEGV},
      {"writing to a constant", fault_write, CLOUDABI_SIGSEGV},
      {"reading behind a file's end", fault_bus, CLOUDABI_SIGBUS},
  };
  char what[60];
  for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
    void (*fn)(void) = faults[i].fn;
    snprintf(what, sizeof(what), "proc_terminate: %s", faults[i].what);
    check_eq("poll", what, proc_end(proc_spawn(fault, &fn)),
             faults[i].signal != 0 ? 1000 + faults[i].signal : 0);
  }
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void check_events(void) {
  unsigned code = 3;
  struct cloudabi_subscription s[2];
  struct cloudabi_event ev[2];
  size_t n = 77;
  cloudabi_fd_t fd = proc_spawn(exit_with, &code), copy, running = proc_spawn(proc_sleep, NULL);
  cloudabi_sys_fd_dup(fd, &copy);
  s[0] = proc_sub(fd);
  memset(ev, 0xee, sizeof(ev));
  check_err("poll", "proc_terminate", cloudabi_sys_poll(s, ev, 1, &n), 0);
  check_eq("poll", "proc_terminate: one event", n, 1);
  check_eq("poll", "proc_terminate: the userdata", ev[0].userdata, 0xc41d);
  check_eq("poll", "proc_terminate: the type", ev[0].type, CLOUDABI_EVENTTYPE_PROC_TERMINATE);
  check_err("poll", "proc_terminate: no error", ev[0].error, 0);
  check_eq("poll", "proc_terminate: the descriptor, for old programs", ev[0].proc_terminate.fd, fd);
  check_eq("poll", "proc_terminate: no signal", ev[0].proc_terminate.signal, 0);
  check_eq("poll", "proc_terminate: its exit code", ev[0].proc_terminate.exitcode, 3);
  check_eq("poll", "proc_terminate: again", proc_wait(fd, 0), 3);
  check_eq("poll", "proc_terminate: by another descriptor", proc_wait(copy, 0), 3);
  cloudabi_sys_fd_close(fd);
  check_eq("poll", "proc_terminate: after the first was closed", proc_end(copy), 3);
  check_eq("poll", "proc_terminate: not as long as it runs", proc_wait(running, RAW_MS), 9999);

  /* Rights, and things that are no processes. */
  raw_wait(proc_sub(RAW_BAD_FD), 0, &ev[0]);
  check_err("poll", "proc_terminate: a closed number", ev[0].error, CLOUDABI_EBADF);
  check_eq("poll", "proc_terminate: a closed number is echoed", ev[0].proc_terminate.fd,
           RAW_BAD_FD);
  raw_wait(proc_sub(file), 0, &ev[0]);
  check_err("poll", "proc_terminate: a file", ev[0].error, CLOUDABI_ENOTCAPABLE);
  copy = raw_dup_with(running, CLOUDABI_RIGHT_FILE_STAT_FGET);
  raw_wait(proc_sub(copy), 0, &ev[0]);
  check_err("poll", "proc_terminate: without the right", ev[0].error, CLOUDABI_ENOTCAPABLE);

  /* Beside something that is ready. */
  s[0] = proc_sub(running);
  s[1] = proc_sub(file);
  s[1].type = CLOUDABI_EVENTTYPE_FD_READ;
  check_err("poll", "a process and a file", cloudabi_sys_poll(s, ev, 2, &n), 0);
  check("poll", "a process and a file: the file alone is ready",
        n == 1 && ev[0].type == CLOUDABI_EVENTTYPE_FD_READ);
  cloudabi_sys_fd_close(running);
  cloudabi_sys_fd_close(copy);
}

#define MANY 50

static unsigned exit_later(void *arg) {
  for (unsigned i = *(unsigned *)arg * 7 % MANY; i > 0; i--)
    cloudabi_sys_thread_yield();
  return *(unsigned *)arg;
}

static void check_many(void) {
  static struct cloudabi_subscription s[MANY];
  static struct cloudabi_event ev[MANY];
  size_t left = MANY, n, wrong = 0;
  for (unsigned i = 0; i < MANY; i++) {
    s[i] = proc_sub(proc_spawn(exit_later, &i));
    s[i].userdata = i;
  }
  while (left > 0 && wrong == 0) {
    if (cloudabi_sys_poll(s, ev, left, &n) != 0)
      break;
    for (size_t i = 0; i < n; i++) {
      wrong += ev[i].error != 0 || ev[i].proc_terminate.exitcode != ev[i].userdata;
      cloudabi_sys_fd_close(ev[i].proc_terminate.fd);
      for (size_t j = 0; j < left; j++) {
        if (s[j].userdata == ev[i].userdata)
          s[j] = s[--left];
      }
    }
  }
  check("poll", "proc_terminate: many at once", left == 0 && wrong == 0);
}

/* ---- Closing the last descriptor ------------------------------------------------------------- */

static unsigned hold_sibling(void *arg) {
  cloudabi_fd_t sibling = *(cloudabi_fd_t *)arg;
  return proc_wait(sibling, RAW_MS) == 9999 ? proc_sleep(NULL) : 1;
}

static void check_closing(void) {
  volatile uint64_t *counts = proc_shared(RAW_PAGE);
  cloudabi_fd_t fd = proc_spawn(proc_count, (void *)(uintptr_t)&counts[0]), copy;
  cloudabi_sys_fd_dup(fd, &copy);
  cloudabi_sys_fd_close(fd);
  check("fd_close", "a child with another descriptor goes on", proc_counts(&counts[0]));
  cloudabi_sys_fd_close(copy);
  check("fd_close", "the last descriptor kills the child", proc_count_stops(&counts[0]));

  fd = proc_spawn(proc_count, (void *)(uintptr_t)&counts[1]);
  cloudabi_fd_t holder = proc_spawn(hold_sibling, &fd);
  check_eq("proc_fork", "a child has its siblings' descriptors", proc_wait(holder, 30 * RAW_MS),
           9999);
  cloudabi_sys_fd_close(fd);
  check("proc_fork", "a process lives while a sibling holds it", proc_counts(&counts[1]));
  cloudabi_sys_fd_close(holder);
  check("fd_close", "a killed process lets go of what it held", proc_count_stops(&counts[1]));
  cloudabi_sys_mem_unmap((void *)(uintptr_t)counts, RAW_PAGE);
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

static uint64_t cpu_ns(cloudabi_clock_id_t clock) {
  uint64_t ns = 0;
  cloudabi_sys_clock_time_get(clock, 0, &ns);
  return ns;
}

static unsigned use_time(void *arg) {
  uint64_t *times = arg;
  times[0] = cpu_ns(CLOUDABI_CLOCK_PROCESS_CPUTIME_ID);
  while (cpu_ns(CLOUDABI_CLOCK_THREAD_CPUTIME_ID) < times[0] + 30 * RAW_MS)
    ;
  times[1] = cpu_ns(CLOUDABI_CLOCK_THREAD_CPUTIME_ID);
  times[2] = cpu_ns(CLOUDABI_CLOCK_PROCESS_CPUTIME_ID);
  return 0;
}

static void check_clocks(void) {
  uint64_t *times = proc_shared(RAW_PAGE);
  while (cpu_ns(CLOUDABI_CLOCK_PROCESS_CPUTIME_ID) < 30 * RAW_MS)
    ;
  uint64_t before = cpu_ns(CLOUDABI_CLOCK_PROCESS_CPUTIME_ID);
  proc_end(proc_spawn(use_time, times));
  uint64_t after = cpu_ns(CLOUDABI_CLOCK_PROCESS_CPUTIME_ID);
  check("clock_time_get", "a child's time begins at 0", times[0] < 20 * RAW_MS);
  check("clock_time_get", "a child's thread and process",
        times[1] <= times[2] && times[2] < times[1] + RAW_MS);
  check("clock_time_get", "a child's time is not its parent's", after - before < 25 * RAW_MS);
}

static void own_tid(struct raw_thread *t) {
  (void)t;
}

void program_main(const argdata_t *ad) {
  static struct raw_thread other;
  check_begin(ad);
  dir = arg_fd(ad, "dir");
  file = arg_fd(ad, "file");
  raw_spawn(&other, own_tid, NULL);
  raw_join(&other);
  main_tid = other.tid - 1; /* nobody was made in between */
  check_results();
  check_errors();
  check_descriptor();
  check_memory();
  check_mappings();
  check_registers();
  check_fds();
  check_threads();
  check_fork_in_thread();
  check_exits();
  check_signals();
  check_faults();
  check_events();
  check_many();
  check_closing();
  check_clocks();
  check_end();
}
