/*
 * Random work on a disk by several threads, each in a directory of its own, step by step against a
 * model: {console: fd, disk: directory, seed: N, steps: N, threads: N}.
 *
 * Files are written, cut, allocated, linked, renamed over each other and removed while they are
 * mapped; what read() and a mapping show is always what the model has. At the end the console has a
 * line "file DIRECTORY/NAME SIZE CRC32" for each name.
 */
#include <errno.h>
#include <fcntl.h>
#include <program.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"

#define NAMES 12
#define SIZE_MAX_BYTES 200000u
#define WRITE_MAX 30000u
#define THREADS_MAX 8

struct file {
  uint8_t *data; /* SIZE_MAX_BYTES, zeroes from `size` on */
  size_t size;
  unsigned links;
  int fd;
  uint8_t *map; /* NULL: not mapped; shared, of SIZE_MAX_BYTES */
};

struct work {
  unsigned number, step;
  uint32_t state;
  int dir;
  struct file *named[NAMES];
  unsigned directories; /* d0, d1, … */
  uint8_t buf[WRITE_MAX];
};

static int console, disk;
static unsigned steps;

#define need(condition)                                                                  \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      dprintf(console, "disk_random.c:%d: thread %u, step %u: %s: errno %d\n", __LINE__, \
              w->number, w->step, #condition, errno);                                    \
      exit(1);                                                                           \
    }                                                                                    \
  } while (0)

static uint32_t below(struct work *w, uint32_t n) {
  w->state = w->state * 1664525u + 1013904223u;
  return (uint32_t)((uint64_t)(w->state >> 8) * n >> 24);
}

static const char *name_of(unsigned i) {
  static const char *const names[NAMES] = {
      "a", "b", "c", "d", "e", "f", "g", "h", "i", "a name that is not as short as the others",
      "k", "l"};
  return names[i];
}

static void fill(struct work *w, size_t n) {
  uint32_t x = below(w, 1u << 24);
  for (size_t i = 0; i < n; i++)
    w->buf[i] = (uint8_t)((x = x * 1103515245u + 12345u) >> 16);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void check(struct work *w, struct file *f) {
  struct stat st;
  need(fstat(f->fd, &st) == 0 && (size_t)st.st_size == f->size && st.st_nlink == f->links);
  for (size_t at = 0; at < f->size;) {
    ssize_t n = pread(f->fd, w->buf, WRITE_MAX, (off_t)at);
    need(n > 0 && at + (size_t)n <= f->size && memcmp(w->buf, f->data + at, (size_t)n) == 0);
    at += (size_t)n;
  }
  need(pread(f->fd, w->buf, 1, (off_t)f->size) == 0);
  need(f->map == NULL || memcmp(f->map, f->data, f->size) == 0);
}

static void put(struct work *w, struct file *f, size_t at, const uint8_t *from, size_t n) {
  need(pwrite(f->fd, from, n, (off_t)at) == (ssize_t)n);
  memmove(f->data + at, from, n);
  if (at + n > f->size)
    f->size = at + n;
}

static void resize(struct work *w, struct file *f, size_t size) {
  need(ftruncate(f->fd, (off_t)size) == 0);
  if (size < f->size)
    memset(f->data + size, 0, f->size - size);
  f->size = size;
}

static void map(struct work *w, struct file *f) {
  if (f->map == NULL)
    f->map = mmap(NULL, SIZE_MAX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
  need(f->map != MAP_FAILED);
}

static void write_mapped(struct work *w, struct file *f) {
  if (f->size == 0)
    return;
  size_t at = below(w, (uint32_t)f->size);
  size_t n = 1 + below(w, (uint32_t)(f->size - at < WRITE_MAX ? f->size - at : WRITE_MAX));
  map(w, f);
  fill(w, n);
  memcpy(f->map + at, w->buf, n);
  memcpy(f->data + at, w->buf, n);
}

static void unmap(struct work *w, struct file *f) {
  if (f->map != NULL)
    need(munmap(f->map, SIZE_MAX_BYTES) == 0);
  f->map = NULL;
}

static void create(struct work *w, unsigned i) {
  struct file *f = calloc(1, sizeof(*f));
  need(f != NULL && (f->data = calloc(1, SIZE_MAX_BYTES)) != NULL);
  f->fd = openat(w->dir, name_of(i), O_RDWR | O_CREAT | O_EXCL, 0666);
  need(f->fd >= 0);
  f->links = 1;
  w->named[i] = f;
}

/* A name of it went. If it was the last one, a descriptor or a mapping keeps it for a while. */
static void lost_name(struct work *w, struct file *f) {
  if (--f->links > 0)
    return;
  check(w, f);
  if (f->map != NULL || below(w, 2) == 0)
    write_mapped(w, f);
  need(close(f->fd) == 0);
  need(f->map == NULL || memcmp(f->map, f->data, f->size) == 0);
  unmap(w, f);
  free(f->data);
  free(f);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void change_contents(struct work *w, struct file *f) {
  size_t at = below(w, SIZE_MAX_BYTES - WRITE_MAX), n = 1 + below(w, WRITE_MAX);
  struct file *other = w->named[below(w, NAMES)];
  switch (below(w, 8)) {
    case 0:
      resize(w, f, below(w, 3) == 0 ? 0 : at);
      return;
    case 1:
      need(posix_fallocate(f->fd, (off_t)at, (off_t)n) == 0);
      if (at + n > f->size)
        f->size = at + n;
      return;
    case 2:
    case 3:
      write_mapped(w, f);
      return;
    case 4: /* out of another one's mapping */
      if (other != NULL && other != f && other->map != NULL && other->size > 0) {
        put(w, f, at, other->map, n < other->size ? n : other->size);
        return;
      }
      break;
    case 5:
      at = f->size < SIZE_MAX_BYTES - WRITE_MAX ? f->size : 0;
      break;
  }
  fill(w, n);
  put(w, f, at, w->buf, n);
}

static void change_names(struct work *w, unsigned i, unsigned to) {
  struct file *f = w->named[i], *old = w->named[to];
  switch (below(w, 3)) {
    case 0:
      need(unlinkat(w->dir, name_of(i), 0) == 0);
      w->named[i] = NULL;
      lost_name(w, f);
      return;
    case 1:
      if (old != NULL) {
        need(linkat(w->dir, name_of(i), w->dir, name_of(to), 0) < 0 && errno == EEXIST);
        return;
      }
      need(linkat(w->dir, name_of(i), w->dir, name_of(to), 0) == 0);
      w->named[to] = f;
      f->links++;
      return;
    default:
      need(renameat(w->dir, name_of(i), w->dir, name_of(to)) == 0);
      if (old == f) /* two names of one file, or the same name: nothing happens */
        return;
      w->named[i] = NULL;
      w->named[to] = f;
      if (old != NULL)
        lost_name(w, old);
  }
}

/* A directory more, with names in it, or the last one goes. */
static void change_directories(struct work *w) {
  char name[32];
  bool more = w->directories < 4 && below(w, 2) == 0;
  if (w->directories == 0 && !more)
    return;
  unsigned d = more ? w->directories++ : --w->directories;
  snprintf(name, sizeof(name), "d%u", d);
  need(!more || mkdirat(w->dir, name, 0777) == 0);
  for (unsigned i = 0; i < 30; i++) {
    snprintf(name, sizeof(name), "d%u/the link of number %u", d, i);
    need((more ? symlinkat(name, w->dir, name) : unlinkat(w->dir, name, 0)) == 0);
  }
  snprintf(name, sizeof(name), "d%u", d);
  need(more || unlinkat(w->dir, name, AT_REMOVEDIR) == 0);
}

static void step(struct work *w) {
  unsigned i = below(w, NAMES);
  struct file *f = w->named[i];
  if (f == NULL) {
    create(w, i);
    return;
  }
  switch (below(w, 16)) {
    case 0:
    case 1:
      change_names(w, i, below(w, NAMES));
      return;
    case 2:
      need((below(w, 2) ? fsync(f->fd) : fdatasync(f->fd)) == 0);
      return;
    case 3:
      if (f->map != NULL && f->size > 0)
        need(msync(f->map, f->size, MS_SYNC) == 0);
      unmap(w, f);
      return;
    case 4:
    case 5:
      check(w, f);
      return;
    case 6:
      change_directories(w);
      return;
    default:
      change_contents(w, f);
  }
}

static void *run(void *arg) {
  struct work *w = arg;
  for (w->step = 0; w->step < steps; w->step++)
    step(w);
  for (unsigned i = 0; i < NAMES; i++)
    if (w->named[i] != NULL)
      check(w, w->named[i]);
  return NULL;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static uint32_t crc32(const uint8_t *p, size_t n) {
  uint32_t crc = ~0u;
  for (; n > 0; n--) {
    crc ^= *p++;
    for (unsigned bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

void program_main(const argdata_t *ad) {
  static struct work works[THREADS_MAX];
  pthread_t threads[THREADS_MAX];
  unsigned count = (unsigned)arg_int(ad, "threads");
  console = arg_fd(ad, "console");
  disk = arg_fd(ad, "disk");
  steps = (unsigned)arg_int(ad, "steps");
  for (unsigned t = 0; t < count; t++) {
    struct work *w = &works[t];
    char name[8];
    snprintf(name, sizeof(name), "t%u", t);
    w->number = t;
    w->state = (uint32_t)arg_int(ad, "seed") * 1000003u + t;
    need(mkdirat(disk, name, 0777) == 0);
    w->dir = openat(disk, name, O_RDONLY | O_DIRECTORY);
    need(w->dir >= 0 && pthread_create(&threads[t], NULL, run, w) == 0);
  }
  for (unsigned t = 0; t < count; t++)
    pthread_join(threads[t], NULL);
  for (unsigned t = 0; t < count; t++) {
    for (unsigned i = 0; i < NAMES; i++) {
      const struct file *f = works[t].named[i];
      if (f != NULL)
        dprintf(console, "file t%u/%s\t%zu %08x\n", t, name_of(i), f->size,
                crc32(f->data, f->size));
    }
  }
  exit(0);
}
