/*
 * The files of the machine that the tool runs on: see host.h.
 */
#include "tools/ext4tool/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

static uint64_t to_ns(struct timespec t) {
  return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static struct timespec from_ns(uint64_t ns) {
  return (struct timespec){(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
}

bool host_stat(const char *path, struct host_file *st) {
  struct stat s;
  if (lstat(path, &s) != 0)
    return false;
  *st = (struct host_file){.mode = s.st_mode,
                           .links = (uint32_t)s.st_nlink,
                           .device = s.st_dev,
                           .inode = s.st_ino,
                           .size_bytes = (uint64_t)s.st_size,
                           .mtime_ns = to_ns(s.st_mtim),
                           .atime_ns = to_ns(s.st_atim)};
  return true;
}

bool host_readlink(const char *path, char *contents, size_t room, size_t *len) {
  ssize_t n = readlink(path, contents, room);
  *len = n < 0 ? 0 : (size_t)n;
  return n >= 0;
}

static int no_dots(const struct dirent *e) {
  return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

/* By bytes, whatever the locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

bool host_each(const char *path, bool (*name)(void *arg, const char *name), void *arg, bool *all) {
  struct dirent **entries;
  int n = scandir(path, &entries, no_dots, by_bytes);
  if (n < 0)
    return false;
  *all = true;
  for (int i = 0; i < n; i++) {
    *all = name(arg, entries[i]->d_name) && *all;
    free(entries[i]);
  }
  free(entries);
  return true;
}

bool host_mkdir(const char *path) {
  return mkdir(path, 0777) == 0;
}

bool host_symlink(const char *contents, const char *path) {
  return symlink(contents, path) == 0;
}

bool host_link(const char *path, const char *name) {
  return link(path, name) == 0;
}

bool host_mkfifo(const char *path) {
  return mkfifo(path, 0666) == 0;
}

bool host_set(const char *path, uint32_t mode, uint64_t atime_ns, uint64_t mtime_ns) {
  const struct timespec times[2] = {from_ns(atime_ns), from_ns(mtime_ns)};
  if (mode != 0 && chmod(path, mode & 07777) != 0)
    return false;
  return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0;
}

bool host_truncate(const char *path, uint64_t size_bytes) {
  return truncate(path, (off_t)size_bytes) == 0;
}

const char *host_error(void) {
  return strerror(errno);
}

uint64_t host_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return to_ns(t);
}

void host_time(uint64_t ns, char text[HOST_TIME_BYTES]) {
  time_t s = (time_t)(ns / NS_PER_S);
  struct tm tm;
  gmtime_r(&s, &tm);
  size_t n = strftime(text, HOST_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(text + n, HOST_TIME_BYTES - n, ".%09uZ", (unsigned)(ns % NS_PER_S));
}
