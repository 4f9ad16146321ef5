/* Reading and writing host files: hostfile.h. */
#define _GNU_SOURCE
#include "images/hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

const char *hostfile_read(const char *path, struct buffer *contents) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0) {
    return strerror(errno);
  }
  /* The size only saves copying: what counts is what can be read. */
  size_t step = CHUNK_BYTES;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    step = (size_t)status.st_size + 1;
  }
  ssize_t count;
  do {
    uint8_t *room = buffer_grow(contents, step);
    count = read(fd, room, step);
    contents->length -= step - (count > 0 ? (size_t)count : 0);
    step = CHUNK_BYTES;
  } while (count > 0);
  const char *error = count < 0 ? strerror(errno) : NULL;
  close(fd);
  return error;
}

static const char *write_all(int fd, const uint8_t *bytes, size_t size) {
  while (size > 0) {
    ssize_t count = write(fd, bytes, size);
    if (count < 0) {
      return strerror(errno);
    }
    bytes += count;
    size -= (size_t)count;
  }
  return NULL;
}

/* The permissions of a new file: mkstemp makes it private. */
static mode_t usual_mode(void) {
  mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

const char *hostfile_write(const char *path, const void *bytes, size_t size) {
  char *temporary;
  if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
    return "out of memory";
  }
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) {
    free(temporary);
    return strerror(errno);
  }
  const char *error = write_all(fd, bytes, size);
  if (error == NULL && fchmod(fd, usual_mode()) != 0) {
    error = strerror(errno);
  }
  if (close(fd) != 0 && error == NULL) {
    error = strerror(errno);
  }
  if (error == NULL && rename(temporary, path) != 0) {
    error = strerror(errno);
  }
  if (error != NULL) {
    unlink(temporary);
  }
  free(temporary);
  return error;
}
