/*
 * Many processes: {out: fd, self: executable, how: name, times: number}. What the machine makes of
 * it is tests/vm/test_processes.py's; a program whose own checks fail exits with 43.
 */
#include <program.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/procs.h"
#include "args.h"

static cloudabi_fd_t out, self;
static unsigned times;

static void must(bool ok, const char *what) {
  if (ok)
    return;
  dprintf(out, "failed: %s\n", what);
  cloudabi_sys_proc_exit(43);
}

/* ---- Again and again ---- */

static unsigned end_at_once(void *arg) {
  return *(unsigned *)arg & 0xff;
}

/* Writes to memory of every kind and leaves all of it behind, descriptors too. */
static unsigned end_untidily(void *arg) {
  char *p = raw_memory(16 * RAW_PAGE);
  cloudabi_fd_t fd, pair[2];
  memset(p, 1, 16 * RAW_PAGE);
  memset(proc_shared(4 * RAW_PAGE), 1, 4 * RAW_PAGE);
  for (int i = 0; i < 20; i++)
    cloudabi_sys_fd_dup(out, &fd);
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &pair[0], &pair[1]);
  raw_write(pair[0], p, 100);
  return *(unsigned *)arg & 0xff;
}

static unsigned start_again(void *arg) {
  (void)arg;
  return 100u + cloudabi_sys_proc_exec(self, "!end", 4, &out, 1);
}

static unsigned end_many_threads(void *arg) {
  static struct raw_thread threads[5];
  for (int i = 0; i < 5; i++)
    raw_spawn(&threads[i], (void (*)(struct raw_thread *))(uintptr_t)proc_sleep, NULL);
  cloudabi_sys_thread_yield();
  return *(unsigned *)arg & 0xff;
}

static void churn(unsigned (*fn)(void *), unsigned (*wanted)(unsigned)) {
  for (unsigned i = 0; i < times; i++) {
    unsigned how = proc_end(proc_spawn(fn, &i));
    must(how == wanted(i), "a child ends as it should");
  }
}

static unsigned low_byte(unsigned i) {
  return i & 0xff;
}

static unsigned seven(unsigned i) {
  return i != UINT32_MAX ? 7 : 0;
}

/* Nobody waits for the children's ends. */
static void churn_closing(void) {
  for (unsigned i = 0; i < times; i++) {
    cloudabi_fd_t fd = proc_spawn(i % 2 ? proc_sleep : end_untidily, &i);
    must(fd != RAW_BAD_FD, "there is room for one child more");
    if (i % 3 == 0)
      cloudabi_sys_thread_yield();
    cloudabi_sys_fd_close(fd);
  }
}

/* ---- As many as there can be ---- */

/* Every process makes as many as it can; those that can't any more stay. */
static unsigned multiply(void *arg) {
  _Atomic unsigned *count = arg;
  cloudabi_fd_t fd;
  cloudabi_tid_t tid;
  while (cloudabi_sys_proc_fork(&fd, &tid) == 0) {
    if (fd == CLOUDABI_PROCESS_CHILD)
      ++*count;
  }
  return proc_sleep(NULL);
}

/* The first process is not to die of what its children do to the memory. */
static void bomb(unsigned (*fn)(void *)) {
  _Atomic unsigned *count = proc_shared(RAW_PAGE);
  for (int round = 0; round < 2; round++) {
    *count = 0;
    cloudabi_fd_t fd = proc_spawn(fn, count);
    must(fd != RAW_BAD_FD, "there is room for the first");
    for (unsigned before = 0; before != *count || before == 0;) {
      before = *count;
      raw_sleep(200 * RAW_MS);
    }
    dprintf(out, "%u processes\n", *count);
    cloudabi_sys_fd_close(fd);
    unsigned i = 5;
    while ((fd = proc_spawn(end_at_once, &i)) == RAW_BAD_FD)
      raw_sleep(RAW_MS); /* until the last of them has gone */
    must(proc_end(fd) == 5, "afterwards all is well");
  }
}

/* One process has as many children as it can. */
static unsigned many_children(void *arg) {
  _Atomic unsigned *count = arg;
  cloudabi_errno_t e;
  cloudabi_fd_t fd;
  cloudabi_tid_t tid;
  while ((e = cloudabi_sys_proc_fork(&fd, &tid)) == 0) {
    if (fd == CLOUDABI_PROCESS_CHILD)
      proc_sleep(NULL);
    ++*count;
  }
  must(e == CLOUDABI_ENOMEM || e == CLOUDABI_EAGAIN || e == CLOUDABI_ENFILE, "the error");
  return proc_sleep(NULL);
}

/* ---- Ends ---- */

__attribute__((noinline)) static unsigned crash(void *arg) {
  *(volatile char *)arg = 1;
  return 0;
}

static unsigned stop(void *arg) {
  (void)arg;
  cloudabi_sys_proc_raise(CLOUDABI_SIGSTOP);
  return 0;
}

static unsigned spin(void *arg) {
  for (volatile unsigned i = 0; arg != NULL; i++)
    ;
  return 0;
}

static unsigned family(void *arg) {
  proc_spawn(spin, arg);
  proc_spawn(stop, arg);
  proc_spawn(proc_sleep, arg);
  return proc_sleep(NULL);
}

static void have_children(void) {
  proc_spawn(family, &out);
  proc_spawn(family, &out);
  proc_spawn(spin, &out);
  raw_sleep(50 * RAW_MS);
}

static void end_with_children(void) {
  have_children();
  exit(7);
}

static void crash_with_children(void) {
  have_children();
  crash(NULL);
}

static void children_crash(void) {
  for (unsigned i = 0; i < times; i++)
    must(proc_end(proc_spawn(crash, NULL)) == 1013, "a child is killed by SIGSEGV");
}

/* A process that starts another program and crashes has its name for the place. */
static unsigned start_to_crash(void *arg) {
  (void)arg;
  return 100u + cloudabi_sys_proc_exec(self, "!crash", 6, &out, 1);
}

static void exec_crashes(void) {
  must(proc_end(proc_spawn(start_to_crash, NULL)) == 1013, "a child is killed by SIGSEGV");
}

static void stop_the_first(void) {
  have_children();
  cloudabi_sys_proc_raise(CLOUDABI_SIGSTOP);
}

/* Children that are killed wherever a process can be. */
static unsigned wait_on_console(void *arg) {
  static char line[4096];
  (void)arg;
  memset(line, '.', sizeof(line));
  for (;;)
    raw_write(out, line, sizeof(line));
}

static unsigned wait_on_socket(void *arg) {
  cloudabi_fd_t pair[2];
  char byte;
  size_t n;
  (void)arg;
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &pair[0], &pair[1]);
  return raw_read(pair[0], &byte, 1, &n);
}

static unsigned wait_on_lock(void *arg) {
  cloudabi_lock_t lock = 2 | CLOUDABI_LOCK_WRLOCKED;
  struct cloudabi_event ev;
  (void)arg;
  return raw_wait(raw_lock_sub(&lock, CLOUDABI_EVENTTYPE_LOCK_WRLOCK), 0, &ev);
}

static unsigned wait_on_child(void *arg) {
  return proc_end(proc_spawn(proc_sleep, arg));
}

static unsigned always_start(void *arg) {
  return 100u + cloudabi_sys_proc_exec(self, "!again", 6, (cloudabi_fd_t[]){out, self},
                                       arg != NULL ? 2 : 0);
}

static void kill_anywhere(void) {
  static unsigned (*const fns[])(void *) = {
      spin,         stop,          proc_sleep,     wait_on_console,
      wait_on_lock, wait_on_child, wait_on_socket, always_start};
  for (unsigned i = 0; i < times; i++) {
    cloudabi_fd_t fd = proc_spawn(fns[i % 8], &out);
    must(fd != RAW_BAD_FD, "there is room for one child more");
    for (unsigned j = i % 5; j > 0; j--)
      cloudabi_sys_thread_yield();
    cloudabi_sys_fd_close(fd);
  }
}

/* ---- Pipes ---- */

#define WORKERS 20

/* Adds one to every byte until there is none. */
static unsigned work(void *arg) {
  const cloudabi_fd_t *pair = arg;
  unsigned char bytes[512];
  size_t n;
  cloudabi_sys_fd_close(pair[0]);
  while (raw_read(pair[1], bytes, sizeof(bytes), &n) == 0 && n > 0) {
    for (size_t i = 0; i < n; i++)
      bytes[i]++;
    raw_write(pair[1], bytes, n);
  }
  return 9;
}

static void pipes(void) {
  cloudabi_fd_t pair[WORKERS][2], child[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    must(cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &pair[i][0], &pair[i][1]) == 0,
         "a pair of sockets");
    child[i] = proc_spawn(work, pair[i]);
    cloudabi_sys_fd_close(pair[i][1]);
  }
  for (unsigned round = 0; round < times; round++) {
    for (int i = 0; i < WORKERS; i++) {
      unsigned char sent[2] = {(unsigned char)i, (unsigned char)round};
      must(raw_write(pair[i][0], sent, 2) == 0, "a question");
    }
    for (int i = 0; i < WORKERS; i++) {
      unsigned char got[2] = {0};
      size_t n = 0, all = 0;
      while (all < 2 && raw_read(pair[i][0], got + all, 2 - all, &n) == 0 && n > 0)
        all += n;
      must(all == 2 && got[0] == i + 1 && got[1] == (unsigned char)(round + 1), "its answer");
    }
  }
  /* Later children hold the ends of earlier ones: from the last on, each sees the end of file. */
  for (int i = WORKERS - 1; i >= 0; i--) {
    cloudabi_sys_fd_close(pair[i][0]);
    must(proc_end(child[i]) == 9, "a worker sees the end");
  }
}

/* A process that dies closes its end of a pair. */
static void broken_pipe(void) {
  cloudabi_fd_t pair[2];
  char byte;
  size_t n = 1;
  cloudabi_sys_fd_create2(CLOUDABI_FILETYPE_SOCKET_STREAM, &pair[0], &pair[1]);
  cloudabi_fd_t fd = proc_spawn(crash, NULL);
  cloudabi_sys_fd_close(pair[1]);
  must(raw_read(pair[0], &byte, 1, &n) == 0 && n == 0, "the end of file");
  must(proc_end(fd) == 1013, "a child is killed by SIGSEGV");
}

/* ---- Which ---- */

static void run(const char *how) {
  static const struct {
    const char *name;
    void (*fn)(void);
  } others[] = {
      {"closing", churn_closing},
      {"end-with-children", end_with_children},
      {"crash-with-children", crash_with_children},
      {"children-crash", children_crash},
      {"exec-crashes", exec_crashes},
      {"stop-the-first", stop_the_first},
      {"kill-anywhere", kill_anywhere},
      {"pipes", pipes},
      {"broken-pipe", broken_pipe},
  };
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    if (strcmp(how, others[i].name) == 0)
      others[i].fn();
  }
  if (strcmp(how, "fork") == 0)
    churn(end_untidily, low_byte);
  if (strcmp(how, "threads") == 0)
    churn(end_many_threads, low_byte);
  if (strcmp(how, "exec") == 0)
    churn(start_again, seven);
  if (strcmp(how, "bomb") == 0)
    bomb(multiply);
  if (strcmp(how, "children") == 0)
    bomb(many_children);
}

void program_main(const argdata_t *ad) {
  const void *data;
  size_t length;
  program_get_raw_argdata(&data, &length);
  if (length >= 4 && memcmp(data, "!end", 4) == 0)
    cloudabi_sys_proc_exit(7);
  if (length >= 6 && memcmp(data, "!crash", 6) == 0)
    crash(NULL);
  if (length >= 6 && memcmp(data, "!again", 6) == 0) {
    out = 0;
    self = 1;
    cloudabi_sys_proc_exit(always_start(&out));
  }
  out = arg_fd(ad, "out");
  self = arg_fd(ad, "self");
  times = (unsigned)arg_int(ad, "times");
  run(arg_str(ad, "how"));
  exit(42);
}
