/*
 * Serves `count` connections, one request each, closes first, and exits: {listener: fd, log: fd,
 * count: int}. What the kernel then says of its memory is the test.
 */
#include <program.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"

void program_main(const argdata_t *ad) {
  char request[256];
  int listener = arg_fd(ad, "listener");
  dprintf(arg_fd(ad, "log"), "ready\n");
  for (int i = arg_int(ad, "count"); i > 0; i--) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
      exit(1);
    ssize_t n = read(fd, request, sizeof(request));
    if (n > 0 && write(fd, request, n) != n)
      exit(2);
    close(fd);
  }
  exit(0);
}
