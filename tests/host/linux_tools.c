/*
 * Linux's programs for host tests: see linux_tools.h.
 */
/* pipe2() */
#define _GNU_SOURCE
#include "tests/host/linux_tools.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void *tools_map(const char *path, size_t n) {
  unlink(path);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  void *p = MAP_FAILED;
  if (fd >= 0 && ftruncate(fd, (off_t)n) == 0)
    p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0)
    close(fd);
  return p == MAP_FAILED ? NULL : p;
}

void tools_unmap(void *p, size_t n) {
  munmap(p, n);
}

/* Reads until the other end is closed. */
static void drain(int fd, char *output, size_t room) {
  char more[512];
  size_t n = 0;
  for (;;) {
    ssize_t got = n + 1 < room ? read(fd, output + n, room - 1 - n) : read(fd, more, sizeof more);
    if (got <= 0)
      break;
    n += n + 1 < room ? (size_t)got : 0;
  }
  output[n] = '\0';
}

int tools_run(const char *const words[], char *output, size_t room) {
  posix_spawn_file_actions_t actions;
  int ends[2], status = -1;
  pid_t pid;
  output[0] = '\0';
  if (pipe2(ends, O_CLOEXEC) != 0)
    return -1;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  int failed = posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)words, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed == 0)
    drain(ends[0], output, room);
  close(ends[0]);
  if (failed != 0 || waitpid(pid, &status, 0) != pid)
    return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
