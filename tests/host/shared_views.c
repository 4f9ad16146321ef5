/*
 * Memory at several addresses, for tests of shared mappings. A file of its own because the system's
 * headers and kernel/abi.h quarrel.
 */
#include "tests/host/shared_views.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void shared_views(void *views[], unsigned n, size_t bytes) {
  int fd = memfd_create("views", 0);
  if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
    abort();
  for (unsigned i = 0; i < n; i++) {
    views[i] = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (views[i] == MAP_FAILED)
      abort();
  }
  close(fd);
}
