/*
 * What files on a disk cost. The same code measures a Linux machine (tests/bench/linux_server.c),
 * so it knows POSIX and markers only.
 *
 * The file `data` is larger than the machine's memory. Each phase is between the markers 4 and 5:
 * the file is read from begin to end, pages of its first half are read, and written, in an order
 * that has no pattern and no page twice (what was read last, the second half, fills memory: so none
 * of them is there), a new file is written from begin to end, and small files are made one by one.
 * What was written is made durable before a phase ends.
 */
#include "disk.h"

#include <fcntl.h>
#include <marker.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, CHUNK = 65536 };

static char buf[CHUNK] __attribute__((aligned(PAGE)));

static void check(const char *what, int ok) {
  if (ok)
    return;
  perror(what);
  exit(1);
}

/* The number of the i-th page of `pages`, a power of two: every one once. */
static off_t scattered(uint32_t i, uint32_t pages) {
  uint32_t x = i * 2654435761u + 12345u;
  x &= pages - 1;
  x ^= x >> 7;
  return (off_t)(x * 40503u & (pages - 1)) * PAGE;
}

static void read_all(int fd, off_t size) {
  MARK(4);
  for (off_t at = 0; at < size; at += CHUNK)
    check("read", read(fd, buf, CHUNK) == CHUNK);
  MARK(5);
}

static void read_scattered(int fd, uint32_t pages) {
  MARK(4);
  for (uint32_t i = 0; i < DISK_PAGES; i++)
    check("pread", pread(fd, buf, PAGE, scattered(i, pages)) == PAGE);
  MARK(5);
}

static void write_scattered(int fd, uint32_t pages) {
  MARK(4);
  for (uint32_t i = DISK_PAGES; i < 2 * DISK_PAGES; i++)
    check("pwrite", pwrite(fd, buf, PAGE, scattered(i, pages)) == PAGE);
  check("fsync", fsync(fd) == 0);
  MARK(5);
}

static void write_all(int dir, int flags) {
  MARK(4);
  int fd = openat(dir, "new", O_WRONLY | O_CREAT | O_TRUNC | flags, 0666);
  check("new", fd >= 0);
  for (off_t at = 0; at < DISK_WRITTEN_MIB << 20; at += CHUNK)
    check("write", write(fd, buf, CHUNK) == CHUNK);
  check("fsync", fsync(fd) == 0);
  close(fd);
  MARK(5);
}

static void create_files(int dir) {
  MARK(4);
  for (int i = 0; i < DISK_FILES; i++) {
    char name[16];
    snprintf(name, sizeof name, "file%d", i);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0666);
    check(name, fd >= 0 && write(fd, buf, 100) == 100 && fsync(fd) == 0);
    close(fd);
  }
  MARK(5);
}

void disk_measure(int dir, int flags) {
  struct stat st;
  int fd = openat(dir, "data", O_RDWR | flags);
  check("data", fd >= 0 && fstat(fd, &st) == 0);
  uint32_t pages = (uint32_t)(st.st_size / 2 / PAGE);
  read_all(fd, st.st_size);
  read_scattered(fd, pages);
  write_scattered(fd, pages);
  close(fd);
  write_all(dir, flags);
  create_files(dir);
}
