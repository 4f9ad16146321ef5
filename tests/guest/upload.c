/*
 * Receives `bytes` bytes and answers with a checksum, then sends as many of a known sequence:
 * {listener: fd, log: fd, bytes: int}.
 */
#include <program.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"

/* The sequence that both ends know: Knuth's linear congruence, its high byte. */
static uint8_t next(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 24;
}

static int receive(int fd, char *buf, size_t size, long bytes) {
  uint32_t state = 1;
  while (bytes > 0) {
    ssize_t n = read(fd, buf, size);
    if (n <= 0)
      return 0;
    for (ssize_t i = 0; i < n; i++) {
      if ((uint8_t)buf[i] != next(&state))
        return 0;
    }
    bytes -= n;
  }
  return bytes == 0;
}

static void send_sequence(int fd, char *buf, size_t size, long bytes) {
  uint32_t state = 2;
  while (bytes > 0) {
    size_t n = bytes < (long)size ? (size_t)bytes : size;
    for (size_t i = 0; i < n; i++)
      buf[i] = (char)next(&state);
    for (size_t sent = 0; sent < n;) {
      ssize_t s = write(fd, buf + sent, n - sent);
      if (s <= 0)
        exit(3);
      sent += (size_t)s;
    }
    bytes -= (long)n;
  }
}

void program_main(const argdata_t *ad) {
  static char buf[65536];
  int listener = arg_fd(ad, "listener"), bytes = arg_int(ad, "bytes");
  dprintf(arg_fd(ad, "log"), "ready\n");
  int fd = accept(listener, NULL, NULL);
  if (fd < 0)
    exit(1);
  if (!receive(fd, buf, sizeof(buf), bytes))
    exit(2);
  send_sequence(fd, buf, sizeof(buf), bytes);
  shutdown(fd, SHUT_WR);
  while (read(fd, buf, sizeof(buf)) > 0) { /* until the peer has it all and closes */
  }
  exit(0);
}
