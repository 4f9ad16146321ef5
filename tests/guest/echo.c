/*
 * Sends back what it receives, one connection after another: {listener: fd, log: fd}.
 */
#include <program.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"

static void write_all(int fd, const char *data, ssize_t n) {
  while (n > 0) {
    ssize_t written = write(fd, data, n);
    if (written <= 0)
      return;
    data += written;
    n -= written;
  }
}

void program_main(const argdata_t *ad) {
  static char buf[65536];
  int listener = arg_fd(ad, "listener");
  dprintf(arg_fd(ad, "log"), "ready\n");
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    ssize_t n;
    if (fd < 0)
      exit(1);
    while ((n = read(fd, buf, sizeof(buf))) > 0)
      write_all(fd, buf, n);
    close(fd);
  }
}
