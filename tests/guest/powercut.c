/*
 * A file workload for a machine that is cut off at any moment: {data: directory, log: fd, run: N}.
 *
 * Run 1, 2, … works in a directory of its own, run1, run2, …, for ever, and says on the console
 * what it is about to do and what is safe. Run 0 lists all files with sizes and checksums. Who
 * watches (tests/vm/powermodel.py) knows by that what has to be there after the cut. In the
 * directory are:
 *
 * - log0, log1, log2: appended to; with O_DSYNC, fdatasync(), fsync(). "log K SIZE"
 * - save0, …: written beside, synced, renamed. "saving K V", "saved K V"
 * - f0, …, sub/f0, …: made, moved, removed. "created N SIZE", "moving N", "moved N", …
 * - blocks, mapped: sectors written in place, by pwrite() and by a mapping. "over F V FIRST COUNT",
 *   "safe F V"
 * - many/…: names alone, more and more. "many N"
 * - junk0, …: written and cut and never synced
 *
 * A byte follows from the file's key and its place, so that one of another file, or place, shows.
 */
#include <argdata.h>
#include <dirent.h>
#include <fcntl.h>
#include <program.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"

#define PERIOD 4093 /* a prime, so that no two pages of a file are alike */
#define KEY_LOG 1   /* and the two that follow */
#define KEY_JUNK 10
#define KEY_SAVE 1000  /* + 100 a version + the file's number */
#define KEY_FILE 50000 /* + its number */
#define KEPT 3         /* runs whose directories stay */
#define SECTOR 512
#define SECTORS 128
#define FILES_MAX 4096
#define BUF_BYTES 40000

static int log_fd, root, dir, sub, many;
static uint32_t state;
static uint8_t base[PERIOD], buf[BUF_BYTES];

static _Noreturn void fail(const char *what) {
  dprintf(log_fd, "powercut: %s failed\n", what);
  exit(1);
}

static void must(bool good, const char *what) {
  if (!good)
    fail(what);
}

static uint32_t next(uint32_t *x) {
  *x = *x * 1664525u + 1013904223u;
  return *x >> 8;
}

static int random_below(int n) {
  return (int)(next(&state) % (uint32_t)n);
}

static void fill(uint8_t *out, size_t len, uint32_t key, size_t place) {
  for (size_t i = 0; i < len; i++)
    out[i] = base[(place + i + (size_t)key * 977) % PERIOD] ^ (uint8_t)key;
}

static int open_file(const char *name, int flags) {
  int fd = openat(dir, name, flags, 0666);
  must(fd >= 0, name);
  return fd;
}

static void write_all(int fd, uint32_t key, size_t len, const char *what) {
  fill(buf, len, key, 0);
  must(write(fd, buf, len) == (ssize_t)len, what);
}

static int make_dir(int parent, const char *name) {
  must(mkdirat(parent, name, 0777) == 0, "mkdir");
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY);
  must(fd >= 0, "open of a directory");
  return fd;
}

/* ---- The kinds of files ---- */

static void append(void) {
  static size_t size[3];
  char name[8];
  int k = random_below(3);
  size_t len = 1 + (size_t)random_below(3000);
  snprintf(name, sizeof name, "log%d", k);
  int fd = open_file(name, O_WRONLY | O_CREAT | O_APPEND | (k == 0 ? O_DSYNC : 0));
  fill(buf, len, KEY_LOG + (uint32_t)k, size[k]);
  must(write(fd, buf, len) == (ssize_t)len, "append");
  size[k] += len;
  bool safe = k == 0;
  if (k > 0 && random_below(3) == 0) {
    must((k == 1 ? fdatasync(fd) : fsync(fd)) == 0, "sync");
    safe = true;
  }
  if (safe)
    dprintf(log_fd, "log %d %zu\n", k, size[k]);
  close(fd);
}

static void save(void) {
  static int version[4];
  char name[16], beside[16];
  int k = random_below(4), v = ++version[k];
  snprintf(name, sizeof name, "save%d", k);
  snprintf(beside, sizeof beside, "save%d.new", k);
  dprintf(log_fd, "saving %d %d\n", k, v);
  int fd = open_file(beside, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(fd, KEY_SAVE + 100 * (uint32_t)v + (uint32_t)k, 100 + (size_t)(v * 977 % 12000),
            "save");
  must(fsync(fd) == 0 && close(fd) == 0, "sync");
  must(renameat(dir, beside, dir, name) == 0, "rename");
  if (random_below(2) == 0) {
    must(fsync(dir) == 0, "sync of a directory");
    dprintf(log_fd, "saved %d %d\n", k, v);
  }
}

static uint8_t place_of[FILES_MAX]; /* 0: gone, 1: in dir, 2: in sub */
static int files;

static void create(void) {
  char name[16];
  size_t len = (size_t)random_below(20000);
  if (files == FILES_MAX)
    return;
  snprintf(name, sizeof name, "f%d", files);
  int fd = open_file(name, O_WRONLY | O_CREAT | O_EXCL);
  write_all(fd, KEY_FILE + (uint32_t)files, len, "write");
  must(fsync(fd) == 0 && close(fd) == 0, "sync");
  dprintf(log_fd, "created %d %zu\n", files, len);
  place_of[files++] = 1;
}

static void move_or_remove(void) {
  char name[16];
  int n = files == 0 ? 0 : random_below(files);
  if (place_of[n] == 0)
    return;
  snprintf(name, sizeof name, "f%d", n);
  bool move = place_of[n] == 1 && random_below(2) == 0;
  int from = place_of[n] == 1 ? dir : sub;
  dprintf(log_fd, move ? "moving %d\n" : "removing %d\n", n);
  if (move)
    must(renameat(dir, name, sub, name) == 0 && fsync(sub) == 0, "move");
  else
    must(unlinkat(from, name, 0) == 0, "unlink");
  must(fsync(from) == 0, "sync of a directory");
  dprintf(log_fd, move ? "moved %d\n" : "removed %d\n", n);
  place_of[n] = move ? 2 : 0;
}

static uint8_t *mapped;
static int blocks_fd, versions[2];

/* A sector: its version, its number, and bytes that follow from both. */
static void sectors_make(uint8_t *out, int version, int first, int count) {
  for (int i = 0; i < count; i++, out += SECTOR) {
    uint32_t words[2] = {(uint32_t)version, (uint32_t)(first + i)};
    memcpy(out, words, sizeof words);
    fill(out + sizeof words, SECTOR - sizeof words, words[0] * SECTORS + words[1], 0);
  }
}

static void sectors_begin(void) {
  int fd[2];
  for (int f = 0; f < 2; f++) {
    fd[f] = open_file(f == 0 ? "blocks" : "mapped", O_RDWR | O_CREAT);
    for (int i = 0; i < SECTORS; i++) {
      sectors_make(buf, 0, i, 1);
      must(write(fd[f], buf, SECTOR) == SECTOR, "write");
    }
    must(fsync(fd[f]) == 0, "sync");
    dprintf(log_fd, "safe %d 0\n", f);
  }
  blocks_fd = fd[0];
  mapped = mmap(NULL, SECTORS * SECTOR, PROT_READ | PROT_WRITE, MAP_SHARED, fd[1], 0);
  must(mapped != MAP_FAILED, "mmap");
}

static void overwrite(void) {
  int f = random_below(2), v = ++versions[f];
  int count = 1 + random_below(20), first = random_below(SECTORS - count + 1);
  dprintf(log_fd, "over %d %d %d %d\n", f, v, first, count);
  sectors_make(f == 0 ? buf : mapped + first * SECTOR, v, first, count);
  if (f == 0)
    must(pwrite(blocks_fd, buf, (size_t)count * SECTOR, first * SECTOR) == count * SECTOR,
         "pwrite");
  if (random_below(2) == 0)
    return;
  must((f == 0 ? fdatasync(blocks_fd) : msync(mapped, SECTORS * SECTOR, MS_SYNC)) == 0, "sync");
  dprintf(log_fd, "safe %d %d\n", f, v);
}

static void grow(void) {
  static int names;
  char name[100];
  for (int i = 0; i < 16; i++, names++) {
    snprintf(name, sizeof name, "n%d-%.*s", names, names % 60,
             "a name that is as long as its number says, to split leaves of the tree");
    int fd = openat(many, name, O_WRONLY | O_CREAT | O_EXCL, 0666);
    must(fd >= 0 && close(fd) == 0, "create");
  }
  must(fsync(many) == 0, "sync of a directory");
  dprintf(log_fd, "many %d\n", names);
}

static void junk(void) {
  char name[16];
  int k = random_below(10);
  size_t place = (size_t)random_below(30000), len = (size_t)random_below(BUF_BYTES);
  snprintf(name, sizeof name, "junk%d", k);
  if (random_below(4) == 0) {
    unlinkat(dir, name, 0);
    return;
  }
  int fd = open_file(name, O_WRONLY | O_CREAT);
  if (random_below(2) == 0)
    must(ftruncate(fd, (off_t)random_below((int)place + 1)) == 0, "truncate");
  fill(buf, len, KEY_JUNK + (uint32_t)k, place);
  must(pwrite(fd, buf, len, (off_t)place) == (ssize_t)len, "pwrite");
  close(fd);
}

/* ---- Trees ---- */

static void remove_tree(int parent, const char *name) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY);
  if (fd < 0)
    return;
  DIR *d = fdopendir(fd);
  struct dirent *e;
  while ((e = readdir(d)) != NULL) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    if (e->d_type == DT_DIR)
      remove_tree(fd, e->d_name);
    else
      must(unlinkat(fd, e->d_name, 0) == 0, "unlink");
  }
  closedir(d);
  must(unlinkat(parent, name, AT_REMOVEDIR) == 0, "rmdir");
}

static uint32_t checksum(int fd, size_t *size) {
  uint32_t crc = UINT32_MAX;
  ssize_t n;
  *size = 0;
  while ((n = read(fd, buf, sizeof buf)) > 0) {
    *size += (size_t)n;
    for (ssize_t i = 0; i < n; i++) {
      crc ^= buf[i];
      for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
  }
  must(n == 0, "read");
  return ~crc;
}

static void list(int parent, const char *path) {
  DIR *d = fdopendir(dup(parent));
  struct dirent *e;
  char name[300];
  must(d != NULL, "opendir");
  while ((e = readdir(d)) != NULL) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    snprintf(name, sizeof name, "%s/%s", path, e->d_name);
    int fd = openat(parent, e->d_name, O_RDONLY);
    must(fd >= 0, name);
    size_t size;
    if (e->d_type == DT_DIR) {
      list(fd, name);
    } else {
      uint32_t crc = checksum(fd, &size);
      dprintf(log_fd, "file %zu %08x %s\n", size, crc, name);
    }
    close(fd);
  }
  closedir(d);
}

static _Noreturn void work(int run) {
  static void (*const kinds[])(void) = {append, append,    save,      create,
                                        junk,   overwrite, overwrite, move_or_remove};
  char name[20];
  state = (uint32_t)run * 2654435761u;
  snprintf(name, sizeof name, "run%d", run);
  dir = make_dir(root, name);
  sub = make_dir(dir, "sub");
  many = make_dir(dir, "many");
  sectors_begin();
  dprintf(log_fd, "begun\n");
  snprintf(name, sizeof name, "run%d", run - KEPT);
  dprintf(log_fd, "dropping %s\n", name);
  remove_tree(root, name);
  for (;;) {
    if (random_below(16) == 0)
      grow();
    else
      kinds[random_below(8)]();
  }
}

void program_main(const argdata_t *ad) {
  uint32_t x = 1;
  root = arg_fd(ad, "data");
  log_fd = arg_fd(ad, "log");
  for (int i = 0; i < PERIOD; i++)
    base[i] = (uint8_t)(next(&x) >> 8);
  dprintf(log_fd, "started\n");
  if (arg_int(ad, "run") != 0)
    work(arg_int(ad, "run"));
  list(root, "");
  dprintf(log_fd, "listed\n");
}
