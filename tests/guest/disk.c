/*
 * Works on a directory of a disk, as its argument data says: {console: fd, disk: directory,
 * what: one of the functions do_… below, or crash (write, then abort), denied, or none}.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <program.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"

#define PAGE 4096
static const argdata_t *args;
static int console, disk;

#define need(condition)                                                           \
  do {                                                                            \
    if (!(condition)) {                                                           \
      dprintf(console, "disk.c:%d: %s: errno %d\n", __LINE__, #condition, errno); \
      exit(1);                                                                    \
    }                                                                             \
  } while (0)

static void fill(uint8_t *p, size_t n, unsigned seed) {
  for (size_t i = 0; i < n; i++)
    p[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
}

static void write_file(const char *name, size_t n, unsigned seed) {
  uint8_t *p = malloc(n);
  int fd = openat(disk, name, O_RDWR | O_CREAT | O_TRUNC, 0666);
  need(fd >= 0 && p != NULL);
  fill(p, n, seed);
  for (size_t at = 0; at < n;) {
    ssize_t part = write(fd, p + at, n - at < 70001 ? n - at : 70001);
    need(part > 0);
    at += (size_t)part;
  }
  need(fsync(fd) == 0 && close(fd) == 0);
  free(p);
}

static void check_file(const char *name, size_t n, unsigned seed) {
  uint8_t *want = malloc(n + 1), *have = malloc(n + 1);
  int fd = openat(disk, name, O_RDONLY);
  size_t at = 0;
  need(fd >= 0 && want != NULL && have != NULL);
  for (ssize_t part; (part = read(fd, have + at, n + 1 - at)) > 0;)
    at += (size_t)part;
  fill(want, n, seed);
  need(at == n && memcmp(want, have, n) == 0);
  need(close(fd) == 0);
  free(want);
  free(have);
}

static unsigned count_names(const char *name) {
  unsigned count = 0;
  int fd = openat(disk, name, O_RDONLY | O_DIRECTORY);
  DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
  need(d != NULL);
  while (readdir(d) != NULL)
    count++;
  closedir(d);
  return count - 2;
}

static void do_write(void) {
  char name[32];
  write_file("large", 3000001, 1);
  need(mkdirat(disk, "many", 0777) == 0);
  for (unsigned i = 0; i < 300; i++) {
    snprintf(name, sizeof(name), "many/file-%u", i);
    int fd = openat(disk, name, O_WRONLY | O_CREAT | O_EXCL, 0666);
    need(fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name) && close(fd) == 0);
  }
  for (unsigned i = 0; i < 300; i += 3) {
    snprintf(name, sizeof(name), "many/file-%u", i);
    need(unlinkat(disk, name, 0) == 0);
  }
  write_file("new", 5000, 2);
  need(renameat(disk, "new", disk, "renamed") == 0);
  need(linkat(disk, "renamed", disk, "linked", 0) == 0);
  need(symlinkat("large", disk, "soft") == 0);
  int fd = openat(disk, "sparse", O_RDWR | O_CREAT, 0666);
  need(fd >= 0 && ftruncate(fd, 10 << 20) == 0);
  uint8_t *m = mmap(NULL, 10 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  need(m != MAP_FAILED);
  memcpy(m + (5 << 20) - 2, "mapped", 6);
  need(msync(m, 10 << 20, MS_SYNC) == 0);
  need(close(fd) == 0);
}

static void do_read(void) {
  char text[64];
  struct stat st;
  check_file("large", 3000001, 1);
  check_file("soft", 3000001, 1);
  check_file("renamed", 5000, 2);
  check_file("linked", 5000, 2);
  need(count_names("many") == 200);
  need(fstatat(disk, "linked", &st, 0) == 0 && st.st_nlink == 2);
  need(fstatat(disk, "new", &st, 0) != 0 && errno == ENOENT);
  int fd = openat(disk, "sparse", O_RDONLY);
  need(fd >= 0 && pread(fd, text, 8, (5 << 20) - 3) == 8 && memcmp(text, "\0mapped", 8) == 0);
  close(fd);
}

/* Numbers that count up, each safe before it is told. */
static void do_load(void) {
  char text[32];
  for (unsigned n = 1;; n++) {
    write_file("junk", 100000 + n % 7 * 10000, n);
    int fd = openat(disk, "count.new", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int len = snprintf(text, sizeof(text), "%u\n", n);
    need(fd >= 0 && write(fd, text, (size_t)len) == len && fsync(fd) == 0);
    need(renameat(disk, "count.new", disk, "count") == 0);
    need(fsync(fd) == 0 && close(fd) == 0);
    dprintf(console, "safe %u\n", n);
  }
}

static void do_full(void) {
  static uint8_t block[65536];
  int fd = openat(disk, "filler", O_WRONLY | O_CREAT, 0666);
  size_t total = 0;
  ssize_t n;
  need(fd >= 0);
  while ((n = write(fd, block, sizeof(block))) > 0)
    total += (size_t)n;
  need(n < 0 && errno == ENOSPC && total > 1 << 20);
  need(close(fd) == 0);
  need(unlinkat(disk, "filler", 0) == 0);
  write_file("again", 1 << 20, 3); /* the room is there again at once */
  check_file("again", 1 << 20, 3);
}

/* Every page of a file that is larger than memory, by a mapping. */
static void do_map(void) {
  size_t n = (size_t)arg_int(args, "mib") << 20;
  int fd = openat(disk, "huge", O_RDWR | O_CREAT, 0666);
  need(fd >= 0 && ftruncate(fd, (off_t)n) == 0);
  uint8_t *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  need(m != MAP_FAILED);
  for (size_t at = 0; at < n; at += PAGE)
    *(uint32_t *)(void *)(m + at) = (uint32_t)(at / PAGE) + 1;
  need(msync(m, n, MS_SYNC) == 0);
  for (size_t at = 0; at < n; at += PAGE)
    need(*(uint32_t *)(void *)(m + at) == at / PAGE + 1);
  close(fd);
}

/* A file written from a mapping of itself, whose pages are not in memory. */
static void do_self(void) {
  write_file("self", 1 << 20, 4);
  int fd = openat(disk, "self", O_RDWR);
  struct stat st;
  need(fd >= 0 && fstat(fd, &st) == 0);
  uint8_t *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  need(m != MAP_FAILED);
  need(pwrite(fd, m + 100, 600000, 300000) == 600000);
  need(pwrite(fd, m, 1 << 20, 1 << 20) == 1 << 20);
  need(memcmp(m, m, 1 << 20) == 0);
  need(fsync(fd) == 0 && close(fd) == 0);
}

/* How often this disk was used. */
static void do_count(void) {
  char text[16];
  int fd = openat(disk, "count", O_RDWR | O_CREAT, 0666);
  need(fd >= 0);
  ssize_t n = read(fd, text, sizeof(text) - 1);
  need(n >= 0);
  text[n] = '\0';
  int len = snprintf(text, sizeof(text), "%d\n", atoi(text) + 1);
  need(pwrite(fd, text, (size_t)len, 0) == len && fsync(fd) == 0 && close(fd) == 0);
}

/* The memory that there is, and what it is needed for when the file system wants some. */
static void do_squeeze(void) {
  static void *eaten[4096];
  static uint8_t block[50000];
  unsigned count = 0, made = 0, failed = 0;
  char name[32];
  write_file("before", 300000, 1);
  for (size_t n = 1 << 20; n >= PAGE; n /= 4) {
    void *p;
    while (count < 4096 && (p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1,
                                     0)) != MAP_FAILED) {
      memset(p, 1, n);
      eaten[count++] = p;
    }
  }
  for (unsigned i = 0; i < 100; i++) {
    if (i % 2 == 1) /* a page more each time, until it suffices */
      need(munmap((uint8_t *)eaten[0] + i * PAGE, PAGE) == 0);
    snprintf(name, sizeof(name), "tight-%u", i);
    int fd = openat(disk, name, O_WRONLY | O_CREAT, 0666);
    need(fd >= 0 || errno == ENOMEM);
    failed += fd < 0;
    if (fd < 0)
      continue;
    made++;
    ssize_t n = write(fd, block, sizeof(block));
    need(n >= 0 || errno == ENOMEM);
    need(fsync(fd) == 0 || errno == ENOMEM);
    failed += n != sizeof(block);
    need(close(fd) == 0);
  }
  dprintf(console, "%u pieces of memory; %u files, %u failures\n", count, made, failed);
  need(munmap(eaten[1], 1 << 20) == 0);
  write_file("after", 300000, 2);
  check_file("before", 300000, 1);
}

static void write_word(int dir, const char *name, const char *word) {
  int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  need(fd >= 0 && write(fd, word, strlen(word)) == (ssize_t)strlen(word) && close(fd) == 0);
}

static bool has_word(int fd, const char *word) {
  char text[64];
  ssize_t n = pread(fd, text, sizeof(text), 0);
  return n == (ssize_t)strlen(word) && memcmp(text, word, (size_t)n) == 0;
}

/* A file, the read-only directory that it is in, and directories of other disks. */
static void do_grants(void) {
  int file = arg_fd(args, "file");
  need(has_word(file, "old"));
  need(pwrite(file, "new words", 9, 0) == 9);
  int same = openat(disk, "conf/words", O_RDONLY);
  need(same >= 0 && has_word(same, "new words") && close(same) == 0);
  need(openat(disk, "conf/words", O_WRONLY) < 0 && errno == EACCES);
  need(mkdirat(disk, "x", 0777) < 0 && errno == EACCES);
  write_word(arg_fd(args, "second"), "word", "two");
  write_word(arg_fd(args, "third"), "word", "three");
}

/* Writes nothing through to the disk: that happens by itself. */
static void do_idle(void) {
  write_word(disk, "word", "nobody has synced these words");
  dprintf(console, "written\n");
  sleep(3600);
}

/* Until the disk fails; and what can be done afterwards. */
static void do_fail(void) {
  static uint8_t block[PAGE];
  int fd = openat(disk, "data", O_RDWR | O_CREAT, 0666), large = openat(disk, "large", O_RDONLY);
  need(fd >= 0 && large >= 0);
  need(pwrite(fd, "first words", 11, 0) == 11 && fsync(fd) == 0);
  dprintf(console, "ready\n");
  for (unsigned i = 1; fsync(fd) == 0; i++)
    need(pwrite(fd, block, PAGE, (off_t)(i % 500 * PAGE)) == PAGE);
  need(errno == EIO);
  need(pread(large, block, PAGE, 0) < 0 && errno == EIO);
  const uint8_t *m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
  need(m != MAP_FAILED && msync((void *)(uintptr_t)m, PAGE, MS_SYNC) < 0 && errno == EIO);
  int other = openat(disk, "other", O_WRONLY | O_CREAT, 0666); /* a commit may have failed by now */
  need(other >= 0 ? fsync(other) < 0 && errno == EIO : errno == EROFS);
  need(openat(disk, "new", O_WRONLY | O_CREAT, 0666) < 0 && errno == EROFS);
  need(write(fd, block, PAGE) < 0 && errno == EROFS);
  need(pread(fd, block, 11, 0) == 11); /* it is in memory */
}

static void work(const char *what) {
  static const struct {
    const char *name;
    void (*run)(void);
  } works[] = {{"write", do_write}, {"crash", do_write},   {"read", do_read},
               {"load", do_load},   {"full", do_full},     {"map", do_map},
               {"self", do_self},   {"count", do_count},   {"idle", do_idle},
               {"fail", do_fail},   {"grants", do_grants}, {"squeeze", do_squeeze},
               {NULL, NULL}};
  for (unsigned i = 0; works[i].name != NULL; i++)
    if (strcmp(what, works[i].name) == 0)
      works[i].run();
}

void program_main(const argdata_t *ad) {
  args = ad;
  console = arg_fd(ad, "console");
  disk = arg_fd(ad, "disk");
  const char *what = arg_str(ad, "what");
  work(what);
  if (strcmp(what, "crash") == 0)
    abort();
  if (strcmp(what, "denied") == 0)
    need(openat(disk, "x", O_WRONLY | O_CREAT, 0666) < 0 && errno != 0);
  dprintf(console, "done: %s\n", what);
  exit(0);
}
