/*
 * The SDK's processes: {out: fd, self: executable, dir: directory, role: parent}. program_spawn,
 * program_exec, pdfork and pdwait; each check has a name (check.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <program.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/procdesc.h>
#include <unistd.h>

#include "check.h"

static int self, dir;

/* How a process ended: the exit code, or 1000 and the signal. */
static int end_of(int fd) {
  siginfo_t info;
  int error = pdwait(fd, &info, 0);
  close(fd);
  if (error != 0 || info.si_signo != SIGCHLD)
    return 9999;
  return info.si_code == CLD_EXITED ? info.si_status : 1000 + info.si_status;
}

/* ---- Other programs ---- */

/* {role, out: fd, again: the same, code}; valid until the next one. */
static argdata_t *request(const char *role, int fd, int code) {
  static const argdata_t *keys[4], *values[4];
  static const char *const names[] = {"role", "out", "again", "code"};
  for (int i = 0; i < 4; i++)
    keys[i] = argdata_create_str_c(names[i]);
  values[0] = argdata_create_str_c(role);
  values[1] = values[2] = argdata_create_fd(fd);
  values[3] = argdata_create_int(code);
  return argdata_create_map(keys, values, 4);
}

static void check_spawn(void) {
  check_eq("program_spawn", "the exit code",
           (unsigned)end_of(program_spawn(self, request("exit", check_fd, 37))), 37);
  check_eq("program_spawn", "a signal",
           (unsigned)end_of(program_spawn(self, request("abort", check_fd, 0))), 1000 + SIGABRT);
  check_eq("program_spawn", "descriptors are numbered anew",
           (unsigned)end_of(program_spawn(self, request("fds", check_fd, 0))), 0);
  check_eq("program_exec", "a program that runs another",
           (unsigned)end_of(program_spawn(self, request("exec", self, 21))), 21);
  errno = 0;
  check_eq("program_spawn", "a closed number", (unsigned)program_spawn(9999, &argdata_null), -1u);
  check_eq("program_spawn", "a closed number: the error", (unsigned)errno, EBADF);
  check_eq("program_spawn", "a directory", (unsigned)program_spawn(dir, &argdata_null), -1u);
  check_eq("program_spawn", "a directory: the error", (unsigned)errno, EACCES);
  check_eq("program_exec", "a directory", (unsigned)program_exec(dir, &argdata_null), EACCES);
  check_eq("program_exec", "a closed number", (unsigned)program_exec(-1, &argdata_null), EBADF);
  check_eq("program_exec", "a descriptor in the data that is closed",
           (unsigned)program_exec(self, request("exit", 9999, 0)), EBADF);
}

static void check_wait(void) {
  siginfo_t info;
  int process = program_spawn(self, request("wait", check_fd, 0));
  info.si_signo = 77;
  check_eq("pdwait", "without waiting", (unsigned)pdwait(process, &info, WNOHANG), 0);
  check_eq("pdwait", "without waiting: it runs", (unsigned)info.si_signo, 0);
  close(process);
  check_eq("pdwait", "no process", (unsigned)pdwait(dir, &info, 0), EINVAL);
  check_eq("pdwait", "a closed number", (unsigned)pdwait(process, &info, 0), EBADF);
  check_eq("pdwait", "another option", (unsigned)pdwait(dir, &info, 64), EINVAL);
}

/* ---- Copies of this one ---- */

static volatile bool stop;

static ssize_t write_nowhere(void *cookie, const char *bytes, size_t n) {
  (void)cookie, (void)bytes;
  return (ssize_t)n;
}

static FILE *nowhere(void) {
  return fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_nowhere});
}

/* What libc locks inside. */

static void *work(void *arg) {
  while (!stop) {
    free(malloc(100));
    fclose(nowhere());
  }
  return arg;
}

static void *add(void *arg) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  ++*(int *)arg;
  pthread_mutex_unlock(&mutex);
  return NULL;
}

/* All of libc works in a child of many threads; locks of the program's own that another thread held
 * would stay so. */
static int child(void) {
  pthread_t threads[3];
  int count = 0;
  FILE *null = nowhere();
  fprintf(null, "%d", 1);
  for (int i = 0; i < 3; i++) {
    if (pthread_create(&threads[i], NULL, add, &count) != 0)
      return 1;
  }
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
  fclose(null);
  return count == 3 ? 50 : 2;
}

static void check_fork(void) {
  pthread_t threads[3];
  unsigned good = 0;
  for (int i = 0; i < 3; i++)
    pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < 30; i++) {
    int fd = -1;
    int result = pdfork(&fd);
    if (result == 0)
      _exit(child());
    good += result == 1 && fd >= 0 && end_of(fd) == 50;
  }
  check_eq("pdfork", "children of a program with threads", good, 30);
  stop = true;
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
  errno = 0;
  check("fork", "there is none", fork() == -1 && errno == ENOSYS);
}

/* ---- Roles ---- */

static int run(const argdata_t *ad, const char *role) {
  int code = arg_int(ad, "code"), out = arg_fd(ad, "out");
  if (strcmp(role, "abort") == 0)
    abort();
  if (strcmp(role, "fds") == 0)
    return out == 0 && arg_fd(ad, "again") == 0 && write(1, "", 0) == -1 ? 0 : 1;
  if (strcmp(role, "exec") == 0)
    return 100 + program_exec(out, request("exit", out, code));
  if (strcmp(role, "wait") == 0)
    for (;;)
      sleep(1000);
  return code;
}

void program_main(const argdata_t *ad) {
  const char *role = arg_str(ad, "role");
  if (strcmp(role, "parent") != 0)
    exit(run(ad, role));
  check_begin(ad);
  self = arg_fd(ad, "self");
  dir = arg_fd(ad, "dir");
  check_spawn();
  check_wait();
  check_fork();
  check_end();
}
