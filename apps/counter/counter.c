/*
 * Counts how often the machine was started, in a file on a disk: what a program does that keeps
 * something. It writes the new number beside the old one, sees it onto the medium, and only then
 * gives it the old one's name; so whenever the power fails, one of the two is there.
 *
 * Its argument data is a map: `state`, a directory that it may write to, and `log`.
 */
#include <argdata.h>
#include <fcntl.h>
#include <program.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int state = -1, log_fd = -1;

static void read_options(const argdata_t *ad) {
  argdata_map_iterator_t it;
  const argdata_t *key, *value;
  argdata_map_iterate(ad, &it);
  while (argdata_map_get(&it, &key, &value)) {
    const char *name;
    if (argdata_get_str_c(key, &name) == 0) {
      if (strcmp(name, "state") == 0)
        argdata_get_fd(value, &state);
      if (strcmp(name, "log") == 0)
        argdata_get_fd(value, &log_fd);
    }
    argdata_map_next(&it);
  }
}

static _Noreturn void fail(const char *what) {
  dprintf(log_fd, "counter: %s\n", what);
  exit(1);
}

/* 0: there is no file yet. */
static unsigned long read_count(void) {
  char text[32] = "";
  int fd = openat(state, "count", O_RDONLY);
  if (fd < 0)
    return 0;
  if (read(fd, text, sizeof(text) - 1) < 0)
    fail("the count can't be read");
  close(fd);
  return strtoul(text, NULL, 10);
}

static void write_count(unsigned long count) {
  char text[32];
  int n = snprintf(text, sizeof(text), "%lu\n", count);
  int fd = openat(state, "count.new", O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd) != 0 || close(fd) != 0)
    fail("the count can't be written");
  if (renameat(state, "count.new", state, "count") != 0)
    fail("the count can't be renamed");
}

void program_main(const argdata_t *ad) {
  read_options(ad);
  unsigned long count = read_count() + 1;
  write_count(count);
  dprintf(log_fd, "Started %lu time%s\n", count, count == 1 ? "" : "s");
  exit(0);
}
