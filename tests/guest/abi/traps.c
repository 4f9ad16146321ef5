/*
 * All 58 raw traps of v0.1 to v0.3, from inside: results in registers, errors by the carry flag,
 * all other registers as they were: {out: fd, tmp: writable directory, listener: socket}. What the
 * calls do is what the other programs check. Reference 1.7, 9.2, 9.3.
 */
#include "traps.h"

#include <program.h>

#include "raw.h"

#define OK(name, results, number, ...) trap_ok(name, results, number, TRAP_ARGUMENTS(__VA_ARGS__))
#define FAILS(name, error, number, ...) \
  trap_fails(name, CLOUDABI_##error, number, TRAP_ARGUMENTS(__VA_ARGS__))
#define RESULT(name, number, ...) OK(name, 1, number, __VA_ARGS__).result[0]
#define FOLLOW(fd) ((uint64_t)(fd) | (uint64_t)CLOUDABI_LOOKUP_SYMLINK_FOLLOW << 32)

static cloudabi_fd_t tmp, listener;

static bool is_open(cloudabi_fd_t fd) {
  struct cloudabi_fdstat st;
  return cloudabi_sys_fd_stat_get(fd, &st) == 0;
}

/* ---- Time, memory, random numbers ------------------------------------------------------------ */

static void check_clocks(void) {
  uint64_t r = RESULT("clock_res_get", 0, CLOUDABI_CLOCK_MONOTONIC);
  check("raw", "clock_res_get: tells a resolution", r > 0 && r < 1000000000);
  FAILS("clock_res_get", EINVAL, 0, 99);
  uint64_t before = raw_now();
  r = RESULT("clock_time_get", 1, CLOUDABI_CLOCK_MONOTONIC, 0);
  check("raw", "clock_time_get: tells the time", r >= before && r <= raw_now());
  FAILS("clock_time_get", EINVAL, 1, 99, 0);
}

static void check_memory(void) {
  char *p = (char *)RESULT("mem_map", 34, 0, 3 * RAW_PAGE, CLOUDABI_PROT_READ | CLOUDABI_PROT_WRITE,
                           CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE, CLOUDABI_MAP_ANON_FD, 0);
  check("raw", "mem_map: the memory is there, and zero", raw_all(p, 3 * RAW_PAGE, 0));
  FAILS("mem_map", ENOTSUP, 34, 0, 1, 3, CLOUDABI_MAP_ANON | CLOUDABI_MAP_PRIVATE,
        CLOUDABI_MAP_ANON_FD, 0);
  OK("mem_advise", 0, 32, P(p), RAW_PAGE, CLOUDABI_ADVICE_WILLNEED);
  FAILS("mem_advise", EINVAL, 32, P(p), RAW_PAGE, 99);
  OK("mem_lock", 0, 33, P(p), RAW_PAGE);
  FAILS("mem_lock", ENOMEM, 33, 0x20000, RAW_PAGE);
  OK("mem_unlock", 0, 37, P(p), RAW_PAGE);
  FAILS("mem_unlock", ENOMEM, 37, 0x20000, RAW_PAGE);
  OK("mem_protect", 0, 35, P(p), RAW_PAGE, CLOUDABI_PROT_READ);
  FAILS("mem_protect", ENOTSUP, 35, P(p), RAW_PAGE, 3);
  OK("mem_sync", 0, 36, P(p), RAW_PAGE, CLOUDABI_MS_SYNC);
  FAILS("mem_sync", EINVAL, 36, P(p), RAW_PAGE, 0);
  OK("random_get", 0, 44, P(p + RAW_PAGE), 100);
  check("raw", "random_get: fills the memory", !raw_all(p + RAW_PAGE, 100, 0));
  FAILS("random_get", EFAULT, 44, P(p), 100);
  OK("mem_unmap", 0, 38, P(p), 3 * RAW_PAGE);
  FAILS("mem_unmap", EINVAL, 38, P(p) + 1, RAW_PAGE);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void check_descriptors(void) {
  cloudabi_fd_t fd = (cloudabi_fd_t)RESULT("fd_create1", 4, CLOUDABI_FILETYPE_SHARED_MEMORY);
  check("raw", "fd_create1: the descriptor is open", is_open(fd));
  FAILS("fd_create1", EINVAL, 4, 1);
  struct trap_answer two = OK("fd_create2", 2, 5, CLOUDABI_FILETYPE_SOCKET_STREAM);
  check("raw", "fd_create2: both are open",
        is_open((cloudabi_fd_t)two.result[0]) && is_open((cloudabi_fd_t)two.result[1]) &&
            two.result[0] != two.result[1] && two.result[0] >> 31 == 0 && two.result[1] >> 31 == 0);
  FAILS("fd_create2", EINVAL, 5, 1);
  cloudabi_fd_t copy = (cloudabi_fd_t)RESULT("fd_dup", 7, fd);
  check("raw", "fd_dup: the descriptor is open", copy != fd && is_open(copy));
  FAILS("fd_dup", EBADF, 7, RAW_BAD_FD);
  OK("fd_replace", 0, 11, two.result[0], copy);
  FAILS("fd_replace", EBADF, 11, fd, RAW_BAD_FD);
  struct cloudabi_fdstat st = {0};
  OK("fd_stat_get", 0, 13, copy, P(&st));
  check_eq("raw", "fd_stat_get: fills its structure", st.fs_filetype,
           CLOUDABI_FILETYPE_SOCKET_STREAM);
  FAILS("fd_stat_get", EBADF, 13, RAW_BAD_FD, P(&st));
  OK("fd_stat_put", 0, 14, copy, P(&st), CLOUDABI_FDSTAT_FLAGS);
  FAILS("fd_stat_put", EINVAL, 14, copy, P(&st), 0);
  OK("fd_close", 0, 3, copy);
  FAILS("fd_close", EBADF, 3, copy);
  cloudabi_sys_fd_close(fd);
  cloudabi_sys_fd_close((cloudabi_fd_t)two.result[0]);
  cloudabi_sys_fd_close((cloudabi_fd_t)two.result[1]);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static cloudabi_fd_t check_open(void) {
  struct cloudabi_fdstat st = {0};
  st.fs_rights_base = 0x11c3801ff;
  cloudabi_fd_t fd =
      (cloudabi_fd_t)RESULT("file_open", 21, FOLLOW(tmp), P("file"), 4, CLOUDABI_O_CREAT, P(&st));
  FAILS("file_open", ENOENT, 21, FOLLOW(tmp), P("none"), 4, 0, P(&st));
  OK("file_create", 0, 19, tmp, P("dir"), 3, CLOUDABI_FILETYPE_DIRECTORY);
  FAILS("file_create", EEXIST, 19, tmp, P("dir"), 3, CLOUDABI_FILETYPE_DIRECTORY);
  return fd;
}

static void check_bytes(cloudabi_fd_t fd) {
  char text[16] = "";
  struct cloudabi_iovec out = {(void *)"abcdef", 6}, in = {text, sizeof(text)};
  check_eq("raw", "fd_write: tells how much", RESULT("fd_write", 16, fd, P(&out), 1), 6);
  FAILS("fd_write", EBADF, 16, RAW_BAD_FD, P(&out), 1);
  check_eq("raw", "fd_pwrite: tells how much", RESULT("fd_pwrite", 9, fd, P(&out), 1, 6), 6);
  FAILS("fd_pwrite", EINVAL, 9, fd, P(&out), 1, UINT64_MAX);
  check_eq("raw", "fd_seek: all 64 bits of a position",
           RESULT("fd_seek", 12, fd, 0x1234567890, CLOUDABI_WHENCE_SET), 0x1234567890);
  check_eq("raw", "fd_seek: backwards",
           RESULT("fd_seek", 12, fd, (uint64_t)-10, CLOUDABI_WHENCE_END), 2);
  FAILS("fd_seek", EINVAL, 12, fd, (uint64_t)-1, CLOUDABI_WHENCE_SET);
  check_eq("raw", "fd_read: tells how much", RESULT("fd_read", 10, fd, P(&in), 1), 10);
  FAILS("fd_read", EBADF, 10, RAW_BAD_FD, P(&in), 1);
  check("raw", "fd_read: fills its buffer", memcmp(text, "cdefabcdef", 10) == 0);
  check_eq("raw", "fd_pread: tells how much", RESULT("fd_pread", 8, fd, P(&in), 1, 9), 3);
  FAILS("fd_pread", EFAULT, 8, fd, 16, 1, 0);
  OK("fd_sync", 0, 15, fd);
  FAILS("fd_sync", EBADF, 15, RAW_BAD_FD);
  OK("fd_datasync", 0, 6, fd);
  FAILS("fd_datasync", EBADF, 6, RAW_BAD_FD);
  OK("file_advise", 0, 17, fd, 0, 10, CLOUDABI_ADVICE_NORMAL);
  FAILS("file_advise", EINVAL, 17, fd, 0, 10, 99);
  OK("file_allocate", 0, 18, fd, 10, 12);
  FAILS("file_allocate", EBADF, 18, RAW_BAD_FD, 10, 12);
}

static void check_stats(cloudabi_fd_t fd) {
  struct cloudabi_filestat st = {0}, other = {0};
  OK("file_stat_fget", 0, 25, fd, P(&st));
  check_eq("raw", "file_stat_fget: fills its structure", st.st_size, 22);
  FAILS("file_stat_fget", EBADF, 25, RAW_BAD_FD, P(&st));
  OK("file_stat_get", 0, 27, FOLLOW(tmp), P("file"), 4, P(&other));
  check_eq("raw", "file_stat_get: fills its structure", other.st_ino, st.st_ino);
  FAILS("file_stat_get", ENOENT, 27, FOLLOW(tmp), P("none"), 4, P(&other));
  st.st_size = 5;
  OK("file_stat_fput", 0, 26, fd, P(&st), CLOUDABI_FILESTAT_SIZE);
  FAILS("file_stat_fput", EINVAL, 26, fd, P(&st), 0);
  OK("file_stat_put", 0, 28, FOLLOW(tmp), P("file"), 4, P(&st), CLOUDABI_FILESTAT_MTIM);
  FAILS("file_stat_put", EINVAL, 28, FOLLOW(tmp), P("file"), 4, P(&st), CLOUDABI_FILESTAT_SIZE);
}

static void check_names(void) {
  char buffer[256];
  OK("file_link", 0, 20, FOLLOW(tmp), P("file"), 4, tmp, P("hard"), 4);
  FAILS("file_link", EEXIST, 20, FOLLOW(tmp), P("file"), 4, tmp, P("hard"), 4);
  OK("file_rename", 0, 24, tmp, P("hard"), 4, tmp, P("name"), 4);
  FAILS("file_rename", ENOENT, 24, tmp, P("hard"), 4, tmp, P("name"), 4);
  OK("file_symlink", 0, 29, P("target"), 6, tmp, P("link"), 4);
  FAILS("file_symlink", EEXIST, 29, P("target"), 6, tmp, P("link"), 4);
  check_eq("raw", "file_readlink: tells how much",
           RESULT("file_readlink", 23, tmp, P("link"), 4, P(buffer), sizeof(buffer)), 6);
  FAILS("file_readlink", EINVAL, 23, tmp, P("file"), 4, P(buffer), sizeof(buffer));
  uint64_t used = RESULT("file_readdir", 22, tmp, P(buffer), sizeof(buffer), 0);
  check("raw", "file_readdir: tells how much", used >= 6 * 24 && used <= sizeof(buffer));
  FAILS("file_readdir", EBADF, 22, RAW_BAD_FD, P(buffer), sizeof(buffer), 0);
  OK("file_unlink", 0, 30, tmp, P("name"), 4, 0);
  FAILS("file_unlink", ENOENT, 30, tmp, P("name"), 4, 0);
}

static void check_files(void) {
  cloudabi_fd_t fd = check_open();
  check_bytes(fd);
  check_stats(fd);
  check_names();
  cloudabi_sys_fd_close(fd);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static void check_pair(void) {
  cloudabi_fd_t a, b;
  char text[8] = "";
  struct cloudabi_iovec out = {(void *)"abc", 3}, in = {text, sizeof(text)};
  struct cloudabi_send_in send = {.si_data = &out, .si_data_len = 1};
  struct cloudabi_recv_in recv = {.ri_data = &in, .ri_data_len = 1};
  struct cloudabi_send_out sent = {0};
  struct cloudabi_recv_out received;
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &a, &b);
  OK("sock_send", 0, 50, a, P(&send), P(&sent));
  check_eq("raw", "sock_send: fills its structure", sent.so_datalen, 3);
  FAILS("sock_send", EBADF, 50, RAW_BAD_FD, P(&send), P(&sent));
  memset(&received, 0xee, sizeof(received));
  OK("sock_recv", 0, 49, b, P(&recv), P(&received));
  check("raw", "sock_recv: fills its structure, addresses with nothing",
        received.ro_datalen == 3 && received.ro_fdslen == 0 && received.ro_flags == 0 &&
            raw_all((char *)&received + 16, 40, 0));
  FAILS("sock_recv", EBADF, 49, RAW_BAD_FD, P(&recv), P(&received));
  OK("sock_shutdown", 0, 51, a, CLOUDABI_SHUT_WR);
  FAILS("sock_shutdown", EINVAL, 51, a, 0);
  cloudabi_sys_fd_close(a);
  cloudabi_sys_fd_close(b);
}

static void check_sockets(void) {
  struct cloudabi_sockstat st;
  memset(&st, 0xee, sizeof(st));
  cloudabi_fd_t a = (cloudabi_fd_t)RESULT("fd_create1", 4, CLOUDABI_FILETYPE_SOCKET_STREAM);
  cloudabi_fd_t b = (cloudabi_fd_t)RESULT("fd_create1", 4, CLOUDABI_FILETYPE_SOCKET_STREAM);
  OK("sock_bind", 0, 46, a, tmp, P("socket"), 6);
  FAILS("sock_bind", EADDRINUSE, 46, b, tmp, P("socket"), 6);
  FAILS("sock_connect", ECONNREFUSED, 47, b, tmp, P("socket"), 6);
  OK("sock_listen", 0, 48, a, 5);
  FAILS("sock_listen", EBADF, 48, RAW_BAD_FD, 5);
  OK("sock_connect", 0, 47, b, tmp, P("socket"), 6);
  cloudabi_fd_t c = (cloudabi_fd_t)RESULT("sock_accept", 45, a, P(&st));
  check("raw", "sock_accept: fills its structure", st.ss_error == 0 && st.ss_state == 0);
  check("raw", "sock_accept: the descriptor is open", c != a && is_open(c));
  FAILS("sock_accept", EINVAL, 45, b, 0);
  OK("sock_stat_get", 0, 52, a, P(&st), 0);
  check_eq("raw", "sock_stat_get: fills its structure", st.ss_state, CLOUDABI_SOCKSTATE_ACCEPTCONN);
  FAILS("sock_stat_get", EINVAL, 52, a, P(&st), 2);
  dprintf(check_fd, "peer: connect\n");
  c = (cloudabi_fd_t)RESULT("sock_accept", 45, listener, 0);
  check("raw", "sock_accept: a connection from outside", is_open(c));
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void check_waiting(void) {
  struct cloudabi_subscription s = raw_clock(0, 0);
  struct cloudabi_event ev = {0};
  check_eq("raw", "poll: tells how many", RESULT("poll", 39, P(&s), P(&ev), 1), 1);
  check_eq("raw", "poll: fills its events", ev.userdata, 0xc10c);
  FAILS("poll", EFAULT, 39, P(&s), 16, 1);
  cloudabi_fd_t set = (cloudabi_fd_t)RESULT("fd_create1", 4, CLOUDABI_FILETYPE_POLL);
  struct cloudabi_subscription none = raw_clock(0, 0);
  s.flags = CLOUDABI_SUBSCRIPTION_ADD;
  memset(&ev, 0, sizeof(ev));
  check_eq("raw", "poll_fd: tells how many",
           RESULT("poll_fd", 57, set, P(&s), 1, P(&ev), 1, P(&none)), 1);
  check_eq("raw", "poll_fd: fills its events", ev.userdata, 0xc10c);
  FAILS("poll_fd", EBADF, 57, RAW_BAD_FD, 0, 0, 0, 0, 0);
  cloudabi_condvar_t cv = 0;
  cloudabi_lock_t lock = 0;
  OK("condvar_signal", 0, 2, P(&cv), CLOUDABI_SCOPE_PRIVATE, 1);
  FAILS("condvar_signal", EINVAL, 2, P(&cv), 99, 1);
  OK("lock_unlock", 0, 31, P(&lock), CLOUDABI_SCOPE_PRIVATE);
  FAILS("lock_unlock", EINVAL, 31, P(&lock), 99);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static uint64_t word[8] = {0x1234};
static bool tcb_shown;

static void end_raw(struct raw_thread *t) {
  t->step = 1;
  trap_call(0, false, 54, TRAP_ARGUMENTS(P(&t->done), CLOUDABI_SCOPE_PRIVATE));
  t->step = 2; /* never */
}

static void set_tcb(struct raw_thread *t) {
  struct trap_answer a = trap_call(0, true, 55, TRAP_ARGUMENTS(P(word)));
  tcb_shown = machine_tcb_is(word) && !a.carry && a.kept && a.result[0] == 0;
  t->step = 1;
}

static void check_threads(void) {
  struct raw_thread t = {.run = end_raw, .stack = raw_memory(RAW_STACK_BYTES)};
  struct cloudabi_threadattr attr = {raw_thread_main, t.stack, RAW_STACK_BYTES, &t};
  uint64_t tid = RESULT("thread_create", 53, P(&attr));
  raw_until(&t.step, 1);
  check_eq("raw", "thread_create: tells the thread's number", tid, t.own);
  raw_join(&t);
  check_eq("raw", "thread_exit: does not return", t.step, 1);
  FAILS("thread_create", EFAULT, 53, 16);
  OK("thread_yield", 0, 56, 0);
  check_err("raw", "thread_tcb_set: a thread for it", raw_spawn(&t, set_tcb, NULL), 0);
  raw_until(&t.step, 1);
  raw_join(&t);
  check("raw", "thread_tcb_set: sets the thread pointer", tcb_shown);
  FAILS("thread_tcb_set", EFAULT, 55, 0xffff800000000000);
  FAILS("thread_tcb_set", EFAULT, 55, MACHINE_USER_END);
  FAILS("thread_tcb_set", EFAULT, 55, 0x0008000000000000);
}

/* ---- Processes ------------------------------------------------------------------------------- */

static void check_processes(void) {
  OK("proc_raise", 0, 43, CLOUDABI_SIGCHLD);
  FAILS("proc_raise", EINVAL, 43, 99);
  FAILS("proc_exec", EBADF, 40, RAW_BAD_FD, P(""), 0, 0, 0);
  FAILS("proc_exec", ENOTCAPABLE, 40, tmp, P(""), 0, 0, 0);
  cloudabi_lock_t lock = 0;
  struct cloudabi_event ev;
  raw_wait(raw_lock_sub(&lock, CLOUDABI_EVENTTYPE_LOCK_WRLOCK), 0, &ev);
  uint64_t own = lock & 0x3fffffff;
  struct trap_answer a = trap_call(2, true, 42, TRAP_ARGUMENTS(0));
  if (!a.carry && a.result[0] == CLOUDABI_PROCESS_CHILD) {
    bool good = a.kept && a.result[1] >> 30 == 0 && a.result[1] != own && a.result[1] > 1;
    trap_call(0, false, 41, TRAP_ARGUMENTS(good ? 77 : 78));
  }
  check_err("raw", "proc_fork: works", a.carry ? (unsigned)a.result[0] : 0, 0);
  check("raw", "proc_fork: keeps the other registers", a.kept);
  if (a.carry)
    return;
  struct cloudabi_subscription s = {.type = CLOUDABI_EVENTTYPE_PROC_TERMINATE};
  s.proc_terminate.fd = (cloudabi_fd_t)a.result[0];
  raw_wait(s, 0, &ev);
  check_eq("raw", "proc_fork: the child has -1 and its thread's number; proc_exit ends it",
           ev.proc_terminate.exitcode, 77);
}

/* ---- What is no call, and addresses that are none -------------------------------------------- */

static void check_numbers(void) {
  static const uint64_t numbers[] = {58, 59, 0xff, 0x1ff, 0x10000, 1ull << 32, UINT64_MAX};
  char name[40];
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    snprintf(name, sizeof(name), "number %#llx", (unsigned long long)numbers[i]);
    trap_fails(name, CLOUDABI_ENOSYS, numbers[i], TRAP_ARGUMENTS(1, 2, 3, 4, 5, 6));
  }
}

/* Those that the kernel itself uses for results must be nobody's memory. */
static void check_addresses(void) {
  static const uint64_t bad[] = {0,
                                 8,
                                 16,
                                 24,
                                 0xfff8,
                                 MACHINE_USER_END - 8,
                                 MACHINE_USER_END,
                                 0xffff800000000008,
                                 UINT64_MAX - 7};
  char name[60];
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    snprintf(name, sizeof(name), "fd_stat_get to %#llx", (unsigned long long)bad[i]);
    trap_fails(name, CLOUDABI_EFAULT, 13, TRAP_ARGUMENTS(tmp, bad[i]));
    snprintf(name, sizeof(name), "random_get to %#llx", (unsigned long long)bad[i]);
    trap_fails(name, CLOUDABI_EFAULT, 44, TRAP_ARGUMENTS(bad[i], 8));
    snprintf(name, sizeof(name), "fd_write from %#llx", (unsigned long long)bad[i]);
    trap_fails(name, CLOUDABI_EFAULT, 16, TRAP_ARGUMENTS(check_fd, bad[i], 1));
    snprintf(name, sizeof(name), "fd_dup by the vDSO, to %#llx", (unsigned long long)bad[i]);
    check_err("raw", name, cloudabi_sys_fd_dup(tmp, (cloudabi_fd_t *)bad[i]), CLOUDABI_EFAULT);
  }
}

void program_main(const argdata_t *ad) {
  check_begin(ad);
  tmp = (cloudabi_fd_t)arg_fd(ad, "tmp");
  listener = (cloudabi_fd_t)arg_fd(ad, "listener");
  check_clocks();
  check_memory();
  check_descriptors();
  check_files();
  check_pair();
  check_sockets();
  check_waiting();
  check_threads();
  check_numbers();
  check_addresses();
  check_processes();
  dprintf(check_fd, "checks %u\n", check_count);
  trap_call(0, false, 41, TRAP_ARGUMENTS(0));
}
